import type { Exec, MetaTable } from '../tables.ts'
import { EntriesBuilder, type KeyEntries, NO_ENTRIES, readEntries, rowsBack, rowsOf } from './entries.ts'
import type { KeyLimits } from './limits.ts'
import type { KeyIndex } from './memory-index.ts'
import type { KeysUpTo } from './runs.ts'
import type { KeyHash } from './sip-hash.ts'

/**
 * Older keys, on disk: 2^bits buckets, an entry in the one that its hash's first bits say, each bucket a row. Keys come
 * in by a round that goes once through all buckets, a few at a time; it drops what the journal has forgotten, and
 * may change how many buckets there are.
 */
interface Buckets extends KeysUpTo {
  readonly bits: number
  /** How many entries they have, those included that the journal has forgotten since. */
  readonly entries: number
}

/** A round under way: the buckets below `next` are as they will be, the others as they were. */
interface Round extends Buckets {
  readonly next: number
}

export interface BucketState extends Buckets {
  readonly round?: Round
}

const NO_BUCKETS: BucketState = { bits: 0, row: 0, keys_total: 0, entries: 0 }

/** The journal as a round sees it: keys of rows before `oldest_row` are forgotten. */
export interface JournalSpan {
  readonly oldest_row: number
  readonly last_row: number
}

const FIND = `
  SELECT bucket, entries FROM key_buckets WHERE bucket IN (SELECT value FROM json_each(?))`
const READ = 'SELECT entries FROM key_buckets WHERE bucket = ?'
const WRITE = `
  INSERT INTO key_buckets (bucket, entries) VALUES (?, ?)
  ON CONFLICT (bucket) DO UPDATE SET entries = excluded.entries`
const DROP = 'DELETE FROM key_buckets WHERE bucket = ?'

/** Of 16 KB each: a batch of 1,000 keys needs as many, which need not be in memory together. */
const BUCKETS_A_READ = 64

export class KeyBuckets {
  private readonly exec: Exec
  private readonly meta: MetaTable
  private readonly limits: KeyLimits
  private known: BucketState | null = null
  private unsettled = false

  constructor(exec: Exec, meta: MetaTable, limits: KeyLimits) {
    this.exec = exec
    this.meta = meta
    this.limits = limits
  }

  get state(): BucketState {
    if (this.known) return this.known
    const stored = this.meta.get('key_buckets')
    const state: BucketState = stored === null ? NO_BUCKETS : JSON.parse(stored)
    if (!this.unsettled) this.known = state
    return state
  }

  /** What was written has been committed or undone: from now on what is read is kept. */
  settle(): void {
    this.unsettled = false
  }

  /** Appends to each hash's rows those that the buckets have of it. One row read for each bucket. */
  find(hashes: readonly KeyHash[], rows: readonly number[][]): void {
    if (this.state.entries === 0 && !this.state.round) return
    const asked = new Map<number, number[]>()
    for (const [index, { high }] of hashes.entries()) {
      const bucket = this.bucketOf(high)
      const indexes = asked.get(bucket)
      if (indexes) indexes.push(index)
      else asked.set(bucket, [index])
    }
    const buckets = [...asked.keys()].sort((a, b) => a - b)
    for (let from = 0; from < buckets.length; from += BUCKETS_A_READ) {
      const some = buckets.slice(from, from + BUCKETS_A_READ)
      for (const { bucket, entries } of this.exec(FIND, JSON.stringify(some))) {
        const read = entriesOf(entries)
        for (const index of asked.get(Number(bucket)) ?? []) {
          const hash = hashes[index]
          const found = rows[index]
          if (hash && found) rowsOf(read, hash, found)
        }
      }
    }
  }

  /** Begins a round that brings in the journal's keys up to there; so many entries will then be alive. */
  begin({ row, keys_total }: KeysUpTo, live_entries: number): void {
    const { state } = this
    let bits = 0
    while (live_entries > this.limits.bucket_keys * 2 ** bits) bits++
    // Where buckets become fewer, one is made of at most four, or a step would read without end.
    this.write({
      ...state,
      round: { bits: Math.max(bits, state.bits - 2), row, keys_total, entries: 0, next: 0 },
    })
  }

