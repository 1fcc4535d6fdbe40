import type { UsageTotals } from '../usage/totals.ts'
import type { Books } from './books.ts'
import type { EntryRange } from './rewrite-pages.ts'

/** What the columns of pages say of the usage in them. Sums as text: they may pass 2^53. */
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

export function usageOf(row: SumsRow): UsageTotals {
  return {
    events: BigInt(row.events),
    credits_micro: BigInt(row.burned_micro),
    cost_pico: BigInt(row.cost_micro) * PICO_PER_MICRO + BigInt(row.cost_pico),
    price_pico: BigInt(row.price_micro) * PICO_PER_MICRO + BigInt(row.price_pico),
    paid_pico: BigInt(row.paid_micro) * PICO_PER_MICRO + BigInt(row.paid_pico),
  }
}

const PICO_PER_MICRO = 1_000_000n

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
