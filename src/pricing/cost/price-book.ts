import { CATALOGUE_VERSION, findModel, type ModelRef, type ProviderRef } from '../catalogue/catalogue.ts'
import type { UnitPrices } from '../catalogue/notation.ts'
import { FEED, type OverlayQuery, OverlaySet, type PriceOverlay, tierOf } from '../catalogue/overlay.ts'
import {
  multipliedList,
  multipliedPrices,
  type OverlayTerms,
  overlayList,
  readOverlayPrices,
  VERSION_OVER,
} from '../catalogue/overlay-prices.ts'
import {
  type ChosenPrices,
  cataloguePrices,
  coveredUnits,
  type PriceConditions,
} from '../catalogue/prices.ts'
import type { UsageUnit } from '../units.ts'
import {
  type CostPart,
  type CostRequest,
  type CostResult,
  type ListedUsage,
  pricedSum,
  priceUsage,
  providerCost,
  VERSION_AND,
} from './cost.ts'
import type { PriceList } from './price-list.ts'

/**
 * All prices of a customer except the catalogue's prices. `overrides` contains the customer's own prices. They take
 * precedence over the prices for all customers in `operator`.
 */
export interface PriceBook {
  readonly overrides: OverlaySet
  readonly operator: OverlaySet
}

export const NO_OVERLAYS: PriceBook = { overrides: OverlaySet.EMPTY, operator: OverlaySet.EMPTY }

/**
 * Returns the provider's cost at the prices of a customer. Rounds only the exact sum, half-even, to 1e-12 USD. Returns
 * `unpriced` if a model has no price, or no price for its usage.
 */
export function costFrom(book: PriceBook, request: CostRequest): CostResult {
  return request.parts === undefined ? costOfOne(book, request) : costOfParts(book, request, request.parts)
}

/**
 * Returns the cost of all calls of a response, each at the prices of its own model. Returns `unpriced` if one of the
 * models has no price, or no price for its usage.
 */
function costOfParts(book: PriceBook, request: CostRequest, parts: readonly CostPart[]): CostResult {
  const listed: ListedUsage[] = []
  for (const part of parts) {
    const chosen = partPrices(book, request, part.model)
    if (chosen === undefined) {
      return providerCost({ ...request, model: part.model ?? request.model, usage: part.usage })
    }
    listed.push({ list: chosen.list, usage: part.usage, about: chosen.warnings, model: part.model })
  }
  return pricedSum(listed)
}

/** Returns the prices for one call of a response; undefined if its model has no price. */
function partPrices(
  book: PriceBook,
  request: CostRequest,
  model: string | undefined,
): ChosenPrices | undefined {
  return pricesFor(book, partConditions(book, request, model))
}

/**
 * Returns the conditions that select the prices of one call of a response. Resellers of Claude and GPT add a prefix to
 * their names, for example `global.anthropic.` or `openai/`. If the model of the request has such a prefix, adds it to
 * the name of the call's model, provided that the name with the prefix has a price.
 */
export function partConditions(
  book: PriceBook,
  request: CostRequest,
  model: string | undefined,
): PriceConditions {
  if (model === undefined) return request
  const [, prefix = ''] = /^(.*[./])(?:claude|gpt)/.exec(request.model) ?? []
  const resold = { ...request, model: `${prefix}${model}` }
  return prefix === '' || pricesFor(book, resold) === undefined ? { ...request, model } : resold
}

function pricesFor(book: PriceBook, conditions: PriceConditions): ChosenPrices | undefined {
  const model = findModel(conditions.provider, conditions.model)
  return stackedPrices(overlaysFor(book, conditions) ?? [], 0, conditions, model)
}

function costOfOne(book: PriceBook, request: CostRequest): CostResult {
  const overlays = overlaysFor(book, request)
  if (overlays === undefined) return providerCost(request)
  const chosen = stackedPrices(overlays, 0, request, findModel(request.provider, request.model))
  return chosen === undefined
    ? providerCost(request)
    : priceUsage(chosen.list, request.usage, chosen.warnings)
}

