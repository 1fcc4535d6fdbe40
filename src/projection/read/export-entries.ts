import type { Bindings } from '../../bindings.ts'
import { type PortionLimits, portionsOf } from '../../db/json-parameters.ts'
import { ledgerDb, ledgerKey } from '../../db/ledger-db.ts'
import { readEntries, readProjectionState } from '../../ledger/client/client.ts'
import { arrivedFrom, matches, NO_OLDER_ENTRY } from '../../ledger/journal/unflushed.ts'
import type { Entry } from '../../ledger/model/journal.ts'
import { LedgerIds } from '../../ledger/model/ledger-ids.ts'
import type { EntriesAnswer } from '../../ledger/model/messages/ledger.ts'
import type { Refused } from '../../ledger/model/refusal.ts'
import { type EntriesQuery, unpackNewestFirst } from './list-entries.ts'
import { indexPages, type PageIndexRow, readPagesOf } from './page-rows.ts'

/** The query of an export. It has no `limit`, because the caller cannot limit an export. */
export type ExportQuery = Omit<EntriesQuery, 'limit'>

export interface EntriesExport {
  readonly kind: 'done'
  readonly ids: LedgerIds
  /**
   * The `before_entry` of the next export; null if no older entry can match the query. It is known before the chunks
   * are read.
   */
  readonly next_before_entry: number | null
  /**
   * The entries, newest first. Throws if the ledger or D1 cannot be read, so that an incomplete export never appears
   * complete.
   */
  readonly chunks: AsyncGenerator<readonly Entry[]>
}

/**
 * The maximum number of entries and of D1 pages in one export, before filters. An export can exceed a maximum by one
 * flush. With these limits, an export makes about 300 subrequests. The platform allows 1,000 for one request.
 */
export const EXPORT_ENTRIES = 20_000
const EXPORT_PAGES = 2_000
/**
 * The maximum number of D1 pages in the range of an export. It is not reached: each entry adds at most one page, and
 * entries that are flushed during the export add at most the rest of one flush.
 */
const MAX_ROWS = 2 * (EXPORT_ENTRIES + EXPORT_PAGES)
/** The maximum number of entries in one read from the object. A read also ends after 64 rows or 4 MB of rows. */
const ENTRIES_A_READ = 500
/**
 * The limits of one read of pages from D1. A read always contains at least all pages of one flush, even above the
 * limits.
 */
const READ_LIMITS: PortionLimits = { bytes: 2_000_000, items: 64 }

/**
 * Exports entries, newest first. Returns a refusal if the ledger refuses a call. Like `listEntries`, it misses and
 * repeats no entry and includes unflushed entries. It first determines the range of entry numbers from the columns of
 * the pages, without their bodies, and then reads the range in chunks.
 */
export async function exportEntries(
  env: Bindings,
  query: ExportQuery,
  bounds = { entries: EXPORT_ENTRIES, pages: EXPORT_PAGES },
): Promise<EntriesExport | Refused> {
  const { ledger, caller, filter } = query
  const state = await readProjectionState(env, ledger, { caller, with_wallets: false })
  if (state.kind === 'refused') return state
  const newest = state.answer.last_entry
  const before_entry = Math.min(query.before_entry ?? newest + 1, newest + 1)
  const first = await readEntries(env, ledger, { caller, filter, before_entry, limit: ENTRIES_A_READ })
  if (first.kind === 'refused') return first
  const { wallet_number, flushed_entry, tag, opened_at_ms } = first.answer
  const ids = new LedgerIds(tag, opened_at_ms)
  if (filter.owner && wallet_number === null) {
    return { kind: 'done', ids, next_before_entry: null, chunks: nothing() }
  }
  const unflushed = Math.max(0, before_entry - 1 - flushed_entry)
  const range =
    first.answer.reached_entry === NO_OLDER_ENTRY
      ? { lowest_entry: Math.min(before_entry, flushed_entry + 1), more: false }
      : unflushed >= bounds.entries
        ? { lowest_entry: before_entry - bounds.entries, more: true }
        : await flushedRange(env, query, first.answer, before_entry, {
            entries: bounds.entries - unflushed,
            pages: bounds.pages,
          })
  const { lowest_entry, more } = range
  return {
    kind: 'done',
    ids,
    next_before_entry: more && lowest_entry > 1 ? lowest_entry : null,
    chunks: chunksOf(env, query, { first: first.answer, before_entry, lowest_entry }),
  }
}

