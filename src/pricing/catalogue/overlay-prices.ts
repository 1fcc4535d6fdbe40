import { type PriceList, priceList } from '../cost/price-list.ts'
import { parseDecimal } from '../money.ts'
import { isUsageUnit, USAGE_UNITS, type UsageUnit } from '../units.ts'
import { CATALOGUE_VERSION, loadProvider, type ModelRef } from './catalogue.ts'
import { matches } from './match.ts'
import type { Rational, UnitPrice, UnitPrices } from './notation.ts'
import type { OverlayPrice, OverlayPrices, PriceOverlay } from './overlay.ts'
import { readPeriods } from './period.ts'

/** The maximum number of decimals of an amount or a multiplier in an overlay. */
export const OVERLAY_DECIMALS = 18

/** The prices of an overlay, parsed for arithmetic. */
export type OverlayTerms =
  | { readonly kind: 'units'; readonly prices: UnitPrices }
  | { readonly kind: 'multiplier'; readonly factor: Rational }
  | { readonly kind: 'list'; readonly pricesAt: ModelRef['pricesAt'] }

export function readOverlayPrices(overlay: PriceOverlay): OverlayTerms {
  const prices: OverlayPrices = JSON.parse(overlay.prices)
  if ('multiplier' in prices) return { kind: 'multiplier', factor: decimal(prices.multiplier) }
  if ('list' in prices) return { kind: 'list', pricesAt: readPeriods(prices.list) }
  return { kind: 'units', prices: unitPrices(prices.units) }
}

/**
 * Returns the price list of an overlay that has prices, not a multiplier. `model` is the model in the catalogue, if it
 * is known.
 */
export function overlayList(
  overlay: PriceOverlay,
  prices: UnitPrices,
  model: ModelRef | undefined,
): PriceList {
  const minimums = minimumsOf(model)
  return priceList(prices, {
    // The provider's minimum quantities come from the catalogue, so the version of the list must also identify the
    // catalogue.
    version: minimums.size === 0 ? overlay.overlay_id : `${overlay.overlay_id}@${CATALOGUE_VERSION}`,
    minimums,
  })
}

/**
 * Returns a price list with every price multiplied by the factor of an overlay. The prices are exact: the numerator of
 * the factor multiplies each price, and its denominator multiplies the common denominator of the list.
 */
export function multipliedList(overlay: PriceOverlay, factor: Rational, below: PriceList): PriceList {
  const times = (price: bigint) => price * factor.numerator
  return {
    ...below,
    entries: below.entries.map((entry) => ({
      ...entry,
      price: times(entry.price),
      tiers: entry.tiers.map((tier) => ({ ...tier, price: times(tier.price) })),
    })),
    denominator: below.denominator * factor.denominator,
    version: `${overlay.overlay_id}${VERSION_OVER}${below.version}`,
  }
}

/**
 * The separator between the id of an overlay with a multiplier and the version of the price list that it multiplies.
 */
export const VERSION_OVER = '*'

/** Returns prices multiplied by a factor, for display. Also multiplies the prices of tiers and sizes. */
export function multipliedPrices(factor: Rational, below: UnitPrices): UnitPrices {
  const times = ({ numerator, denominator }: Rational): Rational => ({
    numerator: numerator * factor.numerator,
    denominator: denominator * factor.denominator,
  })
  return new Map(
    [...below].map(([unit, { base, tiers, sizes }]) => [
      unit,
      {
        base: times(base),
        tiers: tiers.map((tier) => ({ ...tier, price: times(tier.price) })),
        sizes: new Map([...sizes].map(([size, price]) => [size, times(price)])),
      },
    ]),
  )
}

function unitPrices(units: { readonly [U in UsageUnit]?: OverlayPrice }): UnitPrices {
  const prices = new Map<UsageUnit, UnitPrice>()
  for (const [unit, price] of Object.entries(units)) {
    if (isUsageUnit(unit)) prices.set(unit, unitPrice(unit, price))
  }
  return prices
}

const NO_SIZES: UnitPrice['sizes'] = new Map()

/** Converts a price for `per` units to a price for the quantity that price lists use, such as a million tokens. */
function unitPrice(unit: UsageUnit, { per, amount, tiers = [] }: OverlayPrice): UnitPrice {
  const quoted = (text: string): Rational => {
    const { numerator, denominator } = decimal(text)
    return {
      numerator: numerator * BigInt(USAGE_UNITS[unit].per),
      denominator: denominator * BigInt(per),
    }
  }
  return {
    base: quoted(amount),
    tiers: tiers.map(({ threshold, inclusive, amount }) => ({ threshold, inclusive, price: quoted(amount) })),
    sizes: NO_SIZES,
  }
}

function decimal(text: string): Rational {
  // The denominator has only as many digits as the text has decimals, because arithmetic with small integers is faster.
  const decimals = text.split('.', 2)[1]?.length ?? 0
  const numerator = parseDecimal(text, decimals)
  if (typeof numerator === 'string') throw new Error(`invalid amount in an overlay: ${text}`)
  return { numerator, denominator: 10n ** BigInt(decimals) }
}

/**
 * Returns the minimum quantities that the provider of a model bills per request, by unit. Groq, for example, bills at
 * least ten seconds of audio.
 */
function minimumsOf(model: ModelRef | undefined): ReadonlyMap<UsageUnit, number> {
  if (model === undefined) return NO_MINIMUMS
  const { minimums } = loadProvider(model.provider)
  const name = model.id.toLowerCase()
  return new Map(
    minimums.flatMap(({ unit, quantity, match }) =>
      matches(match, name) ? [[unit, quantity] as const] : [],
    ),
  )
}

const NO_MINIMUMS: ReadonlyMap<UsageUnit, number> = new Map()
