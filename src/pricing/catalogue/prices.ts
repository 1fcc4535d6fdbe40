import { type PriceList, priceList } from '../cost/price-list.ts'
import type { UsageUnit } from '../units.ts'
import {
  CATALOGUE_VERSION,
  findMatch,
  findRegionalMatch,
  isStandardTier,
  loadProvider,
  type ModelMatch,
  type ModelRef,
  type ProviderRef,
} from './catalogue.ts'
import { matches } from './match.ts'
import { chooseMediaPrice } from './media-price.ts'
import { factorOf, findModifier, type Modifier, plainName } from './modifiers.ts'
import type { Rational } from './notation.ts'
import type { PricePeriod } from './period.ts'

/** The conditions that select one of a model's price lists. */
export interface PriceConditions {
  readonly provider: ProviderRef
  readonly model: string
  readonly at_ms: number
  readonly service_tier?: string | undefined
  readonly region?: string | undefined
  readonly image_size?: string | undefined
  readonly image_quality?: string | undefined
  /** The search context size: `low`, `medium` or `high`. Some providers charge a fee that depends on it. */
  readonly search_context_size?: string | undefined
}

export interface ChosenPrices {
  readonly list: PriceList
  /** The warnings about conditions without a price. Each warning names the price that applies instead. */
  readonly warnings: readonly string[]
}

/**
 * Returns the catalogue prices of a model under some conditions. If the catalogue has no price for the service tier or
 * the region, the list price applies. A tier without a price always causes a warning, unless it is the standard tier.
 * An unknown region causes a warning only for a provider that charges by region.
 */
export function cataloguePrices(conditions: PriceConditions, model: ModelRef): ChosenPrices {
  const { service_tier, region, image_size, image_quality, search_context_size } = conditions
  if (
    service_tier === undefined &&
    region === undefined &&
    image_size === undefined &&
    image_quality === undefined &&
    search_context_size === undefined
  ) {
    return variant(model, model.pricesAt(conditions.at_ms), conditions.provider, NO_CHOICE)
  }
  const regional =
    region === undefined ? undefined : findRegionalMatch(conditions.provider, conditions.model, region)?.model
  const chosen = regional ?? model
  const period = chosen.pricesAt(conditions.at_ms)
  const choice = chooseVariant(conditions, chosen, period, regional !== undefined)
  return variant(chosen, period, conditions.provider, choice)
}

/** Returns the normalised names of the service tiers for which a model has a special price at a time. */
export function modifierNames(provider: ProviderRef, model: string, at_ms: number): string[] {
  const name = model.trim().toLowerCase()
  const { tiers } = loadProvider(provider)
  return tiers
    .flatMap(({ names }) => names)
    .filter((tier) => findModifier(tiers, tier, [name], at_ms) !== undefined)
}

/**
 * Returns the units that a model's prices cover at a time. A unit is covered by its own price or by the price of a unit
 * that contains it.
 */
export function coveredUnits(provider: ProviderRef, model: ModelRef, at_ms: number): ReadonlySet<UsageUnit> {
  return variant(model, model.pricesAt(at_ms), provider, NO_CHOICE).list.covered
}

/** The explanation of how the catalogue's prices were chosen. */
export interface CatalogueChoice {
  readonly model: ModelRef
  readonly by: ModelMatch['by']
  /** The spelling of the name that matched. */
  readonly name: string
  /** The condition of the period, like `PricePeriod.label`. */
  readonly period: string
  /** The factors for the service tier and the region. Each factor multiplies the prices of some families of units. */
  readonly factors: readonly {
    readonly by: 'service_tier' | 'region'
    readonly name: string
    readonly factor: Rational
    readonly families: readonly string[]
  }[]
  /**
   * The key of the price that replaces the base price, by unit. A key is a size, a quality or a search context size.
   */
  readonly sizes: ReadonlyMap<UsageUnit, string>
}

/** Returns the explanation of how `cataloguePrices` chooses prices; undefined if no model has the name. */
export function catalogueChoice(conditions: PriceConditions): CatalogueChoice | undefined {
  const { provider, model, region, at_ms } = conditions
  const regional = region === undefined ? undefined : findRegionalMatch(provider, model, region)
  const match = regional ?? findMatch(provider, model)
  if (match === undefined) return undefined
  const period = match.model.pricesAt(at_ms)
  const choice = chooseVariant(conditions, match.model, period, regional !== undefined)
  const factors = (['service_tier', 'region'] as const).flatMap((by) => {
    const modifier = by === 'region' ? choice.region : choice.tier
    return modifier === undefined
      ? []
      : [{ by, name: conditions[by] ?? '', factor: modifier.factor, families: [...modifier.families] }]
  })
  return {
    model: match.model,
    by: match.by,
    name: match.name,
    period: period.label,
    factors,
    sizes: choice.keys,
  }
}

interface Choice {
  readonly tier?: Modifier | undefined
  readonly region?: Modifier | undefined
  /**
   * The key of the price that replaces the base price, by unit. A key is a size, a quality or a search context size.
   */
  readonly keys: ReadonlyMap<UsageUnit, string>
  readonly warnings: readonly string[]
}

