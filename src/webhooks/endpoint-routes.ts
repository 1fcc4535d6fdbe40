import type { Context } from 'hono'
import { scoped, scopedToRead } from '../api-keys/authentication/authenticate.ts'
import type { AppEnv } from '../http/env.ts'
import { BEHIND_ALL_IDS, idPage } from '../http/input/pagination.ts'
import { timeOrNull } from '../http/input/times.ts'
import { jsonResponse } from '../http/output/json.ts'
import { noSuch, problem, serviceUnavailable } from '../http/output/problem.ts'
import { type Answer, answerOnce, writeKept } from '../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, optionalJsonRequest, route } from '../http/route.ts'
import { changeEndpoint, createEndpoint, removeEndpoint, rotateSecret } from './changes.ts'
import { customerPlace, once, onceWithSecret, operatorPlace } from './place.ts'
import { recordOutcomes } from './records/deliveries.ts'
import { findEndpoint, listEndpoints } from './records/endpoints.ts'
import { deliveryJson, endpointJson } from './render.ts'
import { replay } from './replay.ts'
import {
  deliverySchema,
  endpointPath,
  endpointSchema,
  endpointSchemasOf,
  endpointsQuery,
  endpointsSchema,
  endpointWithSecretSchema,
  replayedSchema,
  replaySchema,
  rotateSchema,
} from './schema.ts'
import { sendTest } from './test-message.ts'

const SECRET_ONCE =
  'Only this response contains the secret. With an `Idempotency-Key`, the request can be repeated if the response is lost. The stored response is encrypted with the credential of the request. Only a request with the same credential gets it again.'

/**
 * Returns the routes for the webhook endpoints of customers, or for those of the operator. They differ, for example, in
 * the required credential and in the types of notifications.
 */
