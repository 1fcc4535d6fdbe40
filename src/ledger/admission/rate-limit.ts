import type { RateCount } from '../model/account.ts'

/** The length of the window in which a rate limit counts requests. Each window starts at a full UTC minute. */
export const RATE_WINDOW_MS = 60_000

/**
 * Counts requests in the current UTC minute, only in memory. A restart of the object resets the count to 0. Refused
 * requests count too.
 */
export class RateLimiter {
  private minute = Number.NEGATIVE_INFINITY
  private counted = 0

  /** Counts one request. The limit is a parameter because a customer's tier can change within a minute. */
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
   * Starts a new count in a new minute. If the clock moves back by one minute, keeps the current count, so that the
   * limit of the older minute is not granted again. If the clock moves back further, the previous time was wrong. The
   * count then starts again, because the old count could refuse requests for a long time.
   */
  private turnTo(minute: number): void {
    if (minute === this.minute || minute === this.minute - 1) return
    this.minute = minute
    this.counted = 0
  }
}

/**
 * The maximum number of requests a minute with one portal token. For example, a page with three widgets, which each
 * send one request, can load 20 times a minute.
 */
export const PORTAL_REQUESTS_A_MINUTE = 60

/**
 * Counts requests with portal tokens, for each token and for all tokens of a ledger. Requests above a token's own
 * limit do not count towards the total, so one end user's page cannot block the pages of others.
 */
export class PortalRateLimiter {
  private readonly all = new RateLimiter()
  /**
   * The counts of the tokens in this minute. A token is added only after a request that `all` allows, so the limit of
   * `all` also bounds the number of tokens.
   */
  private readonly tokens = new Map<string, RateLimiter>()
  private minute = Number.NEGATIVE_INFINITY

  /** Counts one request. `limit` is the limit of all tokens together. */
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