/** Returns the units that a model's prices cover for a customer; an empty set if the model has no prices. */
export function coveredBy(book: PriceBook, conditions: PriceConditions): ReadonlySet<UsageUnit> {
  const model = findModel(conditions.provider, conditions.model)
  const overlays = overlaysFor(book, conditions)
  if (overlays !== undefined) {
    return stackedPrices(overlays, 0, conditions, model)?.list.covered ?? NO_UNITS
  }
  return model === undefined ? NO_UNITS : coveredUnits(conditions.provider, model, conditions.at_ms)
}

const NO_UNITS: ReadonlySet<UsageUnit> = new Set()

export type PriceSource = 'override' | 'operator' | 'feed' | 'catalogue'

/** The prices of a model that apply to a customer, with their source. */
export interface PricesInForce {
  readonly source: PriceSource
  /** The overlay with the highest precedence; undefined if the catalogue's prices apply. */
  readonly overlay: PriceOverlay | undefined
  readonly prices: UnitPrices
  readonly price_version: string
  readonly model: ModelRef | undefined
}

/** Returns the prices of a model for a customer, for display; undefined if the model has no prices. */
export function pricesInForce(book: PriceBook, conditions: PriceConditions): PricesInForce | undefined {
  const model = findModel(conditions.provider, conditions.model)
  const overlays = overlaysFor(book, conditions) ?? []
  const chosen = stackedPrices(overlays, 0, conditions, model)
  const prices = stackedUnitPrices(overlays, 0, conditions, model)
  if (chosen === undefined || prices === undefined) return undefined
  const [overlay] = overlays
  return { source: sourceOf(book, overlay), overlay, prices, price_version: chosen.list.version, model }
}

/** An overlay that contributes to a price, and the source of the overlay. */
export interface Layer {
  readonly source: PriceSource
  readonly overlay: PriceOverlay
}

/**
 * Returns the overlays that contribute to a price, highest precedence first. A multiplier multiplies the price that
 * results from the overlays after it in the list and from the catalogue.
 */
export function layersOf(book: PriceBook, conditions: PriceConditions): readonly Layer[] {
  return deciding(book, overlaysFor(book, conditions) ?? [])
}

function deciding(book: PriceBook, overlays: readonly PriceOverlay[]): Layer[] {
  const last = overlays.findIndex((overlay) => prepare(overlay).terms.kind !== 'multiplier')
  return overlays
    .slice(0, last === -1 ? overlays.length : last + 1)
    .map((overlay) => ({ source: sourceOf(book, overlay), overlay }))
}

export type PricesOfVersion =
  | ({ readonly kind: 'found'; readonly layers: readonly Layer[] } & ChosenPrices)
  /** The version refers to an overlay that the customer does not have, or to prices for other conditions. */
  | { readonly kind: 'unknown' }
  /** The version refers to list prices of a catalogue that is not the catalogue of this deployment. */
  | { readonly kind: 'other_catalogue'; readonly catalogue: string }

/**
 * Returns the prices that a stored `price_version` identifies, even if other prices have replaced them. With these
 * prices, an event has the same cost as when it was recorded. `conditions` must be the conditions of the event: model,
 * time, tier, region, image size, image quality and search context size.
 */
export function pricesOfVersion(
  book: PriceBook,
  version: string,
  conditions: PriceConditions,
): PricesOfVersion {
  let result: PricesOfVersion = { kind: 'unknown' }
  // The price version of an event with several calls contains one version for each price list. Uses the first version
  // that fits the conditions.
  for (const one of version.split(VERSION_AND).slice(0, MAX_VERSIONS)) {
    result = pricesOfOneVersion(book, one, conditions)
    if (result.kind === 'found') return result
  }
  return result
}

