import { z } from 'zod'
import type { Bindings } from '../../bindings.ts'
import { BudgetSpent } from '../../cron/budget.ts'
import { ledgerName } from '../../db/ledger-db.ts'
import { ledgerId } from '../../ids.ts'
import { tagOf } from '../../ledger/model/ledger-ids.ts'
import { logError, logFailure } from '../../logging/log.ts'
import type { Delivered } from '../records/deliveries.ts'
import { type Endpoint, readEnabledEndpoints } from '../records/endpoints.ts'
import { subscribes } from '../types.ts'
import { callsToEnqueue, enqueue } from './message.ts'

/**
 * Consumes hints, which are queue messages about new notifications of a ledger in D1. Puts a message into the queue
 * `webhooks` for each notification and each enabled endpoint that subscribes to its type. Then increases
 * `ledgers.handed_notification`. After a crash between the two steps, messages are queued again. A repeated message is
 * harmless, because each delivery has only one row.
 */

/**
 * The maximum number of notifications that one run reads for a ledger, and the maximum number of deliveries that it
 * queues.
 */
const MAX_NOTIFICATIONS = 1_000
const MAX_DELIVERIES = 1_000
/**
 * The maximum number of calls for one ledger. One call reads its notifications, one updates `handed_notification`, and
 * the others queue deliveries.
 */
const CALLS_OF_LEDGER = 2 + callsToEnqueue(MAX_DELIVERIES)
/** The maximum number of calls in one run of the consumer. The platform allows 1,000 calls in an invocation. */
const CALLS_OF_CONSUMER = 600
const RETRY_DELAY_S = 10

const hintSchema = z.object({ v: z.literal(1), ledger_id: z.string().min(1) })

export async function consumeHints(batch: MessageBatch, env: Bindings): Promise<void> {
  const hints = batch.messages.map((message) => ({ message, hint: hintSchema.safeParse(message.body).data }))
  const ledgers = new Set(hints.flatMap(({ hint }) => hint?.ledger_id ?? []))
  const handed = await handOn(env, [...ledgers], CALLS_OF_CONSUMER)
  for (const { message, hint } of hints) {
    if (!hint) logFailure('notification_hint_malformed', { message: message.id })
    const how = hint ? handed.get(hint.ledger_id) : 'whole'
    if (how === 'whole') message.ack()
    else message.retry({ delaySeconds: how === 'failed' ? RETRY_DELAY_S : 0 })
  }
}

/**
 * The result of a run for one ledger. `partly` means that the ledger can have more notifications than one run queues.
 */
export type HandedOn = 'whole' | 'partly' | 'failed'

/**
 * Queues the deliveries of new notifications, one ledger after another. Returns the result of each ledger. Omits the
 * ledgers for which no calls were left. Logs failures, and throws only if the budget of a scheduled job is spent.
 */
export async function handOn(
  env: Bindings,
  ledger_ids: readonly string[],
  calls: number,
): Promise<ReadonlyMap<string, HandedOn>> {
  const handed = new Map<string, HandedOn>()
  if (ledger_ids.length === 0) return handed
  let of_ledger: ReadonlyMap<string, readonly Endpoint[]>
  try {
    of_ledger = Map.groupBy(await readEnabledEndpoints(env, ledger_ids), ({ owner }) => owner)
  } catch (error) {
    logError('notifications_not_handed_on', error, { ledgers: ledger_ids.length })
    return new Map(ledger_ids.map((ledger_id) => [ledger_id, 'failed']))
  }
  let left = calls - 1
  for (const ledger_id of ledger_ids) {
    if (left < CALLS_OF_LEDGER) break
    try {
      const { made, is_whole } = await handOnLedger(env, ledger_id, of_ledger.get(ledger_id) ?? [])
      left -= made
      handed.set(ledger_id, is_whole ? 'whole' : 'partly')
    } catch (error) {
      if (error instanceof BudgetSpent) throw error
      left -= CALLS_OF_LEDGER
      handed.set(ledger_id, 'failed')
      logError('notifications_not_handed_on', error, { ledger: ledger_id })
    }
  }
  return handed
}

