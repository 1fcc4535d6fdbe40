import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scoped } from '../api-keys/authentication/authenticate.ts'
import { callerOf, idempotencyOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { ownerOf } from '../http/input/identifiers.ts'
import { nextCursor } from '../http/input/pagination.ts'
import { jsonResponse } from '../http/output/json.ts'
import { answerResult, noSuch, refusalResponse } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, optionalJsonRequest, route } from '../http/route.ts'
import { changeHold, readOpenHolds } from '../ledger/client/client.ts'
import { walletItemOf } from '../ledger/model/ledger-ids.ts'
import type { HoldRequest } from '../ledger/model/messages/holds.ts'
import { invalid, type Refusal } from '../ledger/model/refusal.ts'
import { readClosedHold } from '../projection/read/closed-holds.ts'
import { currentPrices } from '../rating/current-prices.ts'
import { priceEvent } from '../rating/event.ts'
import { renderCapture, renderHold } from './render.ts'
import {
  capturedSchema,
  captureSchema,
  extendSchema,
  holdPath,
  holdSchema,
  holdsQuery,
  holdsSchema,
  openHoldSchema,
} from './schema.ts'
import { sizeHold } from './size.ts'

const writes = scoped('credits:write')
const rates = scoped('credits:write', currentPrices)
const reads = scoped('credits:read')

const openRoute = route({
  method: 'post',
  path: '/',
  summary: 'Hold an amount of credits, or the maximum cost of a planned model call',
  ...rates,
  request: { body: jsonRequest(openHoldSchema) },
  answers: { 201: json('The hold.', holdSchema) },
  problems: [
    'overloaded',
    'not_found',
    'hold_not_open',
    'idempotency_mismatch',
    'insufficient_credits',
    'limit_reached',
    'feature_not_allowed',
    'too_many_open',
    'quota_exceeded',
    'unknown_provider',
    'unpriced_model',
  ],
})

const captureRoute = route({
  method: 'post',
  path: '/{id}/capture',
  summary: 'Capture all or some of the held credits',
  ...rates,
  request: { params: holdPath, body: jsonRequest(captureSchema) },
  answers: { 200: json('The captured credits.', capturedSchema) },
  problems: [
    'overloaded',
    'not_found',
    'hold_not_open',
    'idempotency_mismatch',
    'customer_mismatch',
    'unknown_provider',
    'quota_exceeded',
  ],
})

const releaseRoute = route({
  method: 'post',
  path: '/{id}/release',
  summary: 'Release a hold; its remaining credits become available again',
  ...writes,
  request: { params: holdPath, body: optionalJsonRequest(z.strictObject({})) },
  answers: { 200: json('The hold.', holdSchema) },
  problems: ['overloaded', 'not_found', 'hold_not_open', 'idempotency_mismatch'],
})

const extendRoute = route({
  method: 'post',
  path: '/{id}/extend',
  summary: 'Extend a hold: set the time in seconds, from now, after which it expires',
  ...writes,
  request: { params: holdPath, body: jsonRequest(extendSchema) },
  answers: { 200: json('The hold.', holdSchema) },
  problems: ['overloaded', 'not_found', 'hold_not_open', 'idempotency_mismatch', 'quota_exceeded'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List open holds, newest first',
  ...reads,
  request: { query: holdsQuery },
  answers: { 200: json('A page of holds.', holdsSchema) },
  problems: ['overloaded', 'not_found'],
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get an open or closed hold',
  ...reads,
  request: { params: holdPath },
  answers: { 200: json('The hold.', holdSchema) },
  problems: ['overloaded', 'not_found'],
})

export const holdsRoutes = createRouter()

holdsRoutes.openapi(openRoute, async (c) => {
  const input = c.req.valid('json')
  const sized = sizeHold(input, Date.now(), c.get('prices'))
  if (sized.kind === 'refused') return refusalResponse(c, sized.refusal)
  return answerHold(c, 'POST /v1/holds', {
    op: 'open',
    feature_id: input.feature_id,
    ...(input.user_id !== undefined && { user_id: input.user_id }),
    ...(input.team_id !== undefined && { team_id: input.team_id }),
    lifetime_ms: input.expires_in_seconds * 1000,
    size: sized.size,
  })
})

holdsRoutes.openapi(captureRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { credits, event, final } = c.req.valid('json')
  const hold = walletItemOf('hold', id, ledgerOf(c))
  if (!hold) return noSuch(c, 'hold', id)
  const operation = `POST /v1/holds/${id}/capture`
  if (event === undefined) {
    if (credits === undefined) throw new Error('a capture has neither credits nor an event')
    return answerHold(c, operation, { op: 'capture', hold, final, what: { kind: 'credits', credits } })
  }
  const priced = priceEvent(event, c.get('key').customer_id, Date.now(), c.get('prices'))
  if (priced.kind === 'refused') return refusalResponse(c, ofEvent(priced.refusal))
  return answerHold(c, operation, {
    op: 'capture',
    hold,
    final,
    what: { kind: 'event', event: priced.event },
  })
})

