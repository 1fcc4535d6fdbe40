import type { Books } from '../../ledger/model/messages/ledger.ts'
import { addTotals, NO_USAGE, packTotals, type UsageTotals } from '../../usage/cells/cells.ts'
import { type Difference, MAX_DIFFERENCES, rangeOfFlush } from './difference.ts'
import { type SumsRow, sumIn, sumOf, usageOf, wrongColumns } from './page-sums.ts'

/**
 * The progress of the check of a ledger's pages: the last checked entry, and the usage of all entries up to and
 * including it.
 */
export interface Checked {
  readonly entry: number
  readonly usage: UsageTotals
}

export const NOTHING_CHECKED: Checked = { entry: 0, usage: NO_USAGE }

export interface PagesCheck {
  readonly checked: Checked
  readonly differences: readonly Difference[]
  /** True if there are more pages than one check reads. The next check continues from `checked`. */
  readonly more: boolean
}

const FLUSHES_A_READ = 1_000
const MAX_FLUSHES = 20_000

const SUMS = [
  'burned_micro',
  'cost_micro',
  'cost_pico',
  'price_micro',
  'price_pico',
  'paid_micro',
  'paid_pico',
].map(sumOf)

// D1 counts one or two read rows for each page. The statement does not read bodies.
const FLUSHES = `
  SELECT flush_entry, sum(entry_count) AS entries, sum(events) AS events, ${SUMS.join(', ')}
  FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry > ?2 GROUP BY flush_entry ORDER BY flush_entry LIMIT ?3`

interface FlushRow extends SumsRow {
  readonly flush_entry: number
}

function usageOfFlush(flush: FlushRow): UsageTotals {
  return usageOf(flush, sumIn)
}

// Compares the first balance of each page with the last balance of the wallet's previous page. For the first page of a
// wallet in the range, the index on wallets finds the previous page.
const BROKEN_CHAINS = `
  WITH page AS (
    SELECT wallet_number, flush_entry, balance_before_micro, balance_after_micro,
      lag(balance_after_micro) OVER wallet AS previous, lag(flush_entry) OVER wallet AS previous_flush
    FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry BETWEEN ?2 AND ?3
    WINDOW wallet AS (PARTITION BY wallet_number ORDER BY flush_entry)),
  earlier AS (
    SELECT page.*, (
      SELECT flush_entry FROM ledger_pages AS p
      WHERE p.ledger_id = ?1 AND p.wallet_number = page.wallet_number AND p.flush_entry < ?2
      ORDER BY p.flush_entry DESC LIMIT 1) AS flush_before
    FROM page WHERE previous IS NULL)
  SELECT flush_entry, previous_flush, balance_before_micro AS found, previous AS expected FROM page
  WHERE balance_before_micro <> previous
  UNION ALL
  SELECT earlier.flush_entry, flush_before, earlier.balance_before_micro, coalesce(p.balance_after_micro, 0) FROM earlier
  LEFT JOIN ledger_pages AS p
    ON p.ledger_id = ?1 AND p.wallet_number = earlier.wallet_number AND p.flush_entry = flush_before
  WHERE earlier.balance_before_micro <> coalesce(p.balance_after_micro, 0)
  ORDER BY 1 LIMIT ${MAX_DIFFERENCES}`

interface BrokenChain {
  readonly flush_entry: number
  /** The first entry of the flush that contains the wallet's previous page; null if the wallet has no previous page. */
  readonly previous_flush: number | null
  readonly found: number
  readonly expected: number
}

