import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../time/durations.ts'

/** Computes the time of the next attempt after a failed attempt of a delivery. */

/**
 * The delays between the attempts of a delivery, in milliseconds. The schedule of Standard Webhooks 1.0 has ten
 * attempts in about three days.
 */
export const RETRY_DELAYS_MS: readonly number[] = [
  5_000,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  DAY_MS,
]

/** The longest delay that a receiver can request with `Retry-After`. */
const MAX_RETRY_AFTER_MS = DAY_MS

/** The time after which an endpoint is disabled if all of its attempts have failed, in milliseconds. */
export const FAILING_LIMIT_MS = 5 * DAY_MS

/**
 * Returns the time of the next attempt after `made` attempts; undefined if the schedule has no further attempt.
 * `retry_after_ms` can only make the delay longer.
 */
export function nextAttemptMs(
  made: number,
  now_ms: number,
  retry_after_ms: number | undefined,
): number | undefined {
  const delay_ms = RETRY_DELAYS_MS[made - 1]
  if (delay_ms === undefined) return undefined
  return now_ms + Math.max(delay_ms, Math.min(retry_after_ms ?? 0, MAX_RETRY_AFTER_MS))
}
