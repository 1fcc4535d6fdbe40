import { parseDecimal } from '../money.ts'
import { isUsageUnit, USAGE_UNITS, type UsageUnit } from '../units.ts'

/**
 * The price of a unit. The notation of the catalogue and of overlays is a decimal, followed by its variants: `3` ·
 * `3,>200000:6` (6 if total input exceeds 200,000) · `2,>=200000:4` (4 if total input is at least 200,000) ·
 * `0.04,1024x1792:0.08,hd-1024x1024:0.08` (per image, by size and quality).
 */
export interface UnitPrice {
  readonly base: Rational
  readonly tiers: readonly PriceTier[]
  /**
   * The prices that replace `base`. The key is a search context size, or the `size`, `quality` or `quality-size` of an
   * image or video. Keys are in lower case.
   */
  readonly sizes: ReadonlyMap<string, Rational>
}

/**
 * A price for requests with long input. If the total input exceeds the threshold, or reaches it if `inclusive` is true,
 * the whole request is billed at `price`.
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

/** The maximum number of decimals of a price. It is greater than the number of decimals of any known price list. */
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
 * Converts prices in USD for one unit to the form of a price list. To override some of a model's prices, use `new
 * Map([...prices, ...pricesPerUnit(overlay)])`. Throws if a unit is unknown or a price is invalid.
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

/**
 * Reads a decimal, or a fraction of two decimals for a ratio that no decimal can express (`5/3`). Throws if the text
 * has neither form, is negative or has too many decimals, or if the divisor is zero.
 */
export function readRational(text: string): Rational {
  const [top = '', bottom = '1', ...others] = text.split('/')
  const numerator = parseDecimal(top, PRICE_DECIMALS)
  const denominator = parseDecimal(bottom, PRICE_DECIMALS)
  if (
    others.length > 0 ||
    typeof numerator === 'string' ||
    typeof denominator === 'string' ||
    numerator < 0n ||
    denominator <= 0n
  ) {
    throw new Error(`invalid price: ${text}`)
  }
  return bottom === '1' ? { numerator, denominator: PRICE_SCALE } : { numerator, denominator }
}

/** Splits a line of the catalogue into its fields, which are separated by ` | `. */
export function fields(line: string): string[] {
  return line.split(' | ')
}

export function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}
