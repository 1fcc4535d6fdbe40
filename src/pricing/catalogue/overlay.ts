import type { UsageUnit } from '../units.ts'
import { isStandardTier, loadProvider, type ProviderRef } from './catalogue.ts'
import { plainName } from './modifiers.ts'

/**
 * A price that takes precedence over the catalogue's price, as plain data: a price of the feed, an operator's price
 * for all customers, or a customer's negotiated rate. `src/rating` stores overlays and updates them.
 */
export interface PriceOverlay {
  readonly overlay_id: string
  /** The provider of the price. Events of a reseller use the reseller's overlays. */
  readonly provider: string
  /** A model's name in lower case, or a prefix followed by `*`. */
  readonly model: string
  /** The service tier of the price; null for all tiers. */
  readonly service_tier: string | null
  /** The prices, `OverlayPrices` as JSON. They are parsed when an event first needs them. */
  readonly prices: string
  readonly effective_from_ms: number
  /** The time when the price ends, exclusive; null for no end. */
  readonly effective_to_ms: number | null
  /**
   * The author; `FEED` for a price of the feed. Prices of the operator and of customers precede prices of the feed.
   */
  readonly created_by?: string
}

/** The author of the prices that the price feed sets. */
export const FEED = 'feed'

/**
 * The prices of an overlay: prices by unit, a factor, or a list of periods. Prices and factors are decimal strings.
 * The factor multiplies every price that would apply without the overlay, for example for a negotiated discount.
 */
export type OverlayPrices =
  | { readonly units: { readonly [U in UsageUnit]?: OverlayPrice } }
  | { readonly multiplier: string }
  /**
   * The periods in the notation of the catalogue, set by the price feed. The factors of service tiers and regions
   * multiply these prices like list prices.
   */
  | { readonly list: string }

/** A price of `amount` USD for `per` units. */
export interface OverlayPrice {
  readonly amount: string
  readonly per: number
  /** The tiers that replace `amount` once total input exceeds (if inclusive: reaches) the threshold. */
  readonly tiers?: readonly OverlayTier[]
}

export interface OverlayTier {
  readonly threshold: number
  readonly inclusive: boolean
  readonly amount: string
}

/** The key of an overlay lookup. */
export interface OverlayQuery {
  readonly provider: string
  /** The model's name as the caller sent it, in lower case. */
  readonly name: string
  /**
   * The model's id in the catalogue, in lower case. A price for the id also applies to the model's aliases and dated
   * names.
   */
  readonly id: string
  /** The result of `tierOf` for the request's service tier. */
  readonly tier: string | null
  readonly at_ms: number
}

interface ProviderOverlays {
  readonly exact: Map<string, PriceOverlay[]>
  /** The overlays of each prefix, without the `*`. */
  readonly prefixes: Map<string, PriceOverlay[]>
  /** The lengths of the prefixes, longest first. A search does one lookup per length, for any number of prefixes. */
  lengths: readonly number[]
}

/** All overlays of one scope, including past and future overlays. The set is immutable. */
export class OverlaySet {
  static readonly EMPTY = new OverlaySet([])

  readonly size: number
  private readonly byId = new Map<string, PriceOverlay>()
  private readonly byProvider = new Map<string, ProviderOverlays>()
  /** The prices of the feed, by provider and model. */
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
   * Returns the overlay in force. The order of precedence is: the model's name as written, the catalogue's id, the
   * longest prefix of the name or the id. For the same model, an overlay of the exact service tier precedes an
   * overlay for all tiers.
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

  /** Returns the price of the feed that is in force at a time. `model` is the id in the catalogue, in lower case. */
  findFed(provider: string, model: string, at_ms: number): PriceOverlay | undefined {
    return this.fed.get(fedKey(provider, model))?.findLast((overlay) => holdsAt(overlay, at_ms))
  }

  /** Returns all prices of the feed that are in force at a time. */
  allFed(at_ms: number): PriceOverlay[] {
    return [...this.fed.values()].flatMap((overlays) => overlays.findLast((one) => holdsAt(one, at_ms)) ?? [])
  }

  /** Returns the sorted names of models with their own overlay for all service tiers at a time. */
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

/** Returns a pattern without its `*`. Returns an exact name unchanged. */
export function stemOf(model: string): string {
  return isPrefix(model) ? model.slice(0, -1) : model
}

/** Returns whether an overlay is in force: `effective_from` is inclusive, `effective_to` exclusive. */
export function holdsAt(overlay: PriceOverlay, at_ms: number): boolean {
  return (
    overlay.effective_from_ms <= at_ms &&
    (overlay.effective_to_ms === null || at_ms < overlay.effective_to_ms)
  )
}

/**
 * Returns the normalised name of a service tier; null without a tier and for the standard tier, which has several
 * names.
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
 * Returns the overlay in force for the tier of a query; if there is none, the overlay in force for all tiers.
 * Overlays of one model and tier never overlap in time, so at most one of each tier is in force.
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
