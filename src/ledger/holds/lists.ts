import { type MicroCredits, ZERO_CREDITS } from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import type { LedgerStore } from '../commit/store.ts'
import { unpackRow } from '../journal/packing.ts'
import type { HoldAnswer } from '../model/answers.ts'
import type { JournalRecord } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { HoldsAnswer, HoldsMessage } from '../model/messages/holds.ts'
import type { WalletItemRef } from '../model/vocabulary.ts'
import { available, type Wallet, walletKey } from '../model/wallet.ts'
import { settle } from '../wallets/settle.ts'
import { holdState } from './funds.ts'
import { holdAnswer } from './holds.ts'

/** The maximum number of journal rows that a search for a closed hold parses. */
const MAX_ROWS = 512

/**
 * Returns a page of open holds, newest first. If a single hold is requested and D1 might not contain its end yet,
 * returns its final state. Applies due items to the draft, which the caller must not write.
 */
export function readHolds(
  store: LedgerStore,
  draft: Draft,
  ids: LedgerIds,
  message: HoldsMessage,
): HoldsAnswer {
  const { of, limit } = message
  const before_number = message.before_number ?? Number.POSITIVE_INFINITY
  const holds = walletsOf(store, of)
    .map((wallet) => settle(draft, wallet))
    .flatMap((wallet) => wallet.holds.map((hold) => ({ wallet, hold })))
    .filter(({ hold }) => hold.number < before_number)
    .filter(({ hold }) => !of || !('hold' in of) || isHold(of.hold, hold))
    .sort((a, b) => b.hold.number - a.hold.number)
  const page = holds.slice(0, limit)
  const closed = of && 'hold' in of && page.length === 0 ? readEndedHold(store, draft, ids, of.hold) : []
  return {
    holds:
      closed.length > 0
        ? closed
        : page.map(({ wallet, hold }) => holdAnswer(ids, wallet, holdState(wallet, hold, 'open'))),
    next_before_number: holds.length > limit ? (page.at(-1)?.hold.number ?? null) : null,
    opened_at_ms: ids.opened_at_ms,
    available: availableOf(draft, of),
  }
}

/**
 * Returns a list of the requested hold if it ended so recently that D1 might not contain it yet; otherwise an empty
 * list.
 */
function readEndedHold(store: LedgerStore, draft: Draft, ids: LedgerIds, ref: WalletItemRef): HoldAnswer[] {
  const wallet = draft.walletByNumber(ref.wallet)
  if (!wallet) return []
  const isSameHold = (record: JournalRecord) => record.kind === 'hold' && isHold(ref, record.hold)
  const found = draft.records.find(isSameHold) ?? unflushedRecord(store, isSameHold)
  return found?.kind === 'hold' ? [holdAnswer(ids, wallet, found.hold)] : []
}

function unflushedRecord(
  store: LedgerStore,
  isSameHold: (record: JournalRecord) => boolean,
): JournalRecord | undefined {
  let rows_left = MAX_ROWS
  for (const row of store.journal.rowsAfter(store.journal.flushedRow)) {
    if (rows_left-- === 0) return undefined
    const found = unpackRow(row.format, row.body).find(isSameHold)
    if (found) return found
  }
  return undefined
}

function isHold(
  ref: WalletItemRef,
  hold: { readonly number: number; readonly created_at_ms: number },
): boolean {
  return ref.number === hold.number && ref.created_at_ms === hold.created_at_ms
}

function availableOf(draft: Draft, of: HoldsMessage['of']): MicroCredits {
  const wallet = of && 'hold' in of ? draft.walletByNumber(of.hold.wallet) : undefined
  return wallet ? available(wallet) : ZERO_CREDITS
}

function walletsOf(store: LedgerStore, of: HoldsMessage['of']): Wallet[] {
  if (!of) return store.walletsWithDue()
  const wallet = 'owner' in of ? store.wallet(walletKey(of.owner)) : store.walletByNumber(of.hold.wallet)
  return wallet ? [wallet] : []
}
