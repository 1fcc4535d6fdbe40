import type { MicroCredits } from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { type Lot, removeEmpty, withdraw } from '../model/lots.ts'
import type { Wallet } from '../model/wallet.ts'

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

/** Takes `part` of what is free in a lot out of the wallet, dated at `at_ms`. */
export function expireLot(draft: Draft, wallet: Wallet, lot: Lot, part: MicroCredits, at_ms: number): void {
  const gone = withdraw(lot, part)
  if (lot.left === 0) {
    draft.closedLots.set(lot.number, lot)
    removeEmpty(wallet.lots)
  }
  draft.append(wallet, {
    type: 'EXPIRATION',
    amount: gone[1],
    lots: [gone],
    ...(at_ms < draft.at_ms && { effective_at_ms: at_ms }),
  })
}
