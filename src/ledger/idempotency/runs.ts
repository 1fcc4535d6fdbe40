import type { Exec } from '../tables.ts'
import { EntriesBuilder, type KeyPosition, readEntries, rowsBack, shortRow } from './entries.ts'
import type { KeyIndex } from './memory-index.ts'

/** A run is written when the journal has grown by `run_rows` rows or `run_keys` keys since the last one. */
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
 * Runs on disk: each copies the entries of thousands of journal rows into one row. A start rebuilds the index from runs
 * and the last few journal rows, instead of reading up to a row for each key.
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
   * Writes a run when the journal has grown enough between the two positions. Returns the position that the newest run
   * covers. Part of a transaction; 1 row written for a run.
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

  /** Deletes the runs that end before this row. 1 row written for each. */
  dropBefore(row_id: number): void {
    this.exec('DELETE FROM key_runs WHERE last_row < ?', row_id)
  }

  /** Adds the keys of the journal rows after this one to the index. Reads runs, then the journal rows after the last run. */
  readInto(index: KeyIndex, after_row: number, last_row: number): void {
    let read_row = after_row
    for (;;) {
      const [run] = this.exec(RUN_AFTER, read_row, last_row)
      if (!run) break
      const { length, low, high, row } = readEntries(run.entries)
      // The first run can begin with rows that a segment has or that are forgotten.
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
        yield { row: after_row, keys_total: Number(keys_total), hashes: hashesOf(key_hashes) }
      }
      if (rows.length < ROWS_A_READ) return
    }
  }
}

/** Adds a journal row's hashes (low and high half in turn) to the index. */
export function addHashes(index: KeyIndex, row_id: number, hashes: Uint32Array): void {
  const short = shortRow(row_id)
  for (let at = 0; at < hashes.length; at += 2) index.add(hashes[at] ?? 0, hashes[at + 1] ?? 0, short)
}

const NO_HASHES = new Uint32Array(0)

function hashesOf(blob: SqlStorageValue | undefined): Uint32Array {
  if (blob === null) return NO_HASHES
  if (blob instanceof ArrayBuffer) return new Uint32Array(blob)
  throw new Error('the key hashes of a journal row are not a blob')
}
