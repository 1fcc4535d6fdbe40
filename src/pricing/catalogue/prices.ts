import { type PriceList, priceList } from '../cost/price-list.ts'
import type { UsageUnit } from '../units.ts'
import {
  CATALOGUE_VERSION,
  isStandardTier,
  loadProvider,
  type ModelRef,
  type ProviderRef,
} from './catalogue.ts'
import { chooseImagePrice } from './image-size.ts'
import { matches } from './match.ts'
import { factorOf, findModifier, type Modifier, plainName } from './modifiers.ts'
import type { PricePeriod } from './period.ts'

/** The conditions, besides usage, that select one of a model's prices. */
export interface PriceConditions {
  readonly provider: ProviderRef
  readonly model: string
  readonly at_ms: number
  readonly service_tier?: string | undefined
  readonly region?: string | undefined
  readonly image_size?: string | undefined
  readonly image_quality?: string | undefined
}

export interface ChosenPrices {
  readonly list: PriceList
  /** Conditions that could not be applied, and the price used instead. */
  readonly warnings: readonly string[]
}

/**
 * Returns the list prices of a model at a time, in a service tier and a region. A tier or region that the
 * catalogue does not have for the model is billed at list price, with a warning.
 */
export function cataloguePrices(conditions: PriceConditions, model: ModelRef): ChosenPrices {
  const period = model.pricesAt(conditions.at_ms)
  const { service_tier, region, image_size, image_quality } = conditions
  if (
    service_tier === undefined &&
    region === undefined &&
    image_size === undefined &&
    image_quality === undefined
  ) {
    return variant(model, period, conditions.provider, NO_CHOICE)
  }
  return variant(model, period, conditions.provider, chooseVariant(conditions, period))
}

/** Returns the normalised names of the service tiers that have their own price for a model. */
export function modifierNames(provider: ProviderRef, model: string): string[] {
  const name = model.trim().toLowerCase()
  const { tiers } = loadProvider(provider)
  return tiers.flatMap(({ names }) => names).filter((tier) => findModifier(tiers, tier, name) !== undefined)
}

/** Returns the units that a model's prices at a time bill, directly or through a containing unit. */
export function coveredUnits(provider: ProviderRef, model: ModelRef, at_ms: number): ReadonlySet<UsageUnit> {
  return variant(model, model.pricesAt(at_ms), provider, NO_CHOICE).list.covered
}

interface Choice {
  readonly tier?: Modifier | undefined
  readonly region?: Modifier | undefined
  readonly image?: string | undefined
  readonly warnings: readonly string[]
}

const NO_CHOICE: Choice = { warnings: [] }

function chooseVariant(conditions: PriceConditions, period: PricePeriod): Choice {
  const { tiers, regions } = loadProvider(conditions.provider)
  const name = conditions.model.trim().toLowerCase()
  const warnings: string[] = []

  const wantedTier = conditions.service_tier
  const tier = wantedTier === undefined ? undefined : findModifier(tiers, plainName(wantedTier), name)
  if (wantedTier !== undefined && tier === undefined && !isStandardTier(wantedTier)) {
    warnings.push(`no price for service tier ${shown(wantedTier)}; billed at list price`)
  }
  // Regions are free text from the caller; one can only be unknown at a provider that charges by region.
  const wantedRegion = conditions.region
  const region = wantedRegion === undefined ? undefined : findModifier(regions, plainName(wantedRegion), name)
  const known =
    wantedRegion === undefined || regions.some(({ names }) => names.includes(plainName(wantedRegion)))
  if (regions.length > 0 && !known)
    warnings.push(`no price for region ${shown(wantedRegion)}; billed at list price`)

  const images = period.prices.get('output_images')
  const image =
    images === undefined
      ? {}
      : chooseImagePrice(images.sizes, conditions.image_size, conditions.image_quality)
  if (image.warning !== undefined) warnings.push(image.warning)
  return { tier, region, image: image.key, warnings }
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 60))
}

/** Prepared lists by period: bounded by the modifiers and sizes of the catalogue, not by the input of callers. */
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

function variantKey(provider: ProviderRef, { tier, region, image = '' }: Choice): string {
  const { tiers, regions } = loadProvider(provider)
  const tierIndex = tier === undefined ? '' : tiers.indexOf(tier)
  const regionIndex = region === undefined ? '' : regions.indexOf(region)
  return `${provider.id}|${tierIndex}|${regionIndex}|${image}`
}

function prepare(model: ModelRef, period: PricePeriod, choice: Choice): PriceList {
  const modifiers = [choice.tier, choice.region].filter((modifier) => modifier !== undefined)
  const { minimums } = loadProvider(model.provider)
  return priceList(period.prices, {
    version: `${CATALOGUE_VERSION}:${model.provider.id}/${model.id}${period.label}`,
    factor: (unit) => factorOf(modifiers, unit),
    minimums: new Map(
      minimums.flatMap(({ unit, quantity, match }) =>
        matches(match, model.id.toLowerCase()) ? [[unit, quantity] as const] : [],
      ),
    ),
    ...(choice.image === undefined ? {} : { image: choice.image }),
  })
}
