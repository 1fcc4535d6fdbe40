import { createHash } from 'node:crypto'
import type { Bindings } from '../../bindings.ts'
import type { SubjectKind } from '../../db/schema.ts'
import { randomId } from '../../ids.ts'
import { parseStored } from '../../ledger/model/json.ts'
import type { Attempt } from '../delivery/send.ts'

/**
 * Reads and writes the deliveries in D1. A notification has at most one row for each endpoint, even if it is sent
 * several times.
 */

/**
 * The statuses of a delivery. A delivery is `dropped` if its endpoint was disabled or deleted, or if its notification
 * was deleted before the message was sent.
 */
export const DELIVERY_STATUSES = ['pending', 'succeeded', 'failed', 'dropped'] as const
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

/**
 * A notification and the endpoint that it is delivered to. The text of the message is not part of it, because the text
 * is created when the message is sent.
 */
export interface Delivered {
  readonly owner: string
  readonly webhook_endpoint_id: string
  readonly notification_id: string
  /** The sequence number of the notification; 0 for a test message (`POST …/test`). */
  readonly sequence: number
  readonly type: string
  /** The time of the notification. */
  readonly at_ms: number
}

export interface Delivery extends Delivered {
  readonly delivery_id: string
  readonly status: DeliveryStatus
  /** The number of attempts since the delivery was created or, if it was restarted, since the last restart. */
  readonly made: number
  /**
   * The time of the next attempt. While an attempt runs, it is the time after which the attempt is considered lost.
   * Null if the delivery is not pending.
   */
  readonly due_at_ms: number | null
  /** The last attempts of the delivery, at most `MAX_ATTEMPTS_KEPT`. The oldest is first. */
  readonly attempts: readonly Attempt[]
}

interface Row extends Omit<Delivery, 'attempts'> {
  readonly attempts: string
}

/** The maximum number of attempts that the row of a delivery stores. */
export const MAX_ATTEMPTS_KEPT = 20

type Db = Pick<Bindings, 'DB'>

/**
 * Returns the id of the delivery of a notification to an endpoint. The order of the ids is the order of the
 * notifications' times.
 */
export function deliveryId({ webhook_endpoint_id, notification_id, at_ms }: Delivered): string {
  const digest = createHash('sha256').update(`${webhook_endpoint_id} ${notification_id}`).digest()
  return randomId('dlv', at_ms, digest.subarray(0, 10))
}

/** The new state of a delivery, with or without a new attempt. */
export interface Outcome extends Delivered {
  readonly status: DeliveryStatus
  readonly made: number
  /** Whether an attempt is running. If so, `due_at_ms` is the time after which the attempt is considered lost. */
  readonly in_flight: boolean
  readonly due_at_ms: number | null
  /** The new attempt; undefined if no attempt was made. */
  readonly attempt?: Attempt | undefined
}

const COLUMNS =
  'owner, delivery_id, webhook_endpoint_id, notification_id, sequence, type, at_ms, status, made, in_flight, due_at_ms, attempts'

const erased = (kind: SubjectKind) => `EXISTS (
    SELECT 1 FROM notifications AS n CROSS JOIN subjects AS s
    WHERE n.ledger_id = value ->> 'owner' AND n.sequence = value ->> 'sequence' AND s.ledger_id = n.ledger_id
      AND s.kind = '${kind}' AND s.number = n.${kind}_number AND s.erased_at_ms IS NOT NULL)`

// The receiver's response is not stored if the message is about an erased user or team. An erasure deletes only the
// responses that are already stored, but an attempt can end after the erasure.
const VALUES = `
  SELECT value ->> 'owner', value ->> 'delivery_id', value ->> 'webhook_endpoint_id', value ->> 'notification_id',
    value ->> 'sequence', value ->> 'type', value ->> 'at_ms', value ->> 'status', value ->> 'made',
    value ->> 'in_flight', value ->> 'due_at_ms',
    CASE WHEN json_array_length(value -> 'attempts') > 0 AND (${erased('user')} OR ${erased('team')})
      THEN json_set(value -> 'attempts', '$[0].answer', '') ELSE value -> 'attempts' END
  FROM json_each(?1) WHERE true`

