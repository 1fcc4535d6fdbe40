import type { PriceTier, Rational, UnitPrice, UnitPrices } from '../catalogue/notation.ts'
import { USD_DECIMALS } from '../money.ts'
import {
  contains,
  type Facets,
  overlap,
  specificity,
  UNIT_NAMES,
  USAGE_UNITS,
  type UsageUnit,
} from '../units.ts'
import { SECONDS_DECIMALS, type Usage } from '../usage.ts'

/**
 * Prices compiled for arithmetic. All have one common denominator, so that rating an event is one multiplication
 * and one addition of integers per unit, and a single division at the end.
 */
export interface PriceList {
  /** The prices, the most specific units first: the parts of a unit precede the unit. */
  readonly entries: readonly PriceEntry[]
  /** Divides the sum of quantity × price; the quotient is pico-USD. */
  readonly denominator: bigint
  /** The least billed quantity by unit, such as Groq's ten seconds of audio. */
  readonly minimums: ReadonlyMap<UsageUnit, number>
  /** Units with their own price or a price of a containing unit. */
  readonly covered: ReadonlySet<UsageUnit>
  /** Whether some priced units overlap, so that overlaps of the usage must be computed first. */
  readonly overlapping: boolean
  /** Units that are billed only if the tokens that they estimate are not reported. */
  readonly standIns: readonly { readonly unit: UsageUnit; readonly unless: UsageUnit }[]
  /** Identifies the prices permanently: an event that stores it can be rated again to the same cost. */
  readonly version: string
}

export interface PriceEntry {
  readonly unit: UsageUnit
  /** Pico-USD × the list's denominator for one whole unit, or for one nanosecond. */
  readonly price: bigint
  /** Highest threshold first. */
  readonly tiers: readonly {
    readonly threshold: number
    readonly inclusive: boolean
    readonly price: bigint
  }[]
  /** The indices in `entries` of the units inside this one that are billed at their own price. */
  readonly parts: readonly number[]
  /** Seconds are billed by the nanosecond. */
  readonly decimals: boolean
  /**
   * A unit that excludes this price: the price is billed only if the usage does not have the unit. For example, a price
   * per image replaces the tokens of the image.
   */
  readonly unless: UsageUnit | undefined
}

export interface PriceListOptions {
  readonly version: string
  readonly minimums?: ReadonlyMap<UsageUnit, number>
  /** Returns the factor on the prices of a unit, such as half for tokens in a batch. */
  readonly factor?: (unit: UsageUnit) => Rational | undefined
  /** The key of the price that replaces the base price of each unit: an image size, a search context size. */
  readonly keys?: ReadonlyMap<UsageUnit, string>
}

/** Compiles prices. Takes some microseconds: keep the result. */
export function priceList(prices: UnitPrices, options: PriceListOptions): PriceList {
  const priced = withOverlaps(prices)
  const units = UNIT_NAMES.filter((unit) => priced.has(unit)).sort((a, b) => specificity(b) - specificity(a))
  const perUnit = units.map((unit) => scaled(unit, priced.get(unit), options))
  const denominator = perUnit.reduce(
    (common, { all }) => all.reduce((c, { denominator }) => lcm(c, denominator), common),
    1n,
  )
  const over = ({ numerator, denominator: own }: Rational) => numerator * (denominator / own)
  const entries = perUnit.map(
    ({ unit, base, tiers }): PriceEntry => ({
      unit,
      price: over(base),
      tiers: tiers
        .map((tier) => ({ ...tier, price: over(tier.price) }))
        .sort((a, b) => b.threshold - a.threshold),
      parts: units.flatMap((part, index) => (contains(unit, part) ? [index] : [])),
      decimals: USAGE_UNITS[unit].decimals,
      unless: estimates.has(unit) && priced.has('output_tokens') ? 'output_tokens' : undefined,
    }),
  )
  return {
    entries,
    denominator,
    minimums: options.minimums ?? new Map(),
    covered: new Set(
      UNIT_NAMES.filter((unit) => priced.has(unit) || units.some((wide) => contains(wide, unit))),
    ),
    standIns: entries.flatMap(({ unit, unless }) => (unless === undefined ? [] : [{ unit, unless }])),
    overlapping: units.some((unit) => units.some((other) => overlap(unit, other) !== undefined)),
    version: options.version,
  }
}

