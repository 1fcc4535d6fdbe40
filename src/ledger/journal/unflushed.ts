import { memoryOf } from '../../db/json-parameters.ts'
import type { LedgerStore } from '../commit/store.ts'
import type { Entry, EventRecord } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { EntriesMessage, EntriesResult, EntryFilter, EventFilter } from '../model/messages/ledger.ts'
import { MAX_EVENT_AHEAD_MS } from '../model/vocabulary.ts'
import { walletKey } from '../model/wallet.ts'
import { unpackRow } from './packing.ts'

/** The maximum number of journal rows that one read parses. The next page continues after them. */
const MAX_ROWS_READ = 64
/**
 * The total memory of the rows' texts, in bytes, after which a read ends. The parsed rows take additional memory.
 */
const MAX_MEMORY_READ = 4_000_000

/** Returns a page of the unflushed entries that match the filter, newest first. */
export function readUnflushed(store: LedgerStore, ids: LedgerIds, message: EntriesMessage): EntriesResult {
  const { filter, limit } = message
  const before_entry = message.before_entry ?? store.counters.entry + 1
  const flushed_entry = store.journal.flushedEntry()
  const wallet_number = filter.owner ? (store.wallet(walletKey(filter.owner))?.number ?? null) : null
  const entries: Entry[] = []
  const arrived_from_ms = arrivedFrom(filter)
  let reached_entry = before_entry
  let rows_left = MAX_ROWS_READ
  let memory_left = MAX_MEMORY_READ
  let is_cut = false
  rows: for (const row of store.journal.unflushedBefore(before_entry)) {
    if (entries.length >= limit) break
    is_cut = rows_left === 0 || memory_left <= 0
    if (is_cut) break
    rows_left -= 1
    memory_left -= memoryOf(row.body)
    for (const record of unpackRow(row.format, row.body).reverse()) {
      if (record.kind !== 'entry' || record.number >= before_entry) continue
      if (entries.length >= limit) break
      if (record.at_ms < arrived_from_ms) {
        reached_entry = NO_OLDER_ENTRY
        break rows
      }
      reached_entry = record.number
      if (matches(record, filter, wallet_number)) entries.push(record)
    }
  }
  if (!is_cut && entries.length < limit && reached_entry !== NO_OLDER_ENTRY) {
    reached_entry = flushed_entry + 1
  }
  return {
    kind: 'done',
    answer: {
      entries,
      reached_entry,
      flushed_entry,
      wallet_number,
      tag: ids.tag,
      opened_at_ms: ids.opened_at_ms,
    },
  }
}

/** The value of `reached_entry` if all older entries are too old for the filter. */
export const NO_OLDER_ENTRY = 0

/** The maximum difference between the ledger's clock and the clock that checked an event's time. */
const CLOCKS_APART_MS = 60_000

/**
 * Returns the commit time before which no entry can match the filter. The list ends there, because entries are in the
 * order of their commits. An entry never takes effect later than its commit, but an event can arrive before its own
 * timestamp.
 */
export function arrivedFrom({ from_ms, event }: EntryFilter): number {
  if (from_ms === undefined) return 0
  return event ? from_ms - MAX_EVENT_AHEAD_MS - CLOCKS_APART_MS : from_ms
}

/**
 * Reports whether a list with this filter shows the entry. `wallet_number` is the number of the wallet of the filter's
 * owner.
 */
export function matches(entry: Entry, filter: EntryFilter, wallet_number: number | null): boolean {
  if (filter.owner && entry.wallet !== wallet_number) return false
  if (filter.type && entry.type !== filter.type) return false
  if (filter.event && !matchesEvent(entry.event, filter.event)) return false
  const at_ms =
    filter.event && entry.event ? entry.event.timestamp_ms : (entry.effective_at_ms ?? entry.at_ms)
  if (filter.from_ms !== undefined && at_ms < filter.from_ms) return false
  return filter.to_ms === undefined || at_ms < filter.to_ms
}

function matchesEvent(event: EventRecord | undefined, filter: EventFilter): boolean {
  // An entry that rates an event late is not an event itself.
  if (!event || event.rerates) return false
  return (
    (filter.user_id === undefined || event.user_id === filter.user_id) &&
    (filter.team_id === undefined || event.team_id === filter.team_id) &&
    (filter.key_id === undefined || event.key_id === filter.key_id) &&
    (filter.feature_id === undefined || event.feature_id === filter.feature_id) &&
    (filter.provider === undefined || event.provider === filter.provider) &&
    (filter.model === undefined || event.model === filter.model) &&
    (filter.event_type === undefined || event.event_type === filter.event_type) &&
    (filter.unrated === undefined || (event.unrated ?? false) === filter.unrated)
  )
}
