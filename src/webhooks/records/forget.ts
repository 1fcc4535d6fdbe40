import type { Bindings } from '../../bindings.ts'
import { DELETED_AT_ONCE, deleteExpired, type Retained } from '../../db/retention.ts'
import { firstIdAt } from '../../ids.ts'
import { DAY_MS } from '../../time/durations.ts'

/** Deletes ended deliveries whose notification is older than 30 days. */

const RETENTION_MS = 30 * DAY_MS

const DELIVERIES: Retained = {
  table: 'webhook_deliveries',
  owner: 'owner',
  is_due: `EXISTS (SELECT 1 FROM webhook_deliveries AS d
      WHERE d.owner = o.owner AND d.delivery_id < ?2 AND d.status <> 'pending')`,
  // This statement writes 1 row for each deleted delivery. Pending deliveries are deleted only after they have ended.
  // CROSS JOIN makes SQLite read the owners in the order of the list.
  forget: `
    DELETE FROM webhook_deliveries WHERE (owner, delivery_id) IN (
      SELECT d.owner, d.delivery_id FROM json_each(?1) AS o CROSS JOIN webhook_deliveries AS d
      WHERE d.owner = o.value AND d.delivery_id < ?2 AND d.status <> 'pending' LIMIT ${DELETED_AT_ONCE})
    RETURNING owner`,
}

interface ForgetRun {
  readonly env: Bindings
  readonly now_ms: number
  /** The owner where the previous run stopped. The run begins with the next owner. */
  readonly after: string
  readonly reach: (place: string) => void
}

/**
 * Deletes deliveries that have ended and are older than the retention, and returns the number of deleted deliveries.
 * One call deletes only a limited number of them (`deleteExpired`).
 */
export function forgetDeliveries({ env, now_ms, ...walk }: ForgetRun): Promise<number> {
  return deleteExpired(env.DB, DELIVERIES, firstIdAt('dlv', now_ms - RETENTION_MS), walk)
}
