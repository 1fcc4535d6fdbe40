/**
 * A page of D1, read for lists. Pages are read in whole flushes, newest flush first, because the entries of the pages
 * of one flush interleave.
 */

export interface PageRow {
  flush_entry: number
  last_at_ms: number
  format: number
  body: string
}

export interface PageQuery {
  readonly ledger_id: string
  /** The wallet whose pages are read; null for all wallets. */
  readonly wallet_number: number | null
  /** The upper bound of the first entries of the flushes, exclusive. */
  readonly before_entry: number
  /** The approximate number of rows. */
  readonly rows: number
}

const FIELDS = 'SELECT flush_entry, last_at_ms, format, body FROM ledger_pages'

const PAGES_OF_LEDGER = `
  ${FIELDS} WHERE ledger_id = ?1 AND flush_entry < ?2 ORDER BY flush_entry DESC LIMIT ?3`

const PAGES_OF_WALLET = `
  ${FIELDS} WHERE ledger_id = ?1 AND wallet_number = ?4 AND flush_entry < ?2 ORDER BY flush_entry DESC LIMIT ?3`

const PAGES_OF_FLUSH = `${FIELDS} WHERE ledger_id = ?1 AND flush_entry = ?2`

// The condition has the same spelling as in the index `ledger_pages_late`. With another spelling, SQLite does not use
// the index.
const LATE = 'oldest_ms < first_at_ms - 3600000'
/** An entry that is older than its commit by more than this time is late. */
export const NOT_LATE_MS = 3_600_000

// INDEXED BY is necessary, because SQLite's planner prefers the primary key.
const LATE_PAGES = `
  ${FIELDS} INDEXED BY ledger_pages_late WHERE ledger_id = ?1 AND flush_entry < ?2 AND flush_entry >= ?4 AND ${LATE} AND oldest_ms < ?5
    AND (?6 IS NULL OR wallet_number = ?6)
  ORDER BY flush_entry DESC LIMIT ?3`

// Does a binary search, because flushes are ordered by time. Each step reads two rows: about forty rows for a million
// flushes. At the end, `low` is the first flush with a page that begins at `?3` or later. All later flushes also
// begin at `?3` or later.
const FLUSHES_SINCE = `
  WITH RECURSIVE halves (low, high) AS (
    SELECT 1, CAST(?2 AS INTEGER)
    UNION ALL
    SELECT iif(coalesce((
        SELECT first_at_ms FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry <= (low + high) / 2
        ORDER BY flush_entry DESC LIMIT 1), 0) >= ?3, low, (low + high) / 2 + 1),
      iif(coalesce((
        SELECT first_at_ms FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry <= (low + high) / 2
        ORDER BY flush_entry DESC LIMIT 1), 0) >= ?3, (low + high) / 2, high)
    FROM halves WHERE low < high)
  SELECT (SELECT min(flush_entry) FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry > low) AS flush_entry
  FROM halves WHERE low >= high`

/** Reads the pages of whole flushes, newest flush first. */
export async function readPages(db: D1Database, query: PageQuery): Promise<PageRow[]> {
  const { ledger_id, wallet_number, before_entry, rows } = query
  const limit = rows + 1
  const statement =
    wallet_number === null
      ? db.prepare(PAGES_OF_LEDGER).bind(ledger_id, before_entry, limit)
      : db.prepare(PAGES_OF_WALLET).bind(ledger_id, before_entry, limit, wallet_number)
  const { results } = await statement.all<PageRow>()
  return wallet_number === null ? wholeFlushes(db, ledger_id, results, limit) : results
}

/**
 * Returns the first of the latest flushes that were committed entirely at `at_ms` or later; `before_entry` if no
 * flush below it qualifies.
 */
export async function flushesSince(
  db: D1Database,
  ledger_id: string,
  before_entry: number,
  at_ms: number,
): Promise<number> {
  const first = await db
    .prepare(FLUSHES_SINCE)
    .bind(ledger_id, before_entry, at_ms)
    .first<number | null>('flush_entry')
  return Math.min(first ?? before_entry, before_entry)
}

/** Reads the pages with a late entry older than `to_ms`, for flushes from `from_entry` on. */
export async function readLatePages(
  db: D1Database,
  { ledger_id, wallet_number, before_entry, rows }: PageQuery,
  { from_entry, to_ms }: { readonly from_entry: number; readonly to_ms: number },
): Promise<PageRow[]> {
  const limit = rows + 1
  const { results } = await db
    .prepare(LATE_PAGES)
    .bind(ledger_id, before_entry, limit, from_entry, to_ms, wallet_number)
    .all<PageRow>()
  return wholeFlushes(db, ledger_id, results, limit)
}

