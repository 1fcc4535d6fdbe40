import {
  CREDIT_DECIMALS,
  formatDecimal,
  MAX_USD,
  type MicroCredits,
  microCredits,
  usdToParts,
} from '../../pricing/money.ts'
import { type Draft, monthOf } from '../commit/draft.ts'
import { replayedEntry } from '../commit/replay.ts'
import { admit, capturedQuantities, count, countInPlaceOf, quantitiesOf } from '../entitlements/limits.ts'
import { captureParts, endHold, findHold, heldBy, isOfSubjects } from '../holds/funds.ts'
import { FORMAT } from '../journal/packed-entry.ts'
import type { EventAnswer } from '../model/answers.ts'
import type { Entry, EventRecord, NewEntry } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { Counts } from '../model/limits.ts'
import type { LotPart } from '../model/lots.ts'
import type { IngestItem } from '../model/messages/events.ts'
import { invalidField, type Refusal, type Refused, refused } from '../model/refusal.ts'
import type { Idempotency, PricedEvent, WalletItemRef, WalletOwner, Writable } from '../model/vocabulary.ts'
import { insufficientCredits, spendable, type Wallet } from '../model/wallet.ts'
import { take } from '../wallets/funds.ts'
import { settle } from '../wallets/settle.ts'
import { type BurnContext, countUse, PRICE_TOO_HIGH, type Rated, rate, recordedPrice } from './rate.ts'

export type BurnOutcome =
  | { readonly kind: 'done' | 'replayed'; readonly format: number; readonly entry: Entry }
  | Refused

/**
 * Replays, refuses or burns one event. Checks the idempotency key first, because the replay of an accepted event must
 * succeed even if the event would be refused now.
 */
export function applyEvent(draft: Draft, item: IngestItem, context: BurnContext): BurnOutcome {
  const replayed = replayedEntry(draft, item.idempotency)
  if (replayed) return replayed
  if (item.refusal) return refused(item.refusal)
  if (!item.event) throw new Error('an event to ingest must have a price or a refusal')
  const over = overQuota(draft, context)
  if (over) return refused(over)
  return burn(draft, item.event, item, context)
}

function burn(draft: Draft, event: PricedEvent, item: IngestItem, context: BurnContext): BurnOutcome {
  const payer = payerOf(draft, event)
  const rated = rate(event, payer, draft.at_ms, context)
  if (rated.kind === 'refused') return rated
  if (event.hold) {
    const settled = settleByHold(draft, payer, event, event.hold, rated, item)
    if (settled) return settled
  }
  // Settles first, because settling an expired hold releases its reservations of limits.
  const wallet = settle(draft, payer)
  const use = admit(
    draft,
    event,
    () => quantitiesOf(rated, event.usage),
    context.default_entitlement,
    context.key_id,
  )
  if (use.kind === 'refused') return use
  if (rated.credits_micro > spendable(wallet)) {
    return refused(insufficientCredits(context.ids, wallet, rated.credits_micro))
  }
  if (rated.price > MAX_USD) return refused(PRICE_TOO_HIGH)
  const amount = microCredits(rated.credits_micro)
  const changed = draft.change(wallet)
  countUse(changed, rated)
  const lots = take(draft, changed, amount)
  const about = event.hold ? HOLD_NOT_OPEN : NO_WARNINGS
  const record = recordOf(event, rated, amount, context.key_id, about)
  const counts = count(draft, use.meters)
  const entry = draft.append(changed, burnEntry(event, item.idempotency, amount, lots, record, counts))
  return { kind: 'done', format: FORMAT, entry }
}

const HOLD_NOT_OPEN: readonly string[] = ['hold_not_open']
const NO_WARNINGS: readonly string[] = []

/** Creates the entry of a burn. The caller has already taken the credits from the lots. */
export function burnEntry(
  event: PricedEvent,
  idempotency: Idempotency | undefined,
  amount: MicroCredits,
  lots: readonly LotPart[],
  record: EventRecord,
  { counted }: Counts,
): NewEntry {
  const entry: Writable<NewEntry> = { type: 'BURN', amount: microCredits(0 - amount), lots, event: record }
  if (event.metadata !== undefined) entry.metadata = event.metadata
  if (idempotency) entry.idempotency = idempotency
  if (counted) entry.counted = counted
  return entry
}

/**
 * Burns an event from its hold and closes the hold. Refuses the event if the hold belongs to a wallet other than
 * `payer`. Otherwise, returns undefined if the hold is not open, and the caller must burn the event without a hold.
 */
