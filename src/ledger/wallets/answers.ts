import type { Commits } from '../commit/commits.ts'
import type { Draft } from '../commit/draft.ts'
import type { LedgerStore } from '../commit/store.ts'
import type { BalanceAnswer, LotAnswer, RecurringAnswer } from '../model/answers.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import { expiringNext } from '../model/lots.ts'
import type { WalletResult } from '../model/messages/credits.ts'
import { walletNotFound } from '../model/refusal.ts'
import type { WalletOwner } from '../model/vocabulary.ts'
import {
  available,
  pendingCredits,
  reserved,
  unusedLots,
  type Wallet,
  walletDueAt,
  walletKey,
} from '../model/wallet.ts'
import { settle } from './settle.ts'

/** The balance of a wallet, for an answer. */
export function balanceAnswer(ids: LedgerIds, wallet: Wallet): BalanceAnswer {
  return {
    wallet_id: ids.wallet(wallet.number),
    balance: wallet.balance,
    reserved: reserved(wallet),
    available: available(wallet),
    pending: pendingCredits(wallet),
    overdraft_limit: wallet.overdraft_limit,
    expiring_next: expiringNext(wallet.lots),
  }
}

/** The open lots in burn order, then lots that begin later. */
export function lotAnswers(ids: LedgerIds, wallet: Wallet): LotAnswer[] {
  return unusedLots(wallet).map((lot) => ({
    lot_id: ids.lot(lot.number),
    kind: lot.kind,
    amount: lot.amount,
    left: lot.left,
    reserved: lot.held,
    priority: lot.priority,
    starts_at_ms: lot.starts_at_ms ?? null,
    expires_at_ms: lot.expires_at_ms,
    created_at_ms: lot.created_at_ms,
  }))
}

/** Reads the current state of a wallet. Writes only if something in it has fallen due. */
export async function readWallet<T>(
  store: LedgerStore,
  commits: Commits,
  owner: WalletOwner,
  read: (wallet: Wallet) => T,
): Promise<WalletResult<T>> {
  const wallet = store.wallet(walletKey(owner))
  if (!wallet) return walletNotFound(owner)
  const due_at_ms = walletDueAt(wallet)
  if (due_at_ms === null || due_at_ms > commits.now_ms) return { kind: 'done', answer: read(wallet) }
  return commits.submit<WalletResult<T>>(1, (draft) => {
    // An erasure of its owner may have renamed the wallet in the meantime.
    const current = draft.wallet(owner)
    return current ? { kind: 'done', answer: read(settle(draft, current)) } : walletNotFound(owner)
  })
}

/** Returns recurring grants. Due items are applied to a draft that the caller drops. */
export function recurringAnswers(
  store: LedgerStore,
  draft: Draft,
  ids: LedgerIds,
  owner: WalletOwner | null,
): RecurringAnswer[] {
  const wallet = owner && store.wallet(walletKey(owner))
  const wallets = owner ? (wallet ? [wallet] : []) : store.walletsWithDue()
  return wallets
    .map((wallet) => settle(draft, wallet))
    .flatMap((wallet) =>
      wallet.recurring.map((grant) => ({
        recurring_grant_id: ids.recurringGrant({ ...grant, wallet: wallet.number }),
        wallet_id: ids.wallet(wallet.number),
        owner: wallet.owner,
        grant,
      })),
    )
    .sort((a, b) => b.grant.number - a.grant.number)
}
