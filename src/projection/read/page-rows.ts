/**
 * A page in D1, as lists read it. Lists read all needed pages of a flush together, newest flush first, because the
 * pages of one flush have interleaving entry numbers.
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
  /** The upper bound of the first entry of each flush, exclusive. */
  readonly before_entry: number
  /**
   * The approximate number of rows to read. The result contains only whole flushes, so it can have more or fewer rows.
   */
  readonly rows: number
}

const FIELDS = 'SELECT flush_entry, last_at_ms, format, body FROM ledger_pages'

const PAGES_OF_LEDGER = `
  ${FIELDS} WHERE ledger_id = ?1 AND flush_entry < ?2 ORDER BY flush_entry DESC LIMIT ?3`

const PAGES_OF_WALLET = `
  ${FIELDS} WHERE ledger_id = ?1 AND wallet_number = ?4 AND flush_entry < ?2 ORDER BY flush_entry DESC LIMIT ?3`

const PAGES_OF_FLUSH = `${FIELDS} WHERE ledger_id = ?1 AND flush_entry = ?2`

// The text of this condition must equal the text in the index `ledger_pages_late`. Otherwise, SQLite does not use the
// index.
const LATE = 'oldest_ms < first_at_ms - 3600000'
/** The age in milliseconds above which an entry is late, measured when the entry is committed. */
export const NOT_LATE_MS = 3_600_000

// INDEXED BY is necessary, because SQLite's planner prefers the primary key.
const LATE_PAGES = `
  ${FIELDS} INDEXED BY ledger_pages_late WHERE ledger_id = ?1 AND flush_entry < ?2 AND flush_entry >= ?4 AND ${LATE} AND oldest_ms < ?5
    AND (?6 IS NULL OR wallet_number = ?6)
  ORDER BY flush_entry DESC LIMIT ?3`

// Finds the first flush with a page that begins at the time `?3` or later, by binary search, because flushes are
// ordered by time. Returns the next flush, because another page of the found flush can begin earlier. Each step reads
// two rows, so a search among a million entries reads about forty rows.
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
 * Returns the first entry of a flush. All entries in this flush and in later flushes were committed at `at_ms` or
 * later. Returns `before_entry` if the search finds no such flush below `before_entry`.
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

/**
 * Reads the pages that contain a late entry with a time before `to_ms`, newest flush first. Can also return other pages
 * of the same flush. Reads only flushes that begin with `from_entry` or a later entry.
 */
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

/** The columns of a page without its body; `bytes` is the size of the body. */
export interface PageIndexRow {
  flush_entry: number
  entry_count: number
  last_at_ms: number
  bytes: number
}

export interface PageIndexQuery extends PageQuery {
  /** The lower bound of the entries. The result contains no flush before the flush that contains this entry. */
  readonly from_entry: number
  /**
   * The end of the time range, exclusive; undefined if the range has no end. The result can omit pages without an entry
   * before this time.
   */
  readonly to_ms: number | undefined
}

// `octet_length` does not read the body, because SQLite stores the length of a text in the header of the row.
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

/**
 * Returns only the rows of whole flushes. If the limit was reached, the last flush can be incomplete, so its rows are
 * removed. If it is the only flush, all its pages are read.
 */
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
