import type { Delivered, Outcome } from '../records/deliveries.ts'
import type { DisabledReason, SealedEndpoint } from '../records/endpoints.ts'
import { FAILING_LIMIT_MS, nextAttemptMs } from './schedule.ts'
import { type Attempt, isSuccess, type Sent } from './send.ts'

/** The changes that follow from an attempt: the new state of its delivery, and the changes of the endpoint. */
export interface Consequence {
  readonly outcome: Outcome
  readonly endpoint: SealedEndpoint
  /** The new value of `failing_since_ms`; undefined if the value does not change. */
  readonly failing_since_ms: number | null | undefined
  /** The reason to disable the endpoint; undefined if it must not be disabled. */
  readonly disable: DisabledReason | undefined
}

const GONE = 410

/**
 * Returns the changes that follow from an attempt. `made` is the number of earlier attempts since the delivery was
 * created or last restarted.
 */
export function consequenceOf(
  delivered: Delivered,
  endpoint: SealedEndpoint,
  { attempt, retry_after_ms }: Sent,
  made: number,
): Consequence {
  const { failing_since_ms } = endpoint
  const ended = { ...delivered, made: made + 1, in_flight: false, due_at_ms: null, attempt }
  if (isSuccess(attempt)) {
    return {
      outcome: { ...ended, status: 'succeeded' },
      endpoint,
      failing_since_ms: failing_since_ms === null ? undefined : null,
      disable: undefined,
    }
  }
  const disable = disabledBy(attempt, failing_since_ms)
  const now_ms = attempt.at_ms + attempt.duration_ms
  const due_at_ms = disable === undefined ? nextAttemptMs(made + 1, now_ms, retry_after_ms) : undefined
  return {
    outcome:
      due_at_ms === undefined ? { ...ended, status: 'failed' } : { ...ended, status: 'pending', due_at_ms },
    endpoint,
    failing_since_ms: failing_since_ms === null ? attempt.at_ms : undefined,
    disable,
  }
}

function disabledBy(attempt: Attempt, failing_since_ms: number | null): DisabledReason | undefined {
  if (attempt.status_code === GONE) return 'gone'
  const is_failing = failing_since_ms !== null && attempt.at_ms - failing_since_ms >= FAILING_LIMIT_MS
  return is_failing ? 'failing' : undefined
}
