import type { Bindings } from '../bindings.ts'
import { ledgerDb, ledgerKey } from '../db/ledger-db.ts'
import { ledgerId } from '../ids.ts'
import { readUnflushedNotifications } from '../ledger/client/client.ts'
import type { Caller } from '../ledger/model/account.ts'
import { parseStored } from '../ledger/model/json.ts'
import { tagOf } from '../ledger/model/ledger-ids.ts'
import type { Notification, NotificationData, NotificationType } from '../ledger/model/notifications.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import type { LedgerName } from '../ledger/model/vocabulary.ts'
import { nameSubjects } from '../projection/read/subjects.ts'

/** A notification in the form for clients: the body of a webhook, and the data of an event of the stream. */
export interface NotificationView {
  readonly id: string
  readonly type: NotificationType
  readonly timestamp: string
  readonly sequence: number
  readonly customer_id: string
  readonly mode: LedgerName['mode']
  readonly data: NotificationData
}

/** A range of the notifications of a ledger, oldest first, without a gap. */
export interface NotificationRange {
  /** The sequence before the start of the range. */
  readonly after_sequence: number
  /** The highest sequence of the range. */
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

/** Reads notifications from D1. The id of an erased user or team is replaced by a placeholder. */
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
   * The sequence of the last notification that the object returned; if it returned none, the newest sequence of the
   * ledger.
   */
  readonly last_sequence: number
}

/**
 * Returns notifications of the ledger, oldest first. The notifications in D1 precede the notifications that the
 * object has not flushed.
 */
export async function readNotifications(
  env: Bindings,
  ledger: LedgerName,
  { caller, after_sequence, limit }: NotificationRange & { readonly caller: Caller },
): Promise<NotificationsRead | Refused> {
  // Reads the object first. Notifications that it flushes between the two reads are then found in D1.
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

/** A ledger with notifications that are not yet queued for its webhook endpoints. */
export interface Unhanded {
  readonly ledger_id: string
  readonly handed_notification: number
  readonly last_notification: number
}

/**
 * Returns ledgers with notifications that are not queued yet, because the hint to queue them may be lost. The index
 * contains only such ledgers.
 */
export async function unhandedLedgers(db: D1Database, after: string, limit: number): Promise<Unhanded[]> {
  return (await db.prepare(UNHANDED).bind(after, limit).all<Unhanded>()).results
}
