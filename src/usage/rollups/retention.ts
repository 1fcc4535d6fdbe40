import { logError } from '../../logging/log.ts'
import { DAY_MS } from '../../time/durations.ts'
import { unpackCells } from '../cells/pack-cells.ts'
import { MalformedCells } from '../cells/packed-values.ts'
import { addTotals, packTotals, totalsOf, unpackTotals } from '../cells/totals.ts'

/** A run does at most so much of it; what is left is the next one's. */
const LEDGERS_A_RUN = 100
const DAY_ROWS_A_LEDGER = 50
const USER_ROWS_A_LEDGER = 1_000

/** Whole days since 1970: of it and those after it, all is there. */
export function firstKeptDay(kept_days: number, now_ms: number): number {
  return Math.floor(now_ms / DAY_MS) - kept_days
}

// 2 rows read for each ledger: its watermark, and its oldest day by primary key.
const WITH_OLD_DAYS = `
  SELECT ledger_id, generation, version, expired FROM rollup_watermarks AS w
  WHERE state = 'active' AND (
    SELECT min(day) FROM rollup_days WHERE ledger_id = w.ledger_id AND generation = w.generation) < ?1
  LIMIT ${LEDGERS_A_RUN}`

interface OldRollup {
  ledger_id: string
  generation: number
  version: number
  expired: string
}

/**
 * Deletes the days of rollups that are older than they are kept: 1 row written for each row, and 1 a ledger. What was
 * in them stays in the watermark (`expired`), so that the sums of what is left can still be compared. Returns how many
 * rows of days have gone.
 */
export async function expireDays(db: D1Database, kept_days: number, now_ms: number): Promise<number> {
  const first_kept_day = firstKeptDay(kept_days, now_ms)
  const { results } = await db.prepare(WITH_OLD_DAYS).bind(first_kept_day).all<OldRollup>()
  let expired = 0
  for (const rollup of results) {
    try {
      expired += await expireLedger(db, rollup, first_kept_day)
    } catch (error) {
      // A row that is broken at rest: its ledger's rebuild mends it, and the others' days expire all the same.
      if (!(error instanceof MalformedCells)) throw error
      logError('days_not_expired', error, { ledger: rollup.ledger_id })
    }
  }
  return expired
}

// By primary key, a bounded part of the range: which rows of it does not matter.
const DELETE_USERS = `
  DELETE FROM rollup_users WHERE (ledger_id, generation, day, bucket, part) IN (
    SELECT ledger_id, generation, day, bucket, part FROM rollup_users
    WHERE ledger_id = ?1 AND generation = ?2 AND day < ?3 LIMIT ${USER_ROWS_A_LEDGER})`

const OLD_DAYS = `
  SELECT day, part, by_day FROM rollup_days
  WHERE ledger_id = ?1 AND generation = ?2 AND day < ?3 ORDER BY day, part LIMIT ${DAY_ROWS_A_LEDGER}`

// The version is raised: a consumer that read one of the rows before must not write it back.
const DELETE_DAYS = `
  DELETE FROM rollup_days WHERE (ledger_id, generation, day, part) IN (
    SELECT ?1, ?2, value ->> 0, value ->> 1 FROM json_each(?4))
  AND (SELECT version FROM rollup_watermarks WHERE ledger_id = ?1 AND generation = ?2) = ?3`

const SET_EXPIRED = `
  UPDATE rollup_watermarks SET version = version + 1, expired = ?4
  WHERE ledger_id = ?1 AND generation = ?2 AND version = ?3`

async function expireLedger(
  db: D1Database,
  { ledger_id, generation, version, expired }: OldRollup,
  first_kept_day: number,
): Promise<number> {
  // Users first: it is by their days that a ledger is found again.
  const users = await db.prepare(DELETE_USERS).bind(ledger_id, generation, first_kept_day).run()
  if (users.meta.changes >= USER_ROWS_A_LEDGER) return 0
  const { results } = await db
    .prepare(OLD_DAYS)
    .bind(ledger_id, generation, first_kept_day)
    .all<{ day: number; part: number; by_day: string }>()
  const gone = results.map(({ by_day }) => totalsOf(unpackCells(JSON.parse(by_day))))
  const keys = JSON.stringify(results.map(({ day, part }) => [day, part]))
  const batch = await db.batch([
    db.prepare(DELETE_DAYS).bind(ledger_id, generation, version, keys),
    db
      .prepare(SET_EXPIRED)
      .bind(ledger_id, generation, version, packTotals(gone.reduce(addTotals, unpackTotals(expired)))),
  ])
  return batch[0]?.meta.changes ?? 0
}
