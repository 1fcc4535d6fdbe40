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
 * Prices compiled for arithmetic. All prices have one common denominator. The cost of an event therefore needs one
 * multiplication and one addition of integers per unit, and one division at the end.
 */
export interface PriceList {
  /** The prices, with the most specific units first. The parts of a unit precede the unit. */
  readonly entries: readonly PriceEntry[]
  /**
   * The denominator of all prices. The sum of quantity × price, divided by this denominator, is the cost in pico-USD.
   */
  readonly denominator: bigint
  /** The minimum quantity that the provider bills, by unit. Groq, for example, bills at least ten seconds of audio. */
  readonly minimums: ReadonlyMap<UsageUnit, number>
  /** The units that have a price of their own or are contained in a unit with a price. */
  readonly covered: ReadonlySet<UsageUnit>
  /** True if some priced units overlap. `splitOverlaps` must then estimate the overlaps of the usage first. */
  readonly overlapping: boolean
  /**
   * The units that are only an alternative to another unit, `unless`. They are billed only if the usage does not report
   * the other unit.
   */
  readonly standIns: readonly { readonly unit: UsageUnit; readonly unless: UsageUnit }[]
  /**
   * The permanent identifier of the prices. An event stores it, so that the cost of the event can be computed again.
   */
  readonly version: string
}

export interface PriceEntry {
  readonly unit: UsageUnit
  /** The price for one whole unit or for one nanosecond, in pico-USD multiplied by the denominator of the list. */
  readonly price: bigint
  /** The tiers, highest threshold first. */
  readonly tiers: readonly {
    readonly threshold: number
    readonly inclusive: boolean
    readonly price: bigint
  }[]
  /** The indices in `entries` of the units that this unit contains. */
  readonly parts: readonly number[]
  /** True for seconds, which are billed by the nanosecond. */
  readonly decimals: boolean
  /**
   * The unit that is billed instead of this unit if the usage reports it; undefined if there is none. For example,
   * images are not billed if the usage reports output tokens.
   */
  readonly unless: UsageUnit | undefined
}

export interface PriceListOptions {
  readonly version: string
  readonly minimums?: ReadonlyMap<UsageUnit, number>
  /**
   * Returns the factor that multiplies the prices of a unit, for example 0.5 for tokens in a batch; undefined if no
   * factor applies.
   */
  readonly factor?: (unit: UsageUnit) => Rational | undefined
  /**
   * The key of the price that replaces the base price, by unit. A key is, for example, an image size or a search
   * context size.
   */
  readonly keys?: ReadonlyMap<UsageUnit, string>
}

/** Compiles prices to a price list. This takes a few microseconds, so callers cache the result. */
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

/**
 * Returns the quantity of a unit, including its parts, raised to the minimum that the provider bills; 0 if the usage
 * does not report the unit, or if the unit is not billed because of `unless`. A usage that does not report `requests`
 * has one request. Seconds can have decimals.
 */
export function quantityOf(list: PriceList, entry: PriceEntry, usage: Usage): number {
  const reported = entry.unit === 'requests' ? (usage.requests ?? 1) : (usage[entry.unit] ?? 0)
  if (reported <= 0 || (entry.unless !== undefined && (usage[entry.unless] ?? 0) > 0)) return 0
  return Math.max(reported, list.minimums.get(entry.unit) ?? 0)
}

/**
 * Returns the first tier whose threshold the total input exceeds, or reaches if `inclusive` is true; undefined if there
 * is none. The price of the tier applies to the whole request.
 */
export function tierAt<T extends { readonly threshold: number; readonly inclusive: boolean }>(
  tiers: readonly T[],
  inputTokens: number,
): T | undefined {
  for (const tier of tiers) {
    if (inputTokens > tier.threshold || (tier.inclusive && inputTokens === tier.threshold)) return tier
  }
  return undefined
}

/**
 * The units that are alternatives to output tokens. If a price list has prices for such a unit and for output tokens,
 * and the usage reports both units, only the tokens are billed.
 */
const estimates: ReadonlySet<UsageUnit> = new Set<UsageUnit>(['output_images', 'video_seconds'])

/**
 * Adds missing prices for tokens that belong to two priced units. Price lists that people write often have no such
 * price. The tokens then have the price of the most specific unit that contains them. Among equally specific units, a
 * unit with a time to live takes precedence over a unit with a kind, and a unit with a kind over a unit with a
 * modality. For example, cached audio is billed at the price of cached tokens.
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

/**
 * Converts a price in USD for `per` units to a price in pico-USD for one unit or one nanosecond. The results are
 * fractions in lowest terms. Throws if there is no price.
 */
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
