import type { Bindings } from '../../bindings.ts'

/** Reads and writes webhook endpoints in D1. */

/**
 * The reason why the system disabled an endpoint. `gone`: the receiver responded with 410. `failing`: all attempts in
 * five days failed.
 */
export type DisabledReason = 'gone' | 'failing'

export interface Endpoint {
  /** The owner of the endpoint: the name of a ledger, or `operator`. */
  readonly owner: string
  readonly webhook_endpoint_id: string
  readonly url: string
  /** The origin of this deployment in the last request that set `url`. No message is sent to this origin. */
  readonly own_origin: string
  readonly types: readonly string[]
  readonly description: string | null
  readonly enabled: boolean
  /** The reason why the system disabled the endpoint; null if it is enabled or was disabled by a request. */
  readonly disabled_reason: DisabledReason | null
  /**
   * The time of the first failed attempt since the last successful one, or since the endpoint was enabled again. Null
   * if no attempt has failed since then.
   */
  readonly failing_since_ms: number | null
  readonly public_key: string | null
  readonly previous_key_ends_at_ms: number | null
  readonly created_at_ms: number
  readonly updated_at_ms: number
}

export interface SealedEndpoint extends Endpoint {
  readonly sealed: string
}

interface Row extends Omit<SealedEndpoint, 'types' | 'enabled'> {
  readonly types: string
  readonly enabled: 0 | 1
}

type Db = Pick<Bindings, 'DB'>

/** The maximum number of webhook endpoints for each owner, which is a ledger or the operator. */
export const MAX_ENDPOINTS = 20

const COLUMNS =
  'owner, webhook_endpoint_id, url, own_origin, types, description, enabled, disabled_reason, failing_since_ms, public_key, previous_key_ends_at_ms, created_at_ms, updated_at_ms, sealed'

// This statement writes 1 row. It writes no row if the owner has the maximum number of endpoints. It reads all
// endpoints of the owner.
const INSERT = `
  INSERT INTO webhook_endpoints (${COLUMNS})
  SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL, ?8, NULL, ?9, ?9, ?10
  WHERE (SELECT count(*) FROM webhook_endpoints WHERE owner = ?1) < ${MAX_ENDPOINTS}`

/**
 * Returns the statement that adds an endpoint. The statement adds no row if the owner has the maximum number of
 * endpoints.
 */
export function insertEndpoint(env: Db, endpoint: SealedEndpoint): D1PreparedStatement {
  return env.DB.prepare(INSERT).bind(
    endpoint.owner,
    endpoint.webhook_endpoint_id,
    endpoint.url,
    endpoint.own_origin,
    JSON.stringify(endpoint.types),
    endpoint.description,
    endpoint.enabled ? 1 : 0,
    endpoint.public_key,
    endpoint.created_at_ms,
    endpoint.sealed,
  )
}

// This statement writes 1 row. It writes no row if the endpoint has changed since it was read.
const UPDATE = `
  UPDATE webhook_endpoints SET url = ?3, own_origin = ?4, types = ?5, description = ?6, enabled = ?7,
    disabled_reason = CASE WHEN ?7 THEN NULL ELSE disabled_reason END,
    failing_since_ms = CASE WHEN ?7 > enabled THEN NULL ELSE failing_since_ms END,
    public_key = ?8, previous_key_ends_at_ms = ?9, updated_at_ms = ?10, sealed = ?11
  WHERE owner = ?1 AND webhook_endpoint_id = ?2 AND updated_at_ms = ?12`

/**
 * Returns the statement that replaces an endpoint. The statement changes no row if the endpoint was changed after it
 * was read (`updated_at_ms` differs from `read_at_ms`).
 */
export function updateEndpoint(env: Db, endpoint: SealedEndpoint, read_at_ms: number): D1PreparedStatement {
  return env.DB.prepare(UPDATE).bind(
    endpoint.owner,
    endpoint.webhook_endpoint_id,
    endpoint.url,
    endpoint.own_origin,
    JSON.stringify(endpoint.types),
    endpoint.description,
    endpoint.enabled ? 1 : 0,
    endpoint.public_key,
    endpoint.previous_key_ends_at_ms,
    endpoint.updated_at_ms,
    endpoint.sealed,
    read_at_ms,
  )
}

