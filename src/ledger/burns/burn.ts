import { type Charge, type Chargeable, chargeFor } from '../../pricing/burn-table/charge.ts'
import {
  CREDIT_DECIMALS,
  divideHalfEven,
  formatDecimal,
  MAX_USD,
  type MicroCredits,
  microCredits,
  type PicoUsd,
  picoUsd,
  type UsdParts,
  usdToParts,
} from '../../pricing/money.ts'
import type { RatingTables } from '../burn-tables/compiled.ts'
import type { Draft } from '../commit/draft.ts'
import { monthOf } from '../commit/reader.ts'
import { admit, capturedQuantities, count, quantitiesOf } from '../entitlements/limits.ts'
import { captureParts, countCapture, endHold, findHold } from '../holds/funds.ts'
import { FORMAT } from '../journal/packing.ts'
import type { EventAnswer } from '../model/answers.ts'
import type { Entry, EventRecord, NewEntry } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { DefaultEntitlement } from '../model/limits.ts'
import type { LotPart } from '../model/lots.ts'
import type { IngestItem } from '../model/messages/events.ts'
import type { Refusal } from '../model/refusal.ts'
import type { Idempotency, PricedEvent, WalletItemRef } from '../model/vocabulary.ts'
import { insufficientCredits, spendable, type Wallet } from '../model/wallet.ts'
import { take } from '../wallets/funds.ts'
import { settle } from '../wallets/settle.ts'
import { advanced, usedInPeriod } from './period-counters.ts'
import { costOf } from './quote.ts'

export type BurnOutcome =
  | { readonly kind: 'done' | 'replayed'; readonly format: number; readonly entry: Entry }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** What a burn needs beside the draft: the rules from usage and cost to credits, and how ids are written. */
export interface BurnContext {
  readonly tables: RatingTables
  readonly ids: LedgerIds
  /** Whether features without an entitlement may be used. */
  readonly default_entitlement: DefaultEntitlement
  /** How many events the ledger accepts in a UTC month; null: any. */
  readonly events_a_month: number | null
}

/**
 * One event: replayed if its key was used for it, refused, or burned. The key is looked at before everything else,
 * even before a refusal that was already found, because what was once accepted stays accepted.
 */
export function applyEvent(draft: Draft, item: IngestItem, context: BurnContext): BurnOutcome {
  const check = draft.checkKey(item.idempotency)
  if (check.kind === 'refused') return check
  if (check.kind === 'replay') {
    // Equal fingerprints mean the same operation, so the record is the entry of an event.
    if (check.record.kind !== 'entry') throw new Error('an event was replayed from a record of another kind')
    return { kind: 'replayed', format: check.format, entry: check.record }
  }
  if (item.refusal) return refused(item.refusal)
  if (!item.event) throw new Error('an event to ingest is neither priced nor refused')
  const over = overQuota(draft, context)
  if (over) return refused(over)
  return burn(draft, item.event, item, context)
}

function burn(draft: Draft, event: PricedEvent, item: IngestItem, context: BurnContext): BurnOutcome {
  const payer = payingWallet(draft, event)
  const rated = rate(event, payer, draft.at_ms, context)
  if (rated.kind === 'refused') return rated
  if (event.hold) {
    const settled = settleByHold(draft, event, event.hold, rated, item)
    if (settled) return settled
  }
  // Settled first: a hold that has expired gives its limits back.
  const wallet = settle(draft, payer)
  const use = admit(draft, event, quantitiesOf(rated, event.usage), context.default_entitlement)
  if (use.kind === 'refused') return use
  if (rated.credits_micro > BigInt(spendable(wallet))) {
    return refused(insufficientCredits(context.ids, wallet, rated.credits_micro))
  }
  if (rated.price > MAX_USD) return refused(PRICE_TOO_HIGH)
  const amount = microCredits(rated.credits_micro)
  const changed = draft.change(wallet)
  countUse(changed, rated)
  const lots = take(draft, changed, amount)
  const record = recordOf(event, rated, amount, event.hold ? [HOLD_NOT_OPEN] : [])
  const entry = draft.append(changed, {
    ...burnEntry(event, item.idempotency, amount, lots, record),
    ...count(draft, use.meters),
  })
  return { kind: 'done', format: FORMAT, entry }
}

const HOLD_NOT_OPEN = 'hold_not_open'

/** What an event costs, and by which table. */
export interface Rated extends Omit<Charge, 'kind'> {
  readonly kind: 'rated'
  readonly burn_table_version: number
}

/**
 * What an event costs by the burn table that was in force when it happened, after what the wallet has used in the
 * period in which it arrives. Whoever burns it also calls `countUse`.
 */
export function rate(
  event: PricedEvent,
  wallet: Wallet,
  at_ms: number,
  { tables }: BurnContext,
): Rated | { readonly kind: 'refused'; readonly refusal: Refusal } {
  const table = tables.at(event.timestamp_ms)
  const charge = chargeFor(table, chargeableOf(event), {
    at_ms,
    used: (counter) => usedInPeriod(wallet.counters, counter),
  })
  if (charge.kind === 'unpriced') return { kind: 'refused', refusal: unpricedModel(event) }
  return { ...charge, kind: 'rated', burn_table_version: table.version }
}

/** Counts what an event has used towards the tiers and allowances of its wallet. */
export function countUse(wallet: Wallet, { advance }: Rated): void {
  if (advance) wallet.counters = advanced(wallet.counters, advance.counter, advance.quantity)
}

