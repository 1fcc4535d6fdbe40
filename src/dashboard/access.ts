import type { Context, MiddlewareHandler } from 'hono'
import { getCookie } from 'hono/cookie'
import type { AppEnv } from '../http/env.ts'

/**
 * Forwards requests from the dashboard to the API. A request to `/dashboard/api/v1/…` is forwarded to `/v1/…` in the
 * same app. The session in its cookie replaces the API key. Scopes, limits, logs and audit records are therefore the
 * same as for a request with an API key. The routes below `/v1/` never read a cookie.
 */

const COOKIE = 'om_session'
const PREFIX = '/dashboard/api'

/**
 * The name and the options of the session cookie. Browsers do not send the cookie with requests from pages of other
 * sites.
 */
export const SESSION_COOKIE = {
  name: COOKIE,
  options: { prefix: 'host', path: '/', secure: true, httpOnly: true, sameSite: 'Strict' },
} as const

/** The data of a request from the dashboard to the API. */
interface DashboardRequest {
  /** The session token from the cookie; undefined if the request has no session cookie. */
  readonly session: string | undefined
  readonly is_own_page: boolean
}

/**
 * The data of forwarded requests. A client cannot add an entry, because the keys of the map are request objects in
 * memory.
 */
const requests = new WeakMap<Request, DashboardRequest>()

/** Returns the dashboard data of a forwarded request; undefined for all other requests. */
export function dashboardRequestOf(c: Context<AppEnv>): DashboardRequest | undefined {
  return requests.get(c.req.raw)
}

export function sessionTokenOf(c: Context<AppEnv>): string | undefined {
  return getCookie(c, COOKIE, 'host')
}

/**
 * Reports whether a page of this origin sent the request. If `Origin` is missing, only GET and HEAD are accepted,
 * because browsers send `Origin` with all other methods.
 */
export function isOwnPage(c: Context<AppEnv>): boolean {
  const site = c.req.header('Sec-Fetch-Site')
  if (site !== undefined && site !== 'same-origin') return false
  const origin = c.req.header('Origin')
  if (origin === undefined) return c.req.method === 'GET' || c.req.method === 'HEAD'
  return origin === new URL(c.req.url).origin
}

/**
 * Returns the middleware that forwards `/dashboard/api/v1/…` to `/v1/…`. It runs before all other middleware, so that a
 * request is logged and counted only once, under its `/v1/…` route. It removes the headers with cookies, credentials
 * and `Origin`, so that only the session authenticates the request.
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
