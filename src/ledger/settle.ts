import { microCredits } from '../pricing/money.ts'
import type { Draft } from './draft.ts'
import { removeExpired } from './lots.ts'
import { type Wallet, walletDueAt } from './wallet.ts'

/**
 * Applies what has fallen due in a wallet, once, dated at its due time, whoever comes by first: a request or the
 * alarm. Returns the wallet as it then is; it is only copied, and so only written, if something was due.
 */
export function settle(draft: Draft, wallet: Wallet): Wallet {
  const due_at_ms = walletDueAt(wallet)
  if (due_at_ms === null || due_at_ms > draft.at_ms) return wallet
  const changed = draft.change(wallet)
  for (const lot of removeExpired(changed.lots, draft.at_ms)) {
    const amount = microCredits(-lot.left)
    draft.closedLots.set(lot.number, lot)
    draft.append(changed, {
      type: 'EXPIRATION',
      amount,
      lots: [[lot.number, amount]],
      ...(lot.expires_at_ms !== null && { effective_at_ms: lot.expires_at_ms }),
    })
  }
  return changed
}
