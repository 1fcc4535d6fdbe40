import type { Bindings } from '../../bindings.ts'
import { memoryOf } from '../../db/json-parameters.ts'
import { ledgerDb, ledgerKey } from '../../db/ledger-db.ts'
import { readEntries } from '../../ledger/client/client.ts'
import { type ParsedPage, parsePage } from '../../ledger/journal/packed-page.ts'
import { arrivedFrom, matches, NO_OLDER_ENTRY } from '../../ledger/journal/unflushed.ts'
import type { Caller } from '../../ledger/model/account.ts'
import type { Entry } from '../../ledger/model/journal.ts'
import { entryNumberOf, LedgerIds } from '../../ledger/model/ledger-ids.ts'
import type { EntriesAnswer, EntryFilter } from '../../ledger/model/messages/ledger.ts'
import type { Refused } from '../../ledger/model/refusal.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { flushesSince, NOT_LATE_MS, type PageRow, readLatePages, readPages } from './page-rows.ts'
import { nameSubjects } from './subjects.ts'

export interface EntriesQuery {
  readonly ledger: LedgerName
  readonly caller: Caller
  readonly filter: EntryFilter
  /** The upper bound of the entry numbers, exclusive; null to begin with the newest entry. */
  readonly before_entry: number | null
  /** The maximum number of entries, at least 1. */
  readonly limit: number
}

export interface EntriesPage {
  readonly kind: 'done'
  /** The entries, newest first. */
  readonly entries: readonly Entry[]
  /** The `before_entry` of the next page; null if this page is the last. */
  readonly next_before_entry: number | null
  readonly ids: LedgerIds
}

/**
 * A list reads pages from D1 in rounds. These are the approximate number of rows in the first round, and the
 * approximate maximum number and memory, in bytes, of the rows in a later round.
 */
const ROWS_AT_FIRST = 2
const ROWS_A_ROUND = 16
const MEMORY_A_ROUND = 1_000_000
/** A list begins no further round after its pages exceed this memory, in bytes, or after this number of rounds. */
const MEMORY_AN_ANSWER = 4_000_000
const MAX_ROUNDS = 8

// An entry belongs to the last flush whose first entry is not after it. Several pages of this flush can have a range
// that includes its number, because the entries of the wallets interleave.
const PAGES_AROUND_ENTRY = `
  SELECT flush_entry, last_at_ms, format, body FROM ledger_pages
  WHERE ledger_id = ?1 AND first_entry <= ?2 AND last_entry >= ?2 AND flush_entry =
    (SELECT max(flush_entry) FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry <= ?2)`

/**
 * Lists entries, newest first, including all acknowledged entries. Returns a refusal if the ledger refuses the call.
 * Reads unflushed entries from the object and older entries from D1. Calls the object first, which also returns the
 * number of the last entry in D1. This number increases only after D1 has stored the pages, so commits and flushes
 * during the call cause no missing or repeated entries.
 */
export async function listEntries(env: Bindings, query: EntriesQuery): Promise<EntriesPage | Refused> {
  const result = await readEntries(env, query.ledger, query)
  if (result.kind === 'refused') return result
  const { answer } = result
  const ids = new LedgerIds(answer.tag, answer.opened_at_ms)
  if (query.filter.owner && answer.wallet_number === null) {
    return { kind: 'done', entries: [], next_before_entry: null, ids }
  }
  const entries = [...answer.entries]
  let reached_entry = answer.reached_entry
  if (entries.length < query.limit && isAnsweredByD1(reached_entry, answer)) {
    reached_entry = await addFlushed(env, query, answer, entries)
  }
  return { kind: 'done', entries, next_before_entry: reached_entry > FIRST_ENTRY ? reached_entry : null, ids }
}

const FIRST_ENTRY = 1

export type FoundEntry =
  | { readonly kind: 'found'; readonly entry: Entry; readonly ids: LedgerIds }
  | { readonly kind: 'none' }
  | Refused

/** Finds the entry that belongs to the id of an event or of a transaction, in the object or in D1. */
export async function findEntry(
  env: Bindings,
  { ledger, caller }: Pick<EntriesQuery, 'ledger' | 'caller'>,
  prefix: 'evt' | 'txn',
  id: string,
): Promise<FoundEntry> {
  const number = entryNumberOf(prefix, id, ledger)
  if (number === undefined) return { kind: 'none' }
  const result = await readEntries(env, ledger, { caller, filter: {}, before_entry: number + 1, limit: 1 })
  if (result.kind === 'refused') return result
  const { answer } = result
  const ids = new LedgerIds(answer.tag, answer.opened_at_ms)
  const entry = number <= answer.flushed_entry ? await readFlushed(env, ledger, number) : answer.entries[0]
  // Compares the whole id, because an id also contains the time of the entry. An invented id with an existing number is
  // therefore not found.
  const known =
    entry &&
    (prefix === 'txn' ? ids.transaction(entry) : entry.event && !entry.event.rerates && ids.event(entry))
  return entry && known === id ? { kind: 'found', entry, ids } : { kind: 'none' }
}