/** A page without its body. */
export interface PageIndexRow {
  flush_entry: number
  entry_count: number
  last_at_ms: number
  bytes: number
}

export interface PageIndexQuery extends PageQuery {
  /** Flushes before the flush that contains this entry are left out. */
  readonly from_entry: number
  /** The exclusive end of the time range. Pages without an earlier entry may be left out; undefined for no end. */
  readonly to_ms: number | undefined
}

// SQLite stores the length of a text in the row's header, so no body is read.
const INDEX_FIELDS =
  'SELECT flush_entry, entry_count, last_at_ms, octet_length(body) AS bytes FROM ledger_pages'
const IN_RANGE = `ledger_id = ?1 AND flush_entry < ?2 AND flush_entry >=
    coalesce((SELECT max(flush_entry) FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry <= ?3), 0)`

const INDEX_OF_LEDGER = `${INDEX_FIELDS} WHERE ${IN_RANGE} ORDER BY flush_entry DESC LIMIT ?4`

const INDEX_OF_WALLET = `
  ${INDEX_FIELDS} WHERE ${IN_RANGE} AND wallet_number = ?5 ORDER BY flush_entry DESC LIMIT ?4`

const INDEX_OF_LATE = `
  ${INDEX_FIELDS} INDEXED BY ledger_pages_late WHERE ${IN_RANGE} AND ${LATE} AND oldest_ms < ?6
    AND (?5 IS NULL OR wallet_number = ?5)
  ORDER BY flush_entry DESC LIMIT ?4`

/** Lists pages without their bodies, newest flush first. */
export async function indexPages(db: D1Database, query: PageIndexQuery): Promise<PageIndexRow[]> {
  const { ledger_id, wallet_number, before_entry, from_entry, to_ms, rows } = query
  if (to_ms === undefined) return indexOfRange(db, query)
  const too_late_entry = await flushesSince(db, ledger_id, before_entry, to_ms + NOT_LATE_MS)
  const { results } = await db
    .prepare(INDEX_OF_LATE)
    .bind(ledger_id, before_entry, Math.max(from_entry, too_late_entry), rows, wallet_number, to_ms)
    .all<PageIndexRow>()
  const late = results.filter(({ flush_entry }) => flush_entry >= too_late_entry)
  if (late.length >= rows) return late
  const rest = { ...query, before_entry: too_late_entry, rows: rows - late.length }
  return [...late, ...(await indexOfRange(db, rest))]
}

async function indexOfRange(db: D1Database, query: PageIndexQuery): Promise<PageIndexRow[]> {
  const { ledger_id, wallet_number, before_entry, from_entry, rows } = query
  const statement =
    wallet_number === null
      ? db.prepare(INDEX_OF_LEDGER).bind(ledger_id, before_entry, from_entry, rows)
      : db.prepare(INDEX_OF_WALLET).bind(ledger_id, before_entry, from_entry, rows, wallet_number)
  return (await statement.all<PageIndexRow>()).results
}

const PAGES_OF_FLUSHES = `
  ${FIELDS} WHERE ledger_id = ?1 AND flush_entry IN (SELECT value FROM json_each(?2))`

const PAGES_OF_FLUSHES_OF_WALLET = `${PAGES_OF_FLUSHES} AND wallet_number = ?3`

/** Reads the pages of the given flushes. */
export async function readPagesOf(
  db: D1Database,
  query: Pick<PageQuery, 'ledger_id' | 'wallet_number'> & { readonly flush_entries: readonly number[] },
): Promise<PageRow[]> {
  const { ledger_id, wallet_number, flush_entries } = query
  const list = JSON.stringify(flush_entries)
  const statement =
    wallet_number === null
      ? db.prepare(PAGES_OF_FLUSHES).bind(ledger_id, list)
      : db.prepare(PAGES_OF_FLUSHES_OF_WALLET).bind(ledger_id, list, wallet_number)
  return (await statement.all<PageRow>()).results
}

/** Removes the rows of the last flush, which may be incomplete. If it is the only flush, reads all its pages. */
async function wholeFlushes(
  db: D1Database,
  ledger_id: string,
  rows: PageRow[],
  limit: number,
): Promise<PageRow[]> {
  if (rows.length < limit) return rows
  const cut = rows.at(-1)?.flush_entry
  const whole = rows.filter((row) => row.flush_entry !== cut)
  if (whole.length > 0 || cut === undefined) return whole
  return (await db.prepare(PAGES_OF_FLUSH).bind(ledger_id, cut).all<PageRow>()).results
}
