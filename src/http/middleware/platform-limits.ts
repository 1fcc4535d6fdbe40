import type { Context } from 'hono'
import type { AuthenticatedKey } from '../../api-keys/record.ts'
import { logError } from '../../logging/log.ts'
import { type AppEnv, clientIp } from '../env.ts'
import { problem } from '../output/problem.ts'

/**
 * What the platform's limiter holds, before anything of ours has to work for a request. It counts per location and
 * approximately and says only yes or no, so nothing documented as exact hangs on it: documented limits are the ledger
 * object's (`ledger/rate-limit.ts`). The limits themselves stand in `wrangler.toml`, since a binding cannot be asked for
 * its own. Without the bindings nothing is held here.
 */

/** The period of every binding. Which part of it has passed is not told: who waits all of it is let in again. */
const PERIOD_S = 60

/** Of a request that does not say where it came from, which only a local one is: all of those are one client. */
const LOCAL = 'local'

/** Whether one more request without a valid key may come from this address. Counts it once, however often it is asked. */
export function admitsStranger(c: Context<AppEnv>): Promise<boolean> {
  const known = c.get('stranger_admitted')
  if (known) return known
  const admitted = within(c.env.IP_LIMIT, clientNetwork(c))
  c.set('stranger_admitted', admitted)
  return admitted
}

/**
 * Whether a key that this isolate does not know may be looked up. Counted by address and not by key: a checksum is easily
 * made, so of keys nobody has to send the same one twice, and whoever knows the id of another's key must not use up
 * anything of it. Looser than every tier, because many customers may share an address.
 */
export function admitsLookup(c: Context<AppEnv>): Promise<boolean> {
  return within(c.env.LOOKUP_SHIELD, clientNetwork(c))
}

/** Whether a customer is within what its tier could at most need, on one of its two ledgers. */
export function admitsCustomer(
  c: Context<AppEnv>,
  { customer_id, mode, tier }: Pick<AuthenticatedKey, 'customer_id' | 'mode' | 'tier'>,
): Promise<boolean> {
  return within(c.env[`SHIELD_${tier}`], `${customer_id}:${mode}`)
}

/** The 429 of a request that the platform's limiter holds: how much of its minute is left is known to nobody. */
export function tooManyRequests(c: Context<AppEnv>, whose: 'address' | 'customer'): Response {
  const detail =
    whose === 'address'
      ? 'There were too many requests without a valid API key from this address. Wait a minute.'
      : 'There were far more requests than the tier of this customer allows. Wait a minute.'
  return problem(c, { code: 'rate_limited', detail, headers: { 'Retry-After': String(PERIOD_S) } })
}

/** A limiter that fails lets pass: it shields what works without it. */
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

/** Of IPv6 the /64: whoever has one address has all of those. IPv4 as it is. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  // An IPv4 address at the end stands for two groups; it is past the /64 either way.
  const missing = tail === undefined ? 0 : 8 - groups.length - last.length - (tail.includes('.') ? 1 : 0)
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...last]
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
