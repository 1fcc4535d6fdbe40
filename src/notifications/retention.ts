import type { Bindings } from '../bindings.ts'
import { DELETED_AT_ONCE, deleteExpired, type Retained } from '../db/retention.ts'

const NOTIFICATIONS: Retained = {
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

/** Deletes notifications that are older than the retention, and returns their number. */
export function forgetNotifications(
  env: Pick<Bindings, 'DB'>,
  before_ms: number,
  walk: { readonly after: string; readonly reach: (ledger_id: string) => void },
): Promise<number> {
  return deleteExpired(env.DB, NOTIFICATIONS, before_ms, walk)
}
