import { timeJson } from '../../http/input/times.ts'
import { invalid, type Refusal } from '../../ledger/model/refusal.ts'
import { findModel, type ProviderRef } from '../../pricing/catalogue/catalogue.ts'
import { FEED, isPrefix, type OverlayPrices, stemOf } from '../../pricing/catalogue/overlay.ts'
import { DAY_MS } from '../../time/durations.ts'
import { MAX_OVERLAYS, type StoredOverlay } from './store.ts'

/** A requested price that is not stored yet. */
export interface OverlayDraft {
  readonly provider: ProviderRef
  /** The model's name in lower case, or a prefix followed by `*`. */
  readonly model: string
  /** The requested service tier, as `tierOf` returns it; null for all tiers. */
  readonly service_tier: string | null
  readonly prices: OverlayPrices
  /** The time from which the price applies; undefined if it applies from now on. */
  readonly effective_from_ms: number | undefined
  readonly effective_to_ms: number | null
}

export type Plan =
  | {
      readonly kind: 'add'
      readonly effective_from_ms: number
      /** The overlay that ends when this overlay begins; undefined if there is none. */
      readonly closes: StoredOverlay | undefined
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/**
 * The maximum time by which the start of a price can precede its creation. It equals the maximum age of an event, so
 * that every recent unrated event can get a price.
 */
export const MAX_BACKDATING_MS = 35 * DAY_MS
export const MAX_AHEAD_MS = 366 * DAY_MS

/** Returns whether a requested price starts in the past. The earlier prices of the model must then be checked. */
export function isBackdated(draft: OverlayDraft, now_ms: number): boolean {
  return draft.effective_from_ms !== undefined && draft.effective_from_ms < now_ms
}

/**
 * Decides whether a price can be added, and which price it ends. Overlays of the same scope, model and tier must not
 * overlap in time. If an overlay is in force when the new overlay begins, the earlier overlay ends at this time. If
 * another overlay begins while the new overlay is in force, returns a conflict. `own` contains the overlays of the
 * price's scope. The new overlay takes precedence over the price feed's overlays among them, so it can overlap them,
 * except in the past. `below` contains the operator's overlays if a customer's price begins in the past; otherwise it
 * is empty.
 */
export function planOverlay(
  draft: OverlayDraft,
  own: readonly StoredOverlay[],
  below: readonly StoredOverlay[],
  now_ms: number,
): Plan {
  const from_ms = draft.effective_from_ms ?? now_ms
  const wrong = wrongTime(draft, from_ms, now_ms)
  if (wrong !== undefined) return { kind: 'refused', refusal: wrong }
  if (own.length >= MAX_OVERLAYS)
    return conflict(`No more prices can be added, because the maximum of ${MAX_OVERLAYS} prices is reached.`)
  const past = from_ms < now_ms ? pastPrice(draft, from_ms, now_ms, [...own, ...below]) : undefined
  if (past !== undefined) return past
  const same = own.filter(
    ({ provider, model, service_tier, created_by }) =>
      created_by !== FEED &&
      provider === draft.provider.id &&
      model === draft.model &&
      service_tier === draft.service_tier,
  )
  const later = same.find(
    (other) => other.effective_from_ms >= from_ms && beginsBefore(other, draft.effective_to_ms),
  )
  if (later !== undefined) {
    return conflict(
      `The price would overlap ${later.overlay_id}, which applies to the same model from ${timeJson(later.effective_from_ms)}. ` +
        'Use an effective_from after this time, or an effective_to at or before this time.',
    )
  }
  return {
    kind: 'add',
    effective_from_ms: from_ms,
    closes: same.find((other) => other.effective_from_ms < from_ms && endsAfter(other, from_ms)),
  }
}

function wrongTime(draft: OverlayDraft, from_ms: number, now_ms: number): Refusal | undefined {
  const { effective_to_ms } = draft
  if (from_ms < now_ms - MAX_BACKDATING_MS) {
    return invalid([{ path: '/effective_from', message: 'must be at most 35 days in the past' }])
  }
  if (from_ms > now_ms + MAX_AHEAD_MS) {
    return invalid([{ path: '/effective_from', message: 'must be at most 366 days in the future' }])
  }
  if (effective_to_ms !== null && effective_to_ms <= from_ms) {
    const of = draft.effective_from_ms === undefined ? 'now, because the price begins now' : 'effective_from'
    return invalid([{ path: '/effective_to', message: `must be after ${of}` }])
  }
  if (from_ms < now_ms && ('multiplier' in draft.prices || isPrefix(draft.model))) {
    const message =
      'must not be in the past for a multiplier or a prefix; only unit prices of an exact model may begin in the past'
    return invalid([{ path: '/effective_from', message }])
  }
  return undefined
}

/**
 * Returns a conflict if a requested price begins in the past and the model already had a price then. Otherwise, two
 * equal events could cost different amounts, depending on when they were rated. Returns undefined if the model had no
 * price. The new price can then rate the unrated events of the model.
 */
function pastPrice(
  { provider, model, service_tier, effective_to_ms }: OverlayDraft,
  from_ms: number,
  now_ms: number,
  overlays: readonly StoredOverlay[],
): Plan | undefined {
  if (findModel(provider, model) !== undefined) {
    return conflict(
      `The catalogue has prices for ${model}, so a new price cannot begin in the past. Leave out effective_from to begin now.`,
    )
  }
  const until_ms = Math.min(now_ms, effective_to_ms ?? now_ms)
  const other = overlays.find(
    (one) =>
      one.provider === provider.id &&
      (isPrefix(one.model) ? model.startsWith(stemOf(one.model)) : one.model === model) &&
      (one.service_tier === null || service_tier === null || one.service_tier === service_tier) &&
      beginsBefore(one, until_ms) &&
      endsAfter(one, from_ms),
  )
  if (other === undefined) return undefined
  return conflict(
    `The price ${other.overlay_id} applies to ${model} from ${timeJson(other.effective_from_ms)}. Rated events keep their price, so a new price for past events must not overlap this price. ` +
      'Leave out effective_from to begin now.',
  )
}

function beginsBefore(overlay: StoredOverlay, at_ms: number | null): boolean {
  return at_ms === null || overlay.effective_from_ms < at_ms
}

function endsAfter(overlay: StoredOverlay, at_ms: number): boolean {
  return overlay.effective_to_ms === null || overlay.effective_to_ms > at_ms
}

function conflict(detail: string): Plan {
  return { kind: 'refused', refusal: { code: 'conflict', detail } }
}
