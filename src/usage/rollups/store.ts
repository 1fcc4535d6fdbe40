import { jsonLists, jsonParameters } from '../../db/json-parameters.ts'
import type { RollupState } from '../../db/schema.ts'
import { NO_USAGE, packTotals, type UsageTotals, unpackTotals } from '../cells/cells.ts'
import type { RollupRow, RowPlace } from './rows.ts'

/** One generation of a ledger's rollups: its state, its version and the entries that it includes. */
export interface Position {
  readonly ledger_id: string
  readonly generation: number
  readonly state: RollupState
  /**
   * The version that writers compare (`IS_UNCHANGED`). New usage, expired days and changes of the state increase it; 0
   * if the generation has no row yet.
   */
  readonly version: number
  readonly rolled_entry: number
  readonly as_of_ms: number
  readonly totals: UsageTotals
  readonly expired: UsageTotals
  /** The last entry of the ledger that is in the pages in D1. */
  readonly flushed_entry: number
}

const FIELDS = 'generation, state, version, rolled_entry, as_of_ms, totals, expired'

const SELECT_ACTIVE = `
  SELECT l.ledger_id, flushed_entry, ${FIELDS}
  FROM json_each(?1) AS k CROSS JOIN ledgers AS l ON l.ledger_id = k.value
  LEFT JOIN rollup_watermarks AS w ON w.ledger_id = l.ledger_id AND w.state = 'active'`

interface PositionRow {
  ledger_id: string
  flushed_entry: number
  generation: number | null
  state: RollupState | null
  version: number | null
  rolled_entry: number | null
  as_of_ms: number | null
  totals: string | null
  expired: string | null
}

/**
 * Reads the active generation of each ledger. Returns an empty first generation with the version 0 for a ledger without
 * one. Omits ledgers that are not in D1.
 */
export async function readPositions(
  db: D1Database,
  ledger_ids: readonly string[],
): Promise<Map<string, Position>> {
  const positions = new Map<string, Position>()
  for (const list of jsonParameters(ledger_ids.map((id) => JSON.stringify(id)))) {
    const { results } = await db.prepare(SELECT_ACTIVE).bind(list).all<PositionRow>()
    for (const row of results) positions.set(row.ledger_id, positionOf(row))
  }
  return positions
}

const SELECT_BUILDING = `
  SELECT l.ledger_id, flushed_entry, ${FIELDS}
  FROM ledgers AS l JOIN rollup_watermarks AS w ON w.ledger_id = l.ledger_id AND w.state = 'building'
  WHERE l.ledger_id = ?1`

/** Reads the generation that is being built; undefined if there is no unfinished rebuild. */
export async function readBuilding(db: D1Database, ledger_id: string): Promise<Position | undefined> {
  const row = await db.prepare(SELECT_BUILDING).bind(ledger_id).first<PositionRow>()
  return row ? positionOf(row) : undefined
}

function positionOf(row: PositionRow): Position {
  return {
    ledger_id: row.ledger_id,
    flushed_entry: row.flushed_entry,
    generation: row.generation ?? 1,
    state: row.state ?? 'active',
    version: row.version ?? 0,
    rolled_entry: row.rolled_entry ?? 0,
    as_of_ms: row.as_of_ms ?? 0,
    totals: row.totals === null ? NO_USAGE : unpackTotals(row.totals),
    expired: row.expired === null ? NO_USAGE : unpackTotals(row.expired),
  }
}

/** The newest row of a place in a ledger's rollups, without its cells. */
export interface Newest {
  readonly position: Position
  readonly place: RowPlace
  /** The part number of the newest row; 0 if the place has no row. */
  readonly part: number
  readonly bytes: number
}

interface SizeRow {
  i: number
  part: number
  bytes: number
}

// CROSS JOIN makes SQLite read the list of keys first. With another join, SQLite can read every row of the table.
const NEWEST_DAYS = `
  SELECT k.key AS i, d.part, octet_length(by_day) + octet_length(by_hour) + coalesce(octet_length(by_team), 0)
    + coalesce(octet_length(by_key), 0) AS bytes
  FROM json_each(?1) AS k CROSS JOIN rollup_days AS d
  WHERE d.ledger_id = k.value ->> 0 AND d.generation = k.value ->> 1 AND d.day = k.value ->> 2 AND d.part = (
    SELECT max(part) FROM rollup_days
    WHERE ledger_id = k.value ->> 0 AND generation = k.value ->> 1 AND day = k.value ->> 2)`

