import type { SealedEndpoint } from '../records/endpoints.ts'
import type { Content } from './content.ts'
import type { SigningKey } from './signing.ts'
import type { Situation } from './situation.ts'

/** A delivery that can be sent now. */
export interface Ready {
  readonly kind: 'send'
  readonly endpoint: SealedEndpoint
  readonly content: Content
  readonly keys: readonly SigningKey[]
  /** The number of attempts made so far. */
  readonly made: number
  readonly has_row: boolean
}

/**
 * The reason why a delivery is not sent now. If `has_row` is true, D1 has the delivery, and the sweep queues it
 * again.
 */
export type Unsent =
  /** The endpoint is disabled or deleted, or the notification is too old. */
  | { readonly kind: 'dropped'; readonly is_logged: boolean }
  /** The message is a repeat, because the delivery has ended or another run works on it. */
  | { readonly kind: 'repeated' }
  | { readonly kind: 'early'; readonly due_at_ms: number }
  /** The endpoint has its maximum number of running attempts. */
  | { readonly kind: 'busy'; readonly has_row: boolean }
  /** No master key can decrypt the signing keys. The operator must set the right master key. */
  | { readonly kind: 'locked'; readonly has_row: boolean }

/** The tolerance for messages that the queue delivers a little too early. */
const EARLY_MS = 500

/** Decides whether a delivery of the queue is sent now. */
export function decide(
  { endpoint, state, content, keys, is_busy }: Situation,
  now_ms: number,
): Ready | Unsent {
  if (state && state.status !== 'pending') return { kind: 'repeated' }
  const has_row = state !== undefined
  // A delivery to a deleted endpoint is logged only if the log has it already.
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
