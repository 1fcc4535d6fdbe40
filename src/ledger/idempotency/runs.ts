import type { Exec } from '../tables.ts'
import { EntriesBuilder, type KeyEntries, readEntries, rowsBack, shortRow } from './entries.ts'
import type { KeyLimits } from './limits.ts'
import type { KeyIndex } from './memory-index.ts'

/** Up to which journal row something has the keys, and the ledger's `keys_total` there. */
export interface KeysUpTo {
  readonly row: number
  readonly keys_total: number
}

const NEWEST = 'SELECT last_row, keys_total FROM key_runs ORDER BY last_row DESC LIMIT 1'
const RUN_AFTER =
  'SELECT last_row, entries FROM key_runs WHERE last_row > ? AND last_row <= ? ORDER BY last_row LIMIT 1'
const INSERT = 'INSERT INTO key_runs (last_row, keys_total, entries) VALUES (?, ?, ?)'
const HASHES_AFTER = `
  SELECT row_id, key_hashes, keys_total FROM journal WHERE row_id > ? ORDER BY row_id LIMIT ?`

const ROWS_A_READ = 256
const NOTHING: KeysUpTo = { row: 0, keys_total: 0 }

/**
 * The hashes of some thousand journal rows once more, in one row: a start reads these and the journal's last rows, not
 * a million rows of a key each.
 */
export class KeyRuns {
  private readonly exec: Exec
  private readonly limits: KeyLimits
  private known: KeysUpTo | null = null
  private unsettled = false

  constructor(exec: Exec, limits: KeyLimits) {
    this.exec = exec
    this.limits = limits
  }

  /** What was written has been committed or undone: from now on what is read is kept. */
  settle(): void {
    this.unsettled = false
  }

  /** Packs a run when the journal has grown enough since `from`. In a transaction; a row written for each run. */
  extend(from: KeysUpTo, to: KeysUpTo): void {
    const { row, keys_total } = later(from, this.newest())
    if (to.row - row < this.limits.run_rows && to.keys_total - keys_total < this.limits.run_keys) return
    const entries = new EntriesBuilder()
    let until: KeysUpTo | undefined
    for (const stored of this.hashesAfter(row)) {
      const { hashes } = stored
      for (let at = 0; at < hashes.length; at += 2) {
        entries.push(hashes[at] ?? 0, hashes[at + 1] ?? 0, shortRow(stored.row))
      }
      until = stored
      if (stored.row - row >= this.limits.run_rows || entries.length >= this.limits.run_keys) break
    }
    if (!until) return
    this.exec(INSERT, until.row, until.keys_total, entries.toBlob())
    this.changed()
  }

  /** Drops the runs that end before this row. A row written for each. */
  dropBefore(row_id: number): void {
    this.exec('DELETE FROM key_runs WHERE last_row < ?', row_id)
    this.changed()
  }

  /**
   * The keys of the journal rows after this one, O(window), and no body is read: those of the last rows are put into the
   * index, those of the runs before them are returned as they lie.
   */
  read(after_row: number, last_row: number, index: KeyIndex): KeyEntries[] {
    let read_row = after_row
    const runs: KeyEntries[] = []
    for (;;) {
      const [run] = this.exec(RUN_AFTER, read_row, last_row)
      if (!run) break
      const entries = readEntries(blobOf(run.entries))
      // Only the first can begin with rows that the buckets have, or that are forgotten.
      runs.push(read_row > after_row ? entries : entriesAfter(after_row, entries, last_row))
      read_row = Number(run.last_row)
    }
    for (const { row, hashes } of this.hashesAfter(read_row)) addHashes(index, row, hashes)
    return runs
  }

  private newest(): KeysUpTo {
    if (this.known) return this.known
    const [row] = this.exec(NEWEST)
    const newest = row ? { row: Number(row.last_row), keys_total: Number(row.keys_total) } : NOTHING
    if (!this.unsettled) this.known = newest
    return newest
  }

  private changed(): void {
    this.known = null
    this.unsettled = true
  }

  private *hashesAfter(row_id: number): Generator<KeysUpTo & { readonly hashes: Uint32Array }> {
    let after_row = row_id
    for (;;) {
      const rows = this.exec(HASHES_AFTER, after_row, ROWS_A_READ)
      for (const { row_id, key_hashes, keys_total } of rows) {
        after_row = Number(row_id)
        const hashes = key_hashes === null ? NO_HASHES : new Uint32Array(blobOf(key_hashes))
        yield { row: after_row, keys_total: Number(keys_total), hashes }
      }
      if (rows.length < ROWS_A_READ) return
    }
  }
}

const NO_HASHES = new Uint32Array(0)

/** A journal row's hashes, low and high half in turn. */
export function addHashes(index: KeyIndex, row_id: number, hashes: Uint32Array): void {
  const short = shortRow(row_id)
  for (let at = 0; at < hashes.length; at += 2) index.add(hashes[at] ?? 0, hashes[at + 1] ?? 0, short)
}

function entriesAfter(row_id: number, { length, low, high, row }: KeyEntries, last_row: number): KeyEntries {
  const later = new EntriesBuilder()
  for (let at = 0; at < length; at++) {
    const short = row[at] ?? 0
    if (last_row - rowsBack(short, last_row) > row_id) later.push(low[at] ?? 0, high[at] ?? 0, short)
  }
  return readEntries(later.toBlob())
}

function later(one: KeysUpTo, other: KeysUpTo): KeysUpTo {
  return other.row > one.row ? other : one
}

function blobOf(value: SqlStorageValue | undefined): ArrayBuffer {
  if (!(value instanceof ArrayBuffer)) throw new Error('packed key hashes are not binary')
  return value
}
