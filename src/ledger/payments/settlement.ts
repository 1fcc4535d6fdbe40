import type { PaymentReversals } from '../../config.ts'
import { ZERO_CREDITS } from '../../pricing/money.ts'
import { DAY_MS } from '../../time/durations.ts'
import type { Draft } from '../commit/draft.ts'
import { applyCredit } from '../credits/credit.ts'
import type { RecordedPayment } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import { type Credited, centsToUsd, isUnsettled, type Payment } from '../model/payments.ts'
import { announceChange } from './notices.ts'
import { payerAfter } from './payers.ts'
import type { Paid, Report } from './report.ts'
import { reverse } from './reversal.ts'

/** The waits between checks with Stripe; the last one repeats. */
const ASK_AGAIN_MS = [60_000, 120_000, 300_000, 900_000, 3_600_000, 10_800_000, 21_600_000] as const

/** The wait before the check of a new payment whose first answer is lost. */
export const FIRST_ASK_MS = ASK_AGAIN_MS[0]

/**
 * A failed payment is deleted after this time, by the sweep, once Stripe has confirmed that it was not paid. All others
 * are kept.
 */
export const FAILED_KEPT_MS = 90 * DAY_MS
/** The number of checks without an answer after which the payment is deleted, which takes about a week. */
export const LAST_ASKS = 30

interface Settling {
  readonly ids: LedgerIds
  /** The operator's policy for refunds and disputes. */
  readonly policy: PaymentReversals
}

/**
 * Applies a report of Stripe to a payment: its credits, its status and its payer, in one commit. Answers to
 * requests, webhooks and the sweep all call this, in any order and any number of times: a payment is credited
 * once.
 */
export function applyReport(draft: Draft, before: Payment, report: Report, how: Settling): Payment {
  const after = afterReport(draft, before, report, how)
  draft.paymentIntents.set(after.number, after)
  payerAfter(draft, before, after, report)
  announceChange(draft, before, after, how.ids)
  return after
}

function afterReport(draft: Draft, before: Payment, report: Report, how: Settling): Payment {
  switch (report.kind) {
    case 'paid':
      return afterPaid(draft, before, report, how)
    case 'open': {
      const { kind: _, ...known } = report
      return isSettled(before) ? kept(draft, before) : askAgain(draft, { ...before, ...known })
    }
    case 'needs_action': {
      if (isSettled(before)) return kept(draft, before)
      // The next step follows at once; a crash in between is repaired by the sweep.
      return askAgain(draft, { ...before, intent_id: report.intent_id, needs_action: true }, 0)
    }
    case 'action_required': {
      if (isSettled(before)) return kept(draft, before)
      const { session_id, url } = report
      return askAgain(draft, { ...before, status: 'action_required', session_id, url, asked: 0 }, 0)
    }
    case 'failed': {
      if (isSettled(before)) return kept(draft, before)
      const { url: _, ...rest } = before
      const { code, message, intent_id = before.intent_id } = report
      const failed = {
        ...rest,
        status: 'failed',
        failure: { code, message },
        asked: 0,
        ask_at_ms: before.created_at_ms + FAILED_KEPT_MS,
      } as const
      return intent_id === undefined ? failed : { ...withoutPayer(failed), intent_id }
    }
    case 'not_accepted':
      return before.credited ? kept(draft, before) : afterDecision(draft, before, report)
    case 'unknown':
      // A webhook reported a change of a credited payment: the sweep reads it from Stripe.
      return isSettled(before) && !before.credited
        ? kept(draft, before)
        : askAgain(draft, before, report.retry_after_ms)
  }
}

/**
 * The operator refunds such a payment at Stripe, or records it by hand; until then, the sweep checks it with
 * Stripe.
 */
function afterDecision(
  draft: Draft,
  before: Payment,
  { intent_id, is_refunded }: Extract<Report, { kind: 'not_accepted' }>,
): Payment {
  if (before.status === 'failed' && is_refunded) return kept(draft, before)
  const { url: _, failure: __, ...rest } = before
  const recorded = draft.payment(intent_id)
  if (recorded) {
    const credited = creditedBy(recorded)
    return { ...withoutPayer(rest), status: 'succeeded', intent_id, credited, asked: 0, ask_at_ms: null }
  }
  if (!is_refunded) return askAgain(draft, { ...rest, status: 'pending', intent_id })
  const message = 'Stripe received another amount, currency or mode than was asked for, and refunded it.'
  const failure = { code: 'not_accepted', message }
  const ask_at_ms = before.created_at_ms + FAILED_KEPT_MS
  return { ...withoutPayer(rest), status: 'failed', intent_id, failure, asked: 0, ask_at_ms }
}

