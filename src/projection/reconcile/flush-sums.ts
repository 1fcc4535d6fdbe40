import type { Books, EntryRange } from '../../ledger/model/messages/ledger.ts'
import { PICO_PER_MICRO } from '../../pricing/money.ts'
import type { UsageTotals } from '../../usage/cells/totals.ts'

/** What the columns of pages say of the usage in them. Numbers as text: they may pass 2^53. */
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

/** `numberIn` reads the columns' texts: decimal ones, unless they are sums. */
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

/** The sum of a column in SQL. SQLite's own end at 2^63: so the millions and the rest apart, for `sumIn` to add. */
export function sumOf(column: string): string {
  return `sum(${column} / 1000000) || ' ' || sum(${column} % 1000000) AS ${column}`
}

/** What `sumOf` says, exactly. Throws when it is anything else. */
export function sumIn(text: string): bigint {
  const [millions, rest] = text.split(' ')
  if (millions === undefined || rest === undefined) throw new Error(`${text} is no sum of pages`)
  return BigInt(millions) * 1_000_000n + BigInt(rest)
}

const NEXT_FLUSH =
  'SELECT min(flush_entry) AS next FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry > ?2'

/** The entries of the flush that begins with this one: what can be written again as a whole. */
export async function rangeOfFlush(
  db: D1Database,
  ledger_id: string,
  from_entry: number,
  { flushed_entry }: Books,
): Promise<EntryRange> {
  const row = await db.prepare(NEXT_FLUSH).bind(ledger_id, from_entry).first<{ next: number | null }>()
  return { from_entry, to_entry: Math.min(flushed_entry, (row?.next ?? flushed_entry + 1) - 1) }
}