/** The maximum number of versions that are tried for one event. */
const MAX_VERSIONS = 20

function pricesOfOneVersion(book: PriceBook, version: string, conditions: PriceConditions): PricesOfVersion {
  const { overlay_ids, catalogue } = readVersion(version)
  if (catalogue !== undefined && catalogue !== CATALOGUE_VERSION)
    return { kind: 'other_catalogue', catalogue }
  const overlays = overlay_ids.map((id) => book.overrides.get(id) ?? book.operator.get(id))
  if (!overlays.every((overlay) => overlay !== undefined)) return { kind: 'unknown' }
  const model = findModel(conditions.provider, conditions.model)
  const chosen = stackedPrices(overlays, 0, conditions, model)
  return chosen?.list.version === version
    ? { kind: 'found', ...chosen, layers: deciding(book, overlays) }
    : { kind: 'unknown' }
}

const OVERLAY_ID = /^(po_[0-9a-z]{26})/

/**
 * Reads the overlay ids and the catalogue version from a price version. The catalogue version is undefined if the price
 * version does not contain it. A price version has a form such as `po_1` · `po_1@catalogue` · `po_1@catalogue:@label` ·
 * `po_1*po_2` · `po_1*catalogue:provider/model@label` · `catalogue:provider/model@label`.
 */
function readVersion(version: string): { overlay_ids: string[]; catalogue: string | undefined } {
  const overlay_ids: string[] = []
  let rest = version
  for (let match = OVERLAY_ID.exec(rest); match !== null; match = OVERLAY_ID.exec(rest)) {
    overlay_ids.push(match[0])
    rest = rest.slice(match[0].length + VERSION_OVER.length)
  }
  return { overlay_ids, catalogue: rest === '' ? undefined : rest.split(':', 1)[0] }
}

/**
 * Returns the overlays that apply: first the customer's, then the operator's, then the price feed's. Returns undefined
 * if no overlay applies. Allocates no memory if the price book is empty.
 */
function overlaysFor(book: PriceBook, conditions: PriceConditions): PriceOverlay[] | undefined {
  if (book.overrides.size === 0 && book.operator.size === 0) return undefined
  const name = conditions.model.trim().toLowerCase()
  const model = findModel(conditions.provider, conditions.model)
  const query: OverlayQuery = {
    provider: conditions.provider.id,
    name,
    id: model?.id.toLowerCase() ?? name,
    tier: tierOf(conditions.provider, conditions.service_tier),
    at_ms: conditions.at_ms,
  }
  const override = book.overrides.find(query)
  const operator = book.operator.find(query)
  const fed = book.operator.findFed(model?.provider.id ?? conditions.provider.id, query.id, conditions.at_ms)
  if (override === undefined && operator === undefined && fed === undefined) return undefined
  return [override, operator, fed].filter((overlay) => overlay !== undefined)
}

function sourceOf(book: PriceBook, overlay: PriceOverlay | undefined): PriceSource {
  if (overlay === undefined) return 'catalogue'
  if (overlay.created_by === FEED) return 'feed'
  return book.overrides.get(overlay.overlay_id) === undefined ? 'operator' : 'override'
}

/**
 * Returns the price list that results from `overlays[from]`, the later overlays and the catalogue. An overlay with
 * prices replaces the later overlays and the catalogue. An overlay with a multiplier multiplies the price list that
 * results from the later overlays and the catalogue. Returns undefined if there is no price.
 */
