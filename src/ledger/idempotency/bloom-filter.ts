import type { KeyHash } from './hash.ts'

const BITS_PER_KEY = 12
/**
 * Storage takes values of up to 2 MB. The first segment after an upgrade from tables of version 5 can have 1.5 million
 * keys; its filter has fewer bits a key and more false positives.
 */
const MAX_BITS = 12 * 2 ** 20
/** The number of probes with the fewest false positives at 12 bits a key: 12 × ln 2. */
const PROBES = 8

/** A Bloom filter of key hashes. It never misses a hash that was added; 0.3 % of other hashes are false positives. */
export class BloomFilter {
  private readonly words: Uint32Array<ArrayBuffer>
  /** Scales 32 hash bits to a bit of the filter. */
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
