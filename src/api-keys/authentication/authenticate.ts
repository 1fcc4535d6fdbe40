import type { Context, MiddlewareHandler, Next } from 'hono'
import { createMiddleware } from 'hono/factory'
import { dashboardRequestOf } from '../../dashboard/access.ts'
import { findSession, type Session } from '../../dashboard/sessions.ts'
import { idempotencyKey } from '../../http/caller.ts'
import { type AppEnv, guard } from '../../http/env.ts'
import { jsonBody } from '../../http/middleware/body.ts'
import {
  admitsCustomer,
  admitsLookup,
  admitsStranger,
  tooManyRequests,
  unauthorized,
} from '../../http/middleware/platform-limits.ts'
import { problem } from '../../http/output/problem.ts'
import { CUSTOMER_SECURITY } from '../../http/route.ts'
import { logError } from '../../logging/log.ts'
import { withPortalToken } from '../../portal-tokens/access.ts'
import { portalBody } from '../../portal-tokens/body.ts'
import { isPortalToken } from '../../portal-tokens/token.ts'
import { noteKeyUse } from '../last-used.ts'
import { isWellFormed } from './format.ts'
import { findApiKey, findKeyByHash, isKnownKey, type KeyLookup } from './lookup.ts'
import { operatorsOf } from './operator.ts'
import type { Scope } from './scopes.ts'

/**
 * Authenticates a request and stores its key as `key` in the context, or refuses the request. Runs before the body is
 * read. Limits the rate of requests: by IP address if the key is missing, invalid or not cached, and by customer if the
 * key is valid. The lookup of a cached key needs no I/O.
 */
export const authenticate = authenticateBy(
  (c) => ({
    Authorization: bearerToken(c.req.header('Authorization')),
    'X-API-Key': c.req.header('X-API-Key'),
  }),
  'Authorization: Bearer KEY or as X-API-Key: KEY',
)

/** The API keys that a request contains, by the name of the header or parameter. */
type Places = Readonly<Record<string, string | undefined>>

/**
 * Returns a middleware that authenticates with a key from any of several headers or parameters. Refuses a request that
 * contains two different keys. If the key is missing, the 401 response recommends the text in `advised`.
 */
export function authenticateBy(
  places: (c: Context<AppEnv>) => Places,
  advised: string,
): MiddlewareHandler<AppEnv> {
  return createMiddleware<AppEnv>((c, next) => authenticateKeys(c, places(c), advised, next))
}

async function authenticateKeys(
  c: Context<AppEnv>,
  places: Places,
  advised: string,
  next: Next,
): Promise<Response | undefined> {
  if (dashboardRequestOf(c)) return authenticateSession(c, next)
  // An empty value counts as absent, because it can come from an unset variable of the caller.
  let place = ''
  let key: string | undefined
  let other: string | undefined
  for (const name in places) {
    const sent = places[name]
    if (sent === undefined || sent === '') continue
    if (key === undefined) {
      place = name
      key = sent
    } else if (sent !== key) other ??= name
  }
  if (key === undefined) return unauthorized(c, 'missing_api_key', `Send an API key as ${advised}.`)
  if (other !== undefined) {
    const detail = `${place} and ${other} contain two different keys. Send only one.`
    return unauthorized(c, 'invalid_api_key', detail)
  }
  if (isPortalToken(key)) {
    await withPortalToken(c, key, next)
    return undefined
  }
  const refused = await admitApiKey(c, key)
  if (refused) return refused
  await next()
  return undefined
}

/**
 * Looks up an API key and stores its record as `key` in the context. Returns the refusal if the key is not admitted;
 * otherwise undefined.
 */
export async function admitApiKey(c: Context<AppEnv>, key: string): Promise<Response | undefined> {
  // A key with a wrong checksum gets the same response as an unknown key.
  const now_ms = Date.now()
  if (!isKnownKey(key, now_ms) && !isWellFormed(key)) return unknownKey(c)
  return admitFound(c, findApiKey(c.env, key, now_ms, lookupOf(c)), now_ms)
}