// Compares the hash before the first entry of each flush with the hash after the last entry of the previous flush.
// Reads as many rows as FLUSHES. SQLite also reads the bodies, because the hash columns come after the body in a row.
const BROKEN_HASHES = `
  WITH flush AS (
    SELECT flush_entry, max(iif(first_entry = flush_entry, hash_before, NULL)) AS begins,
      substr(max(printf('%016d', last_entry) || coalesce(hash_after, '')), 17) AS ends
    FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry BETWEEN
      coalesce((SELECT max(flush_entry) FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry < ?2), ?2) AND ?3
    GROUP BY flush_entry),
  chain AS (
    SELECT flush_entry, begins, lag(ends) OVER (ORDER BY flush_entry) AS previous,
      lag(flush_entry) OVER (ORDER BY flush_entry) AS previous_flush FROM flush
    UNION ALL
    SELECT NULL, ?4, max(ends), max(flush_entry) FROM flush
    WHERE flush_entry = (SELECT max(flush_entry) FROM flush) AND ?4 IS NOT NULL)
  SELECT flush_entry, previous_flush, coalesce(begins, 'none') AS begins, previous AS ends FROM chain
  WHERE previous <> '' AND previous IS NOT begins ORDER BY previous_flush LIMIT ${MAX_DIFFERENCES}`

interface BrokenHash {
  /** The first entry of the flush; null if the object's own hash is compared with the last flush. */
  readonly flush_entry: number | null
  readonly begins: string
  readonly previous_flush: number
  readonly ends: string
}

/**
 * Compares the pages in D1 with the sums of the ledger object, and returns the differences. One check reads at most
 * `MAX_FLUSHES` flushes. The pages must contain every entry from the end of `after` to the last flushed entry. Each
 * page must begin with the last balance of its wallet. The hash chain must be unbroken. The sums of all pages must
 * equal the sums of the object.
 */
export async function checkPages(
  db: D1Database,
  ledger_id: string,
  books: Books,
  after: Checked,
): Promise<PagesCheck> {
  const differences: Difference[] = []
  let checked = after
  for (let read = 0; read < MAX_FLUSHES; read += FLUSHES_A_READ) {
    const { results } = await db
      .prepare(FLUSHES)
      .bind(ledger_id, checked.entry, FLUSHES_A_READ)
      .all<FlushRow>()
    const more = results.length === FLUSHES_A_READ
    // If there are more flushes, the next read checks the last flush of this read, because only the next read shows
    // where this flush ends. Pages that are flushed during the check are not compared.
    const next_flush = more ? results.at(-1)?.flush_entry : undefined
    const end = Math.min(books.flushed_entry, (next_flush ?? books.flushed_entry + 1) - 1)
    const flushes = results.filter(({ flush_entry }) => flush_entry <= end)
    const first_entry = checked.entry + 1
    differences.push(...gapsIn(flushes, first_entry, end))
    const last = flushes.at(-1)
    if (last) {
      const range = { first: first_entry, last: last.flush_entry }
      differences.push(...(await brokenChains(db, ledger_id, first_entry, last.flush_entry, books)))
      differences.push(...(await brokenHashes(db, ledger_id, range, more ? null : books.hash, books)))
    }
    checked = { entry: end, usage: flushes.map(usageOfFlush).reduce(addTotals, checked.usage) }
    if (!more) return { ...(await checkEnd(db, ledger_id, books, after, checked, differences)), more: false }
  }
  return { checked, differences, more: true }
}

async function checkEnd(
  db: D1Database,
  ledger_id: string,
  books: Books,
  after: Checked,
  checked: Checked,
  differences: Difference[],
): Promise<Pick<PagesCheck, 'checked' | 'differences'>> {
  const range = { from_entry: after.entry + 1, to_entry: books.flushed_entry }
  const usage = packTotals(checked.usage)
  const balance_micro = await sumOfLastBalances(db, ledger_id, books.flushed_entry)
  const same_usage = usage === books.usage
  const same_balance = balance_micro === books.balance_micro
  if (!same_usage || !same_balance)
    differences.push(...(await wrongColumns(db, ledger_id, after.entry, books)))
  if (!same_usage) differences.push({ kind: 'usage_of_pages', ...range, expected: books.usage, found: usage })
  if (!same_balance) {
    differences.push({ kind: 'balance', ...range, expected: books.balance_micro, found: balance_micro })
  }
  return { checked, differences }
}

