import { findModel, nearestModels, type ProviderRef } from '../catalogue/catalogue.ts'
import type { Rational } from '../catalogue/notation.ts'
import { cataloguePrices } from '../catalogue/prices.ts'
import { divideHalfEven, exactText, formatDecimal, type PicoUsd, picoUsd, USD_DECIMALS } from '../money.ts'
import { ancestors, isUsageUnit, unitPosition } from '../units.ts'
import { inclusiveUsage, SECONDS_DECIMALS, type Usage, type UsageUnit, withTotals } from '../usage.ts'
import { splitOverlaps } from './overlaps.ts'
import { type PriceEntry, type PriceList, quantityOf, tierAt } from './price-list.ts'
import { safeCost } from './safe-cost.ts'

/**
 * A request for the cost of the usage of a model. The caller must first pass the usage through `checkUsage` or
 * `clampUsage`.
 */
export interface CostRequest {
  readonly provider: ProviderRef
  readonly model: string
  readonly usage: Usage
  /** The time whose prices apply, in epoch milliseconds. */
  readonly at_ms: number
  readonly service_tier?: string | undefined
  readonly region?: string | undefined
  readonly image_size?: string | undefined
  readonly image_quality?: string | undefined
  readonly search_context_size?: string | undefined
  /**
   * The calls of a response that lists its calls. `costFrom` prices them instead of `usage`, because each call has its
   * own context tier and can have its own model.
   */
  readonly parts?: readonly CostPart[] | undefined
}

export interface CostPart {
  /** The model of the call; undefined if it is the model of the request. */
  readonly model?: string | undefined
  readonly usage: Usage
}

export type CostResult =
  | {
      readonly kind: 'priced'
      readonly cost: PicoUsd
      /**
       * Computes the lines of the cost on demand, because ingest never needs the lines. It is not a getter, because a
       * getter would make the object slow to create.
       */
      readonly breakdown: () => readonly BreakdownLine[]
      readonly price_version: string
      readonly warnings?: readonly string[]
    }
  | {
      readonly kind: 'unpriced'
      /**
       * The names of the most similar models; empty if the model is known but has no price for the usage. For an
       * unknown model, the names are computed only when this property is read, because the search compares all models
       * of the provider.
       */
      readonly nearest: readonly string[]
      readonly reason: 'unknown_model' | 'no_price_for_usage'
    }

export interface BreakdownLine {
  readonly unit: UsageUnit
  /** The model that had the usage; absent if it is the model of the request. */
  readonly model?: string
  /** The quantity that is billed at this price. It excludes parts of the unit that have their own prices. */
  readonly quantity: number
  /** The price in USD for one unit, as a plain decimal with at most 18 decimals. Longer prices are rounded. */
  readonly price_usd: string
  /** The exact price as a fraction, if it needs more than 18 decimals. */
  readonly price_fraction?: string
  /** The context tier whose price applies; absent if the base price applies. */
  readonly tier?: { readonly threshold: number; readonly inclusive: boolean }
  /**
   * The cost of the line, rounded to 12 decimals. The total cost can differ from the sum of the rounded lines, because
   * it is rounded from the exact sum.
   */
  readonly cost_usd: string
  /**
   * The reported parts of the unit that have no price of their own. Their quantities are included in `quantity` and
   * billed at this price.
   */
  readonly without_own_price?: readonly { readonly unit: UsageUnit; readonly quantity: number }[]
}

/**
 * Returns the provider's cost at the catalogue's prices. Rounds only the exact sum, half-even, to 1e-12 USD. Returns
 * `unpriced` if the model is unknown or has no price for the usage.
 */
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

/**
 * Returns the cost of usage by one price list. `about` contains warnings about the choice of the list, which are added
 * to the result.
 */
export function priceUsage(list: PriceList, reported: Usage, about: readonly string[] = NONE): CostResult {
  const usage = inclusiveUsage(reported)
  const unpriced = unpricedUnits(list, usage)
  if (hasNoPrice(usage, unpriced)) return NO_PRICE
  const warnings = warningsOf(list, usage, unpriced, about)
  const cost = picoUsd(
    safeCost(list, usage) ?? divideHalfEven(exactCost(billedOf(list, usage)), list.denominator),
  )
  const breakdown = () => merged(breakdownOf(list, billedOf(list, usage), usage, undefined))
  const priced = { kind: 'priced', cost, breakdown, price_version: list.version } as const
  return warnings.length === 0 ? priced : { ...priced, warnings }
}

