import { formatDecimal } from '../../pricing/money.ts'
import type { Usage } from '../../pricing/usage.ts'
import type { Draft } from '../commit/draft.ts'
import {
  ALL_FEATURES,
  type Counted,
  type Counts,
  type DefaultEntitlement,
  type Entitlement,
  type Level,
  type LimitCounter,
  type LimitUnit,
  type OffReason,
  type Quantities,
  quantityJson,
  type ReservedQuantity,
  type Subject,
  UNIT_DECIMALS,
} from '../model/limits.ts'
import { type Refusal, type Refused, refused } from '../model/refusal.ts'
import type { Hold } from '../model/wallet.ts'
import { withoutUse } from './rolling.ts'
import { type LimitWindow, limitWindow, withUse } from './windows.ts'

/**
 * The limits of a feature, decided in the commit that burns: on or off, and every limit of the user, the team, the API
 * key, the model and the customer. Either all of them count a burn, or none. Times are of arrival; quantities are exact integers.
 */

/** A limit, or only a count, at the moment of a request. */
export interface Meter {
  readonly entitlement: Entitlement
  readonly window: LimitWindow
  /** The counter before the request; undefined while it has counted nothing. */
  readonly counter: LimitCounter | undefined
  /** The quantity of the request, in the unit's smallest part. */
  readonly quantity: bigint
  /** Is null if it only counts. */
  readonly limit: bigint | null
}

export type Admission = { readonly kind: 'admitted'; readonly meters: readonly Meter[] } | Refused

/** Returns the charge of an event in every unit that a limit can have. An event counts as one request. */
export function quantitiesOf(
  { credits_micro, price }: { readonly credits_micro: bigint; readonly price: bigint },
  usage: Usage = {},
): Quantities {
  return {
    credits: credits_micro,
    events: 1n,
    tokens: BigInt(usage.input_tokens ?? 0) + BigInt(usage.output_tokens ?? 0),
    usd: price,
  }
}

/** Returns the charge of a capture in every unit; a capture may take less than its event costs. */
export function capturedQuantities(
  rated: { readonly credits_micro: bigint; readonly price: bigint },
  captured_micro: number,
  usage?: Usage,
): Quantities {
  return { ...quantitiesOf(rated, usage), credits: BigInt(captured_micro) }
}

/** A feature without limits; most features have none. */
const UNMETERED: Admission = { kind: 'admitted', meters: [] }
const NOTHING_COUNTED: Counts = {}

/** Whether the feature is on and every HARD limit has room. Checks only; call `count` once the burn is certain. */
export function admit(
  draft: Draft,
  subject: Subject,
  quantities: Quantities | (() => Quantities),
  default_entitlement: DefaultEntitlement,
  key_id?: string,
): Admission {
  const rows = draft.entitlementsOf(subject, key_id)
  const off = offReason(rows, default_entitlement)
  if (off) return refused({ code: 'feature_not_allowed', feature_id: subject.feature_id, reason: off })
  if (rows.length === 0) return UNMETERED
  const meters = metersOf(draft, rows, typeof quantities === 'function' ? quantities() : quantities)
  const exhausted = firstExceeded(meters, 'HARD')
  return exhausted ? refused(limitReached(exhausted, subject.feature_id)) : { kind: 'admitted', meters }
}

/**
 * Returns the reason why the feature cannot be used; undefined if it can. The most specific row of the user, the team and
 * the customer decides; rows of the API key and the model can only switch it off.
 */
export function offReason(
  rows: readonly Entitlement[],
  default_entitlement: DefaultEntitlement,
): OffReason | undefined {
  let decided: boolean | undefined
  for (const { owner, enabled } of rows) {
    const restricts = owner.kind === 'key' || owner.kind === 'model'
    if (restricts && !enabled) return 'feature_disabled'
    if (!restricts) decided ??= enabled
  }
  if (decided === undefined) return default_entitlement === 'allow' ? undefined : 'feature_not_enabled'
  return decided ? undefined : 'feature_disabled'
}

