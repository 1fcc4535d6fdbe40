import { apiError, type OpenMonetizeError, type Problem, ServerError } from '../errors.ts'
import { randomKey } from '../http.ts'
import type { Schemas } from '../types.ts'
import type { Waiting } from './waiting.ts'

/** The events, the body and the idempotency key of one ingest request. Retries send the same body and key. */
export interface Batch {
  readonly events: readonly Waiting[]
  readonly key: string
  readonly body: string
}

export function batchOf(events: readonly Waiting[]): Batch {
  return { events, key: randomKey(), body: `{"events":[${events.map(({ text }) => text).join()}]}` }
}

/**
 * Returns the error of each event of a batch; undefined for an accepted event or a duplicate. Throws if the response
 * does not have one result for each event.
 */
export function outcomesOf(batch: Batch, answer: Schemas['BatchResult']): (OpenMonetizeError | undefined)[] {
  const { results } = answer
  if (!Array.isArray(results) || results.length !== batch.events.length) {
    const detail = 'The response does not have a result for each event.'
    throw new ServerError({ code: 'invalid_response', detail, retryable: true })
  }
  return results.map(({ status, error }) => (status === 'rejected' ? rejection(error) : undefined))
}

/** The HTTP status of a rejection inside a batch, by code. All other codes have status 400. */
const STATUS: Readonly<Record<string, number>> = {
  insufficient_credits: 402,
  limit_reached: 402,
  insufficient_scope: 403,
  customer_mismatch: 403,
  feature_not_allowed: 403,
  idempotency_mismatch: 422,
  unpriced_model: 422,
  unknown_provider: 422,
  rate_limited: 429,
  quota_exceeded: 429,
  overloaded: 503,
  unavailable: 503,
}

function rejection({ code = 'rejected', detail = 'No detail.' }: Partial<Problem> = {}): OpenMonetizeError {
  return apiError(STATUS[code] ?? 400, { code, detail })
}
