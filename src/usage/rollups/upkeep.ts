import { BudgetSpent } from '../../cron/budget.ts'
import { logError } from '../../logging/log.ts'
import { DAY_MS } from '../../time/durations.ts'
import { addTotals, packTotals, totalsOf, unpackTotals } from '../cells/cells.ts'
import { unpackCells } from '../cells/pack-cells.ts'
import { MalformedCells, parsePacked } from '../cells/packed-values.ts'
import { continueRebuild, ENTRIES_A_CALL } from './rebuild.ts'

/**
 * This file contains the scheduled maintenance of rollups. Each run has limits, and the next run continues where it
 * ended.
 */

const REBUILDS_A_RUN = 3
const RETIRED_A_RUN = 20
const ROWS_A_GENERATION = 2_000
/** The time for which a replaced generation is kept, because a reader could still use it. */
const RETIRED_FOR_MS = 15 * 60_000

const UNFINISHED = `
  SELECT ledger_id, generation FROM rollup_watermarks WHERE state = ?1 AND state <> 'active' AND state_at_ms < ?2
  ORDER BY state_at_ms LIMIT ?3`

/** Moves a rebuild to the end of the queue, which is ordered by `state_at_ms`. */
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

/**
 * Continues unfinished rebuilds, beginning with the one that has waited longest. Logs a rebuild that fails, and
 * continues with the next. Returns the number of finished rebuilds. Throws `BudgetSpent` if the run has no more calls.
 */
export async function finishRebuilds(db: D1Database, now_ms: number): Promise<number> {
  let finished = 0
  for (const { ledger_id } of await unfinished(db, 'building', now_ms, REBUILDS_A_RUN)) {
    try {
      const { done } = await continueRebuild(db, ledger_id, ENTRIES_A_CALL, now_ms)
      if (done) finished++
    } catch (error) {
      if (error instanceof BudgetSpent) throw error
      logError('rebuild_waits', error, { ledger: ledger_id })
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

/**
 * Deletes replaced generations, at most `ROWS_A_GENERATION` rows of each table per generation and run. Writes 1 row for
 * each deleted row. Returns the number of deleted rows.
 */
export async function deleteRetired(db: D1Database, now_ms: number): Promise<number> {
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

const WATERMARKS_A_RUN = 2_000
const LEDGERS_A_RUN = 30
const DAY_ROWS_A_LEDGER = 50
const USER_ROWS_A_LEDGER = 1_000

/** Returns the first day that is not deleted, in whole days since 1970. `kept_days` is the retention in days. */
export function firstKeptDay(kept_days: number, now_ms: number): number {
  return Math.floor(now_ms / DAY_MS) - kept_days
}

// A ledger has at most one active generation, so each ledger is one row. Reads at most 2 rows for it, and 1 row for
// each of its other generations: the watermark, and the oldest day by primary key.
const WITH_OLD_DAYS = `
  SELECT ledger_id, generation, version, expired, coalesce((
    SELECT min(day) FROM rollup_days WHERE ledger_id = w.ledger_id AND generation = w.generation), ?2) < ?2 AS is_old
  FROM rollup_watermarks AS w WHERE ledger_id > ?1 AND state = 'active' ORDER BY ledger_id LIMIT ${WATERMARKS_A_RUN}`

interface Watermark {
  ledger_id: string
  generation: number
  version: number
  expired: string
  is_old: number
}

/**
 * Deletes days from rollups when their retention has ended. Adds the sums of the deleted days to `expired` in the
 * watermark, so that reconciliation can still compare the sums. Writes 1 row for each deleted row, and at most 1 row
 * for each ledger. Begins after the ledger `after`. Calls `reach` with each ledger that it has processed, or with an
 * empty text after the last ledger, so that the next run begins with the first ledger. Returns the number of deleted
 * rows in `rollup_days`.
 */
export async function expireDays(
  db: D1Database,
  kept_days: number,
  now_ms: number,
  after: string,
  reach: (ledger_id: string) => void,
): Promise<number> {
  const first_kept_day = firstKeptDay(kept_days, now_ms)
  const { results } = await db.prepare(WITH_OLD_DAYS).bind(after, first_kept_day).all<Watermark>()
  const old = results.filter(({ is_old }) => is_old === 1)
  let expired = 0
  for (const rollup of old.slice(0, LEDGERS_A_RUN)) {
    try {
      expired += await expireLedger(db, rollup, first_kept_day)
    } catch (error) {
      // A stored row is damaged. A rebuild of the ledger's rollups repairs it. The days of other ledgers are still
      // deleted.
      if (!(error instanceof MalformedCells)) throw error
      logError('days_not_expired', error, { ledger: rollup.ledger_id })
    }
    reach(rollup.ledger_id)
  }
  if (old.length <= LEDGERS_A_RUN) {
    reach(results.length < WATERMARKS_A_RUN ? '' : (results.at(-1)?.ledger_id ?? ''))
  }
  return expired
}

// Deletes at most `USER_ROWS_A_LEDGER` rows before the day `?3`, by primary key.
const DELETE_OLD_USERS = `
  DELETE FROM rollup_users WHERE (ledger_id, generation, day, bucket, part) IN (
    SELECT ledger_id, generation, day, bucket, part FROM rollup_users
    WHERE ledger_id = ?1 AND generation = ?2 AND day < ?3 LIMIT ${USER_ROWS_A_LEDGER})`

const OLD_DAYS = `
  SELECT day, part, by_day FROM rollup_days
  WHERE ledger_id = ?1 AND generation = ?2 AND day < ?3 ORDER BY day, part LIMIT ${DAY_ROWS_A_LEDGER}`

// DELETE_OLD_DAYS and SET_EXPIRED write only if the version is unchanged, and SET_EXPIRED increments the version. A
// consumer that has read a row before its deletion therefore cannot write the row back.
const DELETE_OLD_DAYS = `
  DELETE FROM rollup_days WHERE (ledger_id, generation, day, part) IN (
    SELECT ?1, ?2, value ->> 0, value ->> 1 FROM json_each(?4))
  AND (SELECT version FROM rollup_watermarks WHERE ledger_id = ?1 AND generation = ?2) = ?3`

const SET_EXPIRED = `
  UPDATE rollup_watermarks SET version = version + 1, expired = ?4
  WHERE ledger_id = ?1 AND generation = ?2 AND version = ?3`

async function expireLedger(
  db: D1Database,
  { ledger_id, generation, version, expired }: Watermark,
  first_kept_day: number,
): Promise<number> {
  // Deletes the rows of users first, because the next run finds the ledger by its rows of days.
  const users = await db.prepare(DELETE_OLD_USERS).bind(ledger_id, generation, first_kept_day).run()
  if (users.meta.changes >= USER_ROWS_A_LEDGER) return 0
  const { results } = await db
    .prepare(OLD_DAYS)
    .bind(ledger_id, generation, first_kept_day)
    .all<{ day: number; part: number; by_day: string }>()
  const gone = results.map(({ by_day }) => totalsOf(unpackCells(parsePacked(by_day, 'by_day'))))
  const keys = JSON.stringify(results.map(({ day, part }) => [day, part]))
  const batch = await db.batch([
    db.prepare(DELETE_OLD_DAYS).bind(ledger_id, generation, version, keys),
    db
      .prepare(SET_EXPIRED)
      .bind(ledger_id, generation, version, packTotals(gone.reduce(addTotals, unpackTotals(expired)))),
  ])
  return batch[0]?.meta.changes ?? 0
}
