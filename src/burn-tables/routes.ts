import { createRoute } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scoped } from '../api-keys/authentication/authenticate.ts'
import { callerOf, REPLAYED, sharedIdempotencyOf, sharedLedgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { nextCursor } from '../http/input/pagination.ts'
import { jsonResponse } from '../http/output/json.ts'
import { refusalResponse } from '../http/output/problem.ts'
import { json, jsonRequest, READ_PROBLEMS, responses, WRITE_PROBLEMS } from '../http/output/responses.ts'
import { createRouter } from '../http/router.ts'
import { newId } from '../ids.ts'
import { deactivateBurnTable, readBurnTables, saveBurnTable } from '../ledger/client/client.ts'
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
import { shareWithTestLedger } from './share.ts'

const TABLE_PROBLEMS = [...WRITE_PROBLEMS, 'conflict'] as const

const createTableRoute = createRoute({
  method: 'post',
  path: '/',
  summary: 'Save a burn table: how usage becomes credits',
  description:
    'It rates events from `effective_from` on, in live and in test mode, beginning with the next one. Of several tables the one that began last rates an event.',
  ...scoped('pricing:write'),
  request: { body: jsonRequest(burnTableSchema) },
  responses: responses({ 201: json('The table.', burnTableAnswerSchema) }, [
    ...TABLE_PROBLEMS,
    'idempotency_mismatch',
  ]),
})

const editTableRoute = createRoute({
  method: 'patch',
  path: '/{id}',
  summary: 'Save a new version of a burn table',
  description:
    'Fields that are given replace those of the last version. Without `effective_from`, and with one that has passed, it holds from now on: events of earlier times stay with the version before.',
  ...scoped('pricing:write'),
  request: { params: burnTablePath, body: jsonRequest(burnTablePatchSchema) },
  responses: responses({ 200: json('The new version.', burnTableAnswerSchema) }, [
    ...TABLE_PROBLEMS,
    'not_found',
  ]),
})

const deleteTableRoute = createRoute({
  method: 'delete',
  path: '/{id}',
  summary: 'Deactivate a burn table from now on',
  description: 'Events of earlier times still fall under it, and entries keep naming its versions.',
  ...scoped('pricing:write'),
  request: { params: burnTablePath },
  responses: responses({ 200: json('The table.', burnTableAnswerSchema) }, [...TABLE_PROBLEMS, 'not_found']),
})

const listRoute = createRoute({
  method: 'get',
  path: '/',
  summary: 'Burn tables in their last versions, newest first; those that were deleted too',
  ...scoped('pricing:read'),
  request: { query: burnTablesQuery },
  responses: responses({ 200: json('A page of tables.', burnTablesSchema) }, READ_PROBLEMS),
})

const activeRoute = createRoute({
  method: 'get',
  path: '/active',
  summary: 'The burn table that rates an event of now',
  ...scoped('pricing:read'),
  responses: responses(
    { 200: json("The table; the deployment's default where there is none.", burnTableAnswerSchema) },
    READ_PROBLEMS,
  ),
})

const getRoute = createRoute({
  method: 'get',
  path: '/{id}',
  summary: 'A burn table, in its last version or in an earlier one',
  ...scoped('pricing:read'),
  request: { params: burnTablePath, query: burnTableQuery },
  responses: responses({ 200: json('The table.', burnTableAnswerSchema) }, [...READ_PROBLEMS, 'not_found']),
})

/** All of them act on the customer's live ledger, whatever the mode of the key: tables are shared. */
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
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  const { tables, next_before_version } = result.answer
  return jsonResponse(c, { data: tables.map(renderBurnTable), next_cursor: nextCursor(next_before_version) })
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
  const result = await ask(c, question)
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  const [table] = result.answer.tables
  if (!table) throw new Error('a question about one burn table was answered without one')
  return jsonResponse(c, renderBurnTable(table))
}

async function changed(c: Context<AppEnv>, result: BurnTableResult, status: 200 | 201): Promise<Response> {
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  await shareWithTestLedger(c.env, c.get('key').customer_id)
  return jsonResponse(c, renderBurnTable(result.answer), status, result.kind === 'replayed' ? REPLAYED : {})
}
