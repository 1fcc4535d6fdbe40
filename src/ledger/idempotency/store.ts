import type { Exec, MetaTable } from '../tables.ts'
import { KeyBuckets } from './buckets.ts'
import { ENTRY_BYTES, type KeyEntries, rowsBack, rowsOf } from './entries.ts'
import { type HashOfKey, KEY_SECRET, keyHash, packHashes } from './hash.ts'
import { KEY_LIMITS, type KeyLimits } from './limits.ts'
import { KeyIndex } from './memory-index.ts'
import type { KeyStore, RecordedKeys } from './record.ts'
import { addHashes, KeyRuns, type KeysUpTo } from './runs.ts'

export interface PackedKeysOptions {
  readonly limits?: Partial<KeyLimits>
  /** In place of the keyed hash: tests take a weak one, for its collisions. */
  readonly hash?: HashOfKey
}

const OLDEST_ROW = `
  SELECT row_id, keys_total - coalesce(length(key_hashes), 0) / 8 AS keys_before FROM journal ORDER BY row_id LIMIT 1`

/**
 * A search through a million entries as they lie takes a tenth of a millisecond a key, to place them all about a tenth of a
 * second: for so many keys at once the index is worth it right after a start.
 */
const MAX_SEARCHED_KEYS = 250

/**
 * The idempotency store: hashes of keys, 8 bytes each, in the journal row of their commit, which costs no row more.
 * Which row has a hash is known in memory, for older keys in buckets on disk (`key-buckets.ts`). For starts, runs repeat
 * the hashes of thousands of rows in one (`key-runs.ts`).
 *
 * Memory changes only after a transaction has succeeded, and what is on disk is read anew after each write of it: a
 * transaction that was undone leaves nothing behind.
 */
export class PackedKeys implements KeyStore {
  private readonly exec: Exec
  private readonly meta: MetaTable
  private readonly limits: KeyLimits
  private readonly buckets: KeyBuckets
  private readonly runs: KeyRuns
  /** The newest committed row. */
  private readonly newest: () => KeysUpTo
  private hash: HashOfKey | null
  /** Null until the first key is asked for: who only reads does not pay for it. */
  private index: KeyIndex | null = null
  /** What a start has read and not put into the index yet: a request after a start must not wait for a million places. */
  private unplaced: KeyEntries[] = []
  /** The keys of rows up to this one are in the buckets and have left the index. */
  private indexedAfter = 0
  /**
   * How many buckets of the round are owed for keys that came or went. A start owes a step, or a ledger that is always
   * evicted after a few keys would never come to the end of a round.
   */
  private owed: number
  /** How many keys are known to be forgotten; there may be more by now. */
  private forgotten = 0

  constructor(exec: Exec, meta: MetaTable, newest: () => KeysUpTo, options: PackedKeysOptions = {}) {
    this.exec = exec
    this.meta = meta
    this.newest = newest
    this.limits = { ...KEY_LIMITS, ...options.limits }
    this.owed = this.limits.step_buckets
    this.buckets = new KeyBuckets(exec, meta, this.limits)
    this.runs = new KeyRuns(exec, this.limits)
    this.hash = options.hash ?? null
  }

  find(keys: readonly string[]): Map<number, string[]> {
    this.buckets.settle()
    this.runs.settle()
    const index = this.loaded()
    if (keys.length > MAX_SEARCHED_KEYS) this.place(this.unplaced.length)
    const hashes = keys.map(this.hashOf())
    const rows = hashes.map((hash) => {
      const found = index.find(hash)
      for (const part of this.unplaced) rowsOf(part, hash, found)
      return found
    })
    this.buckets.find(hashes, rows)
    this.place(1)
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
    return keys.length === 0 ? null : packHashes(keys, this.hashOf())
  }

  record({ upTo, rows }: RecordedKeys): void {
    this.runs.extend(this.buckets.state, upTo)
    const count = rows.reduce((sum, { hashes }) => sum + hashes.length / 2, 0)
    if (count === 0 || !this.index) return
    const { row, keys_total } = this.newest()
    if (!this.buckets.state.round && this.index.size + this.unplacedKeys() >= this.limits.memory_keys) {
      this.buckets.begin({ row, keys_total }, keys_total - this.span().keys_before)
    }
    // The round is over when a quarter of what memory holds has come in.
    this.work((4 * count) / this.limits.memory_keys)
  }

  publish({ rows }: RecordedKeys): void {
    if (!this.index) return
    for (const { row_id, hashes } of rows) addHashes(this.index, row_id, hashes)
  }

  forget(count: number): void {
    const { oldest_row, keys_before } = this.span()
    this.runs.dropBefore(oldest_row)
    const { round, row, keys_total, entries } = this.buckets.state
    const live = Math.max(0, keys_total - keys_before)
    // The dead cost nothing but room: they go when they take more of it than the living, and more than a little.
    if (!round && entries - live >= Math.max(live, this.limits.memory_keys)) {
      this.buckets.begin({ row, keys_total }, live)
    }
    this.work(count / this.limits.memory_keys)
  }

  isFull(): boolean {
    const { keys_total } = this.newest()
    if (keys_total - this.forgotten < this.limits.window_keys) return false
    this.forgotten = this.span().keys_before
    return keys_total - this.forgotten >= this.limits.window_keys
  }

  /** What the keys take in memory; the index takes half as much again for a moment when it is made anew. */
  get memoryBytes(): number {
    return (this.index?.bytes ?? 0) + this.unplacedKeys() * ENTRY_BYTES
  }

  private unplacedKeys(): number {
    return this.unplaced.reduce((sum, { length }) => sum + length, 0)
  }

  /** Puts so many of the parts that a start has read into the index. */
  private place(parts: number): void {
    for (const part of this.unplaced.splice(0, parts)) this.index?.addAll(part)
  }

  /** Goes on with the round, if there is one, by this share of all its buckets. */
  private work(share: number): void {
    const { round, row } = this.buckets.state
    // A round that takes keys out of memory needs them there; one that only drops what is dead does not.
    if (!round || (round.row > row && !this.index)) return
    const all = 2 ** round.bits
    this.owed += share * all
    if (this.owed < Math.min(this.limits.step_buckets, all)) return
    this.place(this.unplaced.length)
    const buckets = Math.floor(this.owed)
    this.owed -= buckets
    if (!this.buckets.step(buckets, this.index, this.span())) return
    this.owed = 0
    this.runs.dropBefore(round.row + 1)
  }

  /** The index as the disk says that it must be: what a round has brought to the buckets leaves it. */
  private loaded(): KeyIndex {
    const { row, keys_total } = this.buckets.state
    const newest = this.newest()
    if (!this.index) {
      const { oldest_row, keys_before } = this.span()
      const index = new KeyIndex(newest.keys_total - Math.max(keys_total, keys_before))
      this.unplaced = this.runs.read(Math.max(row, oldest_row - 1), newest.row, index)
      this.index = index
    } else if (row > this.indexedAfter) {
      this.place(this.unplaced.length)
      this.index.keep((short) => newest.row - rowsBack(short, newest.row) > row)
    }
    this.indexedAfter = row
    return this.index
  }

  /** What of the journal is there. One row read. */
  private span(): { readonly oldest_row: number; readonly last_row: number; readonly keys_before: number } {
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
