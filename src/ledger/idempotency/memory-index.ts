import type { Exec } from '../tables.ts'
import {
  ENTRY_BYTES,
  EntriesBuilder,
  type KeyHash,
  type KeyPosition,
  readEntries,
  rowsBack,
  shortRow,
} from './hash.ts'

const MIN_BITS = 8
/** The result that all keys without rows share. Most keys are new, so this saves an array for each of them. */
const NO_ROWS: readonly number[] = []
const WORDS = ENTRY_BYTES / 4

/**
 * An index of entries in memory. It is one typed array with open addressing and linear probing. The three words of an
 * entry are adjacent, so a lookup usually touches one cache line. The first bits of the hash decide an entry's first
 * slot, so entries with equal first bits are close together. The buckets of a segment can therefore be read from the
 * index without sorting.
 */
export class KeyIndex {
  private bits: number
  private room: number
  private slots: Uint32Array
  private used = 0

  /** Creates an index with space for a number of entries, so that loading them does not grow the index step by step. */
  constructor(entries = 0) {
    this.bits = bitsFor(entries)
    this.room = room(this.bits)
    this.slots = new Uint32Array(WORDS << this.bits)
  }

  get size(): number {
    return this.used
  }

  get bytes(): number {
    return this.slots.byteLength
  }

  add(low: number, high: number, row: number): void {
    if (this.used >= this.room) this.grow()
    this.place(low, high, row)
  }

  /** Returns the short row numbers of the entries with this hash. */
  find({ low, high }: KeyHash): readonly number[] {
    const { slots } = this
    let rows = NO_ROWS
    for (let at = this.home(high); slots[at + 2] !== 0; at = this.next(at)) {
      if (slots[at] === low && slots[at + 1] === high) rows = [...rows, slots[at + 2] ?? 0]
    }
    return rows
  }

  /** Visits each entry whose hash begins with the `bits` bits of `prefix`. */
  visit(prefix: number, bits: number, use: (low: number, high: number, row: number) => void): void {
    const { slots } = this
    const first = bits === 0 ? 0 : (prefix << (32 - bits)) >>> 0
    const last = bits === 0 ? 0xffff_ffff : (first | (0xffff_ffff >>> bits)) >>> 0
    const homes = (this.home(last) - this.home(first)) / WORDS + 1
    let at = this.home(first)
    for (let walked = 0; walked < 1 << this.bits; walked++) {
      const row = slots[at + 2] ?? 0
      // Entries that did not fit into their first slot follow the last slot of the range, up to the next free slot.
      if (row === 0 && walked >= homes) return
      const high = slots[at + 1] ?? 0
      if (row !== 0 && high >= first && high <= last) use(slots[at] ?? 0, high, row)
      at = this.next(at)
    }
  }

  /** Removes all entries and keeps space for a number of entries, so that refilling the index does not grow it. */
  clear(entries: number): void {
    const bits = bitsFor(entries)
    if (bits === this.bits) this.slots.fill(0)
    else this.allocate(bits)
    this.used = 0
  }

  private grow(): void {
    const old = this.slots
    this.allocate(this.bits + 1)
    this.used = 0
    // Inserts in slot order, for cache locality. The new slots are in the same order.
    for (let at = 0; at < old.length; at += WORDS) {
      const row = old[at + 2] ?? 0
      if (row !== 0) this.place(old[at] ?? 0, old[at + 1] ?? 0, row)
    }
  }

  private allocate(bits: number): void {
    this.bits = bits
    this.room = room(bits)
    this.slots = new Uint32Array(WORDS << bits)
  }

  private place(low: number, high: number, row: number): void {
    const { slots } = this
    let at = this.home(high)
    while (slots[at + 2] !== 0) at = this.next(at)
    slots[at] = low
    slots[at + 1] = high
    slots[at + 2] = row
    this.used++
  }

  private home(high: number): number {
    return (high >>> (32 - this.bits)) * WORDS
  }

  private next(at: number): number {
    const next = at + WORDS
    return next === this.slots.length ? 0 : next
  }
}

function bitsFor(entries: number): number {
  let bits = MIN_BITS
  while (entries > room(bits)) bits++
  return bits
}

/**
 * Returns the maximum number of entries in 2^bits slots. It is three quarters of the slots, so that a lookup probes
 * only a few slots.
 */
function room(bits: number): number {
  return 3 * 2 ** (bits - 2)
}

/**
 * The limits of a run. A run is written when the journal has grown by `run_rows` rows or `run_keys` keys since the
 * last run or segment.
 */
