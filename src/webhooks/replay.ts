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

/** The replay of notifications that an endpoint did not get or has lost. */

/** The maximum number of notifications that one request replays. */
export const MAX_REPLAYED = 1_000

// Halves the range of sequences until it finds the first notification at a time or later. Reads about 2 rows in each
// of 20 steps, regardless of the number of notifications. Sequences are in the order of time.
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

export interface Range {
  readonly from_ms: number
  readonly to_ms: number
  /** Whether successful deliveries are left out. */
  readonly only_failed: boolean
}

export interface Replayed {
  readonly deliveries: number
  /** The start of the range of the next call; null at the end of the range. */
  readonly next_from_ms: number | null
}

/**
 * Starts the deliveries of a range of notifications again. Also delivers notifications that the endpoint never got.
 * Pending deliveries do not change. If the queue does not accept the messages, the sweep sends them.
 */
export async function replay(
  env: Bindings,
  endpoint: SealedEndpoint,
  { from_ms, to_ms, only_failed }: Range,
  now_ms: number,
): Promise<Replayed> {
  const { owner } = endpoint
  const { results } = await env.DB.prepare(IN_RANGE).bind(owner, from_ms, to_ms).all<Numbered>()
  const wanted = deliveriesOf(owner, results.slice(0, MAX_REPLAYED), [endpoint])
  const options = { due_at_ms: now_ms, succeeded: !only_failed }
  const restarted = await restartDeliveries(env, wanted, options).all<{ readonly delivery_id: string }>()
  const ids = new Set(restarted.results.map(({ delivery_id }) => delivery_id))
  const begun = wanted.filter((one) => ids.has(deliveryId(one)))
  await enqueue(env.WEBHOOKS, begun)
  return { deliveries: begun.length, next_from_ms: results[MAX_REPLAYED]?.at_ms ?? null }
}

/**
 * Makes a delivery due now, and returns its new state; undefined if it does not exist. A delivery with a running
 * attempt does not change.
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
