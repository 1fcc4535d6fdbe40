import { scoped } from '../api-keys/authentication/authenticate.ts'
import { configOf } from '../config.ts'
import { callerOf, ledgerOf, sharedLedgerOf } from '../http/caller.ts'
import { jsonResponse } from '../http/output/json.ts'
import { refusalResponse } from '../http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { completeDefinition, definitionRefusal } from '../ledger/burn-tables/changes.ts'
import { readQuotes } from '../ledger/client/client.ts'
import { compileBurnTable } from '../pricing/burn-table/table.ts'
import { calculation, costEach, costOf, withQuotes } from './calculate.ts'
import { currentPrices } from './current-prices.ts'
import { explainEach } from './explain/calculation.ts'
import { renderBulk, renderCalculation, renderSimulation } from './render.ts'
import {
  bulkSchema,
  calculatedBulkSchema,
  calculatedSchema,
  calculateSchema,
  simulatedSchema,
  simulateSchema,
} from './schema.ts'
import { simulate } from './simulate.ts'

const calculateRoute = route({
  method: 'post',
  path: '/calculate',
  summary: 'Calculate the cost of usage in USD and in credits, without burning credits',
  ...scoped('pricing:read', currentPrices),
  request: { body: jsonRequest(calculateSchema) },
  answers: { 200: json('The cost and its breakdown by unit.', calculatedSchema) },
  problems: ['unknown_provider', 'unpriced_model', 'overloaded'],
})

const bulkRoute = route({
  method: 'post',
  path: '/calculate/bulk',
  summary: 'Calculate up to 100 costs in one request; each calculation is validated separately',
  ...scoped('pricing:read', currentPrices),
  request: { body: jsonRequest(bulkSchema) },
  answers: {
    200: json(
      'The results in the order of the request, and the totals of the results without an error.',
      calculatedBulkSchema,
    ),
  },
  problems: ['overloaded'],
})

const simulateRoute = route({
  method: 'post',
  path: '/simulate',
  summary: 'Simulate the cost of recorded events with another burn table',
  description:
    'Simulates the events of up to 31 days. The request is refused if more than 100,000 events or 200,000 ledger entries were recorded since `from`. Provider costs keep their recorded values. Tiers and free units are counted from zero in each wallet, beginning with its first simulated event.',
  ...scoped('pricing:read'),
  request: { body: jsonRequest(simulateSchema) },
  answers: {
    200: json('The recorded and the simulated costs, in total, by feature and by model.', simulatedSchema),
  },
  problems: ['conflict', 'overloaded'],
})

export const ratingRoutes = createRouter()

ratingRoutes.openapi(calculateRoute, async (c) => {
  const costed = costOf(c.req.valid('json'), Date.now(), c.get('prices'))
  if (costed.kind === 'refused') return refusalResponse(c, costed.refusal)
  const quoted = await readQuotes(c.env, sharedLedgerOf(c), { caller: callerOf(c), items: [costed.item] })
  if (quoted.kind === 'refused') return refusalResponse(c, quoted.refusal)
  const [explained = calculation(costed, quoted.quotes[0])] = await explainEach(c, [
    calculation(costed, quoted.quotes[0]),
  ])
  return jsonResponse(c, renderCalculation(explained))
})

ratingRoutes.openapi(bulkRoute, async (c) => {
  const items = costEach(c.req.valid('json').calculations, Date.now(), c.get('prices'))
  const quoted = await readQuotes(c.env, sharedLedgerOf(c), {
    caller: callerOf(c),
    items: items.flatMap((item) => (item.kind === 'costed' ? [item.item] : [])),
  })
  if (quoted.kind === 'refused') return refusalResponse(c, quoted.refusal)
  return jsonResponse(c, renderBulk(await explainEach(c, withQuotes(items, quoted.quotes))))
})

ratingRoutes.openapi(simulateRoute, async (c) => {
  const { burn_table, from, to } = c.req.valid('json')
  const defaults = configOf(c.env)
  const definition = completeDefinition(burn_table, defaults)
  const wrong = definitionRefusal(definition, '/burn_table')
  if (wrong) return refusalResponse(c, wrong)
  const result = await simulate(c.env, {
    ledger: ledgerOf(c),
    caller: callerOf(c),
    table: compileBurnTable(definition, { id: 'draft', version: 0 }, defaults),
    from_ms: from,
    to_ms: to,
  })
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  return jsonResponse(c, renderSimulation(result))
})
