import { timeJson } from '../../http/input/times.ts'
import { exactNumber, quantityJson } from '../../http/output/json.ts'
import type { OverlayPrices, PriceOverlay } from '../../pricing/catalogue/overlay.ts'
import { catalogueChoice, type PriceConditions } from '../../pricing/catalogue/prices.ts'
import type { BreakdownLine } from '../../pricing/cost/cost.ts'
import type { Layer } from '../../pricing/cost/price-book.ts'
import { exactText } from '../../pricing/money.ts'
import type { Usage } from '../../pricing/usage.ts'

/** The JSON of one layer of a price: a price of the catalogue, or a price that was set at run time. */
interface LayerJson {
  readonly rule: object | null
  readonly source: string | null
  readonly effective_from: string | null
}

/**
 * Renders the layers that contribute to a price, highest precedence first. The catalogue's price is the last layer if
 * all overlays are multipliers or if there is no overlay.
 */
export function layersJson(layers: readonly Layer[], conditions: PriceConditions): readonly LayerJson[] {
  const set = layers.map(({ source, overlay }) => overlayJson(source, overlay))
  const last = layers.at(-1)
  return last && !isMultiplier(last.overlay) ? set : [...set, catalogueJson(conditions)]
}

function overlayJson(source: string, overlay: PriceOverlay): LayerJson {
  const prices: OverlayPrices = JSON.parse(overlay.prices)
  const { provider, model, overlay_id: price_id } = overlay
  return {
    rule: { provider, model, matched_by: 'price', price_id },
    source,
    effective_from: timeJson(overlay.effective_from_ms),
    ...('multiplier' in prices && { multiplier: exactNumber(prices.multiplier) }),
  }
}

function isMultiplier(overlay: PriceOverlay): boolean {
  const prices: OverlayPrices = JSON.parse(overlay.prices)
  return 'multiplier' in prices
}

function catalogueJson(conditions: PriceConditions): LayerJson {
  const choice = catalogueChoice(conditions)
  if (choice === undefined) return { rule: null, source: null, effective_from: null }
  const { model, by, name, period } = choice
  const day = /@(\d{4}-\d\d-\d\d(?:T\d\d:\d\d)?)/.exec(period)?.[1]
  return {
    rule: {
      provider: model.provider.id,
      model: model.id,
      matched_by: by,
      name,
      ...(period !== '' && { period }),
    },
    source: 'catalogue',
    ...{ published_by: model.source },
    effective_from:
      day === undefined ? null : timeJson(Date.parse(day.includes('T') ? `${day}Z` : `${day}T00:00Z`)),
  }
}

/** Renders the service tier, the region and the other conditions of a price. Conditions with a factor come first. */
export function modifiersJson(conditions: PriceConditions): object[] {
  const choice = catalogueChoice(conditions)
  const applied = (choice?.factors ?? []).map(({ by, name, factor, families }) => ({
    by,
    name,
    factor: exactText(factor.numerator, factor.denominator),
    families,
  }))
  const others = (
    ['service_tier', 'region', 'image_size', 'image_quality', 'search_context_size'] as const
  ).flatMap((by) => {
    const name = conditions[by]
    return name === undefined || applied.some((one) => one.by === by) ? [] : [{ by, name }]
  })
  return [...applied, ...others]
}

export function tierJson(lines: readonly BreakdownLine[]): object | null {
  const tier = lines.find((line) => line.tier !== undefined && line.model === undefined)?.tier
  return tier === undefined ? null : { input_tokens: tier.threshold, inclusive: tier.inclusive }
}

export function unitsJson(
  lines: readonly BreakdownLine[],
  usage: Usage,
  read_from: (unit: BreakdownLine['unit']) => string,
): object[] {
  return lines.map((line) => {
    const reported = usage[line.unit]
    return {
      unit: line.unit,
      ...(line.model !== undefined && { model: line.model }),
      quantity: quantityJson(line.quantity),
      reported: reported === undefined ? null : quantityJson(reported),
      read_from: read_from(line.unit),
      price_usd: exactNumber(line.price_usd),
      ...(line.price_fraction !== undefined && { price_fraction: line.price_fraction }),
      cost_usd: exactNumber(line.cost_usd),
    }
  })
}