/** The meters among the rows, each in its window at `at_ms`: the draft's time, or the earlier arrival of a late use. */
export function metersOf(
  draft: Draft,
  rows: readonly Entitlement[],
  quantities: Quantities,
  at_ms = draft.at_ms,
): Meter[] {
  return rows.flatMap((entitlement): Meter[] => {
    if (entitlement.period === null) return []
    const counter = draft.limitCounter(entitlement.counter)
    const quantity = quantities[entitlement.unit]
    const window = limitWindow(entitlement, counter, quantity, { now_ms: draft.at_ms, arrived_ms: at_ms })
    if (!window) return []
    const { limit_type, limit } = entitlement
    return [
      {
        entitlement,
        window,
        counter,
        quantity,
        limit: limit_type === 'NONE' || limit === null ? null : BigInt(limit),
      },
    ]
  })
}

/**
 * The first meter of this kind that the request would take over its limit; reaching the limit exactly is
 * allowed.
 */
export function firstExceeded(meters: readonly Meter[], limit_type: 'HARD' | 'SOFT'): Meter | undefined {
  return meters.find(
    ({ entitlement, window, quantity, limit }) =>
      entitlement.limit_type === limit_type && limit !== null && window.used + quantity > limit,
  )
}

/** Counts the admitted quantities, and returns them for the entry. */
export function count(draft: Draft, meters: readonly Meter[]): Counts {
  if (meters.length === 0) return NOTHING_COUNTED
  const counted = meters.flatMap((meter): Counted[] => {
    const { entitlement, window, counter, quantity } = meter
    const { start_ms, counted, is_over } = window
    // A late price that is lower gives back no more than was counted: the limit may be younger than the event.
    const change = counted + quantity < 0n ? -counted : quantity
    if (change === 0n || is_over) return []
    draft.limitCounters.set(entitlement.counter, withUse(entitlement, counter, window, change))
    noteReached(draft, meter, change)
    return [[entitlement.counter, start_ms, quantityJson(change)]]
  })
  return counted.length === 0 ? {} : { counted }
}

/** Notes a limit that reaches its maximum by this change, for the notification of the commit. */
function noteReached(draft: Draft, { entitlement, window, limit }: Meter, change: bigint): void {
  const used = window.used + change
  if (limit !== null && window.used < limit && used >= limit) {
    draft.reachedLimits.push({ entitlement, window, limit, used })
  }
}

/** Returns the quantities of an event and its late price together: the price may be lower than the first burn. */
export function netCounted(first: readonly Counted[] = [], late: readonly Counted[] = []): Counted[] {
  const net = new Map<string, Counted>()
  for (const [counter, window_start_ms, quantity] of [...first, ...late]) {
    const place = `${counter} ${window_start_ms}`
    const sum = BigInt(net.get(place)?.[2] ?? 0) + BigInt(quantity)
    net.set(place, [counter, window_start_ms, quantityJson(sum)])
  }
  return [...net.values()]
}

/** Subtracts counted quantities where the counter still has their window: an earlier window is over. */
export function giveBack(draft: Draft, counted: readonly Counted[] = []): void {
  for (const [counter, window_start_ms, quantity] of counted) {
    const known = draft.limitCounter(counter)
    const rest = known && withoutUse(known, window_start_ms, BigInt(quantity))
    if (rest) draft.limitCounters.set(counter, rest)
  }
}

/**
 * Reserves the admitted quantities for a hold, and returns them for the hold. They count in every window until they are
 * released.
 */
export function reserveLimits(draft: Draft, meters: readonly Meter[]): Pick<Hold, 'reserves'> {
  const reserves = meters.flatMap((meter): ReservedQuantity[] => {
    const { entitlement, window, counter, quantity } = meter
    if (quantity === 0n) return []
    noteReached(draft, meter, quantity)
    const known = counter ?? { window_start_ms: window.start_ms, used: 0n }
    draft.limitCounters.set(entitlement.counter, { ...known, reserved: (known.reserved ?? 0n) + quantity })
    return [[entitlement.counter, quantityJson(quantity)]]
  })
  return reserves.length === 0 ? {} : { reserves }
}

