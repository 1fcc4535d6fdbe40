import { type PortionLimits, portionsOf } from '../../db/json-parameters.ts'
import { HOUR_MS } from '../../time/durations.ts'
import { type Cell, type UsageTotals, unpackTotals } from '../cells/cells.ts'
import { type Kind, unpackSome } from '../cells/pack-cells.ts'
import { parsePacked } from '../cells/packed-values.ts'
import { bucketOf, dayOf, HOURS_A_DAY, startOfDay } from './rows.ts'

/** The active generation of a ledger's rollups, and the entries that it includes. */
export interface Rollup {
  readonly ledger_id: string
  readonly generation: number
  /** The last entry that the rollups include. They include the usage of this entry and of all earlier entries. */
  readonly rolled_entry: number
  /** The time until which the rollups are complete: they include all commits before this time. */
  readonly as_of_ms: number
  /** The sums of all usage up to `rolled_entry`, including the usage of deleted days. */
  readonly totals: UsageTotals
  /** The part of `totals` that belongs to deleted days. */
  readonly expired: UsageTotals
}

const SELECT_ROLLUP = `
  SELECT ledger_id, generation, rolled_entry, as_of_ms, totals, expired FROM rollup_watermarks
  WHERE ledger_id = ?1 AND state = 'active'`

/**
 * Reads the active generation of a ledger's rollups; null if the ledger has none. Reads one row for each generation of
 * the ledger.
 */
export async function readRollup(db: D1Database, ledger_id: string): Promise<Rollup | null> {
  const row = await db
    .prepare(SELECT_ROLLUP)
    .bind(ledger_id)
    .first<Omit<Rollup, 'totals' | 'expired'> & { totals: string; expired: string }>()
  return row && { ...row, totals: unpackTotals(row.totals), expired: unpackTotals(row.expired) }
}

export interface CellQuery {
  /** The start of the range, inclusive. It must be a whole hour. */
  readonly from_ms: number
  /** The end of the range, exclusive. It must be a whole hour. */
  readonly to_ms: number
  /** The precision of `hour` in the returned cells. With `day`, `hour` is the first hour of the day. */
  readonly grain: 'day' | 'hour'
  /**
   * The subjects that the returned cells distinguish: no subject, the team, the API key, or both user and team. Other
   * subjects are null in the cells.
   */
  readonly subjects: 'none' | 'team' | 'key' | 'user'
  /** The users whose cells are returned; absent to return the cells of all users. Used only if `subjects` is `user`. */
  readonly user_numbers?: readonly number[]
  /** Returns whether cells of a kind are returned; absent to return the cells of all kinds. */
  readonly admits?: (kind: Kind) => boolean
}

/** The error for a query that would read too many cells. The caller must query fewer days or use the grain `day`. */
export class TooManyCells extends Error {}

/** The maximum number of rows and of bytes that one query reads from D1. They correspond to about a million cells. */
export const MAX_ROLLUP_ROWS = 20_000
export const MAX_ROLLUP_BYTES = 64_000_000

/** The limits of one statement that reads cells. */
const READ_LIMITS: PortionLimits = { bytes: 4_000_000, items: 500 }

/**
 * Reads the cells of a time range in chunks, oldest day first. Several cells can have the same dimensions, so the
 * caller must add their sums. Finds days by primary key and reads only the smallest column that is sufficient for the
 * query. Each row counts as two or three rows read. Throws `TooManyCells` before it reads too much. Throws `RangeError`
 * if a time is not a whole hour.
 */
export async function* readCells(
  db: D1Database,
  rollup: Pick<Rollup, 'ledger_id' | 'generation'>,
  query: CellQuery,
): AsyncGenerator<readonly Cell[]> {
  const from_hour = wholeHour(query.from_ms)
  const to_hour = wholeHour(query.to_ms)
  if (from_hour >= to_hour) return
  const range = { from_hour, to_hour }
  const source = query.subjects === 'user' ? usersSource(query, range) : daysSource(query, range)
  const keys = await readKeys(db, rollup, source)
  const users = query.subjects === 'user' && query.user_numbers ? new Set(query.user_numbers) : undefined
  const wanted = {
    ...{ from_hour, to_hour, users, admits: query.admits },
    ...(query.grain === 'day' && { hourOf: startOfDay }),
  }
  for (const portion of portionsOf(keys, ({ bytes }) => bytes, READ_LIMITS)) {
    const { results } = await db
      .prepare(source.cells)
      .bind(rollup.ledger_id, rollup.generation, JSON.stringify(portion.map(keyOf)), ...source.more)
      .all<{ cells: string }>()
    yield results.flatMap(({ cells }) => [...unpackSome(parsePacked(cells, 'the row'), wanted)])
  }
}

interface HourRange {
  readonly from_hour: number
  readonly to_hour: number
}

/**
 * The statements of a query: `keys` reads the keys and sizes of all rows, and `cells` reads the cells of the rows with
 * given keys.
 */
interface Source {
  readonly keys: string
  readonly key_bindings: readonly (number | string)[]
  readonly cells: string
  readonly more: readonly number[]
}

// CROSS JOIN makes SQLite read the list of keys first. With another join, SQLite can read every row of the table.
const DAY_CELLS = (column: string) => `
  SELECT ${column} AS cells FROM json_each(?3) AS k CROSS JOIN rollup_days AS d
  WHERE d.ledger_id = ?1 AND d.generation = ?2 AND d.day = k.value ->> 0 AND d.part = k.value ->> 2`

