import { type MicroCredits, microCredits } from '../pricing/money.ts'
import type { Draft } from './draft.ts'
import { releaseParts } from './funds.ts'
import { closeHold } from './hold-record.ts'
import { free, type Lot, lotDueAt, removeEmpty } from './lots.ts'
import { type Hold, type Wallet, walletDueAt } from './wallet.ts'

/**
 * Applies what has fallen due in a wallet (lots and holds that expired), each once and dated at its due time, whoever
 * comes by first: a request or the alarm. In the order of their times, because it matters: a hold that ends before
 * its lot does gives the lot its credits back, and then they expire with it. Returns the wallet as it then is; it is
 * only copied, and so only written, if something was due.
 */
export function settle(draft: Draft, wallet: Wallet): Wallet {
  const due_at_ms = walletDueAt(wallet)
  if (due_at_ms === null || due_at_ms > draft.at_ms) return wallet
  const changed = draft.change(wallet)
  for (let next = nextDue(changed, draft.at_ms); next; next = nextDue(changed, draft.at_ms)) {
    if (next.kind === 'lot') expireLot(draft, changed, next.lot, free(next.lot), next.at_ms)
    else expireHold(draft, changed, next.hold)
  }
  return changed
}

type Due =
  | { readonly kind: 'lot'; readonly lot: Lot; readonly at_ms: number }
  | { readonly kind: 'hold'; readonly hold: Hold; readonly at_ms: number }

/** What fell due first. At one and the same time a hold ends before a lot does. */
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
  return next
}

function expireHold(draft: Draft, wallet: Wallet, hold: Hold): void {
  closeHold(draft, wallet, hold, 'expired')
  expireFreed(draft, wallet, releaseParts(wallet, hold.parts), hold.expires_at_ms)
}

/** Credits that a hold gives back to lots which have expired meanwhile expire at once. */
export function expireFreed(
  draft: Draft,
  wallet: Wallet,
  freed: readonly { readonly lot: Lot; readonly part: MicroCredits }[],
  at_ms: number,
): void {
  for (const { lot, part } of freed) {
    if (lot.expires_at_ms !== null && lot.expires_at_ms <= at_ms) expireLot(draft, wallet, lot, part, at_ms)
  }
}

function expireLot(draft: Draft, wallet: Wallet, lot: Lot, part: MicroCredits, at_ms: number): void {
  const amount = microCredits(-part)
  lot.left = microCredits(lot.left - part)
  if (lot.left === 0) {
    draft.closedLots.set(lot.number, lot)
    removeEmpty(wallet.lots)
  }
  draft.append(wallet, {
    type: 'EXPIRATION',
    amount,
    lots: [[lot.number, amount]],
    ...(at_ms < draft.at_ms && { effective_at_ms: at_ms }),
  })
}
