import { type BoundedWindow, windowOf } from '../../time/windows.ts'
import type { Counters, Draft, NewEntry } from '../commit/draft.ts'
import type { Refusal } from '../model/refusal.ts'
import type { BurnContext } from './burn.ts'

/**
 * The quota of a customer's tier: events that a ledger accepts in a UTC month, by arrival. The count is one of the ledger's
 * counters, written with the entry of the event in one transaction, so it is exact whatever happens in between.
 */

/** What a month's commits have counted, as the next one begins: nothing when it falls into another month. */
export function eventsInMonth({ at_ms, month_events }: Counters, now_ms: number): number {
  return monthOf(now_ms).start_ms <= at_ms ? month_events : 0
}

/** An entry that rates an event late is not one more event; a void or a refund makes none undone. */
export function isAcceptedEvent({ type, event }: NewEntry): boolean {
  return type === 'BURN' && event !== undefined && !event.rerates
}

/** The refusal of one more event; undefined while there is room for it. */
export function overQuota(draft: Draft, { events_a_month }: BurnContext): Refusal | undefined {
  const { at_ms, month_events } = draft.counters
  if (events_a_month === null || month_events < events_a_month) return undefined
  return { code: 'quota_exceeded', limit: events_a_month, resets_at_ms: monthOf(at_ms).end_ms }
}

function monthOf(at_ms: number): BoundedWindow {
  return windowOf('MONTHLY', null, at_ms)
}
