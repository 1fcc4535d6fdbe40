import { jsonArray, MAX_PARAMETER_BYTES, memoryOf, portionsOf, sizeOf } from '../../db/json-parameters.ts'
import { PICO_PER_MICRO } from '../../pricing/money.ts'
import { totalsOf } from '../../usage/cells/cells.ts'
import { type UsageDelta, usageDeltas } from '../../usage/cells/delta.ts'
import { Chain, type LinkedEntry } from '../chain/chain.ts'
import type { LedgerStore } from '../commit/store.ts'
import { FORMAT } from '../journal/packed-entry.ts'
import { packPage, type SubjectNumber } from '../journal/packed-page.ts'
import { unpackRow } from '../journal/packing.ts'
import type { JournalRow, JournalRows } from '../journal/rows.ts'
import type { Entry } from '../model/journal.ts'
import type { EntryRange } from '../model/messages/ledger.ts'
import { mentionsOf, numbersOfSubjects } from './subjects.ts'

const COLUMNS = [
  'wallet_number',
  'format',
  'first_entry',
  'last_entry',
  'entry_count',
  'first_at_ms',
  'last_at_ms',
  'balance_before_micro',
  'balance_after_micro',
  'oldest_ms',
  'events',
  'burned_micro',
  'cost_micro',
  'cost_pico',
  'price_micro',
  'price_pico',
  'paid_micro',
  'paid_pico',
  'hash_before',
  'hash_after',
] as const

/** The row of a page: a JSON object with the columns, and the body. */
interface Page {
  readonly columns: string
  readonly body: string
}

/**
 * Returns the statement that inserts the pages of `source`. The query `source` selects the columns as JSON, and the
 * body. The statement inserts nothing if the watermark has moved.
 */
function insertFrom(source: string): string {
  return `
  INSERT INTO ledger_pages (ledger_id, flush_entry, ${COLUMNS.join(', ')}, body)
  SELECT ?1, ?2, ${COLUMNS.map((column) => `columns ->> '${column}'`).join(', ')}, body
  FROM (${source})
  WHERE (SELECT flushed_row FROM ledgers WHERE ledger_id = ?1) = ?3`
}

// The body is bound separately from the JSON of the columns, so that the statement takes 0.2 ms. With a body of 1.2 MB
// inside that JSON, SQLite takes 136 ms to read 18 columns, and D1 runs no other query during that time.
const INSERT_PAGE = insertFrom('SELECT ?4 AS columns, ?5 AS body')

// Inserts many small pages in one statement, because a ledger with many wallets flushes thousands of small pages.
const INSERT_PAGES = insertFrom(
  "SELECT ?4 -> ('$[' || key || ']') AS columns, value AS body FROM json_each(?5)",
)

/** The minimum length of a body, in characters, that is bound in its own statement. */
const LARGE_BODY = 16 * 1024

/**
 * The maximum number of pages in a statement. It is small, because SQLite scans the list to find the columns of each
 * page.
 */
const PAGES_A_STATEMENT = 256

/**
 * Returns the statements that write a flush's pages if the watermark is still `from_row`. Writes 2 rows for each page,
 * and a third row for a page whose oldest entry is more than an hour older than its first commit.
 */
export function insertPages(
  db: D1Database,
  ledger_id: string,
  flush_entry: number,
  pages: readonly Page[],
  from_row: number,
): D1PreparedStatement[] {
  const large = pages.filter(({ body }) => body.length >= LARGE_BODY)
  const small = pages
    .filter(({ body }) => body.length < LARGE_BODY)
    .map(({ columns, body }) => ({ columns, text: JSON.stringify(body) }))
  const limits = { bytes: MAX_PARAMETER_BYTES - PAGES_A_STATEMENT, items: PAGES_A_STATEMENT }
  const portions = portionsOf(small, ({ columns, text }) => sizeOf(columns) + sizeOf(text), limits)
  return [
    ...large.map(({ columns, body }) =>
      db.prepare(INSERT_PAGE).bind(ledger_id, flush_entry, from_row, columns, body),
    ),
    ...portions.map((portion) => {
      const columns = jsonArray(portion.map((page) => page.columns))
      const bodies = jsonArray(portion.map((page) => page.text))
      return db.prepare(INSERT_PAGES).bind(ledger_id, flush_entry, from_row, columns, bodies)
    }),
  ]
}

/**
 * Returns the number of bytes of a row in a flush, including the bytes that a page adds for each of the row's
 * entries.
 */
