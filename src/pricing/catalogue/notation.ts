import { parseDecimal } from '../money.ts'
import { isUsageUnit, USAGE_UNITS, type UsageUnit } from '../units.ts'

/**
 * How prices are written, in the catalogue and in overlays: one decimal string, with what changes it behind
 * it. `3` · `3,>200000:6` (6 where total input is above 200,000) · `2,>=200000:4` (from 200,000 on) ·
 * `0.04,1024x1792:0.08,hd-1024x1024:0.08` (per image, by quality and size).
 */
export interface UnitPrice {
  readonly base: Rational
  readonly tiers: readonly PriceTier[]
  /** Prices of `output_images` by `size`, `quality` or `quality-size`, in lower case. */
  readonly sizes: ReadonlyMap<string, Rational>
}

/** The whole request is billed at `price` once its total input passes the threshold: a cliff, not a step. */
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

/** Finer than any price list: prices have at most 12 significant digits. */
const PRICE_DECIMALS = 24
const PRICE_SCALE = 10n ** BigInt(PRICE_DECIMALS)

/** `input_tokens=3,>200000:6 output_tokens=15`. Throws on what the catalogue's build would not have written. */
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
 * Prices in USD for one unit each, as overlays have them, in the form of a price list's own: put them over a
 * model's prices with `new Map([...prices, ...pricesPerUnit(overlay)])`. Throws on what is not a decimal.
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

/** A decimal, or a fraction of two (`5/3`) where a provider's own numbers have no finite decimal. */
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

/** The fields of one catalogue line. */
export function fields(line: string): string[] {
  return line.split(' | ')
}

export function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}
