import { createMiddleware } from 'hono/factory'
import type { Bindings } from '../bindings.ts'
import type { AppEnv } from '../http/env.ts'
import { problem } from '../http/output/problem.ts'
import { logError } from '../logging/log.ts'
import { OverlaySet } from '../pricing/catalogue/overlay.ts'
import { NO_OVERLAYS, type PriceBook } from '../pricing/cost/price-book.ts'
import { LATE, withDeadline } from '../time/durations.ts'
import { OPERATOR, type PriceEpochs } from './price-epochs.ts'
import { loadOverlays } from './price-overrides/store.ts'

/**
 * This file caches overlays in the isolate, by scope. The record of an API key contains the current epochs of the
 * prices. If the cache has the overlays of these epochs, the isolate rates without I/O. Otherwise, it reads the
 * overlays from D1 first. If D1 fails, the isolate does not rate, because an outdated price would cause a wrong bill.
 */

/**
 * Sets the customer's prices on the context as `prices`, for handlers that rate. Responds with `unavailable` if the
 * prices cannot be read.
 */
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
        detail: 'The prices in force could not be read. Retry with the same idempotency key.',
        headers: { 'Retry-After': '1' },
      })
    }
  }
  c.set('prices', book)
  return next()
})

/**
 * Returns the prices of a customer from the cache; undefined if the cache lacks the prices of these epochs, or of newer
 * epochs that the isolate knows.
 */
export function knownPriceBook(customer_id: string, epochs: PriceEpochs): PriceBook | undefined {
  const overrides = knownOverlays(customer_id, epochs.customer)
  const operator = knownOverlays(OPERATOR, epochs.operator)
  if (overrides === undefined || operator === undefined) return undefined
  if (overrides.size === 0 && operator.size === 0) return NO_OVERLAYS
  return { overrides, operator }
}

/**
 * Returns the prices of a customer. Reads them from D1 if the cache does not have them. Throws if D1 fails or does not
 * respond in time.
 */
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

/**
 * Records that this isolate must rate with the prices of this epoch or with newer prices. Called after the prices of a
 * scope have changed.
 */
export function requireEpoch(scope: string, epoch: number): void {
  needed(scope, epoch)
}

/** Clears the cache, so that tests can imitate a new isolate. */
export function forgetPriceBooks(): void {
  scopes.clear()
}

type LoadEnv = Pick<Bindings, 'DB'>
type Defer = (work: Promise<unknown>) => void

interface ScopeState {
  /** The newest epoch of the scope that this isolate knows. Overlays of an older epoch must not be used. */
  needed: number
  loaded: Loaded | undefined
  loading: Loading | undefined
}

interface Loaded {
  readonly overlays: OverlaySet
  /** The epoch of the overlays in D1 when they were read. */
  readonly epoch: number
  /**
   * The newest epoch for which these overlays can be used. It can be above `epoch`: D1 was read because of this epoch,
   * and it contained no newer overlays.
   */
  readonly covers: number
}

interface Loading {
  readonly asked: number
  readonly work: Promise<void>
}

/** The scopes that have or had overlays, least recently used first. */
const scopes = new Map<string, ScopeState>()

/**
 * The maximum number of cached overlays of all scopes together. They take about 25 MB. Above the maximum, the overlays
 * of the least recently used scopes are removed from the cache and are read again when they are needed.
 */
const MAX_CACHED_OVERLAYS = 50_000
const LOAD_TIMEOUT_MS = 2_000

function knownOverlays(scope: string, epoch: number): OverlaySet | undefined {
  const state = needed(scope, epoch)
  if (state === undefined) return OverlaySet.EMPTY
  return isFresh(state) ? state.loaded.overlays : undefined
}

/**
 * Returns the state of a scope, and records that `epoch` or a newer epoch of the scope is needed. Returns undefined if
 * the scope never had an overlay.
 */
function needed(scope: string, epoch: number): ScopeState | undefined {
  const known = scopes.get(scope)
  if (known === undefined && epoch === 0) return undefined
  const state = known ?? { needed: epoch, loaded: undefined, loading: undefined }
  if (epoch > state.needed) state.needed = epoch
  // Moves the scope to the end of the map, because a map iterates in insertion order and the first scopes are removed
  // first.
  scopes.delete(scope)
  scopes.set(scope, state)
  return state
}

function isFresh(state: ScopeState): state is ScopeState & { readonly loaded: Loaded } {
  return state.loaded !== undefined && state.loaded.covers >= state.needed
}

/**
 * Reads the overlays of a scope from D1. Concurrent requests share one read. A read that started for an older epoch is
 * not shared, because its result might not contain the needed epoch. Throws if D1 fails or does not respond in time.
 */
async function freshOverlays(env: LoadEnv, scope: string, defer: Defer): Promise<OverlaySet> {
  const state = scopes.get(scope)
  if (state === undefined) throw new Error(`scope ${scope} has no state, so its overlays cannot be loaded`)
  if (state.loading === undefined || state.loading.asked < state.needed) {
    const asked = state.needed
    const loading: Loading = { asked, work: load(env, scope, state, asked) }
    state.loading = loading
    const done = () => {
      if (state.loading === loading) state.loading = undefined
    }
    // Keeps the read alive, because the request that started it can end before the requests that share it.
    defer(loading.work.then(done, done))
  }
  const { loading } = state
  try {
    await inTime(loading.work)
  } catch (error) {
    if (state.loading === loading) state.loading = undefined
    throw error
  }
  if (state.loaded === undefined) throw new Error(`the overlays of scope ${scope} were not loaded`)
  return state.loaded.overlays
}

async function load(env: LoadEnv, scope: string, state: ScopeState, asked: number): Promise<void> {
  const rows = await loadOverlays(env, scope)
  const epoch = rows.at(-1)?.epoch ?? 0
  const { loaded } = state
  // Concurrent reads can end in any order, so the result with the newest epoch is kept.
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

/** Returns the weight of a scope in the cache. An empty scope counts as 1, because it also takes memory. */
function weightOf(loaded: Loaded | undefined): number {
  return 1 + (loaded?.overlays.size ?? 0)
}

async function inTime(work: Promise<void>): Promise<void> {
  if ((await withDeadline(work, LOAD_TIMEOUT_MS)) === LATE) {
    throw new Error(`D1 did not respond within ${LOAD_TIMEOUT_MS} ms`)
  }
}
