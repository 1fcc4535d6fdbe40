import type { UsageUnit } from '../units.ts'
import { isStandardTier, loadProvider, type ProviderRef } from './catalogue.ts'
import { plainName } from './modifiers.ts'

/**
 * Prices that stand over the catalogue's, as plain data: an operator's for everybody, or a customer's own, its
 * negotiated rates. Pure; where they are kept and how fresh they are is `src/rating`'s business.
 */
export interface PriceOverlay {
  readonly overlay_id: string
  /** Whose price list this is: events of a reseller follow the reseller's overlays. */
  readonly provider: string
  /** In lower case: a model's name, or the beginning of names and `*`. */
  readonly model: string
  /** The only service tier that it is for; null for all. */
  readonly service_tier: string | null
  /** `OverlayPrices` as JSON: read when an event first needs it. */
  readonly prices: string
  readonly effective_from_ms: number
  /** The first moment at which it no longer holds. */
  readonly effective_to_ms: number | null
}

/** Prices of its own, or a factor on every price below it: the form that negotiated rates have. Decimal strings. */
export type OverlayPrices =
  | { readonly units: { readonly [U in UsageUnit]?: OverlayPrice } }
  | { readonly multiplier: string }

/** `amount` USD for `per` units. */
export interface OverlayPrice {
  readonly amount: string
  readonly per: number
  /** `amount` instead once total input is above (inclusive: at least) the threshold. */
  readonly tiers?: readonly OverlayTier[]
}

export interface OverlayTier {
  readonly threshold: number
  readonly inclusive: boolean
  readonly amount: string
}

/** What an overlay is looked up by. */
export interface OverlayQuery {
  readonly provider: string
  /** As the caller wrote it, in lower case. */
  readonly name: string
  /** The catalogue's id of the model, in lower case: a price for it holds for its aliases and dated names too. */
  readonly id: string
  /** `tierOf` of the request. */
  readonly tier: string | null
  readonly at_ms: number
}

interface ProviderOverlays {
  readonly exact: Map<string, PriceOverlay[]>
  /** By the beginning that they stand for. */
  readonly prefixes: Map<string, PriceOverlay[]>
  /** How long the beginnings are, longest first: as many lookups as there are lengths, however many prefixes. */
  lengths: readonly number[]
}

/** All overlays of one scope, those of the past and the future too. Never changes. */
export class OverlaySet {
  static readonly EMPTY = new OverlaySet([])

  readonly size: number
  private readonly byId = new Map<string, PriceOverlay>()
  private readonly byProvider = new Map<string, ProviderOverlays>()

  constructor(overlays: readonly PriceOverlay[]) {
    this.size = overlays.length
    for (const overlay of overlays) {
      this.byId.set(overlay.overlay_id, overlay)
      add(this.ofProvider(overlay.provider), overlay)
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
   * The overlay in force. The model decides first: the name as written, then the catalogue's id, then the longest
   * beginning of either; of one model's, an overlay of the very service tier comes before one for all tiers.
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

  /** The names that have an overlay of their own for all service tiers at a time, sorted. */
  modelsOf(provider: string, at_ms: number): string[] {
    const exact = this.byProvider.get(provider)?.exact ?? []
    return [...exact]
      .filter(([, overlays]) => overlays.some((one) => one.service_tier === null && holdsAt(one, at_ms)))
      .map(([model]) => model)
      .sort()
  }

  private ofProvider(provider: string): ProviderOverlays {
    const known = this.byProvider.get(provider)
    if (known !== undefined) return known
    const fresh: ProviderOverlays = { exact: new Map(), prefixes: new Map(), lengths: [] }
    this.byProvider.set(provider, fresh)
    return fresh
  }
}

export function isPrefix(model: string): boolean {
  return model.endsWith('*')
}

/** The beginning that a prefix stands for; of an exact name, the name. */
export function stemOf(model: string): string {
  return isPrefix(model) ? model.slice(0, -1) : model
}

/** `effective_from` belongs to it, `effective_to` does not. */
export function holdsAt(overlay: PriceOverlay, at_ms: number): boolean {
  return (
    overlay.effective_from_ms <= at_ms &&
    (overlay.effective_to_ms === null || at_ms < overlay.effective_to_ms)
  )
}

/** One name for a service tier however it is written, null for the standard one: providers have several names for it. */
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

/** Overlays of one model and tier never overlap in time, so at most one of each tier fits. */
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