function endpointRoutes(kind: 'customer' | 'operator') {
  const is_customer = kind === 'customer'
  const placeOf = is_customer ? customerPlace : operatorPlace
  const schemas = endpointSchemasOf[kind]
  const reads = is_customer ? scopedToRead('webhooks:read') : {}
  const writes = is_customer ? scoped('webhooks:write') : {}
  const of = is_customer ? '' : ' of the operator'
  const router = createRouter()

  const createRoute = route({
    method: 'post',
    path: '/',
    summary: `Create a webhook endpoint${of}, which is an address that gets notifications`,
    description: `Messages are signed according to Standard Webhooks 1.0. ${SECRET_ONCE}`,
    ...writes,
    request: { body: jsonRequest(schemas.draft) },
    answers: { 201: json('The endpoint, with its secret.', endpointWithSecretSchema) },
    problems: ['conflict', 'idempotency_mismatch', 'webhooks_not_configured'],
  })
  router.openapi(createRoute, async (c) => {
    const place = placeOf(c)
    const draft = c.req.valid('json')
    try {
      const repeat = onceWithSecret(c, place, '/webhook-endpoints')
      return await answerOnce(c, repeat, (keep) => createEndpoint(c, place, draft, keep))
    } catch (error) {
      return serviceUnavailable(c, 'webhook_endpoint_not_changed', error)
    }
  })

  const listRoute = route({
    method: 'get',
    path: '/',
    summary: `List webhook endpoints${of} without their secrets, newest first`,
    ...reads,
    request: { query: endpointsQuery },
    answers: { 200: json('A page of endpoints.', endpointsSchema) },
  })
  router.openapi(listRoute, async (c) => {
    const { cursor, limit } = c.req.valid('query')
    const place = placeOf(c)
    const page = { before_id: cursor ?? BEHIND_ALL_IDS, limit: limit + 1 }
    const found = await listEndpoints(c.env, place.owner, page)
    const { rows, next_cursor } = idPage(found, limit, (row) => row.webhook_endpoint_id)
    return jsonResponse(c, { data: rows.map((row) => endpointJson(row, place)), next_cursor })
  })

  const getRoute = route({
    method: 'get',
    path: '/{id}',
    summary: `Get a webhook endpoint${of}`,
    ...reads,
    request: { params: endpointPath },
    answers: { 200: json('The endpoint.', endpointSchema) },
    problems: ['not_found'],
  })
  router.openapi(getRoute, async (c) => {
    const { id } = c.req.valid('param')
    const place = placeOf(c)
    const found = await findEndpoint(c.env, place.owner, id)
    return found ? jsonResponse(c, endpointJson(found, place)) : noSuchEndpoint(c, id)
  })

  const changeRoute = route({
    method: 'patch',
    path: '/{id}',
    summary: `Change a webhook endpoint${of}`,
    description:
      'Omitted fields do not change. `enabled: false` drops the pending deliveries. `enabled: true` also enables an endpoint that was disabled because of failures. The notifications that it missed can be replayed. If `url` changes, pending deliveries are sent to the new address.',
    ...writes,
    request: { params: endpointPath, body: jsonRequest(schemas.change) },
    answers: { 200: json('The endpoint.', endpointSchema) },
    problems: ['not_found', 'conflict', 'webhooks_not_configured'],
  })
  router.openapi(changeRoute, async (c) => {
    const { id } = c.req.valid('param')
    const change = c.req.valid('json')
    try {
      return respond(c, await changeEndpoint(c, placeOf(c), id, change))
    } catch (error) {
      return serviceUnavailable(c, 'webhook_endpoint_not_changed', error)
    }
  })

  const deleteRoute = route({
    method: 'delete',
    path: '/{id}',
    summary: `Delete a webhook endpoint${of}`,
    description: 'Pending deliveries to the endpoint are dropped. All of its deliveries stay in the log.',
    ...writes,
    request: { params: endpointPath },
    answers: { 200: json('The deleted endpoint.', endpointSchema) },
    problems: ['not_found'],
  })
  router.openapi(deleteRoute, async (c) => {
    const { id } = c.req.valid('param')
    try {
      return respond(c, await removeEndpoint(c, placeOf(c), id))
    } catch (error) {
      return serviceUnavailable(c, 'webhook_endpoint_not_changed', error)
    }
  })

  const rotateRoute = route({
    method: 'post',
    path: '/{id}/rotate-secret',
    summary: `Replace the signing keys of a webhook endpoint${of}`,
    description: `Messages are signed with both secrets during the overlap. ${SECRET_ONCE}`,
    ...writes,
    request: { params: endpointPath, body: optionalJsonRequest(rotateSchema) },
    answers: { 200: json('The endpoint, with its new secret.', endpointWithSecretSchema) },
    problems: ['not_found', 'conflict', 'idempotency_mismatch', 'webhooks_not_configured'],
  })
  router.openapi(rotateRoute, async (c) => {
    const { id } = c.req.valid('param')
    const place = placeOf(c)
    // The validator does not run if the request has no body, so the default values are set here.
    const { overlap_seconds } = rotateSchema.parse(await c.req.json())
    try {
      const repeat = onceWithSecret(c, place, `/webhook-endpoints/${id}/rotate-secret`)
      return await answerOnce(c, repeat, (keep) => rotateSecret(c, place, { id, overlap_seconds }, keep))
    } catch (error) {
      return serviceUnavailable(c, 'webhook_endpoint_not_changed', error)
    }
  })

  const testRoute = route({
    method: 'post',
    path: '/{id}/test',
    summary: `Send a test message to a webhook endpoint${of}`,
    description:
      'Sends a message of the type `webhook_endpoint.test` once, even if the endpoint is disabled. The response is sent when the attempt has ended. The attempt waits at most 15 seconds for a response from the receiver.',
    ...writes,
    request: { params: endpointPath },
    answers: { 200: json('The delivery with its attempt.', deliverySchema) },
    problems: ['not_found', 'idempotency_mismatch', 'webhooks_not_configured'],
  })
  router.openapi(testRoute, async (c) => {
    const { id } = c.req.valid('param')
    const place = placeOf(c)
    try {
      return await answerOnce(c, once(place, `/webhook-endpoints/${id}/test`), async (keep) => {
        const endpoint = await findEndpoint(c.env, place.owner, id)
        if (!endpoint) return noSuchEndpoint(c, id)
        const tested = await sendTest(c.env, endpoint)
        if (!tested) return problem(c, { code: 'webhooks_not_configured', detail: LOCKED })
        const answer = { status: 200, body: deliveryJson(tested.delivery, place) } as const
        await c.env.DB.batch([recordOutcomes(c.env, [tested.outcome]), ...keep(answer)])
        return answer
      })
    } catch (error) {
      return serviceUnavailable(c, 'webhook_test_not_recorded', error)
    }
  })

  const replayRoute = route({
    method: 'post',
    path: '/{id}/replay',
    summary: `Send notifications of a time range to a webhook endpoint${of} again`,
    description:
      'Each message has the same id as in its first delivery, so a receiver can recognise a repeated message. One request replays the first 1,000 notifications, and all further notifications with the same time as the last of them. Continue with `next_from`.',
    ...writes,
    request: { params: endpointPath, body: jsonRequest(replaySchema) },
    answers: { 200: json('The number of deliveries that the request started.', replayedSchema) },
    problems: ['not_found', 'conflict', 'idempotency_mismatch'],
  })
  router.openapi(replayRoute, async (c) => {
    const { id } = c.req.valid('param')
    const { from: from_ms, to: to_ms = Date.now(), only_failed } = c.req.valid('json')
    const place = placeOf(c)
    try {
      return await answerOnce(c, once(place, `/webhook-endpoints/${id}/replay`), async (keep) => {
        const endpoint = await findEndpoint(c.env, place.owner, id)
        if (!endpoint) return noSuchEndpoint(c, id)
        if (!endpoint.enabled) return disabledEndpoint(c)
        const range = { from_ms, to_ms, only_failed }
        const { deliveries, next_from_ms } = await replay(c.env, endpoint, range, Date.now())
        const answer = { status: 200, body: { deliveries, next_from: timeOrNull(next_from_ms) } } as const
        await writeKept(c.env, keep(answer))
        return answer
      })
    } catch (error) {
      return serviceUnavailable(c, 'webhooks_not_replayed', error)
    }
  })

  return router
}

const LOCKED =
  'The signing keys of this endpoint cannot be read. The operator must check the secret ENCRYPTION_KEY.'

export const webhookEndpointsRoutes = endpointRoutes('customer')
export const operatorWebhookEndpointsRoutes = endpointRoutes('operator')

function respond(c: Context<AppEnv>, answer: Answer | Response): Response {
  return answer instanceof Response ? answer : jsonResponse(c, answer.body, answer.status)
}

function noSuchEndpoint(c: Context<AppEnv>, id: string): Response {
  return noSuch(c, 'webhook endpoint', id)
}

export function disabledEndpoint(c: Context<AppEnv>): Response {
  return problem(c, {
    code: 'conflict',
    detail: 'The webhook endpoint is disabled. Enable it first.',
  })
}
