import type { Context } from 'hono'
import { refuseScope, scoped } from '../api-keys/authentication/authenticate.ts'
import { callerOf, idempotencyOf, ledgerOf, sharedIdempotencyOf, sharedLedgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { nextCursor } from '../http/input/pagination.ts'
import { jsonResponse } from '../http/output/json.ts'
import { answerResult, refusalResponse } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { newId } from '../ids.ts'
import { changeEntitlement, checkEntitlement, readEntitlements } from '../ledger/client/client.ts'
import { shareWithTestLedger } from '../ledger/client/test-ledger.ts'
import { ALL_FEATURES, type LimitOwner } from '../ledger/model/limits.ts'
import type { EntitlementChange } from '../ledger/model/messages/entitlements.ts'
import type { Idempotency } from '../ledger/model/vocabulary.ts'
import { currentPrices } from '../rating/current-prices.ts'
import { checkAnswerSchema, entitlementAnswerSchema, entitlementsSchema } from './answers.ts'
import { estimate } from './check.ts'
import { renderCheck, renderEntitlement } from './render.ts'
import {
  checkSchema,
  entitlementPath,
  entitlementPutSchema,
  entitlementSchema,
  entitlementsQuery,
  limitOwnerOf,
  rulesOf,
} from './schema.ts'

/** The lifetime in ms of the hold that a check opens. It is equal to the default lifetime of a hold. */
const HOLD_MS = 600_000

const reads = scoped('entitlements:read')
const writes = scoped('entitlements:write')
const answered = json('The entitlement.', entitlementAnswerSchema)

const createEntitlementRoute = route({
  method: 'post',
  path: '/',
  summary: 'Create an entitlement for a user, a team, an API key, a model or the whole customer',
  description:
    'The entitlement applies to all later events in live and test mode. Each mode has separate counters.',
  ...writes,
  request: { body: jsonRequest(entitlementSchema) },
  answers: { 201: answered },
  problems: ['overloaded', 'conflict', 'idempotency_mismatch', 'too_many_open', 'quota_exceeded'],
})

const replaceRoute = route({
  method: 'put',
  path: '/{id}',
  summary: 'Replace the rules of an entitlement',
  description:
    'The counters keep their values if `unit`, `period`, `rolling`, `anchor` and `time_zone` are unchanged. Otherwise, they start again at 0.',
  ...writes,
  request: { params: entitlementPath, body: jsonRequest(entitlementPutSchema) },
  answers: { 200: answered },
  problems: ['overloaded', 'not_found', 'too_many_open', 'quota_exceeded'],
})

const deleteRoute = route({
  method: 'delete',
  path: '/{id}',
  summary: 'Delete an entitlement and its counters',
  ...writes,
  request: { params: entitlementPath },
  answers: { 200: json('The deleted entitlement.', entitlementAnswerSchema) },
  problems: ['overloaded', 'not_found'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List entitlements, newest first',
  ...reads,
  request: { query: entitlementsQuery },
  answers: { 200: json('A page of entitlements.', entitlementsSchema) },
  problems: ['overloaded'],
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get an entitlement',
  ...reads,
  request: { params: entitlementPath },
  answers: { 200: answered },
  problems: ['overloaded', 'not_found'],
})

const checkRoute = route({
  method: 'post',
  path: '/check',
  summary:
    'Check whether the use of a feature is allowed, estimate its cost, and optionally hold the credits',
  ...scoped('entitlements:read', currentPrices),
  request: { body: jsonRequest(checkSchema) },
  answers: { 200: json('The result of the check.', checkAnswerSchema) },
  problems: [
    'overloaded',
    'customer_suspended',
    'too_many_open',
    'quota_exceeded',
    'idempotency_mismatch',
    'unknown_provider',
    'unpriced_model',
  ],
})

/**
 * The routes of entitlements. The customer's live ledger stores the entitlements for keys of both modes. The ledger of
 * the key's mode stores the counters and runs the checks.
 */
export const entitlementsRoutes = createRouter()

entitlementsRoutes.openapi(createEntitlementRoute, async (c) => {
  const { feature_id = ALL_FEATURES, user_id, team_id, key_id, model, ...rules } = c.req.valid('json')
  const place = { feature_id, owner: limitOwnerOf({ user_id, team_id, key_id, model }) }
  const change = { kind: 'create', id: newId('ent'), place, rules: rulesOf(rules) } as const
  return answerChange(c, change, await sharedIdempotencyOf(c, 'POST /v1/entitlements'))
})

entitlementsRoutes.openapi(replaceRoute, (c) => {
  const { id } = c.req.valid('param')
  const { feature_id, user_id, team_id, key_id, model, ...rules } = c.req.valid('json')
  const place = {
    ...(feature_id !== undefined && { feature_id }),
    ...namedOwner({ user_id, team_id, key_id, model }),
  }
  return answerChange(c, { kind: 'replace', id, place, rules: rulesOf(rules) })
})

entitlementsRoutes.openapi(deleteRoute, (c) =>
  answerChange(c, { kind: 'delete', id: c.req.valid('param').id }),
)

entitlementsRoutes.openapi(listRoute, async (c) => {
  const { feature_id, cursor, limit, ...subjects } = c.req.valid('query')
  const result = await readEntitlements(c.env, sharedLedgerOf(c), {
    caller: callerOf(c),
    question: {
      kind: 'list',
      ...(feature_id !== undefined && { feature_id }),
      ...namedOwner(subjects),
      before_number: cursor ?? null,
      limit,
    },
  })
  return answerResult(c, result, ({ entitlements, next_before_number }) => ({
    data: entitlements.map(renderEntitlement),
    next_cursor: nextCursor(next_before_number),
  }))
})

entitlementsRoutes.openapi(getRoute, async (c) => {
  const question = { kind: 'one', id: c.req.valid('param').id } as const
  const result = await readEntitlements(c.env, sharedLedgerOf(c), { caller: callerOf(c), question })
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  const [entitlement] = result.answer.entitlements
  if (!entitlement) throw new Error('the ledger returned no entitlement')
  return jsonResponse(c, renderEntitlement(entitlement))
})

entitlementsRoutes.openapi(checkRoute, async (c) => {
  const input = c.req.valid('json')
  const denied = input.hold ? refuseScope(c, 'credits:write', 'write', 'A check with hold: true') : undefined
  if (denied) return denied
  const { feature_id, user_id, team_id } = input
  const estimated = estimate(input, c.get('key').customer_id, Date.now(), c.get('prices'))
  if (estimated.kind === 'refused') return refusalResponse(c, estimated.refusal)
  const idempotency = input.hold ? await idempotencyOf(c, 'POST /v1/entitlements/check') : undefined
  const result = await checkEntitlement(c.env, ledgerOf(c), {
    caller: callerOf(c),
    question: { subject: { feature_id, user_id, team_id }, event: estimated.event },
    hold_ms: input.hold ? HOLD_MS : null,
    ...(idempotency && { idempotency }),
  })
  return answerResult(c, result, (answer) => renderCheck(answer, new URL(c.req.url).origin))
})

/**
 * Returns the owner that the subjects identify. Returns an empty object if there is no subject: a list then contains
 * the entitlements of all owners, and a replacement keeps the owner of the entitlement.
 */
function namedOwner(subjects: Parameters<typeof limitOwnerOf>[0]): { readonly owner?: LimitOwner } {
  const owner = limitOwnerOf(subjects)
  return owner.kind === 'customer' ? {} : { owner }
}

async function answerChange(
  c: Context<AppEnv>,
  change: EntitlementChange,
  idempotency?: Idempotency,
): Promise<Response> {
  const message = { caller: callerOf(c), change, ...(idempotency && { idempotency }) }
  const result = await changeEntitlement(c.env, sharedLedgerOf(c), message)
  if (result.kind !== 'refused') await shareWithTestLedger(c.env, c.get('key').customer_id)
  return answerResult(c, result, renderEntitlement, change.kind === 'create' ? 201 : 200)
}
