import { sizeOf } from '../../db/json-parameters.ts'
import { assertRowSize } from '../../ledger/journal/packing.ts'
import { type Cell, WeighedCells } from '../cells/cells.ts'
import { packCells, unpackCells } from '../cells/pack-cells.ts'
import { parsePacked } from '../cells/packed-values.ts'

/**
 * The number of hours in a day. Cells count time in whole hours since 1970, and rows of rollups count time in whole
 * days since 1970, both in UTC.
 */
export const HOURS_A_DAY = 24

export function dayOf(hour: number): number {
  return Math.floor(hour / HOURS_A_DAY)
}

/** Returns the first hour of the day that contains an hour. */
export function startOfDay(hour: number): number {
  return dayOf(hour) * HOURS_A_DAY
}

/** The number of consecutive user numbers in a bucket. On each day, the cells of all users of a bucket share rows. */
const USERS_A_BUCKET = 1024
/**
 * The number of buckets. Higher user numbers use the same buckets again. A batch of messages therefore changes a
 * limited number of places for each day, regardless of the number of users.
 */
const BUCKETS = 32

/** Returns the bucket that contains the cells of a user. Cells without a user are in the first bucket. */
export function bucketOf(user_number: number | null): number {
  return Math.floor((user_number ?? 0) / USERS_A_BUCKET) % BUCKETS
}

/**
 * The sizes in bytes above which a row is closed. The next message then begins a new row, the next part of the day. A
 * message adds at most 64 KB to each column, so no row reaches the platform's limit, even with long names.
 */
const CLOSED_DAY_BYTES = 256 * 1024
const CLOSED_USERS_BYTES = 128 * 1024

/**
 * The rows in which a cell is stored: the rows of a day in `rollup_days`, whose cells have no user, or the rows of a
 * day and a bucket of users in `rollup_users`.
 */
export type RowPlace =
  | { readonly table: 'days'; readonly day: number }
  | { readonly table: 'users'; readonly day: number; readonly bucket: number }

/** The JSON columns of a row, by name. A column such as `by_team` is null if `by_hour` has the same content. */
export type RowColumns = Readonly<Record<string, string | null>>

export interface RollupRow {
  readonly place: RowPlace
  readonly part: number
  readonly columns: RowColumns
}

/**
 * The cells that some messages add to one place. `messages` has one list of cells for each message, in the order of the
 * messages.
 */
export interface Addition {
  readonly place: RowPlace
  readonly messages: readonly (readonly Cell[])[]
}

/** Groups the cells of messages by the places in which they are stored. Each cell is stored in two places. */
export function additionsOf(messages: readonly (readonly Cell[])[]): Addition[] {
  const additions = new Map<string, { place: RowPlace; messages: Cell[][] }>()
  messages.forEach((cells, index) => {
    const add = (place: RowPlace, cell: Cell) => {
      const key = placeKey(place)
      const addition = additions.get(key) ?? { place, messages: [] }
      additions.set(key, addition)
      addition.messages[index] ??= []
      addition.messages[index].push(cell)
    }
    for (const cell of cells) {
      const day = dayOf(cell.hour)
      add({ table: 'days', day }, cell)
      add({ table: 'users', day, bucket: bucketOf(cell.user) }, cell)
    }
  })
  // Removes the empty items of the lists. They belong to messages without cells for the place.
  return [...additions.values()].map(({ place, messages: lists }) => ({
    place,
    messages: lists.filter(Boolean),
  }))
}

/**
 * The maximum number of places in one step; a single message can have more. All places of a step are in memory at the
 * same time.
 */
const PLACES_A_STEP = 128

/** Returns the first messages that together change at most `PLACES_A_STEP` places; at least one message. */
export function messagesOfStep<M extends { readonly cells: readonly Cell[] }>(messages: readonly M[]): M[] {
  const places = new Set<string>()
  const cut = messages.findIndex(({ cells }, i) => {
    for (const { hour, user } of cells) {
      const day = dayOf(hour)
      places
        .add(placeKey({ table: 'days', day }))
        .add(placeKey({ table: 'users', day, bucket: bucketOf(user) }))
    }
    return i > 0 && places.size > PLACES_A_STEP
  })
  return cut === -1 ? [...messages] : messages.slice(0, cut)
}

export function placeKey(place: RowPlace): string {
  return place.table === 'days' ? `${place.day}` : `${place.day}/${place.bucket}`
}

