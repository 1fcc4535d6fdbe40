import type { LedgerIds } from '../model/ledger-ids.ts'
import type { PaymentsAnswer, PaymentsMessage, PaymentsResult } from '../model/messages/payments.ts'
import type { PaymentIntentRows } from './rows.ts'
import { paymentAnswer } from './rules.ts'

/** Returns one payment if it exists, or a page of payments, newest first. */
export function readPayments(
  rows: PaymentIntentRows,
  ids: LedgerIds,
  message: PaymentsMessage,
): PaymentsResult<PaymentsAnswer> {
  if ('number' in message) {
    const payment = rows.get(message.number)
    return { kind: 'done', answer: { payments: payment ? [paymentAnswer(payment, ids)] : [], before: null } }
  }
  const { before, limit } = message
  const found = rows.list(before ?? Number.MAX_SAFE_INTEGER, limit + 1)
  const page = found.slice(0, limit)
  const next = found.length > limit ? (page.at(-1)?.number ?? null) : null
  return {
    kind: 'done',
    answer: { payments: page.map((payment) => paymentAnswer(payment, ids)), before: next },
  }
}
