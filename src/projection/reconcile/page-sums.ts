import { parsePage } from '../../ledger/journal/packed-page.ts'
import type { Books } from '../../ledger/model/messages/ledger.ts'
import { PICO_PER_MICRO } from '../../pricing/money.ts'
import { packTotals, totalsOf, type UsageTotals } from '../../usage/cells/cells.ts'
import { usageDeltas } from '../../usage/cells/delta.ts'
import { type Difference, MAX_DIFFERENCES, rangeOfFlush } from './difference.ts'

/** The usage columns of one page or of several pages. Amounts are texts, because they can exceed 2^53. */
export interface SumsRow {
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

/** Converts usage columns to totals. `numberIn` parses the text of a column; by default, the text is an integer. */
export function usageOf(row: SumsRow, numberIn: (text: string) => bigint = BigInt): UsageTotals {
  const usd = (micro: string, pico: string) => numberIn(micro) * PICO_PER_MICRO + numberIn(pico)
  return {
    events: BigInt(row.events),
    credits_micro: numberIn(row.burned_micro),
    cost_pico: usd(row.cost_micro, row.cost_pico),
    price_pico: usd(row.price_micro, row.price_pico),
    paid_pico: usd(row.paid_micro, row.paid_pico),
  }
}

/**
 * Returns SQL that adds the values of a column in two parts, the millions and the rest, because SQLite's sums are
 * limited to 2^63. `sumIn` adds the two parts.
 */
export function sumOf(column: string): string {
  return `sum(${column} / 1000000) || ' ' || sum(${column} % 1000000) AS ${column}`
}

/** Returns the exact sum from the text that the SQL of `sumOf` produces. */
export function sumIn(text: string): bigint {
  const [millions, rest] = text.split(' ')
  if (millions === undefined || rest === undefined) throw new Error(`invalid sum of pages: ${text}`)
  return BigInt(millions) * 1_000_000n + BigInt(rest)
}

const PAGES_A_READ = 200
/**
 * The number of characters of page bodies after which a check reads no more pages. It limits the duration of the check.
 */
const MAX_PARSED = 64_000_000

// Selects up to `PAGES_A_READ` pages, until their bodies reach 2 MB. Computes the sizes without reading the bodies,
// because SQLite stores the length of a body in the header of the row.
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

interface PageRow extends SumsRow {
  readonly flush_entry: number
  readonly wallet_number: number
  readonly balance_before_micro: number
  readonly balance_after_micro: number
  readonly format: number
  readonly body: string
}

/**
 * Finds pages whose columns differ from the entries in their bodies. Parses the bodies, so it is called only if the
 * usage or the balance of the pages is wrong.
 */
export async function wrongColumns(
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
  const usage = packTotals(totalsOf(usageDeltas(entries, (_, number) => Number(number))))
  const before = first ? first.balance_after - first.amount : 0
  return `${entries.length} entries from ${before} to ${entries.at(-1)?.balance_after ?? 0}: ${usage}`
}
