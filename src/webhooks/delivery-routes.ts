import { scoped, scopedToRead } from '../api-keys/authentication/authenticate.ts'
import { BEHIND_ALL_IDS } from '../http/input/pagination.ts'
import { jsonResponse } from '../http/output/json.ts'
import { noSuch, serviceUnavailable } from '../http/output/problem.ts'
import { answerOnce, writeKept } from '../http/output/stored-answers.ts'
import { createRouter, json, route } from '../http/route.ts'
import { disabledEndpoint } from './endpoint-routes.ts'
import { customerPlace, once, operatorPlace } from './place.ts'
import { findDelivery, listDeliveries } from './records/deliveries.ts'
import { findEndpoint } from './records/endpoints.ts'
import { deliveryJson } from './render.ts'
import { retryNow } from './replay.ts'
import { deliveriesQuery, deliveriesSchema, deliveryPath, deliverySchema } from './schema.ts'

/** Returns the routes for the deliveries to the webhook endpoints of customers, or to those of the operator. */
function deliveryRoutes(kind: 'customer' | 'operator') {
  const is_customer = kind === 'customer'
  const placeOf = is_customer ? customerPlace : operatorPlace
  const reads = is_customer ? scopedToRead('webhooks:read') : {}
  const writes = is_customer ? scoped('webhooks:write') : {}
  const of = is_customer ? '' : " to the operator's endpoints"
  const router = createRouter()

  const listRoute = route({
    method: 'get',
    path: '/',
    summary: `List webhook deliveries${of} with their attempts, newest notification first`,
    description:
      'The list contains deliveries that were attempted, postponed or dropped. They are kept for 30 days. A page can have fewer than `limit` rows even if `next_cursor` is set.',
    ...reads,
    request: { query: deliveriesQuery },
    answers: { 200: json('A page of deliveries.', deliveriesSchema) },
  })
  router.openapi(listRoute, async (c) => {
    const { cursor, ...query } = c.req.valid('query')
    const place = placeOf(c)
    const page = { ...query, before_id: cursor ?? BEHIND_ALL_IDS }
    const { deliveries, next_id } = await listDeliveries(c.env, place.owner, page)
    const data = deliveries.map((delivery) => deliveryJson(delivery, place))
    return jsonResponse(c, { data, next_cursor: next_id })
  })

  const getRoute = route({
    method: 'get',
    path: '/{id}',
    summary: `Get a webhook delivery${of} with its attempts`,
    ...reads,
    request: { params: deliveryPath },
    answers: { 200: json('The delivery.', deliverySchema) },
    problems: ['not_found'],
  })
  router.openapi(getRoute, async (c) => {
    const { id } = c.req.valid('param')
    const place = placeOf(c)
    const found = await findDelivery(c.env, place.owner, id)
    return found ? jsonResponse(c, deliveryJson(found, place)) : noSuch(c, 'webhook delivery', id)
  })

  const retryRoute = route({
    method: 'post',
    path: '/{id}/retry',
    summary: `Make a webhook delivery${of} due now, regardless of its status`,
    description:
      'The retry schedule of the delivery starts again. If an attempt is running, the delivery does not change. All attempts have the same message id, so a receiver can recognise a repeated message.',
    ...writes,
    request: { params: deliveryPath },
    answers: { 200: json('The delivery.', deliverySchema) },
    problems: ['not_found', 'conflict', 'idempotency_mismatch'],
  })
  router.openapi(retryRoute, async (c) => {
    const { id } = c.req.valid('param')
    const place = placeOf(c)
    try {
      return await answerOnce(c, once(place, `/webhook-deliveries/${id}/retry`), async (keep) => {
        const found = await findDelivery(c.env, place.owner, id)
        if (!found) return noSuch(c, 'webhook delivery', id)
        const endpoint = await findEndpoint(c.env, place.owner, found.webhook_endpoint_id)
        if (!endpoint?.enabled) return disabledEndpoint(c)
        const retried = await retryNow(c.env, place.owner, id, Date.now())
        if (!retried) return noSuch(c, 'webhook delivery', id)
        const answer = { status: 200, body: deliveryJson(retried, place) } as const
        await writeKept(c.env, keep(answer))
        return answer
      })
    } catch (error) {
      return serviceUnavailable(c, 'webhook_delivery_not_retried', error)
    }
  })

  return router
}

export const webhookDeliveriesRoutes = deliveryRoutes('customer')
export const operatorWebhookDeliveriesRoutes = deliveryRoutes('operator')