/** Returns a settled payment unchanged. Schedules its next check with Stripe if the check was due. */
function kept(draft: Draft, payment: Payment): Payment {
  const is_due = payment.ask_at_ms !== null && payment.ask_at_ms <= draft.at_ms
  return is_due ? askAgain(draft, payment) : payment
}

/** Removes the payer, who may have been erased: later checks with Stripe use the payment intent. */
function withoutPayer<T extends Pick<Payment, 'customer' | 'card'>>(
  payment: T,
): Omit<T, 'customer' | 'card'> {
  const { customer: _, card: __, ...rest } = payment
  return rest
}

/** Whether a payment is settled. Only a report that it was paid changes it: a failed payment may be paid later. */
function isSettled(payment: Payment): boolean {
  return !isUnsettled(payment)
}

function askAgain(draft: Draft, payment: Payment, at_least_ms = 0): Payment {
  const { asked } = payment
  const wait_ms = ASK_AGAIN_MS[Math.min(asked, ASK_AGAIN_MS.length - 1)] ?? FIRST_ASK_MS
  return { ...payment, asked: asked + 1, ask_at_ms: draft.at_ms + Math.max(wait_ms, at_least_ms) }
}

function afterPaid(draft: Draft, before: Payment, report: Paid, { ids, policy }: Settling): Payment {
  const { intent_id, receipt_url, refunded_cents, disputed_cents } = report
  const { url: _, failure: __, ...rest } = before
  const credited = before.credited ?? credit(draft, before, intent_id)
  // The wallet has no room for the credits now. They are added when the wallet has room, so the payment has
  // not failed.
  if (!credited) return askAgain(draft, { ...rest, status: 'pending', intent_id })
  const what = refunded_cents > before.refunded_cents ? 'Refund' : 'Dispute'
  const description = `${what} of ${ids.payment(before)}`
  const reversed = reverse(draft, before, report, { credited, description, policy })
  if (!reversed) return askAgain(draft, before)
  return {
    ...withoutPayer(rest),
    ...reversed,
    status: statusOf(before, report),
    intent_id,
    ...(receipt_url && { receipt_url }),
    credited,
    refunded_cents,
    disputed_cents,
    asked: 0,
    ask_at_ms: null,
  }
}

function statusOf({ price_cents }: Payment, { refunded_cents, disputed_cents }: Paid): Payment['status'] {
  if (disputed_cents > 0) return 'disputed'
  return refunded_cents >= price_cents ? 'refunded' : 'succeeded'
}

/**
 * Adds the lot. The payment's reference is Stripe's payment intent: a purchase that was recorded by hand with
 * this reference is the same payment. Undefined when the wallet has no room.
 */
function credit(draft: Draft, payment: Payment, intent_id: string): Credited | undefined {
  const { owner, credits, price_cents, expires_in_days: days } = payment
  if (!draft.payment(intent_id)) {
    const outcome = applyCredit(draft, {
      type: 'PURCHASE',
      owner,
      amount: credits,
      lot_kind: 'paid',
      priority: 50,
      expires_at_ms: days === undefined ? null : draft.at_ms + days * DAY_MS,
      price: centsToUsd(price_cents),
      payment_reference: intent_id,
      reason: payment.type === 'top_up' ? 'Automatic top-up' : payment.product,
    })
    if (outcome.kind === 'refused') return undefined
  }
  const recorded = draft.payment(intent_id)
  return recorded && creditedBy(recorded)
}

function creditedBy({ entry, at_ms, wallet, lot }: RecordedPayment): Credited {
  return { entry, at_ms, wallet, lot }
}

/** A payment that is not started yet. */
export function newPayment(
  draft: Draft,
  asked: Pick<
    Payment,
    | 'type'
    | 'owner'
    | 'credits'
    | 'price_cents'
    | 'product'
    | 'urls'
    | 'expires_in_days'
    | 'credit_pack_id'
    | 'saves_card'
    | 'customer'
    | 'card'
  >,
): Payment {
  const payment: Payment = {
    ...asked,
    number: draft.nextPaymentNumber(),
    created_at_ms: draft.at_ms,
    status: 'pending',
    refunded_cents: 0,
    disputed_cents: 0,
    asked_back: ZERO_CREDITS,
    taken_back: ZERO_CREDITS,
    asked: 0,
    ask_at_ms: draft.at_ms + FIRST_ASK_MS,
  }
  draft.paymentIntents.set(payment.number, payment)
  return payment
}
