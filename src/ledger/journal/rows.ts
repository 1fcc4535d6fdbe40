import { newSalt, rowHash } from '../chain/row-hash.ts'
import type { Counters, Draft } from '../commit/draft.ts'
import { WeightedCache } from '../commit/weighted-cache.ts'
import { packCounters } from '../entitlements/counters.ts'
import type { KeyStore, KeyUse, RecordedKeys } from '../idempotency/check.ts'
import { PackedKeys, type PackedKeysOptions } from '../idempotency/store.ts'
import type { JournalRecord } from '../model/journal.ts'
import type { Idempotency } from '../model/vocabulary.ts'
import type { Exec, MetaTable } from '../tables.ts'
import { type Cursor, NOTHING_PROJECTED, readCursor, writeCursor } from './cursor.ts'
import { FORMAT } from './packed-entry.ts'
import { assertRowSize, packRows, unpackRow } from './packing.ts'

/** A stored row of the journal. */
export interface JournalRow {
  readonly row_id: number
  readonly format: number
  readonly body: string
  readonly first_entry: number
  readonly last_entry: number
  readonly last_wallet: number
  readonly last_notification: number
  readonly at_ms: number
  readonly salt: string | null
  readonly hash: string | null
}

const LAST_ROW = `
  SELECT row_id, last_entry, last_lot, last_wallet, last_hold, at_ms, month_events, keys_total, last_notification,
    hash
  FROM journal
  ORDER BY row_id DESC LIMIT 1`

const INSERT_ROW = `
  INSERT INTO journal (row_id, format, first_entry, last_entry, last_lot, last_wallet, last_hold, at_ms, month_events,
    keys_total, key_hashes, limits, last_notification, salt, hash, body)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT))`

const SELECT_ROWS = `
  SELECT row_id, format, body, first_entry, last_entry, last_wallet, last_notification, at_ms,
    salt, hash FROM journal`

const ROWS_AFTER = `${SELECT_ROWS}
  WHERE row_id > ? ORDER BY row_id LIMIT ?`

const ROWS_WITH_NOTIFICATIONS = `${SELECT_ROWS}
  WHERE row_id > ? AND last_notification > ? AND instr(body, '{"N":') > 0 ORDER BY row_id LIMIT ?`

const UNFLUSHED_BEFORE = `${SELECT_ROWS}
  WHERE row_id > ? AND row_id < ? AND first_entry < ? AND last_entry >= first_entry
  ORDER BY row_id DESC LIMIT ?`

const OLDEST_FREEABLE = `
  SELECT row_id, at_ms, length(body) AS length FROM journal
  WHERE row_id < ? ORDER BY row_id LIMIT ?`

/**
 * The maximum number of journal rows in one read. Rows are read in small groups, because all unflushed rows together
 * can exceed an isolate's memory. A caller can stop at any row, because no database cursor stays open.
 */
const ROWS_A_READ = 8

/**
 * The capacity, in characters, of the cache of unpacked rows, which replays use. It is small, because several ledgers
 * share the memory of an isolate.
 */
const MAX_CACHED_LENGTH = 1024 * 1024

const NOTHING_COMMITTED: Counters = {
  entry: 0,
  lot: 0,
  wallet: 0,
  hold: 0,
  at_ms: 0,
  month_events: 0,
  notification: 0,
}

/** The rows that a commit has written. `publish` makes them visible. */
export interface WrittenRows {
  readonly keys: RecordedKeys
  /** The hash of the last row. */
  readonly hash: string | null
  /** The total length of the rows: in characters for rows that are bound as strings, and in bytes for other rows. */
  readonly journal_length: number
}

interface UnpackedRow {
  readonly format: number
  readonly records: readonly JournalRecord[]
}

/** The stored journal, with its keys, its projection cursor, and the counters of its newest row. */
export class JournalRows {
  private readonly exec: Exec
  private readonly meta: MetaTable
  private readonly keys: KeyStore
  private readonly unpacked = new WeightedCache<number, UnpackedRow>(MAX_CACHED_LENGTH)
  private last = 0
  private lastHash: string | null = null
  private keysTotal = 0
  private flushed = NOTHING_PROJECTED
  private chainFirst = 1
  private committed: Counters = NOTHING_COMMITTED

