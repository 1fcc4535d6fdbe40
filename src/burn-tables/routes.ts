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
    'The given fields replace the fields of the last version. If `effective_from` is absent, a table that starts in the future keeps its start. Otherwise the new version applies from `effective_from` on, but not before now. Earlier events keep the previous version.',
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
    'The table applies to no events from now on. Late events with an earlier time still use it, and entries still contain its versions.',
  ...scoped('pricing:write'),
  request: { params: burnTablePath },
  answers: { 200: json('The table.', burnTableAnswerSchema) },
  problems: ['overloaded', 'conflict', 'not_found'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List the last versions of burn tables, newest first, including deleted tables',
  ...scoped('pricing:read'),
  request: { query: burnTablesQuery },
  answers: { 200: json('A page of tables.', burnTablesSchema) },
  problems: ['overloaded'],
})

const activeRoute = route({
  method: 'get',
  path: '/active',
  summary: 'Get the burn table that rates an event now',
  ...scoped('pricing:read'),
  answers: { 200: json("The table, or the deployment's default.", burnTableAnswerSchema) },
  problems: ['overloaded'],
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get the last version or an earlier version of a burn table',
  ...scoped('pricing:read'),
  request: { params: burnTablePath, query: burnTableQuery },
  answers: { 200: json('The table.', burnTableAnswerSchema) },
  problems: ['overloaded', 'not_found'],
})

/**
 * The routes of burn tables. They use the customer's live ledger with keys of both modes, because both modes share
 * the tables.
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