export function bytesToFlush({ body, first_entry, last_entry }: JournalRow): number {
  return Math.max(sizeOf(body), memoryOf(body)) + (last_entry - first_entry + 1) * PAGED_ENTRY_BYTES
}

/** The bytes that a page adds for an entry: its hash, its commitment, and the names of its parts. */
const PAGED_ENTRY_BYTES = 140

/** Returns a page for each wallet with an entry in a flush. */
export function packPages(
  entries: readonly LinkedEntry[],
  subject: SubjectNumber,
  deltas: readonly UsageDelta[],
): Page[] {
  const byWallet = new Map<number, LinkedEntry[]>()
  for (const linked of entries) {
    const run = byWallet.get(linked.entry.wallet)
    if (run) run.push(linked)
    else byWallet.set(linked.entry.wallet, [linked])
  }
  const deltaOf = new Map(deltas.map((delta) => [delta.entry, delta]))
  return [...byWallet.values()].map((run) => {
    const added = run.flatMap(({ entry }) => deltaOf.get(entry.number) ?? [])
    return packRun(run, subject, added)
  })
}

function packRun(
  linked: readonly LinkedEntry[],
  subject: SubjectNumber,
  deltas: readonly UsageDelta[],
): Page {
  const run = linked.map(({ entry }) => entry)
  const first = run[0]
  const last = run.at(-1)
  if (!first || !last) throw new Error('a page has no entries')
  assertChain(run)
  const columns: Readonly<Record<(typeof COLUMNS)[number], number | string | null>> = {
    wallet_number: first.wallet,
    format: FORMAT,
    first_entry: first.number,
    last_entry: last.number,
    entry_count: run.length,
    first_at_ms: first.at_ms,
    last_at_ms: last.at_ms,
    balance_before_micro: first.balance_after - first.amount,
    balance_after_micro: last.balance_after,
    oldest_ms: run.reduce((oldest, entry) => Math.min(oldest, shownAt(entry)), shownAt(first)),
    ...sumColumns(deltas),
    hash_before: linked[0]?.before ?? null,
    hash_after: linked.at(-1)?.hash ?? null,
  }
  return { columns: JSON.stringify(columns), body: packPage(linked, subject) }
}

/**
 * Returns the earlier of the two times at which lists can show an entry: its effective time, and the time of its event.
 */
function shownAt({ at_ms, effective_at_ms = at_ms, event }: Entry): number {
  return Math.min(effective_at_ms, event && !event.rerates ? event.timestamp_ms : effective_at_ms)
}

/**
 * Returns the sums as decimal text, because a sum can exceed 2^53. STRICT columns accept the text as an integer. An
 * amount of USD uses two columns, both signed.
 */
function sumColumns(deltas: readonly UsageDelta[]) {
  const { events, credits_micro, cost_pico, price_pico, paid_pico } = totalsOf(deltas)
  return {
    events: String(events),
    burned_micro: column(credits_micro),
    cost_micro: column(cost_pico / PICO_PER_MICRO),
    cost_pico: String(cost_pico % PICO_PER_MICRO),
    price_micro: column(price_pico / PICO_PER_MICRO),
    price_pico: String(price_pico % PICO_PER_MICRO),
    paid_micro: column(paid_pico / PICO_PER_MICRO),
    paid_pico: String(paid_pico % PICO_PER_MICRO),
  }
}

/**
 * The largest value of a column, about 9.2e18. A sum in micro-credits or micro-USD reaches it only with more than a
 * thousand events of the largest amount.
 */
const COLUMN_MAX = 2n ** 63n - 1n

function column(sum: bigint): string {
  if (sum > COLUMN_MAX) return String(COLUMN_MAX)
  return String(sum < -COLUMN_MAX ? -COLUMN_MAX : sum)
}

/** Asserts that each entry of a wallet begins with the balance after the previous entry. */
function assertChain(run: readonly Entry[]): void {
  let balance: number | undefined
  for (const entry of run) {
    if (balance !== undefined && entry.balance_after - entry.amount !== balance) {
      throw new Error(`entry ${entry.number} does not continue the balance of the wallet's last entry`)
    }
    balance = entry.balance_after
  }
}

/**
 * The maximum total size of the journal rows in a run, in bytes, measured as for a flush. A run can also consist of one
 * larger row.
 */
const MAX_BYTES = 1_700_000

const DELETE_PAGES = `
  DELETE FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry BETWEEN ?2 AND ?3
    AND (SELECT flushed_row FROM ledgers WHERE ledger_id = ?1) = ?4`

