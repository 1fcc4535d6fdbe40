import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import type { Mode } from '../../db/schema.ts'
import { newId } from '../../ids.ts'
import { logError } from '../../logging/log.ts'
import { OPERATOR, readKvEpoch } from '../../rating/price-epochs.ts'
import { KV_WRITE_SPACING_MS, selectKey } from '../publishing.ts'
import { type FoundKey, type KeyRecord, parseKeyRecord } from '../record.ts'
import { composeApiKey, DEVELOPMENT_KEY_HASH, hashApiKey } from './format.ts'

interface Entry<V> {
  readonly value: V
  readonly expires_at_ms: number
}

/**
 * A map in the memory of one isolate. Each entry expires after `ttl_ms`. If the map exceeds `capacity`, the least
 * recently used entry is evicted.
 */
export class ExpiringMap<V> {
  private readonly entries = new Map<string, Entry<V>>()
  private readonly capacity: number
  private readonly ttl_ms: number

  constructor(options: { readonly capacity: number; readonly ttl_ms: number }) {
    this.capacity = options.capacity
    this.ttl_ms = options.ttl_ms
  }

  get size(): number {
    return this.entries.size
  }

  get(key: string, now_ms: number): V | undefined {
    const entry = this.entries.get(key)
    if (!entry) return undefined
    this.entries.delete(key)
    if (entry.expires_at_ms <= now_ms) return undefined
    // Moves the entry to the end, because a Map iterates in insertion order and the first entry is evicted.
    this.entries.set(key, entry)
    return entry.value
  }

  set(key: string, value: V, now_ms: number): void {
    this.entries.delete(key)
    this.entries.set(key, { value, expires_at_ms: now_ms + this.ttl_ms })
    if (this.entries.size <= this.capacity) return
    for (const oldest of this.entries.keys()) {
      this.entries.delete(oldest)
      break
    }
  }

  delete(key: string): void {
    this.entries.delete(key)
  }

  clear(): void {
    this.entries.clear()
  }
}

/** The minimum cache time that KV accepts, in seconds. `KV_COPY_S` is the minimum expiration time that KV accepts. */
const KV_EDGE_CACHE_S = 30
const KV_COPY_S = 60

const known = new ExpiringMap<FoundKey>({ capacity: 10_000, ttl_ms: 30_000 })
const unknown = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: 5_000 })

/**
 * The hashes of recently found keys. They are cached because computing the hash and the checksum takes 13 us per
 * request.
 */
const hashes = new ExpiringMap<string>({ capacity: 10_000, ttl_ms: 30_000 })

/** Reports whether a text is a recently found key, whose format was already checked. */
export function isKnownKey(text: string, now_ms: number): boolean {
  return hashes.get(text, now_ms) !== undefined
}

/** The functions of a request that a key lookup needs. */
export interface KeyLookup {
  /** Lets a promise complete after the response is sent. */
  readonly defer: (work: Promise<unknown>) => void
  /** Reports whether the rate limit admits one more lookup of a key that this isolate has not cached. */
  readonly admitsLookup: () => Promise<boolean>
  /**
   * Reports whether the rate limit admits one more D1 query for a key that is not in KV. Most keys that are not in KV
   * do not exist.
   */
  readonly admitsStranger: () => Promise<boolean>
}

/**
 * Creates a key id, the text of the key and its hash. The row of the key in D1 contains the hash but not the text. Only
 * the response to the creation of the key contains the text.
 */
export function mintApiKey(mode: Mode): {
  readonly key_id: string
  readonly api_key: string
  readonly key_hash: string
} {
  const key_id = newId('key')
  const api_key = composeApiKey(mode, key_id, crypto.getRandomValues(new Uint8Array(32)))
  return { key_id, api_key, key_hash: hashApiKey(api_key) }
}

/** The record of a key; undefined if the key does not exist; `limited` if the rate limit of lookups is reached. */
type Found = FoundKey | 'limited' | undefined

/**
 * Finds the record of a well-formed key. Reads this isolate's memory, then KV, then D1. KV also caches misses, so it
 * can miss a new key that D1 contains.
 */
