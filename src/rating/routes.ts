import { createRoute } from '@hono/zod-openapi'
import { configOf } from '../config.ts'
import { requireScope } from '../http/auth.ts'
import { creditsExact, exactNumber, jsonResponse, usdJson } from '../http/json.ts'
import { refusalResponse } from '../http/problem.ts'
import { BODY_PROBLEMS, json, jsonRequest, KEY_PROBLEMS, responses } from '../http/responses.ts'
import { createRouter } from '../http/router.ts'
import { defaultBurnTable, marginOf } from '../pricing/burn-table.ts'
import { formatDecimal } from '../pricing/money.ts'
import { type Calculation, calculate } from './calculate.ts'
import { currentPrices } from './current-prices.ts'
import { calculatedSchema, calculateSchema } from './schema.ts'
import { quantityJson, usageJson } from './usage-json.ts'

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
    'unavailable',
  ]),
})

export const ratingRoutes = createRouter()

ratingRoutes.openapi(calculateRoute, (c) => {
  const input = c.req.valid('json')
  const table = defaultBurnTable(configOf(c.env))
  const result = calculate(input, table, input.at ?? Date.now(), c.get('prices'))
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  return jsonResponse(c, renderCalculation(result, table.version))
})

function renderCalculation(
  { usage, cost, charge, warnings }: Calculation & { kind: 'calculated' },
  burn_table_version: number,
): object {
  const margin = marginOf(charge.price, cost.cost)
  return {
    provider_cost_usd: usdJson(cost.cost),
    credits: creditsExact(charge.credits_micro),
    customer_price_usd: usdJson(charge.price),
    margin_percent: margin === null ? null : exactNumber(formatDecimal(margin, 4)),
    optimization: null,
    usage: usageJson(usage),
    breakdown: cost.breakdown.map((line) => ({
      unit: line.unit,
      quantity: quantityJson(line.quantity),
      price_usd: exactNumber(line.price_usd),
      cost_usd: exactNumber(line.cost_usd),
    })),
    pricing_source: 'default_burn_table',
    burn_table_version,
    price_version: cost.price_version,
    ...(warnings.length > 0 && { warnings }),
  }
}