async function* nothing(): AsyncGenerator<readonly Entry[]> {}

interface Range {
  readonly lowest_entry: number
  /** True if older entries below the range could also match. */
  readonly more: boolean
}

/**
 * Returns a range of flushed entries below `before_entry`. The range starts at the beginning of a flush, so it can
 * exceed `bounds` by one flush.
 */
async function flushedRange(
  env: Bindings,
  query: ExportQuery,
  { flushed_entry, wallet_number }: EntriesAnswer,
  before_entry: number,
  bounds: { readonly entries: number; readonly pages: number },
): Promise<Range> {
  const start = Math.min(before_entry, flushed_entry + 1)
  const rows = await indexPages(ledgerDb(env, query.ledger.customer_id), {
    ledger_id: ledgerKey(query.ledger),
    wallet_number,
    before_entry: start,
    from_entry: 0,
    to_ms: query.filter.to_ms,
    rows: bounds.pages + 1,
  })
  const arrived_from_ms = arrivedFrom(query.filter)
  let lowest_entry = start
  let entries = 0
  for (const [index, { flush_entry, entry_count, last_at_ms }] of rows.entries()) {
    if (last_at_ms < arrived_from_ms) return { lowest_entry, more: false }
    const is_next_flush = flush_entry !== lowest_entry
    if (index > 0 && is_next_flush && (entries >= bounds.entries || index >= bounds.pages)) {
      return { lowest_entry, more: true }
    }
    lowest_entry = flush_entry
    entries += entry_count
  }
  return { lowest_entry, more: rows.length > bounds.pages }
}

interface Part {
  readonly first: EntriesAnswer
  readonly before_entry: number
  readonly lowest_entry: number
}

async function* chunksOf(
  env: Bindings,
  query: ExportQuery,
  { first, before_entry: start, lowest_entry }: Part,
): AsyncGenerator<readonly Entry[]> {
  const { ledger, caller, filter } = query
  let answer = first
  let before_entry = start
  for (;;) {
    yield answer.entries.filter(({ number }) => number >= lowest_entry)
    if (answer.reached_entry === NO_OLDER_ENTRY) return
    // `reached_entry` is higher than `before_entry` if the entries below `before_entry` were flushed since the last
    // read. D1 then contains all of them.
    before_entry = Math.min(before_entry, answer.reached_entry)
    if (before_entry <= lowest_entry) return
    if (before_entry <= answer.flushed_entry + 1) break
    const next = await readEntries(env, ledger, { caller, filter, before_entry, limit: ENTRIES_A_READ })
    if (next.kind === 'refused') throw new Error(`the ledger refused to list entries: ${next.refusal.code}`)
    answer = next.answer
  }
  yield* flushedChunks(env, query, { first: answer, before_entry, lowest_entry })
}

async function* flushedChunks(
  env: Bindings,
  { ledger, filter }: ExportQuery,
  { first: { wallet_number }, before_entry, lowest_entry }: Part,
): AsyncGenerator<readonly Entry[]> {
  const db = ledgerDb(env, ledger.customer_id)
  const ledger_id = ledgerKey(ledger)
  const { to_ms } = filter
  const rows = await indexPages(db, {
    ledger_id,
    wallet_number,
    before_entry,
    from_entry: lowest_entry,
    to_ms,
    rows: MAX_ROWS,
  })
  if (rows.length === MAX_ROWS) throw new Error(`an export has ${MAX_ROWS} pages or more`)
  const arrived_from_ms = arrivedFrom(filter)
  const flushes = [...Map.groupBy(rows, ({ flush_entry }) => flush_entry).values()]
  for (const portion of portionsOf(flushes, bytesOf, READ_LIMITS)) {
    const flush_entries = portion.flatMap(([page]) => page?.flush_entry ?? [])
    const pages = await readPagesOf(db, { ledger_id, wallet_number, flush_entries })
    const recent = pages.filter(({ last_at_ms }) => last_at_ms >= arrived_from_ms)
    const entries = await unpackNewestFirst(db, ledger_id, recent)
    yield entries.filter(
      (entry) =>
        entry.number < before_entry && entry.number >= lowest_entry && matches(entry, filter, wallet_number),
    )
  }
}

function bytesOf(pages: readonly PageIndexRow[]): number {
  return pages.reduce((sum, { bytes }) => sum + bytes, 0)
}