  /**
   * Writes the next few buckets of the round; true when it was the last step. In a transaction: a row written for each
   * bucket that changes, and one for how far it came.
   */
  step(buckets: number, index: KeyIndex | null, span: JournalSpan): boolean {
    const { round, ...before } = this.state
    if (!round) return true
    const until = Math.min(round.next + buckets, 2 ** round.bits)
    let { entries } = round
    for (let prefix = round.next; prefix < until; prefix++) {
      entries += this.merge(prefix, before, round, index, span)
    }
    const { bits, row, keys_total } = round
    const done = until === 2 ** bits
    this.write(
      done ? { bits, row, keys_total, entries } : { ...before, round: { ...round, entries, next: until } },
    )
    return done
  }

  /** Makes one bucket of those that it replaces and what memory has for it; returns how many entries it has. */
  private merge(
    prefix: number,
    before: BucketState,
    round: Round,
    index: KeyIndex | null,
    { oldest_row, last_row }: JournalSpan,
  ): number {
    const { bits } = round
    const oldest_back = last_row - oldest_row
    const merged = new EntriesBuilder()
    let dropped = 0
    const replaced = before.entries === 0 ? [] : replacedBuckets(prefix, bits, before.bits)
    for (const bucket of replaced) {
      const [stored] = this.exec(READ, bucket)
      const { length, low, high, row } = stored ? entriesOf(stored.entries) : NO_ENTRIES
      for (let at = 0; at < length; at++) {
        const entry_high = high[at] ?? 0
        const entry_row = row[at] ?? 0
        if (firstBits(entry_high, bits) !== prefix) continue
        if (rowsBack(entry_row, last_row) > oldest_back) dropped++
        else merged.push(low[at] ?? 0, entry_high, entry_row)
      }
    }
    const kept = merged.length
    const first_back = last_row - round.row
    index?.visit(prefix, bits, (low, high, row) => {
      const back = rowsBack(row, last_row)
      if (back >= first_back && back <= oldest_back) merged.push(low, high, row)
    })
    const bucket = 2 ** bits + prefix
    const changed = bits !== before.bits || dropped > 0 || merged.length > kept
    if (merged.length > 0 && changed) this.exec(WRITE, bucket, merged.toBlob())
    // A bucket that is split goes when the last of its parts is there.
    const parts = 2 ** Math.max(0, bits - before.bits)
    if (bits !== before.bits ? (prefix + 1) % parts === 0 : merged.length === 0 && dropped > 0) {
      for (const old of replaced) this.exec(DROP, old)
    }
    return merged.length
  }

  /** Where a hash is looked for now. Buckets of 2^bits have the numbers from 2^bits on, so two sizes stand together. */
  private bucketOf(high: number): number {
    const { bits, round } = this.state
    if (round) {
      const prefix = firstBits(high, round.bits)
      if (prefix < round.next) return 2 ** round.bits + prefix
    }
    return 2 ** bits + firstBits(high, bits)
  }

  private write(state: BucketState): void {
    this.meta.set('key_buckets', JSON.stringify(state))
    this.known = null
    this.unsettled = true
  }
}

/** The buckets of the round before that hold what goes into this one. */
function replacedBuckets(prefix: number, bits: number, old_bits: number): number[] {
  if (old_bits <= bits) return [2 ** old_bits + Math.floor(prefix / 2 ** (bits - old_bits))]
  const parts = 2 ** (old_bits - bits)
  return Array.from({ length: parts }, (_, part) => 2 ** old_bits + prefix * parts + part)
}

function firstBits(high: number, bits: number): number {
  return bits === 0 ? 0 : high >>> (32 - bits)
}

function entriesOf(value: SqlStorageValue | undefined): KeyEntries {
  if (!(value instanceof ArrayBuffer)) throw new Error('a bucket of key hashes is not binary')
  return readEntries(value)
}
