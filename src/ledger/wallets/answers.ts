import type { Commits } from '../commit/commits.ts'
import type { Draft } from '../commit/draft.ts'
import type { LedgerStore } from '../commit/store.ts'
import type { BalanceAnswer, LotAnswer, LotsAnswer, RecurringPageAnswer } from '../model/answers.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import { compareBurnOrder, expiringNext, type ListedLotPlace, type Lot } from '../model/lots.ts'
import type { LotsMessage, RecurringMessage, WalletResult } from '../model/messages/credits.ts'
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

/** Returns the result of a request for a wallet's balance. */
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

/**
 * Returns a page of the list of lots: the open lots in burn order, then the lots that begin later, oldest first. A lot
 * that begins between two pages keeps its place in the list, so it is on exactly one page.
 */
export function lotsPage(
  ids: LedgerIds,
  wallet: Wallet,
  { limit, after }: LotsMessage,
  now_ms: number,
): LotsAnswer {
  const as_of_ms = after?.as_of_ms ?? now_ms
  const rest = unusedLots(wallet)
    .map((lot) => ({ lot, place: lotPlace(lot, as_of_ms) }))
    .filter(({ place }) => after === null || compareListed(place, after) > 0)
    .sort((a, b) => compareListed(a.place, b.place))
  const page = rest.slice(0, limit)
  return {
    lots: page.map(({ lot }) => lotAnswer(ids, lot)),
    next: rest.length > limit ? (page.at(-1)?.place ?? null) : null,
  }
}

function lotPlace(lot: Lot, as_of_ms: number): ListedLotPlace {
  const { priority, expires_at_ms, kind, number, starts_at_ms = null } = lot
  return { priority, expires_at_ms, kind, number, starts_at_ms, as_of_ms }
}

function compareListed(a: ListedLotPlace, b: ListedLotPlace): number {
  const [a_waits, b_waits] = [beginsLater(a), beginsLater(b)]
  if (a_waits !== b_waits) return a_waits ? 1 : -1
  return a_waits ? a.number - b.number : compareBurnOrder(a, b)
}

function beginsLater({ starts_at_ms, as_of_ms }: ListedLotPlace): boolean {
  return starts_at_ms !== null && starts_at_ms > as_of_ms
}

function lotAnswer(ids: LedgerIds, lot: Lot): LotAnswer {
  return {
    lot_id: ids.lot(lot.number),
    kind: lot.kind,
    amount: lot.amount,
    left: lot.left,
    reserved: lot.held,
    priority: lot.priority,
    starts_at_ms: lot.starts_at_ms ?? null,
    expires_at_ms: lot.expires_at_ms,
    created_at_ms: lot.created_at_ms,
  }
}

/**
 * Returns what `read` returns for the current state of a wallet. Refuses an owner without a wallet. Writes only if an
 * item in the wallet is due.
 */
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
    // An erasure of the owner might have renamed the wallet in the meantime.
    const current = draft.wallet(owner)
    return current ? { kind: 'done', answer: read(settle(draft, current)) } : walletNotFound(owner)
  })
}

/**
 * Returns a page of the recurring grants of one wallet, or of all wallets that `walletsWithDue` returns, newest first.
 * Applies due items to the draft, which the caller must not write.
 */
export function recurringPage(
  store: LedgerStore,
  draft: Draft,
  ids: LedgerIds,
  { owner, limit, after }: RecurringMessage,
): RecurringPageAnswer {
  const wallet = owner && store.wallet(walletKey(owner))
  const wallets = owner ? (wallet ? [wallet] : []) : store.walletsWithDue()
  const rest = wallets
    .map((wallet) => settle(draft, wallet))
    .flatMap((wallet) =>
      wallet.recurring.map((grant) => ({
        recurring_grant_id: ids.recurringGrant({ ...grant, wallet: wallet.number }),
        wallet_id: ids.wallet(wallet.number),
        owner: wallet.owner,
        grant,
      })),
    )
    .filter(({ grant }) => after === null || grant.number < after)
    .sort((a, b) => b.grant.number - a.grant.number)
  const grants = rest.slice(0, limit)
  return { grants, next: rest.length > limit ? (grants.at(-1)?.grant.number ?? null) : null }
}
