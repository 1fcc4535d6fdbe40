import type { Delivered, Outcome } from '../records/deliveries.ts'
import type { Unsent } from './decide.ts'

/**
 * The decision to acknowledge or to retry a queue message. The consumer applies it after it has written the rows of the
 * batch.
 */
export type Settlement = { readonly kind: 'ack' } | { readonly kind: 'retry'; readonly delay_ms: number }

const ACK: Settlement = { kind: 'ack' }

/**
 * The longest delay of a message. The sweep starts a later attempt, because a message cannot wait in a queue for
 * days.
 */
const MAX_MESSAGE_DELAY_MS = 600_000
/** The maximum number of times that a delivery without a row waits in the queue. After that, it waits in D1. */
const MAX_BUSY_REPEATS = 5
const BUSY_DELAY_MS = 5_000
const PARKED_MS = 60_000

/**
 * Settles the message of a delivery. If the delivery is due within ten minutes, the queue delivers the message again
 * at that time. Otherwise, the message is acknowledged, and the sweep queues the delivery when it is due.
 */
export function settleDue(due_at_ms: number | null, now_ms: number): Settlement {
  if (due_at_ms === null || due_at_ms - now_ms > MAX_MESSAGE_DELAY_MS) return ACK
  return { kind: 'retry', delay_ms: Math.max(0, due_at_ms - now_ms) }
}

/** Settles a message that was not sent. `outcome` is the row to write before the settlement. */
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
