import { createRoute } from '@hono/zod-openapi'
import { requireScope } from '../http/auth.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import { refusalResponse } from '../http/problem.ts'
import { json, jsonRequest, responses } from '../http/responses.ts'
import { createRouter } from '../http/router.ts'
import { ownerOf } from '../http/subject.ts'
import { findEntry } from '../projection/list-entries.ts'
import {
  adjustSchema,
  answerMovement,
  MOVEMENT_PROBLEMS,
  movementSchema,
  pastEntry,
  refundSchema,
  transferSchema,
  walletChangeSchema,
  walletSchema,
} from './movements.ts'

const middleware = [requireScope('credits:write')]
const moved = { 200: json('What was moved, and the new balance.', movementSchema) }

const refundRoute = createRoute({
  method: 'post',
  path: '/refund',
  summary: 'Take back a purchase, or give back a burn to the same lots',
  middleware,
  request: { body: jsonRequest(refundSchema) },
  responses: responses(moved, MOVEMENT_PROBLEMS),
})

const transferRoute = createRoute({
  method: 'post',
  path: '/transfer',
  summary: 'Move credits between wallets; lots keep their expiry',
  middleware,
  request: { body: jsonRequest(transferSchema) },
  responses: responses(moved, [...MOVEMENT_PROBLEMS, 'insufficient_credits']),
})

const adjustRoute = createRoute({
  method: 'post',
  path: '/adjust',
  summary: 'Correct a balance by hand',
  middleware,
  request: { body: jsonRequest(adjustSchema) },
  responses: responses(moved, [...MOVEMENT_PROBLEMS, 'insufficient_credits']),
})

const walletsRoute = createRoute({
  method: 'patch',
  path: '/wallets',
  summary: 'Set how far a wallet may be overdrawn',
  middleware,
  request: { body: jsonRequest(walletChangeSchema) },
  responses: responses({ 200: json('The wallet.', walletSchema) }, MOVEMENT_PROBLEMS),
})

export const movementRoutes = createRouter()

movementRoutes.openapi(refundRoute, async (c) => {
  const { transaction_id, amount, reason } = c.req.valid('json')
  const found = await findEntry(c.env, { ledger: ledgerOf(c), caller: callerOf(c) }, 'txn', transaction_id)
  if (found.kind === 'refused') return refusalResponse(c, found.refusal)
  if (found.kind === 'none') {
    return refusalResponse(c, { code: 'not_found', detail: `There is no transaction ${transaction_id}.` })
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

movementRoutes.openapi(walletsRoute, async (c) => {
  const body = c.req.valid('json')
  return answerMovement(c, 'PATCH /v1/credits/wallets', {
    type: 'OVERDRAFT',
    owner: ownerOf(body),
    limit: body.overdraft_limit,
  })
})
