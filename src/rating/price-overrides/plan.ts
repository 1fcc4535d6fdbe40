import { timeJson } from '../../http/input/times.ts'
import { invalid, type Refusal } from '../../ledger/model/refusal.ts'
import { findModel, type ProviderRef } from '../../pricing/catalogue/catalogue.ts'
import { isPrefix, type OverlayPrices, stemOf } from '../../pricing/catalogue/overlay.ts'
import { DAY_MS } from '../../time/durations.ts'
import { MAX_OVERLAYS, type StoredOverlay } from './store.ts'

/** A requested price, with the time from which it applies. */
export interface OverlayDraft {
  readonly provider: ProviderRef
  /** A name in lower case, or a prefix followed by `*`. */
  readonly model: string
  /** `tierOf` of the requested tier. */
  readonly service_tier: string | null
  readonly prices: OverlayPrices
  /** The time from which the price applies. Default: now. */
  readonly effective_from_ms: number | undefined
  readonly effective_to_ms: number | null
}

export type Plan =
  | {
      readonly kind: 'add'
      readonly effective_from_ms: number
      /** The overlay that ends where this one begins. */
      readonly closes: StoredOverlay | undefined
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** The same as the greatest age of an event, so that every unrated event can get a price. */
export const MAX_BACKDATING_MS = 35 * DAY_MS
export const MAX_AHEAD_MS = 366 * DAY_MS

/** Returns whether a price starts in the past; then the earlier prices of the model must be checked. */
export function isBackdated(draft: OverlayDraft, now_ms: number): boolean {
  return draft.effective_from_ms !== undefined && draft.effective_from_ms < now_ms
}

/**
 * Plans the addition of a price. `own` are the overlays of its scope; `below` are the operator's if a customer's price
 * begins in the past, else empty. Overlays of one model and tier never overlap: the one in force when the new one begins
 * ends there, and one that begins later is a conflict.
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
  if (own.length >= MAX_OVERLAYS) return conflict(`There are ${MAX_OVERLAYS} prices, which is the limit.`)
  const past = from_ms < now_ms ? pastPrice(draft, from_ms, now_ms, [...own, ...below]) : undefined
  if (past !== undefined) return past
  const same = own.filter(
    ({ provider, model, service_tier }) =>
      provider === draft.provider.id && model === draft.model && service_tier === draft.service_tier,
  )
  const later = same.find(
    (other) => other.effective_from_ms >= from_ms && beginsBefore(other, draft.effective_to_ms),
  )
  if (later !== undefined) {
    return conflict(
      `The price would overlap ${later.overlay_id}, which applies to the same model from ${timeJson(later.effective_from_ms)}. ` +
        'Begin after that, or end before it with effective_to.',
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
    return invalid([{ path: '/effective_from', message: 'must be at most 35 days back' }])
  }
  if (from_ms > now_ms + MAX_AHEAD_MS) {
    return invalid([{ path: '/effective_from', message: 'must be at most 366 days ahead' }])
  }
  if (effective_to_ms !== null && effective_to_ms <= from_ms) {
    const of = draft.effective_from_ms === undefined ? 'now, which is when it begins' : 'effective_from'
    return invalid([{ path: '/effective_to', message: `must be after ${of}` }])
  }
  if (from_ms < now_ms && ('multiplier' in draft.prices || isPrefix(draft.model))) {
    const message =
      'may be in the past only for prices of one model by its exact name, not for a multiplier or a prefix; leave it out for now'
    return invalid([{ path: '/effective_from', message }])
  }
  return undefined
}

/**
 * Refuses a price in the past for a model that had a price then, because the same event would cost different amounts
 * before and after. A model without one may get one, so that its unrated events can be rated.
 */
function pastPrice(
  { provider, model, service_tier, effective_to_ms }: OverlayDraft,
  from_ms: number,
  now_ms: number,
  overlays: readonly StoredOverlay[],
): Plan | undefined {
  if (findModel(provider, model) !== undefined) {
    return conflict(
      `The catalogue has prices for ${model}, so a new one cannot begin in the past. Leave effective_from out to begin now.`,
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
    `${other.overlay_id} has priced ${model} since ${timeJson(other.effective_from_ms)}, and the events that it priced keep their price. ` +
      'Leave effective_from out to begin now.',
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
