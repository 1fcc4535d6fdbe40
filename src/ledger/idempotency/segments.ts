import type { Exec } from '../tables.ts'
import { EntriesBuilder, type KeyHash, type KeyPosition, readEntries, rowsBack, rowsOf } from './hash.ts'
import type { KeyIndex } from './memory-index.ts'

/**
 * A segment: the hashes of the keys of consecutive journal rows, in 2^bits buckets by the first bits of the hashes. A
 * segment does not change until it is deleted.
 */
export interface Segment {
  readonly last_row: number
  /** The number of the segment's first bucket. The numbers of the other buckets follow. */
  readonly first_bucket: number
  readonly bits: number
  /**
   * The filter of the segment's keys. It is null if the segment was written with tables older than version 6. Every
   * lookup then reads one of the segment's buckets.
   */
  readonly filter: BloomFilter | null
}

/** The range of committed rows in the journal. The keys of rows before `oldest_row` are no longer valid. */
export interface JournalSpan {
  readonly oldest_row: number
  readonly last_row: number
  /** The number of keys that the ledger recorded in the rows before `oldest_row`. */
  readonly keys_before: number
}

/** The maximum number of buckets that a lookup reads at once. It limits the memory of a lookup. */
const BUCKETS_A_READ = 64

/** The maximum number of buckets that one statement deletes. A full segment has this number of buckets. */
const BUCKETS_A_DROP = 256

const ALL = `
  SELECT last_row, first_bucket, bits, filter FROM key_segments ORDER BY first_bucket`
const NEWEST = `
  SELECT last_row, keys_total, first_bucket, bits FROM key_segments ORDER BY first_bucket DESC LIMIT 1`
const OLDEST = `
  SELECT last_row, first_bucket, bits FROM key_segments ORDER BY first_bucket LIMIT 1`
const INSERT = `
  INSERT INTO key_segments (first_bucket, bits, last_row, keys_total, filter) VALUES (?, ?, ?, ?, ?)`
const INSERT_BUCKET = 'INSERT INTO key_buckets (bucket, entries) VALUES (?, ?)'
const READ_BUCKETS = `
  SELECT bucket, entries FROM key_buckets WHERE bucket IN (SELECT value FROM json_each(?))`
const DELETE_BUCKETS = `
  DELETE FROM key_buckets WHERE bucket IN (
    SELECT bucket FROM key_buckets WHERE bucket >= ? AND bucket < ? ORDER BY bucket LIMIT ?)
  RETURNING bucket`

/**
 * The older keys on disk, in segments ordered by time. `load` reads the Bloom filters of the segments into memory. A
 * lookup then reads only buckets of segments that might contain the key.
 */
export class KeySegments {
  private readonly exec: Exec
  /** The maximum average number of keys in a bucket. */
  private readonly bucketKeys: number
  private segments: Segment[] = []

  constructor(exec: Exec, bucket_keys: number) {
    this.exec = exec
    this.bucketKeys = bucket_keys
  }

  load(): void {
    this.segments = this.exec(ALL).map((row) => ({
      last_row: Number(row.last_row),
      first_bucket: Number(row.first_bucket),
      bits: Number(row.bits),
      filter: row.filter === null ? null : BloomFilter.fromBlob(row.filter),
    }))
  }

  get memoryBytes(): number {
    return this.segments.reduce((sum, { filter }) => sum + (filter?.blob.byteLength ?? 0), 0)
  }

  /** Returns the position up to which segments contain the keys. Reads 1 row. */
  newest(): KeyPosition {
    const [row] = this.exec(NEWEST)
    return { row: Number(row?.last_row ?? 0), keys_total: Number(row?.keys_total ?? 0) }
  }

  /**
   * Adds the short row numbers of each hash's entries to `rows`, at the index of the hash. Reads 1 row for each bucket
   * that might contain an entry.
   */
  find(hashes: readonly KeyHash[], rows: (readonly number[])[]): void {
    if (this.segments.length === 0) return
    const asked = new Map<number, number[]>()
    for (const { filter, first_bucket, bits } of this.segments) {
      for (let index = 0; index < hashes.length; index++) {
        const hash = hashes[index]
        if (!hash || filter?.mayHave(hash) === false) continue
        const bucket = first_bucket + firstBits(hash.high, bits)
        const indexes = asked.get(bucket)
        if (indexes) indexes.push(index)
        else asked.set(bucket, [index])
      }
    }
    const buckets = [...asked.keys()]
    for (let from = 0; from < buckets.length; from += BUCKETS_A_READ) {
      const some = buckets.slice(from, from + BUCKETS_A_READ)
      for (const { bucket, entries } of this.exec(READ_BUCKETS, JSON.stringify(some))) {
        const read = readEntries(entries)
        for (const index of asked.get(Number(bucket)) ?? []) {
          const hash = hashes[index]
          if (hash) rows[index] = [...(rows[index] ?? []), ...rowsOf(read, hash)]
        }
      }
    }
  }

