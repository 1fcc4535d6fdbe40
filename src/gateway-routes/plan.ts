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

/**
 * The time for which an isolate keeps the routes of a ledger. A changed route applies in every isolate after this time
 * at the latest.
 */
export const ROUTES_KEPT_MS = 30_000

const known = new ExpiringMap<readonly GatewayRoute[]>({ capacity: 1_000, ttl_ms: ROUTES_KEPT_MS })

/** Removes the routes of a ledger from this isolate's memory. It must be called after every change of the routes. */
export function forgetGatewayRoutes(ledger_id: string): void {
  known.delete(ledger_id)
}

/** Removes the routes of all ledgers from this isolate's memory. Only tests call it. */
export function forgetAllGatewayRoutes(): void {
  known.clear()
}

export type CallPlan =
  | {
      readonly ok: true
      readonly fallback: Fallback
      /** The time limits of the stored route. A limit is null if the gateway's default applies. */
      readonly timeouts: Timeouts
    }
  | { readonly ok: false; readonly problem: Problem }

interface Call {
  readonly api: string
  /** The model of the call. */
  readonly model: string
}

const NO_TIMEOUTS: Timeouts = { headers_seconds: null, first_chunk_seconds: null, idle_seconds: null }
const NO_FALLBACK: Fallback = { targets: [], on_ambiguous: 'stop' }

/**
 * Returns the fallback targets and the time limits of a call. The targets come from the header `X-Meter-Fallback`. If
 * the call has no such header, they come from the stored route. If the header is `off`, or if there is neither a header
 * nor a route, the call has only one attempt. The time limits come only from the stored route.
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
 * Returns the stored route for the API and the model of a call, from memory if possible. Returns undefined if there is
 * no such route or if D1 fails. A failure of D1 therefore does not stop the call.
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