const NO_PRICE: CostResult = { kind: 'unpriced', reason: 'no_price_for_usage', nearest: [] }

function hasNoPrice(usage: Usage, unpriced: readonly UsageUnit[]): boolean {
  return unpriced.length > 0 && unpriced.length === positiveUnits(usage)
}

/** The usage of one call and the list that prices it. */
export interface ListedUsage {
  readonly list: PriceList
  readonly usage: Usage
  /** The warnings about the choice of the price list. */
  readonly about: readonly string[]
  /** The model that the breakdown names; undefined if it is the model of the request. */
  readonly model?: string | undefined
}

/**
 * Returns the cost of several calls. Computes the exact cost of each call by its own price list, and rounds only the
 * sum. Returns `unpriced` if a call has usage, but none of its units has a price.
 */
export function pricedSum(all: readonly ListedUsage[]): CostResult {
  const priced = all.map((one) => ({ ...one, usage: inclusiveUsage(one.usage) }))
  const unpriced = priced.map(({ list, usage }) => unpricedUnits(list, usage))
  if (priced.some(({ usage }, index) => hasNoPrice(usage, unpriced[index] ?? NO_UNITS))) return NO_PRICE
  const billed = priced.map(({ list, usage }) => billedOf(list, usage))
  const denominator = priced.reduce((product, { list }) => product * list.denominator, 1n)
  const total = priced.reduce(
    (sum, { list }, index) => sum + exactCost(billed[index] ?? []) * (denominator / list.denominator),
    0n,
  )
  const warnings = priced.flatMap(({ list, usage, about }, index) =>
    warningsOf(list, usage, unpriced[index] ?? NO_UNITS, about),
  )
  return {
    kind: 'priced',
    cost: picoUsd(divideHalfEven(total, denominator)),
    breakdown: () =>
      merged(
        priced.flatMap(({ list, usage, model }, index) =>
          breakdownOf(list, billed[index] ?? [], usage, model),
        ),
      ),
    price_version: [...new Set(priced.map(({ list }) => list.version))].join(VERSION_AND),
    ...(warnings.length === 0 ? {} : { warnings: [...new Set(warnings)] }),
  }
}

/** The separator between the versions of several price lists in the `price_version` of one event. */
export const VERSION_AND = '+'

/**
 * Returns the exact price of usage by a price list, in 1e-12 of the currency of the list (USD or credits), without
 * rounding.
 */
export function exactPrice(list: PriceList, reported: Usage): Rational {
  return {
    numerator: exactCost(billedOf(list, inclusiveUsage(reported))),
    denominator: list.denominator,
  }
}

const NONE: readonly string[] = []

function billedOf(list: PriceList, usage: Usage): Billed[] {
  // If the parts of a unit exceed the unit, raises the unit to their sum and computes the quantities again.
  return billedQuantities(list, usage, false) ?? billedQuantities(list, withTotals(usage), true) ?? []
}

/** A quantity billed at one price: in whole units, or in whole nanoseconds. */
interface Billed {
  readonly entry: PriceEntry
  readonly quantity: bigint
  readonly price: bigint
}

/**
 * Returns the quantity to bill at each price. Each token is billed once, at its most specific price: a unit is billed
 * for the quantity that remains after its priced parts. The entries of a list are ordered from the most specific to the
 * least specific unit, so the parts are computed before their whole. If the parts exceed the whole, returns undefined
 * without `clamp`, or counts the remainder as zero with `clamp`.
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
    if (left > 0n)
      billed.push({ entry, quantity: left, price: (tierAt(entry.tiers, inputTokens) ?? entry).price })
  }
  return billed
}

function entryQuantity(list: PriceList, entry: PriceEntry, usage: Usage): bigint {
  const quantity = quantityOf(list, entry, usage)
  return entry.decimals ? nanoseconds(quantity) : BigInt(quantity)
}

const PER_SECOND = 10 ** SECONDS_DECIMALS

/** Converts whole seconds and the fraction separately to keep the precision of the fraction. */
function nanoseconds(seconds: number): bigint {
  const whole = Math.floor(seconds)
  return BigInt(whole) * BigInt(PER_SECOND) + BigInt(Math.round((seconds - whole) * PER_SECOND))
}

