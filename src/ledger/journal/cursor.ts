import { NO_USAGE, packTotals, type UsageTotals, unpackTotals } from '../../usage/cells/totals.ts'
import type { MetaTable } from '../commit/meta-table.ts'

/** How far a ledger is projected: D1 has the journal up to `row`, and the queue has taken what it says of usage. */
export interface Cursor {
  readonly row: number
  /** What the entries up to there have added to analytics, since the first. */
  readonly usage: UsageTotals
}

const KEY = 'cursor'
export const NOTHING_PROJECTED: Cursor = { row: 0, usage: NO_USAGE }

/** One value, so that a place and its sums are written together. One row written. */
export function writeCursor(meta: MetaTable, { row, usage }: Cursor): void {
  meta.set(KEY, JSON.stringify({ row, usage: packTotals(usage) }))
}

export function readCursor(meta: MetaTable): Cursor {
  const stored = meta.get(KEY)
  if (stored === null) return NOTHING_PROJECTED
  const { row, usage }: { row: number; usage: string } = JSON.parse(stored)
  return { row, usage: unpackTotals(usage) }
}
