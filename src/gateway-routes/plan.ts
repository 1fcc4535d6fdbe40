import type { Context } from 'hono'
import { ExpiringMap } from '../api-keys/authentication/lookup.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import { type Fallback, parseFallback, routeFor } from '../gateway/fallback.ts'
import { ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { BEHIND_ALL_IDS } from '../http/input/pagination.ts'
import type { Problem } from '../http/output/problem.ts'
import { logError } from '../logging/log.ts'
import { type GatewayRoute, listRoutes, MAX_GATEWAY_ROUTES, type Timeouts } from './store.ts'

/** The maximum time until a change of a route applies in every isolate. */
export const ROUTES_KEPT_MS = 30_000

const known = new ExpiringMap<readonly GatewayRoute[]>({ capacity: 1_000, ttl_ms: ROUTES_KEPT_MS })

/** Removes the routes of a ledger from this isolate's memory, after a change. */
export function forgetGatewayRoutes(ledger_id: string): void {
  known.delete(ledger_id)
}

/** Clears the memory of this isolate, for tests. */
export function forgetAllGatewayRoutes(): void {
  known.clear()
}

export type CallPlan =
  | {
      readonly ok: true
      readonly fallback: Fallback
      /** The time limits of the stored route. A null means the gateway's default. */
      readonly timeouts: Timeouts
    }
  | { readonly ok: false; readonly problem: Problem }

interface Call {
  readonly api: string
  /** The model of the call, or an empty text. */
  readonly model: string
}

const NO_TIMEOUTS: Timeouts = { headers_seconds: null, first_chunk_seconds: null, idle_seconds: null }
const NO_FALLBACK: Fallback = { targets: [], on_ambiguous: 'stop' }

/**
 * Plans the attempts of a call. The attempts after the first one are listed in the call's header `X-Meter-Fallback`,
 * or else in its stored route. Without both, there is one attempt. The time limits come from the stored route. An
 * isolate keeps the routes of a ledger for 30 seconds.
 */
export async function planCall(c: Context<AppEnv>, call: Call): Promise<CallPlan> {
  const header = c.req.header('X-Meter-Fallback')
  const asked = header === undefined ? undefined : parseFallback(header)
  if (asked?.kind === 'invalid') {
    const message = asked.message
    const errors = [{ path: '/X-Meter-Fallback', message }]
    const detail = `The header X-Meter-Fallback ${message}.`
    return { ok: false, problem: { code: 'invalid_request', detail, members: { errors } } }
  }
  const stored = await storedRoute(c, call)
  const timeouts = stored?.timeouts ?? NO_TIMEOUTS
  if (asked?.kind === 'fallback') return { ok: true, fallback: asked.fallback, timeouts }
  return { ok: true, fallback: asked?.kind === 'off' ? NO_FALLBACK : (stored ?? NO_FALLBACK), timeouts }
}

/**
 * Returns the stored route for calls of this API and model, from memory if possible. Returns undefined if there is no
 * route or if D1 fails. The call then has no stored fallback.
 */
async function storedRoute(c: Context<AppEnv>, { api, model }: Call): Promise<GatewayRoute | undefined> {
  const ledger_id = ledgerKey(ledgerOf(c))
  const now_ms = Date.now()
  const routes = known.get(ledger_id, now_ms)
  if (routes) return routeFor(routes, api, model)
  try {
    const loaded = await listRoutes(c.env, ledger_id, {
      before_id: BEHIND_ALL_IDS,
      limit: MAX_GATEWAY_ROUTES,
    })
    known.set(ledger_id, loaded, now_ms)
    return routeFor(loaded, api, model)
  } catch (error) {
    logError('gateway_routes_not_read', error, { request_id: c.get('request_id') })
    return undefined
  }
}
