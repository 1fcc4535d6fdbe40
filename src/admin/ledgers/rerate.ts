import { z } from '@hono/zod-openapi'
import { objectId } from '../../http/input/identifiers.ts'
import { noSuch } from '../../http/output/problem.ts'
import { createRouter, json, optionalJsonRequest, route } from '../../http/route.ts'
import { ledgersOfCustomer, rerateAll, rerateLedgers } from '../../rating/late/rerate.ts'
import { answerWork } from '../record-action.ts'

const rerateSchema = z.strictObject({ customer_id: objectId().optional() }).openapi('Rerate')

const summarySchema = z
  .object({
    ledgers: z.int(),
    examined: z.int(),
    rated: z.int(),
    unpaid: z.int().openapi({
      description:
        'The number of events that have a price but could not be charged, usually because the wallet has too few credits.',
    }),
    unpriced: z.int().openapi({ description: 'The number of events that still have no price.' }),
    more: z.boolean().openapi({
      description:
        'Whether unexamined events remain, for example because a ledger did not respond. If true, call again.',
    }),
  })
  .openapi('RerateSummary')

const rerateRoute = route({
  method: 'post',
  path: '/',
  summary: 'Rate events that were recorded before their price was set',
  description:
    'Rates the events of one customer. Without `customer_id`, rates the events of all customers to which a new or changed price, or new credits, can apply. Each event is rated at most once, at the price that was in effect at the time of the event. A scheduled job also rates unrated events.',
  request: { body: optionalJsonRequest(rerateSchema) },
  answers: { 200: json('The result.', summarySchema) },
  problems: ['not_found', 'idempotency_mismatch'],
})

const OPERATION = 'POST /v1/admin/rerate'

export const rerateRoutes = createRouter()

rerateRoutes.openapi(rerateRoute, async (c) => {
  const { customer_id } = rerateSchema.parse(await c.req.json())
  const work = { action: 'admin.rerate', operation: OPERATION, customer_id } as const
  if (customer_id === undefined) return answerWork(c, work, () => rerateAll(c.env))
  const ledgers = await ledgersOfCustomer(c.env, customer_id)
  if (ledgers.length === 0) {
    return noSuch(c, 'customer', customer_id)
  }
  return answerWork(c, work, () => rerateLedgers(c.env, ledgers))
})
