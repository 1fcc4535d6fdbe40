import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { logError, logInfo } from '../../logging/log.ts'
import { forgetReplayed } from '../queue/replay-dead-letters.ts'
import { BrokenPages } from './flushed-usage.ts'
import { continueRebuild, ENTRIES_A_CALL } from './rebuild.ts'
import { expireDays } from './retention.ts'

/** A run does at most so much of it; what is left is the next one's. */
const REBUILDS_A_RUN = 3
const RETIRED_A_RUN = 20
const ROWS_A_GENERATION = 2_000
/** Who began to read a generation before it was replaced has finished by then. */
const RETIRED_FOR_MS = 15 * 60_000

/** The cron's part in rollups: rebuilds that were left off, generations that were replaced, what is too old. */
export async function keepRollups(env: Bindings, now_ms: number): Promise<void> {
  const { DB: db } = env
  const rebuilt = await finishRebuilds(db, now_ms)
  const deleted_rows = await deleteRetired(db, now_ms)
  const expired_rows = await expireDays(db, configOf(env).rollup_retention_days, now_ms)
  const forgotten_letters = await forgetReplayed(db, now_ms)
  if (rebuilt + deleted_rows + expired_rows + forgotten_letters > 0) {
    logInfo('rollups_kept', { rebuilt, deleted_rows, expired_rows, forgotten_letters })
  }
}

const UNFINISHED = `
  SELECT ledger_id, generation FROM rollup_watermarks WHERE state = ?1 AND state <> 'active' AND state_at_ms < ?2
  ORDER BY state_at_ms LIMIT ?3`

/** Behind all others that wait. */
const WAIT = `UPDATE rollup_watermarks SET state_at_ms = ?2 WHERE ledger_id = ?1 AND state = 'building'`

interface Generation {
  ledger_id: string
  generation: number
}

async function unfinished(
  db: D1Database,
  state: 'building' | 'retired',
  before_ms: number,
  limit: number,
): Promise<Generation[]> {
  return (await db.prepare(UNFINISHED).bind(state, before_ms, limit).all<Generation>()).results
}

async function finishRebuilds(db: D1Database, now_ms: number): Promise<number> {
  let finished = 0
  for (const { ledger_id } of await unfinished(db, 'building', now_ms, REBUILDS_A_RUN)) {
    try {
      const { done } = await continueRebuild(db, ledger_id, ENTRIES_A_CALL, now_ms)
      if (done) finished++
    } catch (error) {
      if (!(error instanceof BrokenPages)) throw error
      logError('rebuild_waits_for_pages', error, { ledger: ledger_id })
      await db.prepare(WAIT).bind(ledger_id, now_ms).run()
    }
  }
  return finished
}

const DELETE_DAYS = `
  DELETE FROM rollup_days WHERE (ledger_id, generation, day, part) IN (
    SELECT ledger_id, generation, day, part FROM rollup_days
    WHERE ledger_id = ?1 AND generation = ?2 LIMIT ${ROWS_A_GENERATION})`

const DELETE_USERS = `
  DELETE FROM rollup_users WHERE (ledger_id, generation, day, bucket, part) IN (
    SELECT ledger_id, generation, day, bucket, part FROM rollup_users
    WHERE ledger_id = ?1 AND generation = ?2 LIMIT ${ROWS_A_GENERATION})`

const DELETE_WATERMARK = `
  DELETE FROM rollup_watermarks WHERE ledger_id = ?1 AND generation = ?2 AND state = 'retired'
    AND NOT EXISTS (SELECT 1 FROM rollup_days WHERE ledger_id = ?1 AND generation = ?2)
    AND NOT EXISTS (SELECT 1 FROM rollup_users WHERE ledger_id = ?1 AND generation = ?2)`

/** 1 row written for each row of it, and 2 for its watermark. */
async function deleteRetired(db: D1Database, now_ms: number): Promise<number> {
  let rows = 0
  for (const retired of await unfinished(db, 'retired', now_ms - RETIRED_FOR_MS, RETIRED_A_RUN)) {
    const results = await db.batch(
      [DELETE_DAYS, DELETE_USERS, DELETE_WATERMARK].map((query) =>
        db.prepare(query).bind(retired.ledger_id, retired.generation),
      ),
    )
    rows += results.reduce((sum, { meta }) => sum + meta.changes, 0)
  }
  return rows
}
