import { describe, expect, it } from 'vitest'
import {
  PORTAL_REQUESTS_A_MINUTE,
  PortalRateLimiter,
  RateLimiter,
} from '../../src/ledger/admission/rate-limit.ts'

const MINUTE = Date.UTC(2026, 10, 23, 12, 0)
const at = (seconds: number) => MINUTE + seconds * 1000

function allowed(limiter: RateLimiter, limit: number, now_ms: number, requests: number): number {
  return Array.from({ length: requests }, () => limiter.count(limit, now_ms)).filter((count) => count.allowed)
    .length
}

describe('requests a minute', () => {
  it('admits exactly the limit, and returns the remaining number each time', () => {
    const limiter = new RateLimiter()
    const counts = Array.from({ length: 5 }, (_, index) => limiter.count(3, at(index)))
    expect(counts).toEqual([
      { allowed: true, limit: 3, remaining: 2, resets_in_s: 60 },
      { allowed: true, limit: 3, remaining: 1, resets_in_s: 59 },
      { allowed: true, limit: 3, remaining: 0, resets_in_s: 58 },
      { allowed: false, limit: 3, remaining: 0, resets_in_s: 57 },
      { allowed: false, limit: 3, remaining: 0, resets_in_s: 56 },
    ])
  })

  it('restarts with the UTC minute, to the millisecond', () => {
    const limiter = new RateLimiter()
    expect(limiter.count(1, at(60) - 1)).toMatchObject({ allowed: true, resets_in_s: 1 })
    expect(limiter.count(1, at(60) - 1).allowed).toBe(false)
    expect(limiter.count(1, at(60))).toMatchObject({ allowed: true, resets_in_s: 60 })
    expect(limiter.count(1, at(60)).allowed).toBe(false)
  })

  it('counts refused requests, too, so that retries do not help', () => {
    const limiter = new RateLimiter()
    expect(allowed(limiter, 2, at(0), 100)).toBe(2)
    expect(limiter.count(50, at(1))).toMatchObject({ allowed: false, remaining: 0 })
  })

  it('uses the current limit', () => {
    const limiter = new RateLimiter()
    expect(allowed(limiter, 2, at(0), 3)).toBe(2)
    expect(limiter.count(10, at(1))).toEqual({ allowed: true, limit: 10, remaining: 6, resets_in_s: 59 })
    expect(limiter.count(2, at(2))).toMatchObject({ allowed: false, limit: 2, remaining: 0 })
  })

  it('refuses everything at a limit of 0', () => {
    expect(new RateLimiter().count(0, at(0))).toMatchObject({ allowed: false, remaining: 0 })
  })
})

describe('a hostile clock', () => {
  it('never exceeds the limit when the clock jumps around the end of a minute', () => {
    const limiter = new RateLimiter()
    let passed = 0
    for (let turn = 0; turn < 50; turn++) {
      if (limiter.count(3, at(59.9)).allowed) passed++
      if (limiter.count(3, at(60.1)).allowed) passed++
    }
    expect(passed).toBe(4)
    expect(limiter.count(3, at(59.9)).resets_in_s).toBe(61)
  })

  it('does not lock a caller out when the clock was far ahead and is corrected', () => {
    const limiter = new RateLimiter()
    expect(allowed(limiter, 2, at(86_400), 5)).toBe(2)
    expect(limiter.count(2, at(0))).toEqual({ allowed: true, limit: 2, remaining: 1, resets_in_s: 60 })
  })

  it('works at the epoch and at the end of time', () => {
    for (const now_ms of [0, 8.64e15]) {
      const limiter = new RateLimiter()
      expect(allowed(limiter, 1, now_ms, 2)).toBe(1)
    }
  })
})

describe('requests a minute with portal tokens', () => {
  const count = (limiter: PortalRateLimiter, token: string, requests: number, limit = 100) =>
    Array.from({ length: requests }, () => limiter.count(token, limit, at(0))).filter(
      ({ allowed }) => allowed,
    ).length

  it('are bounded for each token, and for all together', () => {
    const limiter = new PortalRateLimiter()
    expect(count(limiter, 'a', 1000)).toBe(PORTAL_REQUESTS_A_MINUTE)
    expect(count(limiter, 'b', 1000)).toBe(100 - PORTAL_REQUESTS_A_MINUTE)
    expect(count(limiter, 'c', 10)).toBe(0)
  })

  it('begin again with the minute', () => {
    const limiter = new PortalRateLimiter()
    count(limiter, 'a', 1000)
    expect(limiter.count('a', 100, at(60))).toMatchObject({ allowed: true, limit: PORTAL_REQUESTS_A_MINUTE })
  })

  it('return the count with fewer remaining requests', () => {
    const limiter = new PortalRateLimiter()
    expect(limiter.count('a', 100, at(0)).limit).toBe(PORTAL_REQUESTS_A_MINUTE)
    expect(limiter.count('b', 3, at(0))).toMatchObject({ limit: 3, remaining: 1 })
  })
})