// For a delivery that has ended, this statement writes 1 row. For a pending delivery, it writes 2 rows: the row and its
// index entry. It does not change a delivery that had already ended, because the attempt was then a repeat.
const RECORD = `
  INSERT INTO webhook_deliveries (${COLUMNS}) ${VALUES}
  ON CONFLICT (owner, delivery_id) DO UPDATE SET status = excluded.status, made = excluded.made,
    in_flight = excluded.in_flight, due_at_ms = excluded.due_at_ms,
    attempts = CASE WHEN json_array_length(excluded.attempts) = 0 THEN attempts ELSE
      json_insert(CASE WHEN json_array_length(attempts) < ${MAX_ATTEMPTS_KEPT} THEN attempts
        ELSE json_remove(attempts, '$[0]') END, '$[#]', excluded.attempts -> 0) END
  WHERE webhook_deliveries.status = 'pending'`

/** Returns the statement that writes the new states and attempts of deliveries. */
export function recordOutcomes(env: Db, outcomes: readonly Outcome[]): D1PreparedStatement {
  return env.DB.prepare(RECORD).bind(JSON.stringify(outcomes.map(valuesOf)))
}

// This statement writes 2 rows for each created or restarted delivery: the row and its index entry. If `?2` is true, it
// also restarts successful deliveries.
const RESTART = `
  INSERT INTO webhook_deliveries (${COLUMNS}) ${VALUES}
  ON CONFLICT (owner, delivery_id) DO UPDATE SET status = 'pending', made = 0, in_flight = 0,
    due_at_ms = excluded.due_at_ms
  WHERE webhook_deliveries.status <> 'pending' AND (?2 OR webhook_deliveries.status <> 'succeeded')
  RETURNING delivery_id`

/**
 * Returns the statement that restarts deliveries, and creates missing deliveries. It does not change pending
 * deliveries. The result of the statement is the ids of the created and restarted deliveries.
 */
export function restartDeliveries(
  env: Db,
  delivered: readonly Delivered[],
  { due_at_ms, succeeded }: { readonly due_at_ms: number; readonly succeeded: boolean },
): D1PreparedStatement {
  const values = delivered.map((one) =>
    valuesOf({ ...one, status: 'pending', made: 0, in_flight: false, due_at_ms }),
  )
  return env.DB.prepare(RESTART).bind(JSON.stringify(values), succeeded ? 1 : 0)
}

// An attempt that is considered lost, for example after a crash, does not prevent the restart.
const RESTART_ONE = `
  UPDATE webhook_deliveries SET status = 'pending', made = 0, in_flight = 0, due_at_ms = ?3
  WHERE owner = ?1 AND delivery_id = ?2 AND (in_flight = 0 OR due_at_ms <= ?3)`

/**
 * Returns the statement that restarts a delivery with the given due time. It changes nothing if an attempt of the
 * delivery is running.
 */
export function restartDelivery(env: Db, owner: string, id: string, due_at_ms: number): D1PreparedStatement {
  return env.DB.prepare(RESTART_ONE).bind(owner, id, due_at_ms)
}

function valuesOf({ attempt, in_flight, ...outcome }: Outcome): object {
  const attempts = attempt ? [attempt] : []
  return { ...outcome, delivery_id: deliveryId(outcome), in_flight: in_flight ? 1 : 0, attempts }
}

const DROPPED_AT_ONCE = 1_000

// This statement writes 1 row for each delivery.
const DROP_PENDING = `
  UPDATE webhook_deliveries SET status = 'dropped', in_flight = 0, due_at_ms = NULL
  WHERE (owner, delivery_id) IN (
    SELECT owner, delivery_id FROM webhook_deliveries
    WHERE status = 'pending' AND webhook_endpoint_id = ?1 LIMIT ${DROPPED_AT_ONCE})`

/**
 * Returns the statement that drops pending deliveries to an endpoint, at most 1,000. Further deliveries are dropped
 * when they are due.
 */
export function dropPending(env: Db, webhook_endpoint_id: string): D1PreparedStatement {
  return env.DB.prepare(DROP_PENDING).bind(webhook_endpoint_id)
}