const SELECT_ONE = `SELECT ${COLUMNS} FROM webhook_endpoints WHERE owner = ?1 AND webhook_endpoint_id = ?2`

export async function findEndpoint(env: Db, owner: string, id: string): Promise<SealedEndpoint | undefined> {
  const row = await env.DB.prepare(SELECT_ONE).bind(owner, id).first<Row>()
  return row ? endpointOf(row) : undefined
}

const LIST = `
  SELECT ${COLUMNS} FROM webhook_endpoints WHERE owner = ?1 AND webhook_endpoint_id < ?2
  ORDER BY webhook_endpoint_id DESC LIMIT ?3`

/** Returns a page of an owner's endpoints, newest first. */
export async function listEndpoints(
  env: Db,
  owner: string,
  { before_id, limit }: { readonly before_id: string; readonly limit: number },
): Promise<SealedEndpoint[]> {
  const { results } = await env.DB.prepare(LIST).bind(owner, before_id, limit).all<Row>()
  return results.map(endpointOf)
}

const DELETE = 'DELETE FROM webhook_endpoints WHERE owner = ?1 AND webhook_endpoint_id = ?2'

export function deleteEndpoint(env: Db, owner: string, id: string): D1PreparedStatement {
  return env.DB.prepare(DELETE).bind(owner, id)
}

/** The values that identify an endpoint in D1. */
export type EndpointName = Pick<Endpoint, 'owner' | 'webhook_endpoint_id'>

const SELECT_NAMED = `
  SELECT ${COLUMNS} FROM webhook_endpoints
  WHERE (owner, webhook_endpoint_id) IN (
    SELECT value ->> 'owner', value ->> 'webhook_endpoint_id' FROM json_each(?1))`

export async function readEndpoints(env: Db, names: readonly EndpointName[]): Promise<SealedEndpoint[]> {
  const list = names.map(({ owner, webhook_endpoint_id }) => ({ owner, webhook_endpoint_id }))
  const { results } = await env.DB.prepare(SELECT_NAMED).bind(JSON.stringify(list)).all<Row>()
  return results.map(endpointOf)
}

const SELECT_ENABLED = `
  SELECT ${COLUMNS} FROM webhook_endpoints
  WHERE owner IN (SELECT value FROM json_each(?1)) AND enabled = 1`

/** Returns all enabled endpoints of the given owners. */
export async function readEnabledEndpoints(env: Db, owners: readonly string[]): Promise<SealedEndpoint[]> {
  const { results } = await env.DB.prepare(SELECT_ENABLED).bind(JSON.stringify(owners)).all<Row>()
  return results.map(endpointOf)
}

// This statement writes 1 row for each endpoint that begins to fail or works again.
const SET_FAILING = `
  UPDATE webhook_endpoints SET failing_since_ms = k.at_ms
  FROM (SELECT value ->> 'owner' AS owner, value ->> 'webhook_endpoint_id' AS id, value ->> 'at_ms' AS at_ms
    FROM json_each(?1)) AS k
  WHERE webhook_endpoints.owner = k.owner AND webhook_endpoint_id = k.id
    AND (failing_since_ms IS NULL) <> (k.at_ms IS NULL)`

/**
 * Returns the statement that sets `failing_since_ms` of endpoints. `at_ms` is the time of the first failed attempt, or
 * null for an endpoint that works again.
 */
export function setFailing(
  env: Db,
  changes: readonly (EndpointName & { readonly at_ms: number | null })[],
): D1PreparedStatement {
  return env.DB.prepare(SET_FAILING).bind(JSON.stringify(changes))
}

// This statement writes 1 row, or no row if the endpoint is already disabled.
const DISABLE = `
  UPDATE webhook_endpoints SET enabled = 0, disabled_reason = ?3, updated_at_ms = max(updated_at_ms + 1, ?4)
  WHERE owner = ?1 AND webhook_endpoint_id = ?2 AND enabled = 1`

export function disableEndpoint(
  env: Db,
  { owner, webhook_endpoint_id }: EndpointName,
  reason: DisabledReason,
  now_ms: number,
): D1PreparedStatement {
  return env.DB.prepare(DISABLE).bind(owner, webhook_endpoint_id, reason, now_ms)
}

function endpointOf({ types, enabled, ...row }: Row): SealedEndpoint {
  return { ...row, types: JSON.parse(types), enabled: enabled === 1 }
}