  constructor(exec: Exec, meta: MetaTable, options?: PackedKeysOptions) {
    this.exec = exec
    this.meta = meta
    const newest = () => ({ row: this.last, keys_total: this.keysTotal })
    this.keys = new PackedKeys(exec, meta, newest, options)
  }

  /** Reads the newest row and the cursor. The cost does not depend on the size of the journal. */
  load(): void {
    this.unpacked.clear()
    this.flushed = readCursor(this.meta)
    this.chainFirst = Number(this.meta.get('chain_first_entry') ?? 1)
    const [row] = this.exec(LAST_ROW)
    this.last = row ? Number(row.row_id) : 0
    this.keysTotal = row ? Number(row.keys_total) : 0
    this.lastHash = row ? textOrNull(row.hash) : null
    if (!row) return
    this.committed = {
      entry: Number(row.last_entry),
      lot: Number(row.last_lot),
      wallet: Number(row.last_wallet),
      hold: Number(row.last_hold),
      at_ms: Number(row.at_ms),
      month_events: Number(row.month_events),
      notification: Number(row.last_notification),
    }
  }

  get counters(): Counters {
    return this.committed
  }

  get lastRow(): number {
    return this.last
  }

  /** The number of the last row that D1 is known to have. */
  get flushedRow(): number {
    return this.flushed.row
  }

  get cursor(): Cursor {
    return this.flushed
  }

  /** The number of the first entry in the hash chain. Entries from before the chain was introduced are not in it. */
  get chainFirstEntry(): number {
    return this.chainFirst
  }

  /** Whether the journal has unflushed rows. */
  get isDirty(): boolean {
    return this.last > this.flushed.row
  }

  /** Writes the rows and keys of a draft inside its transaction. `publish` makes them visible. */
  write(draft: Draft): WrittenRows {
    const { lot, wallet, hold, at_ms, month_events } = draft.counters
    let row_id = this.last
    let last_entry = this.committed.entry
    let last_notification = this.committed.notification
    let keys_total = this.keysTotal
    let hash = this.lastHash
    const hashed: { row_id: number; hashes: Uint32Array }[] = []
    let journal_length = 0
    let limits = packCounters(draft.limitCounters)
    for (const { body, records } of packRows(draft.records)) {
      row_id++
      assertRowSize(body)
      journal_length += typeof body === 'string' ? body.length : body.byteLength
      const first_entry = last_entry + 1
      const recorded_keys: string[] = []
      for (const record of records) {
        if (record.kind === 'entry') last_entry = record.number
        else if (record.kind === 'notification') last_notification = record.sequence
        if (record.idempotency) recorded_keys.push(record.idempotency.key)
      }
      const counters = [lot, wallet, hold, at_ms, month_events] as const
      const hashes = this.keys.pack(recorded_keys)
      if (hashes) {
        hashed.push({ row_id, hashes })
        keys_total += hashes.length / 2
      }
      const keys = [keys_total, hashes?.buffer ?? null] as const
      const entries = [first_entry, last_entry] as const
      const salt = newSalt()
      hash = rowHash(hash, salt, { row_id, first_entry, last_entry, at_ms }, body)
      const rest = [limits, last_notification, salt, hash, body] as const
      this.exec(INSERT_ROW, row_id, FORMAT, ...entries, ...counters, ...keys, ...rest)
      limits = null
    }
    if (last_entry !== draft.counters.entry || last_notification !== draft.counters.notification)
      throw new Error('the journal rows of the commit do not contain all of its entries and notifications')
    const recorded: RecordedKeys = { upTo: { row: row_id, keys_total }, rows: hashed }
    this.keys.record(recorded)
    return { keys: recorded, hash, journal_length }
  }

  publish(draft: Draft, { keys: recorded, hash }: WrittenRows): void {
    this.last = recorded.upTo.row
    this.lastHash = hash
    this.keysTotal = recorded.upTo.keys_total
    this.committed = draft.counters
    this.keys.publish(recorded)
  }

