import type { Rational } from '../catalogue/notation.ts'
import {
  CREDIT_DECIMALS,
  ceilDivide,
  divideHalfEven,
  floorDivide,
  formatDecimal,
  type PicoUsd,
  USD_DECIMALS,
  ZERO_USD,
} from '../money.ts'
import type { Usage } from '../usage.ts'
import type { Described } from './choice.ts'
import type { RoundingMode } from './definition.ts'
import type { CompiledMethod, Counter } from './methods.ts'
import { safeCharge } from './safe-charge.ts'
import { type BurnTable, priceOf } from './table.ts'
import { quantityOf, usedBy } from './units.ts'

/** The fields of an event that determine its charge. */
export interface Chargeable extends Described {
  readonly usage?: Usage | undefined
  readonly custom?: Readonly<Record<string, number>> | undefined
  /** The provider's cost; undefined if unknown. It is 0 if the event has nothing to price. */
  readonly cost: PicoUsd | undefined
  /** The cost at the prices of the provider's most expensive model (`ceilingCost`), for use if `cost` is undefined. */
  readonly ceiling_cost?: PicoUsd | undefined
}

/**
 * The arrival time of the event, and the wallet's usage before the event. `used` returns the usage of a counter in
 * 1e-9 of the unit.
 */
export interface UsedBefore {
  readonly at_ms: number
  readonly used: (counter: Counter) => bigint
}

export interface Charge {
  readonly kind: 'charged'
  /** The charge in micro-credits. It is a bigint, because it can exceed the largest balance. */
  readonly credits_micro: bigint
  /**
   * The customer price (`customer_price_usd`): the charged credits, converted to USD with the table's
   * `credits_per_usd`.
   */
  readonly price: PicoUsd
  /** The provider's cost. An unknown cost is recorded as 0, or as the ceiling cost if the ceiling is charged. */
  readonly cost: PicoUsd
  /** True if the event has no price yet, so that the charge is provisional: 0 or the charge for the ceiling cost. */
  readonly unrated: boolean
  readonly warnings: readonly string[]
  /** The counter of a tiered rule and its usage after this event, in 1e-9 of the unit; absent if no counter changes. */
  readonly advance?: { readonly counter: Counter; readonly quantity: bigint }
}

/**
 * Returns the charge for an event. Returns `unpriced` if the matching rule needs the provider's cost, the cost is
 * unknown, and `on_unpriced` of the table is `reject`.
 */
export function chargeFor(
  table: BurnTable,
  event: Chargeable,
  before: UsedBefore,
): Charge | { readonly kind: 'unpriced' } {
  const charge = chargeBy(table, table.methodFor(event), event, before)
  if (charge.kind === 'unpriced' || charge.unrated || charge.credits_micro > 0n) return charge
  const warning = noRateWarning(table.methodFor(event), event)
  return warning === undefined ? charge : { ...charge, warnings: [...charge.warnings, warning] }
}

/**
 * Returns a warning if the matching rule has no rate for any unit of the event, so that the event burns no credits. A
 * unit with a rate of 0 causes no warning. Returns undefined if there is no warning.
 */
function noRateWarning(
  method: CompiledMethod,
  { usage = {}, custom = {}, cost }: Chargeable,
): string | undefined {
  const provided = Object.entries(usage).filter(([, quantity]) => quantity > 0)
  // A provider's price covers only the provider's units. It never covers a customer's own units.
  if (method.needs === 'cost' && (cost !== ZERO_USD || provided.length > 0)) return undefined
  const units = [...provided, ...Object.entries(custom).filter(([, quantity]) => quantity > 0)]
  const names = namesOf(method)
  if (units.length === 0 || units.some(([unit]) => names(unit))) return undefined
  return `no_rate_for_unit: the burn table has no rate for ${units.map(([unit]) => unit).join(', ')}.`
}

function namesOf(method: CompiledMethod): (unit: string) => boolean {
  switch (method.needs) {
    case 'cost':
      return () => false
    case 'usage':
      return method.names
    case 'usage_of_period':
      return (unit) => unit === method.unit
  }
}

function chargeBy(
  table: BurnTable,
  method: CompiledMethod,
  event: Chargeable,
  before: UsedBefore,
): Charge | { readonly kind: 'unpriced' } {
  const cost = event.cost ?? ZERO_USD
  switch (method.needs) {
    case 'cost': {
      if (event.cost === undefined) return chargeUnpriced(table, event, method.charge)
      const safe = safeCharge(table, method, cost)
      if (!safe) return charged(table, cost, method.charge(cost))
      const { credits_micro, price } = safe
      return { kind: 'charged', credits_micro, price, cost, unrated: false, warnings: NO_WARNINGS }
    }
    case 'usage':
      return charged(table, cost, method.charge(usedBy(event)), aboutCost(event))
    case 'usage_of_period': {
      const counter = method.counterAt(before.at_ms)
      const quantity = quantityOf(method.unit, usedBy(event))
      const used = before.used(counter)
      const charge = charged(table, cost, method.charge(used, quantity), aboutCost(event))
      return quantity === 0n ? charge : { ...charge, advance: { counter, quantity: used + quantity } }
    }
  }
}

function chargeUnpriced(
  table: BurnTable,
  { ceiling_cost }: Chargeable,
  charge: (cost: PicoUsd) => Rational,
): Charge | { readonly kind: 'unpriced' } {
  if (table.on_unpriced === 'reject') return { kind: 'unpriced' }
  if (table.on_unpriced === 'ceiling' && ceiling_cost !== undefined) {
    const warning = `No provider price is known for this event. The event is charged at the prices of the provider's most expensive model, with a provider cost of ${formatDecimal(ceiling_cost, USD_DECIMALS)} USD.`
    return { ...charged(table, ceiling_cost, charge(ceiling_cost), [warning]), unrated: true }
  }
  return {
    kind: 'charged',
    credits_micro: 0n,
    price: ZERO_USD,
    cost: ZERO_USD,
    unrated: true,
    warnings: NO_WARNINGS,
  }
}

const NO_WARNINGS: readonly string[] = []
const COST_UNKNOWN: readonly string[] = [
  'No provider price is known for this event. The event is charged by usage, with a provider cost of 0.',
]

/**
 * Returns a warning if the provider's cost is unknown and is therefore recorded as 0. The charge is still correct,
 * because it depends only on usage. Returns no warning for an event without a provider, because it has no provider
 * cost.
 */
function aboutCost({ cost, provider }: Chargeable): readonly string[] {
  return cost === undefined && provider !== undefined ? COST_UNKNOWN : NO_WARNINGS
}

/** Rounds the exact charge to the table's step. A charge above 0 is at least the table's minimum charge. */
function charged(
  table: BurnTable,
  cost: PicoUsd,
  exact: Rational,
  warnings: readonly string[] = NO_WARNINGS,
): Charge {
  const { mode, step_micro } = table.rounding
  const steps = ROUND[mode](exact.numerator * MICRO, exact.denominator * step_micro)
  const rounded = steps * step_micro
  const least = exact.numerator > 0n ? table.min_charge_micro : 0n
  const credits_micro = rounded < least ? least : rounded
  return {
    kind: 'charged',
    credits_micro,
    price: priceOf(table, credits_micro),
    cost,
    unrated: false,
    warnings,
  }
}

const MICRO = 10n ** BigInt(CREDIT_DECIMALS)

const ROUND: Record<RoundingMode, (numerator: bigint, denominator: bigint) => bigint> = {
  half_even: divideHalfEven,
  ceil: ceilDivide,
  floor: floorDivide,
}