/**
 * Authenticates a request from the dashboard with the API key of its session. The session and the key must both be
 * valid. Returns the refusal if one of them is not; otherwise calls `next` and returns undefined.
 */
async function authenticateSession(c: Context<AppEnv>, next: Next): Promise<Response | undefined> {
  const session = await sessionOf(c)
  if (session instanceof Response) return session
  if (session.kind === 'operator') {
    const detail = 'The dashboard is signed in as the operator. Sign in with an API key of a customer.'
    return unauthorized(c, 'invalid_api_key', detail)
  }
  const now_ms = Date.now()
  const found = findKeyByHash(c.env, session.key_hash, now_ms, lookupOf(c))
  const refused = await admitFound(c, found, now_ms, session.expires_at_ms)
  if (refused) return refused
  await next()
  return undefined
}

/**
 * Returns the session of a request of the dashboard. Refuses a request from a page of another origin or without a
 * valid session.
 */
export async function sessionOf(c: Context<AppEnv>): Promise<Session | Response> {
  const request = dashboardRequestOf(c)
  if (request && !request.is_own_page) return notFromOwnPage(c)
  const token = request?.session
  if (token === undefined) {
    return unauthorized(c, 'missing_api_key', 'There is no session. Sign in to the dashboard.')
  }
  const session = await findSession(c.env, token, operatorsOf(c.env), Date.now())
  if (session) return session
  const detail = 'This session has ended, or its key was deleted or replaced. Sign in again.'
  return unauthorized(c, 'invalid_api_key', detail)
}

export function notFromOwnPage(c: Context<AppEnv>): Response {
  return problem(c, {
    code: 'origin_not_allowed',
    detail:
      'Only pages of the dashboard may use its session. Open the dashboard and repeat the action there.',
  })
}

function lookupOf(c: Context<AppEnv>): KeyLookup {
  return {
    defer: (work) => c.executionCtx.waitUntil(work),
    admitsLookup: () => admitsLookup(c),
    admitsStranger: () => admitsStranger(c),
  }
}

async function admitFound(
  c: Context<AppEnv>,
  found: ReturnType<typeof findKeyByHash>,
  now_ms: number,
  session_ends_at_ms: number | null = null,
): Promise<Response | undefined> {
  try {
    const record = await found
    if (record === 'limited') return tooManyRequests(c, 'address')
    if (!record) return unknownKey(c)
    if (record.revoked_at_ms !== null && record.revoked_at_ms <= now_ms) {
      const detail = 'This API key was deleted or replaced. Use another key.'
      return unauthorized(c, 'revoked_api_key', detail)
    }
    if (record.expires_at_ms !== null && record.expires_at_ms <= now_ms) {
      return unauthorized(c, 'expired_api_key', 'This API key has expired. Use another key.')
    }
    if (!(await admitsCustomer(c, record))) return tooManyRequests(c, 'customer')
    const { key_id, customer_id, mode, scopes, tier, customer_status, price_epochs } = record
    noteKeyUse(c.env, record, now_ms, (work) => c.executionCtx.waitUntil(work))
    const ends_at_ms = earlier(session_ends_at_ms, earlier(record.expires_at_ms, record.revoked_at_ms))
    c.set('key', { key_id, customer_id, mode, scopes, tier, customer_status, price_epochs, ends_at_ms })
  } catch (error) {
    logError('key_lookup_failed', error, { request_id: c.get('request_id') })
    return problem(c, {
      code: 'unavailable',
      detail: 'The API key could not be checked. Retry with the same idempotency key.',
    })
  }
  return undefined
}

/**
 * Returns the access rules of a route. Spread the result into the argument of `route`. The scope is checked before the
 * body is read. The middleware `then` runs after the check. The OpenAPI document contains the scope for callers and for
 * the access tests.
 */
export function scoped(scope: Scope, ...then: readonly MiddlewareHandler<AppEnv>[]) {
  return {
    middleware: [...requireScope(scope), ...then],
    security: CUSTOMER_SECURITY,
    'x-required-scope': scope,
  }
}