  /**
   * Writes the index as a segment, without keys of deleted rows. Must run in a transaction. After the transaction has
   * succeeded, pass the returned segment to `add`. Writes 1 row for the segment, and 1 for each bucket with keys.
   */
  write(
    index: KeyIndex,
    { row, keys_total }: KeyPosition,
    { oldest_row, keys_before }: JournalSpan,
  ): Segment {
    const oldest_back = row - oldest_row
    const most_keys = Math.min(index.size, keys_total - keys_before)
    const [newest] = this.exec(NEWEST)
    const first_bucket = newest ? Number(newest.first_bucket) + 2 ** Number(newest.bits) : 1
    let bits = 0
    while (most_keys > this.bucketKeys * 2 ** bits) bits++
    const filter = BloomFilter.sizedFor(most_keys)
    const entries = new EntriesBuilder()
    for (let prefix = 0; prefix < 2 ** bits; prefix++) {
      entries.clear()
      index.visit(prefix, bits, (low, high, short) => {
        if (rowsBack(short, row) > oldest_back) return
        entries.push(low, high, short)
        filter.add({ low, high })
      })
      if (entries.length > 0) this.exec(INSERT_BUCKET, first_bucket + prefix, entries.toBlob())
    }
    this.exec(INSERT, first_bucket, bits, row, keys_total, filter.blob)
    return { last_row: row, first_bucket, bits, filter }
  }

  add(segment: Segment): void {
    this.segments.push(segment)
  }

  /**
   * If all keys of the oldest segment are from rows before `row_id`, deletes up to `BUCKETS_A_DROP` of its buckets.
   * Also deletes the segment if it had fewer buckets left. Must run in a transaction. After the transaction has
   * succeeded, call `release`. Writes 1 row for each deleted bucket and 1 for a deleted segment.
   */
  dropBefore(row_id: number): void {
    const [oldest] = this.exec(OLDEST)
    if (!oldest || Number(oldest.last_row) >= row_id) return
    const first = Number(oldest.first_bucket)
    const deleted = this.exec(DELETE_BUCKETS, first, first + 2 ** Number(oldest.bits), BUCKETS_A_DROP)
    if (deleted.length < BUCKETS_A_DROP) this.exec('DELETE FROM key_segments WHERE first_bucket = ?', first)
  }

  /** Frees the memory of the segments whose keys are all from rows before this row. */
  release(row_id: number): void {
    this.segments = this.segments.filter(({ last_row }) => last_row >= row_id)
  }
}

function firstBits(high: number, bits: number): number {
  return bits === 0 ? 0 : high >>> (32 - bits)
}

const BITS_PER_KEY = 12
/**
 * The maximum size of a filter, because storage accepts values of up to 2 MB. The first segment after an upgrade from
 * tables of version 5 can have 1.5 million keys. Its filter has fewer bits for each key and more false positives.
 */
const MAX_BITS = 12 * 2 ** 20
/** The number of probes with the fewest false positives at 12 bits for each key: about 12 × ln 2. */
const PROBES = 8

/**
 * A Bloom filter of key hashes. It finds every added hash. About 0.3 % of the other hashes are false positives, or
 * more if `MAX_BITS` limits the filter.
 */
export class BloomFilter {
  private readonly words: Uint32Array<ArrayBuffer>
  /** The factor that maps 32 hash bits to a bit of the filter. */
  private readonly scale: number

  private constructor(words: Uint32Array<ArrayBuffer>) {
    this.words = words
    this.scale = words.length / 2 ** 27
  }

  static sizedFor(keys: number): BloomFilter {
    return new BloomFilter(new Uint32Array(Math.ceil(Math.min(keys * BITS_PER_KEY, MAX_BITS) / 32) + 1))
  }

  static fromBlob(blob: SqlStorageValue | undefined): BloomFilter {
    if (!(blob instanceof ArrayBuffer)) throw new Error('a stored Bloom filter is not a blob')
    return new BloomFilter(new Uint32Array(blob))
  }

  get blob(): ArrayBuffer {
    return this.words.buffer
  }

  add({ low, high }: KeyHash): void {
    const { words, scale } = this
    let probe = low
    for (let i = 0; i < PROBES; i++) {
      const bit = (probe * scale) >>> 0
      words[bit >>> 5] = (words[bit >>> 5] ?? 0) | (1 << (bit & 31))
      probe = (probe + high) >>> 0
    }
  }

  mayHave({ low, high }: KeyHash): boolean {
    const { words, scale } = this
    let probe = low
    for (let i = 0; i < PROBES; i++) {
      const bit = (probe * scale) >>> 0
      if (((words[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false
      probe = (probe + high) >>> 0
    }
    return true
  }
}
