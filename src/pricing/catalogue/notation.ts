import { parseDecimal } from '../money.ts'
import { isUsageUnit, USAGE_UNITS, type UsageUnit } from '../units.ts'

/**
 * A price in the notation of the catalogue and of overlays: a decimal, followed by its variants. `3` · `3,>200000:6`
 * (6 if total input exceeds 200,000) · `2,>=200000:4` (4 if total input is at least 200,000) ·
 * `0.04,1024x1792:0.08,hd-1024x1024:0.08` (per image, by quality and size).
 */
export interface UnitPrice {
  readonly base: Rational
  readonly tiers: readonly PriceTier[]
  /**
   * The prices by `size`, `quality` or `quality-size` of media, or by search context size. Keys are in lower case.
   */
  readonly sizes: ReadonlyMap<string, Rational>
}

/**
 * A price that applies if total input exceeds (if inclusive: reaches) the threshold. The whole request is then billed
 * at `price`.
 */
export interface PriceTier {
  readonly threshold: number
  readonly inclusive: boolean
  readonly price: Rational
}

export interface Rational {
  readonly numerator: bigint
  readonly denominator: bigint
}

export type UnitPrices = ReadonlyMap<UsageUnit, UnitPrice>

/** The maximum number of decimals of a price. No price list has more. Prices have at most 12 significant digits. */
const PRICE_DECIMALS = 24
const PRICE_SCALE = 10n ** BigInt(PRICE_DECIMALS)

/**
 * Reads prices in the form `input_tokens=3,>200000:6 output_tokens=15`. Throws if the text does not have this form.
 */
export function readPrices(text: string): UnitPrices {
  const prices = new Map<UsageUnit, UnitPrice>()
  for (const item of words(text)) {
    const [unit = '', price = ''] = item.split('=', 1).concat(item.slice(item.indexOf('=') + 1))
    if (!isUsageUnit(unit)) throw new Error(`unknown unit of a price: ${item}`)
    prices.set(unit, readUnitPrice(price))
  }
  return prices
}

export function readUnitPrice(text: string): UnitPrice {
  const [base = '', ...variants] = text.split(',')
  const tiers: PriceTier[] = []
  const sizes = new Map<string, Rational>()
  for (const variant of variants) {
    const colon = variant.lastIndexOf(':')
    const condition = variant.slice(0, colon)
    const price = readRational(variant.slice(colon + 1))
    const threshold = /^>(=?)(\d+)$/.exec(condition)
    if (threshold === null) sizes.set(condition.toLowerCase(), price)
    else tiers.push({ threshold: Number(threshold[2]), inclusive: threshold[1] === '=', price })
  }
  return { base: readRational(base), tiers, sizes }
}

/**
 * Converts prices in USD for one unit to the form of a price list. `new Map([...prices, ...pricesPerUnit(overlay)])`
 * merges them over a model's prices. Throws if a unit is unknown or a price is invalid.
 */
export function pricesPerUnit(prices: { readonly [U in UsageUnit]?: string }): UnitPrices {
  const converted = new Map<UsageUnit, UnitPrice>()
  for (const [unit, price] of Object.entries(prices)) {
    if (!isUsageUnit(unit)) throw new Error(`unknown unit of a price: ${unit}`)
    const { numerator, denominator } = readRational(price)
    const base = { numerator: numerator * BigInt(USAGE_UNITS[unit].per), denominator }
    converted.set(unit, { base, tiers: [], sizes: new Map() })
  }
  return converted
}

/** Reads a decimal, or a fraction of two decimals (`5/3`) for ratios without a finite decimal. */
export function readRational(text: string): Rational {
  const [top = '', bottom = '1'] = text.split('/')
  const numerator = parseDecimal(top, PRICE_DECIMALS)
  const denominator = parseDecimal(bottom, PRICE_DECIMALS)
  if (
    typeof numerator === 'string' ||
    typeof denominator === 'string' ||
    numerator < 0n ||
    denominator <= 0n
  ) {
    throw new Error(`invalid price: ${text}`)
  }
  return bottom === '1' ? { numerator, denominator: PRICE_SCALE } : { numerator, denominator }
}

/** Splits a catalogue line into its fields. */
export function fields(line: string): string[] {
  return line.split(' | ')
}

export function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}
