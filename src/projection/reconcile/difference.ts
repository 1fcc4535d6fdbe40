import type { Books, EntryRange } from '../../ledger/model/messages/ledger.ts'

/**
 * A difference between sums of a ledger. The range of entries includes both ends. For pages, it covers whole flushes,
 * because only whole flushes can be rewritten.
 */
export interface Difference {
  readonly kind: DifferenceKind
  readonly from_entry: number
  readonly to_entry: number
  /** The expected and the actual value, for the operator. */
  readonly expected: string
  readonly found: string
}

export const DIFFERENCE_KINDS = [
  /** Pages are missing or have too many entries. */
  'pages_missing',
  /** The columns of a page differ from the sums of its entries. */
  'page_sums',
  /** A wallet's page does not begin with the balance of the wallet's previous page. Both pages are reported. */
  'wallet_chain',
  /**
   * A flush does not begin with the last hash of the previous flush (both are reported), or the last hash is wrong.
   */
  'hash_chain',
  /** The sum of all balances differs from the object's sum. */
  'balance',
  /** The sums of all pages differ from the object's sums. */
  'usage_of_pages',
  /** The totals of the rollups differ from the object's sums, or the rollups lack flushed entries. */
  'usage_of_rollups',
  /** The sums of the rollups' days differ from their totals. */
  'usage_of_days',
] as const
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number]

export const MAX_DIFFERENCES = 100

const NEXT_FLUSH =
  'SELECT min(flush_entry) AS next FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry > ?2'

/** Returns the range of entries of the flush that begins with this entry. */
export async function rangeOfFlush(
  db: D1Database,
  ledger_id: string,
  from_entry: number,
  { flushed_entry }: Books,
): Promise<EntryRange> {
  const row = await db.prepare(NEXT_FLUSH).bind(ledger_id, from_entry).first<{ next: number | null }>()
  return { from_entry, to_entry: Math.min(flushed_entry, (row?.next ?? flushed_entry + 1) - 1) }
}
