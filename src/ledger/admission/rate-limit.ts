import type { RateCount } from '../model/account.ts'

/** Documented limits count requests in fixed windows of this length, which begin with the UTC minute. */
export const RATE_WINDOW_MS = 60_000

/**
 * Counts requests in the current UTC minute, in memory: a restart starts from 0, and nothing is written. Refused requests
 * count too, so that retries do not get more requests through.
 */
export class RateLimiter {
  private minute = Number.NEGATIVE_INFINITY
  private counted = 0

  /** Counts one request. The limit is a parameter, since a tier may change within a minute. */
  count(limit: number, now_ms: number): RateCount {
    this.turnTo(Math.floor(now_ms / RATE_WINDOW_MS))
    this.counted += 1
    return {
      allowed: this.counted <= limit,
      limit,
      remaining: Math.max(0, limit - this.counted),
      resets_in_s: Math.ceil(((this.minute + 1) * RATE_WINDOW_MS - now_ms) / 1000),
    }
  }

  /**
   * A clock that moves back by one minute must not grant the old minute's requests again, so the newer minute continues.
   * A larger step back means that the clock was wrong before: waiting for it would lock the caller out.
   */
  private turnTo(minute: number): void {
    if (minute === this.minute || minute === this.minute - 1) return
    this.minute = minute
    this.counted = 0
  }
}
