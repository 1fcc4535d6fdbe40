import type { PicoUsd } from '../../pricing/money.ts'
import { NO_PLATFORM_USAGE, type PlatformUsage, platformCost } from './platform-cost.ts'

/** The activity of a deployment in a period, by its own counts. */
export interface Activity {
  readonly requests: number
  /** The number of successful requests other than reads, without replays. */
  readonly changes: number
  readonly events: number
  readonly ledgers: number
  readonly period_ms: number
  readonly flush_delay_ms: number
}

/** The number of rows of a change: the journal and a wallet. */
const ROWS_A_CHANGE = 2
/** A change of more events than this writes another journal row. */
const EVENTS_A_ROW = 500
/** The time for which a commit occupies the object. */
const CHANGE_MS = 15

/**
 * CPU time: twice what `npm run cost` measures, because machines differ. It is a small part of the cost.
 */
const CPU_MS_A_REQUEST = 2
const CPU_MS_AN_EVENT = 0.05

/** A flush of one wallet with its alarm, its message, and the rollup of that message alone. */
const FLUSH = { object_requests: 1, object_rows: 3, d1_rows: 6, queue_operations: 3, worker_requests: 1 }

/**
 * An upper estimate of the platform's charges for this activity, without storage and included amounts: every request
 * calls an object, no two changes share a commit, and every ledger flushes as often as its changes and the delay allow.
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
