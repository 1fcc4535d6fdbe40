import { type Charge, type Chargeable, chargeFor } from '../../pricing/burn-table/charge.ts'
import { QUANTITY_DECIMALS } from '../../pricing/burn-table/definition.ts'
import type { Counter } from '../../pricing/burn-table/methods.ts'
import {
  divideHalfEven,
  formatDecimal,
  MAX_USD,
  type MicroCredits,
  type PicoUsd,
  parseDecimal,
  picoUsd,
  type UsdParts,
  usdFromParts,
  usdToParts,
  ZERO_USD,
} from '../../pricing/money.ts'
import type { StoredQuotas } from '../admission/quotas.ts'
import type { RatingTables } from '../burn-tables/compiled.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { DefaultEntitlement, PeriodCounters } from '../model/limits.ts'
import type { Quote, QuoteItem } from '../model/messages/burn-tables.ts'
import { type Refusal, type Refused, refused } from '../model/refusal.ts'
import type { PricedEvent, ProviderCharge } from '../model/vocabulary.ts'
import type { Wallet } from '../model/wallet.ts'

/**
 * The context of a burn: the tables that convert usage and cost to credits, the ids of the ledger, the customer's
 * default entitlement and quotas, and the API key of the request.
 */
export interface BurnContext {
  readonly tables: RatingTables
  readonly ids: LedgerIds
  /** The default for features without an entitlement: allowed or refused. */
  readonly default_entitlement: DefaultEntitlement
  /** The quota of events in a UTC month; null for no limit. */
  readonly events_a_month: number | null
  /** The id of the request's API key. The limits on the key count the events. Absent if no request caused the burn. */
  readonly key_id?: string
  readonly quotas: StoredQuotas
}

/** The charge for an event, and the version of its burn table. */
export interface Rated extends Omit<Charge, 'kind'> {
  readonly kind: 'rated'
  readonly burn_table_version: number
}

/**
 * Rates an event by the burn table in force at the event's time. Refuses an event without a price if the table rejects
 * such events. Uses the wallet's counters of the period that contains `at_ms`. A caller that burns a new event must
 * also call `countUse`.
 */
export function rate(
  event: PricedEvent,
  wallet: Wallet,
  at_ms: number,
  { tables }: BurnContext,
): Rated | Refused {
  const table = tables.at(event.timestamp_ms)
  const charge = chargeFor(table, chargeableOf(event), {
    at_ms,
    used: (counter) => usedInPeriod(wallet.counters, counter),
  })
  if (charge.kind === 'unpriced') return refused(unpricedModel(event))
  return { ...charge, kind: 'rated', burn_table_version: table.version }
}

/** Counts an event's quantity towards the tiers and allowances of its wallet. */
export function countUse(wallet: Wallet, { advance }: Rated): void {
  if (advance) wallet.counters = advanced(wallet.counters, advance.counter, advance.quantity)
}

/**
 * The refusal of an event whose price in USD is larger than an entry can store. Only a burn table with very few credits
 * per USD can cause it.
 */
export const PRICE_TOO_HIGH: Refusal = {
  code: 'invalid_request',
  detail:
    'The event costs more than 8000000000 USD with its burn table. Correct the usage or the burn table.',
  errors: [{ path: '', message: 'must not cost more than 8000000000 USD' }],
}

/**
 * Returns the customer's price that an entry records. A capture that burns only a part of the credits records the same
 * part of the price.
 */
export function recordedPrice(
  { price, credits_micro }: Rated,
  burned_micro: bigint | MicroCredits,
): UsdParts {
  const whole = credits_micro <= burned_micro
  const earned = whole ? price : picoUsd(divideHalfEven(price * BigInt(burned_micro), credits_micro))
  return storedPrice(earned)
}

/**
 * Limits a price to the largest amount that an entry can hold. A price can be larger if a table has few credits per
 * USD.
 */
export function storedPrice(price: PicoUsd): UsdParts {
  if (price > MAX_USD) return usdToParts(MAX_USD)
  return usdToParts(price)
}

function chargeableOf({
  feature_id,
  provider,
  model,
  usage,
  custom,
  charge,
}: Omit<QuoteItem, 'at_ms'>): Chargeable {
  const { cost, ceiling_cost } = costOf(charge)
  return { feature_id, provider, model, usage, custom, cost, ceiling_cost }
}

/**
 * Returns the refusal of an unpriced model. The route adds similar model names, but only for a single event, because
 * a search for each event of a batch would be too slow.
 */
function unpricedModel({ provider = '', model = '' }: PricedEvent): Refusal {
  return { code: 'unpriced_model', provider, model, nearest: [] }
}

/** Returns the provider's cost in the form that a burn table accepts. */
function costOf(charge: ProviderCharge): Pick<Chargeable, 'cost' | 'ceiling_cost'> {
  switch (charge.kind) {
    case 'priced':
      return { cost: usdFromParts(charge.cost) }
    case 'none':
      return { cost: ZERO_USD }
    case 'unpriced':
      return {
        cost: undefined,
        ...(charge.ceiling_cost && { ceiling_cost: usdFromParts(charge.ceiling_cost) }),
      }
  }
}

const FROM_EMPTY = 'Tiers and allowances are counted from the beginning of a period, before any use.'

/**
 * Returns the price of an item, or `unpriced` if the table rejects items without a price. Rates the item as the first
 * of its period, because the wallet is not known.
 */
export function quote(tables: RatingTables, item: QuoteItem, now_ms: number): Quote {
  const table = tables.at(item.at_ms)
  const charge = chargeFor(table, chargeableOf(item), { at_ms: now_ms, used: () => 0n })
  if (charge.kind === 'unpriced') return charge
  return {
    kind: 'charged',
    credits_micro: charge.credits_micro.toString(),
    price_pico: charge.price.toString(),
    pricing_source: table.id === null ? 'default_burn_table' : 'burn_table',
    burn_table_version: table.version,
    warnings: charge.advance ? [...charge.warnings, FROM_EMPTY] : charge.warnings,
  }
}

/**
 * Returns the quantity that was used in the counter's period, as an integer number of billionths of the counted unit.
 * Returns 0 if the period has no use yet.
 */
export function usedInPeriod(counters: PeriodCounters | undefined, { key, resets_at_ms }: Counter): bigint {
  const counter = counters?.[key]
  if (counter?.resets_at_ms !== resets_at_ms) return 0n
  const quantity = parseDecimal(counter.quantity, QUANTITY_DECIMALS)
  if (typeof quantity !== 'bigint')
    throw new Error(`the quantity "${counter.quantity}" of a counter is not a decimal`)
  return quantity
}

export function advanced(
  counters: PeriodCounters | undefined,
  { key, resets_at_ms }: Counter,
  quantity: bigint,
): PeriodCounters {
  return { ...counters, [key]: { resets_at_ms, quantity: formatDecimal(quantity, QUANTITY_DECIMALS) } }
}
