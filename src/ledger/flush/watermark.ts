/** How far D1 has a ledger: a place in its journal. */
export interface Watermark {
  flushed_row: number
  flushed_entry: number
  flushed_at_ms: number
}

export const READ_WATERMARK =
  'SELECT flushed_row, flushed_entry, flushed_at_ms FROM ledgers WHERE ledger_id = ?'

/** Of a ledger that D1 has never heard of. */
export const NOTHING_FLUSHED: Watermark = { flushed_row: 0, flushed_entry: 0, flushed_at_ms: 0 }

export async function readWatermark(db: D1Database, ledger_id: string): Promise<Watermark> {
  return (await db.prepare(READ_WATERMARK).bind(ledger_id).first<Watermark>()) ?? NOTHING_FLUSHED
}
