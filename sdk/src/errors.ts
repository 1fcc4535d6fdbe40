/** The body of an error answer, RFC 9457: `code` is stable; some codes add fields, such as `balance` and `required`. */
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
  /** The HTTP status; 0 when there was no answer. */
  readonly status?: number
  readonly code: string
  readonly detail: string
  readonly requestId?: string | undefined
  readonly retryable?: boolean
  readonly retryAfterMs?: number | undefined
  readonly problem?: Problem | undefined
  readonly cause?: unknown
}

/** Every error of this package, except the reason of an `AbortSignal`, which is thrown unchanged. */
export class OpenMonetizeError extends Error {
  override readonly name: string = 'OpenMonetizeError'
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number
  /** Stable, snake_case: the API's own code, or `connection_failed`, `timeout`, `invalid_response`, `invalid_options`. */
  readonly code: string
  readonly detail: string
  /** The `X-Request-Id` of the answer. */
  readonly requestId: string | undefined
  /** Is true if the same request may succeed later. A repeat with the same idempotency key is safe. */
  readonly retryable: boolean
  /** The wait that the server asks for. */
  readonly retryAfterMs: number | undefined
  /** The whole problem document, when the server sent one. */
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

/** An option of the client, or an argument of a call, is wrong. Thrown before anything is sent. */
export class ConfigurationError extends OpenMonetizeError {
  override readonly name = 'ConfigurationError'
  constructor(detail: string) {
    super({ code: 'invalid_options', detail })
  }
}

/**
 * The error of a request without an answer: the connection was refused or reset, or the host does not exist. The
 * request may have taken effect.
 */
export class ConnectionError extends OpenMonetizeError {
  override readonly name = 'ConnectionError'
}
/** The error of a request without an answer within `timeoutMs`. The request may have taken effect. */
export class TimeoutError extends OpenMonetizeError {
  override readonly name = 'TimeoutError'
}
/** An answer that is not the API's: an HTML page, a redirect, broken JSON. */
export class InvalidResponseError extends OpenMonetizeError {
  override readonly name = 'InvalidResponseError'
}
/** 400, with the fields at fault in `problem.errors`. */
export class InvalidRequestError extends OpenMonetizeError {
  override readonly name = 'InvalidRequestError'
}
/** 401: the key is missing, invalid, deleted or expired. */
export class InvalidApiKeyError extends OpenMonetizeError {
  override readonly name = 'InvalidApiKeyError'
}
/** 402: the wallet cannot pay. */
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
/** 402: an entitlement's limit is used up. */
export class LimitReachedError extends OpenMonetizeError {
  override readonly name = 'LimitReachedError'
}
/** 403: the key may not do this, the customer is suspended, or the feature is not allowed. */
export class PermissionError extends OpenMonetizeError {
  override readonly name = 'PermissionError'
}
/** 404. */
export class NotFoundError extends OpenMonetizeError {
  override readonly name = 'NotFoundError'
}
/** 409: `conflict`, `hold_not_open`, `already_voided`, `too_many_open`. */
export class ConflictError extends OpenMonetizeError {
  override readonly name = 'ConflictError'
}
/** 422: the idempotency key was used for another request. */
export class IdempotencyMismatchError extends OpenMonetizeError {
  override readonly name = 'IdempotencyMismatchError'
}
/** 422: no price is known for the model, or the provider is unknown. */
export class UnpricedModelError extends OpenMonetizeError {
  override readonly name = 'UnpricedModelError'
}
/** 429: too many requests in this minute. */
export class RateLimitedError extends OpenMonetizeError {
  override readonly name = 'RateLimitedError'
}
/** 429: the events of this month are used up. */
export class QuotaExceededError extends OpenMonetizeError {
  override readonly name = 'QuotaExceededError'
}
/** 500 and above. */
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

/** Whether a retry can succeed: not if the quota is used up or a configuration is missing. */
export function isRetryable(status: number, code: string): boolean {
  if (code === 'quota_exceeded' || code.endsWith('_not_configured')) return false
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505)
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
