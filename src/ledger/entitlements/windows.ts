import { type Window, windowOf } from '../../time/windows.ts'
import { timeZoneOf, UTC } from '../../time/zones.ts'
import type { EntitlementRules, LimitCounter } from '../model/limits.ts'
import { partStart, rollingMs, rollingUse, withRollingUse } from './rolling.ts'

/** A limit's window at the time of a use. It is a fixed window or a rolling window. */
export interface LimitWindow {
  /** The start of the window, or of the part of a rolling window, in which a use counts. */
  readonly start_ms: number
  /** The quantity that was counted in the window or part that begins at `start_ms`. */
  readonly counted: bigint
  /** The quantity that counts against the limit: the uses in the window, and the reservations of open holds. */
  readonly used: bigint
  /** Whether the counter is already in a later window, so the use is not counted. */
  readonly is_over: boolean
  /**
   * The end of a fixed window, or the time when the oldest use leaves a rolling window; null if there is no such time.
   */
  readonly resets_at_ms: number | null
}

/** The current time, and the time when a use arrived. The two times differ if the use is rated late. */
export interface UseTime {
  readonly now_ms: number
  readonly arrived_ms: number
}

/** Returns the window of a limit for a use; undefined if the limit has no period and therefore no window. */
export function limitWindow(
  rules: EntitlementRules,
  counter: LimitCounter | undefined,
  quantity: bigint,
  time: UseTime,
): LimitWindow | undefined {
  if (rules.rolling) return rollingWindow(rollingMs(rules.rolling), counter, quantity, time)
  const window = fixedWindow(rules, time.arrived_ms)
  if (!window) return undefined
  // If the rules of the time zone have changed, the counter's window can begin later than the computed window. The use
  // then counts in the counter's window, unless that window began after the use arrived.
  const moved = counter !== undefined && counter.window_start_ms > window.start_ms
  const is_over = moved && counter.window_start_ms > time.arrived_ms
  const start_ms = moved && !is_over ? counter.window_start_ms : window.start_ms
  const counted = counter?.window_start_ms === start_ms ? counter.used : 0n
  return {
    start_ms,
    counted,
    used: is_over ? 0n : counted + (counter?.reserved ?? 0n),
    is_over,
    resets_at_ms: window.end_ms,
  }
}

function fixedWindow(
  { period, anchor_ms, time_zone = UTC }: EntitlementRules,
  at_ms: number,
): Window | undefined {
  if (period === null || period === 'ROLLING') return undefined
  const zone = time_zone === UTC || period === 'TOTAL' ? undefined : timeZoneOf(time_zone)
  return zone && period !== 'TOTAL'
    ? zone.windowOf(period, anchor_ms, at_ms)
    : windowOf(period, anchor_ms, at_ms)
}

/**
 * Returns the window of a rolling limit. A late price counts at the current time, when its credits are burned, because
 * the window in which the use arrived might have ended. If the price is below the first burn, the difference is
 * subtracted from the part in which the first burn was counted.
 */
function rollingWindow(
  length_ms: number,
  counter: LimitCounter | undefined,
  quantity: bigint,
  { now_ms, arrived_ms }: UseTime,
): LimitWindow {
  const start_ms = partStart(length_ms, quantity < 0n ? arrived_ms : now_ms)
  const { used, counted, frees_at_ms } = rollingUse(counter, length_ms, start_ms, now_ms)
  return {
    start_ms,
    counted,
    used: used + (counter?.reserved ?? 0n),
    is_over: false,
    resets_at_ms: frees_at_ms,
  }
}

/** Returns the counter after a use in the window. */
export function withUse(
  { rolling }: EntitlementRules,
  counter: LimitCounter | undefined,
  { start_ms, counted }: LimitWindow,
  quantity: bigint,
): LimitCounter {
  if (rolling) return withRollingUse(counter, rollingMs(rolling), start_ms, quantity)
  return { ...counter, window_start_ms: start_ms, used: counted + quantity }
}

/** Reports whether two sets of rules count in the same windows. */
export function hasSameWindows(a: EntitlementRules, b: EntitlementRules): boolean {
  return (
    a.period === b.period &&
    a.anchor_ms === b.anchor_ms &&
    (a.time_zone ?? UTC) === (b.time_zone ?? UTC) &&
    (a.rolling && rollingMs(a.rolling)) === (b.rolling && rollingMs(b.rolling))
  )
}
