import { logFailure } from '../../logging/log.ts'
import { usageDeltas } from '../../usage/cells/delta.ts'
import { subtractTotals, totalsOf } from '../../usage/cells/totals.ts'
import type { LedgerStore } from '../commit/store.ts'
import { unpackRow } from '../journal/packing.ts'
import type { Watermark } from './watermark.ts'

const ROWS_A_TURN = 32

/**
 * D1 was restored from an older backup, and the journal still holds all that is missing there: the cursor goes back to
 * where D1 stands, and the flush writes it again. The sums go back with it.
 */
export async function rewind(store: LedgerStore, to: Watermark): Promise<void> {
  const { journal, identity } = store
  const from = journal.cursor
  let { usage } = from
  let rows = 0
  for (const { row_id, format, body } of journal.rowsAfter(to.flushed_row)) {
    if (row_id > from.row) break
    const entries = unpackRow(format, body).filter((record) => record.kind === 'entry')
    usage = subtractTotals(usage, totalsOf(usageDeltas(entries, () => 0)))
    // Parsing rows takes the object's only thread: whoever waits has its turn in between.
    if (++rows % ROWS_A_TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0))
  }
  store.moveCursorBack({ row: to.flushed_row, usage })
  const { customer_id, mode } = identity ?? {}
  logFailure('d1_was_restored', { customer_id, mode, cursor_row: from.row, d1_row: to.flushed_row })
}
