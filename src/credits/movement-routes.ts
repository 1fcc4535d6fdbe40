import { z } from '@hono/zod-openapi'
import { scoped } from '../api-keys/authentication/authenticate.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import { ownerOf } from '../http/input/identifiers.ts'
import { nextCursor } from '../http/input/pagination.ts'
import { answerResult, noSuch, refusalResponse } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, optionalJsonRequest, route } from '../http/route.ts'
import { pastEntry } from '../ledger/burns/reversal.ts'
import { moveCredits, readRecurringGrants } from '../ledger/client/client.ts'
import { lotNumberOf, walletItemOf } from '../ledger/model/ledger-ids.ts'
import { findEntry } from '../projection/read/list-entries.ts'
import {
  adjustSchema,
  answerMovement,
  lotPath,
  movementSchema,
  refundSchema,
  revokeSchema,
  transferSchema,
  walletChangeSchema,
  walletSchema,
} from './movements.ts'
import { renderRecurringGrant } from './render.ts'
import { recurringGrantPath, recurringGrantsQuery, recurringGrantsSchema, stoppedSchema } from './schema.ts'

const writes = scoped('credits:write')
const problems = [
  'overloaded',
  'not_found',
  'conflict',
  'too_many_open',
  'idempotency_mismatch',
  'quota_exceeded',
] as const
const moved = { 200: json('The movement and the new balance.', movementSchema) }

const refundRoute = route({
  method: 'post',
  path: '/refund',
  summary: 'Refund a purchase, or return burned credits to the lots from which they were burned',
  ...writes,
  request: { body: jsonRequest(refundSchema) },
  answers: moved,
  problems,
})

const transferRoute = route({
  method: 'post',
  path: '/transfer',
  summary: 'Transfer credits between wallets; the credits keep their expiry',
  ...writes,
  request: { body: jsonRequest(transferSchema) },
  answers: moved,
  problems: [...problems, 'insufficient_credits'],
})

const adjustRoute = route({
  method: 'post',
  path: '/adjust',
  summary: 'Add credits to a wallet or remove credits from it manually',
  ...writes,
  request: { body: jsonRequest(adjustSchema) },
  answers: moved,
  problems: [...problems, 'insufficient_credits'],
})

const revokeRoute = route({
  method: 'post',
  path: '/lots/{id}/revoke',
  summary: 'Revoke a lot: remove all or some of its credits that no hold reserves',
  ...writes,
  request: { params: lotPath, body: jsonRequest(revokeSchema) },
  answers: moved,
  problems,
})

const walletsRoute = route({
  method: 'patch',
  path: '/wallets',
  summary: 'Set the overdraft limit of a wallet',
  ...writes,
  request: { body: jsonRequest(walletChangeSchema) },
  answers: { 200: json('The wallet.', walletSchema) },
  problems,
})

const recurringRoute = route({
  method: 'get',
  path: '/recurring-grants',
  summary: 'List recurring grants, newest first',
  description:
    'Lists the recurring grants of the wallet of `user_id` or `team_id`. Without `user_id` and `team_id`, lists the recurring grants of all wallets. This list covers at most 1,000 wallets that have recurring grants, holds, or lots that begin or expire later. If a ledger has more of these wallets, list the grants of each wallet.',
  ...scoped('credits:read'),
  request: { query: recurringGrantsQuery },
  answers: { 200: json('A page of grants.', recurringGrantsSchema) },
})

const stopRoute = route({
  method: 'delete',
  path: '/recurring-grants/{id}',
  summary: 'Cancel a recurring grant; lots already granted are kept',
  ...writes,
  request: { params: recurringGrantPath },
  answers: { 200: json('The grant is cancelled.', stoppedSchema) },
  problems: ['overloaded', 'not_found', 'conflict', 'too_many_open', 'idempotency_mismatch'],
})