const NEWEST_USERS = `
  SELECT k.key AS i, u.part, octet_length(cells) AS bytes
  FROM json_each(?1) AS k CROSS JOIN rollup_users AS u
  WHERE u.ledger_id = k.value ->> 0 AND u.generation = k.value ->> 1 AND u.day = k.value ->> 2
    AND u.bucket = k.value ->> 3 AND u.part = (
      SELECT max(part) FROM rollup_users
      WHERE ledger_id = k.value ->> 0 AND generation = k.value ->> 1 AND day = k.value ->> 2 AND bucket = k.value ->> 3)`

/** Finds the newest row of each place, without reading its cells. Returns the results in the order of the places. */
export async function findNewest<T extends Pick<Newest, 'position' | 'place'>>(
  db: D1Database,
  places: readonly T[],
): Promise<(T & Newest)[]> {
  const newest = new Map<T, SizeRow>()
  await readInLists<T, SizeRow>(db, places, NEWEST_DAYS, NEWEST_USERS, (place, row) => newest.set(place, row))
  return places.map((place) => {
    const { part, bytes } = newest.get(place) ?? { part: 0, bytes: 0 }
    return { ...place, part, bytes }
  })
}

const SELECT_DAYS = `
  SELECT k.key AS i, by_day, by_hour, by_team, by_key FROM json_each(?1) AS k CROSS JOIN rollup_days AS d
  WHERE d.ledger_id = k.value ->> 0 AND d.generation = k.value ->> 1 AND d.day = k.value ->> 2 AND d.part = k.value ->> 4`

const SELECT_USERS = `
  SELECT k.key AS i, cells FROM json_each(?1) AS k CROSS JOIN rollup_users AS u
  WHERE u.ledger_id = k.value ->> 0 AND u.generation = k.value ->> 1 AND u.day = k.value ->> 2
    AND u.bucket = k.value ->> 3 AND u.part = k.value ->> 4`

interface CellsRow {
  i: number
  [column: string]: string | number | null
}

/** Reads the columns of rows. Omits rows that do not exist. */
export async function readRows(db: D1Database, rows: readonly Newest[]): Promise<Map<Newest, RollupRow>> {
  const found = new Map<Newest, RollupRow>()
  const existing = rows.filter(({ part }) => part > 0)
  await readInLists<Newest, CellsRow>(
    db,
    existing,
    SELECT_DAYS,
    SELECT_USERS,
    (row, { i: _, ...columns }) => {
      const texts = Object.entries(columns).map(([column, text]): [string, string | null] => [
        column,
        text === null ? null : String(text),
      ])
      found.set(row, { place: row.place, part: row.part, columns: Object.fromEntries(texts) })
    },
  )
  return found
}

/**
 * Reads rows by lists of keys, in one batch, and calls `take` for each row. The field `i` of a returned row is the
 * index of its key in the list.
 */
async function readInLists<T extends Pick<Newest, 'position' | 'place'>, Row extends { readonly i: number }>(
  db: D1Database,
  places: readonly T[],
  select_days: string,
  select_users: string,
  take: (place: T, row: Row) => void,
): Promise<void> {
  const lists = (
    [
      ['days', select_days],
      ['users', select_users],
    ] as const
  ).flatMap(([table, query]) =>
    jsonLists(
      places.filter(({ place }) => place.table === table),
      keyOf,
    ).map(({ list, items }) => ({ statement: db.prepare(query).bind(list), items })),
  )
  if (lists.length === 0) return
  const results = await db.batch<Row>(lists.map(({ statement }) => statement))
  lists.forEach(({ items }, index) => {
    for (const row of results[index]?.results ?? []) {
      const place = items[row.i]
      if (place === undefined) throw new Error('D1 returned a row that was not requested')
      take(place, row)
    }
  })
}

function keyOf(row: Pick<Newest, 'position' | 'place'> & { part?: number }): (string | number)[] {
  const { ledger_id, generation } = row.position
  const { place } = row
  return [ledger_id, generation, place.day, place.table === 'users' ? place.bucket : 0, row.part ?? 0]
}

/** A change of one generation: the generation as it was read, its new values, and the rows to write. */
export interface Move {
  readonly from: Position
  readonly to: Pick<Position, 'rolled_entry' | 'as_of_ms' | 'totals'>
  readonly rows: readonly RollupRow[]
}