holdsRoutes.openapi(releaseRoute, async (c) => {
  const { id } = c.req.valid('param')
  const hold = walletItemOf('hold', id, ledgerOf(c))
  return hold ? answerHold(c, `POST /v1/holds/${id}/release`, { op: 'release', hold }) : noSuch(c, 'hold', id)
})

holdsRoutes.openapi(extendRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { expires_in_seconds } = c.req.valid('json')
  const hold = walletItemOf('hold', id, ledgerOf(c))
  if (!hold) return noSuch(c, 'hold', id)
  const lifetime_ms = expires_in_seconds * 1000
  return answerHold(c, `POST /v1/holds/${id}/extend`, { op: 'extend', hold, lifetime_ms })
})

holdsRoutes.openapi(listRoute, async (c) => {
  const query = c.req.valid('query')
  const owned = query.user_id !== undefined || query.team_id !== undefined
  const result = await readOpenHolds(c.env, ledgerOf(c), {
    caller: callerOf(c),
    of: owned ? { owner: ownerOf(query) } : null,
    before_number: query.cursor ?? null,
    limit: query.limit,
  })
  return answerResult(c, result, ({ holds, next_before_number }) => ({
    data: holds.map(renderHold),
    next_cursor: nextCursor(next_before_number),
  }))
})

holdsRoutes.openapi(getRoute, async (c) => {
  const { id } = c.req.valid('param')
  const hold = walletItemOf('hold', id, ledgerOf(c))
  if (!hold) return noSuch(c, 'hold', id)
  const message = { caller: callerOf(c), of: { hold }, before_number: null, limit: 1 }
  const result = await readOpenHolds(c.env, ledgerOf(c), message)
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  const [found] = result.answer.holds
  const known = found ?? (await readClosedHold(c.env, ledgerOf(c), hold, result.answer))
  return known ? jsonResponse(c, renderHold(known)) : noSuch(c, 'hold', id)
})

async function answerHold(c: Context<AppEnv>, operation: string, request: HoldRequest): Promise<Response> {
  const idempotency = await idempotencyOf(c, operation)
  const message = { caller: callerOf(c), request, ...(idempotency && { idempotency }) }
  const result = await changeHold(c.env, ledgerOf(c), message)
  const status = request.op === 'open' ? 201 : 200
  if (result.kind === 'refused' || result.of === 'hold') return answerResult(c, result, renderHold, status)
  return answerResult(c, result, renderCapture, status)
}

/**
 * Adds the prefix `/event` to the paths of the invalid fields in a refusal. The caller then finds the fields in the
 * body of the capture.
 */
function ofEvent(refusal: Refusal): Refusal {
  if (refusal.code !== 'invalid_request' || !refusal.errors) return refusal
  return invalid(
    refusal.errors.map(({ path, message }) => ({ path: `/event${path}`, message })),
    'body',
  )
}
