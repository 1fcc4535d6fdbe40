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
 * Checks and counts the limits on features, in the commit of the burn. A feature is on or off. The user, the team, the
 * API key, the model and the customer can each have limits. A burn counts towards all of its limits or towards none. A
 * use counts at the time when it arrives, regardless of its timestamp. A late price can count later: see `windows.ts`.
 * Quantities are exact integers.
 */

/** An entitlement that limits or only counts a request, with its state when the request arrives. */
export interface Meter {
  readonly entitlement: Entitlement
  readonly window: LimitWindow
  /** The counter before the request; undefined if it has neither counted nor reserved anything. */
  readonly counter: LimitCounter | undefined
  /** The quantity of the request, in the smallest fraction of the entitlement's unit. */
  readonly quantity: bigint
  /** The limit; null if the meter only counts. */
  readonly limit: bigint | null
}

export type Admission = { readonly kind: 'admitted'; readonly meters: readonly Meter[] } | Refused

/** Returns the quantities of one event, in each unit that a limit can have. */
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

/**
 * Returns the quantities of a capture, in each unit that a limit can have. A capture can burn fewer credits than its
 * event costs.
 */
export function capturedQuantities(
  rated: { readonly credits_micro: bigint; readonly price: bigint },
  captured_micro: number,
  usage?: Usage,
): Quantities {
  return { ...quantitiesOf(rated, usage), credits: BigInt(captured_micro) }
}

/** The admission of a use without limits. Most features have no limits. */
const UNMETERED: Admission = { kind: 'admitted', meters: [] }
const NOTHING_COUNTED: Counts = {}

/**
 * Admits a use if the feature is on and no HARD limit would be exceeded. Checks only; call `count` once the burn is
 * certain.
 */
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
 * Returns the reason why the feature cannot be used; undefined if it can be used. Of the rows of the user, the team and
 * the customer, the most specific row decides. If none of the three has a row, the default decides. Rows of the API key
 * and the model can only switch the feature off.
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

/** Returns the meters of the rows that have a period, each in its window for a use that arrived at `at_ms`. */
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
 * Returns the first meter with the given type of limit whose limit the request would exceed; undefined if there is
 * none. A request that exactly reaches a limit does not exceed it.
 */
export function firstExceeded(meters: readonly Meter[], limit_type: 'HARD' | 'SOFT'): Meter | undefined {
  return meters.find(
    ({ entitlement, window, quantity, limit }) =>
      entitlement.limit_type === limit_type && limit !== null && window.used + quantity > limit,
  )
}

/** Counts the admitted quantities and returns them for the entry. */
export function count(draft: Draft, meters: readonly Meter[]): Counts {
  if (meters.length === 0) return NOTHING_COUNTED
  const counted = meters.flatMap((meter): Counted[] => {
    const { entitlement, window, counter, quantity } = meter
    const { start_ms, counted, is_over } = window
    // If a late price is lower than the first burn, the quantity is negative. Subtracts at most the counted quantity,
    // because the limit can be newer than the event.
    const change = counted + quantity < 0n ? -counted : quantity
    if (change === 0n || is_over) return []
    draft.limitCounters.set(entitlement.counter, withUse(entitlement, counter, window, change))
    noteReached(draft, meter, change)
    return [[entitlement.counter, start_ms, quantityJson(change)]]
  })
  return counted.length === 0 ? {} : { counted }
}

/** Records a limit that a change reaches, for the notification of the commit. */
function noteReached(draft: Draft, { entitlement, window, limit }: Meter, change: bigint): void {
  const used = window.used + change
  if (limit !== null && window.used < limit && used >= limit) {
    draft.reachedLimits.push({ entitlement, window, limit, used })
  }
}

/**
 * Returns the sums of the quantities that an event and its late rating counted, for each counter and window. The
 * quantities of the late rating are negative if the late price is lower than the first burn.
 */
export function netCounted(first: readonly Counted[] = [], late: readonly Counted[] = []): Counted[] {
  const net = new Map<string, Counted>()
  for (const [counter, window_start_ms, quantity] of [...first, ...late]) {
    const place = `${counter} ${window_start_ms}`
    const sum = BigInt(net.get(place)?.[2] ?? 0) + BigInt(quantity)
    net.set(place, [counter, window_start_ms, quantityJson(sum)])
  }
  return [...net.values()]
}

/**
 * Subtracts counted quantities from their counters. Skips a counter that no longer has the window in which the quantity
 * was counted.
 */
export function giveBack(draft: Draft, counted: readonly Counted[] = []): void {
  for (const [counter, window_start_ms, quantity] of counted) {
    const known = draft.limitCounter(counter)
    const rest = known && withoutUse(known, window_start_ms, BigInt(quantity))
    if (rest) draft.limitCounters.set(counter, rest)
  }
}

/**
 * Reserves the admitted quantities and returns them for the hold. Reserved quantities count in every window until
 * they are released.
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
 * Counts the usage of a capture, and releases up to the same quantity from its hold's reservation. Returns the counts
 * for the entry. Never refuses, because captured usage has already happened. Counts in the current window, even if the
 * hold was opened in an earlier window. Uses the feature, the user, the team and the API key of the hold, and the model
 * of `event`, or of the hold if `event` has none.
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

/**
 * Releases the quantities that a hold still reserves in limits. Runs when the hold is released or expires, or after its
 * last capture.
 */
export function release(draft: Draft, hold: Hold): void {
  for (const [counter, quantity] of hold.reserves ?? []) unreserve(draft, counter, BigInt(quantity))
  giveBack(draft, hold.limits)
}

function unreserve(draft: Draft, counter: number, quantity: bigint): void {
  const known = draft.limitCounter(counter)
  // The counter can be missing, because its entitlement was deleted or received a new counter.
  if (!known || quantity === 0n) return
  const { reserved = 0n, ...kept } = known
  const rest = reserved - quantity
  if (rest < 0n)
    throw new Error(`counter ${counter} has ${reserved} reserved, less than the ${quantity} to release`)
  draft.limitCounters.set(counter, rest === 0n ? kept : { ...kept, reserved: rest })
}

/** Splits a reservation into the part that a use replaces, and the rest. */
function split(reserved: bigint, used = 0n): readonly [freed: bigint, rest: bigint] {
  const freed = used < reserved ? used : reserved
  return [freed, reserved - freed]
}

/** Returns the level of an entitlement, and the API key or the model that the entitlement names. */
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

/**
 * Returns the refusal of a use at a limit. `feature_id` is the feature of the use, because the limit can apply to all
 * features.
 */
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
