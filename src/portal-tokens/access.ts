import type { Context, Next } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { Scope } from '../api-keys/authentication/scopes.ts'
import type { AppEnv } from '../http/env.ts'
import { ALLOWED_HEADERS, EXPOSED_HEADERS, PREFLIGHT_MAX_AGE_S } from '../http/middleware/headers.ts'
import { admitsCustomer, tooManyRequests, unauthorized } from '../http/middleware/platform-limits.ts'
import { problem } from '../http/output/problem.ts'
import { type PortalOwner, type PortalToken, portalTokenId, readPortalToken } from './token.ts'

/** The permissions of portal tokens: a route that is not listed here refuses every token. */

interface Read {
  readonly scope: Scope
  /** The parameters that name the user and the team of the wallet. */
  readonly user: string
  readonly team: string
  /** Further parameters that a token may not send: they filter by what is the customer's own. */
  readonly closed: readonly string[]
}

const WALLET: Read = { scope: 'credits:read', user: 'user_id', team: 'team_id', closed: [] }

export const PORTAL_READS: ReadonlyMap<string, Read> = new Map([
  ['/v1/credits/balance', WALLET],
  ['/v1/credits/transactions', WALLET],
  ['/v1/analytics/usage', { scope: 'analytics:read', user: 'user', team: 'team', closed: ['key', 'key_id'] }],
])

/** Groups that would name other users and teams, or API keys. */
const CLOSED_GROUPS: ReadonlySet<string> = new Set(['user', 'team', 'key'])

/**
 * Answers a request with a portal token. Only pages of the token's origins may read the answer, whatever the value of
 * `CORS_ORIGINS`; a page of another origin is refused. Requests without `Origin` are not from a page of another origin,
 * and are admitted.
 */
export async function withPortalToken(c: Context<AppEnv>, text: string, next: Next): Promise<void> {
  const token = readPortalToken(c.env, text)
  const origin = c.req.header('Origin')
  const allowed = token !== undefined && origin !== undefined && token.origins.includes(origin)
  const refused = await refuse(c, token, origin === undefined || allowed)
  if (refused) c.res = refused
  else if (token) {
    admit(c, token, text)
    await next()
  }
  const { headers } = c.res
  headers.append('Vary', 'Origin')
  if (!allowed) return headers.delete('Access-Control-Allow-Origin')
  headers.set('Access-Control-Allow-Origin', origin)
  headers.set('Access-Control-Expose-Headers', EXPOSED_HEADERS.join(','))
}

async function refuse(
  c: Context<AppEnv>,
  token: PortalToken | undefined,
  is_own_page: boolean,
): Promise<Response | undefined> {
  if (!token) return unauthorized(c, 'invalid_api_key', 'The portal token is not valid.')
  if (!is_own_page) {
    const detail = 'This portal token was made for pages of other origins.'
    return problem(c, { code: 'origin_not_allowed', detail })
  }
  if (token.expires_at_ms <= Date.now()) {
    const detail = 'This portal token has expired. Ask the backend of the page for another one.'
    return unauthorized(c, 'expired_api_key', detail)
  }
  if (!(await admitsCustomer(c, token, 'portal'))) return tooManyRequests(c, 'customer')
  const detail = whyClosed(c, token.owner)
  return detail === undefined ? undefined : problem(c, { code: 'insufficient_scope', detail })
}

/** The reason why the token's wallet may not be read like this. */
function whyClosed(c: Context<AppEnv>, owner: PortalOwner): string | undefined {
  const read = readOf(c)
  if (!read) {
    return 'A portal token reads the balance, the usage and the transactions of one wallet, and nothing else. Use an API key.'
  }
  const { searchParams } = new URL(c.req.url)
  const own = owner.kind === 'user' ? read.user : read.team
  const other = owner.kind === 'user' ? read.team : read.user
  const closed = [other, ...read.closed].find((name) => searchParams.has(name))
  if (closed !== undefined) return `A portal token does not take the parameter ${closed}.`
  if (searchParams.getAll(own).some((id) => id !== owner.id)) {
    return `This portal token is for another ${owner.kind}. Leave out ${own}.`
  }
  const groups = searchParams.getAll('group_by').flatMap((list) => list.split(','))
  const group = groups.find((name) => CLOSED_GROUPS.has(name))
  return group === undefined ? undefined : `A portal token does not group by ${group}.`
}

function readOf(c: Context<AppEnv>): Read | undefined {
  return ['GET', 'HEAD'].includes(c.req.method) ? PORTAL_READS.get(c.req.path) : undefined
}

/** Makes the request one of the token's key, with one scope and for the token's wallet. The route sees nothing else. */
function admit(c: Context<AppEnv>, token: PortalToken, text: string): void {
  const read = readOf(c)
  if (!read) throw new Error('an admitted portal token has a route')
  const { key_id, customer_id, mode, tier, owner } = token
  const url = new URL(c.req.url)
  url.searchParams.set(owner.kind === 'user' ? read.user : read.team, owner.id)
  c.req.raw = new Request(url, c.req.raw)
  c.set('portal_token', portalTokenId(text))
  c.set('key', {
    ...{ key_id, customer_id, mode, tier, scopes: [read.scope] },
    // The object knows the status now, and no route of a token uses prices.
    customer_status: 'ACTIVE',
    price_epochs: { operator: 0, customer: 0 },
    ends_at_ms: token.expires_at_ms,
  })
}

/**
 * Answers the preflight of a page that is about to read with a portal token. A preflight carries no token, so it cannot
 * be compared with the token's origins: the answer to the read itself is.
 */
export const portalPreflight = createMiddleware<AppEnv>(async (c, next) => {
  const origin = c.req.header('Origin')
  const is_read = c.req.method === 'OPTIONS' && c.req.header('Access-Control-Request-Method') === 'GET'
  if (!is_read || origin === undefined || !PORTAL_READS.has(c.req.path)) return next()
  return c.body(null, 204, {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Methods': 'GET',
    'Access-Control-Allow-Headers': ALLOWED_HEADERS.join(','),
    'Access-Control-Max-Age': String(PREFLIGHT_MAX_AGE_S),
    Vary: 'Origin',
  })
})
