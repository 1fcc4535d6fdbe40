/** A secret of 16 bytes. Without it nobody can compute keys whose hashes collide. */
export type HashSecret = readonly [k0_low: number, k0_high: number, k1_low: number, k1_high: number]

/** A hash of 64 bits as two unsigned halves of 32. */
export interface KeyHash {
  readonly low: number
  readonly high: number
}

/**
 * Computes SipHash-2-4 of the text in UTF-8 (Aumasson and Bernstein, 2012). The algorithm is designed for hash tables
 * with short keys from untrusted clients. It computes in halves of 32 bits, because BigInt is about fifty times slower:
 * 0.4 us for a key of 36 characters.
 */
export function sipHash(secret: HashSecret, text: string): KeyHash {
  const length = encode(text)
  let v0l = secret[0] ^ 0x70736575
  let v0h = secret[1] ^ 0x736f6d65
  let v1l = secret[2] ^ 0x6e646f6d
  let v1h = secret[3] ^ 0x646f7261
  let v2l = secret[0] ^ 0x6e657261
  let v2h = secret[1] ^ 0x6c796765
  let v3l = secret[2] ^ 0x79746573
  let v3h = secret[3] ^ 0x74656462

  const words = (length >>> 3) + 1
  // Two rounds for each word of the text (the last word ends with the length), then four to finish.
  for (let word = 0; word <= words; word++) {
    const finishing = word === words
    const ml = finishing ? 0 : view.getInt32(word * 8, true)
    const mh = finishing ? 0 : view.getInt32(word * 8 + 4, true)
    if (finishing) v2l ^= 0xff
    v3l ^= ml
    v3h ^= mh
    for (let round = finishing ? 4 : 2; round > 0; round--) {
      // The low halves carry when their sum is below a summand. A rotation by 32 swaps the halves.
      let l = (v0l + v1l) | 0
      v0h = (v0h + v1h + (l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0
      v0l = l
      l = (v1l << 13) | (v1h >>> 19)
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h
      v1l = l ^ v0l
      l = v0l
      v0l = v0h
      v0h = l

      l = (v2l + v3l) | 0
      v2h = (v2h + v3h + (l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0
      v2l = l
      l = (v3l << 16) | (v3h >>> 16)
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h
      v3l = l ^ v2l

      l = (v0l + v3l) | 0
      v0h = (v0h + v3h + (l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0
      v0l = l
      l = (v3l << 21) | (v3h >>> 11)
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h
      v3l = l ^ v0l

      l = (v2l + v1l) | 0
      v2h = (v2h + v1h + (l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0
      v2l = l
      l = (v1l << 17) | (v1h >>> 15)
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h
      v1l = l ^ v2l
      l = v2l
      v2l = v2h
      v2h = l
    }
    v0l ^= ml
    v0h ^= mh
  }
  return { low: (v0l ^ v1l ^ v2l ^ v3l) >>> 0, high: (v0h ^ v1h ^ v2h ^ v3h) >>> 0 }
}

const utf8 = new TextEncoder()
let bytes = new Uint8Array(1024)
let view = new DataView(bytes.buffer)

/** Writes the text to `bytes`, padded with zeros to whole words; the last byte is the length modulo 256. Returns the length. */
function encode(text: string): number {
  if (text.length * 3 + 8 > bytes.length) {
    bytes = new Uint8Array(text.length * 3 + 8)
    view = new DataView(bytes.buffer)
  }
  let length = 0
  for (; length < text.length; length++) {
    const unit = text.charCodeAt(length)
    if (unit >= 0x80) break
    bytes[length] = unit
  }
  // Most keys are ASCII and short: the loop above is faster than a call of the encoder.
  if (length < text.length) length = utf8.encodeInto(text, bytes).written
  const end = length | 7
  bytes.fill(0, length, end)
  bytes[end] = length
  return length
}

export type HashOfKey = (key: string) => KeyHash

/** The `meta` key of the ledger's hash secret. Written with the tables and never changed: stored hashes depend on it. */
export const KEY_SECRET = 'key_secret'

export function newKeySecret(): string {
  return JSON.stringify([...crypto.getRandomValues(new Uint32Array(4))])
}

/** The hash under the ledger's own secret, so that clients cannot choose keys that collide. */
export function keyHash(secret: string | null): HashOfKey {
  if (secret === null) throw new Error(`meta has no ${KEY_SECRET}: the ledger cannot hash idempotency keys`)
  const words: HashSecret = JSON.parse(secret)
  return (key) => sipHash(words, key)
}

/** The `key_hashes` of a journal row: 8 bytes a key, low half first. Null when the row has no keys. */
export function packHashes(keys: readonly string[], hash: HashOfKey): Uint32Array<ArrayBuffer> | null {
  if (keys.length === 0) return null
  const hashes = new Uint32Array(2 * keys.length)
  for (const [at, key] of keys.entries()) {
    const { low, high } = hash(key)
    hashes[2 * at] = low
    hashes[2 * at + 1] = high
  }
  return hashes
}
