import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../time/durations.ts'

/** The schedule of the attempts that follow a failed attempt of a delivery. */

/** The delays between attempts, from Standard Webhooks 1.0: ten attempts in about three days. */
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

/** The longest delay that a receiver can request. */
const MAX_RETRY_AFTER_MS = DAY_MS

/** The time after which an endpoint is disabled if all of its attempts have failed. */
export const FAILING_LIMIT_MS = 5 * DAY_MS

/**
 * Returns the time of the next attempt after `made` attempts; undefined if no attempt follows. `Retry-After` can only
 * delay the attempt.
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

/**
 * Reads the header `Retry-After` (RFC 9110, section 10.2.3), which has seconds or an HTTP date. Returns milliseconds
 * from now; undefined without a valid header.
 */
export function retryAfterMs(header: string | null, now_ms: number): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  // `Date.parse` accepts many forms. Only forms with a day of the week are HTTP dates.
  const at_ms = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at_ms) ? undefined : Math.max(0, at_ms - now_ms)
}
