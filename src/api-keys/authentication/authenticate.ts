import type { Context, MiddlewareHandler } from 'hono'
import { every } from 'hono/combine'
import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../../http/env.ts'
import { jsonBody } from '../../http/middleware/body.ts'
import { idempotencyKey } from '../../http/middleware/idempotency-key.ts'
import {
  admitsCustomer,
  admitsLookup,
  admitsStranger,
  tooManyRequests,
} from '../../http/middleware/platform-limits.ts'
import { problem } from '../../http/output/problem.ts'
import { CUSTOMER_SECURITY } from '../../http/route.ts'
import { logError } from '../../logging/log.ts'
import { noteKeyUse } from '../last-used.ts'
import { isWellFormed } from './format.ts'
import { findApiKey } from './lookup.ts'
import type { Scope } from './scopes.ts'

/**
 * Finds the key of a request and keeps it as `key`, or answers 401. Stands before everything that reads the body. A flood
 * ends here: without a valid key by its address, with one by its customer, before anything is read where the key is known.
 */
export const authenticate = createMiddleware<AppEnv>(async (c, next) => {
  const presented = presentedKey(c.req.header('Authorization'), c.req.header('X-API-Key'))
  if (presented.kind === 'none') {
    return unauthorized(
      c,
      'missing_api_key',
      'Send an API key as Authorization: Bearer KEY or as X-API-Key: KEY.',
    )
  }
  if (presented.kind === 'two') {
    return unauthorized(
      c,
      'invalid_api_key',
      'Authorization and X-API-Key hold two different keys. Send one.',
    )
  }
  // A key with a wrong checksum and one that nobody has are told apart by nothing in the answer.
  if (!isWellFormed(presented.key)) return unknownKey(c)
  const now_ms = Date.now()
  try {
    const record = await findApiKey(c.env, presented.key, now_ms, {
      defer: (work) => c.executionCtx.waitUntil(work),
      admitsLookup: () => admitsLookup(c),
      admitsStranger: () => admitsStranger(c),
    })
    if (record === 'limited') return tooManyRequests(c, 'address')
    if (!record) return unknownKey(c)
    if (record.revoked_at_ms !== null && record.revoked_at_ms <= now_ms) {
      const detail = 'This API key was deleted, or replaced by another one. Use that.'
      return unauthorized(c, 'revoked_api_key', detail)
    }
    if (record.expires_at_ms !== null && record.expires_at_ms <= now_ms) {
      return unauthorized(c, 'expired_api_key', 'This API key has expired. Use another one.')
    }
    if (!(await admitsCustomer(c, record))) return tooManyRequests(c, 'customer')
    const { key_id, customer_id, mode, scopes, tier, customer_status, price_epochs } = record
    noteKeyUse(c.env, key_id, now_ms, (work) => c.executionCtx.waitUntil(work))
    c.set('key', { key_id, customer_id, mode, scopes, tier, customer_status, price_epochs })
  } catch (error) {
    logError('key_lookup_failed', error, { request_id: c.get('request_id') })
    return problem(c, {
      code: 'unavailable',
      detail: 'The API key could not be checked just now. Retry with the same idempotency key.',
    })
  }
  return next()
})

/**
 * What a route says of the key that it takes: spread it into `route`. The scope is looked at before the body is
 * read, and stands in the OpenAPI document, from where the tests of access take it. `then` runs after both.
 */
export function scoped(scope: Scope, ...then: readonly MiddlewareHandler<AppEnv>[]) {
  return {
    middleware: [requireScope(scope), ...then],
    security: CUSTOMER_SECURITY,
    'x-required-scope': scope,
  }
}

/** `scoped` for a route that only reads although its scope is one of writing: a suspended customer may still see. */
export function scopedToRead(scope: Scope) {
  return { ...scoped(scope), middleware: [requireScope(scope, 'read')] }
}

/** Lets a key pass that has the scope; only then the body is read. */
export function requireScope(scope: Scope, access = accessOf(scope)): MiddlewareHandler<AppEnv> {
  return every(
    createMiddleware<AppEnv>(async (c, next) => refuseScope(c, scope, access) ?? next()),
    jsonBody,
    idempotencyKey,
  )
}

/** The 403 of a key without the scope. What writes is closed to a suspended customer: reads tell it how it stands. */
export function refuseScope(
  c: Context<AppEnv>,
  scope: Scope,
  access = accessOf(scope),
): Response | undefined {
  const { scopes, customer_status } = c.get('key')
  if (!scopes.includes(scope)) {
    return problem(c, {
      code: 'insufficient_scope',
      detail: `This needs an API key with the scope ${scope}.`,
    })
  }
  if (access === 'write' && customer_status !== 'ACTIVE') {
    return problem(c, {
      code: 'customer_suspended',
      detail: 'This customer is suspended and can only read.',
    })
  }
  return undefined
}

function accessOf(scope: Scope): 'read' | 'write' {
  return scope.endsWith(':write') ? 'write' : 'read'
}

type Presented =
  | { readonly kind: 'none' }
  | { readonly kind: 'two' }
  | { readonly kind: 'one'; readonly key: string }

/** The key or token that a request which was let in presented. Never log it, never store it. */
export function credentialOf(c: Context<AppEnv>): string {
  // The operator's token is looked at first, as where it was let in: an API key beside it says nothing.
  const credential = bearerToken(c.req.header('Authorization')) ?? c.req.header('X-API-Key')
  if (credential === undefined) throw new Error('a request that was let in has a credential')
  return credential
}

/** An Authorization of another scheme, which a proxy may have put there, counts as none. */
function presentedKey(authorization: string | undefined, x_api_key: string | undefined): Presented {
  const bearer = bearerToken(authorization)
  // An empty header, as of a variable that nobody set, is none.
  const other = x_api_key === '' ? undefined : x_api_key
  if (bearer !== undefined && other !== undefined && bearer !== other) return { kind: 'two' }
  const key = bearer ?? other
  return key === undefined ? { kind: 'none' } : { kind: 'one', key }
}

/** The token of an `Authorization: Bearer` header; the scheme's case does not matter (RFC 9110, section 11.1). */
export function bearerToken(authorization: string | undefined): string | undefined {
  const [scheme = '', ...rest] = (authorization ?? '').split(' ')
  const token = rest.join(' ').trim()
  return scheme.toLowerCase() === 'bearer' && token !== '' ? token : undefined
}

type KeyProblem = 'missing_api_key' | 'invalid_api_key' | 'revoked_api_key' | 'expired_api_key'

/** A 401, or a 429 when too many of those came from this address. */
export async function unauthorized(c: Context<AppEnv>, code: KeyProblem, detail: string): Promise<Response> {
  if (!(await admitsStranger(c))) return tooManyRequests(c, 'address')
  return problem(c, { code, detail })
}

function unknownKey(c: Context<AppEnv>): Promise<Response> {
  return unauthorized(c, 'invalid_api_key', 'This is not a valid API key. Check that it was copied whole.')
}
