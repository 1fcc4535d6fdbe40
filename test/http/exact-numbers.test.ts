import { describe, expect, it } from 'vitest'
import { isInexact, parseJson } from '../../src/http/input/exact-json.ts'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

/** Tests that numbers in JSON are read exactly or refused, and never rounded. */

it.each([
  '0.1',
  '1.10',
  '0.30000000000000004',
  '1e21',
  '1.5e-7',
  '9007199254740992',
  '-0',
  '123456789012345680000',
])('%s is a number that a double holds', (source) => expect(isInexact(parseJson(`[${source}]`))).toBe(false))

it.each([
  '9007199254740993',
  '1.00000000000000000009',
  '1e400',
  '-1E+999',
  '0.1000000000000000055',
  '123456789012345678901',
])('%s is a number that no double holds', (source) => {
  expect(isInexact(parseJson(`{"a":[{"b":${source}}]}`))).toBe(true)
  expect(isInexact(parseJson(`{"a": ${source}}`))).toBe(true)
})

it('rounds the floats of a provider response, which are no amounts', () => {
  expect(parseJson('{"provider_response":{"logprobs":[-0.000012345678901234567]}}')).toEqual({
    provider_response: { logprobs: [Number('-0.000012345678901234567')] },
  })
})

describe('an amount', () => {
  it('with too many decimals is refused as a number and as a string', async () => {
    const { api_key } = await createCustomer()
    for (const amount of ['1.00000000000000000009', '"1.00000000000000000009"', '1.0000001']) {
      const response = await api('/v1/credits/grant', { key: api_key, body: `{"amount":${amount}}` })
      const { errors } = await expectProblem(response, 400, 'invalid_request')
      expect(errors).toEqual([{ path: '/amount', message: 'must have at most 6 decimals' }])
    }
  })

  it('with more digits than a double holds is kept exactly', async () => {
    const { api_key } = await createCustomer()
    const body = '{"user_id":"w","amount":10,"price_usd":1234567.123456789012}'
    expect((await api('/v1/credits/purchase', { key: api_key, body })).status).toBe(201)
    const list = await api('/v1/credits/transactions?user_id=w', { key: api_key })
    expect(await list.text()).toContain('"price_usd":1234567.123456789012')
  })
})

describe('metadata', () => {
  it.each(['9007199254740993', '1e400', '1.0'])('with the number %s is kept unchanged', async (source) => {
    const { api_key } = await createCustomer()
    const body = `{"user_id":"w","amount":1,"metadata":{"id":${source}}}`
    expect((await api('/v1/credits/grant', { key: api_key, body })).status).toBe(201)
    const list = await api('/v1/credits/transactions?user_id=w', { key: api_key })
    expect(await list.text()).toContain(`"metadata":{"id":${source}}`)
  })

  it('with another number of more digits is a different payload', async () => {
    const { api_key: key } = await createCustomer()
    const send = (id: string) =>
      api('/v1/credits/grant', {
        key,
        body: `{"amount":1,"metadata":{"id":${id}}}`,
        headers: { 'Idempotency-Key': 'big' },
      })
    expect((await send('9007199254740992')).status).toBe(201)
    await expectProblem(await send('9007199254740993'), 422, 'idempotency_mismatch')
    expect((await send('9007199254740992')).status).toBe(201)
  })

  it('keeps a key __proto__', async () => {
    const { api_key } = await createCustomer()
    const body = '{"user_id":"w","amount":1,"metadata":{"__proto__":"a","b":2}}'
    expect((await api('/v1/credits/grant', { key: api_key, body })).status).toBe(201)
    const list = await api('/v1/credits/transactions?user_id=w', { key: api_key })
    expect(await list.text()).toContain('"__proto__":"a"')
  })
})

describe('an id', () => {
  it.each(['.', '..'])('%s is refused, because no path can contain it', async (id) => {
    const { api_key } = await createCustomer()
    const event = { event_type: 'CUSTOM', feature_id: id, unit: 'c', quantity: 1 }
    for (const [path, body] of [
      ['/v1/credits/grant', { user_id: id, amount: 1 }],
      ['/v1/users', { user_id: id }],
      ['/v1/teams', { team_id: id }],
      ['/v1/events/ingest', event],
    ] as const) {
      const { errors } = await expectProblem(await api(path, { key: api_key, body }), 400, 'invalid_request')
      expect(errors).toMatchObject([{ message: 'must not be . or ..' }])
    }
  })
})

it('one fault causes one error', async () => {
  const { api_key } = await createCustomer()
  const body = { event_type: 'CUSTOM', feature_id: 'f', unit: 'c', quantity: -1 }
  const response = await api('/v1/events/ingest', { key: api_key, body })
  const { errors } = await expectProblem(response, 400, 'invalid_request')
  expect(errors).toEqual([{ path: '/quantity', message: 'must not be negative' }])
})

it('a + in a query time may be sent unescaped', async () => {
  const { api_key } = await createCustomer()
  const time = '2026-11-28T10:00:00+05:30'
  for (const from of [time, encodeURIComponent(time)]) {
    for (const path of ['/v1/events', '/v1/credits/transactions', '/v1/analytics/usage']) {
      expect((await api(`${path}?from=${from}`, { key: api_key })).status, `${path} ${from}`).toBe(200)
    }
  }
})

it('a calculation is for a past time', async () => {
  const { api_key } = await createCustomer()
  const body = { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1, at: '9999-01-01T00:00:00Z' }
  const response = await api('/v1/rating/calculate', { key: api_key, body })
  const { errors } = await expectProblem(response, 400, 'invalid_request')
  expect(errors).toEqual([{ path: '/at', message: 'must be at most 5 minutes in the future' }])
  const bulk = await api('/v1/rating/calculate/bulk', { key: api_key, body: { calculations: [body] } })
  expect(await jsonOf(bulk)).toMatchObject({ results: [{ error: { code: 'invalid_request' } }] })
})