const voidRoute = route({
  method: 'post',
  path: '/{id}/void',
  summary: 'Void an event and return its credits to the lots from which they were burned',
  ...scoped('credits:write'),
  request: { params: z.object({ id: z.string().max(64) }), body: optionalJsonRequest(z.strictObject({})) },
  answers: { 200: json('The returned credits and the new balance.', movementSchema) },
  problems: [
    'overloaded',
    'not_found',
    'conflict',
    'too_many_open',
    'idempotency_mismatch',
    'already_voided',
  ],
})

export const movementRoutes = createRouter()

/** The route that voids an event, mounted below `/v1/events`. */
export const voidRoutes = createRouter()

movementRoutes.openapi(refundRoute, async (c) => {
  const { transaction_id, amount, reason } = c.req.valid('json')
  const found = await findEntry(c.env, { ledger: ledgerOf(c), caller: callerOf(c) }, 'txn', transaction_id)
  if (found.kind === 'refused') return refusalResponse(c, found.refusal)
  if (found.kind === 'none') {
    return noSuch(c, 'transaction', transaction_id)
  }
  return answerMovement(c, 'POST /v1/credits/refund', {
    type: 'REFUND',
    past: pastEntry(found.entry),
    amount: amount ?? null,
    ...(reason !== undefined && { reason }),
  })
})

movementRoutes.openapi(transferRoute, async (c) => {
  const { from, to, amount } = c.req.valid('json')
  return answerMovement(c, 'POST /v1/credits/transfer', {
    type: 'TRANSFER',
    from: ownerOf(from),
    to: ownerOf(to),
    amount,
  })
})

movementRoutes.openapi(adjustRoute, async (c) => {
  const body = c.req.valid('json')
  const { amount, reason } = body
  return answerMovement(c, 'POST /v1/credits/adjust', {
    type: 'ADJUSTMENT',
    owner: ownerOf(body),
    amount,
    reason,
  })
})

movementRoutes.openapi(revokeRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { amount, reason } = c.req.valid('json')
  const lot = lotNumberOf(id, ledgerOf(c))
  if (lot === undefined) return noSuch(c, 'lot', id)
  return answerMovement(c, `POST /v1/credits/lots/${id}/revoke`, {
    type: 'REVOKE',
    lot,
    amount: amount ?? null,
    reason,
  })
})

movementRoutes.openapi(recurringRoute, async (c) => {
  const { limit, cursor = null, ...query } = c.req.valid('query')
  const owned = query.user_id !== undefined || query.team_id !== undefined
  const owner = owned ? ownerOf(query) : null
  const result = await readRecurringGrants(c.env, ledgerOf(c), {
    caller: callerOf(c),
    owner,
    limit,
    after: cursor,
  })
  return answerResult(c, result, ({ grants, next }) => ({
    data: grants.map(renderRecurringGrant),
    next_cursor: nextCursor(next),
  }))
})

movementRoutes.openapi(stopRoute, async (c) => {
  const { id } = c.req.valid('param')
  const grant = walletItemOf('rg', id, ledgerOf(c))
  if (!grant) {
    return noSuch(c, 'recurring grant', id)
  }
  const result = await moveCredits(c.env, ledgerOf(c), {
    caller: callerOf(c),
    movement: { type: 'STOP_RECURRING', grant },
  })
  return answerResult(c, result, () => ({ recurring_grant_id: id, stopped: true }))
})

movementRoutes.openapi(walletsRoute, async (c) => {
  const body = c.req.valid('json')
  return answerMovement(c, 'PATCH /v1/credits/wallets', {
    type: 'OVERDRAFT',
    owner: ownerOf(body),
    limit: body.overdraft_limit,
  })
})

voidRoutes.openapi(voidRoute, async (c) => {
  const { id } = c.req.valid('param')
  const found = await findEntry(c.env, { ledger: ledgerOf(c), caller: callerOf(c) }, 'evt', id)
  if (found.kind === 'refused') return refusalResponse(c, found.refusal)
  if (found.kind === 'none') return noSuch(c, 'event', id)
  return answerMovement(c, `POST /v1/events/${id}/void`, { type: 'VOID', past: pastEntry(found.entry) })
})
