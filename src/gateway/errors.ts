import { createMiddleware } from 'hono/factory'
import type { AppEnv } from '../http/env.ts'
import type { Dialect } from '../provider-keys/providers.ts'

/**
 * Returns middleware that converts problem documents to the error format of the dialect, so that the provider's SDK
 * raises its usual error types. The error contains the `code`, the `detail` and the members of the problem.
 */
export function shapedErrors(dialect: Dialect) {
  return createMiddleware<AppEnv>(async (c, next) => {
    await next()
    // A problem document that was sent by the provider is relayed unchanged.
    if (c.get('problem_code') === undefined) return
    const problem: Problem = await c.res.json()
    const { status } = c.res
    const headers = new Headers(c.res.headers)
    headers.set('Content-Type', 'application/json')
    headers.delete('Content-Length')
    // The providers' SDKs repeat a request after statuses such as 409, 429 and 503. The header prevents retries if the
    // error is not temporary.
    if (!MAY_PASS.has(problem.code)) headers.set('x-should-retry', 'false')
    c.res = undefined
    c.res = new Response(JSON.stringify(SHAPES[dialect](problem)), { status, headers })
  })
}

interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly request_id: string
  readonly [member: string]: unknown
}

const MAY_PASS: ReadonlySet<string> = new Set([
  'rate_limited',
  'overloaded',
  'unavailable',
  'provider_unreachable',
  'provider_timeout',
  'internal_error',
])

const SHAPES: Readonly<Record<Dialect, (problem: Problem) => object>> = {
  openai: (problem) => ({
    error: {
      message: problem.detail,
      type: openAiType(problem),
      param: null,
      code: problem.code,
      ...members(problem),
    },
  }),
  anthropic: (problem) => ({
    type: 'error',
    error: {
      type: anthropicType(problem.status),
      message: problem.detail,
      code: problem.code,
      ...members(problem),
    },
    request_id: problem.request_id,
  }),
  google: (problem) => ({
    error: {
      code: problem.status,
      message: problem.detail,
      status: googleStatus(problem.status),
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: problem.code,
          domain: 'openmonetize',
          metadata: Object.fromEntries(
            Object.entries(members(problem)).map(([name, value]) => [
              name,
              typeof value === 'string' ? value : JSON.stringify(value),
            ]),
          ),
        },
      ],
    },
  }),
}

/**
 * Returns the members that are specific to the problem's code, the request id, and the link to the documentation of the
 * code.
 */
function members({ type, title: _title, status: _s, detail: _d, code: _c, request_id, ...own }: Problem) {
  return { ...own, request_id, doc_url: type }
}

function openAiType({ status, code }: Problem): string {
  if (code === 'insufficient_credits' || code === 'quota_exceeded') return 'insufficient_quota'
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 429) return 'rate_limit_error'
  return status < 500 ? 'invalid_request_error' : 'server_error'
}

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}

function anthropicType(status: number): string {
  return ANTHROPIC_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
}

const GOOGLE_STATUSES: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  402: 'RESOURCE_EXHAUSTED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
  422: 'FAILED_PRECONDITION',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

function googleStatus(status: number): string {
  return GOOGLE_STATUSES[status] ?? 'INVALID_ARGUMENT'
}
