import { formatDecimal } from '../../pricing/money.ts'
import type { Usage } from '../../pricing/usage.ts'
import { type Window, windowOf } from '../../time/windows.ts'
import type { Draft } from '../commit/draft.ts'
import type { Entitlement } from '../model/entitlements.ts'
import {
  type Counted,
  type Counts,
  type DefaultEntitlement,
  type Level,
  type LimitUnit,
  type OffReason,
  type Quantities,
  type Subject,
  UNIT_DECIMALS,
} from '../model/limits.ts'
import { type Refusal, type Refused, refused } from '../model/refusal.ts'

/**
 * What a feature allows, decided in the very commit that burns: on or off, and every limit of the user, the team and
 * the customer. All of them count what is burned, or none. Times are of arrival; quantities are exact integers.
 */

/** A limit, or only a count, at the moment of a request. */
export interface Meter {
  readonly entitlement: Entitlement
  readonly window: Window
  /** Before the request, in the unit's smallest part. */
  readonly used: bigint
  /** What the request would add. */
  readonly quantity: bigint
  /** Null where it only counts. */
  readonly limit: bigint | null
}

export type Admission = { readonly kind: 'admitted'; readonly meters: readonly Meter[] } | Refused

/** What a charge comes to in every unit that a limit can have. One request is one event. */
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

/** The same of a capture, which may have taken less than its event cost. */
export function capturedQuantities(
  rated: { readonly credits_micro: bigint; readonly price: bigint },
  captured_micro: number,
  usage?: Usage,
): Quantities {
  return { ...quantitiesOf(rated, usage), credits: BigInt(captured_micro) }
}

/** Whether the feature is on and every HARD limit has room. Counts nothing yet: that is `count`, when all else is sure. */
export function admit(
  draft: Draft,
  subject: Subject,
  quantities: Quantities,
  default_entitlement: DefaultEntitlement,
): Admission {
  const rows = draft.entitlementsOf(subject)
  const off = offReason(rows, default_entitlement)
  if (off) return refused({ code: 'feature_not_allowed', feature_id: subject.feature_id, reason: off })
  const meters = metersOf(draft, rows, quantities)
  const exhausted = firstExceeded(meters, 'HARD')
  return exhausted ? refused(limitReached(exhausted)) : { kind: 'admitted', meters }
}

/** Why the feature cannot be used; undefined when it can. The most specific row decides. */
export function offReason(
  [mostSpecific]: readonly Entitlement[],
  default_entitlement: DefaultEntitlement,
): OffReason | undefined {
  if (!mostSpecific) return default_entitlement === 'allow' ? undefined : 'feature_not_enabled'
  return mostSpecific.enabled ? undefined : 'feature_disabled'
}

/** The meters among the rows as they stand at the draft's time. */
export function metersOf(draft: Draft, rows: readonly Entitlement[], quantities: Quantities): Meter[] {
  return rows.flatMap((entitlement): Meter[] => {
    const { period, anchor_ms, counter, unit, limit_type, limit } = entitlement
    if (period === null) return []
    const window = windowOf(period, anchor_ms, draft.at_ms)
    const counted = draft.limitCounter(counter)
    return [
      {
        entitlement,
        window,
        used: counted?.window_start_ms === window.start_ms ? counted.used : 0n,
        quantity: quantities[unit],
        limit: limit_type === 'NONE' || limit === null ? null : BigInt(limit),
      },
    ]
  })
}

/** The first meter of this kind that the request would take over its limit; reaching it exactly is within. */
export function firstExceeded(meters: readonly Meter[], limit_type: 'HARD' | 'SOFT'): Meter | undefined {
  return meters.find(
    ({ entitlement, used, quantity, limit }) =>
      entitlement.limit_type === limit_type && limit !== null && used + quantity > limit,
  )
}

/** Counts what was admitted, and says so for the entry. */
export function count(draft: Draft, meters: readonly Meter[]): Counts {
  const counted = countEach(draft, meters)
  return counted.length === 0 ? {} : { counted }
}

function countEach(draft: Draft, meters: readonly Meter[]): Counted[] {
  return meters.flatMap(({ entitlement: { counter }, window: { start_ms }, used, quantity }): Counted[] => {
    if (quantity === 0n) return []
    draft.limitCounters.set(counter, { window_start_ms: start_ms, used: used + quantity })
    return [[counter, start_ms, quantityJson(quantity)]]
  })
}

/** Takes back what was counted, where its window is still the counter's latest: what was used before then is over. */
export function giveBack(draft: Draft, counted: readonly Counted[] = []): void {
  for (const [counter, window_start_ms, quantity] of counted) {
    const known = draft.limitCounter(counter)
    if (known?.window_start_ms !== window_start_ms) continue
    const used = known.used - BigInt(quantity)
    if (used < 0n) throw new Error(`counter ${counter} would give back more than it has counted`)
    draft.limitCounters.set(counter, { window_start_ms, used })
  }
}

/** Reserves for a hold, as `admit` and `count` do for a burn. The hold keeps what is returned. */
export function reserve(
  draft: Draft,
  subject: Subject,
  quantities: Quantities,
  default_entitlement: DefaultEntitlement,
): { readonly kind: 'reserved'; readonly reserved: readonly Counted[] } | Refused {
  const admission = admit(draft, subject, quantities, default_entitlement)
  if (admission.kind === 'refused') return admission
  return { kind: 'reserved', reserved: countEach(draft, admission.meters) }
}

export interface Committed {
  /** For the entry of the capture: what its void gives back. */
  readonly counts: Counts
  /** What the hold still reserves. */
  readonly reserved: readonly Counted[]
}

/**
 * Counts what a capture really used in place of what its hold reserved. Never refuses: what is captured was consumed
 * already. What was reserved in a window that is over has ended with it, and the capture counts in the present one.
 */
export function commit(
  draft: Draft,
  subject: Subject,
  reserved: readonly Counted[],
  quantities: Quantities,
): Committed {
  const counts = count(draft, metersOf(draft, draft.entitlementsOf(subject), quantities))
  const left: Counted[] = []
  for (const [counter, window_start_ms, quantity] of reserved) {
    const used = counts.counted?.find(([other]) => other === counter)
    const freed = used ? least(BigInt(quantity), BigInt(used[2])) : 0n
    giveBack(draft, [[counter, window_start_ms, quantityJson(freed)]])
    const rest = BigInt(quantity) - freed
    if (rest > 0n) left.push([counter, window_start_ms, quantityJson(rest)])
  }
  return { counts, reserved: left }
}

/** Gives back what a hold still reserves: it was released, it expired, or it was captured for good. */
export const release = giveBack

/** The level of a row: whose use it counts together. */
export function levelOf({ owner }: Entitlement): Level {
  return owner.kind
}

/** A quantity of a unit as the plain decimal that people read. */
export function quantityText(unit: LimitUnit, quantity: bigint): string {
  return formatDecimal(quantity, UNIT_DECIMALS[unit])
}

export function limitReached({ entitlement, window, used, quantity, limit }: Meter): Refusal {
  const { feature_id, unit } = entitlement
  return {
    code: 'limit_reached',
    feature_id,
    level: levelOf(entitlement),
    unit,
    limit: quantityText(unit, limit ?? 0n),
    used: quantityText(unit, used),
    needed: quantityText(unit, quantity),
    resets_at_ms: window.end_ms,
  }
}

export function quantityJson(quantity: bigint): number | string {
  const number = Number(quantity)
  return Number.isSafeInteger(number) ? number : quantity.toString()
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
