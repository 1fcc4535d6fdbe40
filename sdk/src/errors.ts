/**
 * The body of an error response (RFC 9457). `code` is stable. Some codes add fields, such as `balance` and `required`.
 */
export interface Problem {
  readonly type?: string
  readonly title?: string
  readonly status?: number
  readonly detail?: string
  readonly code?: string
  readonly request_id?: string
  readonly errors?: readonly { readonly path: string; readonly message: string }[]
  readonly [field: string]: unknown
}

export interface ErrorFields {
  /** The HTTP status. Omitted if the error has none. */
  readonly status?: number
  readonly code: string
  readonly detail: string
  readonly requestId?: string | undefined
  readonly retryable?: boolean
  readonly retryAfterMs?: number | undefined
  readonly problem?: Problem | undefined
  readonly cause?: unknown
}

/** The base class of this package's errors. An aborted call throws the reason of its abort signal instead. */
export class OpenMonetizeError extends Error {
  override readonly name: string = 'OpenMonetizeError'
  /** The HTTP status; 0 if the error has none. */
  readonly status: number
  /**
   * A stable code in snake_case: a code of the API, or a code of this package such as `timeout` or `invalid_options`.
   */
  readonly code: string
  readonly detail: string
  /** The `X-Request-Id` of the response. */
  readonly requestId: string | undefined
  /** Whether to retry the same request after a short wait. A retry with the same idempotency key is safe. */
  readonly retryable: boolean
  /** The wait before a retry, in milliseconds, that the server requests in `Retry-After`. */
  readonly retryAfterMs: number | undefined
  /**
   * The whole problem document, if the server sent one. For a rejected event of a batch, it has only `code` and
   * `detail`.
   */
  readonly problem: Problem | undefined

  constructor(fields: ErrorFields) {
    super(
      `${fields.status ? `${fields.status} ` : ''}${fields.code}: ${fields.detail}`,
      fields.cause === undefined ? undefined : { cause: fields.cause },
    )
    this.status = fields.status ?? 0
    this.code = fields.code
    this.detail = fields.detail
    this.requestId = fields.requestId
    this.retryable = fields.retryable ?? false
    this.retryAfterMs = fields.retryAfterMs
    this.problem = fields.problem
  }
}

/**
 * The error of an invalid client option or call argument. It is thrown before anything is sent, except for a version of
 * `@google/genai` whose streams are not supported.
 */
export class ConfigurationError extends OpenMonetizeError {
  override readonly name = 'ConfigurationError'
  constructor(detail: string) {
    super({ code: 'invalid_options', detail })
  }
}

/**
 * The error of a request without a complete response, for example because the connection is refused or reset, or the
 * host does not exist. The server might have processed the request.
 */
export class ConnectionError extends OpenMonetizeError {
  override readonly name = 'ConnectionError'
}
/**
 * The error of a request without a complete response within `timeoutMs`, or of a flush that does not send all
 * events in time. The server might have processed the request.
 */
export class TimeoutError extends OpenMonetizeError {
  override readonly name = 'TimeoutError'
}
/** The error of an invalid response, such as an HTML page, a redirect, invalid JSON or a response that is too long. */
export class InvalidResponseError extends OpenMonetizeError {
  override readonly name = 'InvalidResponseError'
}
/** The error of status 400. `problem.errors` can list the invalid fields. */
export class InvalidRequestError extends OpenMonetizeError {
  override readonly name = 'InvalidRequestError'
}
/** The error of status 401, for example if the API key is missing, invalid, deleted or expired. */
export class InvalidApiKeyError extends OpenMonetizeError {
  override readonly name = 'InvalidApiKeyError'
}
/** The error of status 402 for a wallet with too few credits. */
export class InsufficientCreditsError extends OpenMonetizeError {
  override readonly name = 'InsufficientCreditsError'
  get balance(): number | undefined {
    return numberOf(this.problem?.balance)
  }
  get availableBalance(): number | undefined {
    return numberOf(this.problem?.available_balance)
  }
  get required(): number | undefined {
    return numberOf(this.problem?.required)
  }
}
/** The error of status 402 for a used-up limit of an entitlement. */
export class LimitReachedError extends OpenMonetizeError {
  override readonly name = 'LimitReachedError'
}
/** The error of status 403, for example if the key lacks a scope or the customer is suspended. */
export class PermissionError extends OpenMonetizeError {
  override readonly name = 'PermissionError'
}
/** The error of status 404, for example if the object does not exist. */
export class NotFoundError extends OpenMonetizeError {
  override readonly name = 'NotFoundError'
}
/** The error of status 409, for example `conflict`, `hold_not_open` or `already_voided`. */
export class ConflictError extends OpenMonetizeError {
  override readonly name = 'ConflictError'
}
/** The error of status 422 for an idempotency key that was used for another request. */
export class IdempotencyMismatchError extends OpenMonetizeError {
  override readonly name = 'IdempotencyMismatchError'
}
/** The error of status 422 for a model without a price, or for an unknown provider. */
export class UnpricedModelError extends OpenMonetizeError {
  override readonly name = 'UnpricedModelError'
}
/** The error of status 429, for example for too many requests in one minute. */
export class RateLimitedError extends OpenMonetizeError {
  override readonly name = 'RateLimitedError'
}
/** The error of status 429 for a used-up monthly quota of events. */
export class QuotaExceededError extends OpenMonetizeError {
  override readonly name = 'QuotaExceededError'
}
/**
 * The error of status 500 and above, of a batch response without all results, and of a call that `onUnavailable:
 * 'deny'` refuses.
 */
export class ServerError extends OpenMonetizeError {
  override readonly name = 'ServerError'
}

const BY_CODE: Readonly<Record<string, typeof OpenMonetizeError>> = {
  insufficient_credits: InsufficientCreditsError,
  limit_reached: LimitReachedError,
  idempotency_mismatch: IdempotencyMismatchError,
  unpriced_model: UnpricedModelError,
  unknown_provider: UnpricedModelError,
  quota_exceeded: QuotaExceededError,
}

const BY_STATUS: Readonly<Record<number, typeof OpenMonetizeError>> = {
  400: InvalidRequestError,
  401: InvalidApiKeyError,
  403: PermissionError,
  404: NotFoundError,
  409: ConflictError,
  429: RateLimitedError,
}

/** Returns the error for a status and a problem document. */
export function apiError(
  status: number,
  problem: Problem,
  headers: Partial<ErrorFields> = {},
): OpenMonetizeError {
  const code = problem.code ?? `http_${status}`
  const Type = BY_CODE[code] ?? BY_STATUS[status] ?? (status >= 500 ? ServerError : OpenMonetizeError)
  return new Type({
    requestId: problem.request_id,
    ...headers,
    status,
    code,
    detail: problem.detail ?? problem.title ?? 'No detail.',
    retryable: isRetryable(status, code),
    problem,
  })
}

/**
 * Reports whether a retry after a short wait can succeed. A used-up quota or a missing configuration does not change in
 * that time.
 */
export function isRetryable(status: number, code: string): boolean {
  if (code === 'quota_exceeded' || code.endsWith('_not_configured')) return false
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505)
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
