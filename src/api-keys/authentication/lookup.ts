import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import type { Mode } from '../../db/schema.ts'
import { newId } from '../../ids.ts'
import { logError } from '../../logging/log.ts'
import { OPERATOR, readKvEpoch } from '../../rating/price-epochs.ts'
import { KV_WRITE_SPACING_MS, selectKey } from '../publishing.ts'
import { type FoundKey, type KeyRecord, parseKeyRecord } from '../record.ts'
import { ExpiringMap } from './cache.ts'
import { composeApiKey, DEVELOPMENT_KEY_HASH, hashApiKey } from './format.ts'

/** The least that KV takes for both. */
const KV_EDGE_CACHE_S = 30
const KV_COPY_S = 60

const known = new ExpiringMap<FoundKey>({ capacity: 10_000, ttl_ms: 30_000 })
const unknown = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: 5_000 })

/** What a lookup asks of the request that it is for. */
export interface KeyLookup {
  /** Keeps the request alive for what its answer need not wait for. */
  readonly defer: (work: Promise<unknown>) => void
  /** Whether one more key may be looked up that this isolate does not know. */
  readonly admitsLookup: () => Promise<boolean>
  /** Whether D1 may be asked for one more key that KV does not know: most of those nobody has. */
  readonly admitsStranger: () => Promise<boolean>
}

/** A new key and its hash. The text is shown once, to its customer, and kept nowhere. */
export function mintApiKey(mode: Mode): {
  readonly key_id: string
  readonly api_key: string
  readonly key_hash: string
} {
  const key_id = newId('key')
  const api_key = composeApiKey(mode, key_id, crypto.getRandomValues(new Uint8Array(32)))
  return { key_id, api_key, key_hash: hashApiKey(api_key) }
}

/**
 * What a well-formed key stands for, undefined when nobody was given it, and `limited` when it may not be looked up now.
 * Answered from this isolate's memory, else from KV, else from D1: KV remembers misses too, so a key that was just issued
 * may be found only in D1.
 */
export async function findApiKey(
  env: Bindings,
  api_key: string,
  now_ms: number,
  lookup: KeyLookup,
): Promise<FoundKey | 'limited' | undefined> {
  const hash = hashApiKey(api_key)
  if (hash === DEVELOPMENT_KEY_HASH && configOf(env).environment !== 'development') return undefined
  const cached = known.get(hash, now_ms)
  if (cached) return cached
  if (unknown.get(hash, now_ms)) return undefined
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

/** Makes this isolate look a key up anew: something about it has changed. */
export function forgetCachedKey(key_hash: string): void {
  known.delete(key_hash)
  unknown.delete(key_hash)
}

/** For tests: as if this isolate had just started. */
export function forgetCachedKeys(): void {
  known.clear()
  unknown.clear()
}

/**
 * The operator's epoch is read beside the record, the customer's behind it, since only the record says whose key it is:
 * one more KV read in 30 seconds and key. Undefined as well when KV cannot say how new the prices have to be.
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
 * Between the read from D1 and this write the key may have been revoked, and then the copy has put it in force again
 * for every route that the ledger object does not answer. So D1 is read once more: a key that is revoked after that
 * read writes KV after this, and one that was revoked before is put right here. Should that fail, the copy expires.
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
