import { BudgetSpent } from '../../cron/budget.ts'
import { logError } from '../../logging/log.ts'
import { DAY_MS } from '../../time/durations.ts'
import { addTotals, packTotals, totalsOf, unpackTotals } from '../cells/cells.ts'
import { unpackCells } from '../cells/pack-cells.ts'
import { MalformedCells } from '../cells/packed-values.ts'
import { continueRebuild, ENTRIES_A_CALL } from './rebuild.ts'

/** The limits of one run of the scheduled maintenance of rollups. The next run continues. */

const REBUILDS_A_RUN = 3
const RETIRED_A_RUN = 20
const ROWS_A_GENERATION = 2_000
/** The time after which no reader uses a replaced generation. */
const RETIRED_FOR_MS = 15 * 60_000

const UNFINISHED = `
  SELECT ledger_id, generation FROM rollup_watermarks WHERE state = ?1 AND state <> 'active' AND state_at_ms < ?2
  ORDER BY state_at_ms LIMIT ?3`

/** Moves a rebuild to the end of the queue of rebuilds. */
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

/** Continues rebuilds, starting with the oldest in the queue. Returns the number of finished rebuilds. */
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

/** Deletes replaced generations. Writes 1 row for each of their rows, and 2 rows for the watermark. */
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

/** Returns the first day that is kept completely, in whole days since 1970. */
export function firstKeptDay(kept_days: number, now_ms: number): number {
  return Math.floor(now_ms / DAY_MS) - kept_days
}

// Reads 2 rows for each watermark: the watermark and the oldest day of its rollup by primary key.
const WITH_OLD_DAYS = `
  SELECT ledger_id, generation, version, expired, state = 'active' AND coalesce((
    SELECT min(day) FROM rollup_days WHERE ledger_id = w.ledger_id AND generation = w.generation), ?2) < ?2 AS is_old
  FROM rollup_watermarks AS w WHERE ledger_id > ?1 ORDER BY ledger_id, generation LIMIT ${WATERMARKS_A_RUN}`

interface Watermark {
  ledger_id: string
  generation: number
  version: number
  expired: string
  is_old: number
}

/**
 * Deletes the days of rollups after their retention. Writes 1 row for each deleted row, and 1 row for each ledger.
 * The sums of deleted days are kept in the watermark (`expired`), so that the sums of the remaining days can still be
 * compared. Begins after `after`. After the last ledger, the next run begins with the first. Returns the number of
 * deleted rows of days.
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
      // The stored row is damaged, and a rebuild of its ledger repairs it. The days of other ledgers are still
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

// Deletes a limited number of rows of the range, by primary key.
const DELETE_OLD_USERS = `
  DELETE FROM rollup_users WHERE (ledger_id, generation, day, bucket, part) IN (
    SELECT ledger_id, generation, day, bucket, part FROM rollup_users
    WHERE ledger_id = ?1 AND generation = ?2 AND day < ?3 LIMIT ${USER_ROWS_A_LEDGER})`

const OLD_DAYS = `
  SELECT day, part, by_day FROM rollup_days
  WHERE ledger_id = ?1 AND generation = ?2 AND day < ?3 ORDER BY day, part LIMIT ${DAY_ROWS_A_LEDGER}`

// The next two statements write only if the version is unchanged, and then increment it. A consumer that read one of
// the deleted rows before therefore cannot write it back.
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
  // The rows of users are deleted first, because the rows of days are needed to find the ledger again.
  const users = await db.prepare(DELETE_OLD_USERS).bind(ledger_id, generation, first_kept_day).run()
  if (users.meta.changes >= USER_ROWS_A_LEDGER) return 0
  const { results } = await db
    .prepare(OLD_DAYS)
    .bind(ledger_id, generation, first_kept_day)
    .all<{ day: number; part: number; by_day: string }>()
  const gone = results.map(({ by_day }) => totalsOf(unpackCells(JSON.parse(by_day))))
  const keys = JSON.stringify(results.map(({ day, part }) => [day, part]))
  const batch = await db.batch([
    db.prepare(DELETE_OLD_DAYS).bind(ledger_id, generation, version, keys),
    db
      .prepare(SET_EXPIRED)
      .bind(ledger_id, generation, version, packTotals(gone.reduce(addTotals, unpackTotals(expired)))),
  ])
  return batch[0]?.meta.changes ?? 0
}
