import type { Bindings } from '../bindings.ts'
import { DAY_MS, HOUR_MS } from '../time/durations.ts'
import { logError } from './log.ts'
import { PendingCounts } from './pending-counts.ts'

/**
 * Counts the outcomes of requests in the memory of the isolate, and adds the counts to D1 at most once a minute. The
 * counts are used for alerts and cost estimates. They are not exact enough for billing.
 */

const WRITE_EVERY_MS = 60_000
const KEPT_FOR_MS = 30 * DAY_MS

interface Count {
  readonly hour_ms: number
  readonly outcome: string
  readonly count: number
}

// Writes 1 row for each pair of an hour and an outcome.
const ADD = `
  INSERT INTO outcome_counts (hour_ms, outcome, count)
  SELECT value ->> 'hour_ms', value ->> 'outcome', value ->> 'count' FROM json_each(?1) WHERE true
  ON CONFLICT (hour_ms, outcome) DO UPDATE SET count = count + excluded.count`

const counts = new PendingCounts<Count>(
  ({ hour_ms, outcome }) => `${hour_ms} ${outcome}`,
  ADD,
  (error) => logError('outcomes_not_written', error),
)
let written_at_ms = 0

export function countOutcome(outcome: string, now_ms: number, times = 1): void {
  counts.add({ hour_ms: hourOf(now_ms), outcome, count: times })
}

/**
 * Starts to write the counts to D1 if the last write was at least a minute ago. `defer` lets the write continue after
 * the response.
 */
export function writeOutcomesWhenDue(
  env: Bindings,
  now_ms: number,
  defer: (work: Promise<unknown>) => void,
): void {
  // Compares the absolute difference, so that writes do not stop if the clock is set back.
  if (counts.isEmpty || Math.abs(now_ms - written_at_ms) < WRITE_EVERY_MS) return
  written_at_ms = now_ms
  defer(writeOutcomes(env))
}

/** Adds the counts to D1. Never throws. If the write fails, the counts are kept for the next write. */
export function writeOutcomes(env: Pick<Bindings, 'DB'>): Promise<void> {
  return counts.write(env)
}

// Writes 1 row for each deleted row.
const FORGET = 'DELETE FROM outcome_counts WHERE hour_ms < ?1'

/** Deletes the counts that are older than 30 days. */
export async function forgetOutcomes(env: Pick<Bindings, 'DB'>, now_ms: number): Promise<void> {
  await env.DB.prepare(FORGET)
    .bind(now_ms - KEPT_FOR_MS)
    .run()
}

export function hourOf(at_ms: number): number {
  return Math.floor(at_ms / HOUR_MS) * HOUR_MS
}
