import { expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { answered, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

const MAPPING = { type: 'api_requests', feature_id: 'api', unit: 'api_calls', quantity: '/value' }

type Texts = Readonly<Record<string, string>>

function sent(key: string, fields: Texts, more: Texts = {}): Promise<Response> {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', ...more }
  return api('/stripe/v1/billing/meter_events', {
    key,
    body: new URLSearchParams(fields).toString(),
    headers,
  })
}

async function customerWithMapping(): Promise<string> {
  const { api_key } = await createCustomer()
  await answered(api_key, '/v1/drop-in/openmeter', { mappings: [MAPPING] }, 200, 'PUT')
  return api_key
}

const EVENT = {
  event_name: 'api_requests',
  'payload[value]': '25',
  'payload[stripe_customer_id]': 'cus_zoe',
  identifier: 'idf_1',
}

it('a meter event is billed for its customer, once for its identifier', async () => {
  const key = await customerWithMapping()
  const response = await sent(key, EVENT)
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({
    ...{ object: 'billing.meter_event', event_name: 'api_requests', identifier: 'idf_1', livemode: true },
    payload: { value: '25', stripe_customer_id: 'cus_zoe' },
  })
  expect((await sent(key, EVENT)).status).toBe(200)
  expect(await listed(key, '/v1/events')).toMatchObject([
    { user_id: 'cus_zoe', feature_id: 'api', usage: { custom: { api_calls: 25 } } },
  ])
})

it('a meter event without an identifier has the idempotency key of the request as its identifier', async () => {
  const key = await customerWithMapping()
  const { identifier: _, ...event } = EVENT
  for (const idempotency_key of ['retry', 'retry', 'other']) {
    const response = await sent(key, event, { 'Idempotency-Key': idempotency_key })
    expect(await response.json()).toMatchObject({ identifier: idempotency_key })
  }
  expect(await listed(key, '/v1/events')).toHaveLength(2)
})

it.each<[string, Record<string, string>]>([
  ['no_mapping', { event_name: 'unheard_of' }],
  ['wrong_data', { 'payload[value]': 'many' }],
  ['timestamp', { timestamp: 'yesterday' }],
  ['event_name', { event_name: '' }],
])('an error is reported in the shape of Stripe: %s', async (part, fields) => {
  const key = await customerWithMapping()
  const response = await sent(key, { ...EVENT, ...fields })
  expect(response.status).toBe(400)
  expect((await jsonOf(response)).error).toMatchObject({
    ...{ type: 'invalid_request_error', code: 'invalid_request', message: expect.stringContaining(part) },
  })
  expect(await listed(key, '/v1/events')).toEqual([])
})
