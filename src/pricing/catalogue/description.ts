import { divideHalfEven, formatDecimal } from '../money.ts'
import { USAGE_UNITS, type UsageUnit } from '../units.ts'
import { allModels, findModel, type ModelRef, type ProviderRef } from './catalogue.ts'
import type { Rational, UnitPrice, UnitPrices } from './notation.ts'
import { cataloguePrices } from './prices.ts'

/** The prices of a model for display. Prices are in USD for one unit, as decimal strings with at most 18 decimals. */
export interface PriceDescription {
  readonly provider: string
  readonly model: string
  readonly context_window?: number
  readonly deprecated: boolean
  readonly price_version: string
  readonly prices: readonly UnitPriceDescription[]
}

export interface UnitPriceDescription {
  readonly unit: UsageUnit
  readonly price_usd: string
  /**
   * The prices that replace `price_usd` if the total input of a request exceeds the threshold, or reaches it if
   * `inclusive` is true.
   */
  readonly tiers?: readonly {
    readonly threshold: number
    readonly inclusive: boolean
    readonly price_usd: string
  }[]
  /** The prices that replace `price_usd` for a size, a quality or a search context size. */
  readonly sizes?: readonly { readonly size: string; readonly price_usd: string }[]
}

/** Returns the list prices of a model at a time; undefined if the catalogue does not contain the model. */
export function describeModel(
  provider: ProviderRef,
  model: string,
  at_ms: number,
): PriceDescription | undefined {
  const ref = findModel(provider, model)
  return ref === undefined ? undefined : describe(provider, ref, at_ms)
}

/**
 * Returns the list prices of all models of a provider, in the order of the catalogue. Omits models that the provider
 * only resells.
 */
export function describeProvider(provider: ProviderRef, at_ms: number): PriceDescription[] {
  return allModels(provider).map((ref) => describe(provider, ref, at_ms))
}

function describe(provider: ProviderRef, ref: ModelRef, at_ms: number): PriceDescription {
  const { list } = cataloguePrices({ provider, model: ref.id, at_ms }, ref)
  return {
    provider: ref.provider.id,
    model: ref.id,
    ...(ref.context_window === undefined ? {} : { context_window: ref.context_window }),
    deprecated: ref.deprecated,
    price_version: list.version,
    prices: describePrices(ref.pricesAt(at_ms).prices),
  }
}

export function describePrices(prices: UnitPrices): UnitPriceDescription[] {
  return [...prices].map(([unit, price]) => describeUnitPrice(unit, price))
}

function describeUnitPrice(unit: UsageUnit, { base, tiers, sizes }: UnitPrice): UnitPriceDescription {
  const usd = (price: Rational) => perUnit(price, USAGE_UNITS[unit].per)
  return {
    unit,
    price_usd: usd(base),
    ...(tiers.length === 0
      ? {}
      : { tiers: tiers.map(({ price, ...tier }) => ({ ...tier, price_usd: usd(price) })) }),
    ...(sizes.size === 0
      ? {}
      : { sizes: [...sizes].map(([size, price]) => ({ size, price_usd: usd(price) })) }),
  }
}

const DECIMALS = 18

function perUnit({ numerator, denominator }: Rational, per: number): string {
  return formatDecimal(
    divideHalfEven(numerator * 10n ** BigInt(DECIMALS), denominator * BigInt(per)),
    DECIMALS,
  )
}
