import { packTotals } from '../../usage/cells/totals.ts'
import type { LedgerStore } from '../commit/store.ts'
import type { Caller, Refused } from '../model/messages.ts'

/** How much a ledger has committed, and how much of that D1 is known to have. */
export interface ProjectionState {
  /** When this was asked: every commit before it is counted. */
  readonly at_ms: number
  readonly opened_at_ms: number
  readonly last_entry: number
  readonly last_row: number
  readonly flushed_entry: number
  readonly flushed_row: number
  /** When the oldest row was committed that D1 may not have; null when D1 has everything. */
  readonly unflushed_since_ms: number | null
  /** What the entries up to `flushed_entry` have added to usage, as the cursor has it (`packTotals`). */
  readonly usage: string
  readonly database_bytes: number
  /** Only where it was asked for, since it reads a row for each wallet: decimal text, it may pass 2^53. */
  readonly wallets?: { readonly count: number; readonly balance_micro: string }
}

export interface ProjectionStateMessage {
  readonly caller: Caller
  readonly with_wallets: boolean
}

export type ProjectionStateResult = { readonly kind: 'done'; readonly answer: ProjectionState } | Refused

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
