import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scopedWith } from '../../api-keys/authentication/authenticate.ts'
import { ledgerOf } from '../../http/caller.ts'
import type { AppEnv } from '../../http/env.ts'
import { rawBody } from '../../http/middleware/body.ts'
import { jsonResponse } from '../../http/output/json.ts'
import { invalidRequest, refusalResponse, serviceUnavailable } from '../../http/output/problem.ts'
import { createRouter, json, route } from '../../http/route.ts'
import { currentPrices } from '../../rating/current-prices.ts'
import { whenEnabled } from '../endpoints.ts'
import { countUnreadable, ingestItems, keyOf } from '../ingest.ts'
import { itemOf, type Mapping } from '../openmeter/mapping.ts'
import { readMappings } from '../openmeter/settings.ts'

const FORM = 'application/x-www-form-urlencoded'
const body = rawBody(/^application\/x-www-form-urlencoded\s*(?:;|$)/i, FORM)

const meterEventsRoute = route({
  method: 'post',
  path: '/v1/billing/meter_events',
  summary: "Bill a meter event in Stripe's format",
  description:
    'The customer in the payload is the user. The mapping of the event name determines what is billed (`PUT /v1/drop-in/openmeter`). Its JSON Pointers select values in the payload, such as `/value`. Events with the same identifier are billed once.',
  ...scopedWith('events:write', body, whenEnabled('stripe'), currentPrices),
  request: {
    headers: z.object({
      'Idempotency-Key': z.string().optional().openapi({
        description: 'The identifier of the event, if the body has no `identifier`.',
      }),
    }),
    body: {
      required: true,
      content: {
        [FORM]: {
          schema: {
            type: 'object',
            additionalProperties: true,
            properties: {
              event_name: { type: 'string' },
              identifier: { type: 'string' },
              timestamp: { type: 'string' },
            },
          },
        },
      },
    },
  },
  answers: {
    200: json(
      'The meter event.',
      z.object({
        object: z.literal('billing.meter_event'),
        created: z.int(),
        event_name: z.string(),
        identifier: z.string(),
        livemode: z.boolean(),
        payload: z.record(z.string(), z.string()),
        timestamp: z.int(),
      }),
    ),
  },
  problems: ['invalid_json', 'invalid_request', 'not_found', 'overloaded', 'unavailable'],
})

export const stripeRoutes = createRouter()

stripeRoutes.openapi(meterEventsRoute, async (c) => {
  let mappings: readonly Mapping[]
  try {
    mappings = await readMappings(c.env, ledgerOf(c))
  } catch (error) {
    return serviceUnavailable(c, 'openmeter_mappings_not_read', error)
  }
  const event = readEvent(c)
  if (event instanceof Response) {
    countUnreadable(c, 'stripe')
    return event
  }
  const { event_name, identifier, timestamp, payload } = event
  const now_s = Math.floor(Date.now() / 1000)
  const item = itemOf(
    {
      type: event_name,
      user_id: payload.stripe_customer_id,
      time: timestamp === undefined ? undefined : new Date(timestamp * 1000).toISOString(),
      data: payload,
      key: keyOf('stripe', identifier),
    },
    mappings,
  )
  const ingested = await ingestItems(c, 'stripe', [item])
  if (ingested.kind === 'refused') return refusalResponse(c, ingested.refusal)
  const [result] = ingested.results
  if (result?.status === 'rejected') {
    const message = `${result.code}: ${result.detail}`
    return invalidRequest(c, `The meter event was refused: ${message}`, [{ path: '/event_name', message }])
  }
  return jsonResponse(c, {
    object: 'billing.meter_event',
    created: now_s,
    event_name,
    identifier,
    livemode: c.get('key').mode === 'live',
    payload,
    timestamp: timestamp ?? now_s,
  })
})

interface MeterEvent {
  readonly event_name: string
  readonly identifier: string
  readonly timestamp: number | undefined
  readonly payload: Readonly<Record<string, string>>
}

const PAYLOAD = /^payload\[([^\]]{1,100})\]$/
const MAX_FIELDS = 100

function readEvent(c: Context<AppEnv>): MeterEvent | Response {
  const form = new URLSearchParams(new TextDecoder().decode(c.get('body_bytes')))
  const refuse = (field: string, message: string) =>
    invalidRequest(c, `The field ${field} ${message}.`, [{ path: `/${field}`, message }])
  const event_name = form.get('event_name') ?? ''
  if (event_name === '') return refuse('event_name', 'is required')
  const sent_at = form.get('timestamp')
  if (sent_at !== null && !/^\d{1,11}$/.test(sent_at))
    return refuse('timestamp', 'must be a whole number of seconds since 1970')
  const payload = new Map<string, string>()
  for (const [name, value] of form) {
    const key = PAYLOAD.exec(name)?.[1]
    if (key !== undefined && key !== '__proto__') payload.set(key, value)
    if (payload.size > MAX_FIELDS) return refuse('payload', `must have at most ${MAX_FIELDS} fields`)
  }
  // Like Stripe, this endpoint creates an identifier if the request has none. The idempotency key is used first,
  // because stripe-node sends the same key with each retry.
  const identifier = form.get('identifier') ?? c.get('idempotency_key') ?? crypto.randomUUID()
  return {
    event_name,
    identifier,
    timestamp: sent_at === null ? undefined : Number(sent_at),
    payload: Object.fromEntries(payload),
  }
}
