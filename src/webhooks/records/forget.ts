import type { Bindings } from '../../bindings.ts'
import { firstIdAt } from '../../ids.ts'
import { DAY_MS } from '../../time/durations.ts'

/** Deletes deliveries of notifications that are older than 30 days, one owner after the other. */

const RETENTION_MS = 30 * DAY_MS
const OWNERS_A_RUN = 20
const DELETED_OF_OWNER = 1_000

// Jumps from one owner to the next.
const OWNERS = `
  WITH RECURSIVE o (owner) AS (
    SELECT min(owner) FROM webhook_deliveries WHERE owner > ?1
    UNION ALL
    SELECT (SELECT min(owner) FROM webhook_deliveries WHERE owner > o.owner) FROM o
    WHERE o.owner IS NOT NULL LIMIT ${OWNERS_A_RUN})
  SELECT owner FROM o WHERE owner IS NOT NULL`

// 1 row written for each. A pending delivery is deleted once it has ended.
const FORGET = `
  DELETE FROM webhook_deliveries WHERE (owner, delivery_id) IN (
    SELECT owner, delivery_id FROM webhook_deliveries
    WHERE owner = ?1 AND delivery_id < ?2 AND status <> 'pending' LIMIT ${DELETED_OF_OWNER})`

interface ForgetRun {
  readonly env: Bindings
  readonly now_ms: number
  /** The owner after which the run begins. */
  readonly after: string
  readonly reach: (place: string) => void
}

/** Returns how many it deleted. */
export async function forgetDeliveries({ env, now_ms, after, reach }: ForgetRun): Promise<number> {
  const { results } = await env.DB.prepare(OWNERS).bind(after).all<{ readonly owner: string }>()
  const last = results.at(-1)
  reach(results.length === OWNERS_A_RUN && last ? last.owner : '')
  if (!last) return 0
  const before = firstIdAt('dlv', now_ms - RETENTION_MS)
  const answers = await env.DB.batch(results.map(({ owner }) => env.DB.prepare(FORGET).bind(owner, before)))
  return answers.reduce((sum, { meta }) => sum + meta.changes, 0)
}