/**
 * Returns a difference for each gap between flushes. Each flush must contain all entries up to the beginning of the
 * next flush. The last flush must end with the entry `end`.
 */
function gapsIn(flushes: readonly FlushRow[], first_entry: number, end: number): Difference[] {
  const gaps: Difference[] = []
  let begins = first_entry
  let entries = 0
  const close = (next: number) => {
    const expected = next - begins
    if (entries !== expected) {
      gaps.push({
        kind: 'pages_missing',
        from_entry: begins,
        to_entry: next - 1,
        expected: `${expected} entries`,
        found: `${entries} entries`,
      })
    }
  }
  for (const flush of flushes) {
    close(flush.flush_entry)
    begins = flush.flush_entry
    entries = flush.entries
  }
  if (end >= begins) close(end + 1)
  return gaps
}

/**
 * Finds pages that do not begin with the last balance of the wallet's previous page, or with 0 if there is none.
 * Returns a difference for the page and for its previous page, because either page can be wrong.
 */
async function brokenChains(
  db: D1Database,
  ledger_id: string,
  first: number,
  last: number,
  books: Books,
): Promise<Difference[]> {
  const { results } = await db.prepare(BROKEN_CHAINS).bind(ledger_id, first, last).all<BrokenChain>()
  const differences: Difference[] = []
  for (const { flush_entry, previous_flush, expected, found } of results) {
    for (const flush of previous_flush === null ? [flush_entry] : [previous_flush, flush_entry]) {
      const range = await rangeOfFlush(db, ledger_id, flush, books)
      differences.push({ kind: 'wallet_chain', ...range, expected: String(expected), found: String(found) })
    }
  }
  return differences
}

/**
 * Finds flushes that do not begin with the last hash of the previous flush. Returns a difference for each of the two
 * flushes, because either flush can be wrong. If `end_hash` is not null, also compares it with the last hash of the
 * last flush.
 */
async function brokenHashes(
  db: D1Database,
  ledger_id: string,
  { first, last }: { readonly first: number; readonly last: number },
  end_hash: string | null,
  books: Books,
): Promise<Difference[]> {
  const statement = db.prepare(BROKEN_HASHES).bind(ledger_id, first, last, end_hash)
  const { results } = await statement.all<BrokenHash>()
  const differences: Difference[] = []
  for (const { flush_entry, begins, previous_flush, ends } of results) {
    for (const flush of flush_entry === null ? [previous_flush] : [previous_flush, flush_entry]) {
      const range = await rangeOfFlush(db, ledger_id, flush, books)
      differences.push({ kind: 'hash_chain', ...range, expected: ends, found: begins })
    }
  }
  return differences
}

const MICRO_PER_CREDIT = 1_000_000n

// Adds the balance at the end of the last page of each wallet. The index on wallets finds this page. The sum has two
// parts, because SQLite's sums are limited to 2^63.
const LAST_BALANCES = `
  SELECT coalesce(sum(balance / 1000000), 0) AS credits, coalesce(sum(balance % 1000000), 0) AS micro FROM (
    SELECT (
      SELECT balance_after_micro FROM ledger_pages AS p
      WHERE p.ledger_id = w.ledger_id AND p.wallet_number = w.wallet_number AND p.flush_entry <= ?2
      ORDER BY p.flush_entry DESC LIMIT 1) AS balance
    FROM wallets AS w WHERE w.ledger_id = ?1)`

async function sumOfLastBalances(db: D1Database, ledger_id: string, flushed_entry: number): Promise<string> {
  const sums = await db
    .prepare(LAST_BALANCES)
    .bind(ledger_id, flushed_entry)
    .first<{ credits: number; micro: number }>()
  return String(BigInt(sums?.credits ?? 0) * MICRO_PER_CREDIT + BigInt(sums?.micro ?? 0))
}
