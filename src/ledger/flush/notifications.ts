import { jsonParameters } from '../../db/json-parameters.ts'
import { logError } from '../../logging/log.ts'
import type { Watermark } from '../journal/cursor.ts'
import type { SubjectNumber } from '../journal/packed-page.ts'
import type { NotificationRecord } from '../model/journal.ts'

// Writes the notifications of a flush, one row for each notification. Writes nothing if the watermark has moved. After
// a restore of D1, a flush writes journal rows again, and skips the notifications that exist.
const INSERT = `
  INSERT INTO notifications (ledger_id, sequence, type, at_ms, user_number, team_number, data)
  SELECT ?1, value ->> 'sequence', value ->> 'type', value ->> 'at_ms', value ->> 'user_number',
    value ->> 'team_number', value -> 'data'
  FROM json_each(?2)
  WHERE (SELECT flushed_row FROM ledgers WHERE ledger_id = ?1) = ?3
  ON CONFLICT DO NOTHING`

/**
 * Returns the statements that write the notifications of a flush. They are part of the flush's batch. In these rows, as
 * in pages, numbers replace the ids of users and teams.
 */
export function insertNotifications(
  db: D1Database,
  ledger_id: string,
  records: readonly NotificationRecord[],
  subject: SubjectNumber,
  from_row: number,
): D1PreparedStatement[] {
  const rows = records.map(({ sequence, type, at_ms, data: { user_id, team_id, ...data } }) =>
    JSON.stringify({
      sequence,
      type,
      at_ms,
      user_number: user_id === undefined ? null : subject('user', user_id),
      team_number: team_id === undefined ? null : subject('team', team_id),
      data,
    }),
  )
  return jsonParameters(rows).map((list) => db.prepare(INSERT).bind(ledger_id, list, from_row))
}

/**
 * A hint that D1 has notifications of a ledger for which webhook deliveries must be created. A hint can arrive twice,
 * late or never.
 */
export interface NotificationHint {
  readonly v: 1
  readonly ledger_id: string
  readonly from_sequence: number
  readonly to_sequence: number
}

/**
 * Sends a hint if a flush wrote notifications and the ledger has a webhook endpoint. Never throws, because a scheduled
 * job finds notifications whose hint was lost (`webhooks/queue/sweep.ts`).
 */
export async function hintNotifications(
  queue: Queue,
  ledger_id: string,
  { last_notification, handed_notification }: Watermark,
  records: readonly NotificationRecord[],
): Promise<void> {
  const [first] = records
  if (!first || handed_notification === null || handed_notification >= last_notification) return
  try {
    const hint: NotificationHint = {
      v: 1,
      ledger_id,
      from_sequence: first.sequence,
      to_sequence: last_notification,
    }
    await queue.send(hint)
  } catch (error) {
    logError('notifications_not_handed_on', error, { ledger: ledger_id, to_sequence: last_notification })
  }
}