const UNHANDED = `
  SELECT n.sequence, n.type, n.at_ms FROM ledgers AS l
  JOIN notifications AS n ON n.ledger_id = l.ledger_id AND n.sequence > l.handed_notification
  WHERE l.ledger_id = ?1 ORDER BY n.sequence LIMIT ?2`

// This statement writes 1 row. If later notifications remain, it also writes the entry of the row in the index
// `ledgers_unhanded`.
const HANDED = `
  UPDATE ledgers SET handed_notification = ?2 WHERE ledger_id = ?1 AND handed_notification < ?2`

/** The fields of a notification that are needed to create its deliveries. */
export interface Numbered {
  readonly sequence: number
  readonly type: string
  readonly at_ms: number
}

/**
 * Queues the deliveries of the new notifications of one ledger. Returns the number of calls, which is at most
 * `CALLS_OF_LEDGER`, and whether all notifications were queued.
 */
async function handOnLedger(
  env: Bindings,
  ledger_id: string,
  endpoints: readonly Endpoint[],
): Promise<{ readonly made: number; readonly is_whole: boolean }> {
  const limit = Math.min(MAX_NOTIFICATIONS, Math.floor(MAX_DELIVERIES / Math.max(1, endpoints.length)))
  const { results } = await env.DB.prepare(UNHANDED).bind(ledger_id, limit).all<Numbered>()
  const last = results.at(-1)
  if (!last) return { made: 1, is_whole: true }
  // A notification can be older than an endpoint although it reaches D1 after the endpoint was created. It is not sent
  // to this endpoint.
  const created = new Map(endpoints.map((endpoint) => [endpoint.webhook_endpoint_id, endpoint.created_at_ms]))
  const deliveries = deliveriesOf(ledger_id, results, endpoints).filter(
    ({ webhook_endpoint_id, at_ms }) => (created.get(webhook_endpoint_id) ?? Infinity) <= at_ms,
  )
  await enqueue(env.WEBHOOKS, deliveries)
  await env.DB.prepare(HANDED).bind(ledger_id, last.sequence).run()
  return { made: 2 + callsToEnqueue(deliveries.length), is_whole: results.length < limit }
}

/**
 * Returns a delivery for each notification and each endpoint that subscribes to its type, in the order of the
 * notifications.
 */
export function deliveriesOf(
  ledger_id: string,
  notifications: readonly Numbered[],
  endpoints: readonly Endpoint[],
): Delivered[] {
  const tag = tagOf(ledgerName(ledger_id))
  return notifications.flatMap(({ sequence, type, at_ms }) =>
    endpoints
      .filter(({ types }) => subscribes(types, type))
      .map(({ owner, webhook_endpoint_id }) => ({
        owner,
        webhook_endpoint_id,
        notification_id: ledgerId('ntf', at_ms, sequence, tag),
        sequence,
        type,
        at_ms,
      })),
  )
}

// This statement writes 1 row. It writes no row if the ledger already has an endpoint. Notifications that are already
// in D1 are not queued.
const BEGIN = `
  INSERT INTO ledgers (ledger_id, flushed_row, flushed_entry, flushed_at_ms, handed_notification)
  VALUES (?1, 0, 0, 0, 0)
  ON CONFLICT (ledger_id) DO UPDATE SET handed_notification = last_notification WHERE handed_notification IS NULL`

/**
 * Returns the statement that starts the queuing of a ledger's notifications. Every batch that adds an endpoint to a
 * ledger must contain it. It has an effect only for the first endpoint of the ledger.
 */
export function beginHandingOn(env: Pick<Bindings, 'DB'>, ledger_id: string): D1PreparedStatement {
  return env.DB.prepare(BEGIN).bind(ledger_id)
}

const END = `
  UPDATE ledgers SET handed_notification = NULL
  WHERE ledger_id = ?1 AND NOT EXISTS (SELECT 1 FROM webhook_endpoints WHERE owner = ?1)`

/**
 * Returns the statement that ends the queuing of a ledger's notifications. It must follow the statement that deletes an
 * endpoint. It has an effect only if the ledger has no more endpoints.
 */
export function endHandingOn(env: Pick<Bindings, 'DB'>, ledger_id: string): D1PreparedStatement {
  return env.DB.prepare(END).bind(ledger_id)
}
