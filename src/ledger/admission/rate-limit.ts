import type { RateCount } from '../model/account.ts'

/** Documented limits count requests in fixed windows of this length, which begin with the UTC minute. */
export const RATE_WINDOW_MS = 60_000

/**
 * Counts requests in the current UTC minute, in memory: a restart begins to count anew, and nothing is written. What is
 * refused counts too, so whoever does not stop to ask is not let in more often for it.
 */
export class RateLimiter {
  private minute = Number.NEGATIVE_INFINITY
  private counted = 0

  /** Counts one request. The limit is asked for each time, since a tier may change: what was counted stays counted. */
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
   * A clock that is put back across the minute's turn must not give the old minute's requests again: the newer one goes
   * on. Put back further, it was wrong before, and waiting until it has caught up would lock the caller out.
   */
  private turnTo(minute: number): void {
    if (minute === this.minute || minute === this.minute - 1) return
    this.minute = minute
    this.counted = 0
  }
}