export interface RunLimits {
  readonly run_rows: number
  readonly run_keys: number
}

const NEWEST = 'SELECT last_row, keys_total FROM key_runs ORDER BY last_row DESC LIMIT 1'
const RUN_AFTER =
  'SELECT last_row, entries FROM key_runs WHERE last_row > ? AND last_row <= ? ORDER BY last_row LIMIT 1'
const INSERT = 'INSERT INTO key_runs (last_row, keys_total, entries) VALUES (?, ?, ?)'
const HASHES_AFTER = `
  SELECT row_id, key_hashes, keys_total FROM journal WHERE row_id > ? ORDER BY row_id LIMIT ?`

const ROWS_A_READ = 256

/**
 * The runs on disk. A run is one row that contains a copy of the entries of up to thousands of journal rows. At the
 * first lookup after a start, the object builds the index in memory from the runs and the journal rows after the last
 * run. Without runs, the object would read up to one row for each key.
 */
export class KeyRuns {
  private readonly exec: Exec
  private readonly limits: RunLimits

  constructor(exec: Exec, limits: RunLimits) {
    this.exec = exec
    this.limits = limits
  }

  newest(): KeyPosition {
    const [row] = this.exec(NEWEST)
    return { row: Number(row?.last_row ?? 0), keys_total: Number(row?.keys_total ?? 0) }
  }

  /**
   * Writes a run if the journal has grown enough between the two positions. Returns the position up to which the run
   * contains the keys; `from` if no run was written. Must run in a transaction. Writes 1 row for a run.
   */
  extend(from: KeyPosition, to: KeyPosition): KeyPosition {
    const { run_rows, run_keys } = this.limits
    if (to.row - from.row < run_rows && to.keys_total - from.keys_total < run_keys) return from
    const entries = new EntriesBuilder()
    let until = from
    for (const { hashes, ...position } of this.hashesAfter(from.row)) {
      const short = shortRow(position.row)
      for (let at = 0; at < hashes.length; at += 2) entries.push(hashes[at] ?? 0, hashes[at + 1] ?? 0, short)
      until = position
      if (position.row - from.row >= run_rows || entries.length >= run_keys) break
    }
    this.exec(INSERT, until.row, until.keys_total, entries.toBlob())
    return until
  }

  /** Deletes the runs that end before this row. Writes 1 row for each run. */
  dropBefore(row_id: number): void {
    this.exec('DELETE FROM key_runs WHERE last_row < ?', row_id)
  }

  /**
   * Adds the keys of the journal rows after `after_row` to the index. Reads the runs, then the journal rows after the
   * last run.
   */
  readInto(index: KeyIndex, after_row: number, last_row: number): void {
    let read_row = after_row
    for (;;) {
      const [run] = this.exec(RUN_AFTER, read_row, last_row)
      if (!run) break
      const { length, low, high, row } = readEntries(run.entries)
      // The first run can begin with rows that are deleted or already in a segment.
      const most_back = last_row - read_row
      for (let at = 0; at < length; at++) {
        const short = row[at] ?? 0
        if (rowsBack(short, last_row) < most_back) index.add(low[at] ?? 0, high[at] ?? 0, short)
      }
      read_row = Number(run.last_row)
    }
    for (const { row, hashes } of this.hashesAfter(read_row)) addHashes(index, row, hashes)
  }

  private *hashesAfter(row_id: number): Generator<KeyPosition & { readonly hashes: Uint32Array }> {
    let after_row = row_id
    for (;;) {
      const rows = this.exec(HASHES_AFTER, after_row, ROWS_A_READ)
      for (const { row_id, key_hashes, keys_total } of rows) {
        after_row = Number(row_id)
        yield { row: after_row, keys_total: Number(keys_total), hashes: hashesOf(key_hashes, after_row) }
      }
      if (rows.length < ROWS_A_READ) return
    }
  }
}

/** Adds a journal row's hashes to the index. The low and the high halves of the hashes alternate. */
export function addHashes(index: KeyIndex, row_id: number, hashes: Uint32Array): void {
  const short = shortRow(row_id)
  for (let at = 0; at < hashes.length; at += 2) index.add(hashes[at] ?? 0, hashes[at + 1] ?? 0, short)
}

const NO_HASHES = new Uint32Array(0)

function hashesOf(blob: SqlStorageValue | undefined, row_id: number): Uint32Array {
  if (blob === null) return NO_HASHES
  if (blob instanceof ArrayBuffer) return new Uint32Array(blob)
  throw new Error(`the key hashes of journal row ${row_id} are not a blob`)
}
