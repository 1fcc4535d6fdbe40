import type { Context } from 'hono'
import { scoped, scopedToRead } from '../api-keys/authentication/authenticate.ts'
import type { AuditAction, AuditState } from '../audit/record.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import type { Mode } from '../db/schema.ts'
import type { Target } from '../gateway/fallback.ts'
import { auditorOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { BEHIND_ALL_IDS, idPage } from '../http/input/pagination.ts'
import { timeJson } from '../http/input/times.ts'
import { jsonResponse } from '../http/output/json.ts'
import { noSuch, problem, serviceUnavailable } from '../http/output/problem.ts'
import { type Answer, answerOnce, type KeepAnswer } from '../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { newId } from '../ids.ts'
import { auditStatement } from '../ledger/flush/audit-log.ts'
import { forgetGatewayRoutes } from './plan.ts'
import {
  gatewayRouteChangeSchema,
  gatewayRouteDraftSchema,
  gatewayRoutePath,
  gatewayRouteSchema,
  gatewayRoutesQuery,
  gatewayRoutesSchema,
} from './schema.ts'
import {
  deleteRoute,
  findRoute,
  type GatewayRoute,
  insertRoute,
  listRoutes,
  MAX_GATEWAY_ROUTES,
  type Timeouts,
  updateRoute,
} from './store.ts'

const SCOPE = 'provider-keys:write'

const createRoute = route({
  method: 'post',
  path: '/',
  summary: 'Create a gateway route, which lists further attempts for calls that fail at a provider',
  description:
    'The route applies to calls of its API and model. No further attempt is made after the first byte of a response was delivered. A call with neither a route nor the header `X-Meter-Fallback` is attempted once, and so is a call with `X-Meter-Fallback: off`. An upload of audio is also attempted once. Live and test ledgers have separate routes.',
  ...scoped(SCOPE),
  request: { body: jsonRequest(gatewayRouteDraftSchema) },
  answers: { 201: json('The route.', gatewayRouteSchema) },
  problems: ['conflict', 'idempotency_mismatch'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List gateway routes, newest first',
  ...scopedToRead(SCOPE),
  request: { query: gatewayRoutesQuery },
  answers: { 200: json('A page of routes.', gatewayRoutesSchema) },
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get a gateway route',
  ...scopedToRead(SCOPE),
  request: { params: gatewayRoutePath },
  answers: { 200: json('The route.', gatewayRouteSchema) },
  problems: ['not_found'],
})

const changeRoute = route({
  method: 'patch',
  path: '/{id}',
  summary: 'Change the given fields of a gateway route',
  description:
    'The change applies to every call within 30 seconds. `targets` and `timeouts` are replaced as a whole.',
  ...scoped(SCOPE),
  request: { params: gatewayRoutePath, body: jsonRequest(gatewayRouteChangeSchema) },
  answers: { 200: json('The changed route.', gatewayRouteSchema) },
  problems: ['not_found', 'conflict'],
})

const deleteRouteRoute = route({
  method: 'delete',
  path: '/{id}',
  summary: 'Delete a gateway route',
  ...scoped(SCOPE),
  request: { params: gatewayRoutePath },
  answers: { 200: json('The deleted route.', gatewayRouteSchema) },
  problems: ['not_found'],
})

export const gatewayRoutesRoutes = createRouter()

gatewayRoutesRoutes.openapi(createRoute, async (c) => {
  const draft = c.req.valid('json')
  const now_ms = Date.now()
  const created: GatewayRoute = {
    ...draft,
    gateway_route_id: newId('gr', now_ms),
    targets: draft.targets.map(targetOf),
    timeouts: timeoutsOf(draft.timeouts),
    created_at_ms: now_ms,
    updated_at_ms: now_ms,
  }
  const once = { owner: ledgerKey(ledgerOf(c)), operation: 'POST /v1/gateway-routes' }
  try {
    return await answerOnce(c, once, (keep) => create(c, created, keep))
  } catch (error) {
    return serviceUnavailable(c, 'gateway_route_not_changed', error)
  }
})

async function create(
  c: Context<AppEnv>,
  created: GatewayRoute,
  keep: KeepAnswer,
): Promise<Answer | Response> {
  const { ledger_id, mode } = placeOf(c)
  const answer = { status: 201 as const, body: routeJson(created, mode) }
  const [inserted] = await c.env.DB.batch([
    insertRoute(c.env, ledger_id, created),
    auditOf(c, 'gateway_routes.create', null, created),
    ...keep(answer, { if_changed: true }),
  ])
  forgetGatewayRoutes(ledger_id)
  if (inserted?.meta.changes === 1) return answer
  const detail = `A route for ${created.api} and ${created.model} already exists, or there are ${MAX_GATEWAY_ROUTES} routes, which is the limit. Change or delete a route.`
  return problem(c, { code: 'conflict', detail })
}

gatewayRoutesRoutes.openapi(listRoute, async (c) => {
  const { cursor, limit } = c.req.valid('query')
  const { ledger_id, mode } = placeOf(c)
  const page = { before_id: cursor ?? BEHIND_ALL_IDS, limit: limit + 1 }
  const found = await listRoutes(c.env, ledger_id, page)
  const { rows, next_cursor } = idPage(found, limit, (row) => row.gateway_route_id)
  return jsonResponse(c, { data: rows.map((row) => routeJson(row, mode)), next_cursor })
})

gatewayRoutesRoutes.openapi(getRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { ledger_id, mode } = placeOf(c)
  const found = await findRoute(c.env, ledger_id, id)
  return found ? jsonResponse(c, routeJson(found, mode)) : noSuch(c, 'gateway route', id)
})

gatewayRoutesRoutes.openapi(changeRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { name, model, targets, on_ambiguous, timeouts, enabled } = c.req.valid('json')
  const { ledger_id, mode } = placeOf(c)
  try {
    const before = await findRoute(c.env, ledger_id, id)
    if (!before) return noSuch(c, 'gateway route', id)
    const after: GatewayRoute = {
      ...before,
      name: name ?? before.name,
      model: model ?? before.model,
      targets: targets?.map(targetOf) ?? before.targets,
      on_ambiguous: on_ambiguous ?? before.on_ambiguous,
      timeouts: timeouts ? timeoutsOf(timeouts) : before.timeouts,
      enabled: enabled ?? before.enabled,
      // The time must be higher after every change, because concurrent changes are detected by it.
      updated_at_ms: Math.max(Date.now(), before.updated_at_ms + 1),
    }
    const [updated] = await c.env.DB.batch([
      updateRoute(c.env, ledger_id, after, before.updated_at_ms),
      auditOf(c, 'gateway_routes.change', before, after),
    ])
    forgetGatewayRoutes(ledger_id)
    if (updated?.meta.changes === 1) return jsonResponse(c, routeJson(after, mode))
    const detail = `Another route for ${after.api} and ${after.model} exists, or this route was changed at the same time. Get the route and retry.`
    return problem(c, { code: 'conflict', detail })
  } catch (error) {
    return serviceUnavailable(c, 'gateway_route_not_changed', error)
  }
})