/**
 * Returns one entry from D1; undefined if D1 does not contain it. Reads all pages that can contain the entry, but
 * parses only the entry itself.
 */
async function readFlushed(env: Bindings, ledger: LedgerName, number: number): Promise<Entry | undefined> {
  const db = ledgerDb(env, ledger.customer_id)
  const ledger_id = ledgerKey(ledger)
  const { results } = await db.prepare(PAGES_AROUND_ENTRY).bind(ledger_id, number).all<PageRow>()
  const [entry] = await unpack(
    db,
    ledger_id,
    results.map((row) => parsePage(row.format, row.body, number)),
  )
  return entry
}

function isAnsweredByD1(reached_entry: number, { flushed_entry }: EntriesAnswer): boolean {
  return flushed_entry > 0 && reached_entry !== NO_OLDER_ENTRY && reached_entry <= flushed_entry + 1
}

/**
 * Adds matching entries from D1 to `entries`, up to the limit. Returns the `before_entry` of the next page, or
 * `NO_OLDER_ENTRY` if no older entry can match.
 */
async function addFlushed(
  env: Bindings,
  query: EntriesQuery,
  { wallet_number, flushed_entry }: EntriesAnswer,
  entries: Entry[],
): Promise<number> {
  const db = ledgerDb(env, query.ledger.customer_id)
  const ledger_id = ledgerKey(query.ledger)
  const { to_ms } = query.filter
  const arrived_from_ms = arrivedFrom(query.filter)
  let before_entry = Math.min(query.before_entry ?? Number.MAX_SAFE_INTEGER, flushed_entry + 1)
  // In the flush that begins with this entry and in all newer flushes, only late entries can have a time before
  // `to_ms`.
  const too_late_entry =
    to_ms === undefined ? before_entry : await flushesSince(db, ledger_id, before_entry, to_ms + NOT_LATE_MS)
  let rows_wanted = ROWS_AT_FIRST
  let memory = 0
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const pages = { ledger_id, wallet_number, before_entry, rows: rows_wanted }
    const late = before_entry > too_late_entry && to_ms !== undefined
    const rows = late
      ? await readLatePages(db, pages, { from_entry: too_late_entry, to_ms })
      : await readPages(db, pages)
    const read = memoryOfPages(rows)
    memory += read
    rows_wanted = fittingRows(rows.length, read)
    const recent = rows.filter((row) => row.last_at_ms >= arrived_from_ms)
    for (const entry of await unpackNewestFirst(db, ledger_id, recent)) {
      if (entry.number >= before_entry) continue
      if (entries.length === query.limit) return before_entry
      before_entry = entry.number
      if (matches(entry, query.filter, wallet_number)) entries.push(entry)
    }
    // A page whose last commit is before the time range ends the list, because older flushes contain only older
    // commits.
    if ((rows.length === 0 && !late) || recent.length < rows.length) return NO_OLDER_ENTRY
    before_entry =
      late && rows.length === 0
        ? too_late_entry
        : Math.min(before_entry, ...rows.map((row) => row.flush_entry))
    if (before_entry <= FIRST_ENTRY || entries.length === query.limit || memory > MEMORY_AN_ANSWER) break
  }
  return before_entry
}

/**
 * Returns the number of rows to read in the next round, which probably fit into `MEMORY_A_ROUND`. `rows` and `memory`
 * are the number and the memory of the rows in the last round.
 */
function fittingRows(rows: number, memory: number): number {
  const fitting = Math.floor((MEMORY_A_ROUND * rows) / Math.max(1, memory))
  return Math.min(ROWS_A_ROUND, Math.max(1, fitting))
}

function memoryOfPages(rows: readonly PageRow[]): number {
  return rows.reduce((sum, { body }) => sum + memoryOf(body), 0)
}

/** Returns the entries of pages, newest first, with the ids of their users and teams. */
export async function unpackNewestFirst(
  db: D1Database,
  ledger_id: string,
  rows: readonly PageRow[],
): Promise<Entry[]> {
  const entries = await unpack(
    db,
    ledger_id,
    rows.map((row) => parsePage(row.format, row.body)),
  )
  return entries.sort((a, b) => b.number - a.number)
}

async function unpack(db: D1Database, ledger_id: string, pages: readonly ParsedPage[]): Promise<Entry[]> {
  const user = new Set<number>()
  const team = new Set<number>()
  for (const { subjects } of pages) {
    for (const number of subjects.user) user.add(number)
    for (const number of subjects.team) team.add(number)
  }
  const name = await nameSubjects(db, ledger_id, { user, team })
  return pages.flatMap((page) => page.entries(name))
}
