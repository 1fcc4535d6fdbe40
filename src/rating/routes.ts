import { createRoute } from '@hono/zod-openapi'
import { requireScope } from '../http/auth.ts'
import { callerOf, sharedLedgerOf } from '../http/caller.ts'
import { jsonResponse } from '../http/json.ts'
import { refusalResponse } from '../http/problem.ts'
import { BODY_PROBLEMS, json, jsonRequest, KEY_PROBLEMS, responses } from '../http/responses.ts'
import { createRouter } from '../http/router.ts'
import { readQuotes } from '../ledger/client.ts'
import { costEach, withQuotes } from './bulk.ts'
import { calculation, costOf } from './calculate.ts'
import { currentPrices } from './current-prices.ts'
import { renderBulk, renderCalculation } from './render.ts'
import { bulkSchema, calculatedBulkSchema, calculatedSchema, calculateSchema } from './schema.ts'

const calculateRoute = createRoute({
  method: 'post',
  path: '/calculate',
  summary: 'What a usage costs, in USD and in credits; moves nothing',
  middleware: [requireScope('pricing:read'), currentPrices],
  request: { body: jsonRequest(calculateSchema) },
  responses: responses({ 200: json('The price and how it was made.', calculatedSchema) }, [
    ...KEY_PROBLEMS,
    ...BODY_PROBLEMS,
    'insufficient_scope',
    'unknown_provider',
    'unpriced_model',
    'overloaded',
    'unavailable',
  ]),
})

const bulkRoute = createRoute({
  method: 'post',
  path: '/calculate/bulk',
  summary: 'Up to 100 calculations at once, each validated alone',
  middleware: [requireScope('pricing:read'), currentPrices],
  request: { body: jsonRequest(bulkSchema) },
  responses: responses(
    { 200: json('The results in the order of the request, and their sums.', calculatedBulkSchema) },
    [...KEY_PROBLEMS, ...BODY_PROBLEMS, 'insufficient_scope', 'overloaded', 'unavailable'],
  ),
})

export const ratingRoutes = createRouter()

ratingRoutes.openapi(calculateRoute, async (c) => {
  const costed = costOf(c.req.valid('json'), Date.now(), c.get('prices'))
  if (costed.kind === 'refused') return refusalResponse(c, costed.refusal)
  const quoted = await readQuotes(c.env, sharedLedgerOf(c), { caller: callerOf(c), items: [costed.item] })
  if (quoted.kind === 'refused') return refusalResponse(c, quoted.refusal)
  return jsonResponse(c, renderCalculation(calculation(costed, quoted.quotes[0])))
})

ratingRoutes.openapi(bulkRoute, async (c) => {
  const items = costEach(c.req.valid('json').calculations, Date.now(), c.get('prices'))
  const quoted = await readQuotes(c.env, sharedLedgerOf(c), {
    caller: callerOf(c),
    items: items.flatMap((item) => (item.kind === 'costed' ? [item.item] : [])),
  })
  if (quoted.kind === 'refused') return refusalResponse(c, quoted.refusal)
  return jsonResponse(c, renderBulk(withQuotes(items, quoted.quotes)))
})
