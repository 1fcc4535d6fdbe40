import type { Context } from 'hono'
import type { AuthenticatedKey } from '../../api-keys/record.ts'
import { logError } from '../../logging/log.ts'
import { type AppEnv, clientIp } from '../env.ts'
import { problem } from '../output/problem.ts'

/**
 * Flood protection by the platform's limiter, before the Worker does any work of its own. The limiter counts
 * approximately, per location, and returns only yes or no, so documented limits do not depend on it: the ledger
 * object counts those (`ledger/admission/rate-limit.ts`). The limits are in `wrangler.toml`. Without the bindings
 * there is no such protection.
 */

/** The period of every binding. The elapsed part is unknown: a client that waits a whole period is admitted. */
const PERIOD_S = 60

/** The key of requests without an address, which are local: they count as one client. */
const LOCAL = 'local'

/** Whether the address may send another request without a valid key. Counts a request once. */
export function admitsStranger(c: Context<AppEnv>): Promise<boolean> {
  const known = c.get('stranger_admitted')
  if (known) return known
  const admitted = within(c.env.IP_LIMIT, clientNetwork(c))
  c.set('stranger_admitted', admitted)
  return admitted
}

/**
 * Whether a key that this isolate has not cached may be looked up. Counted by address and not by key: anyone can make a
 * checksum, and a client that knows only a key id must not use up its owner's quota. The limit is above every tier's,
 * since customers may share an address.
 */
export function admitsLookup(c: Context<AppEnv>): Promise<boolean> {
  return within(c.env.LOOKUP_SHIELD, clientNetwork(c))
}

/**
 * Whether a customer is below the flood limit of its tier, on one of its two ledgers. Requests with portal tokens, which
 * end users send, have a count of their own.
 */
export function admitsCustomer(
  c: Context<AppEnv>,
  { customer_id, mode, tier }: Pick<AuthenticatedKey, 'customer_id' | 'mode' | 'tier'>,
  of: 'keys' | 'portal' = 'keys',
): Promise<boolean> {
  const counted = of === 'keys' ? [customer_id, mode] : [customer_id, mode, of]
  return within(c.env[`SHIELD_${tier}`], counted.join(':'))
}

/** The 429 of the platform's limiter. The time left in its period is unknown. */
export function tooManyRequests(c: Context<AppEnv>, whose: 'address' | 'customer'): Response {
  const detail =
    whose === 'address'
      ? 'Too many requests without a valid API key from this address. Retry in a minute.'
      : 'Far more requests than the tier of this customer allows. Retry in a minute.'
  return problem(c, { code: 'rate_limited', detail, headers: { 'Retry-After': String(PERIOD_S) } })
}

type KeyProblem = 'missing_api_key' | 'invalid_api_key' | 'revoked_api_key' | 'expired_api_key'

/** A 401, or a 429 if this address has caused too many of them. */
export async function unauthorized(c: Context<AppEnv>, code: KeyProblem, detail: string): Promise<Response> {
  if (!(await admitsStranger(c))) return tooManyRequests(c, 'address')
  return problem(c, { code, detail })
}

/** Admits the request if the limiter fails: the API works without this protection. */
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

/** The /64 of an IPv6 address, since one client controls all of it; an IPv4 address unchanged. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  // An IPv4 suffix replaces two groups; it is never part of the /64.
  const missing = tail === undefined ? 0 : 8 - groups.length - last.length - (tail.includes('.') ? 1 : 0)
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...last]
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
