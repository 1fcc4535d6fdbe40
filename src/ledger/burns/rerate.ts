import {
  lesser,
  MAX_MICRO_CREDITS,
  type MicroCredits,
  microCredits,
  type UsdParts,
  usdFromParts,
  usdToParts,
  ZERO_CREDITS,
} from '../../pricing/money.ts'
import type { Draft } from '../commit/draft.ts'
import { count, firstExceeded, metersOf } from '../entitlements/limits.ts'
import type { Entry, EventRecord } from '../model/journal.ts'
import type { Quantities } from '../model/limits.ts'
import { type LotPart, lastTaken, shareOf } from '../model/lots.ts'
import type { OpenPrice, RerateItem, UnratedEvent } from '../model/unrated.ts'
import type { PricedEvent, ProviderCharge } from '../model/vocabulary.ts'
import { spendable, type Wallet } from '../model/wallet.ts'
import { giveBack, giveBackRefusal, take } from '../wallets/funds.ts'
import { settle } from '../wallets/settle.ts'
import { type BurnContext, type Rated, rate, recordedPrice } from './rate.ts'
import { openAfter } from './reversal.ts'

/**
 * The outcome of a late rating:
 * - `rated`: the difference between the new price and the earlier burn was burned, or was returned to the lots of the
 *   earlier burn.
 * - `unpaid`: the burn table has no price for the event, the price exceeds the maximum balance, the wallet cannot pay,
 *   or the wallet cannot hold the returned credits. Except in the first case, the price is stored and tried again.
 * - `over_limit`: the price would exceed a HARD limit. The price is stored and tried again.
 * - `closed`: the event was rated or voided before. Nothing changes.
 */
export type RerateOutcome = 'rated' | 'unpaid' | 'over_limit' | 'closed'

/**
 * Rates an event that was recorded without a price, at most once. Uses the burn table that was in force at the time of
 * the event.
 */
export function applyRerate(
  draft: Draft,
  { entry: number, charge }: RerateItem,
  context: BurnContext,
): RerateOutcome {
  const unrated = draft.unratedEvent(number)
  if (!unrated) return 'closed'
  const event = pricedEvent(unrated.entry, charge)
  const found = event && draft.walletByNumber(unrated.entry.wallet)
  if (!found) return 'closed'
  const wallet = settle(draft, found)
  const rated = rate(event, wallet, draft.at_ms, context)
  if (rated.kind === 'refused' || rated.unrated) return 'unpaid'
  const burned = microCredits(0 - unrated.entry.amount)
  const owed = rated.credits_micro - BigInt(burned)
  if (owed > BigInt(spendable(wallet)) || rated.credits_micro > BigInt(MAX_MICRO_CREDITS)) {
    keepCharge(draft, unrated, charge)
    return 'unpaid'
  }
  const { unrated: _, ...record } = unrated.entry.event ?? failNoEvent(number)
  const late = quantitiesOfLate(owed, rated.price - usdFromParts(record.price))
  const meters = metersOf(draft, draft.entitlementsOf(record, record.key_id), late, unrated.entry.at_ms)
  if (
    firstExceeded(
      meters.filter(({ quantity }) => quantity > 0n),
      'HARD',
    )
  ) {
    keepCharge(draft, unrated, charge)
    return 'over_limit'
  }
  const given = draft.givenBack(number).amount
  const refunded = owed < 0n ? lesser(-owed, microCredits(burned - given)) : ZERO_CREDITS
  const taken = lastTaken(unrated.entry.lots, given, refunded)
  if (giveBackRefusal(wallet, refunded, taken)) {
    keepCharge(draft, unrated, charge)
    return 'unpaid'
  }
  const changed = draft.change(wallet)
  const price = recordedPrice(rated, rated.credits_micro)
  const open = openPrice(rated, price, given, refunded)
  const settled: EventRecord = {
    ...record,
    rerates: {
      entry: number,
      at_ms: unrated.entry.at_ms,
      cost_before: record.cost,
      price_before: usdToParts(openAfter(usdFromParts(record.price), given, burned)),
      price_after: open.price,
    },
    cost: usdToParts(rated.cost),
    price,
    burn_table_version: rated.burn_table_version,
    price_version: charge.price_version,
  }
  const counts = count(draft, meters)
  const entry = settleDifference(draft, changed, unrated, owed, { amount: refunded, taken }, settled)
  draft.closeUnrated(number, {
    by_entry: entry.number,
    rated_at_ms: draft.at_ms,
    credits: microCredits(burned - entry.amount),
    balance_after: entry.balance_after,
    lots: entry.amount < 0 ? entry.lots : [],
    cost: settled.cost,
    price: settled.price,
    burn_table_version: settled.burn_table_version,
    price_version: settled.price_version,
    open,
    ...counts,
  })
  return 'rated'
}

