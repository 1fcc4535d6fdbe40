import type { Bindings } from '../bindings.ts'
import { logError } from '../logging/log.ts'

/**
 * How a change of prices becomes known everywhere within 90 seconds, without a question to D1 in any rating. Each scope
 * (the operator, or a customer) counts its changes; D1 has the count as its newest overlay's `epoch`, and KV a copy of
 * it, written after D1. Whoever looks an API key up reads the counts with it, and an isolate that has older prices than
 * the count says loads them before it rates.
 *
 *   60 s  until KV's copy is new wherever it is read: its own bound for what an edge has cached, and `cacheTtl` below
 *         makes an edge ask again after 30
 * + 30 s  during which an isolate keeps a key it looked up, with the counts (`customers/api-keys.ts`)
 * = 90 s  from the answer to the POST. Loading the prices then delays that one rating and not the change.
 */
export interface PriceEpochs {
  readonly operator: number
  readonly customer: number
}

/** The scope of the operator's overlays; a customer's is its id. */
export const OPERATOR = 'operator'

/** The least that KV takes. */
const KV_EDGE_CACHE_S = 30

const kvKey = (scope: string) => `epoch:${scope}`

/** The epoch as KV has it: 0 for a scope that never had an overlay, undefined when KV cannot say. */
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
 * Brings KV's copy up to D1, before the change is answered if KV is well, and behind the answer if it is not: KV takes
 * one write a second for a key, so a burst of changes has to wait for the last of them.
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
 * Of two changes at once the older one may write last, so whoever wrote looks once more whether D1 has gone on
 * meanwhile: the last writer then always leaves the newest epoch.
 */
async function settleEpoch(env: EpochEnv, scope: string, first: Copied, retry_ms: number): Promise<void> {
  let last = first
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (last.failure !== undefined) await scheduler.wait(retry_ms)
    const before = last.epoch
    last = await copyEpoch(env, scope, before)
    if (last.failure === undefined && last.epoch === before) return
  }
  // Only the next change of this scope repairs it: somebody has to know.
  logError('price_epoch_not_published', last.failure, { scope })
}

interface Copied {
  /** What KV was last given. */
  readonly epoch: number | undefined
  readonly failure?: unknown
}

/** Writes D1's epoch to KV, unless that is what was last written. */
async function copyEpoch(env: EpochEnv, scope: string, written: number | undefined): Promise<Copied> {
  try {
    const row = await env.DB.prepare(SELECT_EPOCH).bind(scope).first<{ epoch: number | null }>()
    const epoch = row?.epoch ?? 0
    if (epoch !== written) await env.API_KEYS.put(kvKey(scope), String(epoch))
    return { epoch }
  } catch (failure) {
    return { epoch: written, failure: failure ?? 'nothing was said' }
  }
}
