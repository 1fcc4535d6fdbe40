import { formatCredits, formatDecimal } from '../../pricing/money.ts'
import { type AuditChange, type Audited, exactNumber } from '../commit/audit.ts'
import type { Draft } from '../commit/draft.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type {
  PaymentAnswer,
  PaymentsResult,
  SetTopUpMessage,
  TopUpAnswer,
} from '../model/messages/payments.ts'
import { newPayer, type PauseReason, type Payer, type Payment, type TopUpRule } from '../model/payments.ts'
import { notFound, walletNotFound } from '../model/refusal.ts'
import type { WalletOwner } from '../model/vocabulary.ts'
import { walletKey } from '../model/wallet.ts'
import { settle } from '../wallets/settle.ts'
import { currentCounts, isLimitReached } from './payers.ts'

/**
 * Sets or ends the rule of a wallet's top-up. Refuses an owner without a wallet, and the end of a rule that does not
 * exist. Ends a pause, because the customer has decided about the rule again. If the wallet has no saved card, the new
 * rule begins with a pause. Does not change this month's spending, or a charge that has no outcome yet.
 */
export function setTopUp(
  draft: Draft,
  { owner, rule }: SetTopUpMessage,
  ids: LedgerIds,
): Audited<PaymentsResult<TopUpAnswer>> {
  const found = draft.wallet(owner)
  if (!found) return { outcome: walletNotFound(owner) }
  const before = draft.payer(owner) ?? newPayer(owner)
  if (!rule && !before.rule) return { outcome: noRule(owner) }
  const wallet = draft.change(settle(draft, found))
  const key = walletKey(owner)
  const { rule: _, paused: __, declined_card: ___, ...kept } = before
  const paused: { paused?: PauseReason } =
    before.customer === undefined ? { paused: 'no_payment_method' } : {}
  const after: Payer = rule ? { ...kept, declines: 0, rule, ...paused } : { ...kept, declines: 0 }
  draft.payers.set(key, after)
  delete wallet.top_up
  if (rule?.enabled) {
    wallet.top_up = { below: rule.below }
    // Removes a due time that the draft has set, so that `noteLowWallets` can make the top-up of a low wallet due now.
    draft.payersDue.delete(key)
  } else draft.payersDue.set(key, null)
  const answer = topUpAnswer(draft, rule ? after : before, wallet.number, ids)
  return {
    outcome: answer ? { kind: 'done', answer } : noRule(owner),
    change: changeOf(ids.wallet(wallet.number), before.rule, rule),
  }
}

export function readTopUp(draft: Draft, owner: WalletOwner, ids: LedgerIds): PaymentsResult<TopUpAnswer> {
  const wallet = draft.wallet(owner)
  const payer = draft.payer(owner)
  const answer = wallet && payer && topUpAnswer(draft, payer, wallet.number, ids)
  return answer ? { kind: 'done', answer } : noRule(owner)
}

function noRule(owner: WalletOwner) {
  const whose = owner.kind === 'customer' ? '' : ` of the ${owner.kind} ${owner.id}`
  return notFound(`Automatic top-up${whose}`)
}

function topUpAnswer(draft: Draft, payer: Payer, wallet: number, ids: LedgerIds): TopUpAnswer | undefined {
  const { rule } = payer
  if (!rule) return undefined
  const last = lastTopUp(draft, payer)
  return {
    wallet_id: ids.wallet(wallet),
    rule,
    paused: currentPause(payer, rule, draft.at_ms),
    last_attempt: last ? paymentAnswer(last, ids) : null,
    spent_cents_this_month: currentCounts(payer, draft.at_ms).month.cents,
  }
}

/**
 * Returns the last top-up of a payer; undefined if there was none or its payment was deleted. Compares the type and the
 * owner, because a later payment, even of another wallet, can have the number of a deleted payment.
 */
function lastTopUp(draft: Draft, { owner, last_top_up }: Payer): Payment | undefined {
  const last = last_top_up === undefined ? undefined : draft.paymentIntent(last_top_up)
  return last?.type === 'top_up' && walletKey(last.owner) === walletKey(owner) ? last : undefined
}

/**
 * Returns the reason of the current pause; null if there is no pause. A pause because of a limit ends with the
 * limit's month or day.
 */
function currentPause(payer: Payer, rule: TopUpRule, now_ms: number): PauseReason | null {
  const { paused = null } = payer
  if (paused !== 'monthly_limit' && paused !== 'daily_limit') return paused
  return isLimitReached(paused, payer, rule, now_ms) ? paused : null
}

export function paymentAnswer(payment: Payment, ids: LedgerIds): PaymentAnswer {
  const { credited } = payment
  const transaction_id = credited ? ids.transaction({ at_ms: credited.at_ms, number: credited.entry }) : null
  return { ...payment, payment_id: ids.payment(payment), transaction_id }
}

function changeOf(target: string, before: TopUpRule | undefined, after: TopUpRule | null): AuditChange {
  const state = (rule: TopUpRule | null | undefined) => (rule ? stateOf(rule) : null)
  return {
    action: after ? 'credits.set_auto_top_up' : 'credits.delete_auto_top_up',
    target,
    before: state(before),
    after: state(after),
  }
}

function stateOf({ below, credits, price_cents, max_cents_a_month, max_a_day, enabled }: TopUpRule) {
  const usd = (cents: number) => exactNumber(formatDecimal(BigInt(cents), 2))
  return {
    below: exactNumber(formatCredits(below)),
    credits: exactNumber(formatCredits(credits)),
    price_usd: usd(price_cents),
    max_usd_per_month: usd(max_cents_a_month),
    max_per_day: max_a_day,
    enabled,
  }
}