/**
 * Returns the rules of `scoped` for a route that also accepts portal tokens. `portal-tokens/uses.ts` must list the
 * route.
 */
export function scopedOrPortal(scope: Scope, ...then: readonly MiddlewareHandler<AppEnv>[]) {
  return { ...scoped(scope, portalBody, ...then), security: [...CUSTOMER_SECURITY, { portalToken: [] }] }
}

/** Returns the rules of `scoped` for a route whose request body is read by the middleware `body`. */
export function scopedWith(
  scope: Scope,
  body: MiddlewareHandler<AppEnv>,
  ...then: readonly MiddlewareHandler<AppEnv>[]
) {
  return { ...scoped(scope), middleware: [...requireScope(scope, accessOf(scope), body), ...then] }
}

/**
 * Returns the rules of `scoped` for a route that only reads but requires a write scope. A suspended customer can still
 * use the route.
 */
export function scopedToRead(scope: Scope) {
  return { ...scoped(scope), middleware: [...requireScope(scope, 'read')] }
}

/** Returns the middlewares that check the scope, then read the body, then read the idempotency key. */
function requireScope(
  scope: Scope,
  access = accessOf(scope),
  body = jsonBody,
): readonly MiddlewareHandler<AppEnv>[] {
  return [guard((c) => refuseScope(c, scope, access)), body, idempotencyKey]
}

/**
 * Returns a 403 response if the key lacks the scope, or if a suspended or closed customer tries to write. Otherwise,
 * returns undefined. `what` is the part of the API that the 403 response names.
 */
export function refuseScope(
  c: Context<AppEnv>,
  scope: Scope,
  access = accessOf(scope),
  what = 'This endpoint',
): Response | undefined {
  const { scopes, customer_status } = c.get('key')
  if (!scopes.includes(scope)) {
    return problem(c, {
      code: 'insufficient_scope',
      detail: `${what} requires an API key with the scope ${scope}.`,
    })
  }
  if (access === 'write' && customer_status !== 'ACTIVE') {
    return problem(c, {
      code: 'customer_suspended',
      detail: 'This customer is suspended or closed and can only read. Contact the operator.',
    })
  }
  return undefined
}

function accessOf(scope: Scope): 'read' | 'write' {
  return scope.endsWith(':read') ? 'read' : 'write'
}

/** Returns the key or token of an authenticated request. Throws if the request has none. Never log or store it. */
export function credentialOf(c: Context<AppEnv>): string {
  // Prefers the bearer token to the header `X-API-Key`, because the operator's routes ignore `X-API-Key` if a bearer
  // token is sent. A session token is as secret as an API key.
  const credential =
    dashboardRequestOf(c)?.session ?? bearerToken(c.req.header('Authorization')) ?? c.req.header('X-API-Key')
  if (credential === undefined) throw new Error('the authenticated request has no credential')
  return credential
}

/**
 * Returns the token of an `Authorization: Bearer` header; undefined if there is no token. The scheme is
 * case-insensitive (RFC 9110, section 11.1). Ignores a header with another scheme, because a proxy might have added it.
 */
export function bearerToken(authorization: string | undefined): string | undefined {
  const [scheme = '', ...rest] = (authorization ?? '').split(' ')
  const token = rest.join(' ').trim()
  return scheme.toLowerCase() === 'bearer' && token !== '' ? token : undefined
}

/**
 * Returns the earlier of two end times; null means no end. The authority of a request ends when its key expires, when
 * the overlap after a rotation ends, or when its session ends.
 */
function earlier(one_ms: number | null, other_ms: number | null): number | null {
  if (one_ms === null || other_ms === null) return one_ms ?? other_ms
  return Math.min(one_ms, other_ms)
}

function unknownKey(c: Context<AppEnv>): Promise<Response> {
  return unauthorized(c, 'invalid_api_key', 'The API key is not valid. Check that it was copied completely.')
}
