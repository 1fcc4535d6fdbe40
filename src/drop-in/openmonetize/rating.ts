import { jsonResponse } from '../../http/output/json.ts'
import { isRecord } from '../../ledger/model/json.ts'
import { type Fields, number, pick, rows, snakeCase, sumOf, type Translation } from './translation.ts'

/** The translations of the routes that calculate costs. */

const CALCULATION = {
  provider: 'provider',
  model: 'model',
  input_tokens: 'input_tokens',
  output_tokens: 'output_tokens',
  count: 'image_count',
  image_count: 'image_count',
}

/** Returns a calculated cost with the field names of the original service and the field names of its SDK's types. */
function calculatedOf(calculated: Fields): object {
  const cost = number(calculated.provider_cost_usd)
  const price = number(calculated.customer_price_usd)
  const output = sumOf(
    rows(calculated.breakdown)
      .filter(({ unit }) => String(unit).startsWith('output') || String(unit).includes('_output_'))
      .map(({ cost_usd }) => number(cost_usd)),
  )
  return {
    cost,
    currency: 'USD',
    credits: calculated.credits,
    costBreakdown: { inputCostUsd: sumOf([cost, -output]), outputCostUsd: output, totalCostUsd: cost },
    providerCostUsd: cost,
    revenueUsd: price,
    marginUsd: sumOf([price, -cost]),
    marginPercent: calculated.margin_percent,
    pricingSource: calculated.pricing_source,
  }
}

export const ratingTranslations: readonly Translation[] = [
  {
    method: 'post',
    path: '/v1/rating/calculate',
    summary: 'Calculate the cost of a call',
    scope: 'pricing:read',
    status: 200,
    problems: ['unknown_provider', 'unpriced_model'],
    async run({ c, body, send }) {
      const path = '/v1/rating/calculate'
      return jsonResponse(
        c,
        calculatedOf(await send({ method: 'POST', path, body: pick(body, CALCULATION) })),
      )
    },
  },
  {
    method: 'post',
    path: '/v1/rating/calculate/bulk',
    summary: 'Calculate the costs of up to 100 calls',
    scope: 'pricing:read',
    status: 200,
    async run({ c, body, send }) {
      const asked = Array.isArray(body.calculations) ? body.calculations : []
      const calculations = asked.map((one: unknown) =>
        isRecord(one) ? pick(snakeCase(one), CALCULATION) : one,
      )
      const path = '/v1/rating/calculate/bulk'
      const answer = await send({ method: 'POST', path, body: { calculations } })
      const results = rows(answer.results).map((result) =>
        isRecord(result.error)
          ? { error: result.error.code, message: result.error.detail }
          : calculatedOf(result),
      )
      return jsonResponse(c, { customerId: c.get('key').customer_id, results, total: results.length })
    },
  },
]
