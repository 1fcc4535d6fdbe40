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

/** Requests a minute with one portal token: a page with three widgets can be loaded 20 times. */
export const PORTAL_REQUESTS_A_MINUTE = 60

/**
 * Counts requests with portal tokens: each token by itself, and all of a ledger together. The requests of a token above
 * its own limit do not count towards the total, so one end user's page cannot block all others.
 */
export class PortalRateLimiter {
  private readonly all = new RateLimiter()
  /** The tokens seen in this minute; there are at most as many as requests that `all` allowed. */
  private readonly tokens = new Map<string, RateLimiter>()
  private minute = Number.NEGATIVE_INFINITY

  /** Counts one request; `limit` is that of all tokens together. */
  count(token: string, limit: number, now_ms: number): RateCount {
    const minute = Math.floor(now_ms / RATE_WINDOW_MS)
    if (minute !== this.minute) this.tokens.clear()
    this.minute = minute
    const limiter = this.tokens.get(token) ?? new RateLimiter()
    const own = limiter.count(PORTAL_REQUESTS_A_MINUTE, now_ms)
    if (!own.allowed) return own
    const all = this.all.count(limit, now_ms)
    if (!all.allowed) return all
    this.tokens.set(token, limiter)
    return all.remaining < own.remaining ? all : own
  }
}
