import { windowOf } from '../../time/windows.ts'
import { type Draft, monthOf } from '../commit/draft.ts'
import type { Card, PauseReason, Payer, Payment, TopUpRule } from '../model/payments.ts'
import { available, walletKey } from '../model/wallet.ts'
import { settle } from '../wallets/settle.ts'
import { count, isLimitReached, LOOK_FOR_CARD_MS, MAX_DECLINES, pause } from './payers.ts'
import { newPayment } from './settlement.ts'

/** The decision about the next top-up of a wallet. */
type Decision =
  /** No top-up is needed until the wallet or its payer changes. */
  | { readonly kind: 'rest' }
  | { readonly kind: 'pause'; readonly reason: PauseReason; readonly until_ms: number | null }
  | { readonly kind: 'charge'; readonly rule: TopUpRule; readonly customer: string }

/**
 * Decides whether to top up a wallet now. Runs before the card is looked up, and again in the commit of the payment.
 */
export function decide(draft: Draft, payer: Payer): Decision {
  const { rule, customer } = payer
  const wallet = draft.wallet(payer.owner)
  if (!rule?.enabled || payer.in_flight !== undefined || !wallet) return { kind: 'rest' }
  if (available(settle(draft, wallet)) >= rule.below) return { kind: 'rest' }
  if (customer === undefined) return { kind: 'pause', reason: 'no_payment_method', until_ms: null }
  if (isLimitReached('monthly_limit', payer, rule, draft.at_ms)) {
    return { kind: 'pause', reason: 'monthly_limit', until_ms: monthOf(draft.at_ms).end_ms }
  }
  if (isLimitReached('daily_limit', payer, rule, draft.at_ms)) {
    return { kind: 'pause', reason: 'daily_limit', until_ms: windowOf('DAILY', null, draft.at_ms).end_ms }
  }
  return { kind: 'charge', rule, customer }
}

/**
 * Adds the payment of a top-up to the draft, and counts it for the limits in the same commit. The payment must be
 * durable before the card is charged. Returns undefined if the wallet is not topped up now.
 */
export function openTopUp(draft: Draft, wallet_key: string, card: Card | null): Payment | undefined {
  const payer = draft.payerByKey(wallet_key)
  if (!payer) return undefined
  const decision = decide(draft, payer)
  if (decision.kind !== 'charge') {
    putOff(draft, payer, decision)
    return undefined
  }
  // The pause can have another reason by now, such as a limit.
  const had_declines = payer.declines >= MAX_DECLINES
  const is_declined_card = had_declines && card?.fingerprint === payer.declined_card
  if (!card || is_declined_card || !payer.urls) {
    const reason = card ? 'declined' : 'no_payment_method'
    putOff(draft, payer, { kind: 'pause', reason, until_ms: draft.at_ms + LOOK_FOR_CARD_MS })
    return undefined
  }
  const { rule, customer } = decision
  const payment = newPayment(draft, {
    type: 'top_up',
    owner: payer.owner,
    credits: rule.credits,
    price_cents: rule.price_cents,
    product: 'Automatic top-up of credits',
    urls: payer.urls,
    customer,
    card,
  })
  const { paused: _, ...running } = payer
  const declines = had_declines ? 0 : payer.declines
  draft.payers.set(
    wallet_key,
    count({ ...running, declines, in_flight: payment.number, last_top_up: payment.number }, payment, 1),
  )
  draft.payersDue.set(wallet_key, null)
  return payment
}

/** Records the time of the next decision. Pauses the top-up if the decision is a pause. */
export function putOff(draft: Draft, payer: Payer, decision: Exclude<Decision, { kind: 'charge' }>): void {
  const key = walletKey(payer.owner)
  draft.payersDue.set(key, decision.kind === 'pause' ? decision.until_ms : null)
  if (decision.kind === 'rest') return
  const paused = pause(draft, payer, decision.reason)
  if (paused !== payer) draft.payers.set(key, paused)
}
