import type { OpenAPIHono } from '@hono/zod-openapi'
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scoped, scopedWith } from '../../api-keys/authentication/authenticate.ts'
import { auditorOf, ledgerOf } from '../../http/caller.ts'
import type { AppEnv } from '../../http/env.ts'
import { customerText } from '../../http/input/identifiers.ts'
import { jsonProblem, parseBody, rawBody } from '../../http/middleware/body.ts'
import { jsonResponse } from '../../http/output/json.ts'
import {
  invalidRequest,
  noSuch,
  problem,
  refusalResponse,
  serviceUnavailable,
} from '../../http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../../http/route.ts'
import { currentPrices } from '../../rating/current-prices.ts'
import type { Dispatch } from '../dispatch.ts'
import { whenEnabled } from '../endpoints.ts'
import { countUnreadable, ingestItems } from '../ingest.ts'
import { binaryAttributes, type Received, receive } from './cloud-events.ts'
import { type Mapping, mappingsSchema } from './mapping.ts'
import { meterAnswer, meterAnswerOf, meterOf, meterQuery, usageAnswer, usageQuery } from './meters.ts'
import { MAX_CHANGES_A_DAY, readMappings, writeMappings } from './settings.ts'

const JSON_TYPES = /^application\/(json|cloudevents(-batch)?\+json)\s*(?:;|$)/i
const body = rawBody(
  JSON_TYPES,
  'application/cloudevents+json, application/cloudevents-batch+json or application/json',
)

const cloudEvent = { type: 'object', additionalProperties: true, properties: {} } as const
const batch = { type: 'array', items: cloudEvent } as const

const eventsRoute = route({
  method: 'post',
  path: '/api/v1/events',
  summary: "Bill CloudEvents in OpenMeter's format",
  description:
    'Accepts one event, a batch, or an event in binary mode. The `subject` of an event is the user. The mapping of the event type determines what is billed (`PUT /v1/drop-in/openmeter`). Events with the same id and source are billed once. Every field of the protocol is accepted.',
  ...scopedWith('events:write', body, whenEnabled('openmeter'), currentPrices),
  request: {
    body: {
      required: true,
      content: {
        'application/cloudevents+json': { schema: cloudEvent },
        'application/cloudevents-batch+json': { schema: batch },
        'application/json': { schema: { oneOf: [cloudEvent, batch] } },
      },
    },
  },
  answers: { 204: { description: 'All events are billed, by this request or an earlier one.' } },
  problems: ['invalid_json', 'invalid_request', 'not_found', 'overloaded', 'unavailable'],
})

const queryRoute = route({
  method: 'get',
  path: '/api/v1/meters/{meter}/query',
  summary: "Query a meter in OpenMeter's format",
  description: 'The meter is the `type`, `feature_id` or `unit` of a mapping. Only sums are supported.',
  ...scoped('analytics:read', whenEnabled('openmeter')),
  request: { params: z.object({ meter: customerText() }), query: meterQuery },
  answers: { 200: json('The windows and groups.', meterAnswer) },
  problems: ['not_found', 'overloaded', 'unavailable'],
})

const entitlementRoute = route({
  method: 'get',
  path: '/api/v1/customers/{customer}/entitlements/{feature}/value',
  summary: "Get the value of an entitlement in OpenMeter's format",
  description: 'The `customer` in the path is the id of a user of this API.',
  ...scoped('analytics:read', whenEnabled('openmeter')),
  request: { params: z.object({ customer: customerText(), feature: customerText() }) },
  answers: {
    200: json(
      '`hasAccess` is true if the user may use the feature now. The other fields describe the limit and are absent without a limit.',
      z.object({
        hasAccess: z.boolean(),
        balance: z.number().optional(),
        usage: z.number().optional(),
        overage: z.number().optional(),
        totalAvailableGrantAmount: z.number().optional(),
      }),
    ),
  },
  problems: ['not_found', 'overloaded', 'unavailable'],
})

const putRoute = route({
  method: 'put',
  path: '/',
  summary: 'Set the mappings of OpenMeter events',
  description:
    'Replaces all mappings. `quantity`, `model`, `input_tokens` and `output_tokens` are JSON Pointers into the `data` of an event. `provider` is a name or a JSON Pointer. A change applies to every request after at most 30 seconds.',
  ...scoped('pricing:write'),
  request: { body: jsonRequest(mappingsSchema) },
  answers: { 200: json('The mappings.', mappingsSchema) },
  problems: ['conflict', 'unavailable'],
})

const getRoute = route({
  method: 'get',
  path: '/',
  summary: 'Get the mappings of OpenMeter events',
  ...scoped('analytics:read'),
  answers: { 200: json('The mappings.', mappingsSchema) },
  problems: ['unavailable'],
})

/** The routes `PUT /v1/drop-in/openmeter` and `GET /v1/drop-in/openmeter`. */
export const openMeterSettingsRoutes = createRouter()

openMeterSettingsRoutes.openapi(putRoute, async (c) => {
  const { mappings } = c.req.valid('json')
  try {
    const auditor = auditorOf(c, c.get('key').key_id)
    if (!(await writeMappings(c.env, ledgerOf(c), mappings, auditor))) {
      const detail = `The mappings were changed ${MAX_CHANGES_A_DAY} times today, which is the limit. Retry tomorrow (UTC).`
      return problem(c, { code: 'conflict', detail })
    }
  } catch (error) {
    return serviceUnavailable(c, 'openmeter_mappings_not_written', error)
  }
  return jsonResponse(c, { mappings })
})

