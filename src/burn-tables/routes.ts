import type { Context } from 'hono'
import { scoped } from '../api-keys/authentication/authenticate.ts'
import { callerOf, sharedIdempotencyOf, sharedLedgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { nextCursor } from '../http/input/pagination.ts'
import { answerResult } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { newId } from '../ids.ts'
import { deactivateBurnTable, readBurnTables, saveBurnTable } from '../ledger/client/client.ts'
import { shareWithTestLedger } from '../ledger/client/test-ledger.ts'
import type { BurnTableResult, BurnTablesQuestion } from '../ledger/model/messages/burn-tables.ts'
import { renderBurnTable } from './render.ts'
import {
  burnTableAnswerSchema,
  burnTablePatchSchema,
  burnTablePath,
  burnTableQuery,
  burnTableSchema,
  burnTablesQuery,
  burnTablesSchema,
} from './schema.ts'

const createTableRoute = route({
  method: 'post',
  path: '/',
  summary: 'Create a burn table, which converts usage to credits',
  description:
    'The table rates events from `effective_from` on (default: now), in live and test mode. If several tables apply to an event, the table that started last rates it.',
  ...scoped('pricing:write'),
  request: { body: jsonRequest(burnTableSchema) },
  answers: { 201: json('The table.', burnTableAnswerSchema) },
  problems: ['overloaded', 'conflict', 'idempotency_mismatch'],
})

const editTableRoute = route({
  method: 'patch',
  path: '/{id}',
  summary: 'Save a new version of a burn table',
  description:
    'Each field of the request replaces the same field of the last version. The new version applies from `effective_from` on, but not before now. If `effective_from` is absent, the version applies from now on, or from the start of the last version if that start is in the future. Events with an earlier time keep the previous version.',
  ...scoped('pricing:write'),
  request: { params: burnTablePath, body: jsonRequest(burnTablePatchSchema) },
  answers: { 200: json('The new version.', burnTableAnswerSchema) },
  problems: ['overloaded', 'conflict', 'not_found'],
})

const deleteTableRoute = route({
  method: 'delete',
  path: '/{id}',
  summary: 'Deactivate a burn table',
  description:
    'From now on, the table rates no new events. Late events with an earlier time still use the table. Ledger entries still refer to its versions.',
  ...scoped('pricing:write'),
  request: { params: burnTablePath },
  answers: { 200: json('The table.', burnTableAnswerSchema) },
  problems: ['overloaded', 'conflict', 'not_found'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List the last version of each burn table, newest first, including deactivated tables',
  ...scoped('pricing:read'),
  request: { query: burnTablesQuery },
  answers: { 200: json('A page of tables.', burnTablesSchema) },
  problems: ['overloaded'],
})

const activeRoute = route({
  method: 'get',
  path: '/active',
  summary: 'Get the burn table that rates events now',
  ...scoped('pricing:read'),
  answers: {
    200: json(
      "The table, or the deployment's default table if no table of the customer is in force.",
      burnTableAnswerSchema,
    ),
  },
  problems: ['overloaded'],
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get a version of a burn table, by default the last version',
  ...scoped('pricing:read'),
  request: { params: burnTablePath, query: burnTableQuery },
  answers: { 200: json('The table.', burnTableAnswerSchema) },
  problems: ['overloaded', 'not_found'],
})

/**
 * The routes of burn tables. Live and test mode share the tables, which the customer's live ledger stores. A request
 * with a test key therefore also calls the live ledger.
 */
export const burnTablesRoutes = createRouter()

burnTablesRoutes.openapi(createTableRoute, async (c) => {
  const { effective_from, effective_to, ...definition } = c.req.valid('json')
  const idempotency = await sharedIdempotencyOf(c, 'POST /v1/burn-tables')
  const result = await saveBurnTable(c.env, sharedLedgerOf(c), {
    caller: callerOf(c),
    change: {
      kind: 'create',
      id: newId('bt'),
      definition,
      effective_from_ms: effective_from,
      effective_to_ms: effective_to,
    },
    ...(idempotency && { idempotency }),
  })
  return changed(c, result, 201)
})

burnTablesRoutes.openapi(editTableRoute, async (c) => {
  const { effective_from, effective_to, ...fields } = c.req.valid('json')
  const result = await saveBurnTable(c.env, sharedLedgerOf(c), {
    caller: callerOf(c),
    change: {
      kind: 'edit',
      id: c.req.valid('param').id,
      fields,
      effective_from_ms: effective_from,
      effective_to_ms: effective_to,
    },
  })
  return changed(c, result, 200)
})

burnTablesRoutes.openapi(deleteTableRoute, async (c) => {
  const { id } = c.req.valid('param')
  return changed(c, await deactivateBurnTable(c.env, sharedLedgerOf(c), { caller: callerOf(c), id }), 200)
})

burnTablesRoutes.openapi(listRoute, async (c) => {
  const { cursor, limit } = c.req.valid('query')
  const result = await ask(c, { kind: 'list', before_version: cursor ?? null, limit })
  return answerResult(c, result, ({ tables, next_before_version }) => ({
    data: tables.map(renderBurnTable),
    next_cursor: nextCursor(next_before_version),
  }))
})

burnTablesRoutes.openapi(activeRoute, (c) => answerOne(c, { kind: 'active' }))

burnTablesRoutes.openapi(getRoute, (c) => {
  const { version = null } = c.req.valid('query')
  return answerOne(c, { kind: 'one', id: c.req.valid('param').id, version })
})

function ask(c: Context<AppEnv>, question: BurnTablesQuestion) {
  return readBurnTables(c.env, sharedLedgerOf(c), { caller: callerOf(c), question })
}

async function answerOne(c: Context<AppEnv>, question: BurnTablesQuestion): Promise<Response> {
  return answerResult(c, await ask(c, question), ({ tables: [table] }) => {
    if (!table) throw new Error('the ledger returned no burn table')
    return renderBurnTable(table)
  })
}

async function changed(c: Context<AppEnv>, result: BurnTableResult, status: 200 | 201): Promise<Response> {
  if (result.kind !== 'refused') await shareWithTestLedger(c.env, c.get('key').customer_id)
  return answerResult(c, result, renderBurnTable, status)
}
