import { DAY_MS, earliest } from '../../time/durations.ts'

/**
 * A task of the alarm. `at_ms` is the time at which the task is due next; null if it is not needed. `failures` is the
 * number of its consecutive failures.
 */
export interface Work {
  readonly at_ms: number | null
  readonly failures: number
}

/**
 * The maximum time until the next alarm. Cloudflare refuses alarms in the far future, but a lot can expire in the year
 * 9999. In that case, the alarm runs after this time and is set again.
 */
const MAX_AHEAD_MS = 365 * DAY_MS

const MIN_RETRY_MS = 1_000
const MAX_RETRY_MS = 300_000

/**
 * Returns the time for which to set the ledger's only alarm; null if no task needs it. A failed task waits for its own
 * retry delay even if it is overdue, because a task that always fails would otherwise occupy the object. Other tasks do
 * not wait for the failed task.
 */
export function nextAlarmAt(now_ms: number, works: readonly Work[]): number | null {
  const next = earliest(
    works.map(({ at_ms, failures }) =>
      at_ms === null ? null : Math.max(at_ms, now_ms + retryDelay(failures)),
    ),
  )
  return next === null ? null : Math.min(next, now_ms + MAX_AHEAD_MS)
}

/**
 * Returns the delay after `failures` consecutive failures: 0 without a failure, one second after the first failure, and
 * twice as long after each further failure, up to five minutes.
 */
export function retryDelay(failures: number): number {
  return failures === 0 ? 0 : Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** (failures - 1))
}
