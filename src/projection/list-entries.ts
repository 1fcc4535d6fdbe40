import type { Bindings } from '../config.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { readEntries } from '../ledger/client.ts'
import { type EntriesAnswer, type EntryFilter, matches } from '../ledger/entries.ts'
import type { Entry } from '../ledger/journal.ts'
import { entryNumberOf, LedgerIds } from '../ledger/ledger-ids.ts'
import type { Caller, LedgerName, Refused } from '../ledger/messages.ts'
import { subjectsOfPage, unpackPage } from '../ledger/packing.ts'
import { nameSubjects } from './subjects.ts'

export interface EntriesQuery {
  readonly ledger: LedgerName
  readonly caller: Caller
  readonly filter: EntryFilter
  /** Only entries with lower numbers; null from the newest. */
  readonly before_entry: number | null
  /** At most this many, at least 1. */
  readonly limit: number
}

export interface EntriesPage {
  readonly kind: 'done'
  /** Newest first. */
  readonly entries: readonly Entry[]
  /** Where the next page begins (its `before_entry`); null when there is no more. */
  readonly next_before_entry: number | null
  readonly ids: LedgerIds
}

export interface PageRow {
  flush_entry: number
  first_entry: number
  format: number
  body: string
}

/** One answer reads at most this many rows of D1 a round, and makes at most this many rounds. */
const ROWS_A_ROUND = 16
const MAX_ROUNDS = 8

const PAGES_OF_LEDGER = `
  SELECT flush_entry, first_entry, format, body FROM ledger_pages
  WHERE ledger_id = ?1 AND flush_entry < ?2 ORDER BY flush_entry DESC LIMIT ?3`

const PAGES_OF_WALLET = `
  SELECT flush_entry, first_entry, format, body FROM ledger_pages
  WHERE ledger_id = ?1 AND wallet_number = ?4 AND flush_entry < ?2 ORDER BY flush_entry DESC LIMIT ?3`

const PAGES_OF_FLUSH = `
  SELECT flush_entry, first_entry, format, body FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry = ?2`

/**
 * Entries newest first, complete and fresh: what D1 may not have yet from the object, everything older from D1. The
 * object is asked first and says up to which entry D1 answers; that mark only moves after D1 has the pages, so nothing
 * is missed and nothing comes twice, however much is being written meanwhile.
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
  if (entries.length < query.limit && reached_entry <= answer.flushed_entry + 1) {
    reached_entry = await addFlushed(env, query, answer, entries)
  }
  return { kind: 'done', entries, next_before_entry: reached_entry > 1 ? reached_entry : null, ids }
}

export type FoundEntry =
  | { readonly kind: 'found'; readonly entry: Entry; readonly ids: LedgerIds }
  | { readonly kind: 'none' }
  | Refused

/** The entry that an event's or a transaction's id names, wherever it is by now. */
export async function findEntry(
  env: Bindings,
  { ledger, caller }: Pick<EntriesQuery, 'ledger' | 'caller'>,
  prefix: 'evt' | 'txn',
  id: string,
): Promise<FoundEntry> {
  const number = entryNumberOf(prefix, id, ledger)
  if (number === undefined) return { kind: 'none' }
  const page = await listEntries(env, { ledger, caller, filter: {}, before_entry: number + 1, limit: 1 })
  if (page.kind === 'refused') return page
  const [entry] = page.entries
  // The id says when, too: one that was made up around a number that exists names nothing.
  const known =
    entry &&
    (prefix === 'txn'
      ? page.ids.transaction(entry)
      : entry.event && !entry.event.rerates && page.ids.event(entry))
  return entry && known === id ? { kind: 'found', entry, ids: page.ids } : { kind: 'none' }
}

/** Adds entries from D1 until the limit, and returns the lowest entry number that was looked at. */
async function addFlushed(
  env: Bindings,
  query: EntriesQuery,
  { wallet_number, flushed_entry }: EntriesAnswer,
  entries: Entry[],
): Promise<number> {
  const db = ledgerDb(env, query.ledger.customer_id)
  const ledger_id = ledgerKey(query.ledger)
  let before_entry = Math.min(query.before_entry ?? Number.MAX_SAFE_INTEGER, flushed_entry + 1)
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const rows = await readPages(db, ledger_id, before_entry, wallet_number)
    if (rows.length === 0) return 1
    for (const entry of await unpackNewestFirst(db, ledger_id, rows)) {
      if (entry.number >= before_entry) continue
      if (entries.length === query.limit) return before_entry
      before_entry = entry.number
      if (matches(entry, query.filter, wallet_number)) entries.push(entry)
    }
    before_entry = Math.min(before_entry, ...rows.map((row) => row.flush_entry))
    if (entries.length === query.limit) break
  }
  return before_entry
}

/** Pages of whole flushes, because the pages of one flush interleave. */
export async function readPages(
  db: D1Database,
  ledger_id: string,
  before_entry: number,
  wallet_number: number | null,
  rows_wanted: number = ROWS_A_ROUND,
): Promise<PageRow[]> {
  const limit = rows_wanted + 1
  const statement =
    wallet_number === null
      ? db.prepare(PAGES_OF_LEDGER).bind(ledger_id, before_entry, limit)
      : db.prepare(PAGES_OF_WALLET).bind(ledger_id, before_entry, limit, wallet_number)
  const { results } = await statement.all<PageRow>()
  if (results.length < limit || wallet_number !== null) return results
  const cut = results.at(-1)?.flush_entry
  const whole = results.filter((row) => row.flush_entry !== cut)
  if (whole.length > 0 || cut === undefined) return whole
  return (await db.prepare(PAGES_OF_FLUSH).bind(ledger_id, cut).all<PageRow>()).results
}

async function unpackNewestFirst(
  db: D1Database,
  ledger_id: string,
  rows: readonly PageRow[],
): Promise<Entry[]> {
  const user = new Set<number>()
  const team = new Set<number>()
  for (const row of rows) {
    const subjects = subjectsOfPage(row.format, row.body)
    for (const number of subjects.user) user.add(number)
    for (const number of subjects.team) team.add(number)
  }
  const name = await nameSubjects(db, ledger_id, { user, team })
  return rows.flatMap((row) => unpackPage(row.format, row.body, name)).sort((a, b) => b.number - a.number)
}
