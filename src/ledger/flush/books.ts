import { packTotals } from '../../usage/cells/cells.ts'
import type { LedgerStore } from '../commit/store.ts'
import { unpackRow } from '../journal/packing.ts'
import type { Books, ProjectionState } from '../model/messages/ledger.ts'

/**
 * Returns the sums that the ledger's rows in D1 must have. Reads a row for each wallet, and the unflushed journal rows.
 */
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
    hash: journal.cursor.hash,
  }
}

export function projectionState(
  store: LedgerStore,
  { opened_at_ms }: { readonly opened_at_ms: number },
  { now_ms, database_bytes, with_wallets }: { now_ms: number; database_bytes: number; with_wallets: boolean },
): ProjectionState {
  const { journal } = store
  return {
    at_ms: Math.max(now_ms, journal.counters.at_ms),
    opened_at_ms,
    last_entry: journal.counters.entry,
    last_row: journal.lastRow,
    flushed_entry: journal.flushedEntry(),
    flushed_row: journal.flushedRow,
    unflushed_since_ms: journal.unflushedSince(),
    usage: packTotals(journal.cursor.usage),
    database_bytes,
    ...(with_wallets && { wallets: store.balances() }),
  }
}
