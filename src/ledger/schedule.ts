/** What the one alarm of a ledger waits for; null for what it need not wait for. */
export interface Schedule {
  readonly now_ms: number
  /** When the journal is to go to D1. */
  readonly flush_at_ms: number | null
  /** When the next wallet falls due. */
  readonly due_at_ms: number | null
  /** When the oldest journal row has lived its time. */
  readonly forget_at_ms: number | null
  /** How often the alarm has failed in a row. */
  readonly failures: number
}

/** Forgetting is never urgent: it waits this much longer, and then frees many rows at once. */
const FORGET_SLACK_MS = 3_600_000

const MIN_RETRY_MS = 1_000
const MAX_RETRY_MS = 300_000

/**
 * When the alarm is to ring; null for never. After a failure never before the retry delay, whatever is due: an alarm
 * that fails at once and rings at once would do nothing else.
 */
export function nextAlarmAt(schedule: Schedule): number | null {
  const { forget_at_ms } = schedule
  const next = earliest([
    schedule.flush_at_ms,
    schedule.due_at_ms,
    forget_at_ms === null ? null : forget_at_ms + FORGET_SLACK_MS,
  ])
  return next === null ? null : Math.max(next, schedule.now_ms + retryDelay(schedule.failures))
}

/** How long to wait after `failures` in a row: nothing after none, then doubling from a second to five minutes. */
export function retryDelay(failures: number): number {
  return failures === 0 ? 0 : Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** (failures - 1))
}

export function earliest(times: readonly (number | null)[]): number | null {
  let first: number | null = null
  for (const time of times) if (time !== null && (first === null || time < first)) first = time
  return first
}
