import { packTotals } from '../../usage/cells/totals.ts'
import type { LedgerStore } from '../commit/store.ts'
import { unpackRow } from '../journal/packing.ts'

/** What a ledger object says that its books come to, as far as D1 should have them. */
export interface Books {
  readonly flushed_entry: number
  /** What all wallets held after `flushed_entry`, as decimal text: it may pass 2^53. */
  readonly balance_micro: string
  /** `packTotals` of what the entries up to there add to analytics. */
  readonly usage: string
}

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
