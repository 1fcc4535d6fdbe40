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
 * A map in the memory of one isolate. Entries expire after `ttl_ms`. Above `capacity`, the least recently used entry
 * is evicted.
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
    // A Map iterates in insertion order: move the entry to the end.
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

/** The minimum cache time and the minimum expiration time that KV accepts, in seconds. */
const KV_EDGE_CACHE_S = 30
const KV_COPY_S = 60

const known = new ExpiringMap<FoundKey>({ capacity: 10_000, ttl_ms: 30_000 })
const unknown = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: 5_000 })

/** The hashes of recently found keys, cached because hash and checksum take 13 us per request. */
const hashes = new ExpiringMap<string>({ capacity: 10_000, ttl_ms: 30_000 })

/** Reports whether a text is a recently found key. The format of such a key needs no check. */
export function isKnownKey(text: string, now_ms: number): boolean {
  return hashes.get(text, now_ms) !== undefined
}

/** The parts of a request that a lookup needs. */
export interface KeyLookup {
  /** Runs work after the response. */
  readonly defer: (work: Promise<unknown>) => void
  /** Reports whether one more key that this isolate has not cached may be looked up. */
  readonly admitsLookup: () => Promise<boolean>
  /** Reports whether D1 may be queried for one more key that is not in KV. Most such keys do not exist. */
  readonly admitsStranger: () => Promise<boolean>
}

/**
 * Creates a key and its hash. The text of the key is not part of its row in D1. Only the answer to its creation
 * contains it.
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

/** The record of a key; undefined if the key does not exist, `limited` if the limit of lookups is reached. */
type Found = FoundKey | 'limited' | undefined

/**
 * Finds the record of a well-formed key. Reads this isolate's memory, then KV, then D1. KV also caches misses, so a
 * new key may be found only in D1.
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
 * Finds a key like `findApiKey`, by its hash. Returns no promise for a key in memory, because each promise takes CPU
 * time of the request.
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
 * Reads a key from KV. Reads the operator's epoch in parallel with the record, and the customer's epoch after it,
 * because only the record names the customer. Returns undefined if KV fails, or lacks the record or an epoch.
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
    return { ...record, price_epochs: { operator, customer } }
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
  return { ...selected.record, price_epochs: selected.price_epochs }
}

/**
 * Copies a key from D1 to KV, then reads D1 again. If the key was revoked between the first read and the copy, the
 * copy would reactivate the key on every route that the ledger object does not check. In this case, the copy is
 * corrected. If the correction fails, the copy expires. A later revocation overwrites the copy.
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

/**
 * The maximum difference between the stored time of the last use of a key and its actual last use. Recording a use
 * writes at most 1 row per hour and key, and does not delay requests.
 */
export const LAST_USED_PRECISION_MS = 3_600_000
/** The pause after a failure, so that an unavailable D1 is not called by every request. */
const RETRY_MS = 60_000

const noted = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: LAST_USED_PRECISION_MS })
const failed = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: RETRY_MS })

// Every isolate runs this statement. Only the first run in an hour writes a row.
const NOTE = `
  UPDATE api_keys SET last_used_at_ms = ?2
  WHERE key_id = ?1 AND (last_used_at_ms IS NULL OR last_used_at_ms <= ?2 - ${LAST_USED_PRECISION_MS})`

/**
 * Records a use after the response, unless this isolate has recorded a use of the key within the last hour or failed
 * to do so within the last minute.
 */
export function noteKeyUse(
  env: Pick<Bindings, 'DB'>,
  key_id: string,
  now_ms: number,
  defer: (work: Promise<unknown>) => void,
): void {
  if (noted.get(key_id, now_ms) || failed.get(key_id, now_ms)) return
  noted.set(key_id, true, now_ms)
  defer(writeKeyUse(env, key_id, now_ms))
}

async function writeKeyUse(env: Pick<Bindings, 'DB'>, key_id: string, now_ms: number): Promise<void> {
  try {
    await env.DB.prepare(NOTE).bind(key_id, now_ms).run()
  } catch (error) {
    noted.delete(key_id)
    failed.set(key_id, true, now_ms)
    logError('key_use_not_noted', error, { key_id })
  }
}

/** Removes all recorded uses and failures, for tests. */
export function forgetNotedUses(): void {
  noted.clear()
  failed.clear()
}
