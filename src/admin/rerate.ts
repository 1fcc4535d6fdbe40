import { createRoute, z } from '@hono/zod-openapi'
import { jsonResponse } from '../http/json.ts'
import { BODY_PROBLEMS, json, optionalJsonRequest, responses } from '../http/responses.ts'
import { createRouter } from '../http/router.ts'
import { rerateAll, rerateCustomer } from '../rating/rerate.ts'
import { recordAction } from './record-action.ts'
import { OPERATOR_PROBLEMS } from './responses.ts'

const rerateSchema = z.strictObject({ customer_id: z.string().max(64).optional() }).openapi('Rerate')

const summarySchema = z
  .object({
    ledgers: z.int(),
    examined: z.int(),
    rated: z.int(),
    unpaid: z
      .int()
      .openapi({ description: 'The price is known; the wallet cannot pay until its next credit.' }),
    unpriced: z.int().openapi({ description: 'Still without a price.' }),
    more: z.boolean().openapi({ description: 'There is more than one run looks at: call again.' }),
  })
  .openapi('RerateSummary')

const rerateRoute = createRoute({
  method: 'post',
  path: '/',
  summary: 'Rate the events that were recorded without a price and have one now',
  description:
    'Of one customer, or of all. Each event is rated at most once, by the price of its own time. A cron does the same.',
  request: { body: optionalJsonRequest(rerateSchema) },
  responses: responses({ 200: json('What came of it.', summarySchema) }, [
    ...OPERATOR_PROBLEMS,
    ...BODY_PROBLEMS,
  ]),
})

export const rerateRoutes = createRouter()

rerateRoutes.openapi(rerateRoute, async (c) => {
  const { customer_id } = rerateSchema.parse(await c.req.json())
  await recordAction(c, 'admin.rerate', customer_id)
  const summary =
    customer_id === undefined ? await rerateAll(c.env) : await rerateCustomer(c.env, customer_id)
  return jsonResponse(c, summary)
})
