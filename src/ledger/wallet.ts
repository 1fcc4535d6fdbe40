import { MAX_MICRO_CREDITS, type MicroCredits, microCredits } from '../pricing/money.ts'
import { compareBurnOrder, expiringNext, type Lot } from './lots.ts'
import type { WalletOwner } from './messages.ts'

/** Where credits sit. The number is the ledger's own; 1 is the customer's wallet. */
export interface Wallet {
  readonly number: number
  readonly owner: WalletOwner
  readonly created_at_ms: number
  balance: MicroCredits
  /** Open lots in burn order. */
  lots: Lot[]
}

/** What a wallet is found by. Unambiguous, because the kind ends at the first colon. */
export function walletKey(owner: WalletOwner): string {
  return owner.kind === 'customer' ? 'customer' : `${owner.kind}:${owner.id}`
}

export function newWallet(number: number, owner: WalletOwner, created_at_ms: number): Wallet {
  return { number, owner, created_at_ms, balance: microCredits(0), lots: [] }
}

/** A copy that can be changed without the original seeing it. */
export function copyWallet(wallet: Wallet): Wallet {
  return { ...wallet, lots: wallet.lots.map((lot) => ({ ...lot })) }
}

/** When something in the wallet falls due; null when nothing will. */
export function walletDueAt(wallet: Wallet): number | null {
  return expiringNext(wallet.lots)?.at_ms ?? null
}

/**
 * Rules 1, 4 and 6 of the design, asserted where a wallet is about to be written and again where it is read back.
 * Throws: a wallet that breaks them is a bug, and its commit must not happen.
 */
export function assertWallet(wallet: Wallet): void {
  let left = 0
  let previous: Lot | undefined
  for (const lot of wallet.lots) {
    check(
      Number.isSafeInteger(lot.left) && lot.left > 0 && lot.left <= lot.amount,
      wallet,
      `lot ${lot.number} holds ${lot.left}`,
    )
    check(!previous || compareBurnOrder(previous, lot) < 0, wallet, `lot ${lot.number} is out of burn order`)
    left += lot.left
    previous = lot
  }
  check(left <= MAX_MICRO_CREDITS, wallet, `its lots hold ${left}`)
  check(wallet.balance === left, wallet, `its balance is ${wallet.balance} and its lots hold ${left}`)
}

function check(holds: boolean, wallet: Wallet, what: string): void {
  if (!holds) throw new Error(`wallet ${wallet.number} is broken: ${what}`)
}
