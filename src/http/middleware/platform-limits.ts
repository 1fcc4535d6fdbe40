import type { Context } from 'hono'
import type { AuthenticatedKey } from '../../api-keys/record.ts'
import { logError } from '../../logging/log.ts'
import { type AppEnv, clientIp } from '../env.ts'
import { problem } from '../output/problem.ts'

/**
 * Protects against floods of requests with the rate limiter of the platform. The limiter is called before the expensive
 * work of a request. It counts approximately, separately for each location, and returns only yes or no. The documented
 * rate limits do not depend on it, because ledger objects count them (`ledger/admission/rate-limit.ts`). The limits of
 * the platform's limiter are in `wrangler.toml`. Without the bindings, there is no protection against floods.
 */

/**
 * The period of each rate limiter binding, in seconds. The remaining time of a period is unknown, but the period has
 * ended when a client has waited for a whole period.
 */
const PERIOD_S = 60

/** The rate limit key of requests without an IP address. They are local requests, which count as one client. */
const LOCAL = 'local'

/**
 * Returns whether the client's IP address can still send requests without a valid API key. Counts each request only
 * once.
 */
export function admitsStranger(c: Context<AppEnv>): Promise<boolean> {
  const known = c.get('stranger_admitted')
  if (known) return known
  const admitted = within(c.env.IP_LIMIT, clientNetwork(c))
  c.set('stranger_admitted', admitted)
  return admitted
}

/**
 * Returns whether an API key that is not in the memory of this isolate can be looked up. Look-ups are counted by IP
 * address (for IPv6, by /64 network) and not by key: anyone can compute the checksum of a key, so a client that knows
 * only the id of a key could use up the limit of its owner. In `wrangler.toml`, the limit is higher than the rate limit
 * of every tier, because customers can share an IP address.
 */
export function admitsLookup(c: Context<AppEnv>): Promise<boolean> {
  return within(c.env.LOOKUP_SHIELD, clientNetwork(c))
}

/**
 * Returns whether a request of a customer is within the flood limit of the customer's tier. The live and the test
 * ledger are counted separately. Requests with portal tokens are also counted separately, because they come from end
 * users.
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
 * Returns the 429 response for a request that the platform's limiter refuses. `Retry-After` is a whole period, because
 * the remaining time of the period is unknown.
 */
export function tooManyRequests(c: Context<AppEnv>, whose: 'address' | 'customer'): Response {
  const detail =
    whose === 'address'
      ? 'This address sent too many requests without a valid or recently used API key. Retry in a minute.'
      : 'This customer sent far more requests than its tier allows. Retry in a minute.'
  return problem(c, { code: 'rate_limited', detail, headers: { 'Retry-After': String(PERIOD_S) } })
}

type KeyProblem = 'missing_api_key' | 'invalid_api_key' | 'revoked_api_key' | 'expired_api_key'

/**
 * Returns the 401 response for a request without a valid API key. Returns a 429 if the IP address has sent too many
 * such requests.
 */
export async function unauthorized(c: Context<AppEnv>, code: KeyProblem, detail: string): Promise<Response> {
  if (!(await admitsStranger(c))) return tooManyRequests(c, 'address')
  return problem(c, { code, detail })
}

/**
 * Counts a request and returns whether the limiter admits it. If the limiter fails, the request is admitted, because
 * the API works without the limiter.
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

/**
 * Returns the /64 network of an IPv6 address, because one client controls all addresses in it. Returns an IPv4 address
 * unchanged.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  // An IPv4 suffix takes the place of two groups and is never part of the /64 network.
  const missing = tail === undefined ? 0 : 8 - groups.length - last.length - (tail.includes('.') ? 1 : 0)
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...last]
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
