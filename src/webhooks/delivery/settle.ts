import type { Delivered, Outcome } from '../records/deliveries.ts'
import type { Unsent } from './decide.ts'

/**
 * The decision to acknowledge or to retry a queue message. The consumer carries it out after it has written the rows of
 * the batch.
 */
export type Settlement = { readonly kind: 'ack' } | { readonly kind: 'retry'; readonly delay_ms: number }

const ACK: Settlement = { kind: 'ack' }

/**
 * The longest delay of a queue message, in milliseconds. A message cannot wait in the queue for days, so the sweep
 * queues deliveries with a longer delay.
 */
const MAX_MESSAGE_DELAY_MS = 600_000
/**
 * The maximum number of times that a delivery to a busy endpoint waits in the queue, if it has no row yet. After that,
 * it gets a row and waits in D1.
 */
const MAX_BUSY_REPEATS = 5
const BUSY_DELAY_MS = 5_000
const PARKED_MS = 60_000

/**
 * Returns the settlement for a delivery that is due at `due_at_ms`. If this time is within ten minutes, the queue
 * delivers the message again then. Otherwise, the message is acknowledged, and the sweep queues the delivery when it is
 * due. If `due_at_ms` is null, the delivery has ended, and the message is acknowledged.
 */
export function settleDue(due_at_ms: number | null, now_ms: number): Settlement {
  if (due_at_ms === null || due_at_ms - now_ms > MAX_MESSAGE_DELAY_MS) return ACK
  return { kind: 'retry', delay_ms: Math.max(0, due_at_ms - now_ms) }
}

/**
 * Returns the settlement for a delivery that is not sent now. If `outcome` is set, the caller must write it to D1
 * before it settles the message.
 */
export function settleUnsent(
  unsent: Unsent,
  {
    delivered,
    tries,
    now_ms,
  }: { readonly delivered: Delivered; readonly tries: number; readonly now_ms: number },
): { readonly settlement: Settlement; readonly outcome?: Outcome } {
  const row = { ...delivered, made: 0, in_flight: false }
  switch (unsent.kind) {
    case 'repeated':
      return { settlement: ACK }
    case 'dropped':
      return unsent.is_logged
        ? { settlement: ACK, outcome: { ...row, status: 'dropped', due_at_ms: null } }
        : { settlement: ACK }
    case 'early':
      return { settlement: settleDue(unsent.due_at_ms, now_ms) }
    case 'busy':
      if (!unsent.has_row && tries <= MAX_BUSY_REPEATS) {
        return { settlement: { kind: 'retry', delay_ms: BUSY_DELAY_MS * 2 ** (tries - 1) } }
      }
      return parked(unsent, row, now_ms)
    case 'locked':
      return parked(unsent, row, now_ms)
  }
}

function parked(
  { has_row }: { readonly has_row: boolean },
  row: Omit<Outcome, 'status' | 'due_at_ms'>,
  now_ms: number,
): ReturnType<typeof settleUnsent> {
  if (has_row) return { settlement: ACK }
  return { settlement: ACK, outcome: { ...row, status: 'pending', due_at_ms: now_ms + PARKED_MS } }
}

export function settle(message: Message, settlement: Settlement): void {
  if (settlement.kind === 'ack') message.ack()
  else message.retry({ delaySeconds: Math.ceil(settlement.delay_ms / 1_000) })
}