openMeterSettingsRoutes.openapi(getRoute, async (c) => {
  const mappings = await mappingsOf(c)
  return mappings instanceof Response ? mappings : jsonResponse(c, { mappings })
})

async function mappingsOf(c: Context<AppEnv>): Promise<readonly Mapping[] | Response> {
  try {
    return await readMappings(c.env, ledgerOf(c))
  } catch (error) {
    return serviceUnavailable(c, 'openmeter_mappings_not_read', error)
  }
}

export function openMeterRoutes(dispatch: Dispatch): OpenAPIHono<AppEnv> {
  const router = createRouter()

  router.openapi(eventsRoute, async (c) => {
    const mappings = await mappingsOf(c)
    if (mappings instanceof Response) return mappings
    const received = readEvents(c, mappings)
    if (received instanceof Response) {
      countUnreadable(c, 'openmeter')
      return received
    }
    const items = received.map(({ item }) => item)
    const ingested = await ingestItems(c, 'openmeter', items)
    if (ingested.kind === 'refused') return refusalResponse(c, ingested.refusal)
    const refused = ingested.results.flatMap((result, index) =>
      result.status === 'rejected' ? [{ id: received[index]?.id ?? '', index, ...result }] : [],
    )
    if (refused.length === 0) return c.body(null, 204)
    const named = refused.slice(0, MAX_NAMED).map(({ id, code }) => `${id.slice(0, MAX_ID)} (${code})`)
    const more = refused.length > MAX_NAMED ? ` and ${refused.length - MAX_NAMED} more` : ''
    const others =
      refused.length < received.length
        ? ' All other events are billed. A retry does not bill them again.'
        : ''
    const events = `${received.length === 1 ? 'event' : 'events'} ${refused.length === 1 ? 'was' : 'were'}`
    return invalidRequest(
      c,
      `${refused.length} of ${received.length} ${events} refused: ${named.join(', ')}${more}.${others}`,
      refused.slice(0, MAX_ERRORS).map(({ index, id, code, detail }) => ({
        path: received.length === 1 ? '' : `/${index}`,
        message: `${id.slice(0, MAX_ID)}: ${code}: ${detail}`,
      })),
    )
  })

  router.openapi(queryRoute, async (c) => {
    const { meter: slug } = c.req.valid('param')
    const query = c.req.valid('query')
    const mappings = await mappingsOf(c)
    if (mappings instanceof Response) return mappings
    const meter = meterOf(slug, mappings)
    if (!meter) return noSuch(c, 'meter', slug)
    const request = usageQuery(query, meter)
    if ('unknown_group' in request) {
      const message = 'must be subject, model or provider'
      return invalidRequest(c, `The query's groupBy ${message}.`, [{ path: '/groupBy', message }])
    }
    const response = await dispatch(c, request)
    if (response.status !== 200) return response
    return jsonResponse(c, meterAnswerOf(usageAnswer.parse(await response.json()), query, meter))
  })

  router.openapi(entitlementRoute, async (c) => {
    const { customer: user_id, feature: feature_id } = c.req.valid('param')
    const user = await dispatch(c, {
      method: 'GET',
      path: `/v1/users/${encodeURIComponent(user_id)}`,
      granted: 'credits:read',
    })
    if (user.status !== 200) return user
    const response = await dispatch(c, {
      method: 'POST',
      path: '/v1/entitlements/check',
      body: { user_id, feature_id },
      granted: 'entitlements:read',
    })
    if (response.status !== 200) return response
    const { allowed, limit } = checkedSchema.parse(await response.json())
    if (!limit) return jsonResponse(c, { hasAccess: allowed })
    const { value, used } = limit
    return jsonResponse(c, {
      hasAccess: allowed,
      balance: Math.max(0, value - used),
      usage: used,
      overage: Math.max(0, used - value),
      totalAvailableGrantAmount: value,
    })
  })

  return router
}

const checkedSchema = z.object({
  allowed: z.boolean(),
  limit: z.object({ value: z.number(), used: z.number() }).nullable(),
})

/**
 * `MAX_NAMED` is the maximum number of rejected events in `detail`, and `MAX_ERRORS` is the maximum number in `errors`.
 */
const MAX_NAMED = 20
const MAX_ERRORS = 100
const MAX_ID = 100

function readEvents(c: Context<AppEnv>, mappings: readonly Mapping[]): Received[] | Response {
  const parsed = parseBody(c.get('body_bytes') ?? new Uint8Array())
  if (typeof parsed === 'string') return jsonProblem(c, parsed)
  const attributes = binaryAttributes((name) => c.req.header(name))
  if (attributes) return [receive({ ...attributes, data: parsed.value }, 0, mappings)]
  const { value } = parsed
  if (Array.isArray(value)) return value.map((event: unknown, index) => receive(event, index, mappings))
  if (typeof value === 'object' && value !== null) return [receive(value, 0, mappings)]
  const message = 'must be a CloudEvent or a list of CloudEvents'
  return invalidRequest(c, `The body ${message}.`, [{ path: '', message }])
}
