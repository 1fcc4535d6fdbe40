import { createMiddleware } from 'hono/factory'
import { RATE_WINDOW_MS } from '../../ledger/admission/rate-limit.ts'
import type { RateCount } from '../../ledger/model/account.ts'
import type { AppEnv } from '../env.ts'

/** One policy: so many requests in a UTC minute. */
const POLICY = '"default"'

/**
 * Says what a ledger object has counted on every response that it had part in, 4xx too, as
 * draft-ietf-httpapi-ratelimit-headers-11 writes it: the policy (`q` requests in `w` seconds), and how many are left
 * (`r`) until it begins anew (`t` seconds). Without these headers nothing exact was counted.
 */
export const rateLimitHeaders = createMiddleware<AppEnv>(async (c, next) => {
  await next()
  const rate = c.get('rate')
  if (!rate) return
  const { limit, remaining, resets_in_s } = rate
  c.res.headers.set('RateLimit-Policy', `${POLICY};q=${limit};w=${RATE_WINDOW_MS / 1000}`)
  c.res.headers.set('RateLimit', `${POLICY};r=${remaining};t=${resets_in_s}`)
})

/** Of what two ledgers have counted of one request, the one that will refuse first. */
export function tighter(rate: RateCount | undefined, other: RateCount): RateCount {
  if (!rate || !other.allowed) return other
  return rate.allowed && other.remaining < rate.remaining ? other : rate
}
