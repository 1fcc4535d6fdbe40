import type { SubjectNumber } from '../../ledger/journal/packed-page.ts'
import type { Entry, UsageCell, UsageQuantities } from '../../ledger/model/journal.ts'
import { paidOf } from '../../ledger/model/lots.ts'
import type { EventType, Writable } from '../../ledger/model/vocabulary.ts'
import { divideHalfEven, parseDecimal, type UsdParts, usdFromParts } from '../../pricing/money.ts'

/**
 * The exact usage that one entry adds to analytics. It is computed only from the entry. The ledger object, the queue
 * messages, the columns of pages in D1 and a rebuild therefore have the same sums.
 */
export interface UsageDelta {
  /** The number of the entry. An entry has at most one delta. */
  readonly entry: number
  /**
   * The time of the event, even if the entry is a later change of the event. If a hold was captured without an event,
   * it is the time of the capture.
   */
  readonly timestamp_ms: number
  /** The event type; null if a hold was captured without an event. */
  readonly event_type: EventType | null
  readonly feature_id: string
  readonly provider?: string
  readonly model?: string
  /** The subject number of the user, not its id, so that erasing a user changes no sum. */
  readonly user?: number
  readonly team?: number
  /**
   * The id of the API key to which the usage belongs; absent in entries that were recorded before keys were recorded.
   */
  readonly key?: string
  /** The number of events: 1 for an event, -1 for its void, and 0 for other entries. */
  readonly events: 1 | 0 | -1
  /**
   * The quantity of each unit, in billionths of the unit: 1000 `input_tokens` are `1_000_000_000_000n`. A void has
   * negative quantities.
   */
  readonly units: Readonly<Record<string, bigint>>
  /** The burned credits minus the returned credits. */
  readonly credits_micro: number
  /** The provider's cost. */
  readonly cost_pico: bigint
  /** The revenue including promotional credits (`customer_price_usd`). */
  readonly price_pico: bigint
  /** The price that was paid for the credits: the cost basis of the lots from which they were burned. */
  readonly paid_pico: bigint
}

/** The number of decimals of `UsageDelta.units`. */
export const UNIT_DECIMALS = 9

/**
 * Returns the deltas of entries, in the order of the entries. Purchases, refunds of purchases, grants, transfers,
 * adjustments and expirations have no delta.
 *
 * - An event adds its usage.
 * - A void subtracts the event at the event's own time, minus the amounts that earlier refunds subtracted.
 * - A refund of a burn subtracts credits and, in proportion, revenue. It does not change events, units or cost, because
 *   the usage still happened.
 * - An entry that rates an event late adds the difference between the new and the earlier amounts.
 * - A hold that is captured without an event adds credits and revenue at the time of the capture.
 */
export function usageDeltas(entries: readonly Entry[], number: SubjectNumber): UsageDelta[] {
  const deltas: UsageDelta[] = []
  for (const entry of entries) {
    const delta = usageDelta(entry, number)
    if (delta) deltas.push(delta)
  }
  return deltas
}

function usageDelta(entry: Entry, number: SubjectNumber): UsageDelta | undefined {
  const { event, captured, reverses } = entry
  if (event?.rerates) {
    const { cost_before, price_before, price_after } = event.rerates
    return {
      ...dimensions(entry, event, number),
      events: 0,
      units: {},
      cost_pico: usdFromParts(event.cost) - usdFromParts(cost_before),
      price_pico: usdFromParts(price_after) - usdFromParts(price_before),
    }
  }
  if (event) {
    return {
      ...dimensions(entry, event, number),
      events: 1,
      units: unitsOf(event, 1n),
      cost_pico: usdFromParts(event.cost),
      price_pico: usdFromParts(event.price),
    }
  }
  if (captured) {
    const price_pico = usdFromParts(captured.price)
    const cell = { ...captured, timestamp_ms: entry.at_ms }
    return { ...dimensions(entry, cell, number), events: 0, units: {}, cost_pico: 0n, price_pico }
  }
  if (!reverses) return undefined
  const { voided, price } = reverses
  return {
    ...dimensions(entry, reverses, number),
    events: voided && reverses.event_type ? -1 : 0,
    units: voided ? unitsOf(voided, -1n) : {},
    ...usd({ cost: voided?.cost ?? NO_COST, price }, -1n),
  }
}

const NO_COST: UsdParts = { micro: 0, pico: 0 }

function dimensions(entry: Entry, cell: UsageCell, number: SubjectNumber) {
  const { provider, model, user_id, team_id, key_id } = cell
  const dimensions: Writable<Omit<UsageDelta, 'events' | 'units' | 'cost_pico' | 'price_pico'>> = {
    entry: entry.number,
    timestamp_ms: cell.timestamp_ms,
    event_type: cell.event_type ?? null,
    feature_id: cell.feature_id,
    credits_micro: 0 - entry.amount,
    paid_pico: paidByLots(entry),
  }
  if (provider !== undefined) dimensions.provider = provider
  if (model !== undefined) dimensions.model = model
  if (user_id !== undefined) dimensions.user = number('user', user_id)
  if (team_id !== undefined) dimensions.team = number('team', team_id)
  if (key_id !== undefined) dimensions.key = key_id
  return dimensions
}

/**
 * Returns the cost basis of the credits that an entry takes from lots, minus the cost basis of the credits that it
 * returns to lots.
 */
function paidByLots({ lots }: Entry): bigint {
  let sum = 0n
  for (const part of lots) if (part[2]) sum += part[1] < 0 ? paidOf(part) : -paidOf(part)
  return sum
}

function usd({ cost, price }: { readonly cost: UsdParts; readonly price: UsdParts }, sign: 1n | -1n) {
  return { cost_pico: sign * usdFromParts(cost), price_pico: sign * usdFromParts(price) }
}

function unitsOf({ usage, custom }: UsageQuantities, sign: 1n | -1n): Record<string, bigint> {
  const units: Record<string, bigint> = {}
  if (usage) addUnits(units, usage, sign)
  if (custom) addUnits(units, custom, sign)
  return units
}

function addUnits(
  units: Record<string, bigint>,
  quantities: Readonly<Record<string, number>>,
  sign: 1n | -1n,
) {
  for (const [unit, quantity] of Object.entries(quantities)) {
    if (quantity !== 0) units[unit] = sign * exactUnits(quantity)
  }
}

const ONE_UNIT = 10n ** BigInt(UNIT_DECIMALS)
const NANO = Number(ONE_UNIT)
const FINEST_DECIMALS = 40

/**
 * Converts a quantity to billionths of the unit. The result is exact for accepted quantities, which have at most nine
 * decimals. More decimals are rounded half-even.
 */
function exactUnits(quantity: number): bigint {
  if (Number.isSafeInteger(quantity)) {
    // A product below 2^53 is exact, and a multiplication of numbers is faster than a multiplication of bigints.
    const nano = quantity * NANO
    return Number.isSafeInteger(nano) ? BigInt(nano) : BigInt(quantity) * ONE_UNIT
  }
  const exact = parseDecimal(quantity, UNIT_DECIMALS)
  if (typeof exact === 'bigint') return exact
  const finest = parseDecimal(quantity, FINEST_DECIMALS)
  if (typeof finest !== 'bigint') throw new Error(`invalid quantity: ${quantity}`)
  return divideHalfEven(finest, 10n ** BigInt(FINEST_DECIMALS - UNIT_DECIMALS))
}