  /** Sets the projection cursor. Writes one row. */
  writeCursor(cursor: Cursor): void {
    writeCursor(this.meta, cursor)
    this.flushed = cursor
  }

  /**
   * Yields the rows after `row_id`, oldest first. Throws at a row whose hash shows that it was changed after its
   * commit.
   */
  *rowsAfter(row_id: number): Generator<JournalRow> {
    let after_row = row_id
    let before = this.rowAt(row_id)?.hash
    for (;;) {
      const rows = this.exec(ROWS_AFTER, after_row, ROWS_A_READ).map(journalRow)
      for (const row of rows) {
        if (before !== undefined) assertFollows(before, row)
        before = row.hash
        yield row
      }
      if (rows.length < ROWS_A_READ) return
      after_row = rows.at(-1)?.row_id ?? after_row
    }
  }

  /** Yields the unflushed rows that contain entries with numbers below `before_entry`, newest first. */
  *unflushedBefore(before_entry: number): Generator<JournalRow> {
    let before_row = this.last + 1
    for (;;) {
      const rows = this.exec(UNFLUSHED_BEFORE, this.flushed.row, before_row, before_entry, ROWS_A_READ).map(
        journalRow,
      )
      yield* rows
      if (rows.length < ROWS_A_READ) return
      before_row = rows.at(-1)?.row_id ?? before_row
    }
  }

  /** Yields the unflushed rows with notifications after `sequence`, oldest first. */
  *unflushedNotifications(sequence: number): Generator<JournalRow> {
    let after_row = this.flushed.row
    for (;;) {
      const rows = this.exec(ROWS_WITH_NOTIFICATIONS, after_row, sequence, ROWS_A_READ).map(journalRow)
      yield* rows
      if (rows.length < ROWS_A_READ) return
      after_row = rows.at(-1)?.row_id ?? after_row
    }
  }

  /** Returns the number of the last entry that D1 is known to have. Computes it from the first unflushed row. */
  flushedEntry(): number {
    const [row] = this.exec(
      'SELECT first_entry FROM journal WHERE row_id > ? ORDER BY row_id LIMIT 1',
      this.flushed.row,
    )
    return row ? Number(row.first_entry) - 1 : this.committed.entry
  }

  /** Returns the commit time of the oldest unflushed row; null if D1 has all rows. */
  unflushedSince(): number | null {
    const [row] = this.exec(
      'SELECT at_ms FROM journal WHERE row_id > ? ORDER BY row_id LIMIT 1',
      this.flushed.row,
    )
    return row ? Number(row.at_ms) : null
  }

  /** Returns the number of the last wallet that D1 is known to have. */
  flushedWallet(): number {
    if (this.flushed.row === 0) return 0
    const [row] = this.exec('SELECT last_wallet FROM journal WHERE row_id = ?', this.flushed.row)
    if (!row) throw new Error(`the last flushed journal row ${this.flushed.row} is missing`)
    return Number(row.last_wallet)
  }

  /** Returns the number of the oldest row in the journal; 1 if the journal is empty. */
  oldestRow(): number {
    const [row] = this.exec('SELECT min(row_id) AS row_id FROM journal')
    return Number(row?.row_id ?? 1)
  }

  /** Clears the cache of unpacked rows. Call this after rows have been rewritten. */
  dropCache(): void {
    this.unpacked.clear()
  }

  /**
   * Returns the last entry of a row, its commit time and its hash; undefined if the row does not exist or was deleted.
   * The hash is null for a row of an earlier version.
   */
  rowAt(row_id: number): Pick<JournalRow, 'last_entry' | 'at_ms' | 'hash'> | undefined {
    const [row] = this.exec('SELECT last_entry, at_ms, hash FROM journal WHERE row_id = ?', row_id)
    return row && { last_entry: Number(row.last_entry), at_ms: Number(row.at_ms), hash: textOrNull(row.hash) }
  }

