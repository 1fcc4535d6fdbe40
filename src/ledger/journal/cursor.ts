import { NO_USAGE, packTotals, type UsageTotals, unpackTotals } from '../../usage/cells/cells.ts'
import { parseStored } from '../model/json.ts'
import type { MetaTable } from '../tables.ts'

/**
 * The progress of a ledger's projection. D1 has received the journal up to `row`, and the queue has received the usage
 * up to `row`.
 */
export interface Cursor {
  readonly row: number
  /** The total usage of all entries up to `row`. */
  readonly usage: UsageTotals
  /** The hash of the last entry up to `row`; null before the hash chain began. */
  readonly hash: string | null
}

const KEY = 'cursor'
export const NOTHING_PROJECTED: Cursor = { row: 0, usage: NO_USAGE, hash: null }

/** Writes the whole cursor as one value, at the cost of one written row. */
export function writeCursor(meta: MetaTable, { row, usage, hash }: Cursor): void {
  meta.set(KEY, JSON.stringify({ row, usage: packTotals(usage), hash }))
}

export function readCursor(meta: MetaTable): Cursor {
  const stored = meta.get(KEY)
  if (stored === null) return NOTHING_PROJECTED
  const { row, usage, hash }: { row: number; usage: string; hash?: string | null } = parseStored(stored)
  return { row, usage: unpackTotals(usage), hash: hash ?? null }
}

/** The progress of a ledger in D1: the position of its journal, its notifications and its hash chain. */
export interface Watermark {
  flushed_row: number
  flushed_entry: number
  flushed_at_ms: number
  last_notification: number
  /** The last notification that the webhook fan-out need not process; null if the ledger has no webhook endpoint. */
  handed_notification: number | null
  /** The time until which a stream of notifications can be open; null before the first stream. */
  streamed_until_ms: number | null
  /** The hash of `flushed_entry`; null before the hash chain began. */
  chain_hash: string | null
  /** The hash of `flushed_row`; null for a row of an earlier version. */
  flushed_hash: string | null
}

export const READ_WATERMARK = `
  SELECT flushed_row, flushed_entry, flushed_at_ms, last_notification, handed_notification,
    streamed_until_ms, chain_hash, flushed_hash
  FROM ledgers WHERE ledger_id = ?`

/** The watermark of a ledger that is not in D1 yet. */
export const NOTHING_FLUSHED: Watermark = {
  flushed_row: 0,
  flushed_entry: 0,
  flushed_at_ms: 0,
  last_notification: 0,
  handed_notification: null,
  streamed_until_ms: null,
  chain_hash: null,
  flushed_hash: null,
}

export async function readWatermark(db: D1Database, ledger_id: string): Promise<Watermark> {
  return (await db.prepare(READ_WATERMARK).bind(ledger_id).first<Watermark>()) ?? NOTHING_FLUSHED
}