const SELECT_STATES = `
  SELECT owner, delivery_id, status, made, in_flight, due_at_ms FROM webhook_deliveries
  WHERE (owner, delivery_id) IN (SELECT value ->> 'owner', value ->> 'delivery_id' FROM json_each(?1))`

export interface DeliveryState extends Pick<Delivery, 'delivery_id' | 'status' | 'made' | 'due_at_ms'> {
  readonly in_flight: 0 | 1
}

/** Returns the states of the given deliveries. Omits deliveries that have no row yet. */
export async function readStates(
  env: Db,
  delivered: readonly Delivered[],
): Promise<readonly DeliveryState[]> {
  const names = delivered.map((one) => ({ owner: one.owner, delivery_id: deliveryId(one) }))
  return (await env.DB.prepare(SELECT_STATES).bind(JSON.stringify(names)).all<DeliveryState>()).results
}

/** The maximum number of attempts that run at the same time for one endpoint. */
export const MAX_IN_FLIGHT = 5

// This statement reads at most MAX_IN_FLIGHT index entries for each endpoint.
const COUNT_IN_FLIGHT = `
  SELECT value AS webhook_endpoint_id, (SELECT count(*) FROM (
    SELECT 1 FROM webhook_deliveries WHERE status = 'pending' AND webhook_endpoint_id = value AND in_flight = 1
      AND due_at_ms > ?2 LIMIT ${MAX_IN_FLIGHT})) AS count
  FROM json_each(?1)`

export interface InFlight {
  readonly webhook_endpoint_id: string
  readonly count: number
}

/** Returns the number of running attempts of each endpoint. Counts at most `MAX_IN_FLIGHT` attempts of an endpoint. */
export async function countInFlight(
  env: Db,
  endpoint_ids: readonly string[],
  now_ms: number,
): Promise<readonly InFlight[]> {
  const bound = env.DB.prepare(COUNT_IN_FLIGHT).bind(JSON.stringify(endpoint_ids), now_ms)
  return (await bound.all<InFlight>()).results
}

// This statement writes 2 rows: the row and its index entry.
const CLAIM_NEXT = `
  UPDATE webhook_deliveries SET in_flight = 1, due_at_ms = ?3
  WHERE (owner, delivery_id) IN (
    SELECT owner, delivery_id FROM webhook_deliveries
    WHERE status = 'pending' AND webhook_endpoint_id = ?1 AND in_flight = 0 AND due_at_ms <= ?2
    ORDER BY due_at_ms LIMIT 1)
  RETURNING owner, webhook_endpoint_id, notification_id, sequence, type, at_ms`

/**
 * Claims the next due delivery of an endpoint: the delivery that has been due for the longest time. Marks it as running
 * until `lease_ms` and returns it. Returns null if no delivery is due.
 */
export async function claimNext(
  env: Db,
  webhook_endpoint_id: string,
  now_ms: number,
  lease_ms: number,
): Promise<Delivered | null> {
  return env.DB.prepare(CLAIM_NEXT).bind(webhook_endpoint_id, now_ms, lease_ms).first<Delivered>()
}

// This statement finds each next endpoint with the index. It reads only a few index entries for each endpoint,
// regardless of the number of its deliveries.
const ENDPOINTS_DUE = `
  WITH RECURSIVE e (id) AS (
    SELECT min(webhook_endpoint_id) FROM webhook_deliveries WHERE status = 'pending' AND webhook_endpoint_id > ?1
    UNION ALL
    SELECT (SELECT min(webhook_endpoint_id) FROM webhook_deliveries
      WHERE status = 'pending' AND webhook_endpoint_id > e.id) FROM e WHERE e.id IS NOT NULL LIMIT ?3)
  SELECT id AS webhook_endpoint_id, EXISTS (SELECT 1 FROM webhook_deliveries
    WHERE status = 'pending' AND webhook_endpoint_id = e.id AND in_flight IN (0, 1) AND due_at_ms <= ?2) AS is_due
  FROM e WHERE id IS NOT NULL`

export interface EndpointDue {
  readonly webhook_endpoint_id: string
  readonly is_due: 0 | 1
}

