import { MAX_MICRO_CREDITS, type MicroCredits, microCredits, ZERO_CREDITS } from '../pricing/money.ts'
import { compareBurnOrder, expiringNext, type Lot, MAX_OPEN_LOTS } from './lots.ts'
import type { WalletOwner } from './messages.ts'
import type { Refusal } from './refusal.ts'

/** Where credits sit. The number is the ledger's own; 1 is the customer's wallet. */
export interface Wallet {
  readonly number: number
  readonly owner: WalletOwner
  readonly created_at_ms: number
  /** What the lots have left, less the overdraft that is used. */
  balance: MicroCredits
  /** How far the balance may go below zero. */
  overdraft_limit: MicroCredits
  /** How much of the overdraft is used. */
  overdrawn: MicroCredits
  /** Open lots in burn order. */
  lots: Lot[]
}

/** What a wallet is found by. Unambiguous, because the kind ends at the first colon. */
export function walletKey(owner: WalletOwner): string {
  return owner.kind === 'customer' ? 'customer' : `${owner.kind}:${owner.id}`
}

export function newWallet(number: number, owner: WalletOwner, created_at_ms: number): Wallet {
  return {
    number,
    owner,
    created_at_ms,
    balance: ZERO_CREDITS,
    overdraft_limit: ZERO_CREDITS,
    overdrawn: ZERO_CREDITS,
    lots: [],
  }
}

/** A copy that can be changed without the original seeing it. */
export function copyWallet(wallet: Wallet): Wallet {
  return { ...wallet, lots: wallet.lots.map((lot) => ({ ...lot })) }
}

/** What can be taken out of a wallet now. */
export function spendable(wallet: Wallet): MicroCredits {
  return microCredits(wallet.balance + wallet.overdraft_limit)
}

/** Why a wallet cannot take `amount` more in `lots` more lots; undefined when it can. */
export function fullRefusal(wallet: Wallet, amount: MicroCredits, lots: number): Refusal | undefined {
  if (wallet.lots.length + lots > MAX_OPEN_LOTS) {
    return { code: 'too_many_open', what: 'lots', limit: MAX_OPEN_LOTS }
  }
  if (wallet.balance + amount <= MAX_MICRO_CREDITS) return undefined
  return {
    code: 'conflict',
    detail: 'The balance of the wallet would pass 8000000000 credits, the most it can hold.',
  }
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
  const { balance, overdrawn, overdraft_limit } = wallet
  check(left <= MAX_MICRO_CREDITS, wallet, `its lots hold ${left}`)
  check(overdrawn >= 0 && overdrawn <= overdraft_limit, wallet, `it is overdrawn by ${overdrawn}`)
  check(balance === left - overdrawn, wallet, `its balance is ${balance} and its lots hold ${left}`)
}

function check(holds: boolean, wallet: Wallet, what: string): void {
  if (!holds) throw new Error(`wallet ${wallet.number} is broken: ${what}`)
}
