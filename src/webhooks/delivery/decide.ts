import type { SealedEndpoint } from '../records/endpoints.ts'
import type { Content } from './content.ts'
import type { SigningKey } from './signing.ts'
import type { Situation } from './situation.ts'

/** A delivery that must be sent now. */
export interface Ready {
  readonly kind: 'send'
  readonly endpoint: SealedEndpoint
  readonly content: Content
  readonly keys: readonly SigningKey[]
  /** The number of earlier attempts since the delivery was created or last restarted. */
  readonly made: number
  readonly has_row: boolean
}

/**
 * The reason why a delivery is not sent now. If `has_row` is true, D1 contains a row for the delivery, so the sweep
 * queues it again later.
 */
export type Unsent =
  /** The endpoint is disabled or deleted, or the notification was already deleted. */
  | { readonly kind: 'dropped'; readonly is_logged: boolean }
  /** The queue message is a repeat: the delivery has ended, or an attempt of it is running. */
  | { readonly kind: 'repeated' }
  | { readonly kind: 'early'; readonly due_at_ms: number }
  /** The endpoint has the maximum number of running attempts, or the run ended before the attempt could begin. */
  | { readonly kind: 'busy'; readonly has_row: boolean }
  /** The signing keys cannot be decrypted. The operator must check the master key in `ENCRYPTION_KEY`. */
  | { readonly kind: 'locked'; readonly has_row: boolean }

/** The tolerance for queue messages that arrive too early, in milliseconds. */
const EARLY_MS = 500

/** Decides whether a delivery from the queue is sent now. */
export function decide(
  { endpoint, state, content, keys, is_busy }: Situation,
  now_ms: number,
): Ready | Unsent {
  if (state && state.status !== 'pending') return { kind: 'repeated' }
  const has_row = state !== undefined
  // If the endpoint was deleted, the delivery is recorded as dropped only if it already has a row.
  if (!endpoint?.enabled || !content) {
    return { kind: 'dropped', is_logged: has_row || endpoint !== undefined }
  }
  if (state && state.due_at_ms !== null && state.due_at_ms > now_ms + EARLY_MS) {
    return state.in_flight ? { kind: 'repeated' } : { kind: 'early', due_at_ms: state.due_at_ms }
  }
  if (is_busy) return { kind: 'busy', has_row }
  if (keys.length === 0) return { kind: 'locked', has_row }
  return { kind: 'send', endpoint, content, keys, made: state?.made ?? 0, has_row }
}
