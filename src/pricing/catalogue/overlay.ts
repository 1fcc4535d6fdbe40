import type { UsageUnit } from '../units.ts'
import { isStandardTier, loadProvider, type ProviderRef } from './catalogue.ts'
import { plainName } from './modifiers.ts'

/**
 * A price that takes precedence over the catalogue's price, as plain data. It is a price of the price feed, an
 * operator's price for all customers, or a customer's negotiated price. `src/rating` stores and updates overlays.
 */
export interface PriceOverlay {
  readonly overlay_id: string
  /**
   * The provider that charges the price. An event of a reseller uses the overlays of the reseller, not those of the
   * model's own provider.
   */
  readonly provider: string
  /** The name of the model in lower case, or a prefix followed by `*`. */
  readonly model: string
  /** The service tier of the price; null for all tiers. */
  readonly service_tier: string | null
  /** The prices: `OverlayPrices` as JSON. The JSON is parsed when the prices are first needed. */
  readonly prices: string
  readonly effective_from_ms: number
  /** The end of the price, exclusive; null if the price has no end. */
  readonly effective_to_ms: number | null
  /**
   * The author of the price; `FEED` for a price of the price feed. Prices of the operator and of customers take
   * precedence over prices of the feed.
   */
  readonly created_by?: string
}

/** The value of `created_by` in prices that the price feed sets. */
export const FEED = 'feed'

/**
 * The prices of an overlay: a price for each unit, a multiplier, or a list of periods. Prices and multipliers are
 * decimal strings. A multiplier multiplies every price that would apply without the overlay. A multiplier below 1 is a
 * discount.
 */
export type OverlayPrices =
  | { readonly units: { readonly [U in UsageUnit]?: OverlayPrice } }
  | { readonly multiplier: string }
  /**
   * The prices of all periods, in the notation of the catalogue. Only the price feed sets them. The factors of service
   * tiers and regions multiply them, as they multiply the list prices of the catalogue.
   */
  | { readonly list: string }

/** A price of `amount` USD for `per` units. */
export interface OverlayPrice {
  readonly amount: string
  readonly per: number
  /**
   * The tiers whose amounts replace `amount` if the total input exceeds the threshold, or reaches it if `inclusive` is
   * true.
   */
  readonly tiers?: readonly OverlayTier[]
}

export interface OverlayTier {
  readonly threshold: number
  readonly inclusive: boolean
  readonly amount: string
}

/** The fields by which an overlay is found. */
export interface OverlayQuery {
  readonly provider: string
  /** The model's name as the caller sent it, in lower case. */
  readonly name: string
  /**
   * The model's id in the catalogue, in lower case; `name` if the catalogue does not contain the model. An overlay for
   * the id also applies to the aliases and dated names of the model.
   */
  readonly id: string
  /** The service tier of the request, as `tierOf` returns it; null for the standard tier. */
  readonly tier: string | null
  readonly at_ms: number
}

interface ProviderOverlays {
  readonly exact: Map<string, PriceOverlay[]>
  /** The overlays for prefixes, by prefix without the `*`. */
  readonly prefixes: Map<string, PriceOverlay[]>
  /**
   * The distinct lengths of the prefixes, longest first. A search needs one lookup per length, regardless of the number
   * of prefixes.
   */
  lengths: readonly number[]
}

/**
 * A set of overlays, such as all overlays of one customer or all overlays for all customers, including past and future
 * overlays. The set is immutable.
 */
export class OverlaySet {
  static readonly EMPTY = new OverlaySet([])

  readonly size: number
  private readonly byId = new Map<string, PriceOverlay>()
  private readonly byProvider = new Map<string, ProviderOverlays>()
  /** The overlays of the price feed, by provider and model. */
  private readonly fed = new Map<string, PriceOverlay[]>()

  constructor(overlays: readonly PriceOverlay[]) {
    this.size = overlays.length
    for (const overlay of overlays) {
      this.byId.set(overlay.overlay_id, overlay)
      if (overlay.created_by !== FEED) add(this.ofProvider(overlay.provider), overlay)
      else {
        const key = fedKey(overlay.provider, overlay.model)
        this.fed.set(key, [...(this.fed.get(key) ?? []), overlay])
      }
    }
    for (const own of this.byProvider.values()) {
      const lengths = new Set([...own.prefixes.keys()].map((stem) => stem.length))
      own.lengths = [...lengths].sort((a, b) => b - a)
    }
  }

  get(overlay_id: string): PriceOverlay | undefined {
    return this.byId.get(overlay_id)
  }

