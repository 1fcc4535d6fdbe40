import type { Books, EntryRange } from '../../ledger/model/messages/ledger.ts'

/**
 * A difference between the ledger object, its pages in D1 and its rollups. The range of entries includes both ends. For
 * a difference in pages, the range covers whole flushes, because only whole flushes can be rewritten.
 */
export interface Difference {
  readonly kind: DifferenceKind
  readonly from_entry: number
  readonly to_entry: number
  /** The expected value, as text for the operator. `found` is the actual value. */
  readonly expected: string
  readonly found: string
}

export const DIFFERENCE_KINDS = [
  /** Entries are missing in the pages, or the pages contain too many entries. */
  'pages_missing',
  /** The sums in the columns of a page differ from the sums of the entries in its body. */
  'page_sums',
  /** A wallet's page does not begin with the balance of the wallet's previous page. Both pages are reported. */
  'wallet_chain',
  /**
   * A flush does not begin with the last hash of the previous flush, and both flushes are reported. Or the hash of the
   * last flush differs from the object's hash.
   */
  'hash_chain',
  /** The sum of the last balances of all wallets in the pages differs from the object's sum. */
  'balance',
  /** The usage of all pages differs from the object's usage. */
  'usage_of_pages',
  /** The totals of the rollups differ from the object's usage, or the rollups do not include all flushed entries. */
  'usage_of_rollups',
  /** The sums of all days in the rollups differ from the totals of the rollups. */
  'usage_of_days',
] as const
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number]

export const MAX_DIFFERENCES = 100

const NEXT_FLUSH =
  'SELECT min(flush_entry) AS next FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry > ?2'

/** Returns the range of entries of the flush that begins with `from_entry`. */
export async function rangeOfFlush(
  db: D1Database,
  ledger_id: string,
  from_entry: number,
  { flushed_entry }: Books,
): Promise<EntryRange> {
  const row = await db.prepare(NEXT_FLUSH).bind(ledger_id, from_entry).first<{ next: number | null }>()
  return { from_entry, to_entry: Math.min(flushed_entry, (row?.next ?? flushed_entry + 1) - 1) }
}
