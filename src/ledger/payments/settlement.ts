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

/** The waits between checks with Stripe. The last wait is used for all further checks. */
const ASK_AGAIN_MS = [60_000, 120_000, 300_000, 900_000, 3_600_000, 10_800_000, 21_600_000] as const

/** The wait before the first check of a new payment, and before a failed look-up of a card is repeated. */
export const FIRST_ASK_MS = ASK_AGAIN_MS[0]

/**
 * The time for which a failed payment is kept, from its creation. Afterwards, the alarm deletes the payment if Stripe
 * confirms that it was not paid. All other payments are kept forever.
 */
export const FAILED_KEPT_MS = 90 * DAY_MS
/**
 * The number of checks after which an old failed payment is deleted even if Stripe does not respond. This number of
 * checks takes about six days, or 30 hours if payments are not set up.
 */
export const LAST_ASKS = 30

interface Settling {
  readonly ids: LedgerIds
  /** The operator's policy for refunds and disputes. */
  readonly policy: PaymentReversals
}

/**
 * Applies a report of Stripe to a payment: changes its credits, its status and its payer in one commit. Requests,
 * webhooks and the alarm can cause repeated reports, but a payment is credited only once. `LedgerPayments` applies the
 * reports of a payment in the order in which Stripe sent them.
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
      // The caller performs the next step immediately. If the object crashes before that step, the alarm performs it.
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
      if (intent_id !== undefined) return { ...withoutPayer(failed), intent_id }
      return isInFlight(draft, before) ? failed : withoutPayer(failed)
    }
    case 'not_accepted':
      return before.credited ? kept(draft, before) : afterDecision(draft, before, report)
    case 'unknown':
      // A credited payment is checked because a webhook reported a change. The check is repeated until Stripe responds.
      return isSettled(before) && !before.credited
        ? kept(draft, before)
        : askAgain(draft, before, report.retry_after_ms)
  }
}

/**
 * Applies a report of a payment that was not paid as requested. The operator must refund it at Stripe or record it as
 * a purchase. Until then, the payment is pending, and the alarm checks it with Stripe.
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
  const message = 'The paid amount, currency or mode differs from the request. The payment was refunded.'
  const failure = { code: 'not_accepted', message }
  const ask_at_ms = before.created_at_ms + FAILED_KEPT_MS
  return { ...withoutPayer(rest), status: 'failed', intent_id, failure, asked: 0, ask_at_ms }
}

/** Returns a settled payment without a change, or with the time of its next check with Stripe if a check was due. */
function kept(draft: Draft, payment: Payment): Payment {
  const is_due = payment.ask_at_ms !== null && payment.ask_at_ms <= draft.at_ms
  return is_due ? askAgain(draft, payment) : payment
}

/**
 * Reports whether the payer's row names the payment as its top-up without an outcome. An erasure deletes the row. A
 * top-up that fails without a payment intent keeps its customer and card only if its payer was not erased. The check
 * before its deletion searches the payment intents of the customer.
 */
function isInFlight(draft: Draft, { owner, number }: Payment): boolean {
  return draft.payer(owner)?.in_flight === number
}

/**
 * Removes the ids of the payer's customer and card, because the payer might have been erased. Later checks with Stripe
 * use the payment intent, if there is one.
 */
function withoutPayer<T extends Pick<Payment, 'customer' | 'card'>>(
  payment: T,
): Omit<T, 'customer' | 'card'> {
  const { customer: _, card: __, ...rest } = payment
  return rest
}

/**
 * Reports whether a payment has an outcome. Only a report that money was paid can change the outcome, because a failed
 * payment can still be paid later.
 */
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
  // The credits would exceed a maximum of the wallet. The payment has not failed: its credits are added at a later
  // check.
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
 * Adds the lot of a payment, with the id of Stripe's payment intent as its payment reference. If a purchase with this
 * reference was recorded before, returns that purchase. Returns undefined if the lot would exceed a maximum of the
 * wallet.
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

/** Adds a new payment to the draft. Does not start the payment at Stripe. */
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