  /**
   * Returns the overlay that applies to a query; undefined if there is none. An overlay for the model's name as the
   * caller wrote it takes precedence, then an overlay for the catalogue's id, then an overlay for the longest prefix of
   * the name or of the id. For the same name or prefix, an overlay for the service tier of the query takes precedence
   * over an overlay for all tiers. Ignores overlays of the price feed.
   */
  find(query: OverlayQuery): PriceOverlay | undefined {
    const own = this.byProvider.get(query.provider)
    if (own === undefined) return undefined
    const exact =
      inForce(own.exact.get(query.name), query) ??
      (query.id === query.name ? undefined : inForce(own.exact.get(query.id), query))
    if (exact !== undefined) return exact
    for (const length of own.lengths) {
      const overlay =
        inForce(beginningWith(own.prefixes, query.name, length), query) ??
        inForce(beginningWith(own.prefixes, query.id, length), query)
      if (overlay !== undefined) return overlay
    }
    return undefined
  }

  /**
   * Returns the overlay of the price feed that is in force for a model at a time; undefined if there is none. `model`
   * is the id in the catalogue, in lower case.
   */
  findFed(provider: string, model: string, at_ms: number): PriceOverlay | undefined {
    return this.fed.get(fedKey(provider, model))?.findLast((overlay) => holdsAt(overlay, at_ms))
  }

  /** Returns all overlays of the price feed that are in force at a time, one for each model. */
  allFed(at_ms: number): PriceOverlay[] {
    return [...this.fed.values()].flatMap((overlays) => overlays.findLast((one) => holdsAt(one, at_ms)) ?? [])
  }

  /**
   * Returns the sorted names of the models that have an overlay of their own at a time. Includes overlays of the price
   * feed. Omits overlays for a prefix or for a single service tier.
   */
  modelsOf(provider: string, at_ms: number): string[] {
    const exact = this.byProvider.get(provider)?.exact ?? []
    const set = [...exact]
      .filter(([, overlays]) => overlays.some((one) => one.service_tier === null && holdsAt(one, at_ms)))
      .map(([model]) => model)
    const fed = this.allFed(at_ms).filter((one) => one.provider === provider)
    return [...new Set([...set, ...fed.map(({ model }) => model)])].sort()
  }

  private ofProvider(provider: string): ProviderOverlays {
    const known = this.byProvider.get(provider)
    if (known !== undefined) return known
    const fresh: ProviderOverlays = { exact: new Map(), prefixes: new Map(), lengths: [] }
    this.byProvider.set(provider, fresh)
    return fresh
  }
}

function fedKey(provider: string, model: string): string {
  return `${provider}/${model}`
}

export function isPrefix(model: string): boolean {
  return model.endsWith('*')
}

/** Returns a prefix without its final `*`, or an exact name unchanged. */
export function stemOf(model: string): string {
  return isPrefix(model) ? model.slice(0, -1) : model
}

/**
 * Returns whether an overlay is in force at a time. `effective_from_ms` is inclusive and `effective_to_ms` is
 * exclusive.
 */
export function holdsAt(overlay: PriceOverlay, at_ms: number): boolean {
  return (
    overlay.effective_from_ms <= at_ms &&
    (overlay.effective_to_ms === null || at_ms < overlay.effective_to_ms)
  )
}

/**
 * Returns the normalised name of a service tier. Returns null if there is no tier, and for all names of the standard
 * tier.
 */
export function tierOf(provider: ProviderRef, service_tier: string | null | undefined): string | null {
  if (service_tier === undefined || service_tier === null || isStandardTier(service_tier)) return null
  const name = plainName(service_tier)
  return loadProvider(provider).tiers.find(({ names }) => names.includes(name))?.names[0] ?? name
}

function add({ exact, prefixes }: ProviderOverlays, overlay: PriceOverlay): void {
  const overlays = isPrefix(overlay.model) ? prefixes : exact
  const known = overlays.get(stemOf(overlay.model))
  if (known === undefined) overlays.set(stemOf(overlay.model), [overlay])
  else known.push(overlay)
}

function beginningWith(
  prefixes: ReadonlyMap<string, PriceOverlay[]>,
  name: string,
  length: number,
): PriceOverlay[] | undefined {
  return name.length < length ? undefined : prefixes.get(name.slice(0, length))
}

/**
 * Returns the overlay that is in force for the service tier of a query. If there is none, returns the overlay that is
 * in force for all tiers; undefined if there is none either. Overlays of the same model and tier never overlap in time,
 * so at most one of them is in force.
 */
function inForce(
  overlays: readonly PriceOverlay[] | undefined,
  { tier, at_ms }: OverlayQuery,
): PriceOverlay | undefined {
  if (overlays === undefined) return undefined
  let forAll: PriceOverlay | undefined
  for (const overlay of overlays) {
    if (!holdsAt(overlay, at_ms)) continue
    if (overlay.service_tier === null) forAll = overlay
    else if (overlay.service_tier === tier) return overlay
  }
  return forAll
}
