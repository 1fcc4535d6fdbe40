import type { UsageUnit } from '../units.ts'
import { isStandardTier, loadProvider, type ProviderRef } from './catalogue.ts'
import { plainName } from './modifiers.ts'

/**
 * A price that takes precedence over the catalogue's, as plain data: an operator's price for all customers, or a
 * customer's negotiated rate. `src/rating` stores overlays and keeps them fresh.
 */
export interface PriceOverlay {
  readonly overlay_id: string
  /** The provider whose price list this is: events of a reseller use the reseller's overlays. */
  readonly provider: string
  /** A model's name in lower case, or a prefix followed by `*`. */
  readonly model: string
  /** The only service tier that it applies to; null for all. */
  readonly service_tier: string | null
  /** `OverlayPrices` as JSON: parsed when an event first needs it. */
  readonly prices: string
  readonly effective_from_ms: number
  /** The end of its validity, exclusive. */
  readonly effective_to_ms: number | null
  /** `FEED` for a price of the feed, which the prices of the operator and of customers precede. */
  readonly created_by?: string
}

/** The author of the prices that the price feed sets. */
export const FEED = 'feed'

/**
 * Decimal strings: prices of the model, or a factor that multiplies every price that would apply without the overlay.
 * Negotiated rates have the form of a factor.
 */
export type OverlayPrices =
  | { readonly units: { readonly [U in UsageUnit]?: OverlayPrice } }
  | { readonly multiplier: string }
  /** The periods of a catalogue line, which the price feed sets: tiers and regions multiply them as list prices. */
  | { readonly list: string }

/** `amount` USD for `per` units. */
export interface OverlayPrice {
  readonly amount: string
  readonly per: number
  /** Replace `amount` once total input exceeds (if inclusive: reaches) the threshold. */
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
  /** The name that the caller sent, in lower case. */
  readonly name: string
  /** The catalogue's id of the model, in lower case: a price for it also applies to its aliases and dated names. */
  readonly id: string
  /** `tierOf` of the request. */
  readonly tier: string | null
  readonly at_ms: number
}

interface ProviderOverlays {
  readonly exact: Map<string, PriceOverlay[]>
  /** The overlays of each prefix, without the `*`. */
  readonly prefixes: Map<string, PriceOverlay[]>
  /** The lengths of the prefixes, longest first: one lookup per length, for any number of prefixes. */
  lengths: readonly number[]
}

/** All overlays of one scope, past and future ones included. Immutable. */
export class OverlaySet {
  static readonly EMPTY = new OverlaySet([])

  readonly size: number
  private readonly byId = new Map<string, PriceOverlay>()
  private readonly byProvider = new Map<string, ProviderOverlays>()
  /** Prices of the feed, by provider and model. */
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
   * Returns the overlay in force. The model decides first: the name as written, then the catalogue's id, then
   * the longest prefix of either; for one model, an overlay of the exact service tier precedes one for all
   * tiers.
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

  /** Returns the feed's price of a model of the catalogue's spelling in force at a time. */
  findFed(provider: string, model: string, at_ms: number): PriceOverlay | undefined {
    return this.fed.get(fedKey(provider, model))?.findLast((overlay) => holdsAt(overlay, at_ms))
  }

  /** Returns the prices of the feed in force at a time. */
  allFed(at_ms: number): PriceOverlay[] {
    return [...this.fed.values()].flatMap((overlays) => overlays.findLast((one) => holdsAt(one, at_ms)) ?? [])
  }

  /** Returns the model names with their own overlay for all service tiers at a time, sorted. */
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

/** Returns a pattern without its `*`; returns an exact name unchanged. */
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

/** Returns one name for a service tier in any spelling; null for the standard tier, which has several names. */
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

/** Overlays of one model and tier never overlap in time, so at most one of each tier is in force. */
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
