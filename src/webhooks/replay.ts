import type { Bindings } from '../bindings.ts'
import { deliveriesOf, type Numbered } from './queue/fan-out.ts'
import { enqueue } from './queue/message.ts'
import {
  type Delivery,
  deliveryId,
  findDelivery,
  restartDeliveries,
  restartDelivery,
} from './records/deliveries.ts'
import type { SealedEndpoint } from './records/endpoints.ts'

/** Replays notifications that a receiver did not get or has lost. */

/**
 * The maximum number of notifications that one request replays, not counting further notifications with the same time
 * as the last one. The next request begins with a time, so it could not continue within a millisecond.
 */
const MAX_REPLAYED = 1_000

// These statements find the first notification at or after a time with a binary search, because the sequence numbers
// are in the order of time. The search has about 20 steps and reads about 2 rows in each step, even if there are many
// notifications.
const AT_MIDDLE = `
  SELECT at_ms FROM notifications WHERE ledger_id = ?1 AND sequence >= (low + high) / 2 ORDER BY sequence LIMIT 1`

const FIRST_AT = `
  WITH RECURSIVE s (low, high) AS (
    SELECT min(sequence), max(sequence) + 1 FROM notifications WHERE ledger_id = ?1
    UNION ALL
    SELECT iif((${AT_MIDDLE}) < ?2, (low + high) / 2 + 1, low), iif((${AT_MIDDLE}) < ?2, high, (low + high) / 2)
    FROM s WHERE low < high)
  SELECT max(low) FROM s`

const IN_RANGE = `
  SELECT sequence, type, at_ms FROM notifications
  WHERE ledger_id = ?1 AND sequence >= (${FIRST_AT}) AND at_ms < ?3 ORDER BY sequence LIMIT ${MAX_REPLAYED + 1}`

// The notifications of a millisecond after a sequence number.
const REST_OF_MILLISECOND = `
  SELECT sequence, type, at_ms FROM notifications
  WHERE ledger_id = ?1 AND sequence > ?2 AND sequence < coalesce((
    SELECT sequence FROM notifications WHERE ledger_id = ?1 AND sequence > ?2 AND at_ms > ?3 ORDER BY sequence LIMIT 1
  ), 9e15) ORDER BY sequence`

export interface Range {
  readonly from_ms: number
  readonly to_ms: number
  /** True to replay only notifications that the endpoint has not received. */
  readonly only_failed: boolean
}

export interface Replayed {
  readonly deliveries: number
  /** The start of the range for the next call; null if the whole range was replayed. */
  readonly next_from_ms: number | null
}

/**
 * Restarts the deliveries of the first notifications in a time range (see `MAX_REPLAYED`). Creates the deliveries that
 * do not exist. Does not change pending deliveries. Throws if D1 or the queue fails. If only the queue fails, the
 * deliveries are restarted, and the sweep queues them later.
 */
export async function replay(
  env: Bindings,
  endpoint: SealedEndpoint,
  { from_ms, to_ms, only_failed }: Range,
  now_ms: number,
): Promise<Replayed> {
  const { owner } = endpoint
  const { notifications, next_from_ms } = await firstOf(env, owner, from_ms, to_ms)
  const wanted = deliveriesOf(owner, notifications, [endpoint])
  const options = { due_at_ms: now_ms, succeeded: !only_failed }
  const restarted = await restartDeliveries(env, wanted, options).all<{ readonly delivery_id: string }>()
  const ids = new Set(restarted.results.map(({ delivery_id }) => delivery_id))
  const begun = wanted.filter((one) => ids.has(deliveryId(one)))
  await enqueue(env.WEBHOOKS, begun)
  return { deliveries: begun.length, next_from_ms }
}

async function firstOf(
  env: Bindings,
  owner: string,
  from_ms: number,
  to_ms: number,
): Promise<{ readonly notifications: readonly Numbered[]; readonly next_from_ms: number | null }> {
  const { results } = await env.DB.prepare(IN_RANGE).bind(owner, from_ms, to_ms).all<Numbered>()
  const notifications = results.slice(0, MAX_REPLAYED)
  const last = notifications.at(-1)
  const next = results[MAX_REPLAYED]
  if (!last || !next) return { notifications, next_from_ms: null }
  if (next.at_ms > last.at_ms) return { notifications, next_from_ms: next.at_ms }
  const rest = await env.DB.prepare(REST_OF_MILLISECOND)
    .bind(owner, last.sequence, last.at_ms)
    .all<Numbered>()
  return { notifications: [...notifications, ...rest.results], next_from_ms: last.at_ms + 1 }
}

/**
 * Restarts a delivery so that it is due now, and returns its new state. Returns undefined if the delivery does not
 * exist. If an attempt of the delivery is running, nothing changes.
 */
export async function retryNow(
  env: Bindings,
  owner: string,
  id: string,
  now_ms: number,
): Promise<Delivery | undefined> {
  const { meta } = await restartDelivery(env, owner, id, now_ms).run()
  const delivery = await findDelivery(env, owner, id)
  if (delivery && meta.changes === 1) await enqueue(env.WEBHOOKS, [delivery])
  return delivery
}
