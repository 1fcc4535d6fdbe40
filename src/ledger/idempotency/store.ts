import type { Exec, MetaTable } from '../tables.ts'
import type { KeyStore, RecordedKeys } from './check.ts'
import {
  ENTRY_BYTES,
  type HashOfKey,
  KEY_SECRET,
  type KeyHash,
  type KeyPosition,
  keyHash,
  packHashes,
  RecentHashes,
  rowsBack,
} from './hash.ts'
import { addHashes, KeyIndex, KeyRuns, type RunLimits } from './memory-index.ts'
import { type JournalSpan, KeySegments, type Segment } from './segments.ts'

/** The limits of a ledger's idempotency store. Tests use lower limits. */
export interface KeyLimits extends RunLimits {
  /**
   * The number of keys in an idempotency window at which new keys are refused, except the keys of whole batches and the
   * ledger's own keys.
   */
  readonly window_keys: number
  /** The number of keys in the index at which the index is written to a segment. */
  readonly memory_keys: number
  /** The maximum average number of keys in a bucket of a segment. */
  readonly bucket_keys: number
}

/**
 * The limits in production. 20 million keys need 61 segments, whose filters take 30 MB, and an index of 6 MB. A
 * segment has 256 buckets of 15 KB, which is 0.0008 rows for each key. The first lookup after a start reads the
 * filters, up to 5 runs of 800 KB (or 80 runs of 4,096 rows), and up to 4,096 journal rows.
 */
export const KEY_LIMITS: KeyLimits = {
  window_keys: 20_000_000,
  memory_keys: 5 * 65_536,
  bucket_keys: Math.floor((16 * 1024) / ENTRY_BYTES),
  run_rows: 4096,
  run_keys: 65_536,
}

export interface PackedKeysOptions {
  readonly limits?: Partial<KeyLimits>
  /** A replacement for the keyed hash. Tests use weak hashes to get collisions. */
  readonly hash?: HashOfKey
}

const OLDEST_ROW = `
  SELECT row_id, keys_total - coalesce(length(key_hashes), 0) / 8 AS keys_before FROM journal ORDER BY row_id LIMIT 1`

/** The changes of a transaction that are published to memory after the transaction has succeeded. */
interface Unpublished {
  readonly segment: Segment | null
  readonly packed: KeyPosition
}

/**
 * The idempotency store. A commit's journal row contains the hashes of the commit's keys, so a key costs almost no
 * additional rows. The store finds the journal row of a newer key in the index in memory, and the journal row of an
 * older key in the segments on disk.
 *
 * A failed transaction does not change the index and the segments in memory.
 */
export class PackedKeys implements KeyStore {
  private readonly exec: Exec
  private readonly meta: MetaTable
  private readonly limits: KeyLimits
  private readonly runs: KeyRuns
  private readonly segments: KeySegments
  /** Returns the position of the newest committed row. */
  private readonly newest: () => KeyPosition
  private hash: HashOfKey | null
  private readonly recent = new RecentHashes()
  /**
   * The index of newer keys. It is null until the first lookup, because ledgers that are only read do not need their
   * keys.
   */
  private index: KeyIndex | null = null
  /** The position up to which runs or segments contain the keys; null until the first commit after a start. */
  private packed: KeyPosition | null = null
  private unpublished: Unpublished | null = null
  /** Whether the memory might still contain segments that were deleted on disk. */
  private dropped = false
  /** The number of keys whose journal rows are deleted, as a lower bound. */
  private forgotten = 0

  constructor(exec: Exec, meta: MetaTable, newest: () => KeyPosition, options: PackedKeysOptions = {}) {
    this.exec = exec
    this.meta = meta
    this.newest = newest
    this.limits = { ...KEY_LIMITS, ...options.limits }
    this.runs = new KeyRuns(exec, this.limits)
    this.segments = new KeySegments(exec, this.limits.bucket_keys)
    this.hash = options.hash ?? null
  }

