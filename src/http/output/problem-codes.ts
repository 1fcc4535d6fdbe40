import type { ContentfulStatusCode } from 'hono/utils/http-status'

/** Every problem code. Codes are stable: never rename one, never change its status. */
export const PROBLEMS = {
  invalid_request: { status: 400, title: 'The request is invalid' },
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  missing_api_key: { status: 401, title: 'No API key' },
  invalid_api_key: { status: 401, title: 'The API key is not valid' },
  revoked_api_key: { status: 401, title: 'The API key was deleted' },
  expired_api_key: { status: 401, title: 'The API key has expired' },
  insufficient_credits: { status: 402, title: 'Not enough credits' },
  limit_reached: { status: 402, title: 'A limit is reached' },
  insufficient_scope: { status: 403, title: 'The API key may not do this' },
  customer_mismatch: { status: 403, title: "Another customer's id" },
  customer_suspended: { status: 403, title: 'The customer is suspended' },
  feature_not_allowed: { status: 403, title: 'The feature is not allowed' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed' },
  conflict: { status: 409, title: 'Conflict' },
  hold_not_open: { status: 409, title: 'The hold is not open' },
  already_voided: { status: 409, title: 'The event is already voided' },
  already_processed: { status: 409, title: 'A call with this idempotency key was made' },
  too_many_open: { status: 409, title: 'Too many open items' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  idempotency_mismatch: { status: 422, title: 'The idempotency key was used for another request' },
  unpriced_model: { status: 422, title: 'The model has no price' },
  unknown_provider: { status: 422, title: 'The provider is not known' },
  rate_limited: { status: 429, title: 'Too many requests in a minute' },
  quota_exceeded: { status: 429, title: 'The monthly quota is used up' },
  internal_error: { status: 500, title: 'Internal error' },
  provider_unreachable: { status: 502, title: 'The provider could not be reached' },
  provider_timeout: { status: 504, title: 'The provider did not answer in time' },
  overloaded: { status: 503, title: 'Too many requests at once' },
  provider_keys_not_configured: { status: 503, title: 'Provider keys are not set up' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
} as const satisfies Record<string, { status: ContentfulStatusCode; title: string }>

export type ProblemCode = keyof typeof PROBLEMS
