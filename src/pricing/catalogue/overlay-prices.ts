import { type PriceList, priceList } from '../cost/price-list.ts'
import { parseDecimal } from '../money.ts'
import { isUsageUnit, USAGE_UNITS, type UsageUnit } from '../units.ts'
import { CATALOGUE_VERSION, loadProvider, type ModelRef } from './catalogue.ts'
import { matches } from './match.ts'
import type { Rational, UnitPrice, UnitPrices } from './notation.ts'
import type { OverlayPrice, OverlayPrices, PriceOverlay } from './overlay.ts'
import { readPeriods } from './period.ts'

/** The maximum number of decimals of an amount or a multiplier of an overlay. */
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

/** Returns the price list of an overlay that states prices. */
export function overlayList(
  overlay: PriceOverlay,
  prices: UnitPrices,
  model: ModelRef | undefined,
): PriceList {
  const minimums = minimumsOf(model)
  return priceList(prices, {
    // The provider's minimums are in the catalogue, so the version must also identify the catalogue.
    version: minimums.size === 0 ? overlay.overlay_id : `${overlay.overlay_id}@${CATALOGUE_VERSION}`,
    minimums,
  })
}

/**
 * Multiplies every price of a list by an overlay's factor. The result is exact, because all prices have the same
 * denominator.
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

/** The separator between a multiplier's id and the version of the list that it multiplies. */
export const VERSION_OVER = '*'

/** Multiplies prices for display, including prices by threshold and by image size. */
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

/** Converts USD for `per` units to USD for the quantity in price lists, such as a million tokens. */
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
  // The fraction has only the written decimals, because small integers multiply faster.
  const decimals = text.split('.', 2)[1]?.length ?? 0
  const numerator = parseDecimal(text, decimals)
  if (typeof numerator === 'string') throw new Error(`invalid amount in an overlay: ${text}`)
  return { numerator, denominator: 10n ** BigInt(decimals) }
}

/** Returns the minimum quantities that the provider bills, for example ten seconds of audio at Groq. */
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