/** Only a table of very dear credits comes to more USD than an entry can hold. */
export const PRICE_TOO_HIGH: Refusal = {
  code: 'invalid_request',
  detail: 'The event comes to more than 8000000000 USD at the credits per USD of its burn table.',
}

/**
 * What an entry says that the customer's price was. A capture that fell short of the price took a part of the credits,
 * and so earned that part of it, however absurd the whole.
 */
export function recordedPrice({ price, credits_micro }: Rated, burned_micro: bigint): UsdParts {
  const whole = credits_micro <= burned_micro
  const earned = whole ? price : picoUsd(divideHalfEven(price * burned_micro, credits_micro))
  return storedPrice(earned)
}

/** The credits may be worth more than an entry can hold, if a table makes few of a USD: then it holds the most. */
export function storedPrice(price: PicoUsd): UsdParts {
  if (price > MAX_USD) return usdToParts(MAX_USD)
  return usdToParts(price)
}

function chargeableOf({ feature_id, provider, model, usage, custom, charge }: PricedEvent): Chargeable {
  return { feature_id, provider, model, usage, custom, ...costOf(charge) }
}

/** Which names are most like the model's is looked for only when one event is refused, not for each of a batch. */
function unpricedModel({ provider = '', model = '' }: PricedEvent): Refusal {
  return { code: 'unpriced_model', provider, model, nearest: [] }
}

/** A burn's entry; its lots have been moved. */
export function burnEntry(
  event: PricedEvent,
  idempotency: Idempotency | undefined,
  amount: MicroCredits,
  lots: readonly LotPart[],
  record: EventRecord,
): NewEntry {
  return {
    type: 'BURN',
    amount: microCredits(0 - amount),
    lots,
    event: record,
    ...(event.metadata && { metadata: event.metadata }),
    ...(idempotency && { idempotency }),
  }
}

/** The event settles its hold and closes it; undefined when the hold is not open, and then it burns normally. */
function settleByHold(
  draft: Draft,
  event: PricedEvent,
  ref: WalletItemRef,
  rated: Rated,
  { idempotency }: IngestItem,
): BurnOutcome | undefined {
  const paying = payingWallet(draft, event)
  if (paying.number !== ref.wallet) {
    return refused({
      code: 'invalid_request',
      detail: 'The hold is of another wallet than the one that pays for this event.',
      errors: [{ path: '/hold_id', message: 'is of another wallet than the one that pays for this event' }],
    })
  }
  const wallet = settle(draft, paying)
  if (!findHold(wallet, ref)) return undefined
  const changed = draft.change(wallet)
  const { lots, amount, shortfall_micro } = captureParts(draft, changed, ref, rated.credits_micro)
  countUse(changed, rated)
  const shortfall = `shortfall of ${formatDecimal(shortfall_micro, CREDIT_DECIMALS)} credits`
  const record = recordOf(event, rated, amount, shortfall_micro === 0n ? [] : [shortfall])
  const counts = countCapture(draft, changed, ref, capturedQuantities(rated, amount, event.usage))
  const entry = draft.append(changed, { ...burnEntry(event, idempotency, amount, lots, record), ...counts })
  endHold(draft, changed, ref, 'captured')
  return { kind: 'done', format: FORMAT, entry }
}

/** The team's wallet if the event names a team that has one, else the user's if it has one, else the customer's. */
export function payingWallet(
  draft: Draft,
  event: { readonly user_id?: string | undefined; readonly team_id?: string | undefined },
): Wallet {
  const wallet =
    (event.team_id !== undefined && draft.wallet({ kind: 'team', id: event.team_id })) ||
    (event.user_id !== undefined && draft.wallet({ kind: 'user', id: event.user_id })) ||
    draft.wallet({ kind: 'customer' })
  if (!wallet) throw new Error('the ledger has no customer wallet')
  return wallet
}

/** What is kept of an event that was rated; `about` are warnings beside its own. */
export function recordOf(
  event: PricedEvent,
  rated: Rated,
  burned: MicroCredits,
  about: readonly string[] = [],
): EventRecord {
  const { charge, metadata: _metadata, hold: _hold, warnings: own = [], ...fields } = event
  const warnings = [...own, ...rated.warnings, ...about]
  return {
    ...fields,
    cost: usdToParts(rated.cost),
    price: recordedPrice(rated, BigInt(burned)),
    burn_table_version: rated.burn_table_version,
    price_version: charge.price_version,
    ...(rated.unrated && { unrated: true }),
    ...(warnings.length > 0 && { warnings }),
  }
}

/** What an event is answered, from its entry alone: the first answer and every replay are the same. */
export function eventAnswer(ids: LedgerIds, entry: Entry): EventAnswer {
  const { event } = entry
  if (!event) throw new Error(`entry ${entry.number} is not of an event`)
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

function refused(refusal: Refusal): BurnOutcome {
  return { kind: 'refused', refusal }
}

/** Returns the refusal of one more event; undefined while the monthly quota of the customer's tier has room. */
export function overQuota(draft: Draft, { events_a_month }: BurnContext): Refusal | undefined {
  const { at_ms, month_events } = draft.counters
  if (events_a_month === null || month_events < events_a_month) return undefined
  return { code: 'quota_exceeded', limit: events_a_month, resets_at_ms: monthOf(at_ms).end_ms }
}
