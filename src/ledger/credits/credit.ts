import { countStored, overStored, type StoredQuotas } from '../admission/quotas.ts'
import type { Draft } from '../commit/draft.ts'
import { done, keepAnswer, replayedEntryOr } from '../commit/replay.ts'
import { FORMAT } from '../journal/packed-entry.ts'
import type { CreditAnswer } from '../model/answers.ts'
import { type Entry, paymentOf, type RecordedPayment } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { CreditMessage, CreditResult } from '../model/messages/credits.ts'
import { type Answered, invalidField, type Refused, refused } from '../model/refusal.ts'
import { fullRefusal, type RecurringGrant } from '../model/wallet.ts'
import { putLot, putPending } from '../wallets/funds.ts'
import { MAX_RECURRING_GRANTS, nextRecurrence } from '../wallets/recurring.ts'
import { settle } from '../wallets/settle.ts'

export type CreditOutcome =
  | { readonly kind: 'done' | 'replayed'; readonly format: number; readonly entry: Entry }
  /** The outcome if the payment was already recorded. No credits are added. */
  | ({ readonly entry?: never } & Answered<RecordedPayment>)
  | Refused

/**
 * Adds a lot to the owner's wallet, and the recurring grant if the message has one. Creates the wallet if the owner has
 * none. A refusal changes nothing. Adds no lot if the payment of a purchase was already recorded. Without `quotas`,
 * checks and counts no quota: no quota applies to the sign-up grant or to payments through Stripe.
 */
export function applyCredit(draft: Draft, message: CreditMessage, quotas?: StoredQuotas): CreditOutcome {
  const replayed = replayedEntryOr(draft, message.idempotency, 'payment')
  if (replayed) return 'answer' in replayed ? { ...replayed, answer: replayed.answer.payment } : replayed
  const { payment_reference: reference } = message
  const recorded = reference === undefined ? undefined : draft.payment(reference)
  if (recorded) return recordedBefore(draft, message, recorded)
  if (message.expires_at_ms !== null && message.expires_at_ms <= draft.at_ms) {
    const message = 'must be in the future'
    return invalidField('/expires_at', message, `expires_at ${message}.`)
  }
  if (message.starts_at_ms !== undefined && message.starts_at_ms <= draft.at_ms) {
    return invalidField('/starts_at', 'must be in the future', 'starts_at must be in the future.')
  }
  const existing = draft.wallet(message.owner)
  const settled = existing && settle(draft, existing)
  const full = settled && fullRefusal(settled, message.amount, 1)
  if (full) return refused(full)
  if (message.recurring && (settled?.recurring.length ?? 0) >= MAX_RECURRING_GRANTS) {
    return refused({ code: 'too_many_open', what: 'recurring grants', limit: MAX_RECURRING_GRANTS })
  }
  const over = quotas && overStored(draft, quotas, [message.metadata])
  if (over) return refused(over)
  if (quotas) countStored(draft, [message.metadata])
  const wallet = settled ? draft.change(settled) : draft.createWallet(message.owner)
  const number = draft.nextLotNumber()
  const lot = {
    number,
    kind: message.lot_kind,
    priority: message.priority,
    expires_at_ms: message.expires_at_ms,
    ...(message.price && { price: message.price }),
    ...(message.starts_at_ms !== undefined && { starts_at_ms: message.starts_at_ms }),
    // A recurring grant has the number of its first lot.
    ...(message.recurring && { recurring: number }),
  }
  if (message.recurring) wallet.recurring.push(recurringGrant(draft, message, message.recurring, number))
  const funds = { ...lot, created_at_ms: draft.at_ms, amount: message.amount }
  const lots = message.starts_at_ms === undefined ? putLot(draft, wallet, funds) : putPending(wallet, funds)
  const entry = draft.append(wallet, {
    type: message.type,
    amount: message.amount,
    lots,
    new_lots: [lot],
    ...(message.reason !== undefined && { description: message.reason }),
    ...(message.payment_reference !== undefined && { payment_reference: message.payment_reference }),
    ...(message.metadata !== undefined && { metadata: message.metadata }),
    ...(message.idempotency && { idempotency: message.idempotency }),
  })
  const payment = paymentOf(entry)
  if (payment) draft.payments.set(payment.reference, payment.recorded)
  return { kind: 'done', format: FORMAT, entry }
}

/**
 * Returns the purchase that has already recorded a payment. Returns a conflict if the wallet or the amounts of the
 * message differ from that purchase.
 */
function recordedBefore(
  draft: Draft,
  { owner, amount, price, payment_reference, idempotency }: CreditMessage,
  payment: RecordedPayment,
): CreditOutcome {
  const isSamePrice = price?.micro === payment.price.micro && price.pico === payment.price.pico
  if (draft.wallet(owner)?.number !== payment.wallet || amount !== payment.amount || !isSamePrice) {
    return refused({
      code: 'conflict',
      detail: `The payment_reference "${payment_reference}" was already used with a different wallet, amount or price. Use a new reference for a new payment.`,
    })
  }
  keepAnswer(draft, idempotency, { of: 'payment', payment })
  return done(payment)
}

/**
 * Returns the result of a grant or a purchase. Its `answer` depends only on the stored record, so every replay has the
 * same `answer`.
 */
export function creditResult(ids: LedgerIds, outcome: CreditOutcome): CreditResult {
  if (outcome.kind === 'refused') return outcome
  const { kind, format } = outcome
  const answer = outcome.entry ? creditAnswer(ids, outcome.entry) : paymentAnswer(ids, outcome.answer)
  return { kind, format, answer }
}

function paymentAnswer(ids: LedgerIds, payment: RecordedPayment): CreditAnswer {
  return {
    transaction_id: ids.transaction({ at_ms: payment.at_ms, number: payment.entry }),
    wallet_id: ids.wallet(payment.wallet),
    lot_id: ids.lot(payment.lot),
    amount: payment.amount,
    balance_after: payment.balance_after,
    already_recorded: true,
  }
}

/**
 * Returns the `answer` in the result of a grant or a purchase. Computes it only from the entry, so a replay has the
 * same `answer` as the first request.
 */
export function creditAnswer(ids: LedgerIds, entry: Entry): CreditAnswer {
  const [lot] = entry.new_lots ?? []
  if (!lot) throw new Error(`entry ${entry.number} is not a grant or a purchase`)
  return {
    transaction_id: ids.transaction(entry),
    wallet_id: ids.wallet(entry.wallet),
    lot_id: ids.lot(lot.number),
    ...(lot.recurring !== undefined && {
      recurring_grant_id: ids.recurringGrant({
        number: lot.recurring,
        wallet: entry.wallet,
        created_at_ms: entry.at_ms,
      }),
    }),
    ...(lot.starts_at_ms !== undefined && { starts_at_ms: lot.starts_at_ms }),
    amount: entry.amount,
    balance_after: entry.balance_after,
  }
}

function recurringGrant(
  draft: Draft,
  { amount, lot_kind, priority, expires_at_ms, reason }: CreditMessage,
  { every, rollover_max, target }: NonNullable<CreditMessage['recurring']>,
  number: number,
): RecurringGrant {
  return {
    number,
    every,
    amount,
    kind: lot_kind,
    priority,
    lifetime_ms: expires_at_ms === null ? null : expires_at_ms - draft.at_ms,
    rollover_max,
    ...(target !== undefined && { target }),
    ...(reason !== undefined && { reason }),
    created_at_ms: draft.at_ms,
    next_at_ms: nextRecurrence(every, draft.at_ms, draft.at_ms),
  }
}
