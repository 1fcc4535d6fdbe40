import { timeJson, timeOrNull } from '../http/input/times.ts'
import { creditsJson, metadataJson, usdJson } from '../http/output/json.ts'
import type { BalanceAnswer, CreditAnswer, LotAnswer, RecurringAnswer } from '../ledger/model/answers.ts'
import type { Entry, EventRecord } from '../ledger/model/journal.ts'
import type { LedgerIds } from '../ledger/model/ledger-ids.ts'
import { OVERDRAFT } from '../ledger/model/lots.ts'
import { microCredits } from '../pricing/money.ts'

/**
 * Renders the result of a grant or a purchase as JSON in format 1. A replay must return the same JSON, so a change of
 * the JSON requires a new format number.
 */
export function renderCredit(answer: CreditAnswer): object {
  return {
    transaction_id: answer.transaction_id,
    wallet_id: answer.wallet_id,
    lot_id: answer.lot_id,
    ...(answer.recurring_grant_id !== undefined && { recurring_grant_id: answer.recurring_grant_id }),
    ...(answer.starts_at_ms !== undefined && { starts_at: timeJson(answer.starts_at_ms) }),
    amount: creditsJson(answer.amount),
    balance_after: creditsJson(answer.balance_after),
    ...(answer.already_recorded && { already_recorded: true }),
  }
}

export function renderBalance(customer_id: string, answer: BalanceAnswer): object {
  const { expiring_next } = answer
  return {
    customer_id,
    wallet_id: answer.wallet_id,
    balance: creditsJson(answer.balance),
    reserved_balance: creditsJson(answer.reserved),
    available_balance: creditsJson(answer.available),
    ...(answer.pending > 0 && { pending_balance: creditsJson(answer.pending) }),
    currency: 'credits',
    overdraft_limit: creditsJson(answer.overdraft_limit),
    expiring_next: expiring_next && {
      amount: creditsJson(expiring_next.amount),
      at: timeJson(expiring_next.at_ms),
    },
  }
}

export function renderLot(lot: LotAnswer): object {
  return {
    lot_id: lot.lot_id,
    kind: lot.kind,
    amount: creditsJson(lot.amount),
    remaining: creditsJson(lot.left),
    reserved: creditsJson(lot.reserved),
    priority: lot.priority,
    ...(lot.starts_at_ms !== null && { starts_at: timeJson(lot.starts_at_ms) }),
    expires_at: timeOrNull(lot.expires_at_ms),
    created_at: timeJson(lot.created_at_ms),
  }
}

export function renderRecurringGrant({
  recurring_grant_id,
  wallet_id,
  owner,
  grant,
}: RecurringAnswer): object {
  return {
    recurring_grant_id,
    wallet_id,
    user_id: owner.kind === 'user' ? owner.id : null,
    team_id: owner.kind === 'team' ? owner.id : null,
    amount: creditsJson(grant.amount),
    kind: grant.kind,
    priority: grant.priority,
    every: grant.every,
    rollover_max: grant.rollover_max === null ? null : creditsJson(grant.rollover_max),
    target_balance: grant.target === undefined ? null : creditsJson(grant.target),
    reason: grant.reason ?? null,
    next_at: timeJson(grant.next_at_ms),
    created_at: timeJson(grant.created_at_ms),
  }
}

/** Returns the JSON of a ledger entry. `balance_before` and `balance_after` are balances of the wallet of the entry. */
export function renderTransaction(ids: LedgerIds, entry: Entry) {
  const price = entry.new_lots?.[0]?.price
  return {
    id: ids.transaction(entry),
    type: entry.type,
    wallet_id: ids.wallet(entry.wallet),
    amount: creditsJson(entry.amount),
    balance_before: creditsJson(microCredits(entry.balance_after - entry.amount)),
    balance_after: creditsJson(entry.balance_after),
    description: entry.description ?? describe(entry),
    ...(entry.event && { event_id: ids.event(eventOf(entry, entry.event)) }),
    ...(entry.payment_reference !== undefined && { payment_reference: entry.payment_reference }),
    ...(entry.type === 'PURCHASE' && price && { price_usd: usdJson(price) }),
    lots: entry.lots.map(([number, amount]) => ({
      lot_id: number === OVERDRAFT ? null : ids.lot(number),
      amount: creditsJson(amount),
    })),
    metadata: metadataJson(entry.metadata),
    created_at: timeJson(entry.effective_at_ms ?? entry.at_ms),
  }
}

/**
 * Returns the JSON of a ledger entry for an end user. Omits the metadata and the payment reference, which only the
 * customer may read.
 */
export function renderPortalTransaction(ids: LedgerIds, entry: Entry): object {
  const { metadata: _, payment_reference: __, ...shown } = renderTransaction(ids, entry)
  return shown
}

/**
 * Returns the number and the time of the entry that determines the id of an event. If the entry rates an earlier event,
 * this is the entry of the earlier event.
 */
function eventOf(entry: Entry, { rerates }: EventRecord): { number: number; at_ms: number } {
  return rerates ? { number: rerates.entry, at_ms: rerates.at_ms } : entry
}

/** Returns the default description of an entry; null if the entry has no event. */
function describe({ event }: Entry): string | null {
  if (!event) return null
  const model = event.model === undefined ? '' : `, ${event.provider} ${event.model}`
  return `${event.event_type} ${event.feature_id}${model}`
}