function settleByHold(
  draft: Draft,
  payer: Wallet,
  event: PricedEvent,
  ref: WalletItemRef,
  rated: Rated,
  { idempotency }: IngestItem,
): BurnOutcome | undefined {
  if (payer.number !== ref.wallet) {
    const message = 'must belong to the wallet that pays for this event'
    return invalidField('/hold_id', message, `The hold ${message}.`)
  }
  const wallet = settle(draft, payer)
  if (!findHold(wallet, ref)) return undefined
  const changed = draft.change(wallet)
  const hold = heldBy(changed, ref)
  const { lots, amount, shortfall_micro } = captureParts(draft, changed, hold, rated.credits_micro)
  countUse(changed, rated)
  const shortfall = `shortfall of ${formatDecimal(shortfall_micro, CREDIT_DECIMALS)} credits`
  const about = shortfall_micro === 0n ? NO_WARNINGS : [shortfall]
  const record = recordOf(event, rated, amount, hold.key_id, about)
  const counts = countInPlaceOf(draft, hold, capturedQuantities(rated, amount, event.usage), event)
  const entry = draft.append(changed, burnEntry(event, idempotency, amount, lots, record, counts))
  endHold(draft, changed, hold, 'captured')
  return { kind: 'done', format: FORMAT, entry }
}

/**
 * Returns the wallet that pays for an event. If the event's hold is open and belongs to the event's user and team, the
 * wallet of the hold pays, even if the user or the team received its own wallet after the hold was opened. Otherwise,
 * the wallet that `payingWallet` returns pays.
 */
function payerOf(draft: Draft, event: PricedEvent): Wallet {
  const wallet = event.hold && draft.walletByNumber(event.hold.wallet)
  const hold = event.hold && wallet && findHold(wallet, event.hold)
  const is_open = hold !== undefined && hold.expires_at_ms > draft.at_ms
  return wallet && is_open && isOfSubjects(hold, event) ? wallet : payingWallet(draft, event)
}

const CUSTOMER: WalletOwner = { kind: 'customer' }

/**
 * Returns the wallet that pays for an event: the team's wallet if it exists, otherwise the user's wallet if it
 * exists, otherwise the customer's wallet.
 */
export function payingWallet(
  draft: Draft,
  event: { readonly user_id?: string | undefined; readonly team_id?: string | undefined },
): Wallet {
  const wallet =
    (event.team_id !== undefined && draft.wallet({ kind: 'team', id: event.team_id })) ||
    (event.user_id !== undefined && draft.wallet({ kind: 'user', id: event.user_id })) ||
    draft.wallet(CUSTOMER)
  if (!wallet) throw new Error('the ledger has no customer wallet')
  return wallet
}

/**
 * Returns the record of a rated event. `key_id` is the id of the API key to which the usage belongs, if there is one.
 * Adds the warnings in `about` to the warnings of the event.
 */
export function recordOf(
  event: PricedEvent,
  rated: Rated,
  burned: MicroCredits,
  key_id: string | undefined,
  about: readonly string[] = NO_WARNINGS,
): EventRecord {
  const { charge, user_id, team_id, provider, model, usage, modifiers, custom, warnings: own } = event
  const record: Writable<EventRecord> = {
    timestamp_ms: event.timestamp_ms,
    event_type: event.event_type,
    feature_id: event.feature_id,
    cost: charge.kind === 'priced' ? charge.cost : usdToParts(rated.cost),
    price: recordedPrice(rated, burned),
    burn_table_version: rated.burn_table_version,
    price_version: charge.price_version,
  }
  if (user_id !== undefined) record.user_id = user_id
  if (team_id !== undefined) record.team_id = team_id
  if (key_id !== undefined) record.key_id = key_id
  if (provider !== undefined) record.provider = provider
  if (model !== undefined) record.model = model
  if (usage) record.usage = usage
  if (modifiers) record.modifiers = modifiers
  if (custom) record.custom = custom
  if (rated.unrated) record.unrated = true
  const { warnings } = rated
  if ((own && own.length > 0) || warnings.length > 0 || about.length > 0)
    record.warnings = [...(own ?? NO_WARNINGS), ...warnings, ...about]
  return record
}

/**
 * Returns the result of an event. Computes it only from the event's entry, so a replay returns the same result as the
 * first request.
 */
export function eventAnswer(ids: LedgerIds, entry: Entry): EventAnswer {
  const { event } = entry
  if (!event) throw new Error(`entry ${entry.number} is not the entry of an event`)
  return {
    id: ids.event(entry),
    credits: microCredits(0 - entry.amount),
    balance_after: entry.balance_after,
    timestamp_ms: event.timestamp_ms,
    cost: event.cost,
    wallet_id: ids.wallet(entry.wallet),
    burn_table_version: event.burn_table_version,
    price_version: event.price_version,
    unrated: event.unrated ?? false,
    warnings: event.warnings ?? [],
  }
}

/**
 * Returns the refusal of an event above the monthly quota of the customer's tier; undefined if the quota allows the
 * event.
 */
export function overQuota(draft: Draft, { events_a_month }: BurnContext): Refusal | undefined {
  if (events_a_month === null || draft.month_events < events_a_month) return undefined
  return { code: 'quota_exceeded', limit: events_a_month, resets_at_ms: monthOf(draft.at_ms).end_ms }
}
