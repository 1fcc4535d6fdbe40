import type { Context, MiddlewareHandler } from 'hono'
import { getCookie } from 'hono/cookie'
import type { AppEnv } from '../http/env.ts'

/**
 * Requests of the dashboard. A request to `/dashboard/api/v1/…` is forwarded to `/v1/…` of the same app, with the
 * session of its cookie instead of an API key. Scopes, limits, logs and audit records are therefore the same as for
 * an API key. `/v1/…` itself never reads a cookie.
 */

const COOKIE = 'om_session'
const PREFIX = '/dashboard/api'

/** The session cookie. Browsers do not send it with requests from pages of other sites. */
export const SESSION_COOKIE = {
  name: COOKIE,
  options: { prefix: 'host', path: '/', secure: true, httpOnly: true, sameSite: 'Strict' },
} as const

/** A request of the dashboard to the API. */
interface DashboardRequest {
  /** The token of the session; undefined if the request has no cookie. */
  readonly session: string | undefined
  readonly is_own_page: boolean
}

/** The forwarded requests. No client can add an entry, because the key is the request object itself. */
const requests = new WeakMap<Request, DashboardRequest>()

/** Returns the dashboard data of a forwarded request; undefined for all other requests. */
export function dashboardRequestOf(c: Context<AppEnv>): DashboardRequest | undefined {
  return requests.get(c.req.raw)
}

export function sessionTokenOf(c: Context<AppEnv>): string | undefined {
  return getCookie(c, COOKIE, 'host')
}

/**
 * Reports whether a page of this origin sent the request. Browsers send `Origin` with every request other than GET
 * and HEAD.
 */
export function isOwnPage(c: Context<AppEnv>): boolean {
  const site = c.req.header('Sec-Fetch-Site')
  if (site !== undefined && site !== 'same-origin') return false
  const origin = c.req.header('Origin')
  if (origin === undefined) return c.req.method === 'GET' || c.req.method === 'HEAD'
  return origin === new URL(c.req.url).origin
}

/**
 * Forwards `/dashboard/api/v1/…` to `/v1/…`. Runs before all other middleware, so that a request is logged and
 * counted once, under the route that it reaches. Removes cookies, API keys and `Origin` from the headers, so that
 * only the session authenticates the request.
 */
export function forwardToApi(
  fetch: (
    request: Request,
    env: AppEnv['Bindings'],
    context: Context<AppEnv>['executionCtx'],
  ) => Response | Promise<Response>,
): MiddlewareHandler<AppEnv> {
  const forward = async (c: Context<AppEnv>) => {
    const { raw } = c.req
    const url = new URL(raw.url)
    url.pathname = url.pathname.slice(PREFIX.length)
    const headers = new Headers(raw.headers)
    for (const name of ['Cookie', 'Authorization', 'X-API-Key', 'Origin']) headers.delete(name)
    const inner = new Request(new Request(url, raw), { headers })
    requests.set(inner, { session: sessionTokenOf(c), is_own_page: isOwnPage(c) })
    return fetch(inner, c.env, c.executionCtx)
  }
  return (c, next) => (c.req.path.startsWith(`${PREFIX}/v1/`) ? forward(c) : next())
}