/** Returns the quantity of a unit to bill, its parts included: whole units or seconds. */
export function quantityOf(list: PriceList, entry: PriceEntry, usage: Usage): number {
  const reported = entry.unit === 'requests' ? (usage.requests ?? 1) : (usage[entry.unit] ?? 0)
  if (reported <= 0 || (entry.unless !== undefined && (usage[entry.unless] ?? 0) > 0)) return 0
  return Math.max(reported, list.minimums.get(entry.unit) ?? 0)
}

/** Returns the tier of a total input, if it is past a threshold: the whole request then costs the tier's price. */
export function tierAt<T extends { readonly threshold: number; readonly inclusive: boolean }>(
  tiers: readonly T[],
  inputTokens: number,
): T | undefined {
  for (const tier of tiers) {
    if (inputTokens > tier.threshold || (tier.inclusive && inputTokens === tier.threshold)) return tier
  }
  return undefined
}

/** Units that estimate tokens: if output is priced both ways, the tokens are billed. */
const estimates: ReadonlySet<UsageUnit> = new Set<UsageUnit>(['output_images', 'video_seconds'])

/**
 * Adds the missing prices of overlaps. Two priced units that overlap need a price for tokens that are both. A list
 * without such a price (it may be written by hand) bills the overlap at the more specific unit. If both units are
 * equally specific, lifetime precedes kind, and kind precedes modality: cached audio is billed as cached.
 */
function withOverlaps(prices: UnitPrices): UnitPrices {
  const closed = new Map(prices)
  for (const a of prices.keys()) {
    for (const b of prices.keys()) {
      const both = overlap(a, b)
      if (both === undefined || closed.has(both)) continue
      const [closest] = [...prices]
        .filter(([unit]) => contains(unit, both))
        .sort(([first], [second]) => precedence(second) - precedence(first))
      if (closest !== undefined) closed.set(both, closest[1])
    }
  }
  return closed
}

function precedence(unit: UsageUnit): number {
  const { facets }: { facets: Facets } = USAGE_UNITS[unit]
  return specificity(unit) * 4 + (facets.ttl === undefined ? 0 : 2) + (facets.kind === undefined ? 0 : 1)
}

interface ScaledPrice {
  readonly unit: UsageUnit
  readonly base: Rational
  readonly tiers: readonly PriceTier[]
  readonly all: readonly Rational[]
}

/** Converts USD per the list's quantity to pico-USD per whole unit or nanosecond, in lowest terms. */
function scaled(unit: UsageUnit, price: UnitPrice | undefined, options: PriceListOptions): ScaledPrice {
  if (price === undefined) throw new Error(`${unit} has no price`)
  const { per, decimals } = USAGE_UNITS[unit]
  const factor = options.factor?.(unit) ?? { numerator: 1n, denominator: 1n }
  const smallest = decimals ? 10n ** BigInt(SECONDS_DECIMALS) : 1n
  const scale = ({ numerator, denominator }: Rational): Rational =>
    lowest(
      numerator * factor.numerator * 10n ** BigInt(USD_DECIMALS),
      denominator * factor.denominator * BigInt(per) * smallest,
    )
  const key = options.keys?.get(unit)
  const base = scale((key === undefined ? undefined : price.sizes.get(key)) ?? price.base)
  const tiers = price.tiers.map((tier) => ({ ...tier, price: scale(tier.price) }))
  return { unit, base, tiers, all: [base, ...tiers.map((tier) => tier.price)] }
}

function lowest(numerator: bigint, denominator: bigint): Rational {
  const divisor = gcd(numerator, denominator)
  return { numerator: numerator / divisor, denominator: denominator / divisor }
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b)
}

function lcm(a: bigint, b: bigint): bigint {
  return (a / gcd(a, b)) * b
}
