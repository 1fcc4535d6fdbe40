import type { Bindings } from '../bindings.ts'
import { readUnrated } from '../ledger/client/client.ts'
import { matches } from '../ledger/journal/unflushed.ts'
import type { Caller } from '../ledger/model/account.ts'
import type { Entry } from '../ledger/model/journal.ts'
import { LedgerIds, tagOf } from '../ledger/model/ledger-ids.ts'
import type { EventFilter } from '../ledger/model/messages/ledger.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { amend, withAmendments } from '../projection/read/amendments.ts'
import { type EntriesExport, exportEntries } from '../projection/read/export-entries.ts'
import { type EntriesPage, listEntries } from '../projection/read/list-entries.ts'

export interface EventsQuery {
  readonly ledger: LedgerName
  readonly caller: Caller
  readonly event: EventFilter
  /** The range of event times: `from_ms` inclusive, `to_ms` exclusive. */
  readonly from_ms: number | undefined
  readonly to_ms: number | undefined
  readonly before_entry: number | null
  readonly limit: number
}

/** Lists recorded events in their current state, newest arrival first. Returns the refusal if the ledger refuses. */
export async function listEvents(env: Bindings, query: EventsQuery): Promise<EntriesPage | Refused> {
  if (query.event.unrated === true) return listUnrated(env, query)
  const { unrated, ...event } = query.event
  const { ledger, caller, from_ms, to_ms, before_entry, limit } = query
  // Pages contain events as they were recorded. Some of these events were rated later, so the filter `unrated` applies
  // only after `withAmendments`.
  const page = await listEntries(env, {
    ledger,
    caller,
    filter: { event, from_ms, to_ms },
    before_entry,
    limit,
  })
  if (page.kind === 'refused') return page
  const entries = await withAmendments(env, query, page.entries)
  return { ...page, entries: unrated === false ? entries.filter((entry) => !entry.event?.unrated) : entries }
}

/**
 * Exports recorded events in their current state. Returns the refusal if the ledger refuses. The export fails if the
 * ledger does not return the later ratings of its events, because it must not show a rated event as unrated.
 */
export async function exportEvents(
  env: Bindings,
  query: Omit<EventsQuery, 'limit'>,
): Promise<EntriesExport | Refused> {
  const { ledger, caller, from_ms, to_ms, before_entry } = query
  const { unrated, ...event } = query.event
  const found = await exportEntries(env, { ledger, caller, filter: { event, from_ms, to_ms }, before_entry })
  if (found.kind === 'refused') return found
  return { ...found, chunks: amended(env, query, found.chunks, unrated === false) }
}

async function* amended(
  env: Bindings,
  from: Pick<EventsQuery, 'ledger' | 'caller'>,
  chunks: AsyncIterable<readonly Entry[]>,
  only_rated: boolean,
): AsyncGenerator<readonly Entry[]> {
  for await (const chunk of chunks) {
    const entries = await amend(env, from, chunk)
    if ('kind' in entries)
      throw new Error(`the ledger did not return the later ratings of events: ${entries.refusal.code}`)
    yield only_rated ? entries.filter((entry) => !entry.event?.unrated) : entries
  }
}

/**
 * Lists events without a price. Reads them from the ledger object, which keeps a list of them. Returns the refusal if
 * the ledger object refuses.
 */
async function listUnrated(env: Bindings, query: EventsQuery): Promise<EntriesPage | Refused> {
  const { ledger, caller, event, from_ms, to_ms, before_entry, limit } = query
  const result = await readUnrated(env, ledger, { caller, before_entry, limit, amended: [] })
  if (result.kind === 'refused') return result
  const { events, next_before_entry, opened_at_ms } = result.answer
  return {
    kind: 'done',
    entries: events.filter((entry) => matches(entry, { event, from_ms, to_ms }, null)),
    next_before_entry,
    ids: new LedgerIds(tagOf(ledger), opened_at_ms),
  }
}
