import type { Bindings } from '../../bindings.ts'
import { memoryOf } from '../../db/json-parameters.ts'
import { ledgerDb, ledgerKey } from '../../db/ledger-db.ts'
import { readEntries } from '../../ledger/client/client.ts'
import { parsePage } from '../../ledger/journal/packed-page.ts'
import type { Caller } from '../../ledger/model/account.ts'
import type { Entry } from '../../ledger/model/journal.ts'
import type { Refused } from '../../ledger/model/refusal.ts'
import type { LedgerName } from '../../ledger/model/vocabulary.ts'
import { readPages } from './page-rows.ts'

export interface Scan {
  readonly ledger: LedgerName
  readonly caller: Caller
}

/** The maximum number of entries in one read from the ledger object. */
const ENTRIES_A_READ = 2_000
/**
 * The limits of one read of pages from D1: the approximate memory in bytes, and the minimum and maximum number of rows.
 */
const MEMORY_A_READ = 2_000_000
const LEAST_ROWS = 1
const MOST_ROWS = 1_000

/**
 * Yields all entries of a ledger in chunks, newest first, for sums over many entries. Reads the same sources as
 * `listEntries`, but in larger portions. Does not read the ids of users and teams from D1, so these ids are empty in
 * entries from D1. If the ledger refuses a call, yields the refusal and ends.
 */
export async function* scanEntries(
  env: Bindings,
  { ledger, caller }: Scan,
): AsyncGenerator<readonly Entry[] | Refused> {
  let before_entry: number | null = null
  for (;;) {
    const message = { caller, filter: {}, before_entry, limit: ENTRIES_A_READ }
    const result = await readEntries(env, ledger, message)
    if (result.kind === 'refused') {
      yield result
      return
    }
    const { entries, reached_entry, flushed_entry } = result.answer
    yield entries
    before_entry = reached_entry
    if (reached_entry <= flushed_entry + 1) break
  }
  yield* scanFlushed(env, ledger, before_entry)
}

async function* scanFlushed(
  env: Bindings,
  ledger: LedgerName,
  start: number,
): AsyncGenerator<readonly Entry[]> {
  const db = ledgerDb(env, ledger.customer_id)
  let before_entry = start
  let rows_wanted = LEAST_ROWS
  for (;;) {
    const query = { ledger_id: ledgerKey(ledger), wallet_number: null, before_entry, rows: rows_wanted }
    const rows = await readPages(db, query)
    if (rows.length === 0) return
    const below = before_entry
    yield rows
      .flatMap(({ format, body }) => parsePage(format, body).entries(() => ''))
      .filter(({ number }) => number < below)
      .sort((a, b) => b.number - a.number)
    before_entry = Math.min(before_entry, ...rows.map(({ flush_entry }) => flush_entry))
    const memory = rows.reduce((sum, { body }) => sum + memoryOf(body), 0)
    const fitting = Math.floor((MEMORY_A_READ * rows.length) / Math.max(1, memory))
    rows_wanted = Math.min(MOST_ROWS, Math.max(LEAST_ROWS, fitting))
  }
}
