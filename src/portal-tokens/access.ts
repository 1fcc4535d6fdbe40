import type { Context, Next } from 'hono'
import { callerOf, ledgerOf } from '../http/caller.ts'
import { type AppEnv, guard } from '../http/env.ts'
import { ALLOWED_HEADERS, EXPOSED_HEADERS, PREFLIGHT_MAX_AGE_S } from '../http/middleware/headers.ts'
import { admitsCustomer, tooManyRequests, unauthorized } from '../http/middleware/platform-limits.ts'
import { problem, refusalResponse } from '../http/output/problem.ts'
import { readProjectionState } from '../ledger/client/client.ts'
import { type PortalToken, portalTokenId, readPortalToken } from './token.ts'
import { namesOf, PORTAL_USES, useOf, whyClosed } from './uses.ts'

/**
 * Handles a request with a portal token. Only pages of the token's origins can read the response; `CORS_ORIGINS` has no
 * effect. Refuses a request from a page of another origin. Admits a request without `Origin`, because browsers send
 * `Origin` for pages of other origins.
 */
export async function withPortalToken(c: Context<AppEnv>, text: string, next: Next): Promise<void> {
  const token = readPortalToken(c.env, text)
  const origin = c.req.header('Origin')
  const allowed = token !== undefined && origin !== undefined && token.origins.includes(origin)
  const refused = await refuse(c, token, origin === undefined || allowed)
  if (refused) c.res = refused
  else if (token) {
    const ended = await admit(c, token, text)
    if (ended) c.res = ended
    else await next()
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
  if (!token)
    return unauthorized(
      c,
      'invalid_api_key',
      'The portal token is not valid. Request a new portal token from the backend of the page.',
    )
  if (!is_own_page) {
    const detail =
      'This portal token was not created for the origin of this page. Request a portal token for this origin.'
    return problem(c, { code: 'origin_not_allowed', detail })
  }
  if (token.expires_at_ms <= Date.now()) {
    const detail = 'This portal token has expired. Request a new portal token from the backend of the page.'
    return unauthorized(c, 'expired_api_key', detail)
  }
  if (!(await admitsCustomer(c, token, 'portal'))) return tooManyRequests(c, 'customer')
  const detail = whyClosed(c, token)
  return detail === undefined ? undefined : problem(c, { code: 'insufficient_scope', detail })
}

/**
 * Limits the request to the wallet of the token. Sets the API key that created the token as the key of the request,
 * with only the scope that the route requires. If the route requires credit packs, also calls the ledger object and
 * returns its refusal, because the key might be deleted or the customer suspended. Otherwise returns undefined.
 */
async function admit(c: Context<AppEnv>, token: PortalToken, text: string): Promise<Response | undefined> {
  const use = useOf(c)
  if (!use) throw new Error('the route of an admitted portal token was not found')
  const { key_id, customer_id, mode, tier, owner, origins, credit_pack_ids } = token
  const { own } = namesOf(use, 'query', token)
  if (own !== undefined) {
    const url = new URL(c.req.url)
    url.searchParams.set(own, owner.id)
    c.req.raw = new Request(url, c.req.raw)
  }
  c.set('portal', {
    token_id: portalTokenId(text),
    ...{ owner, origins },
    ...(credit_pack_ids && { credit_pack_ids }),
  })
  c.set('key', {
    ...{ key_id, customer_id, mode, tier, scopes: [use.scope] },
    // `refuseScope` must not refuse the request because of this status, because the ledger object checks the current
    // status.
    customer_status: 'ACTIVE',
    // No route for portal tokens uses prices.
    price_epochs: { operator: 0, customer: 0 },
    ends_at_ms: token.expires_at_ms,
  })
  if (!use.sells) return undefined
  const question = { caller: callerOf(c), with_wallets: false }
  const result = await readProjectionState(c.env, ledgerOf(c), question)
  return result.kind === 'refused' ? refusalResponse(c, result.refusal) : undefined
}

/**
 * Responds to the preflight of a request with a portal token. The preflight contains no token, so every origin is
 * accepted. The origin of the actual request is compared with the origins of the token.
 */
export const portalPreflight = guard((c) => {
  const origin = c.req.header('Origin')
  const method = c.req.header('Access-Control-Request-Method')
  const is_use = c.req.method === 'OPTIONS' && PORTAL_USES.has(`${method} ${c.req.path}`)
  if (!is_use || origin === undefined || method === undefined) return
  return c.body(null, 204, {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Methods': method,
    'Access-Control-Allow-Headers': ALLOWED_HEADERS.join(','),
    'Access-Control-Max-Age': String(PREFLIGHT_MAX_AGE_S),
    Vary: 'Origin',
  })
})