  find(keys: readonly string[]): Map<number, string[]> {
    const index = this.loaded()
    const hashOf = this.hashOf()
    const hashes: KeyHash[] = []
    const rows: (readonly number[])[] = []
    for (const key of keys) {
      const hash = hashOf(key)
      hashes.push(hash)
      rows.push(index.find(hash))
      this.recent.add(key, hash)
    }
    this.segments.find(hashes, rows)
    const found = new Map<number, string[]>()
    if (rows.every(({ length }) => length === 0)) return found
    const { oldest_row, last_row } = this.span()
    for (const [at, key] of keys.entries()) {
      for (const short of new Set(rows[at])) {
        const row = last_row - rowsBack(short, last_row)
        if (row < oldest_row) continue
        const others = found.get(row)
        if (others) others.push(key)
        else found.set(row, [key])
      }
    }
    return found
  }

  pack(keys: readonly string[]): Uint32Array<ArrayBuffer> | null {
    if (keys.length === 0) return null
    const hashOf = this.hashOf()
    return packHashes(keys, (key) => this.recent.take(key) ?? hashOf(key))
  }

  record({ upTo }: RecordedKeys): void {
    let packed = this.packed ?? later(this.segments.newest(), this.runs.newest())
    let segment: Segment | null = null
    if (this.index && this.index.size >= this.limits.memory_keys) {
      // The index contains only the keys of committed rows, not the keys of this transaction.
      packed = this.newest()
      segment = this.segments.write(this.index, packed, this.span())
      this.runs.dropBefore(packed.row + 1)
    }
    this.unpublished = { segment, packed: this.runs.extend(packed, upTo) }
  }

  publish({ rows }: RecordedKeys): void {
    this.recent.clear()
    const { segment, packed } = this.unpublished ?? { segment: null, packed: null }
    this.unpublished = null
    this.packed = packed
    if (segment) {
      this.segments.add(segment)
      this.index?.clear(this.limits.memory_keys)
    }
    if (!this.index) return
    for (const { row_id, hashes } of rows) addHashes(this.index, row_id, hashes)
  }

  forget(): void {
    const { oldest_row } = this.span()
    this.runs.dropBefore(oldest_row)
    this.segments.dropBefore(oldest_row)
    this.dropped = true
  }

  isFull(): boolean {
    const { keys_total } = this.newest()
    if (keys_total - this.forgotten < this.limits.window_keys) return false
    this.forgotten = this.span().keys_before
    return keys_total - this.forgotten >= this.limits.window_keys
  }

  get memoryBytes(): number {
    return (this.index?.bytes ?? 0) + this.segments.memoryBytes
  }

  /** Returns the index. Loads the keys from disk before the first lookup. */
  private loaded(): KeyIndex {
    if (this.index) {
      if (this.dropped) this.segments.release(this.span().oldest_row)
      this.dropped = false
      return this.index
    }
    const { oldest_row, last_row, keys_before } = this.span()
    this.segments.load()
    const { row, keys_total } = this.segments.newest()
    const index = new KeyIndex(this.newest().keys_total - Math.max(keys_total, keys_before))
    this.runs.readInto(index, Math.max(row, oldest_row - 1), last_row)
    this.index = index
    return index
  }

  /** Returns the range of rows in the journal. Reads 1 row. */
  private span(): JournalSpan {
    const { row, keys_total } = this.newest()
    const [oldest] = this.exec(OLDEST_ROW)
    return {
      oldest_row: oldest ? Number(oldest.row_id) : row + 1,
      last_row: row,
      keys_before: oldest ? Number(oldest.keys_before) : keys_total,
    }
  }

  private hashOf(): HashOfKey {
    this.hash ??= keyHash(this.meta.get(KEY_SECRET))
    return this.hash
  }
}

function later(one: KeyPosition, other: KeyPosition): KeyPosition {
  return other.row > one.row ? other : one
}