/**
 * The SQL condition that a generation is unchanged since it was read. With the version 0, it is true only if the ledger
 * has no generation at all. Reads one row for each generation of the ledger.
 */
export const IS_UNCHANGED = `
  coalesce((
    SELECT max(version) FROM rollup_watermarks
    WHERE ledger_id = value ->> 'ledger_id' AND (generation = value ->> 'generation' OR value ->> 'version' = 0)
  ), 0) = value ->> 'version'`

// Counts as 1 row written for each row of the list.
const WRITE_DAYS = `
  INSERT INTO rollup_days (ledger_id, generation, day, part, by_day, by_hour, by_team, by_key)
  SELECT value ->> 'ledger_id', value ->> 'generation', value ->> 'day', value ->> 'part',
    value -> 'by_day', value -> 'by_hour', value ->> 'by_team', value ->> 'by_key'
  FROM json_each(?1) WHERE ${IS_UNCHANGED}
  ON CONFLICT DO UPDATE SET by_day = excluded.by_day, by_hour = excluded.by_hour,
    by_team = excluded.by_team, by_key = excluded.by_key`

const WRITE_USERS = `
  INSERT INTO rollup_users (ledger_id, generation, day, bucket, part, cells)
  SELECT value ->> 'ledger_id', value ->> 'generation', value ->> 'day', value ->> 'bucket', value ->> 'part',
    value -> 'cells'
  FROM json_each(?1) WHERE ${IS_UNCHANGED}
  ON CONFLICT DO UPDATE SET cells = excluded.cells`

const MOVE = `
  INSERT INTO rollup_watermarks
    (ledger_id, generation, state, version, rolled_entry, as_of_ms, totals, expired, state_at_ms)
  SELECT value ->> 'ledger_id', value ->> 'generation', value ->> 'state', value ->> 'version' + 1,
    value ->> 'rolled_entry', value ->> 'as_of_ms', value ->> 'totals', value ->> 'expired', value ->> 'now_ms'
  FROM json_each(?1) WHERE ${IS_UNCHANGED}
  ON CONFLICT DO UPDATE SET version = excluded.version, rolled_entry = excluded.rolled_entry,
    as_of_ms = excluded.as_of_ms, totals = excluded.totals
  RETURNING ledger_id`

/**
 * Writes the rows and watermarks of several ledgers in one atomic batch. Writes nothing for a ledger whose generation
 * has changed since it was read. Returns the ids of the ledgers that were written.
 */
export async function writeMoves(
  db: D1Database,
  moves: readonly Move[],
  now_ms: number,
): Promise<ReadonlySet<string>> {
  const texts = { days: [] as string[], users: [] as string[] }
  for (const { from, rows } of moves) {
    for (const row of rows) texts[row.place.table].push(rowText(from, row))
  }
  const watermarks = jsonParameters(moves.map((move) => JSON.stringify(watermarkOf(move, now_ms))))
  const results = await db.batch<{ ledger_id: string }>([
    ...jsonParameters(texts.days).map((rows) => db.prepare(WRITE_DAYS).bind(rows)),
    ...jsonParameters(texts.users).map((rows) => db.prepare(WRITE_USERS).bind(rows)),
    ...watermarks.map((list) => db.prepare(MOVE).bind(list)),
  ])
  const moved = results.slice(-watermarks.length).flatMap((result) => result.results)
  return new Set(moved.map(({ ledger_id }) => ledger_id))
}

/**
 * Returns a row as JSON text. The columns are nested JSON values and not strings, because escaped quotes in strings
 * would double the size.
 */
function rowText({ ledger_id, generation, version }: Position, { place, part, columns }: RollupRow): string {
  const key = JSON.stringify({ ledger_id, generation, version, ...place, part })
  const cells = Object.entries(columns).map(([column, text]) => `,"${column}":${text}`)
  return `${key.slice(0, -1)}${cells.join('')}}`
}

function watermarkOf({ from, to }: Move, now_ms: number): object {
  const { ledger_id, generation, version, state } = from
  return {
    ledger_id,
    generation,
    version,
    state,
    rolled_entry: to.rolled_entry,
    as_of_ms: to.as_of_ms,
    totals: packTotals(to.totals),
    expired: packTotals(from.expired),
    now_ms,
  }
}
