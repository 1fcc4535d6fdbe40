import { chargeNoted } from '../calls/noted.ts'
import type { Draft } from '../commit/draft.ts'
import { closeHold } from '../holds/funds.ts'
import { free, type Lot, lotDueAt } from '../model/lots.ts'
import { type Hold, type RecurringGrant, startOf, type Wallet, walletDueAt } from '../model/wallet.ts'
import { beginLot, expireFreed, expireLot, releaseParts } from './funds.ts'
import { recur } from './recurring.ts'

/**
 * Applies the due items of a wallet: lots that expire or begin, expired holds, and recurring grants. Each item is
 * applied once and takes effect at its due time. Items are applied in the order of their due times. For example, a hold
 * that expires before its lot returns its credits to the lot, and they then expire with the lot. Runs on the next
 * request or alarm, whichever is first. Returns the wallet in its new state. The wallet is copied, and therefore
 * written, only if an item was due.
 */
export function settle(draft: Draft, wallet: Wallet): Wallet {
  const due_at_ms = walletDueAt(wallet)
  if (due_at_ms === null || due_at_ms > draft.at_ms) return wallet
  const changed = draft.change(wallet)
  for (let next = nextDue(changed, draft.at_ms); next; next = nextDue(changed, draft.at_ms)) {
    apply(draft, changed, next)
  }
  return changed
}

type Due =
  | { readonly kind: 'grant'; readonly grant: RecurringGrant; readonly at_ms: number }
  | { readonly kind: 'lot'; readonly lot: Lot; readonly at_ms: number }
  | { readonly kind: 'begin'; readonly lot: Lot; readonly at_ms: number }
  | { readonly kind: 'hold'; readonly hold: Hold; readonly at_ms: number }

function apply(draft: Draft, wallet: Wallet, due: Due): void {
  switch (due.kind) {
    case 'hold':
      expireHold(draft, wallet, due.hold)
      break
    case 'lot':
      expireLot(draft, wallet, due.lot, free(due.lot), due.at_ms)
      break
    case 'begin':
      beginLot(draft, wallet, due.lot, due.at_ms)
      break
    case 'grant':
      recur(draft, wallet, due.grant)
  }
}

/**
 * Returns the item with the earliest due time; undefined if none is due. At equal times, the order is holds, lots
 * that expire, grants, and lots that begin.
 */
function nextDue(wallet: Wallet, now_ms: number): Due | undefined {
  let next: Due | undefined
  for (const hold of wallet.holds) {
    const at_ms = hold.expires_at_ms
    if (at_ms <= now_ms && (!next || at_ms < next.at_ms)) next = { kind: 'hold', hold, at_ms }
  }
  for (const lot of wallet.lots) {
    const at_ms = lotDueAt(lot)
    if (at_ms !== null && at_ms <= now_ms && (!next || at_ms < next.at_ms)) next = { kind: 'lot', lot, at_ms }
  }
  for (const grant of wallet.recurring) {
    const at_ms = grant.next_at_ms
    if (at_ms <= now_ms && (!next || at_ms < next.at_ms)) next = { kind: 'grant', grant, at_ms }
  }
  for (const lot of wallet.pending ?? []) {
    const at_ms = startOf(lot)
    if (at_ms <= now_ms && (!next || at_ms < next.at_ms)) next = { kind: 'begin', lot, at_ms }
  }
  return next
}

function expireHold(draft: Draft, wallet: Wallet, hold: Hold): void {
  chargeNoted(draft, wallet, hold)
  closeHold(draft, wallet, hold, 'expired')
  expireFreed(draft, wallet, releaseParts(wallet, hold.parts), hold.expires_at_ms, hold.created_at_ms)
}
