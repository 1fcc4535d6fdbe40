import { type MicroCredits, ZERO_CREDITS } from '../pricing/money.ts'
import { holdState } from './hold-record.ts'
import { holdAnswer } from './holds.ts'
import type { LedgerIds } from './ledger-ids.ts'
import type { Caller, HoldAnswer, Refused, WalletItemRef, WalletOwner } from './messages.ts'
import { unpackRow } from './packing.ts'
import type { LedgerStore } from './store.ts'
import { available, type Wallet, walletKey } from './wallet.ts'

export interface HoldsMessage {
  readonly caller: Caller
  /** Only holds of this owner's wallet, or only this very hold; null: all of the ledger. */
  readonly of: { readonly owner: WalletOwner } | { readonly hold: WalletItemRef } | null
  /** Only holds with lower numbers; null from the newest. */
  readonly before_number: number | null
  readonly limit: number
}

export interface HoldsAnswer {
  /** Newest first. */
  readonly holds: readonly HoldAnswer[]
  /** Where the next page begins; null when there is no more. */
  readonly next_before_number: number | null
  /** What the ids of holds that D1 knows are made of, and what their wallet has available. */
  readonly opened_at_ms: number
  readonly available: MicroCredits
}

export type HoldsResult = { readonly kind: 'done'; readonly answer: HoldsAnswer } | Refused

/** A read of all holds looks into no more wallets than this. */
const MAX_WALLETS = 1000

/** … and looks for a closed one in no more journal rows than this. */
const MAX_ROWS = 512

/** Open holds, without writing: one that has expired by `now_ms` is not shown, whether or not that was applied yet. */
export function readHolds(
  store: LedgerStore,
  ids: LedgerIds,
  message: HoldsMessage,
  now_ms: number,
): HoldsAnswer {
  const { of, limit } = message
  const before_number = message.before_number ?? Number.POSITIVE_INFINITY
  const holds = walletsOf(store, of)
    .flatMap((wallet) => wallet.holds.map((hold) => ({ wallet, hold })))
    .filter(({ hold }) => hold.expires_at_ms > now_ms && hold.number < before_number)
    .filter(({ hold }) => !of || !('hold' in of) || isHold(of.hold, hold))
    .sort((a, b) => b.hold.number - a.hold.number)
  const page = holds.slice(0, limit)
  const closed = of && 'hold' in of && page.length === 0 ? readUnflushedHold(store, ids, of.hold) : []
  return {
    holds:
      closed.length > 0
        ? closed
        : page.map(({ wallet, hold }) => holdAnswer(ids, wallet, holdState(wallet, hold, 'open'))),
    next_before_number: holds.length > limit ? (page.at(-1)?.hold.number ?? null) : null,
    opened_at_ms: ids.opened_at_ms,
    available: availableOf(store, of),
  }
}

/** A hold that was closed so lately that D1 may not have it yet. */
function readUnflushedHold(store: LedgerStore, ids: LedgerIds, ref: WalletItemRef): HoldAnswer[] {
  const wallet = store.walletByNumber(ref.wallet)
  if (!wallet) return []
  let rows_left = MAX_ROWS
  for (const row of store.journal.rowsAfter(store.journal.flushedRow)) {
    if (rows_left-- === 0) break
    for (const record of unpackRow(row.format, row.body)) {
      if (record.kind === 'hold' && isHold(ref, record.hold)) return [holdAnswer(ids, wallet, record.hold)]
    }
  }
  return []
}

function isHold(
  ref: WalletItemRef,
  hold: { readonly number: number; readonly created_at_ms: number },
): boolean {
  return ref.number === hold.number && ref.created_at_ms === hold.created_at_ms
}

function availableOf(store: LedgerStore, of: HoldsMessage['of']): MicroCredits {
  const wallet = of && 'hold' in of ? store.walletByNumber(of.hold.wallet) : undefined
  return wallet ? available(wallet) : ZERO_CREDITS
}

function walletsOf(store: LedgerStore, of: HoldsMessage['of']): Wallet[] {
  if (!of) return store.walletsWithDue(MAX_WALLETS)
  const wallet = 'owner' in of ? store.wallet(walletKey(of.owner)) : store.walletByNumber(of.hold.wallet)
  return wallet ? [wallet] : []
}
