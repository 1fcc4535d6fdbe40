import { METHODS_WITH_BODY } from '../http/middleware/body.ts'
import type { ProblemCode } from '../http/output/problem-codes.ts'
import { SECURITY_SCHEMES } from '../http/route.ts'

/** Defines the parameters, headers and problems that the middleware adds to the routes. */

export const SHARED_COMPONENTS = {
  securitySchemes: SECURITY_SCHEMES,
  parameters: {
    RequestId: {
      name: 'X-Request-Id',
      in: 'header',
      description: 'An id of your choice for the request. An id in another format is replaced with a new id.',
      schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
    },
    IdempotencyKey: {
      name: 'Idempotency-Key',
      in: 'header',
      description:
        'With this header, the request takes effect only once. For at least 7 days, a repeat with the same payload returns the same response. A repeat with another payload returns 422. The header has no effect on an entitlement check without a hold, and on a registration without the operator token.',
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x20-\\x7e]+$' },
    },
  },
  headers: {
    'X-Request-Id': {
      description:
        'The id of the request: the id from the request header, or a new id. Include it when you report a problem.',
      required: true,
      schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
    },
    'Idempotency-Replayed': {
      description:
        'Present if this response is the stored response of an earlier request with the same idempotency key.',
      schema: { type: 'string', const: 'true' },
    },
    'Retry-After': {
      description:
        'The number of seconds to wait before a retry. For `quota_exceeded`, it is the time until the next month begins.',
      required: true,
      schema: { type: 'string', pattern: '^[0-9]+$' },
    },
    'Retry-After-If-Temporary': {
      description:
        'The number of seconds to wait before a retry. Absent for codes that end with `_not_configured`, because a retry does not help.',
      schema: { type: 'string', pattern: '^[0-9]+$' },
    },
    'WWW-Authenticate': {
      description: 'The authentication scheme (RFC 9110, section 11.6.1).',
      required: true,
      schema: { type: 'string', const: 'Bearer' },
    },
    RateLimit: {
      description:
        'The remaining rate limit (draft-ietf-httpapi-ratelimit-headers-11): the customer can send `r` more requests in the next `t` seconds. Present if the ledger counted the request.',
      schema: { type: 'string', pattern: '^"default";r=[0-9]+;t=[0-9]+$' },
      example: '"default";r=99;t=42',
    },
    'RateLimit-Policy': {
      description:
        "The rate limit of the customer's tier: `q` requests in `w` seconds. Present if `RateLimit` is present.",
      schema: { type: 'string', pattern: '^"default";q=[0-9]+;w=60$' },
      example: '"default";q=100;w=60',
    },
  },
} as const

export type Access =
  | { readonly kind: 'open' }
  | { readonly kind: 'operator' }
  | {
      readonly kind: 'customer'
      readonly scope: string | undefined
      /** Whether the route also accepts portal tokens. */
      readonly portal: boolean
    }

export interface RouteShape {
  readonly method: string
  readonly path: string
  readonly access: Access
  readonly has_input: boolean
  readonly has_body: boolean
}

/**
 * The POST routes below `/v1/` that ignore the header `Idempotency-Key`: calculations, which change nothing, and
 * Stripe's webhooks, which can be repeated.
 */
const WITHOUT_IDEMPOTENCY_KEY: ReadonlySet<string> = new Set([
  '/v1/rating/calculate',
  '/v1/rating/calculate/bulk',
  '/v1/rating/simulate',
  '/v1/payments/stripe/webhook',
])

/**
 * Returns whether a request with the header `Idempotency-Key` takes effect only once. The drop-in endpoints, which are
 * not below `/v1/`, use the ids in the requests instead.
 */
export function readsIdempotencyKey({ method, path }: RouteShape): boolean {
  return method === 'post' && path.startsWith('/v1/') && !WITHOUT_IDEMPOTENCY_KEY.has(path)
}

const KEY_PROBLEMS = ['missing_api_key', 'invalid_api_key', 'revoked_api_key', 'expired_api_key'] as const
const BODY_PROBLEMS = ['invalid_json', 'body_too_large', 'unsupported_media_type'] as const

/** Returns the codes of the problems that the middleware can return before the handler of a route runs. */
export function problemsBefore({ method, path, access, has_input, has_body }: RouteShape): ProblemCode[] {
  const codes: ProblemCode[] = ['internal_error']
  if (METHODS_WITH_BODY.has(method.toUpperCase())) codes.push(...BODY_PROBLEMS)
  const is_own = path.startsWith('/v1/')
  // Routes below `/v1/` refuse unknown query parameters.
  if (is_own || has_input || has_body || method === 'post') codes.push('invalid_request')
  if (is_own || path.startsWith('/openmonetize/') || access.kind === 'customer') {
    codes.push('rate_limited')
  }
  if (access.kind === 'open') return codes
  // Routes without a required scope refuse portal tokens with `insufficient_scope`.
  codes.push(...KEY_PROBLEMS, 'insufficient_scope', 'unavailable')
  const { scope, portal } = access.kind === 'customer' ? access : { scope: undefined, portal: false }
  if (portal) codes.push('origin_not_allowed', 'customer_suspended')
  if (method !== 'get' && scope !== undefined && !scope.endsWith(':read')) codes.push('customer_suspended')
  return codes
}

interface HeaderRef {
  readonly $ref: string
}

/**
 * Returns the headers of a route's responses with the given status. `codes` are the codes of all problems that the
 * route can return.
 */
export function headersOf(
  shape: RouteShape,
  status: string,
  codes: ReadonlySet<ProblemCode>,
): Record<string, HeaderRef> {
  const names: (keyof typeof SHARED_COMPONENTS.headers)[] = ['X-Request-Id']
  if (readsIdempotencyKey(shape) && status.startsWith('2')) names.push('Idempotency-Replayed')
  if (status === '401') names.push('WWW-Authenticate')
  const is_always_temporary = ![...codes].some((code) => code.endsWith('_not_configured'))
  if (status === '429' || (status === '503' && is_always_temporary)) names.push('Retry-After')
  if (shape.access.kind === 'customer') names.push('RateLimit', 'RateLimit-Policy')
  const headers = Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
  if (status !== '503' || is_always_temporary) return headers
  return { ...headers, 'Retry-After': { $ref: '#/components/headers/Retry-After-If-Temporary' } }
}