function stackedPrices(
  overlays: readonly PriceOverlay[],
  from: number,
  conditions: PriceConditions,
  model: ModelRef | undefined,
): ChosenPrices | undefined {
  const overlay = overlays[from]
  if (overlay === undefined) return model === undefined ? undefined : cataloguePrices(conditions, model)
  const prepared = prepare(overlay)
  const { terms } = prepared
  if (terms.kind === 'units') {
    const list = remember(prepared.lists, model ?? NO_MODEL, () => overlayList(overlay, terms.prices, model))
    return { list, warnings: tierWarnings(overlay, conditions) }
  }
  if (terms.kind === 'list') {
    prepared.fed ??= fedModel(overlay, terms.pricesAt, model ?? conditions.provider)
    return cataloguePrices(conditions, prepared.fed)
  }
  const below = stackedPrices(overlays, from + 1, conditions, model)
  if (below === undefined) return undefined
  const list = remember(prepared.lists, below.list, () => multipliedList(overlay, terms.factor, below.list))
  return { list, warnings: below.warnings }
}

function stackedUnitPrices(
  overlays: readonly PriceOverlay[],
  from: number,
  conditions: PriceConditions,
  model: ModelRef | undefined,
): UnitPrices | undefined {
  const overlay = overlays[from]
  if (overlay === undefined) return model?.pricesAt(conditions.at_ms).prices
  const { terms } = prepare(overlay)
  if (terms.kind === 'units') return terms.prices
  if (terms.kind === 'list') return terms.pricesAt(conditions.at_ms).prices
  const below = stackedUnitPrices(overlays, from + 1, conditions, model)
  return below === undefined ? undefined : multipliedPrices(terms.factor, below)
}

const NONE: readonly string[] = []

/**
 * Returns a warning if the request names a special service tier but the overlay's price is for all tiers. The caller
 * could expect a discount for the special tier.
 */
function tierWarnings(overlay: PriceOverlay, { provider, service_tier }: PriceConditions): readonly string[] {
  if (service_tier === undefined || overlay.service_tier !== null) return NONE
  if (tierOf(provider, service_tier) === null) return NONE
  const shown = JSON.stringify(service_tier.slice(0, 60))
  return [`There is no price for service tier ${shown}. The usage is billed at the price for all tiers.`]
}

interface Prepared {
  readonly terms: OverlayTerms
  /**
   * The compiled price lists of the overlay. The key is the price list that a multiplier multiplies, or the model whose
   * minimum quantities apply.
   */
  readonly lists: WeakMap<object, PriceList>
  /** The model with the price feed's prices in place of the catalogue's prices. */
  fed?: ModelRef
}

/**
 * Returns a model with the price feed's prices in place of the catalogue's prices. If the catalogue does not contain
 * the model, returns a new model of the provider.
 */
function fedModel(
  overlay: PriceOverlay,
  pricesAt: ModelRef['pricesAt'],
  known: ModelRef | ProviderRef,
): ModelRef {
  const version = `${overlay.overlay_id}@${CATALOGUE_VERSION}`
  if ('pricesAt' in known) return { ...known, source: FEED, version, pricesAt }
  return {
    provider: known,
    id: overlay.model,
    deprecated: false,
    periods: '',
    source: FEED,
    version,
    pricesAt,
  }
}

const NO_MODEL = {}

/**
 * The maximum number of compiled price lists in the cache. A list is freed with its overlay, but one overlay with `*`
 * can have a list for every model of a provider. When the cache is full, it is cleared. A list takes a few kilobytes,
 * so a full cache takes about 20 MB.
 */
const MAX_LISTS = 5_000
let preparedOverlays = new WeakMap<PriceOverlay, Prepared>()
let lists = 0

function prepare(overlay: PriceOverlay): Prepared {
  const known = preparedOverlays.get(overlay)
  if (known !== undefined) return known
  const fresh: Prepared = { terms: readOverlayPrices(overlay), lists: new WeakMap() }
  preparedOverlays.set(overlay, fresh)
  return fresh
}

function remember(known: WeakMap<object, PriceList>, key: object, make: () => PriceList): PriceList {
  const found = known.get(key)
  if (found !== undefined) return found
  const fresh = make()
  known.set(key, fresh)
  lists += 1
  if (lists >= MAX_LISTS) {
    preparedOverlays = new WeakMap()
    lists = 0
  }
  return fresh
}
