import { parsePage } from '../../ledger/packing.ts'
import { usageDeltas } from '../usage/delta.ts'
import { totalsOfDeltas } from '../usage/delta-totals.ts'
import { addTotals, NO_USAGE, packTotals, type UsageTotals } from '../usage/totals.ts'
import type { Books } from './books.ts'
import { type Difference, MAX_DIFFERENCES } from './difference.ts'

/** How far the pages of a ledger have been looked at, and what they come to up to there. */
export interface Checked {
  readonly entry: number
  readonly usage: UsageTotals
}

export const NOTHING_CHECKED: Checked = { entry: 0, usage: NO_USAGE }

export interface PagesCheck {
  readonly checked: Checked
  readonly differences: readonly Difference[]
  /** There are more pages than one check looks at: it goes on from `checked`. */
  readonly more: boolean
}

const FLUSHES_A_READ = 1_000
const MAX_FLUSHES = 20_000

// Sums as text: they may pass 2^53. A row or two read for each page, and no body.
const FLUSHES = `
  SELECT flush_entry, sum(entry_count) AS entries, sum(events) AS events, CAST(sum(burned_micro) AS TEXT) AS burned_micro,
    CAST(sum(cost_micro) AS TEXT) AS cost_micro, CAST(sum(cost_pico) AS TEXT) AS cost_pico,
    CAST(sum(price_micro) AS TEXT) AS price_micro, CAST(sum(price_pico) AS TEXT) AS price_pico,
    CAST(sum(paid_micro) AS TEXT) AS paid_micro, CAST(sum(paid_pico) AS TEXT) AS paid_pico
  FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry > ?2 GROUP BY flush_entry ORDER BY flush_entry LIMIT ?3`

interface FlushRow {
  readonly flush_entry: number
  readonly entries: number
  readonly events: number
  readonly burned_micro: string
  readonly cost_micro: string
  readonly cost_pico: string
  readonly price_micro: string
  readonly price_pico: string
  readonly paid_micro: string
  readonly paid_pico: string
}

// The page before the first of a chunk is found by the index on wallets.
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
  /** That of the page before; null when the wallet has none. */
  readonly previous_flush: number | null
  readonly found: number
  readonly expected: number
}

/**
 * Compares D1's pages with what the ledger object says: no entry missing between `after` and the last one that D1
 * should have, each wallet's chain unbroken, the same sums at the end.
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
    // Where the last flush that was read ends, the next read says. What is flushed while this reads is not compared.
    const next_flush = more ? results.at(-1)?.flush_entry : undefined
    const end = Math.min(books.flushed_entry, (next_flush ?? books.flushed_entry + 1) - 1)
    const flushes = results.filter(({ flush_entry }) => flush_entry <= end)
    const first_entry = checked.entry + 1
    differences.push(...gapsIn(flushes, first_entry, end))
    const last = flushes.at(-1)
    if (last) differences.push(...(await brokenChains(db, ledger_id, first_entry, last.flush_entry, books)))
    checked = { entry: end, usage: flushes.map(usageOf).reduce(addTotals, checked.usage) }
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

/** Flushes follow each other: each ends where the next begins, and the last one at `end`. */
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

/** Either of the two pages may be the one that is wrong. */
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

const NEXT_FLUSH =
  'SELECT min(flush_entry) AS next FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry > ?2'

/** The entries of the flush that begins with this one: what can be written again as a whole. */
async function rangeOfFlush(
  db: D1Database,
  ledger_id: string,
  from_entry: number,
  { flushed_entry }: Books,
): Promise<{ readonly from_entry: number; readonly to_entry: number }> {
  const row = await db.prepare(NEXT_FLUSH).bind(ledger_id, from_entry).first<{ next: number | null }>()
  return { from_entry, to_entry: Math.min(flushed_entry, (row?.next ?? flushed_entry + 1) - 1) }
}

function usageOf(row: FlushRow): UsageTotals {
  return {
    events: BigInt(row.events),
    credits_micro: BigInt(row.burned_micro),
    cost_pico: BigInt(row.cost_micro) * PICO_PER_MICRO + BigInt(row.cost_pico),
    price_pico: BigInt(row.price_micro) * PICO_PER_MICRO + BigInt(row.price_pico),
    paid_pico: BigInt(row.paid_micro) * PICO_PER_MICRO + BigInt(row.paid_pico),
  }
}