const DAY_KEYS = (column: string) => `
  SELECT day, 0 AS bucket, part, octet_length(${column}) AS bytes FROM rollup_days
  WHERE ledger_id = ?1 AND generation = ?2 AND day BETWEEN ?3 AND ?4
  ORDER BY day, part LIMIT ${MAX_ROLLUP_ROWS + 1}`

function daysSource({ grain, subjects }: CellQuery, { from_hour, to_hour }: HourRange): Source {
  const first_day = dayOf(from_hour)
  const last_day = dayOf(to_hour - 1)
  const days = [first_day, last_day]
  if (subjects === 'team') return source('coalesce(by_team, by_hour)', days)
  if (subjects === 'key') return source('coalesce(by_key, by_hour)', days)
  if (grain === 'hour') return source('by_hour', days)
  // Reads days that are only partly in the range from the column `by_hour`.
  const whole_from = from_hour % HOURS_A_DAY === 0 ? first_day : first_day + 1
  const whole_to = to_hour % HOURS_A_DAY === 0 ? last_day : last_day - 1
  const keys = `CASE WHEN day BETWEEN ?5 AND ?6 THEN by_day ELSE by_hour END`
  const cells = `CASE WHEN day BETWEEN ?4 AND ?5 THEN by_day ELSE by_hour END`
  return {
    keys: DAY_KEYS(keys),
    key_bindings: [...days, whole_from, whole_to],
    cells: DAY_CELLS(cells),
    more: [whole_from, whole_to],
  }
}

function source(column: string, key_bindings: readonly number[]): Source {
  return { keys: DAY_KEYS(column), key_bindings, cells: DAY_CELLS(column), more: [] }
}

const USER_CELLS = `
  SELECT cells FROM json_each(?3) AS k CROSS JOIN rollup_users AS u
  WHERE u.ledger_id = ?1 AND u.generation = ?2 AND u.day = k.value ->> 0 AND u.bucket = k.value ->> 1
    AND u.part = k.value ->> 2`

const ALL_USER_KEYS = `
  SELECT day, bucket, part, octet_length(cells) AS bytes FROM rollup_users
  WHERE ledger_id = ?1 AND generation = ?2 AND day BETWEEN ?3 AND ?4
  ORDER BY day, bucket, part LIMIT ${MAX_ROLLUP_ROWS + 1}`

const USER_KEYS = `
  WITH RECURSIVE days(day) AS (SELECT ?3 UNION ALL SELECT day + 1 FROM days WHERE day < ?4)
  SELECT u.day, u.bucket, part, octet_length(cells) AS bytes
  FROM days CROSS JOIN json_each(?5) AS b CROSS JOIN rollup_users AS u
  WHERE u.ledger_id = ?1 AND u.generation = ?2 AND u.day = days.day AND u.bucket = b.value
  LIMIT ${MAX_ROLLUP_ROWS + 1}`

/** The maximum number of combinations of day and bucket that one query looks up. */
const MAX_LOOKUPS = 40_000

function usersSource({ user_numbers }: CellQuery, { from_hour, to_hour }: HourRange): Source {
  const first_day = dayOf(from_hour)
  const last_day = dayOf(to_hour - 1)
  if (!user_numbers) {
    return { keys: ALL_USER_KEYS, key_bindings: [first_day, last_day], cells: USER_CELLS, more: [] }
  }
  const buckets = [...new Set(user_numbers.map(bucketOf))]
  const days = last_day - first_day + 1
  if (days * buckets.length > MAX_LOOKUPS) {
    throw new TooManyCells(`the query looks up more than ${MAX_LOOKUPS} combinations of day and user bucket`)
  }
  return {
    keys: USER_KEYS,
    key_bindings: [first_day, last_day, JSON.stringify(buckets)],
    cells: USER_CELLS,
    more: [],
  }
}

interface KeyRow {
  day: number
  bucket: number
  part: number
  bytes: number
}

async function readKeys(
  db: D1Database,
  { ledger_id, generation }: Pick<Rollup, 'ledger_id' | 'generation'>,
  { keys, key_bindings }: Source,
): Promise<readonly KeyRow[]> {
  const { results } = await db
    .prepare(keys)
    .bind(ledger_id, generation, ...key_bindings)
    .all<KeyRow>()
  const bytes = results.reduce((sum, row) => sum + row.bytes, 0)
  if (results.length > MAX_ROLLUP_ROWS || bytes > MAX_ROLLUP_BYTES) {
    throw new TooManyCells(`the query reads more than ${MAX_ROLLUP_ROWS} rows or ${MAX_ROLLUP_BYTES} bytes`)
  }
  return results
}

/** Returns the key of a row in the form that the statements expect. */
function keyOf({ day, bucket, part }: KeyRow): readonly number[] {
  return [day, bucket, part]
}

function wholeHour(at_ms: number): number {
  const hour = at_ms / HOUR_MS
  if (!Number.isSafeInteger(hour)) {
    throw new RangeError(
      `The time ${at_ms} ms is not the start of an hour. Pass a multiple of ${HOUR_MS} ms.`,
    )
  }
  return hour
}
