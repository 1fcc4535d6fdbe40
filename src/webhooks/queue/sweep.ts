import type { Bindings } from '../../bindings.ts'
import { unhandedLedgers } from '../../notifications/store.ts'
import { dueDeliveries, endpointsDue } from '../records/deliveries.ts'
import { handOn } from './fan-out.ts'
import { callsToEnqueue, enqueue } from './message.ts'

/**
 * The sweep, which runs every minute. It queues due deliveries that no queue message has started, and notifications
 * whose hint was lost.
 */

/**
 * The time for which the sweep ignores a due delivery, in milliseconds. Within this time, the queue usually delivers
 * the delayed message of the delivery.
 */
const OVERDUE_MS = 30_000
const ENDPOINTS_A_STEP = 500
/**
 * The maximum number of endpoints in one run, and the maximum number of deliveries for each of them. Because of the
 * second limit, an endpoint with many deliveries does not delay other endpoints.
 */
const MAX_ENDPOINTS = 100
const MAX_OF_ENDPOINT = 200
/** The maximum number of calls to D1 and to the queue in one run. */
export const SWEEP_CALLS = 1 + MAX_ENDPOINTS * (1 + callsToEnqueue(MAX_OF_ENDPOINT))

interface SweepRun {
  readonly env: Bindings
  readonly now_ms: number
  /** The id of the endpoint or the ledger where the previous run stopped. The run begins with the next one. */
  readonly after: string
  readonly reach: (place: string) => void
}

/**
 * Queues due deliveries and returns their number. A run continues where the previous run stopped. After the last
 * endpoint, the next run begins with the first one.
 */
export async function sweepDeliveries({ env, now_ms, after, reach }: SweepRun): Promise<number> {
  const before_ms = now_ms - OVERDUE_MS
  const found = await endpointsDue(env, after, before_ms, ENDPOINTS_A_STEP)
  const due = found.filter(({ is_due }) => is_due).slice(0, MAX_ENDPOINTS)
  let deliveries = 0
  for (const { webhook_endpoint_id } of due) {
    const overdue = await dueDeliveries(env, webhook_endpoint_id, before_ms, MAX_OF_ENDPOINT)
    await enqueue(env.WEBHOOKS, overdue)
    deliveries += overdue.length
    reach(webhook_endpoint_id)
  }
  const is_cut = found.length === ENDPOINTS_A_STEP || due.length === MAX_ENDPOINTS
  const last = due.length === MAX_ENDPOINTS ? due.at(-1) : found.at(-1)
  reach(is_cut ? (last?.webhook_endpoint_id ?? '') : '')
  return deliveries
}

const LEDGERS_A_RUN = 50
/** The maximum number of calls to D1 and to the queue in one run. */
export const HAND_ON_CALLS = 300

/**
 * Queues the deliveries of notifications whose hint was lost. The next run continues after the last ledger that this
 * run has processed.
 */
export async function sweepNotifications({ env, after, reach }: SweepRun): Promise<void> {
  const unhanded = await unhandedLedgers(env.DB, after, LEDGERS_A_RUN)
  const ids = unhanded.map(({ ledger_id }) => ledger_id)
  const handed = await handOn(env, ids, HAND_ON_CALLS - 1)
  const is_end = handed.size === ids.length && ids.length < LEDGERS_A_RUN
  reach(is_end ? '' : ([...handed.keys()].at(-1) ?? after))
}