gatewayRoutesRoutes.openapi(deleteRouteRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { ledger_id, mode } = placeOf(c)
  try {
    const found = await findRoute(c.env, ledger_id, id)
    if (!found) return noSuch(c, 'gateway route', id)
    const audit = auditOf(c, 'gateway_routes.delete', found, null)
    const [deleted] = await c.env.DB.batch([deleteRoute(c.env, ledger_id, id), audit])
    forgetGatewayRoutes(ledger_id)
    if (deleted?.meta.changes !== 1) return noSuch(c, 'gateway route', id)
    return jsonResponse(c, routeJson(found, mode))
  } catch (error) {
    return serviceUnavailable(c, 'gateway_route_not_changed', error)
  }
})

function placeOf(c: Context<AppEnv>): { readonly ledger_id: string; readonly mode: Mode } {
  const ledger = ledgerOf(c)
  return { ledger_id: ledgerKey(ledger), mode: ledger.mode }
}

type Optional<T> = { readonly [K in keyof T]?: Exclude<T[K], null> | undefined }

function targetOf({ provider_key, model }: Optional<Target>): Target {
  return { provider_key: provider_key ?? null, model: model ?? null }
}

function timeoutsOf(given: Optional<Timeouts> | undefined): Timeouts {
  return {
    headers_seconds: given?.headers_seconds ?? null,
    first_chunk_seconds: given?.first_chunk_seconds ?? null,
    idle_seconds: given?.idle_seconds ?? null,
  }
}

function routeJson(stored: GatewayRoute, mode: Mode): object {
  const { gateway_route_id: id, name, api, model, targets, on_ambiguous, timeouts, enabled } = stored
  return {
    ...{ id, name, api, model, targets, on_ambiguous, timeouts, enabled, mode },
    created_at: timeJson(stored.created_at_ms),
    updated_at: timeJson(stored.updated_at_ms),
  }
}

/**
 * Returns the statement that writes the audit record of a change. It writes the record only if the previous statement
 * in the batch changed a row.
 */
function auditOf(
  c: Context<AppEnv>,
  action: Extract<AuditAction, `gateway_routes.${string}`>,
  before: GatewayRoute | null,
  after: GatewayRoute | null,
): D1PreparedStatement {
  const target = (after ?? before)?.gateway_route_id ?? ''
  const record = {
    ...auditorOf(c, c.get('key').key_id),
    action,
    target,
    before: before && stateOf(before),
    after: after && stateOf(after),
  }
  return auditStatement(c.env.DB, ledgerOf(c), record, Date.now(), { if_changed: true })
}

function stateOf({ name, api, model, targets, on_ambiguous, timeouts, enabled }: GatewayRoute): AuditState {
  const texts = targets.map((target) => JSON.stringify(target))
  return { name, api, model, targets: texts, on_ambiguous, timeouts: { ...timeouts }, enabled }
}
