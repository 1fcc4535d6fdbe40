import type { Context } from 'hono'
import type { AuthenticatedKey } from '../../api-keys/record.ts'
import { logError } from '../../logging/log.ts'
import { type AppEnv, clientIp } from '../env.ts'
import { problem } from '../output/problem.ts'

/**
 * Protection against floods of requests by the platform's rate limiter, before the expensive work of a request. The
 * limiter counts approximately, per location, and returns only yes or no. Documented limits do not depend on it,
 * because the ledger object counts them (`ledger/admission/rate-limit.ts`). The limits of the platform's limiter are
 * in `wrangler.toml`. Without the bindings, there is no such protection.
 */

/** The period of every binding. The elapsed part is unknown, but a client that waits a whole period is admitted. */
const PERIOD_S = 60

/** The key of requests without an address. Such requests are local and count as one client. */
const LOCAL = 'local'

/** Reports whether the address may send another request without a valid key. Counts a request only once. */
export function admitsStranger(c: Context<AppEnv>): Promise<boolean> {
  const known = c.get('stranger_admitted')
  if (known) return known
  const admitted = within(c.env.IP_LIMIT, clientNetwork(c))
  c.set('stranger_admitted', admitted)
  return admitted
}

/**
 * Reports whether a key that this isolate has not cached may be looked up. Counts by address instead of by key,
 * because anyone can compute a checksum. A client that has only the id of a key must not use up the limit of the
 * key's owner. The limit is above the limit of every tier, because customers may share an address.
 */
export function admitsLookup(c: Context<AppEnv>): Promise<boolean> {
  return within(c.env.LOOKUP_SHIELD, clientNetwork(c))
}

/**
 * Reports whether a customer is below the flood limit of its tier on one of its two ledgers. Requests with portal
 * tokens come from end users and are counted separately.
 */
export function admitsCustomer(
  c: Context<AppEnv>,
  { customer_id, mode, tier }: Pick<AuthenticatedKey, 'customer_id' | 'mode' | 'tier'>,
  of: 'keys' | 'portal' = 'keys',
): Promise<boolean> {
  const counted = of === 'keys' ? [customer_id, mode] : [customer_id, mode, of]
  return within(c.env[`SHIELD_${tier}`], counted.join(':'))
}

/**
 * Returns the 429 of the platform's limiter. `Retry-After` is a whole period, because the remaining time is unknown.
 */
export function tooManyRequests(c: Context<AppEnv>, whose: 'address' | 'customer'): Response {
  const detail =
    whose === 'address'
      ? 'This address sent too many requests without a valid or recently used API key. Retry in a minute.'
      : 'This customer sent far more requests than its tier allows. Retry in a minute.'
  return problem(c, { code: 'rate_limited', detail, headers: { 'Retry-After': String(PERIOD_S) } })
}

type KeyProblem = 'missing_api_key' | 'invalid_api_key' | 'revoked_api_key' | 'expired_api_key'

/** Returns a 401, or a 429 if this address has sent too many requests without a valid key. */
export async function unauthorized(c: Context<AppEnv>, code: KeyProblem, detail: string): Promise<Response> {
  if (!(await admitsStranger(c))) return tooManyRequests(c, 'address')
  return problem(c, { code, detail })
}

/**
 * Counts a request and reports whether it is admitted. Admits it if the limiter fails, because the API works without
 * this protection.
 */
async function within(limiter: RateLimit | undefined, key: string): Promise<boolean> {
  if (!limiter) return true
  try {
    return (await limiter.limit({ key })).success
  } catch (error) {
    logError('rate_limiter_failed', error)
    return true
  }
}

function clientNetwork(c: Context<AppEnv>): string {
  const address = clientIp(c)
  return address === undefined ? LOCAL : networkOf(address)
}

/** Returns the /64 of an IPv6 address, because one client controls all of it. Returns an IPv4 address unchanged. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  // An IPv4 suffix replaces two groups and is never part of the /64.
  const missing = tail === undefined ? 0 : 8 - groups.length - last.length - (tail.includes('.') ? 1 : 0)
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...last]
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