/**
 * Returns the endpoints with pending deliveries whose id is after `after_id`, in the order of their ids. `is_due` is 1
 * if at least one delivery of the endpoint was due at `before_ms`.
 */
export async function endpointsDue(
  env: Db,
  after_id: string,
  before_ms: number,
  limit: number,
): Promise<readonly EndpointDue[]> {
  return (await env.DB.prepare(ENDPOINTS_DUE).bind(after_id, before_ms, limit).all<EndpointDue>()).results
}

const SELECT_DUE = `
  SELECT owner, webhook_endpoint_id, notification_id, sequence, type, at_ms FROM webhook_deliveries
  WHERE status = 'pending' AND webhook_endpoint_id = ?1 AND in_flight IN (0, 1) AND due_at_ms <= ?2
  ORDER BY due_at_ms LIMIT ?3`

/**
 * Returns the deliveries of an endpoint that were due at `before_ms`. The delivery with the earliest due time is first.
 */
export async function dueDeliveries(
  env: Db,
  webhook_endpoint_id: string,
  before_ms: number,
  limit: number,
): Promise<readonly Delivered[]> {
  const bound = env.DB.prepare(SELECT_DUE).bind(webhook_endpoint_id, before_ms, limit)
  return (await bound.all<Delivered>()).results
}

const DELIVERY_COLUMNS =
  'owner, delivery_id, webhook_endpoint_id, notification_id, sequence, type, at_ms, status, made, due_at_ms, attempts'

const SELECT_ONE = `SELECT ${DELIVERY_COLUMNS} FROM webhook_deliveries WHERE owner = ?1 AND delivery_id = ?2`

export async function findDelivery(env: Db, owner: string, id: string): Promise<Delivery | undefined> {
  const row = await env.DB.prepare(SELECT_ONE).bind(owner, id).first<Row>()
  return row ? deliveryOf(row) : undefined
}

/**
 * The maximum number of rows that are read for one page. If few of these rows match the query, the page has fewer rows
 * than the limit, and the next page continues after them.
 */
const MAX_SCANNED = 1_000

const LIST = `
  SELECT * FROM (
    SELECT ${DELIVERY_COLUMNS} FROM webhook_deliveries WHERE owner = ?1 AND delivery_id < ?2
    ORDER BY delivery_id DESC LIMIT ${MAX_SCANNED})
  WHERE (?3 IS NULL OR webhook_endpoint_id = ?3) AND (?4 IS NULL OR status = ?4) AND (?5 IS NULL OR type = ?5)
  LIMIT ?6`

// If LIST finds no row after the page, this statement returns the last row that LIST has read. It returns no row if
// LIST has read fewer than MAX_SCANNED rows.
const END_OF_SCAN = `
  SELECT delivery_id FROM webhook_deliveries WHERE owner = ?1 AND delivery_id < ?2
  ORDER BY delivery_id DESC LIMIT 1 OFFSET ${MAX_SCANNED - 1}`

export interface DeliveryQuery {
  readonly before_id: string
  readonly limit: number
  readonly endpoint_id?: string | undefined
  readonly status?: DeliveryStatus | undefined
  readonly type?: string | undefined
}

/**
 * Returns a page of deliveries, newest first. The page can have fewer than `limit` deliveries even if a next page
 * exists. `next_id` is null if there is no next page.
 */
export async function listDeliveries(
  env: Db,
  owner: string,
  { before_id, limit, endpoint_id, status, type }: DeliveryQuery,
): Promise<{ readonly deliveries: readonly Delivery[]; readonly next_id: string | null }> {
  const { results } = await env.DB.prepare(LIST)
    .bind(owner, before_id, endpoint_id ?? null, status ?? null, type ?? null, limit + 1)
    .all<Row>()
  const page = results.slice(0, limit)
  const last = results.length > limit ? page.at(-1) : undefined
  const next_id =
    last?.delivery_id ??
    (await env.DB.prepare(END_OF_SCAN).bind(owner, before_id).first<string>('delivery_id'))
  return { deliveries: page.map(deliveryOf), next_id }
}

function deliveryOf({ attempts, ...row }: Row): Delivery {
  return { ...row, attempts: parseStored(attempts) }
}