function exactCost(billed: readonly Billed[]): bigint {
  let total = 0n
  for (const { quantity, price } of billed) total += quantity * price
  return total
}

/**
 * Returns the units of the usage that have no price. A unit also has a price if a unit that contains it has a price.
 * Omits `requests`, because most providers do not charge for requests.
 */
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
      warnings = [...warnings, `${unit} is not billed: it is an alternative to ${unless}, which is billed`]
    }
  }
  return warnings
}

function positiveUnits(usage: Usage): number {
  return Object.entries(usage).filter(([unit, quantity]) => unit !== 'requests' && quantity > 0).length
}

const PRICE_DECIMALS = 18

/**
 * Returns one line for each billed unit, in the order of `USAGE_UNITS`: input tokens before output tokens, a whole
 * before its parts.
 */
function breakdownOf(
  list: PriceList,
  billed: readonly Billed[],
  usage: Usage,
  model: string | undefined,
): ExactLine[] {
  const ordered = billed.toSorted((a, b) => position(a.entry.unit) - position(b.entry.unit))
  const inherited = inheritedUnits(list, usage)
  return ordered.map(({ entry, quantity, price }) => {
    const parts = inherited.get(entry.unit) ?? []
    const tier = price === entry.price ? undefined : entry.tiers.find((one) => one.price === price)
    return {
      tier: tier && { threshold: tier.threshold, inclusive: tier.inclusive },
      unit: entry.unit,
      model,
      decimals: entry.decimals,
      quantity,
      price,
      denominator: list.denominator,
      inherited: parts.map((unit) => ({ unit, quantity: usage[unit] ?? 0 })),
    }
  })
}

interface ExactLine {
  readonly tier: BreakdownLine['tier']
  readonly unit: UsageUnit
  readonly model: string | undefined
  readonly decimals: boolean
  readonly quantity: bigint
  readonly price: bigint
  readonly denominator: bigint
  readonly inherited: readonly { readonly unit: UsageUnit; readonly quantity: number }[]
}

/** Combines lines with the same unit, model and price into one line. The calls of one response can have such lines. */
function merged(lines: readonly ExactLine[]): BreakdownLine[] {
  const groups = Map.groupBy(lines, ({ unit, model, price, denominator }) =>
    [unit, model, price, denominator].join(' '),
  )
  return [...groups.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return []
    const quantity = others.reduce((sum, line) => sum + line.quantity, first.quantity)
    return [writtenOut({ ...first, quantity })]
  })
}

function writtenOut({
  tier,
  unit,
  model,
  decimals,
  quantity,
  price,
  denominator,
  inherited,
}: ExactLine): BreakdownLine {
  const perWhole = decimals ? BigInt(PER_SECOND) : 1n
  const shift = 10n ** BigInt(PRICE_DECIMALS - USD_DECIMALS)
  return {
    unit,
    ...(model === undefined ? {} : { model }),
    quantity: Number(quantity) / Number(perWhole),
    price_usd: formatDecimal(divideHalfEven(price * perWhole * shift, denominator), PRICE_DECIMALS),
    ...((price * perWhole * shift) % denominator === 0n
      ? {}
      : { price_fraction: exactText(price * perWhole, denominator * 10n ** BigInt(USD_DECIMALS)) }),
    ...(tier === undefined ? {} : { tier }),
    cost_usd: formatDecimal(divideHalfEven(quantity * price, denominator), USD_DECIMALS),
    ...(inherited.length === 0 ? {} : { without_own_price: inherited }),
  }
}

/**
 * Returns the reported units that have no price of their own, grouped by the containing unit at whose price they are
 * billed.
 */
function inheritedUnits(list: PriceList, usage: Usage): Map<UsageUnit, UsageUnit[]> {
  const priced = new Set(list.entries.map(({ unit }) => unit))
  const inherited = new Map<UsageUnit, UsageUnit[]>()
  for (const unit in usage) {
    if (!isUsageUnit(unit) || priced.has(unit) || (usage[unit] ?? 0) <= 0) continue
    const payer = ancestors(unit).findLast((wide) => priced.has(wide))
    if (payer !== undefined) inherited.set(payer, [...(inherited.get(payer) ?? []), unit])
  }
  return inherited
}

function position(unit: UsageUnit): number {
  return unitPosition(unit) ?? 0
}
