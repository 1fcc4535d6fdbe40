import { DAY_MS, earliest } from '../../time/durations.ts'

/** A task of the alarm: when it is next needed, null for never, and how often it has failed in a row. */
export interface Work {
  readonly at_ms: number | null
  readonly failures: number
}

/** The platform refuses alarms in the far future, and a lot may expire in the year 9999: the alarm runs in between. */
const MAX_AHEAD_MS = 365 * DAY_MS

const MIN_RETRY_MS = 1_000
const MAX_RETRY_MS = 300_000

/**
 * Returns the time of a ledger's one alarm; null for never. A failed task always waits for its own retry delay, even
 * when it is overdue; without the delay, a task that always fails would occupy the object. Other tasks do not wait for
 * it.
 */
export function nextAlarmAt(now_ms: number, works: readonly Work[]): number | null {
  const next = earliest(
    works.map(({ at_ms, failures }) =>
      at_ms === null ? null : Math.max(at_ms, now_ms + retryDelay(failures)),
    ),
  )
  return next === null ? null : Math.min(next, now_ms + MAX_AHEAD_MS)
}

/** Returns the wait after `failures` in a row: none after 0, then doubling from a second to five minutes. */
export function retryDelay(failures: number): number {
  return failures === 0 ? 0 : Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** (failures - 1))
}
