import { scoped } from '../api-keys/authentication/authenticate.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import { ownerOf } from '../http/input/identifiers.ts'
import { answerResult } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { readTopUp, setTopUp } from '../ledger/client/client.ts'
import { renderTopUp } from './render.ts'
import { requirePayments } from './routes.ts'
import { topUpDraftSchema, topUpQuery, topUpSchema } from './schema.ts'

const setRoute = route({
  method: 'put',
  path: '/',
  summary: 'Set the automatic top-up of a wallet',
  description:
    'When the available credits fall below `below`, the saved card of the wallet is charged. A checkout of the wallet with `save_payment_method` saves the card. This request also ends a pause if a card is saved. A wallet has at most one open charge at a time.',
  ...scoped('credits:write', requirePayments),
  request: { query: topUpQuery, body: jsonRequest(topUpDraftSchema) },
  answers: { 200: json('The rule and its state.', topUpSchema) },
  problems: ['overloaded', 'not_found', 'payments_not_configured'],
})

const getRoute = route({
  method: 'get',
  path: '/',
  summary: 'Get the automatic top-up of a wallet',
  ...scoped('credits:read', requirePayments),
  request: { query: topUpQuery },
  answers: { 200: json('The rule and its state.', topUpSchema) },
  problems: ['overloaded', 'not_found', 'payments_not_configured'],
})

const deleteRoute = route({
  method: 'delete',
  path: '/',
  summary: 'Delete the automatic top-up of a wallet; an open charge continues',
  ...scoped('credits:write', requirePayments),
  request: { query: topUpQuery },
  answers: { 200: json('The deleted rule and its last state.', topUpSchema) },
  problems: ['overloaded', 'not_found', 'payments_not_configured'],
})

export const autoTopUpRoutes = createRouter()

autoTopUpRoutes.openapi(setRoute, async (c) => {
  const { below, credits, price_usd, max_usd_per_month, max_per_day, enabled } = c.req.valid('json')
  const rule = {
    ...{ below, credits, price_cents: price_usd, max_cents_a_month: max_usd_per_month, enabled },
    max_a_day: max_per_day ?? null,
  }
  const message = { caller: callerOf(c), owner: ownerOf(c.req.valid('query')), rule }
  return answerResult(c, await setTopUp(c.env, ledgerOf(c), message), renderTopUp)
})

autoTopUpRoutes.openapi(getRoute, async (c) => {
  const message = { caller: callerOf(c), owner: ownerOf(c.req.valid('query')) }
  return answerResult(c, await readTopUp(c.env, ledgerOf(c), message), renderTopUp)
})

autoTopUpRoutes.openapi(deleteRoute, async (c) => {
  const message = { caller: callerOf(c), owner: ownerOf(c.req.valid('query')), rule: null }
  return answerResult(c, await setTopUp(c.env, ledgerOf(c), message), renderTopUp)
})