  /**
   * Returns the keys that were used before, each with its use. Parses each row only once, because parsing is slow, and
   * looks up all keys that the row can contain. Only the records of the row decide whether a key was used.
   */
  usedKeys(idempotencies: readonly Idempotency[]): Map<string, KeyUse> {
    const found = new Map<string, KeyUse>()
    const rows = [...this.keys.find(idempotencies.map(({ key }) => key))].toSorted(([a], [b]) => a - b)
    for (const [row, keys] of rows) {
      const asked = new Set(keys)
      const { format, records } = this.unpack(row)
      for (const record of records) {
        if (!record.idempotency || !asked.has(record.idempotency.key)) continue
        const { key, fingerprint } = record.idempotency
        found.set(key, { fingerprint, read: () => ({ format, record }) })
      }
    }
    return found
  }

  /**
   * Reports whether the idempotency window contains the maximum number of keys. New keys are then refused, unless
   * `checkKey` is called with `batch`.
   */
  keysAreFull(): boolean {
    return this.keys.isFull()
  }

  /**
   * Deletes some of the oldest rows and their keys. Deletes only flushed rows that were committed before `at_ms`. Keeps
   * the last flushed row, because the next flush begins after it, and a start of the object reads the counters from the
   * newest row. Must be called in a transaction. Returns the number of deleted characters, which is 0 if no row can be
   * deleted. Writes 1 row for each deleted row, and 1 row for each row that the idempotency store deletes.
   */
  forgetBefore(at_ms: number): number {
    const oldest_at_ms = this.oldestFreeableAt()
    if (oldest_at_ms === null || oldest_at_ms >= at_ms) return 0
    let freed = 0
    for (const row of this.exec(OLDEST_FREEABLE, this.flushed.row, ROWS_A_READ)) {
      // Commit times never decrease, so all later rows are also too recent.
      if (Number(row.at_ms) >= at_ms) break
      this.exec('DELETE FROM journal WHERE row_id = ?', Number(row.row_id))
      this.unpacked.delete(Number(row.row_id))
      freed += Number(row.length)
    }
    this.keys.forget()
    return freed
  }

  /** Returns the commit time of the oldest flushed row that can be deleted; null if there is none. */
  oldestFreeableAt(): number | null {
    const [row] = this.exec(
      'SELECT at_ms FROM journal WHERE row_id < ? ORDER BY row_id LIMIT 1',
      this.flushed.row,
    )
    return row ? Number(row.at_ms) : null
  }

  private unpack(row_id: number): UnpackedRow {
    const cached = this.unpacked.get(row_id)
    if (cached) return cached
    const [row] = this.exec('SELECT format, body FROM journal WHERE row_id = ?', row_id)
    if (!row) throw new Error(`journal row ${row_id} is missing`)
    const format = Number(row.format)
    const body = String(row.body)
    const unpacked = { format, records: unpackRow(format, body) }
    this.unpacked.set(row_id, unpacked, body.length)
    return unpacked
  }
}

function journalRow(row: Record<string, SqlStorageValue>): JournalRow {
  return {
    row_id: Number(row.row_id),
    format: Number(row.format),
    body: String(row.body),
    first_entry: Number(row.first_entry),
    last_entry: Number(row.last_entry),
    last_wallet: Number(row.last_wallet),
    last_notification: Number(row.last_notification),
    at_ms: Number(row.at_ms),
    salt: textOrNull(row.salt),
    hash: textOrNull(row.hash),
  }
}

function textOrNull(value: SqlStorageValue | undefined): string | null {
  return typeof value === 'string' ? value : null
}

/**
 * Throws if a row is not the one that was committed after the row with the hash `before`. Rows of earlier versions
 * have no hash. Rows that an erasure rewrote have no salt, so their hash cannot be verified and only links them to
 * the next row.
 */
function assertFollows(before: string | null, row: JournalRow): void {
  const { row_id, salt, hash, body } = row
  if (hash === null ? before === null : salt === null || rowHash(before, salt, row, body) === hash) return
  throw new Error(`journal row ${row_id} is not the one that was committed: its hash does not match`)
}
