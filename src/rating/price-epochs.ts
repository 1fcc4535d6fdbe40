import type { Bindings } from '../bindings.ts'
import { logError } from '../logging/log.ts'

/**
 * The epochs of a customer's prices. With them, a price change reaches every isolate within 90 seconds, without a D1
 * query per rating. The epoch of a scope (the operator or a customer) is a number that every price change increases. It
 * is stored in D1, in the newest overlay of the scope, and is then copied to KV. The look-up of an API key also reads
 * the epochs from KV. An isolate with prices of an older epoch loads the new prices before it rates.
 *
 * The 90 seconds begin with the response to the price change. Within 60 s, every edge location has the new value. KV
 * states this limit for cached values. With the `cacheTtl` below, a location reads the value again after 30 s.
 *
 * For another 30 s, an isolate can use a cached API key with the old epochs.
 *
 * The isolate then loads the new prices, which delays one rating but not the change.
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

/**
 * Returns the epoch of a scope from KV: 0 if the scope never had an overlay, undefined if KV fails or has an invalid
 * value.
 */
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
 * Copies the epoch of a scope from D1 to KV. Waits only for the first attempt. Further attempts run after the response,
 * in `defer`. They are necessary because KV accepts only one write per second for a key.
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
 * Repeats the copy until the epoch in D1 is the epoch that was last written to KV, because the older of two concurrent
 * changes can write to KV last. Logs an error if `ATTEMPTS` attempts are not enough.
 */
async function settleEpoch(env: EpochEnv, scope: string, first: Copied, retry_ms: number): Promise<void> {
  let last = first
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (last.failure !== undefined) await scheduler.wait(retry_ms)
    const before = last.epoch
    last = await copyEpoch(env, scope, before)
    if (last.failure === undefined && last.epoch === before) return
  }
  // KV can now have an outdated epoch until the next change of this scope.
  logError('price_epoch_not_published', last.failure, { scope })
}

interface Copied {
  /** The epoch that was last written to KV. */
  readonly epoch: number | undefined
  readonly failure?: unknown
}

/** Copies the epoch of a scope from D1 to KV, unless it equals `written`. Returns a failure and does not throw. */
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
