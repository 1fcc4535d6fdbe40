import type { PicoUsd } from '../../pricing/money.ts'
import { NO_PLATFORM_USAGE, type PlatformUsage, platformCost } from './platform-cost.ts'

/** The activity of a deployment in a period, as the deployment counted it. */
export interface Activity {
  readonly requests: number
  /** The number of successful requests other than reads, without replays. */
  readonly changes: number
  readonly events: number
  readonly ledgers: number
  readonly period_ms: number
  readonly flush_delay_ms: number
}

/** The number of rows that a change writes: one of the journal and one of a wallet. */
const ROWS_A_CHANGE = 2
/** The number of events in one journal row. A change of more events writes more rows. */
const EVENTS_A_ROW = 500
/** The time that a commit occupies the object. */
const CHANGE_MS = 15

/** Twice the CPU time that `npm run cost` measures, because machines differ. CPU time is a small part of the cost. */
const CPU_MS_A_REQUEST = 2
const CPU_MS_AN_EVENT = 0.05

/** The usage of a flush of one wallet, with its alarm, its queue message and the rollup of this message. */
const FLUSH = { object_requests: 1, object_rows: 3, d1_rows: 6, queue_operations: 3, worker_requests: 1 }

/**
 * Returns an upper estimate of the billed usage of this activity, without storage. Does not subtract the amounts that
 * the plan includes. Assumes that every request calls an object, that no two changes share a commit, and that every
 * ledger flushes as often as its changes and the delay allow.
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
