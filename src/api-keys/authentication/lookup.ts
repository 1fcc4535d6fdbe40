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
 * A map whose entries expire after `ttl_ms`, and that evicts the least recently used entry above `capacity`. It is in
 * the memory of one isolate.
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

/** The minimum that KV accepts for a cache time and for an expiration. */
const KV_EDGE_CACHE_S = 30
const KV_COPY_S = 60

const known = new ExpiringMap<FoundKey>({ capacity: 10_000, ttl_ms: 30_000 })
const unknown = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: 5_000 })

/** Caches the hashes of keys that requests have sent: hash and checksum take 13 us a request. */
const hashes = new ExpiringMap<string>({ capacity: 10_000, ttl_ms: 30_000 })

/** Whether a text is a recently found key, so that its form needs no check. */
export function isKnownKey(text: string, now_ms: number): boolean {
  return hashes.get(text, now_ms) !== undefined
}

/** The parts of a request that a lookup needs. */
export interface KeyLookup {
  /** Runs work after the response. */
  readonly defer: (work: Promise<unknown>) => void
  /** Whether another key that is not cached here may be looked up. */
  readonly admitsLookup: () => Promise<boolean>
  /** Whether D1 may be queried for another key that KV does not know: most such keys do not exist. */
  readonly admitsStranger: () => Promise<boolean>
}

/** Creates a key and its hash. The text of the key is shown to its customer once and never stored. */
export function mintApiKey(mode: Mode): {
  readonly key_id: string
  readonly api_key: string
  readonly key_hash: string
} {
  const key_id = newId('key')
  const api_key = composeApiKey(mode, key_id, crypto.getRandomValues(new Uint8Array(32)))
  return { key_id, api_key, key_hash: hashApiKey(api_key) }
}

/** The record of a key; undefined if the key does not exist, and `limited` if it may not be looked up now. */
type Found = FoundKey | 'limited' | undefined

/**
 * Finds the record of a well-formed key. Reads this isolate's memory, then KV, then D1: KV caches misses too, so a new
 * key may be found only in D1.
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

/** `findApiKey` by the hash of the key. Returns no promise for a key in memory: promises take CPU time of each request. */
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

/** Resets the cache to that of a new isolate, for tests. */
export function forgetCachedKeys(): void {
  known.clear()
  unknown.clear()
  hashes.clear()
}

/**
 * Reads the operator's epoch in parallel with the record, and the customer's after it, since only the record names
 * the customer: one more KV read per key in 30 seconds. Returns undefined if KV has no epoch.
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
 * A revocation between the read from D1 and this write would be lost: the copy would reactivate the key for every route
 * that the ledger object does not check. So D1 is read once more. A later revocation writes KV after this; an earlier
 * one is corrected here. If the correction fails, the copy expires.
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
 * Records when a key was last used, at 1 row per hour and key and without delaying requests: the stored time is at
 * most this much older than the last use.
 */
export const LAST_USED_PRECISION_MS = 3_600_000
/** The pause after a failure, so that an unavailable D1 is not called by every request. */
const RETRY_MS = 60_000

const noted = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: LAST_USED_PRECISION_MS })
const failed = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: RETRY_MS })

// Every isolate sends this; only the first of the hour writes.
const NOTE = `
  UPDATE api_keys SET last_used_at_ms = ?2
  WHERE key_id = ?1 AND (last_used_at_ms IS NULL OR last_used_at_ms <= ?2 - ${LAST_USED_PRECISION_MS})`

/** Records a use after the response, unless this isolate did so within the hour. */
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

/** Resets the state to that of a new isolate, for tests. */
export function forgetNotedUses(): void {
  noted.clear()
  failed.clear()
}