/**
 * Writes D1's pages of a range of entries again, from the journal. The range must consist of the entries of whole
 * flushes. Returns false and writes nothing if the journal lacks entries of the range, or if its hash chain does not
 * match the pages before and after the range.
 */
export async function rewritePages(
  store: LedgerStore,
  db: D1Database,
  ledger_id: string,
  { from_entry, to_entry }: EntryRange,
): Promise<boolean> {
  const { journal } = store
  // The journal must contain the whole range before anything is written. The range is read once to check this and once
  // to write it, because it can be larger than the memory.
  const ends = await hashesAround(db, ledger_id, { from_entry, to_entry })
  const head = ends.before === null ? null : { entry: from_entry - 1, hash: ends.before }
  const checked = new Chain(ledger_id, journal.chainFirstEntry, head)
  if (!isWhole(runsOf(journal, from_entry, to_entry), checked)) return false
  if (checked.hash !== ends.after) return false
  const chain = new Chain(ledger_id, journal.chainFirstEntry, head)
  for (const entries of runsOf(journal, from_entry, to_entry)) {
    const first = entries[0]
    const last = entries.at(-1)
    if (!first || !last) return false
    const number = await numbersOfSubjects(db, ledger_id, mentionsOf([], entries, [], []))
    const linked = entries.map((entry) => chain.link(entry))
    const pages = packPages(linked, number, usageDeltas(entries, number))
    await db.batch([
      db.prepare(DELETE_PAGES).bind(ledger_id, first.number, last.number, journal.flushedRow),
      ...insertPages(db, ledger_id, first.number, pages, journal.flushedRow),
    ])
  }
  return true
}

// Reads the hash of the last entry before the range, and the hash before the first entry after the range. If no flush
// follows the range, the watermark contains the second hash.
const HASHES_AROUND = `
  SELECT
    (SELECT hash_after FROM ledger_pages WHERE ledger_id = ?1 AND last_entry = ?2 - 1 AND flush_entry =
      (SELECT max(flush_entry) FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry < ?2)) AS before,
    iif(flushed_entry = ?3, chain_hash, (
      SELECT hash_before FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry = ?3 + 1 AND first_entry = ?3 + 1)) AS after
  FROM ledgers WHERE ledger_id = ?1`

interface HashesAround {
  readonly before: string | null
  readonly after: string | null
}

/** Returns the hashes in D1's chain before and after the entries of whole flushes. */
async function hashesAround(
  db: D1Database,
  ledger_id: string,
  { from_entry, to_entry }: EntryRange,
): Promise<HashesAround> {
  const statement = db.prepare(HASHES_AROUND).bind(ledger_id, from_entry, to_entry)
  return (await statement.first<HashesAround>()) ?? { before: null, after: null }
}

/** Adds the entries to the chain. Returns false if entries are missing, or if the chain does not accept an entry. */
function isWhole(runs: Iterable<readonly Entry[]>, chain: Chain): boolean {
  for (const run of runs) {
    if (run.length === 0) return false
    for (const entry of run) {
      if (!chain.accepts(entry)) return false
      chain.link(entry)
    }
  }
  return true
}

/**
 * Yields the entries of a range, in runs of about the size of a flush. Ends with an empty run if the journal lacks some
 * of the entries.
 */
function* runsOf(journal: JournalRows, from_entry: number, to_entry: number): Generator<Entry[]> {
  let run: Entry[] = []
  let bytes = 0
  let next = from_entry
  const before_row = rowBefore(journal, from_entry)
  if (before_row === undefined) return yield []
  for (const row of journal.rowsAfter(before_row)) {
    const { format, body } = row
    const entries = unpackRow(format, body)
      .filter((record) => record.kind === 'entry')
      .filter(({ number }) => number >= from_entry && number <= to_entry)
    const size = bytesToFlush(row)
    if (run.length > 0 && bytes + size > MAX_BYTES) {
      yield run
      run = []
      bytes = 0
    }
    for (const entry of entries) {
      if (entry.number !== next++) return yield []
      run.push(entry)
    }
    bytes += size
    if (next > to_entry) break
  }
  yield next > to_entry ? run : []
}

/**
 * Finds the number of the last row that ends before an entry, by bisection. The row itself can already be deleted.
 * Returns undefined if a row that the bisection reads is missing.
 */
function rowBefore(journal: JournalRows, entry: number): number | undefined {
  let low = journal.oldestRow() - 1
  let high = journal.lastRow
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const row = journal.rowAt(middle)
    if (!row) return undefined
    if (row.last_entry < entry) low = middle
    else high = middle - 1
  }
  return low
}
