import type { PaymentReversals } from '../../config.ts'
import {
  divideHalfEven,
  MAX_MICRO_CREDITS,
  type MicroCredits,
  microCredits,
  picoUsd,
  type UsdParts,
  usdFromParts,
  usdToParts,
  ZERO_CREDITS,
} from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { free, type LotPart, lastTaken, lotPart, OVERDRAFT, paidOf, shareOf } from '../model/lots.ts'
import type { Credited, Payment, TakenSpent } from '../model/payments.ts'
import { available, unusedLots, type Wallet } from '../model/wallet.ts'
import { giveBack, giveBackRefusal, openLot, takeBelowZero, takeFromLot } from '../wallets/funds.ts'
import { settle } from '../wallets/settle.ts'
import type { Paid } from './report.ts'

/** The credits of a payment that refunds and disputes have taken so far. */
type Reversed = Pick<Payment, 'asked_back' | 'taken_back' | 'taken_paid' | 'spent'>

interface Reversal {
  readonly credited: Credited
  readonly description: string
  readonly policy: PaymentReversals
}

const NOTHING: UsdParts = { micro: 0, pico: 0 }

/**
 * Takes back the share of a payment's credits that was refunded or disputed. First takes unspent and unreserved credits
 * of the payment's lot. With the policy `all`, takes the rest from other credits of the wallet, even if its balance
 * falls below zero. If the share decreases, because a dispute was won or a refund failed, returns credits. The reported
 * amounts are totals, so a repeated report has no effect. Returns null if the returned credits would exceed a maximum
 * of the wallet.
 */
export function reverse(
  draft: Draft,
  payment: Payment,
  paid: Pick<Paid, 'refunded_cents' | 'disputed_cents'>,
  reversal: Reversal,
): Reversed | null {
  const asked_back = shareOfCredits(payment, paid.refunded_cents + paid.disputed_cents)
  if (asked_back === payment.asked_back) return { asked_back, taken_back: payment.taken_back }
  const wallet = draft.walletByNumber(reversal.credited.wallet)
  if (!wallet) throw new Error(`the ledger has no wallet ${reversal.credited.wallet}`)
  const settled = settle(draft, wallet)
  return asked_back > payment.asked_back
    ? takeMore(draft, settled, payment, asked_back, reversal)
    : returnTaken(draft, settled, payment, asked_back, reversal)
}

/** Returns the credits that a part of the price bought: the same part of the payment's credits, rounded half-even. */
function shareOfCredits({ credits, price_cents }: Payment, cents: number): MicroCredits {
  return microCredits(divideHalfEven(BigInt(credits) * BigInt(cents), BigInt(price_cents)))
}

function takeMore(
  draft: Draft,
  settled: Wallet,
  payment: Payment,
  asked_back: MicroCredits,
  { credited, description, policy }: Reversal,
): Reversed {
  const { taken_paid = NOTHING } = payment
  let rest: number = asked_back - payment.asked_back
  let reversed: Reversed = { asked_back, taken_back: payment.taken_back }
  const open = unusedLots(settled).find(({ number }) => number === credited.lot)
  const from_lot = open ? microCredits(Math.min(rest, free(open))) : ZERO_CREDITS
  if (from_lot > 0) {
    const changed = draft.change(settled)
    const part = takeFromLot(draft, changed, openLot(changed, credited.lot), from_lot)
    draft.append(changed, { type: 'REFUND', amount: part[1], lots: [part], description })
    rest -= from_lot
    reversed = {
      asked_back,
      taken_back: microCredits(payment.taken_back + from_lot),
      taken_paid: usdToParts(picoUsd(usdFromParts(taken_paid) + paidOf(part))),
    }
  }
  if (policy === 'remaining' || rest === 0) return reversed
  const changed = draft.change(settled)
  // The debt of a wallet is at most the maximum balance.
  const spent = microCredits(Math.min(rest, MAX_MICRO_CREDITS + available(changed)))
  if (spent === 0) return reversed
  const parts = takeBelowZero(draft, changed, spent)
  draft.append(changed, {
    type: 'ADJUSTMENT',
    amount: microCredits(-spent),
    lots: parts,
    description: `${description}: spent credits`,
  })
  return {
    ...reversed,
    taken_back: microCredits(reversed.taken_back + spent),
    spent: { parts: joined(payment.spent?.parts ?? [], parts), at_ms: draft.at_ms },
  }
}

/**
 * Returns credits in the reverse order of taking: first the credits that were taken in place of spent credits, then the
 * credits of the payment's lot. Returns null if the returned credits would exceed a maximum of the wallet.
 */
function returnTaken(
  draft: Draft,
  settled: Wallet,
  payment: Payment,
  asked_back: MicroCredits,
  { credited, description }: Reversal,
): Reversed | null {
  const { taken_back, taken_paid = NOTHING, spent } = payment
  const amount = microCredits(Math.max(0, taken_back - asked_back))
  if (amount === 0) return { asked_back, taken_back }
  const all_spent = amountOf(spent)
  const of_spent = microCredits(Math.min(amount, all_spent))
  const of_lot = microCredits(amount - of_spent)
  const paid_before = usdFromParts(taken_paid)
  const paid = of_lot > 0 ? shareOf(paid_before, of_lot, taken_back - all_spent) : picoUsd(0n)
  const returned = spent ? lastTaken(spent.parts, ZERO_CREDITS, of_spent) : []
  const parts = of_lot > 0 ? [...returned, lotPart(credited.lot, of_lot, paid)] : returned
  if (giveBackRefusal(settled, amount, parts)) return null
  const changed = draft.change(settled)
  const takenAt = (lot: number) => (lot === credited.lot || !spent ? credited.at_ms : spent.at_ms)
  giveBack(draft, changed, parts, takenAt, { type: 'ADJUSTMENT', amount, description })
  return {
    asked_back,
    taken_back: microCredits(taken_back - amount),
    taken_paid: usdToParts(picoUsd(paid_before - paid)),
    ...(spent && { spent: { ...spent, parts: withoutLast(spent.parts, of_spent) } }),
  }
}

function amountOf(spent: TakenSpent | undefined): MicroCredits {
  return microCredits((spent?.parts ?? []).reduce((sum, [, amount]) => sum - amount, 0))
}

/**
 * Joins two lists of taken parts, with the overdraft last. The last part is returned first, so the overdraft is
 * repaid first.
 */
function joined(before: readonly LotPart[], more: readonly LotPart[]): LotPart[] {
  const all = [...before, ...more]
  const lots = all.filter(([number]) => number !== OVERDRAFT)
  const overdrawn = all.reduce((sum, [number, amount]) => (number === OVERDRAFT ? sum + amount : sum), 0)
  return overdrawn === 0 ? lots : [...lots, [OVERDRAFT, microCredits(overdrawn)]]
}

/** Returns the parts that remain after the last `amount` credits were returned. */
function withoutLast(parts: readonly LotPart[], amount: MicroCredits): LotPart[] {
  const kept = microCredits(amountOf({ parts, at_ms: 0 }) - amount)
  return lastTaken(parts, amount, kept)
    .toReversed()
    .map((part) => lotPart(part[0], -part[1], paidOf(part)))
}
