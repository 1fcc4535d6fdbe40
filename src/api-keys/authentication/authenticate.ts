import type { Context, MiddlewareHandler, Next } from 'hono'
import { createMiddleware } from 'hono/factory'
import { dashboardRequestOf } from '../../dashboard/access.ts'
import type { AppEnv } from '../../http/env.ts'
import { jsonBody } from '../../http/middleware/body.ts'
import { guard } from '../../http/middleware/guard.ts'
import { idempotencyKey } from '../../http/middleware/idempotency-key.ts'
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
import { isWellFormed } from './format.ts'
import { findApiKey, findKeyByHash, isKnownKey, type KeyLookup, noteKeyUse } from './lookup.ts'
import type { Scope } from './scopes.ts'
import { sessionOf } from './session.ts'

/**
 * Authenticates a request and stores its key as `key`, or refuses the request. Runs before the body is read. Limits
 * the rate of requests without a valid key by address, and of requests with a valid key by customer. The lookup of a
 * cached key needs no I/O.
 */
export const authenticate = authenticateBy(
  (c) => ({
    Authorization: bearerToken(c.req.header('Authorization')),
    'X-API-Key': c.req.header('X-API-Key'),
  }),
  'Authorization: Bearer KEY or as X-API-Key: KEY',
)

/** The key in each place of a request, by the name of the place. */
type Places = Readonly<Record<string, string | undefined>>

/**
 * Authenticates with the key from any of several places. Refuses a request with different keys in two places. A 401
 * for a missing key names the places in `advised`.
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
  // An empty value counts as absent. It may come from an unset variable of the caller.
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

/** Stores the record of an API key as `key` of the request, or returns a refusal. */
export async function admitApiKey(c: Context<AppEnv>, key: string): Promise<Response | undefined> {
  // The answer is the same for a wrong checksum and an unknown key.
  const now_ms = Date.now()
  if (!isKnownKey(key, now_ms) && !isWellFormed(key)) return unknownKey(c)
  return admitFound(c, findApiKey(c.env, key, now_ms, lookupOf(c)), now_ms)
}

/**
 * Authenticates a request of the dashboard with the key of its session. Both the session and the key must be valid.
 */
async function authenticateSession(c: Context<AppEnv>, next: Next): Promise<Response | undefined> {
  const session = await sessionOf(c)
  if (session instanceof Response) return session
  if (session.kind === 'operator') {
    const detail = 'This page is signed in as the operator. Sign in with an API key of a customer.'
    return unauthorized(c, 'invalid_api_key', detail)
  }
  const now_ms = Date.now()
  const found = findKeyByHash(c.env, session.key_hash, now_ms, lookupOf(c))
  const refused = await admitFound(c, found, now_ms, session.expires_at_ms)
  if (refused) return refused
  await next()
  return undefined
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
    noteKeyUse(c.env, key_id, now_ms, (work) => c.executionCtx.waitUntil(work))
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
 * Returns the access rules of a route, to spread into `route`. The scope is checked before the body is read. The
 * OpenAPI document contains the scope, for callers and for the access tests. `then` runs after the check.
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

/** Returns the rules of `scoped` for a route whose body is read by `body`. */
export function scopedWith(
  scope: Scope,
  body: MiddlewareHandler<AppEnv>,
  ...then: readonly MiddlewareHandler<AppEnv>[]
) {
  return { ...scoped(scope), middleware: [...requireScope(scope, accessOf(scope), body), ...then] }
}

/**
 * Returns the rules of `scoped` for a read that requires a write scope. A suspended customer may still use the route.
 */
export function scopedToRead(scope: Scope) {
  return { ...scoped(scope), middleware: [...requireScope(scope, 'read')] }
}

/** Returns the middleware that checks the scope, then reads the body and the idempotency key. */
function requireScope(
  scope: Scope,
  access = accessOf(scope),
  body = jsonBody,
): readonly MiddlewareHandler<AppEnv>[] {
  return [guard((c) => refuseScope(c, scope, access)), body, idempotencyKey]
}

/**
 * Returns a 403 if the key lacks the scope that `what` requires, or if a suspended customer writes; otherwise
 * undefined.
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

/** Returns the key or token of an authenticated request. Never log or store it. */
export function credentialOf(c: Context<AppEnv>): string {
  // Prefers the bearer token, because the operator's routes ignore an API key that is sent with it. The token of a
  // session is as secret as a key.
  const credential =
    dashboardRequestOf(c)?.session ?? bearerToken(c.req.header('Authorization')) ?? c.req.header('X-API-Key')
  if (credential === undefined) throw new Error('the authenticated request has no credential')
  return credential
}

/**
 * Returns the token of an `Authorization: Bearer` header. The scheme is case-insensitive (RFC 9110, section 11.1).
 * Ignores a header of another scheme, because a proxy may have added it.
 */
export function bearerToken(authorization: string | undefined): string | undefined {
  const [scheme = '', ...rest] = (authorization ?? '').split(' ')
  const token = rest.join(' ').trim()
  return scheme.toLowerCase() === 'bearer' && token !== '' ? token : undefined
}

/**
 * Returns the earlier of two ends; null means no end. A key ends when it expires, when its overlap after a rotation
 * ends, or with its session.
 */
function earlier(one_ms: number | null, other_ms: number | null): number | null {
  if (one_ms === null || other_ms === null) return one_ms ?? other_ms
  return Math.min(one_ms, other_ms)
}

function unknownKey(c: Context<AppEnv>): Promise<Response> {
  return unauthorized(c, 'invalid_api_key', 'The API key is not valid. Check that it was copied completely.')
}
