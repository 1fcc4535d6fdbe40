import {
  divideHalfEven,
  type MicroCredits,
  microCredits,
  picoUsd,
  type UsdParts,
  usdFromParts,
  usdToParts,
} from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { free, type LotPart, lotPart, paidOf, shareOf } from '../model/lots.ts'
import type { Credited, Payment } from '../model/payments.ts'
import { fullRefusal, unusedLots, type Wallet } from '../model/wallet.ts'
import { giveBack, openLot, takeFromLot } from '../wallets/funds.ts'
import { settle } from '../wallets/settle.ts'
import type { Paid } from './report.ts'

export interface Reversed {
  readonly asked_back: MicroCredits
  readonly taken_back: MicroCredits
  /** The share of the price in `taken_back`. */
  readonly taken_paid: UsdParts
}

const NOTHING: UsdParts = { micro: 0, pico: 0 }

/**
 * Takes back the share of a payment's credits that its refunds and disputes ask for, as far as it is left in the lot of
 * the payment and not held. Returns credits that were taken when less is asked back: a dispute was won, a refund failed.
 * The amounts are absolute, so a repeated report does nothing. Null: the wallet has no room for the returned credits.
 */
export function reverse(
  draft: Draft,
  payment: Payment,
  credited: Credited,
  paid: Pick<Paid, 'refunded_cents' | 'disputed_cents'>,
  description: string,
): Reversed | null {
  const asked_back = shareOfCredits(payment, paid.refunded_cents + paid.disputed_cents)
  const { taken_back, taken_paid = NOTHING } = payment
  if (asked_back === payment.asked_back) return { asked_back, taken_back, taken_paid }
  const wallet = draft.walletByNumber(credited.wallet)
  if (!wallet) throw new Error(`the ledger has no wallet ${credited.wallet}`)
  const settled = settle(draft, wallet)
  const paid_before = usdFromParts(taken_paid)
  if (asked_back > payment.asked_back) {
    const wanted = microCredits(asked_back - payment.asked_back)
    const part = takeBack(draft, settled, credited.lot, wanted, description)
    if (!part) return { asked_back, taken_back, taken_paid }
    const taken = microCredits(taken_back - part[1])
    return { asked_back, taken_back: taken, taken_paid: usdToParts(picoUsd(paid_before + paidOf(part))) }
  }
  const amount = microCredits(Math.max(0, taken_back - asked_back))
  if (amount === 0) return { asked_back, taken_back, taken_paid }
  if (fullRefusal(settled, amount, 1)) return null
  const share = shareOf(paid_before, amount, taken_back)
  returnTaken(draft, settled, lotPart(credited.lot, amount, share), credited.at_ms, description)
  const left = microCredits(taken_back - amount)
  return { asked_back, taken_back: left, taken_paid: usdToParts(picoUsd(paid_before - share)) }
}

/** The whole price asks for all credits; a part of it for the same part of them, rounded half-even. */
function shareOfCredits({ credits, price_cents }: Payment, cents: number): MicroCredits {
  return microCredits(divideHalfEven(BigInt(credits) * BigInt(cents), BigInt(price_cents)))
}

/** Returns the part that was taken, undefined if nothing was left. */
function takeBack(
  draft: Draft,
  wallet: Wallet,
  lot_number: number,
  wanted: MicroCredits,
  description: string,
): LotPart | undefined {
  const open = unusedLots(wallet).find(({ number }) => number === lot_number)
  const amount = open ? microCredits(Math.min(wanted, free(open))) : 0
  if (amount === 0) return undefined
  const changed = draft.change(wallet)
  const part = takeFromLot(draft, changed, openLot(changed, lot_number), microCredits(amount))
  draft.append(changed, { type: 'REFUND', amount: part[1], lots: [part], description })
  return part
}

function returnTaken(
  draft: Draft,
  wallet: Wallet,
  part: LotPart,
  credited_at_ms: number,
  description: string,
): void {
  const changed = draft.change(wallet)
  const { parts, expired } = giveBack(draft, changed, [part], () => credited_at_ms)
  draft.append(changed, { type: 'ADJUSTMENT', amount: part[1], lots: parts, description })
  for (const gone of expired) draft.append(changed, { type: 'EXPIRATION', amount: gone[1], lots: [gone] })
}
