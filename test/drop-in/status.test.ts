import { describe, expect, it } from 'vitest'
import { writeCounts } from '../../src/drop-in/counts.ts'
import { api, jsonOf } from '../support/api.ts'
import { apiWith } from '../support/app.ts'
import { answered, listed, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { brokenD1, countingD1 } from '../support/d1.ts'
import { CHAT, exportOf, span } from './spans.ts'

const ENDPOINTS = ['otlp', 'openmeter', 'litellm', 'openmonetize', 'stripe']

describe('GET /v1/drop-in', () => {
  it('lists every endpoint before it has received a request', async () => {
    const { api_key } = await createCustomer()
    const none = { accepted: 0, duplicates: 0, rejected: {}, ignored: {} }
    expect(await read(api_key, '/v1/drop-in')).toEqual(
      Object.fromEntries(ENDPOINTS.map((name) => [name, { enabled: true, last_received_at: null, ...none }])),
    )
  })

  it('shows the time of the last request, separately for each customer and mode', async () => {
    const { api_key } = await createCustomer()
    const test = await answered(api_key, '/v1/api-keys', { name: 'CI', mode: 'test' }, 201)
    const before_ms = Date.now()
    await api('/otlp/v1/traces', { key: api_key, body: exportOf([span(CHAT)]) })
    const { otlp } = await read(api_key, '/v1/drop-in')
    const { last_received_at } = await jsonOf(Response.json(otlp))
    expect(Date.parse(String(last_received_at))).toBeGreaterThanOrEqual(before_ms)
    const stranger = await createCustomer()
    for (const key of [String(test.api_key), stranger.api_key]) {
      expect((await read(key, '/v1/drop-in')).otlp).toMatchObject({ last_received_at: null, accepted: 0 })
    }
  })
})

it('counts cost no row for each request, but one for each outcome when they are written', async () => {
  const { api_key } = await createCustomer()
  const { db, counts } = countingD1()
  // An isolate writes the first count of a ledger immediately, so the test sends one request before it measures.
  await api('/otlp/v1/traces', { key: api_key, body: exportOf([span(CHAT)]) })
  await writeCounts({ DB: db })
  const before = counts.rows_written
  for (let i = 0; i < 5; i++) {
    await api('/otlp/v1/traces', { key: api_key, body: exportOf([span(CHAT), span({})]) })
  }
  expect(counts.rows_written).toBe(before)
  await writeCounts({ DB: db })
  // Writes one row each for received requests, accepted events and ignored spans.
  expect(counts.rows_written - before).toBeLessThanOrEqual(3)
  expect((await read(api_key, '/v1/drop-in')).otlp).toMatchObject({
    accepted: 6,
    ignored: { not_a_model_call: 5 },
  })
})

it('counts that D1 refuses are kept and written later', async () => {
  const { api_key } = await createCustomer()
  await api('/otlp/v1/traces', { key: api_key, body: exportOf([span(CHAT)]) })
  await api('/otlp/v1/traces', { key: api_key, body: exportOf([span(CHAT)]) })
  await writeCounts({ DB: brokenD1() })
  expect((await read(api_key, '/v1/drop-in')).otlp).toMatchObject({ accepted: 2 })
})

describe('an endpoint that the deployment has switched off', () => {
  const PATHS = [
    '/otlp/v1/traces',
    '/otlp/v1/metrics',
    '/openmeter/api/v1/events',
    '/litellm/events',
    '/openmonetize/v1/events/ingest',
  ]

  it.each(PATHS)('returns 404: %s', async (path) => {
    const { api_key } = await createCustomer()
    const response = await apiWith({ DROP_IN: 'stripe' }, path, { key: api_key, body: {} })
    expect(response.status).toBe(404)
    const status = await apiWith({ DROP_IN: 'stripe' }, '/v1/drop-in', { key: api_key })
    expect(await status.json()).toMatchObject({ otlp: { enabled: false }, stripe: { enabled: true } })
  })
})

it('OpenTelemetry is billed while D1 is down, and events that need a mapping get a 503', async () => {
  const { api_key } = await createCustomer()
  // Makes the isolate cache the API key, because D1 is down afterwards.
  await read(api_key, '/v1/drop-in')
  const bindings = { DB: brokenD1() }
  const traces = { key: api_key, body: exportOf([span(CHAT)]) }
  expect((await apiWith(bindings, '/otlp/v1/traces', traces)).status).toBe(200)
  const event = { id: '1', source: 's', type: 't', data: {} }
  const events = await apiWith(bindings, '/openmeter/api/v1/events', { key: api_key, body: event })
  expect(events.status).toBe(503)
  expect((await apiWith(bindings, '/v1/drop-in', { key: api_key })).status).toBe(503)
  expect(await listed(api_key, '/v1/events')).toHaveLength(1)
})
