import { createMiddleware } from 'hono/factory'
import type { Bindings } from '../bindings.ts'
import type { AppEnv } from '../http/env.ts'
import { problem } from '../http/output/problem.ts'
import { logError } from '../logging/log.ts'
import { OverlaySet } from '../pricing/catalogue/overlay.ts'
import { NO_OVERLAYS, type PriceBook } from '../pricing/cost/price-book.ts'
import { OPERATOR, type PriceEpochs } from './price-epochs.ts'
import { loadOverlays } from './price-overrides/store.ts'

/**
 * The overlays that this isolate knows, by scope, and how it gets to know newer ones. Whoever rates names the epochs
 * that came with the API key; an isolate that has them answers at once, without a promise, and one that lacks them asks
 * D1 once. Without D1 it does not rate: a stale price would be a wrong bill.
 */

/** Puts the customer's prices on the context as `prices`, before whatever rates. */
export const currentPrices = createMiddleware<AppEnv>(async (c, next) => {
  const { customer_id, price_epochs } = c.get('key')
  let book = knownPriceBook(customer_id, price_epochs)
  if (book === undefined) {
    try {
      book = await loadPriceBook(c.env, customer_id, price_epochs, (work) => c.executionCtx.waitUntil(work))
    } catch (error) {
      logError('prices_not_loaded', error, { request_id: c.get('request_id') })
      return problem(c, {
        code: 'unavailable',
        detail: 'The prices in force could not be read just now. Retry with the same idempotency key.',
        headers: { 'Retry-After': '1' },
      })
    }
  }
  c.set('prices', book)
  return next()
})

/** The prices of a customer if this isolate has them as new as `epochs` say. */
export function knownPriceBook(customer_id: string, epochs: PriceEpochs): PriceBook | undefined {
  const overrides = knownOverlays(customer_id, epochs.customer)
  const operator = knownOverlays(OPERATOR, epochs.operator)
  if (overrides === undefined || operator === undefined) return undefined
  if (overrides.size === 0 && operator.size === 0) return NO_OVERLAYS
  return { overrides, operator }
}

/** The same, read from D1 where this isolate lacks it. Throws when D1 does not answer in time. */
export async function loadPriceBook(
  env: LoadEnv,
  customer_id: string,
  epochs: PriceEpochs,
  defer: Defer,
): Promise<PriceBook> {
  const [overrides, operator] = await Promise.all([
    knownOverlays(customer_id, epochs.customer) ?? freshOverlays(env, customer_id, defer),
    knownOverlays(OPERATOR, epochs.operator) ?? freshOverlays(env, OPERATOR, defer),
  ])
  return { overrides, operator }
}

/** From now on this isolate rates by nothing older: for whoever has just changed a scope's prices. */
export function requireEpoch(scope: string, epoch: number): void {
  needed(scope, epoch)
}

/** For tests: as if this isolate had just started. */
export function forgetPriceBooks(): void {
  scopes.clear()
}

type LoadEnv = Pick<Bindings, 'DB'>
type Defer = (work: Promise<unknown>) => void

interface ScopeState {
  /** The newest epoch that anybody has told this isolate of. */
  needed: number
  loaded: Loaded | undefined
  loading: Loading | undefined
}

interface Loaded {
  readonly overlays: OverlaySet
  /** What D1 said it was. */
  readonly epoch: number
  /** What it is good for: D1 knew no newer one when it was asked on behalf of this epoch. */
  readonly covers: number
}

interface Loading {
  readonly asked: number
  readonly work: Promise<void>
}

/** Scopes in the order of their last use: only those that have overlays at all. */
const scopes = new Map<string, ScopeState>()

/** Together over all scopes, about 25 MB: those used longest ago are forgotten, and read again when they are needed. */
const MAX_CACHED_OVERLAYS = 50_000
const LOAD_TIMEOUT_MS = 2_000

function knownOverlays(scope: string, epoch: number): OverlaySet | undefined {
  const state = needed(scope, epoch)
  if (state === undefined) return OverlaySet.EMPTY
  return isFresh(state) ? state.loaded.overlays : undefined
}

/** The state of a scope, which from now on needs at least this epoch; undefined for one that never had an overlay. */
function needed(scope: string, epoch: number): ScopeState | undefined {
  const known = scopes.get(scope)
  if (known === undefined && epoch === 0) return undefined
  const state = known ?? { needed: epoch, loaded: undefined, loading: undefined }
  if (epoch > state.needed) state.needed = epoch
  // A Map iterates in insertion order: the scope that was used last goes to its end.
  scopes.delete(scope)
  scopes.set(scope, state)
  return state
}

function isFresh(state: ScopeState): state is ScopeState & { readonly loaded: Loaded } {
  return state.loaded !== undefined && state.loaded.covers >= state.needed
}

/**
 * Loads a scope once for everybody who waits for it. A load that began before the epoch was known that is needed now
 * may have missed it, so it is not waited for.
 */
async function freshOverlays(env: LoadEnv, scope: string, defer: Defer): Promise<OverlaySet> {
  const state = scopes.get(scope)
  if (state === undefined) throw new Error('nobody needs the overlays of this scope')
  if (state.loading === undefined || state.loading.asked < state.needed) {
    const asked = state.needed
    const loading: Loading = { asked, work: load(env, scope, state, asked) }
    state.loading = loading
    const done = () => {
      if (state.loading === loading) state.loading = undefined
    }
    // Kept alive though the request that began it may be gone before those that share it.
    defer(loading.work.then(done, done))
  }
  const { loading } = state
  try {
    await inTime(loading.work)
  } catch (error) {
    if (state.loading === loading) state.loading = undefined
    throw error
  }
  if (state.loaded === undefined) throw new Error('a load without a result')
  return state.loaded.overlays
}

async function load(env: LoadEnv, scope: string, state: ScopeState, asked: number): Promise<void> {
  const rows = await loadOverlays(env, scope)
  const epoch = rows.at(-1)?.epoch ?? 0
  const { loaded } = state
  // Loads end in any order: what is newer stays, whatever a late one brings.
  if (loaded === undefined || epoch > loaded.epoch) {
    state.loaded = { overlays: new OverlaySet(rows), epoch, covers: Math.max(asked, epoch) }
  } else {
    state.loaded = { ...loaded, covers: Math.max(asked, loaded.covers) }
  }
  forgetOldest()
}

function forgetOldest(): void {
  let overlays = 0
  for (const { loaded } of scopes.values()) overlays += weightOf(loaded)
  for (const [scope, { loaded }] of scopes) {
    if (overlays <= MAX_CACHED_OVERLAYS) return
    scopes.delete(scope)
    overlays -= weightOf(loaded)
  }
}

/** An empty scope takes some memory too. */
function weightOf(loaded: Loaded | undefined): number {
  return 1 + (loaded?.overlays.size ?? 0)
}

async function inTime(work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('D1 took too long')), LOAD_TIMEOUT_MS)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
