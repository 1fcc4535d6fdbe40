import type { Books, EntryRange } from '../../ledger/model/messages/ledger.ts'

/**
 * Where the books of a ledger do not agree. A range of entries includes both of its ends; what is wrong in pages is told
 * as the range of whole flushes, which is what can be written again.
 */
export interface Difference {
  readonly kind: DifferenceKind
  readonly from_entry: number
  readonly to_entry: number
  /** What it should be and what it is, for the operator who reads it. */
  readonly expected: string
  readonly found: string
}

export const DIFFERENCE_KINDS = [
  /** Pages are not there, or there are entries too many. */
  'pages_missing',
  /** What a page's columns say is not what its entries come to. */
  'page_sums',
  /** A wallet's page does not begin where the one before it ended: one of the two, and both are told. */
  'wallet_chain',
  /** All wallets together hold something else than in the object. */
  'balance',
  /** The sums over all pages are not the object's. */
  'usage_of_pages',
  /** The sums that the rollups say of themselves are not those of the pages. */
  'usage_of_rollups',
  /** The rollups' days do not come to the sums that the rollups say of themselves. */
  'usage_of_days',
] as const
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number]

export const MAX_DIFFERENCES = 100

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