/**
 * Adds the cells of messages to the newest row of a place. Returns all rows that must be written: the changed row, and
 * new rows that were begun because a row was closed. Adds one message at a time, so that the rows do not depend on how
 * messages are grouped in batches.
 */
export function foldRows({ place, messages }: Addition, newest: RollupRow | undefined): RollupRow[] {
  const shape = place.table === 'days' ? DAY_SHAPE : USERS_SHAPE
  const rows: RollupRow[] = []
  let part = newest?.part ?? 1
  let row = new OpenRow(shape, newest?.columns)
  for (const cells of messages) {
    if (row.isClosed()) {
      if (row.changed) rows.push({ place, part, columns: row.columns() })
      part++
      row = new OpenRow(shape)
    }
    row.add(cells)
  }
  rows.push({ place, part, columns: row.columns() })
  return rows
}

/** The columns of a table, and the size above which a row of the table is closed. */
interface Shape {
  readonly closed_bytes: number
  readonly columns: readonly Column[]
}

interface Column {
  readonly column: string
  readonly cut: (cell: Cell) => Cell
  /**
   * Returns whether the column must be written. If not, it is stored as null, because the column `as` has the same
   * content.
   */
  readonly isNeeded: (cells: Iterable<Cell>) => boolean
  readonly as?: string
}

const DAY_SHAPE: Shape = {
  closed_bytes: CLOSED_DAY_BYTES,
  columns: [
    {
      column: 'by_day',
      cut: (cell) => ({ ...cell, hour: startOfDay(cell.hour), user: null, team: null, key: null }),
      isNeeded: () => true,
    },
    {
      column: 'by_hour',
      cut: (cell) => ({ ...cell, user: null, team: null, key: null }),
      isNeeded: () => true,
    },
    {
      column: 'by_team',
      cut: (cell) => ({ ...cell, user: null, key: null }),
      isNeeded: hasTeams,
      as: 'by_hour',
    },
    {
      column: 'by_key',
      cut: (cell) => ({ ...cell, user: null, team: null }),
      isNeeded: hasKeys,
      as: 'by_hour',
    },
  ],
}

/**
 * The shape of the table with cells by user. Its cells have no API keys, because many users per key or many keys per
 * user would multiply the number of cells.
 */
const USERS_SHAPE: Shape = {
  closed_bytes: CLOSED_USERS_BYTES,
  columns: [{ column: 'cells', cut: (cell) => ({ ...cell, key: null }), isNeeded: () => true }],
}

function hasTeams(cells: Iterable<Cell>): boolean {
  for (const { team } of cells) if (team !== null) return true
  return false
}

function hasKeys(cells: Iterable<Cell>): boolean {
  for (const { key } of cells) if (key !== null) return true
  return false
}

/** A row to which cells are added. It is packed only when the packed form is needed, because additions are frequent. */
class OpenRow {
  changed = false
  private readonly shape: Shape
  private readonly cells: readonly WeighedCells[]
  private packed: RowColumns | undefined

  constructor(shape: Shape, columns?: RowColumns) {
    this.shape = shape
    this.packed = columns
    this.cells = shape.columns.map(({ column, as = column }) => {
      const text = columns?.[column] ?? columns?.[as] ?? null
      return text === null ? new WeighedCells() : WeighedCells.of(unpackCells(parsePacked(text, 'the row')))
    })
  }

  add(added: readonly Cell[]): void {
    this.changed = true
    this.packed = undefined
    this.shape.columns.forEach(({ cut }, i) => {
      for (const cell of added) this.cells[i]?.add(cut(cell))
    })
  }

  columns(): RowColumns {
    this.packed ??= this.pack()
    return this.packed
  }

  isClosed(): boolean {
    const weight = this.cells.reduce((sum, cells) => sum + cells.weight, 0)
    if (weight <= this.shape.closed_bytes) return false
    const texts = Object.values(this.columns())
    return texts.reduce((sum, text) => sum + (text === null ? 0 : sizeOf(text)), 0) > this.shape.closed_bytes
  }

  private pack(): RowColumns {
    const columns = this.shape.columns.map(({ column, isNeeded }, i): [string, string | null] => {
      const cells = this.cells[i] ?? new WeighedCells()
      return [column, isNeeded(cells) ? JSON.stringify(packCells(cells)) : null]
    })
    for (const [, text] of columns) if (text !== null) assertRowSize(text)
    return Object.fromEntries(columns)
  }
}
