import type { PicoUsd } from '../../pricing/money.ts'
import { NO_PLATFORM_USAGE, type PlatformUsage, platformCost } from './platform-cost.ts'

/** The activity of a deployment in a period, from the deployment's own counters. */
export interface Activity {
  readonly requests: number
  /** The number of successful write requests, without replays. */
  readonly changes: number
  readonly events: number
  readonly ledgers: number
  readonly period_ms: number
  readonly flush_delay_ms: number
}

/** The number of rows that a change writes: one journal row and one wallet row. */
const ROWS_A_CHANGE = 2
/** An estimate of the number of events that fit into one journal row. A change with more events writes more rows. */
const EVENTS_A_ROW = 500
/** The time in ms for which a commit occupies the ledger object. */
const CHANGE_MS = 15

/**
 * The CPU time of one request in ms. The next constant is the CPU time of one event. Both are twice the time that `npm
 * run cost` measures, because machines differ. CPU time is a small part of the cost.
 */
const CPU_MS_A_REQUEST = 2
const CPU_MS_AN_EVENT = 0.05

/**
 * The billed usage of one flush that contains one wallet. Includes the alarm, the queue message and the rollup of the
 * message.
 */
const FLUSH = { object_requests: 1, object_rows: 3, d1_rows: 6, queue_operations: 3, worker_requests: 1 }

/**
 * Returns an upper estimate of the billed usage of an activity, without storage. Does not subtract the amounts that the
 * platform's plan includes. Assumes that every request calls an object, that each change has its own commit, and that
 * every ledger flushes as often as the flush delay allows, but at most once for each change.
 */
export function estimatedUsage(activity: Activity): PlatformUsage {
  const { requests, changes, events, ledgers, period_ms, flush_delay_ms } = activity
  const most_flushes = ledgers * Math.ceil(period_ms / Math.max(1, flush_delay_ms))
  const flushes = Math.min(changes, most_flushes)
  return {
    ...NO_PLATFORM_USAGE,
    worker_requests: requests + flushes * FLUSH.worker_requests,
    worker_cpu_ms: requests * CPU_MS_A_REQUEST + events * CPU_MS_AN_EVENT,
    object_requests: requests + flushes * FLUSH.object_requests,
    object_ms: (changes + flushes) * CHANGE_MS,
    object_rows_written:
      changes * ROWS_A_CHANGE + Math.floor(events / EVENTS_A_ROW) + flushes * FLUSH.object_rows,
    d1_rows_written: flushes * FLUSH.d1_rows,
    queue_operations: flushes * FLUSH.queue_operations,
  }
}

export function estimatedCost(activity: Activity): PicoUsd {
  return platformCost(estimatedUsage(activity))
}