const PICO_PER_MICRO = 1_000_000n

// In two parts, since SQLite's sums end at 2^63. The last page of each wallet, by the index.
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
  return String(BigInt(sums?.credits ?? 0) * PICO_PER_MICRO + BigInt(sums?.micro ?? 0))
}

const PAGES_A_READ = 200
/** What is parsed in all, so that a check that finds something wrong still comes to its end. In characters. */
const MAX_PARSED = 64_000_000

// As many pages as their bodies are 2 MB, and the one that passes it. How long a body is stands in the row's header.
const PAGES_AFTER = `
  WITH some AS (
    SELECT flush_entry, wallet_number, octet_length(body) AS bytes FROM ledger_pages
    WHERE ledger_id = ?1 AND (flush_entry, wallet_number) > (?2, ?3)
    ORDER BY flush_entry, wallet_number LIMIT ${PAGES_A_READ}),
  read AS (
    SELECT flush_entry, wallet_number,
      sum(bytes) OVER (ORDER BY flush_entry, wallet_number ROWS UNBOUNDED PRECEDING) - bytes AS bytes_before FROM some)
  SELECT p.flush_entry, p.wallet_number, balance_before_micro, balance_after_micro, events,
    CAST(burned_micro AS TEXT) AS burned_micro,
    CAST(cost_micro AS TEXT) AS cost_micro, CAST(cost_pico AS TEXT) AS cost_pico,
    CAST(price_micro AS TEXT) AS price_micro, CAST(price_pico AS TEXT) AS price_pico,
    CAST(paid_micro AS TEXT) AS paid_micro, CAST(paid_pico AS TEXT) AS paid_pico, entry_count AS entries, format, body
  FROM read CROSS JOIN ledger_pages AS p
  WHERE bytes_before < 2000000 AND p.ledger_id = ?1 AND p.flush_entry = read.flush_entry
    AND p.wallet_number = read.wallet_number
  ORDER BY p.flush_entry, p.wallet_number`

interface PageRow extends FlushRow {
  readonly wallet_number: number
  readonly balance_before_micro: number
  readonly balance_after_micro: number
  readonly format: number
  readonly body: string
}

/** Which pages' columns are not what their entries come to: looked for only when the sums over all of them are wrong. */
async function wrongColumns(
  db: D1Database,
  ledger_id: string,
  after_entry: number,
  books: Books,
): Promise<Difference[]> {
  const differences: Difference[] = []
  let place: readonly [number, number] = [after_entry, Number.MAX_SAFE_INTEGER]
  for (let parsed = 0; parsed < MAX_PARSED; ) {
    const { results } = await db
      .prepare(PAGES_AFTER)
      .bind(ledger_id, ...place)
      .all<PageRow>()
    for (const page of results) {
      parsed += page.body.length
      const expected = columnsByBody(page)
      const found = columnsOf(page)
      if (expected === found) continue
      const range = await rangeOfFlush(db, ledger_id, page.flush_entry, books)
      differences.push({ kind: 'page_sums', ...range, expected, found })
      if (differences.length === MAX_DIFFERENCES) return differences
    }
    const last = results.at(-1)
    if (!last) break
    place = [last.flush_entry, last.wallet_number]
  }
  return differences
}

function columnsOf(page: PageRow): string {
  const { entries, balance_before_micro, balance_after_micro } = page
  return `${entries} entries from ${balance_before_micro} to ${balance_after_micro}: ${packTotals(usageOf(page))}`
}

function columnsByBody({ format, body }: PageRow): string {
  const entries = parsePage(format, body).entries((_, number) => String(number))
  const first = entries[0]
  const usage = packTotals(totalsOfDeltas(usageDeltas(entries, (_, number) => Number(number))))
  const before = first ? first.balance_after - first.amount : 0
  return `${entries.length} entries from ${before} to ${entries.at(-1)?.balance_after ?? 0}: ${usage}`
}
