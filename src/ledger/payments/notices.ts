import { formatCredits, formatDecimal } from '../../pricing/money.ts'
import { exactNumber } from '../commit/audit.ts'
import type { Draft } from '../commit/draft.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import { type NotificationData, type NotificationType, ownerFields } from '../model/notifications.ts'
import type { PauseReason, Payment } from '../model/payments.ts'
import type { WalletOwner } from '../model/vocabulary.ts'

/** Adds the notifications of payments. Each notification is part of the commit that changes the payment. */

/** Adds the notifications about a change of a payment: its refunds and disputes, and the outcome of a top-up. */
export function announceChange(draft: Draft, before: Payment, after: Payment, ids: LedgerIds): void {
  const add = (type: NotificationType) => draft.notify({ type, data: dataOf(after, ids) })
  if (after.refunded_cents !== before.refunded_cents) add('payment.refunded')
  if (after.disputed_cents !== before.disputed_cents) add('payment.disputed')
  if (after.type !== 'top_up' || after.status === before.status) return
  if (after.credited && !before.credited) add('top_up.succeeded')
  if (after.status === 'failed') add('top_up.failed')
  if (after.status === 'action_required') add('top_up.action_required')
}

export function announcePause(draft: Draft, owner: WalletOwner, reason: PauseReason): void {
  draft.notify({ type: 'top_up.paused', data: { ...ownerFields(owner), reason } })
}

function dataOf(payment: Payment, ids: LedgerIds): NotificationData {
  const usd = (cents: number) => exactNumber(formatDecimal(BigInt(cents), 2))
  const { failure, url, credited } = payment
  return {
    ...ownerFields(payment.owner),
    payment_id: ids.payment(payment),
    status: payment.status,
    credits: exactNumber(formatCredits(payment.credits)),
    price_usd: usd(payment.price_cents),
    refunded_usd: usd(payment.refunded_cents),
    disputed_usd: usd(payment.disputed_cents),
    credits_taken_back: exactNumber(formatCredits(payment.taken_back)),
    ...(credited && { transaction_id: ids.transaction({ at_ms: credited.at_ms, number: credited.entry }) }),
    ...(failure && { failure: { ...failure } }),
    ...(payment.status === 'action_required' && url !== undefined && { url }),
  }
}
