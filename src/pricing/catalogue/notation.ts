import { parseDecimal } from '../money.ts'
import { isUsageUnit, USAGE_UNITS, type UsageUnit } from '../units.ts'

/**
 * The notation of prices in the catalogue and in overlays: a decimal, followed by its variants. `3` ·
 * `3,>200000:6` (6 if total input exceeds 200,000) · `2,>=200000:4` (from 200,000 on) ·
 * `0.04,1024x1792:0.08,hd-1024x1024:0.08` (per image, by quality and size).
 */
export interface UnitPrice {
  readonly base: Rational
  readonly tiers: readonly PriceTier[]
  /** Prices by `size`, `quality` or `quality-size` of media, or by search context size, in lower case. */
  readonly sizes: ReadonlyMap<string, Rational>
}

/** Once total input passes the threshold, the whole request is billed at `price`, not only the part above it. */
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

/**
 * The maximum number of decimals, which is higher than that of any price list. Prices have at most 12 significant
 * digits.
 */
const PRICE_DECIMALS = 24
const PRICE_SCALE = 10n ** BigInt(PRICE_DECIMALS)

/** Reads `input_tokens=3,>200000:6 output_tokens=15`. Throws on text that the catalogue's build cannot have written. */
export function readPrices(text: string): UnitPrices {
  const prices = new Map<UsageUnit, UnitPrice>()
  for (const item of words(text)) {
    const [unit = '', price = ''] = item.split('=', 1).concat(item.slice(item.indexOf('=') + 1))
    if (!isUsageUnit(unit)) throw new Error(`a price of an unknown unit: ${item}`)
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
 * Converts prices in USD for one unit each to the form of a price list, to be merged over a model's prices with
 * `new Map([...prices, ...pricesPerUnit(overlay)])`. Throws if a price is not a decimal.
 */
export function pricesPerUnit(prices: { readonly [U in UsageUnit]?: string }): UnitPrices {
  const converted = new Map<UsageUnit, UnitPrice>()
  for (const [unit, price] of Object.entries(prices)) {
    if (!isUsageUnit(unit)) throw new Error(`a price of an unknown unit: ${unit}`)
    const { numerator, denominator } = readRational(price)
    const base = { numerator: numerator * BigInt(USAGE_UNITS[unit].per), denominator }
    converted.set(unit, { base, tiers: [], sizes: new Map() })
  }
  return converted
}

/** Reads a decimal, or a fraction of two (`5/3`) for ratios without a finite decimal. */
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
    throw new Error(`not a price: ${text}`)
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
