import { packTotals } from '../../usage/cells/totals.ts'
import type { LedgerStore } from '../commit/store.ts'
import { unpackRow } from '../journal/packing.ts'
import type { Books } from '../model/messages/ledger.ts'

/** Reads a row for each wallet, and what D1 does not have yet. */
export function booksOf(store: LedgerStore): Books {
  const { journal } = store
  let balance_micro = BigInt(store.balances().balance_micro)
  for (const { format, body } of journal.rowsAfter(journal.flushedRow)) {
    for (const record of unpackRow(format, body)) {
      if (record.kind === 'entry') balance_micro -= BigInt(record.amount)
    }
  }
  return {
    flushed_entry: journal.flushedEntry(),
    balance_micro: String(balance_micro),
    usage: packTotals(journal.cursor.usage),
  }
}
