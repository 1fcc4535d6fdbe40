import type { Bindings } from '../bindings.ts'
import { logError } from '../logging/log.ts'

/**
 * The epochs of a customer's prices. They propagate price changes to every isolate within 90 seconds, without a D1
 * query per rating. Each scope (the operator, or a customer) counts its changes. The newest overlay in D1 has the
 * count as its `epoch`. KV has a copy, written after D1. Each look-up of an API key reads the counts. An isolate with
 * older prices loads the new prices before it rates.
 *
 * 60 s: the time until every edge has KV's new copy. It is KV's own limit for cached values. With the `cacheTtl`
 * below, an edge reads again after 30 s.
 *
 * + 30 s: the time for which an isolate caches an API key with its counts.
 *
 * = 90 s after the answer to the POST. Loading the prices afterwards delays one rating and does not delay the change.
 */
export interface PriceEpochs {
  readonly operator: number
  readonly customer: number
}

/** The scope of the operator's overlays. The scope of a customer is the customer's id. */
export const OPERATOR = 'operator'

/** The shortest `cacheTtl` that KV accepts. */
const KV_EDGE_CACHE_S = 30

const kvKey = (scope: string) => `epoch:${scope}`

/** Returns the epoch in KV; 0 for a scope that never had an overlay, undefined if KV fails. */
export async function readKvEpoch(
  env: Pick<Bindings, 'API_KEYS'>,
  scope: string,
): Promise<number | undefined> {
  try {
    const text = await env.API_KEYS.get(kvKey(scope), { type: 'text', cacheTtl: KV_EDGE_CACHE_S })
    if (text === null) return 0
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined
  } catch (error) {
    logError('price_epoch_not_read', error)
    return undefined
  }
}

type EpochEnv = Pick<Bindings, 'API_KEYS' | 'DB'>

const SELECT_EPOCH = 'SELECT max(epoch) AS epoch FROM price_overlays WHERE scope = ?1'

/**
 * Copies D1's epoch to KV. The first attempt precedes the answer to the change. Further attempts follow the answer.
 * KV accepts one write per second and key, so the last change of a burst is published last.
 */
export async function publishEpoch(
  env: EpochEnv,
  scope: string,
  defer: (work: Promise<unknown>) => void,
  retry_ms: number = RETRY_MS,
): Promise<void> {
  const first = await copyEpoch(env, scope, undefined)
  defer(settleEpoch(env, scope, first, retry_ms))
}

const ATTEMPTS = 6
const RETRY_MS = 1_100

/**
 * Checks D1 again after each write, because the older of two concurrent changes may write last. The last writer
 * therefore writes the newest epoch.
 */
async function settleEpoch(env: EpochEnv, scope: string, first: Copied, retry_ms: number): Promise<void> {
  let last = first
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (last.failure !== undefined) await scheduler.wait(retry_ms)
    const before = last.epoch
    last = await copyEpoch(env, scope, before)
    if (last.failure === undefined && last.epoch === before) return
  }
  // Logs the failure, because KV is outdated until the next change of this scope.
  logError('price_epoch_not_published', last.failure, { scope })
}

interface Copied {
  /** The epoch that was last written to KV. */
  readonly epoch: number | undefined
  readonly failure?: unknown
}

/** Writes D1's epoch to KV, unless it equals `written`. */
async function copyEpoch(env: EpochEnv, scope: string, written: number | undefined): Promise<Copied> {
  try {
    const row = await env.DB.prepare(SELECT_EPOCH).bind(scope).first<{ epoch: number | null }>()
    const epoch = row?.epoch ?? 0
    if (epoch !== written) await env.API_KEYS.put(kvKey(scope), String(epoch))
    return { epoch }
  } catch (failure) {
    return { epoch: written, failure: failure ?? 'unknown failure' }
  }
}