const NO_KEYS: ReadonlyMap<UsageUnit, string> = new Map()
const NO_CHOICE: Choice = { keys: NO_KEYS, warnings: [] }

function chooseVariant(
  conditions: PriceConditions,
  model: ModelRef,
  period: PricePeriod,
  regional: boolean,
): Choice {
  const { tiers } = loadProvider(conditions.provider)
  const names = [conditions.model.trim().toLowerCase(), model.id.toLowerCase()]
  const warnings: string[] = []
  const tierNamed = (name: string | undefined) =>
    name === undefined ? undefined : findModifier(tiers, plainName(name), names, conditions.at_ms)

  const wantedTier = conditions.service_tier
  const tier = tierNamed(wantedTier)
  if (wantedTier !== undefined && tier === undefined && !isStandardTier(wantedTier)) {
    warnings.push(
      `There is no price for service tier ${shown(wantedTier)}. The usage is billed at the list price.`,
    )
  }
  const region = chooseRegion(conditions, names, regional)
  if (region.warning !== undefined) warnings.push(region.warning)
  const keys = new Map<UsageUnit, string>()
  for (const unit of ['output_images', 'video_seconds'] as const) {
    const price = period.prices.get(unit)
    if (price === undefined) continue
    const media = chooseMediaPrice(price.sizes, conditions.image_size, conditions.image_quality)
    if (media.key !== undefined) keys.set(unit, media.key)
    if (media.warning !== undefined) warnings.push(media.warning)
  }
  const context = conditions.search_context_size?.toLowerCase()
  for (const unit of ['requests', 'web_searches'] as const) {
    const sizes = period.prices.get(unit)?.sizes
    if (context === undefined || sizes === undefined || sizes.size === 0) continue
    if (sizes.has(context)) keys.set(unit, context)
    else
      warnings.push(
        `There is no price for search context size ${shown(context)}. The usage is billed at the list price.`,
      )
  }
  return { tier, region: region.modifier, keys: keys.size === 0 ? NO_KEYS : keys, warnings }
}

/**
 * Returns the modifier for a region, if there is one. Callers can send any text as a region. An unknown region causes a
 * warning only if the provider charges by region.
 */
function chooseRegion(
  { provider, region, at_ms }: PriceConditions,
  names: readonly string[],
  regional: boolean,
): { readonly modifier?: Modifier | undefined; readonly warning?: string } {
  if (region === undefined || regional) return {}
  const { regions, profiles } = loadProvider(provider)
  const name = plainName(region)
  const modifier = findModifier(regions, name, names, at_ms)
  if (modifier !== undefined) return { modifier }
  if (regions.length === 0 && profiles.length === 0) return {}
  if (regions.some((one) => one.names.includes(name))) return {}
  // No warning is necessary if the model's name already starts with the prefix of the list of a region, or with the
  // prefix `regional`, which all regions share.
  const lists = ['regional', ...profiles.map(({ prefix }) => prefix)]
  if (names.some((model) => lists.some((list) => model.startsWith(`${list}.`)))) return {}
  return { warning: `There is no price for region ${shown(region)}. The usage is billed at the list price.` }
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 60))
}

/**
 * A cache of the prepared price lists of each period. The keys consist of providers, modifiers and sizes of the
 * catalogue, so requests with arbitrary values cannot fill the cache.
 */
const variants = new WeakMap<PricePeriod, Map<string, ChosenPrices>>()

function variant(model: ModelRef, period: PricePeriod, provider: ProviderRef, choice: Choice): ChosenPrices {
  let ofPeriod = variants.get(period)
  if (ofPeriod === undefined) {
    ofPeriod = new Map()
    variants.set(period, ofPeriod)
  }
  const key = choice === NO_CHOICE ? provider.id : variantKey(provider, choice)
  let chosen = ofPeriod.get(key)
  if (chosen === undefined) {
    chosen = { list: prepare(model, period, choice), warnings: [] }
    ofPeriod.set(key, chosen)
  }
  return choice.warnings.length === 0 ? chosen : { list: chosen.list, warnings: choice.warnings }
}

function variantKey(provider: ProviderRef, { tier, region, keys }: Choice): string {
  const { tiers, regions } = loadProvider(provider)
  const tierIndex = tier === undefined ? '' : tiers.indexOf(tier)
  const regionIndex = region === undefined ? '' : regions.indexOf(region)
  const sizes = [...keys].map(([unit, key]) => `${unit}:${key}`).join(',')
  return `${provider.id}|${tierIndex}|${regionIndex}|${sizes}`
}

function prepare(model: ModelRef, period: PricePeriod, choice: Choice): PriceList {
  const modifiers = [choice.tier, choice.region].filter((modifier) => modifier !== undefined)
  const { minimums } = loadProvider(model.provider)
  return priceList(period.prices, {
    version:
      model.version === undefined
        ? `${CATALOGUE_VERSION}:${model.provider.id}/${model.id}${period.label}`
        : `${model.version}:${period.label}`,
    factor: (unit) => factorOf(modifiers, unit),
    minimums: new Map(
      minimums.flatMap(({ unit, quantity, match }) =>
        matches(match, model.id.toLowerCase()) ? [[unit, quantity] as const] : [],
      ),
    ),
    keys: choice.keys,
  })
}
