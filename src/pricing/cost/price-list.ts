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
 * Prices compiled for arithmetic. All prices have one common denominator. Rating an event is therefore one
 * multiplication and one addition of integers per unit, and one division at the end.
 */
export interface PriceList {
  /** The prices, with the most specific units first. The parts of a unit precede the unit. */
  readonly entries: readonly PriceEntry[]
  /**
   * The denominator of all prices. The sum of quantity × price, divided by this denominator, is the cost in pico-USD.
   */
  readonly denominator: bigint
  /** The minimum billed quantity by unit, for example ten seconds of audio at Groq. */
  readonly minimums: ReadonlyMap<UsageUnit, number>
  /** The units with their own price or with the price of a containing unit. */
  readonly covered: ReadonlySet<UsageUnit>
  /** True if some priced units overlap. The overlaps of the usage are then computed first. */
  readonly overlapping: boolean
  /**
   * The units that estimate the quantity of another unit, `unless`. They are billed only if the usage does not report
   * the other unit.
   */
  readonly standIns: readonly { readonly unit: UsageUnit; readonly unless: UsageUnit }[]
  /** The permanent identifier of the prices. An event that stores it can be rated again with the same cost. */
  readonly version: string
}

export interface PriceEntry {
  readonly unit: UsageUnit
  /** The price in pico-USD × the list's denominator, for one whole unit or for one nanosecond. */
  readonly price: bigint
  /** The tiers, highest threshold first. */
  readonly tiers: readonly {
    readonly threshold: number
    readonly inclusive: boolean
    readonly price: bigint
  }[]
  /** The indices in `entries` of the contained units that are billed at their own price. */
  readonly parts: readonly number[]
  /** True for seconds, which are billed by the nanosecond. */
  readonly decimals: boolean
  /**
   * The unit that is billed instead of this unit. This price applies only if the usage does not report the other
   * unit. For example, images are not billed if output tokens are reported.
   */
  readonly unless: UsageUnit | undefined
}

export interface PriceListOptions {
  readonly version: string
  readonly minimums?: ReadonlyMap<UsageUnit, number>
  /** Returns the factor on the prices of a unit, for example 0.5 for tokens in a batch. */
  readonly factor?: (unit: UsageUnit) => Rational | undefined
  /**
   * The keys of the prices that replace base prices, by unit. A key is, for example, an image size or a search
   * context size.
   */
  readonly keys?: ReadonlyMap<UsageUnit, string>
}

/** Compiles prices. This takes some microseconds, so callers store the result. */
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

/** Returns the quantity to bill for a unit, including its parts. Seconds may have decimals. */
export function quantityOf(list: PriceList, entry: PriceEntry, usage: Usage): number {
  const reported = entry.unit === 'requests' ? (usage.requests ?? 1) : (usage[entry.unit] ?? 0)
  if (reported <= 0 || (entry.unless !== undefined && (usage[entry.unless] ?? 0) > 0)) return 0
  return Math.max(reported, list.minimums.get(entry.unit) ?? 0)
}

/**
 * Returns the first tier whose threshold the total input exceeds (if inclusive: reaches); undefined if there is none.
 * The tier's price applies to the whole request.
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
 * The units that estimate output tokens. If a list has prices for the estimate and for output tokens, and the usage
 * reports both, only the tokens are billed.
 */
const estimates: ReadonlySet<UsageUnit> = new Set<UsageUnit>(['output_images', 'video_seconds'])

/**
 * Adds the missing prices of overlaps. Two priced units that overlap need a price for tokens that belong to both. A
 * handwritten list may not have such a price. The overlap then has the price of the most specific unit that contains
 * it. Among equally specific units, lifetime precedes kind, and kind precedes modality. For example, cached audio is
 * billed as cached.
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
 * Converts a price in USD for `per` units to pico-USD for one unit or one nanosecond, as fractions in lowest terms.
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
