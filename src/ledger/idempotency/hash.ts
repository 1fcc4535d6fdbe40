import { type HashSecret, type KeyHash, sipHash } from './sip-hash.ts'

export type HashOfKey = (key: string) => KeyHash

/** Where `meta` has the ledger's secret: made with the tables and never changed, since hashes on disk depend on it. */
export const KEY_SECRET = 'key_secret'

export function newKeySecret(): string {
  return JSON.stringify([...crypto.getRandomValues(new Uint32Array(4))])
}

/** The hash that the ledger's own secret makes, so that nobody can send keys that collide. */
export function keyHash(secret: string | null): HashOfKey {
  if (secret === null) throw new Error('the ledger has no secret for the hashes of its keys')
  const words: HashSecret = JSON.parse(secret)
  return (key) => sipHash(words, key)
}

/** What a journal row says of its keys: 8 bytes each, the low half and the high half in turn. Null: it has none. */
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