/**
 * The maximum number of pages of unpaid events that are charged after a grant or a purchase. The scheduled job for late
 * ratings, or the next grant or purchase, continues with the other events.
 */
const MAX_UNPAID_PAGES = 10

/**
 * Returns the quantities that a late rating adds to limits. Events and tokens are 0, because the limits counted them
 * when the event arrived.
 */
function quantitiesOfLate(owed: bigint, usd: bigint): Quantities {
  return { credits: owed, events: 0n, tokens: 0n, usd }
}

/**
 * Charges a wallet's unpaid events after a request has added a grant or a purchase, oldest first. Stops at the first
 * event whose late rating has the outcome `unpaid`.
 */
export function payUnpaid(draft: Draft, wallet_number: number, context: BurnContext): void {
  let after_entry = 0
  for (let page = 0; page < MAX_UNPAID_PAGES; page++) {
    const events = draft.unpaidEvents(wallet_number, after_entry)
    for (const { entry, charge } of events) {
      after_entry = entry.number
      // Continues after an event that a limit refuses, because later events can still be paid.
      if (charge && applyRerate(draft, { entry: entry.number, charge }, context) === 'unpaid') return
    }
    if (events.length === 0) return
  }
}

/** Stores the price of an event that cannot be charged yet. Does not write the same price again, to save a row. */
function keepCharge(draft: Draft, { entry, charge: known }: UnratedEvent, charge: ProviderCharge): void {
  if (JSON.stringify(known) !== JSON.stringify(charge)) draft.unpaidCharges.set(entry.number, charge)
}

/**
 * Appends an entry for the difference between the late rating and the earlier burn. If `owed` is at least 0, the entry
 * burns `owed`. Otherwise the event burned too much at the ceiling price, and the entry refunds `amount` to the lots in
 * `taken`.
 */
function settleDifference(
  draft: Draft,
  wallet: Wallet,
  { entry }: UnratedEvent,
  owed: bigint,
  { amount, taken }: { readonly amount: MicroCredits; readonly taken: readonly LotPart[] },
  event: EventRecord,
): Entry {
  const description = 'Rated after its price was known'
  if (owed >= 0n) {
    const due = microCredits(owed)
    const lots = take(draft, wallet, due)
    return draft.append(wallet, { type: 'BURN', amount: microCredits(0 - due), lots, event, description })
  }
  const given = draft.givenBack(entry.number)
  draft.givenBacks.set(entry.number, { ...given, amount: microCredits(given.amount + amount) })
  const refund = { type: 'REFUND', amount, event, description } as const
  return giveBack(draft, wallet, taken, () => entry.at_ms, refund).entry
}

/**
 * Returns the part of an event's price that voids and refunds can still return: the price without the share of the
 * credits that were returned before the late rating.
 */
function openPrice(
  { credits_micro }: Rated,
  price: UsdParts,
  given: MicroCredits,
  refunded: MicroCredits,
): OpenPrice {
  const total = microCredits(credits_micro)
  const credits = microCredits(Math.max(0, total - given))
  const gone = microCredits(given + refunded)
  if (total === 0) return { given: gone, credits, price }
  return { given: gone, credits, price: usdToParts(shareOf(usdFromParts(price), credits, total)) }
}

/** Returns the event of an entry as it was ingested, but with the new price; undefined if the entry has no event. */
function pricedEvent({ event }: Entry, charge: ProviderCharge): PricedEvent | undefined {
  if (!event) return undefined
  const { cost: _cost, price: _price, burn_table_version: _table, price_version: _version, ...fields } = event
  return { ...fields, charge }
}

function failNoEvent(number: number): never {
  throw new Error(`unrated entry ${number} is not the entry of an event`)
}