/**
 * Counts the usage of a capture in place of its hold's reservation, and returns it for the entry. Never refuses,
 * because captured usage was already consumed. It counts in the present window, whenever the hold was opened, for the
 * feature, the user, the team and the API key of the hold, and for the model of the event.
 */
export function countInPlaceOf(draft: Draft, hold: Hold, quantities: Quantities, event?: Subject): Counts {
  const model = event?.model ?? hold.model
  const rows = draft.entitlementsOf(model === hold.model ? hold : { ...hold, model }, hold.key_id)
  const counts = count(draft, metersOf(draft, rows, quantities))
  const used = new Map(counts.counted?.map(([counter, , quantity]) => [counter, BigInt(quantity)]))
  const reserves = hold.reserves?.flatMap(([counter, quantity]): ReservedQuantity[] => {
    const [freed, rest] = split(BigInt(quantity), used.get(counter))
    unreserve(draft, counter, freed)
    return rest > 0n ? [[counter, quantityJson(rest)]] : []
  })
  if (reserves) hold.reserves = reserves
  const limits = hold.limits?.flatMap(([counter, window_start_ms, quantity]): Counted[] => {
    const [freed, rest] = split(BigInt(quantity), used.get(counter))
    giveBack(draft, [[counter, window_start_ms, quantityJson(freed)]])
    return rest > 0n ? [[counter, window_start_ms, quantityJson(rest)]] : []
  })
  if (limits) hold.limits = limits
  return counts
}

/** Releases the rest of a hold's reservation: it was released, it expired, or its last capture was made. */
export function release(draft: Draft, hold: Hold): void {
  for (const [counter, quantity] of hold.reserves ?? []) unreserve(draft, counter, BigInt(quantity))
  giveBack(draft, hold.limits)
}

function unreserve(draft: Draft, counter: number, quantity: bigint): void {
  const known = draft.limitCounter(counter)
  // The counter does not exist if its entitlement was deleted or now counts something else.
  if (!known || quantity === 0n) return
  const { reserved = 0n, ...kept } = known
  const rest = reserved - quantity
  if (rest < 0n) throw new Error(`counter ${counter} would release more than is reserved`)
  draft.limitCounters.set(counter, rest === 0n ? kept : { ...kept, reserved: rest })
}

/** Splits a reservation into the part that a use replaces, and the rest. */
function split(reserved: bigint, used = 0n): readonly [freed: bigint, rest: bigint] {
  const freed = used < reserved ? used : reserved
  return [freed, reserved - freed]
}

/** The level of a row, and the key or the model that it names. */
export function levelOf({ owner }: Entitlement): {
  readonly level: Level
  readonly key_id?: string
  readonly model?: string
} {
  return {
    level: owner.kind,
    ...(owner.kind === 'key' && { key_id: owner.id }),
    ...(owner.kind === 'model' && { model: owner.id }),
  }
}

/** Formats a quantity of a unit as a decimal. */
export function quantityText(unit: LimitUnit, quantity: bigint): string {
  return formatDecimal(quantity, UNIT_DECIMALS[unit])
}

/** Returns the refusal. `feature_id` is the feature of the use, because the limit may be one of all features. */
export function limitReached(
  { entitlement, window, quantity, limit }: Meter,
  feature_id: string,
): Refusal & { readonly code: 'limit_reached' } {
  const { unit, rolling } = entitlement
  return {
    code: 'limit_reached',
    feature_id,
    ...levelOf(entitlement),
    ...(entitlement.feature_id === ALL_FEATURES && { all_features: true as const }),
    unit,
    limit: quantityText(unit, limit ?? 0n),
    used: quantityText(unit, window.used),
    needed: quantityText(unit, quantity),
    resets_at_ms: window.resets_at_ms,
    ...(rolling && { rolling }),
  }
}
