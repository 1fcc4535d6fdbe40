import type { Bindings } from '../bindings.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { DELETED_AT_ONCE, deleteExpired, type Retained } from '../db/retention.ts'
import { ledgerId } from '../ids.ts'
import { readUnflushedNotifications } from '../ledger/client/client.ts'
import type { Caller } from '../ledger/model/account.ts'
import { parseStored } from '../ledger/model/json.ts'
import { tagOf } from '../ledger/model/ledger-ids.ts'
import type { Notification, NotificationData, NotificationType } from '../ledger/model/notifications.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { nameSubjects } from '../projection/read/subjects.ts'

/**
 * A notification in the form that clients receive. It is the body of a webhook request and the data of a stream event.
 */
export interface NotificationView {
  readonly id: string
  readonly type: NotificationType
  readonly timestamp: string
  readonly sequence: number
  readonly customer_id: string
  readonly mode: LedgerName['mode']
  readonly data: NotificationData
}

/** A contiguous range of a ledger's notifications, oldest first. */
export interface NotificationRange {
  /** The sequence number after which the range begins. */
  readonly after_sequence: number
  /** The highest sequence number of the range. By default, the range has no upper end. */
  readonly to_sequence?: number
  readonly limit: number
}

// Reads one row for each notification.
const READ = `
  SELECT sequence, type, at_ms, user_number, team_number, data FROM notifications
  WHERE ledger_id = ?1 AND sequence > ?2 AND sequence <= ?3 ORDER BY sequence LIMIT ?4`

interface Row {
  readonly sequence: number
  readonly type: NotificationType
  readonly at_ms: number
  readonly user_number: number | null
  readonly team_number: number | null
  readonly data: string
}

/** Reads flushed notifications from D1. A placeholder replaces the id of an erased user or team. */
export async function readFlushedNotifications(
  env: Pick<Bindings, 'DB'>,
  ledger: LedgerName,
  { after_sequence, to_sequence = Number.MAX_SAFE_INTEGER, limit }: NotificationRange,
): Promise<NotificationView[]> {
  const db = ledgerDb(env, ledger.customer_id)
  const ledger_id = ledgerKey(ledger)
  const { results } = await db.prepare(READ).bind(ledger_id, after_sequence, to_sequence, limit).all<Row>()
  const name = await nameSubjects(db, ledger_id, {
    user: new Set(results.flatMap(({ user_number }) => user_number ?? [])),
    team: new Set(results.flatMap(({ team_number }) => team_number ?? [])),
  })
  return results.map(({ sequence, type, at_ms, user_number, team_number, data }) => {
    const named: NotificationData = {
      ...(user_number !== null && { user_id: name('user', user_number) }),
      ...(team_number !== null && { team_id: name('team', team_number) }),
      ...parseStored<NotificationData>(data),
    }
    return notificationView(ledger, { sequence, type, at_ms, data: named })
  })
}

export interface NotificationsRead {
  readonly kind: 'done'
  readonly notifications: readonly NotificationView[]
  /**
   * The sequence number of the last unflushed notification that was read. If no unflushed notification was read, it is
   * the sequence number of the last flushed notification.
   */
  readonly last_sequence: number
}

/**
 * Returns notifications of a ledger, oldest first: first the flushed notifications from D1, then the unflushed
 * notifications from the ledger object. Returns the refusal if the ledger object refuses.
 */
export async function readNotifications(
  env: Bindings,
  ledger: LedgerName,
  { caller, after_sequence, limit }: NotificationRange & { readonly caller: Caller },
): Promise<NotificationsRead | Refused> {
  // Reads the ledger object before D1. A notification that is flushed between the two reads is therefore not missed.
  const unflushed = await readUnflushedNotifications(env, ledger, { caller, after_sequence, limit })
  if (unflushed.kind === 'refused') return unflushed
  const { notifications, flushed_sequence } = unflushed.answer
  const flushed =
    flushed_sequence > after_sequence
      ? await readFlushedNotifications(env, ledger, { after_sequence, to_sequence: flushed_sequence, limit })
      : []
  const rest = notifications.map((notification) => notificationView(ledger, notification))
  const all = [...flushed, ...rest].slice(0, limit)
  const last_sequence = notifications.at(-1)?.sequence ?? flushed_sequence
  return { kind: 'done', notifications: all, last_sequence }
}

export function notificationView(
  ledger: LedgerName,
  { sequence, type, at_ms, data }: Notification,
): NotificationView {
  const { customer_id, mode } = ledger
  return {
    id: ledgerId('ntf', at_ms, sequence, tagOf(ledger)),
    type,
    timestamp: new Date(at_ms).toISOString(),
    sequence,
    customer_id,
    mode,
    data,
  }
}

const UNHANDED = `
  SELECT ledger_id, handed_notification, last_notification FROM ledgers
  WHERE handed_notification < last_notification AND ledger_id > ?1 ORDER BY ledger_id LIMIT ?2`

/** A ledger with notifications that were not queued yet for the customer's webhook endpoints. */
export interface Unhanded {
  readonly ledger_id: string
  readonly handed_notification: number
  readonly last_notification: number
}

/**
 * Returns ledgers with notifications that were not queued yet. Without this query, such notifications would wait until
 * the next hint if their hint is lost. The query reads the index `ledgers_unhanded`, which contains only ledgers with
 * unqueued notifications.
 */
export async function unhandedLedgers(db: D1Database, after: string, limit: number): Promise<Unhanded[]> {
  return (await db.prepare(UNHANDED).bind(after, limit).all<Unhanded>()).results
}

const RETENTION: Retained = {
  table: 'notifications',
  owner: 'ledger_id',
  // Sequences are in the order of time.
  is_due: `(SELECT at_ms FROM notifications AS n WHERE n.ledger_id = o.owner ORDER BY sequence LIMIT 1) < ?2`,
  // Writes 1 row for each deleted notification. Reads the first rows of a ledger, up to the first one that is kept.
  // CROSS JOIN keeps the order of the list.
  forget: `
    DELETE FROM notifications WHERE (ledger_id, sequence) IN (
      SELECT n.ledger_id, n.sequence FROM (
        SELECT value AS ledger_id, (SELECT min(sequence) FROM notifications WHERE ledger_id = value)
          + ${DELETED_AT_ONCE} AS end FROM json_each(?1)) AS l
      CROSS JOIN notifications AS n
      WHERE n.ledger_id = l.ledger_id AND n.sequence < coalesce(
        (SELECT k.sequence FROM notifications AS k WHERE k.ledger_id = l.ledger_id AND k.sequence < l.end
          AND k.at_ms >= ?2 ORDER BY k.sequence LIMIT 1), l.end)
      LIMIT ${DELETED_AT_ONCE})
    RETURNING ledger_id AS owner`,
}

/**
 * Deletes notifications that were created before `before_ms`, and returns their number. One call deletes only a limited
 * number of them (`deleteExpired`).
 */
export function forgetNotifications(
  env: Pick<Bindings, 'DB'>,
  before_ms: number,
  walk: { readonly after: string; readonly reach: (ledger_id: string) => void },
): Promise<number> {
  return deleteExpired(env.DB, RETENTION, before_ms, walk)
}
