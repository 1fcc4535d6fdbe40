import type { Bindings } from '../bindings.ts'
import type { PriceFeedStatus } from '../db/schema.ts'
import { ledgerId } from '../ids.ts'
import { LEDGERS_BEHIND } from '../ledger/flush/flush-failures.ts'
import { parseStored } from '../ledger/model/json.ts'
import { tagOf } from '../ledger/model/ledger-ids.ts'
import type { NotificationData } from '../ledger/model/notifications.ts'
import { deliveriesOf, type Numbered } from './queue/fan-out.ts'
import { enqueue } from './queue/message.ts'
import { readEnabledEndpoints } from './records/endpoints.ts'
import { OPERATOR } from './records/secrets.ts'
import { OPERATOR_TYPES, type OperatorType } from './types.ts'

/**
 * Creates the notifications of the deployment for its operator. A notification is created when a condition begins, such
 * as open dead letters. While the condition lasts, no further notification is created. The notifications are stored in
 * the table `notifications`, with the ledger id `operator`.
 */

/**
 * The minimum delay of flushes before the operator is notified, in milliseconds. A shorter delay needs no action,
 * because flushes are retried automatically.
 */
const BEHIND_FOR_MS = 300_000
const MAX_COUNTED = 10_000

const COUNT_BEHIND = `
  SELECT count(*) AS ledgers, min(unflushed_since_ms) AS since_ms FROM (${LEDGERS_BEHIND} LIMIT ${MAX_COUNTED})
  WHERE unflushed_since_ms <= ?1`

const COUNT_DEAD_LETTERS = `
  SELECT count(*) AS count FROM (SELECT 1 FROM dead_letters WHERE state = 'open' LIMIT ${MAX_COUNTED})`

const COUNT_DIFFERENT = `
  SELECT count(*) AS count FROM (SELECT 1 FROM reconciliations WHERE status = 'DIFFERENT' LIMIT ${MAX_COUNTED})`

// This statement returns the price feed that was read last. The table has only about 100 feeds.
const LAST_FEED = 'SELECT status, version FROM price_feeds ORDER BY last_read_at_ms DESC LIMIT 1'

// This statement writes 1 row for each notification. It does not change a notification that was written before a crash.
const INSERT = `
  INSERT INTO notifications (ledger_id, sequence, type, at_ms, data)
  SELECT '${OPERATOR}', value ->> 'sequence', value ->> 'type', value ->> 'at_ms', value -> 'data'
  FROM json_each(?1) WHERE true ON CONFLICT (ledger_id, sequence) DO NOTHING`

const READ = `
  SELECT sequence, type, at_ms, data FROM notifications
  WHERE ledger_id = '${OPERATOR}' AND sequence > ?1 AND sequence <= ?2 ORDER BY sequence`

interface OperatorRow extends Numbered {
  readonly data: string
}

interface Condition {
  readonly type: OperatorType
  readonly data: NotificationData
}

/**
 * The state that the scheduled job saves between runs: the active conditions, and the sequence number of the last
 * notification.
 */
interface Known {
  readonly active: readonly string[]
  readonly sequence: number
}

interface Run {
  readonly env: Bindings
  readonly now_ms: number
  readonly after: string
  readonly reach: (place: string) => void
}

/**
 * Creates and queues a notification for each condition that has begun since the last run. Does nothing if the operator
 * has no enabled endpoint.
 */
export async function notifyOperator({ env, now_ms, after, reach }: Run): Promise<void> {
  const endpoints = await readEnabledEndpoints(env, [OPERATOR])
  if (endpoints.length === 0) return
  const known: Known = after === '' ? { active: [], sequence: 0 } : parseStored(after)
  const conditions = await readConditions(env.DB, now_ms)
  const begun = conditions.filter(({ type }) => !known.active.includes(type))
  const sequence = known.sequence + begun.length
  if (begun.length > 0) {
    const rows = begun.map(({ type, data }, i) => ({
      ...{ type, data, at_ms: now_ms },
      sequence: known.sequence + i + 1,
    }))
    await env.DB.prepare(INSERT).bind(JSON.stringify(rows)).run()
    const { results } = await env.DB.prepare(READ).bind(known.sequence, sequence).all<OperatorRow>()
    await enqueue(env.WEBHOOKS, deliveriesOf(OPERATOR, results, endpoints))
  }
  reach(JSON.stringify({ active: conditions.map(({ type }) => type), sequence } satisfies Known))
}

async function readConditions(db: D1Database, now_ms: number): Promise<Condition[]> {
  const [behind, letters, different, feed] = await Promise.all([
    db
      .prepare(COUNT_BEHIND)
      .bind(now_ms - BEHIND_FOR_MS)
      .first<{ readonly ledgers: number; readonly since_ms: number | null }>(),
    db.prepare(COUNT_DEAD_LETTERS).first<number>('count'),
    db.prepare(COUNT_DIFFERENT).first<number>('count'),
    db.prepare(LAST_FEED).first<{ readonly status: PriceFeedStatus; readonly version: number | null }>(),
  ])
  const lag_seconds = Math.round((now_ms - (behind?.since_ms ?? now_ms)) / 1_000)
  const data: Record<OperatorType, NotificationData | undefined> = {
    'ops.flush_behind': behind?.ledgers ? { ledgers: behind.ledgers, lag_seconds } : undefined,
    'ops.dead_letters': letters ? { open: letters } : undefined,
    'ops.reconcile_difference': different ? { ledgers: different } : undefined,
    'ops.price_feed_refused': feed?.status === 'REFUSED' ? { version: feed.version } : undefined,
  }
  return OPERATOR_TYPES.flatMap((type) => (data[type] ? [{ type, data: data[type] }] : []))
}

/**
 * A notification of the deployment. It has the same fields as `NotificationView`, which is for notifications of
 * ledgers.
 */
export interface OperatorView {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly sequence: number
  readonly customer_id: null
  readonly mode: null
  readonly data: NotificationData
}

export async function readOperatorNotifications(
  env: Pick<Bindings, 'DB'>,
  range: { readonly after_sequence: number; readonly to_sequence: number },
): Promise<OperatorView[]> {
  const bound = env.DB.prepare(READ).bind(range.after_sequence, range.to_sequence)
  const { results } = await bound.all<OperatorRow>()
  const tag = tagOf({ customer_id: OPERATOR, mode: 'live' })
  return results.map(({ sequence, type, at_ms, data }) => ({
    id: ledgerId('ntf', at_ms, sequence, tag),
    type,
    timestamp: new Date(at_ms).toISOString(),
    sequence,
    customer_id: null,
    mode: null,
    data: parseStored(data),
  }))
}
