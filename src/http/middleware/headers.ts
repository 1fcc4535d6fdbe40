import { createMiddleware } from 'hono/factory'
import { configOf } from '../../config.ts'
import { newId } from '../../ids.ts'
import { RATE_WINDOW_MS } from '../../ledger/admission/rate-limit.ts'
import type { RateCount } from '../../ledger/model/account.ts'
import type { AppEnv } from '../env.ts'

/** The headers that every response has. */

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/

/** Sets the request id, the caller's if it is safe in a log line, and returns it on every response. */
export const requestId = createMiddleware<AppEnv>(async (c, next) => {
  const offered = c.req.header('X-Request-Id')
  const id = offered !== undefined && REQUEST_ID.test(offered) ? offered : newId('req')
  c.set('request_id', id)
  await next()
  c.res.headers.set('X-Request-Id', id)
})

/**
 * Defaults that a route may override (`/docs` needs another policy). Responses contain balances and, once, a key: they
 * are not cached, sniffed, framed or embedded, and run nothing in a browser.
 */
const DEFAULTS: readonly (readonly [string, string])[] = [
  ['Cache-Control', 'no-store'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
]

/** One year, without `includeSubDomains`: other hosts below the name are not ours. */
const HSTS = 'max-age=31536000'

export const responseHeaders = createMiddleware<AppEnv>(async (c, next) => {
  await next()
  const { headers } = c.res
  for (const [name, value] of DEFAULTS) if (!headers.has(name)) headers.set(name, value)
  // Development serves http: with HSTS, a browser would refuse localhost for a year.
  if (configOf(c.env).environment !== 'development') headers.set('Strict-Transport-Security', HSTS)
})

/** The only policy: a number of requests in a UTC minute. */
const POLICY = '"default"'

/**
 * Adds the ledger object's count to every response that it took part in, 4xx too, in the form of
 * draft-ietf-httpapi-ratelimit-headers-11: the policy (`q` requests in `w` seconds), and how many are left (`r`) until
 * the count resets (`t` seconds). Responses without these headers were not counted exactly.
 */
export const rateLimitHeaders = createMiddleware<AppEnv>(async (c, next) => {
  await next()
  const rate = c.get('rate')
  if (!rate) return
  const { limit, remaining, resets_in_s } = rate
  c.res.headers.set('RateLimit-Policy', `${POLICY};q=${limit};w=${RATE_WINDOW_MS / 1000}`)
  c.res.headers.set('RateLimit', `${POLICY};r=${remaining};t=${resets_in_s}`)
})

/** Of two ledgers' counts of one request, the one that refuses first. */
export function tighter(rate: RateCount | undefined, other: RateCount): RateCount {
  if (!rate || !other.allowed) return other
  return rate.allowed && other.remaining < rate.remaining ? other : rate
}
