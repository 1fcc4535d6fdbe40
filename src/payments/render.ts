import { timeJson } from '../http/input/times.ts'
import { centsJson, creditsJson } from '../http/output/json.ts'
import type { PaymentAnswer, TopUpAnswer } from '../ledger/model/messages/payments.ts'

export function renderPayment(payment: PaymentAnswer): object {
  const { owner, status, credit_pack_id, transaction_id, failure, receipt_url } = payment
  const { intent_id, session_id } = payment
  return {
    payment_id: payment.payment_id,
    type: payment.type,
    status,
    user_id: owner.kind === 'user' ? owner.id : null,
    team_id: owner.kind === 'team' ? owner.id : null,
    credits: creditsJson(payment.credits),
    price_usd: centsJson(payment.price_cents),
    ...(credit_pack_id !== undefined && { credit_pack_id }),
    ...(transaction_id !== null && { transaction_id }),
    provider_reference: intent_id ?? session_id ?? null,
    ...(failure && { failure }),
    refunded_usd: centsJson(payment.refunded_cents),
    disputed_usd: centsJson(payment.disputed_cents),
    credits_taken_back: creditsJson(payment.taken_back),
    ...urlOf(payment),
    ...(receipt_url !== undefined && { receipt_url }),
    created_at: timeJson(payment.created_at_ms),
  }
}

export function renderTopUp(answer: TopUpAnswer): object {
  const { rule, last_attempt: last } = answer
  return {
    wallet_id: answer.wallet_id,
    below: creditsJson(rule.below),
    credits: creditsJson(rule.credits),
    price_usd: centsJson(rule.price_cents),
    max_usd_per_month: centsJson(rule.max_cents_a_month),
    max_per_day: rule.max_a_day,
    enabled: rule.enabled,
    paused_reason: answer.paused,
    last_attempt: last && {
      payment_id: last.payment_id,
      status: last.status,
      at: timeJson(last.created_at_ms),
      ...(last.failure && { failure: last.failure }),
      ...urlOf(last),
    },
    spent_usd_this_month: centsJson(answer.spent_cents_this_month),
  }
}

function urlOf({ status, url }: PaymentAnswer): { readonly url?: string } {
  const is_open = status === 'pending' || status === 'action_required'
  return is_open && url !== undefined ? { url } : {}
}
