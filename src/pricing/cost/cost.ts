import { findModel, nearestModels, type ProviderRef } from '../catalogue/catalogue.ts'
import type { Rational } from '../catalogue/notation.ts'
import { cataloguePrices } from '../catalogue/prices.ts'
import { divideHalfEven, formatDecimal, type PicoUsd, picoUsd, USD_DECIMALS } from '../money.ts'
import { isUsageUnit, USAGE_UNITS } from '../units.ts'
import { inclusiveUsage, SECONDS_DECIMALS, type Usage, type UsageUnit, withTotals } from '../usage.ts'
import { splitOverlaps } from './overlaps.ts'
import type { PriceEntry, PriceList } from './price-list.ts'

/** One thing to price. `usage` should have passed `checkUsage` or `clampUsage`. */
export interface CostRequest {
  readonly provider: ProviderRef
  readonly model: string
  readonly usage: Usage
  /** Epoch milliseconds: the price in force then is the price. */
  readonly at_ms: number
  readonly service_tier?: string | undefined
  readonly region?: string | undefined
  readonly image_size?: string | undefined
  readonly image_quality?: string | undefined
}

export type CostResult =
  | {
      readonly kind: 'priced'
      readonly cost: PicoUsd
      /** Written out on first reading: ingest never does. */
      readonly breakdown: readonly BreakdownLine[]
      readonly price_version: string
      readonly warnings?: readonly string[]
    }
  | {
      readonly kind: 'unpriced'
      /**
       * The most similar models that have prices; empty when the model is known but not for this usage. Looked for on
       * first reading: ingest never does, and an unknown model is compared with all of the provider's.
       */
      readonly nearest: readonly string[]
      readonly reason: 'unknown_model' | 'no_price_for_usage'
    }

export interface BreakdownLine {
  readonly unit: UsageUnit
  /** What is billed as this unit: its parts with prices of their own are not in it. */
  readonly quantity: number
  /** USD for one unit, a plain decimal; rounded to 18 decimals where it has no end. */
  readonly price_usd: string
  /** Rounded to 12 decimals, line by line: the total is rounded from the exact sum. */
  readonly cost_usd: string
}

/** What the provider charges, from the catalogue: exact, rounded once, half-even, to 1e-12 USD. */
export function providerCost(request: CostRequest): CostResult {
  const model = findModel(request.provider, request.model)
  if (model === undefined) {
    return {
      kind: 'unpriced',
      reason: 'unknown_model',
      get nearest() {
        return nearestModels(request.provider, request.model)
      },
    }
  }
  const { list, warnings } = cataloguePrices(request, model)
  return priceUsage(list, request.usage, warnings)
}

/** Prices usage by any list: the catalogue's, an operator's, a customer's own. */
export function priceUsage(list: PriceList, reported: Usage, about: readonly string[] = NONE): CostResult {
  const usage = inclusiveUsage(reported)
  const unpriced = unpricedUnits(list, usage)
  if (unpriced.length > 0 && unpriced.length === positiveUnits(usage)) {
    return { kind: 'unpriced', reason: 'no_price_for_usage', nearest: [] }
  }
  const billed = billedOf(list, usage)
  const cost = picoUsd(divideHalfEven(exactCost(billed), list.denominator))
  const warnings = warningsOf(list, usage, unpriced, about)
  return {
    kind: 'priced',
    cost,
    get breakdown() {
      return breakdownOf(list, billed)
    },
    price_version: list.version,
    ...(warnings.length === 0 ? {} : { warnings }),
  }
}

/** What usage comes to by a list, in pico-units of the list's currency, before any rounding. */
export function exactPrice(list: PriceList, reported: Usage): Rational {
  return {
    numerator: exactCost(billedOf(list, inclusiveUsage(reported))),
    denominator: list.denominator,
  }
}

const NONE: readonly string[] = []

function billedOf(list: PriceList, usage: Usage): Billed[] {
  // Parts that exceed their total only together show as less than nothing left of it.
  return billedQuantities(list, usage, false) ?? billedQuantities(list, withTotals(usage), true) ?? []
}

/** What is billed at one price: a whole quantity, or whole nanoseconds. */
interface Billed {
  readonly entry: PriceEntry
  readonly quantity: bigint
  readonly price: bigint
}

/**
 * Leaf decomposition: of each priced unit, what is left after its priced parts. Units come most specific
 * first, so every part is known before the whole; each token is billed once, at its most specific price.
 * Undefined when a whole is less than its parts, unless that is to be taken as nothing left.
 */
