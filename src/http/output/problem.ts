import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { isOutage } from '../../db/errors.ts'
import { detailOf, type FieldError, type Refusal, type Refused } from '../../ledger/model/refusal.ts'
import { logError } from '../../logging/log.ts'
import { type AppEnv, routeOf } from '../env.ts'
import { isUnprintable } from '../input/identifiers.ts'
import { timeJson, timeOrNull } from '../input/times.ts'
import { exactNumber, jsonResponse } from './json.ts'
import { PROBLEMS, type ProblemCode } from './problem-codes.ts'

/** The path of the page that describes all problem codes. Each code is an anchor. Every deployment serves the page. */
const DOCS = '/docs/errors#'

export interface Problem {
  readonly code: ProblemCode
  /** The error text for a person: a few short sentences, without secrets or internal names. */
  readonly detail: string
  /** The headers that are added to the default headers of the problem code. */
  readonly headers?: Readonly<Record<string, string>>
  /** The members of the document that are specific to the problem code. */
  readonly members?: Readonly<Record<string, unknown>>
}

/** Returns a response with a problem document (RFC 9457). */
export function problem(c: Context<AppEnv>, { code, detail, headers = {}, members = {} }: Problem): Response {
  const { status, title } = PROBLEMS[code]
  c.set('problem_code', code)
  const type = new URL(DOCS + code, c.req.url).href
  const body = { type, title, status, detail, code, request_id: c.get('request_id'), ...members }
  const all = { 'Content-Type': 'application/problem+json', ...headersOf(code), ...headers }
  return c.body(JSON.stringify(body), status, all)
}

function headersOf(code: ProblemCode): Readonly<Record<string, string>> {
  const { status } = PROBLEMS[code]
  if (status === 401) return { 'WWW-Authenticate': 'Bearer' }
  // If a feature is not set up, a retry does not help, so the response has no `Retry-After`.
  return status === 503 && !code.endsWith('_not_configured') ? { 'Retry-After': '1' } : {}
}

/** Returns the 400 response for an invalid request, with an error for each invalid field. */
export function invalidRequest(c: Context<AppEnv>, detail: string, errors: readonly FieldError[]): Response {
  return problem(c, { code: 'invalid_request', detail, members: { errors } })
}

/** The header of a response that is repeated because of its idempotency key. */
export const REPLAYED = { 'Idempotency-Replayed': 'true' } as const

/**
 * Returns the response for the result of a ledger operation. `render` converts the `answer` of the result to a body. A
 * repeated response gets the header `Idempotency-Replayed`. A refusal becomes a problem document.
 */
export function answerResult<A>(
  c: Context<AppEnv>,
  result: { readonly kind: 'done' | 'replayed'; readonly answer: A } | Refused,
  render: (answer: A) => object,
  status: ContentfulStatusCode = 200,
): Response {
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  return jsonResponse(c, render(result.answer), status, result.kind === 'replayed' ? REPLAYED : {})
}

/**
 * The error text for a portal token whose API key was deleted or replaced. The usual text about API keys does not help,
 * because a page with a portal token has no API key.
 */
const PORTAL_ENDED =
  'This portal token has ended with the API key that created it. Request a new portal token from the backend of the page.'

/** Returns the problem document for a refusal. Most refusals come from the ledger, from rating or from validation. */
export function refusalResponse(c: Context<AppEnv>, refusal: Refusal): Response {
  const ended = refusal.code === 'revoked_api_key' && c.get('portal') !== undefined
  const detail = ended ? PORTAL_ENDED : detailOf(refusal)
  switch (refusal.code) {
    case 'invalid_request':
      return invalidRequest(c, detail, refusal.errors)
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
          ...(refusal.key_id !== undefined && { key_id: refusal.key_id }),
          ...(refusal.model !== undefined && { model: refusal.model }),
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
    case 'unknown_provider':
    case 'unpriced_model':
      return problem(c, { code: refusal.code, detail, members: { nearest: refusal.nearest } })
    case 'already_processed':
      return problem(c, { code: refusal.code, detail, members: { event_id: refusal.event_id } })
    case 'revoked_api_key':
    case 'overloaded':
    case 'unavailable':
    case 'customer_mismatch':
    case 'customer_suspended':
    case 'idempotency_mismatch':
    case 'too_many_open':
    case 'conflict':
    case 'already_voided':
    case 'hold_not_open':
    case 'not_found':
    case 'payments_not_configured':
      return problem(c, { code: refusal.code, detail })
  }
}

/** Returns the number of seconds until a time. The minimum is 1, so that clients do not retry immediately. */
function secondsUntil(at_ms: number): number {
  return Math.max(1, Math.ceil((at_ms - Date.now()) / 1000))
}

/**
 * Returns the 404 response for an object that does not exist. The detail names its kind and its id, for example `Event
 * evt_1 not found.` The caller must have validated the id.
 */
export function noSuch(c: Context<AppEnv>, kind: string, id: string): Response {
  const what = kind.charAt(0).toUpperCase() + kind.slice(1)
  return problem(c, { code: 'not_found', detail: `${what} ${id} not found.` })
}

/**
 * Returns the 404 response for a path without a route. The detail contains the path only if it is short and printable.
 */
export function notFound(c: Context<AppEnv>): Response {
  const { method, path } = c.req
  const shown = path.length > MAX_PATH_SHOWN || isUnprintable(path) ? '' : ` ${method} ${path}`
  return problem(c, { code: 'not_found', detail: `Route${shown} not found.` })
}

const MAX_PATH_SHOWN = 200

/**
 * Returns the 503 response for a request that failed, usually because of D1, KV or a ledger object. Logs the error.
 * Completed steps of a change are kept. A retry completes the other steps.
 */
export function serviceUnavailable(c: Context<AppEnv>, event: string, error: unknown): Response {
  logError(event, error, { request_id: c.get('request_id') })
  return problem(c, {
    code: 'unavailable',
    detail: 'A required service was unavailable. Retry with the same idempotency key.',
  })
}

/**
 * Returns the response for an error that a handler threw. Hono and its validators throw `HTTPException` if they cannot
 * read a body. If D1 is unavailable, the response is a 503. Any other error is a bug. It is logged with the request id,
 * and the client gets only the request id.
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

/** The maximum number of characters of a header that an error text quotes. */
const MAX_QUOTED = 60

export function unsupportedMediaType(c: Context<AppEnv>, expected = 'application/json'): Response {
  const sent = c.req.header('Content-Type')
  const fault =
    sent === undefined
      ? 'The body has no Content-Type'
      : `The Content-Type ${JSON.stringify(sent.slice(0, MAX_QUOTED))} is not accepted`
  return problem(c, {
    code: 'unsupported_media_type',
    detail: `${fault}. Send the body with Content-Type: ${expected}.`,
  })
}
