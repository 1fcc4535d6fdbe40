import type { Bindings } from '../bindings.ts'
import type { Fallback } from '../gateway/fallback.ts'
import type { APIS } from './schema.ts'

/** Reads and writes gateway routes in D1. */

export interface Timeouts {
  readonly headers_seconds: number | null
  readonly first_chunk_seconds: number | null
  readonly idle_seconds: number | null
}

export interface GatewayRoute extends Fallback {
  readonly gateway_route_id: string
  readonly name: string
  readonly api: (typeof APIS)[number]
  /** The models that the route applies to: a name, a prefix followed by `*`, or `*`. */
  readonly model: string
  readonly timeouts: Timeouts
  readonly enabled: boolean
  readonly created_at_ms: number
  readonly updated_at_ms: number
}

interface Row extends Omit<GatewayRoute, 'enabled' | keyof Settings> {
  readonly enabled: 0 | 1
  readonly settings: string
}

type Settings = Pick<GatewayRoute, 'targets' | 'on_ambiguous' | 'timeouts'>

type Db = Pick<Bindings, 'DB'>

/** The maximum number of routes of a ledger. It is low because a call reads all routes of the ledger. */
export const MAX_GATEWAY_ROUTES = 50

const COLUMNS = 'gateway_route_id, name, api, model, settings, enabled, created_at_ms, updated_at_ms'

// This statement writes 1 row. It writes no row if the ledger has the maximum number of routes, or already has a route
// for this API and model. It reads all routes of the ledger.
const INSERT = `
  INSERT INTO gateway_routes (ledger_id, ${COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
  WHERE (SELECT count(*) FROM gateway_routes WHERE ledger_id = ?1) < ${MAX_GATEWAY_ROUTES}
    AND NOT EXISTS (SELECT 1 FROM gateway_routes WHERE ledger_id = ?1 AND api = ?4 AND model = ?5)`

/**
 * Returns the statement that adds a route. The statement adds no row if the ledger has the maximum number of routes, or
 * already has a route for the same API and model.
 */
export function insertRoute(env: Db, ledger_id: string, route: GatewayRoute): D1PreparedStatement {
  const { gateway_route_id, name, api, model, enabled, created_at_ms, updated_at_ms } = route
  return env.DB.prepare(INSERT).bind(
    ledger_id,
    gateway_route_id,
    name,
    api,
    model,
    settingsOf(route),
    enabled ? 1 : 0,
    created_at_ms,
    updated_at_ms,
  )
}

// This statement writes 1 row. It writes no row if the route has changed since it was read, or if another route has the
// same API and model.
const UPDATE = `
  UPDATE gateway_routes SET name = ?3, model = ?4, settings = ?5, enabled = ?6, updated_at_ms = ?7
  WHERE ledger_id = ?1 AND gateway_route_id = ?2 AND updated_at_ms = ?8
    AND NOT EXISTS (SELECT 1 FROM gateway_routes AS other WHERE other.ledger_id = ?1
      AND other.gateway_route_id <> ?2 AND other.api = gateway_routes.api AND other.model = ?4)`

/**
 * Returns the statement that replaces a route. The statement changes no row if the route was changed after it was read
 * (`updated_at_ms` differs from `read_at_ms`), or if another route has the same API and model.
 */
export function updateRoute(
  env: Db,
  ledger_id: string,
  route: GatewayRoute,
  read_at_ms: number,
): D1PreparedStatement {
  const { gateway_route_id, name, model, enabled, updated_at_ms } = route
  return env.DB.prepare(UPDATE).bind(
    ledger_id,
    gateway_route_id,
    name,
    model,
    settingsOf(route),
    enabled ? 1 : 0,
    updated_at_ms,
    read_at_ms,
  )
}

const SELECT_ONE = `SELECT ${COLUMNS} FROM gateway_routes WHERE ledger_id = ?1 AND gateway_route_id = ?2`

export async function findRoute(env: Db, ledger_id: string, id: string): Promise<GatewayRoute | undefined> {
  const row = await env.DB.prepare(SELECT_ONE).bind(ledger_id, id).first<Row>()
  return row ? routeOf(row) : undefined
}

const LIST = `
  SELECT ${COLUMNS} FROM gateway_routes WHERE ledger_id = ?1 AND gateway_route_id < ?2
  ORDER BY gateway_route_id DESC LIMIT ?3`

export async function listRoutes(
  env: Db,
  ledger_id: string,
  { before_id, limit }: { readonly before_id: string; readonly limit: number },
): Promise<GatewayRoute[]> {
  const { results } = await env.DB.prepare(LIST).bind(ledger_id, before_id, limit).all<Row>()
  return results.map(routeOf)
}

const DELETE = 'DELETE FROM gateway_routes WHERE ledger_id = ?1 AND gateway_route_id = ?2'

export function deleteRoute(env: Db, ledger_id: string, id: string): D1PreparedStatement {
  return env.DB.prepare(DELETE).bind(ledger_id, id)
}

function settingsOf({ targets, on_ambiguous, timeouts }: Settings): string {
  return JSON.stringify({ targets, on_ambiguous, timeouts })
}

function routeOf({ settings, enabled, ...row }: Row): GatewayRoute {
  const { targets, on_ambiguous, timeouts }: Settings = JSON.parse(settings)
  return { ...row, enabled: enabled === 1, targets, on_ambiguous, timeouts }
}
