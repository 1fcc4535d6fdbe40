import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { isOutage } from '../../db/errors.ts'
import { detailOf, type FieldError, type Refusal } from '../../ledger/model/refusal.ts'
import { logError } from '../../logging/log.ts'
import type { AppEnv } from '../env.ts'
import { timeJson, timeOrNull } from '../input/times.ts'
import { routeOf } from '../route.ts'
import { exactNumber } from './json.ts'
import { PROBLEMS, type ProblemCode } from './problem-codes.ts'

/** Where `docs/errors.md` is read. It has one heading per code, so the code is the anchor. */
const DOCS = 'https://github.com/openmonetize/openmonetize-edge/blob/main/docs/errors.md#'

export interface Problem {
  readonly code: ProblemCode
  /** One sentence or two for the person who reads it. Never a secret, never an internal name. */
  readonly detail: string
  readonly headers?: Readonly<Record<string, string>>
  /** Members that this code adds to the document. */
  readonly members?: Readonly<Record<string, unknown>>
}

/** An RFC 9457 problem document. */
export function problem(c: Context<AppEnv>, { code, detail, headers = {}, members = {} }: Problem): Response {
  const { status, title } = PROBLEMS[code]
  c.set('problem_code', code)
  const body = { type: DOCS + code, title, status, detail, code, request_id: c.get('request_id'), ...members }
  return c.body(JSON.stringify(body), status, { 'Content-Type': 'application/problem+json', ...headers })
}

/** A 400 that says of each field what is wrong with it. */
export function invalidRequest(c: Context<AppEnv>, detail: string, errors: readonly FieldError[]): Response {
  return problem(c, { code: 'invalid_request', detail, members: { errors } })
}

/** What the ledger, or the rating before it, refused. */
export function refusalResponse(c: Context<AppEnv>, refusal: Refusal): Response {
  const detail = detailOf(refusal)
  switch (refusal.code) {
    case 'invalid_request':
      return invalidRequest(c, detail, refusal.errors ?? [])
    case 'insufficient_credits':
      return problem(c, {
        code: refusal.code,
        detail,
        members: {
          balance: exactNumber(refusal.balance),
          available_balance: exactNumber(refusal.available_balance),
          required: exactNumber(refusal.required),
          wallet_id: refusal.wallet_id,
        },
      })
    case 'limit_reached':
      return problem(c, {
        code: refusal.code,
        detail,
        members: {
          feature_id: refusal.feature_id,
          level: refusal.level,
          unit: refusal.unit,
          limit: exactNumber(refusal.limit),
          used: exactNumber(refusal.used),
          resets_at: timeOrNull(refusal.resets_at_ms),
        },
      })
    case 'feature_not_allowed': {
      const { feature_id, reason } = refusal
      return problem(c, { code: refusal.code, detail, members: { feature_id, reason } })
    }
    case 'revoked_api_key':
      return problem(c, { code: refusal.code, detail, headers: { 'WWW-Authenticate': 'Bearer' } })
    case 'rate_limited':
      return problem(c, {
        code: refusal.code,
        detail,
        headers: { 'Retry-After': String(refusal.retry_after_s) },
      })
    case 'quota_exceeded':
      return problem(c, {
        code: refusal.code,
        detail,
        headers: { 'Retry-After': String(secondsUntil(refusal.resets_at_ms)) },
        members: { limit: refusal.limit, resets_at: timeJson(refusal.resets_at_ms) },
      })
    case 'overloaded':
    case 'unavailable':
      return problem(c, { code: refusal.code, detail, headers: { 'Retry-After': '1' } })
    case 'unknown_provider':
    case 'unpriced_model':
      return problem(c, { code: refusal.code, detail, members: { nearest: refusal.nearest } })
    case 'customer_mismatch':
    case 'customer_suspended':
    case 'idempotency_mismatch':
    case 'too_many_open':
    case 'conflict':
    case 'already_voided':
    case 'hold_not_open':
    case 'not_found':
      return problem(c, { code: refusal.code, detail })
  }
}

/** At least 1: who waits for less than nothing comes back at once. */
function secondsUntil(at_ms: number): number {
  return Math.max(1, Math.ceil((at_ms - Date.now()) / 1000))
}

export function notFound(c: Context<AppEnv>): Response {
  return problem(c, { code: 'not_found', detail: `There is no ${c.req.method} ${c.req.path}.` })
}

/**
 * Whatever was thrown. Hono and its validators throw `HTTPException` for a body they cannot read; while D1 is down, what
 * needs it is answered 503; anything else is a bug: it is logged with the request's id, and the client learns that id
 * and nothing more.
 */
export function onError(error: Error, c: Context<AppEnv>): Response {
  if (error instanceof HTTPException) {
    if (error.status === 400)
      return problem(c, { code: 'invalid_json', detail: 'The body is not valid JSON.' })
    if (error.status === 415) return unsupportedMediaType(c)
  }
  const request = { request_id: c.get('request_id'), method: c.req.method, route: routeOf(c) }
  if (isOutage(error)) {
    logError('database_unavailable', error, request)
    return refusalResponse(c, { code: 'unavailable' })
  }
  logError('unexpected_error', error, request)
  return problem(c, {
    code: 'internal_error',
    detail: 'The request failed. Retry it with the same idempotency key, or report its request_id.',
  })
}

export function unsupportedMediaType(c: Context<AppEnv>): Response {
  return problem(c, {
    code: 'unsupported_media_type',
    detail: 'Send the body with Content-Type: application/json.',
  })
}