export function findApiKey(
  env: Bindings,
  api_key: string,
  now_ms: number,
  lookup: KeyLookup,
): Found | Promise<Found> {
  const hash = hashes.get(api_key, now_ms) ?? hashApiKey(api_key)
  const cacheHash = (record: Found) => {
    if (typeof record === 'object') hashes.set(api_key, hash, now_ms)
    return record
  }
  const found = findKeyByHash(env, hash, now_ms, lookup)
  return found instanceof Promise ? found.then(cacheHash) : cacheHash(found)
}

/**
 * Finds the record of a key by its hash, like `findApiKey`. For a key in memory, returns the record without a promise,
 * because each promise costs CPU time.
 */
export function findKeyByHash(
  env: Bindings,
  hash: string,
  now_ms: number,
  lookup: KeyLookup,
): Found | Promise<Found> {
  if (hash === DEVELOPMENT_KEY_HASH && configOf(env).environment !== 'development') return undefined
  const cached = known.get(hash, now_ms)
  if (cached) return cached
  return unknown.get(hash, now_ms) ? undefined : readKey(env, hash, now_ms, lookup)
}

async function readKey(env: Bindings, hash: string, now_ms: number, lookup: KeyLookup): Promise<Found> {
  if (!(await lookup.admitsLookup())) return 'limited'
  let record = await readFromKv(env, hash)
  if (!record) {
    if (!(await lookup.admitsStranger())) return 'limited'
    record = await readFromD1(env, hash, lookup.defer)
  }
  if (record) known.set(hash, record, now_ms)
  else unknown.set(hash, true, now_ms)
  return record
}

/** Removes a changed key from this isolate's cache. */
export function forgetCachedKey(key_hash: string): void {
  known.delete(key_hash)
  unknown.delete(key_hash)
}

/** Empties the caches, for tests. */
export function forgetCachedKeys(): void {
  known.clear()
  unknown.clear()
  hashes.clear()
}

/**
 * Reads a key from KV. Reads the operator's price epoch in parallel with the record. Reads the customer's price epoch
 * after the record, because the record contains the customer's id. Returns undefined if KV fails, if it lacks the
 * record or an epoch, or if the format of the record is unknown.
 */
async function readFromKv(env: Bindings, hash: string): Promise<FoundKey | undefined> {
  try {
    const [text, operator] = await Promise.all([
      env.API_KEYS.get(hash, { type: 'text', cacheTtl: KV_EDGE_CACHE_S }),
      readKvEpoch(env, OPERATOR),
    ])
    const record = text === null ? undefined : parseKeyRecord(text)
    const customer = record && (await readKvEpoch(env, record.customer_id))
    if (!record || operator === undefined || customer === undefined) return undefined
    return { ...record, key_hash: hash, price_epochs: { operator, customer } }
  } catch (error) {
    logError('key_record_not_read', error)
    return undefined
  }
}

async function readFromD1(
  env: Bindings,
  hash: string,
  defer: (work: Promise<unknown>) => void,
): Promise<FoundKey | undefined> {
  const selected = await selectKey(env, hash)
  if (!selected) return undefined
  defer(copyToKv(env, hash, selected.record))
  return { ...selected.record, key_hash: hash, price_epochs: selected.price_epochs }
}

/**
 * Copies a key from D1 to KV, then reads D1 again. If the key was revoked between the first read and the copy, the copy
 * is corrected. Otherwise, the copy would reactivate the key on every route that does not call the ledger object. If
 * the correction fails, the copy remains until it expires. A later revocation overwrites the copy.
 */
async function copyToKv(env: Bindings, hash: string, record: KeyRecord): Promise<void> {
  const copied = JSON.stringify(record)
  try {
    await env.API_KEYS.put(hash, copied, { expirationTtl: KV_COPY_S })
    const now = await selectKey(env, hash)
    const current = now && JSON.stringify(now.record)
    if (current === undefined || current === copied) return
    await scheduler.wait(KV_WRITE_SPACING_MS)
    await env.API_KEYS.put(hash, current, { expirationTtl: KV_COPY_S })
  } catch (error) {
    logError('key_record_not_copied', error, { key_id: record.key_id })
  }
}