function billedQuantities(list: PriceList, reported: Usage, clamp: boolean): Billed[] | undefined {
  const usage = list.overlapping ? splitOverlaps(reported) : reported
  const billed: Billed[] = []
  const leaves: bigint[] = []
  const inputTokens = usage.input_tokens ?? 0
  for (const entry of list.entries) {
    let left = entryQuantity(list, entry, usage)
    if (left > 0n) for (const part of entry.parts) left -= leaves[part] ?? 0n
    if (left < 0n) {
      if (!clamp) return undefined
      left = 0n
    }
    leaves.push(left)
    if (left > 0n) billed.push({ entry, quantity: left, price: priceOf(entry, inputTokens) })
  }
  return billed
}

function entryQuantity(list: PriceList, entry: PriceEntry, usage: Usage): bigint {
  const reported = entry.unit === 'requests' ? (usage.requests ?? 1) : (usage[entry.unit] ?? 0)
  if (reported <= 0 || (entry.unless !== undefined && (usage[entry.unless] ?? 0) > 0)) return 0n
  const quantity = Math.max(reported, list.minimums.get(entry.unit) ?? 0)
  return entry.decimals ? nanoseconds(quantity) : BigInt(quantity)
}

const PER_SECOND = 10 ** SECONDS_DECIMALS

/** Whole seconds apart from their fraction, so that the fraction keeps its digits. */
function nanoseconds(seconds: number): bigint {
  const whole = Math.floor(seconds)
  return BigInt(whole) * BigInt(PER_SECOND) + BigInt(Math.round((seconds - whole) * PER_SECOND))
}

/** A context tier is a cliff: past the threshold the whole request costs the tier's price. */
function priceOf(entry: PriceEntry, inputTokens: number): bigint {
  for (const { threshold, inclusive, price } of entry.tiers) {
    if (inputTokens > threshold || (inclusive && inputTokens === threshold)) return price
  }
  return entry.price
}

function exactCost(billed: readonly Billed[]): bigint {
  let total = 0n
  for (const { quantity, price } of billed) total += quantity * price
  return total
}

/** Units with a quantity that neither they nor anything around them has a price for. */
function unpricedUnits(list: PriceList, usage: Usage): UsageUnit[] {
  let unpriced: UsageUnit[] | undefined
  for (const unit in usage) {
    if (!isUsageUnit(unit) || list.covered.has(unit) || unit === 'requests' || (usage[unit] ?? 0) <= 0)
      continue
    unpriced ??= []
    unpriced.push(unit)
  }
  return unpriced ?? NO_UNITS
}

const NO_UNITS: UsageUnit[] = []

function warningsOf(
  list: PriceList,
  usage: Usage,
  unpriced: readonly UsageUnit[],
  about: readonly string[],
): readonly string[] {
  let warnings = about
  for (const unit of unpriced) warnings = [...warnings, `${unit} has no price and is not in the cost`]
  for (const { unit, unless } of list.standIns) {
    if ((usage[unit] ?? 0) > 0 && (usage[unless] ?? 0) > 0) {
      warnings = [...warnings, `${unit} is not billed: it stands for the ${unless}, which are`]
    }
  }
  return warnings
}

function positiveUnits(usage: Usage): number {
  return Object.entries(usage).filter(([unit, quantity]) => unit !== 'requests' && quantity > 0).length
}

const PRICE_DECIMALS = 18

/** In the order of the units' table: input before output, wholes before parts. */
function breakdownOf(list: PriceList, billed: readonly Billed[]): BreakdownLine[] {
  const ordered = billed.toSorted((a, b) => position(a.entry.unit) - position(b.entry.unit))
  return ordered.map(({ entry, quantity, price }) => {
    const perWhole = entry.decimals ? BigInt(PER_SECOND) : 1n
    const shift = 10n ** BigInt(PRICE_DECIMALS - USD_DECIMALS)
    return {
      unit: entry.unit,
      quantity: Number(quantity) / Number(perWhole),
      price_usd: formatDecimal(divideHalfEven(price * perWhole * shift, list.denominator), PRICE_DECIMALS),
      cost_usd: formatDecimal(divideHalfEven(quantity * price, list.denominator), USD_DECIMALS),
    }
  })
}

const order: ReadonlyMap<string, number> = new Map(
  Object.keys(USAGE_UNITS).map((unit, index) => [unit, index]),
)

function position(unit: UsageUnit): number {
  return order.get(unit) ?? 0
}
