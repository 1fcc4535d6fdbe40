import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'
import type { AppEnv } from '../../src/http/env.ts'
import { refusalResponse } from '../../src/http/output/problem.ts'
import type { Refusal } from '../../src/ledger/model/refusal.ts'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { probe, probeJson } from '../support/probe.ts'

describe('a problem document', () => {
  it('has the members of RFC 9457, a stable code, a docs link and the id of the request', async () => {
    const { api_key } = await createCustomer()
    const response = await api('/v1/no-such-route', { key: api_key })
    expect(response.status).toBe(404)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    expect(await jsonOf(response)).toEqual({
      type: expect.stringMatching(/^https?:\/\/[^/]+\/docs\/errors#not_found$/),
      title: 'Not found',
      status: 404,
      detail: 'Route GET /v1/no-such-route not found.',
      code: 'not_found',
      request_id: response.headers.get('X-Request-Id'),
    })
  })

  it('names every wrong field by JSON Pointer, and each unknown field by itself', async () => {
    const response = await probeJson({
      'a/b~c': 1,
      items: [{ count: 1 }, { count: 1.5, size: 2 }],
      colour: 'red',
      size: 1,
      amount: [],
    })
    expect(response.status).toBe(400)
    const body = await jsonOf(response)
    expect(body).toMatchObject({ code: 'invalid_request', detail: expect.stringContaining('(and 5 more)') })
    expect(body.errors).toEqual([
      { path: '/amount', message: 'must be a number, or a string with a plain decimal' },
      { path: '/a~1b~0c', message: expect.stringContaining('string') },
      { path: '/items/1/count', message: 'must be a whole number' },
      { path: '/items/1/size', message: 'unknown field' },
      { path: '/colour', message: 'unknown field' },
      { path: '/size', message: 'unknown field' },
    ])
  })

  it('states that a missing field is required', async () => {
    const body = await jsonOf(await probeJson({}, '/needs-body'))
    expect(body.errors).toEqual([{ path: '/feature_id', message: 'required' }])
  })

  it('lists at most 50 fields', async () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`field_${i}`, i]))
    const body = await jsonOf(await probeJson(many))
    expect(body.errors).toHaveLength(50)
    expect(body.detail).toContain('(and 4999 more)')
  })

  it('states that a body is not an object', async () => {
    for (const text of ['null', '[]', '1', '"text"']) {
      const response = await probeJson(text)
      expect(response.status).toBe(400)
      expect(await jsonOf(response)).toMatchObject({ code: 'invalid_request', errors: [{ path: '' }] })
    }
  })

  it('reveals nothing about an internal error; the log has it, with the same request id', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const response = await probe('/throws', {
      headers: { Authorization: 'Bearer hush', 'X-Request-Id': 'abc' },
    })
    expect(response.status).toBe(500)
    const text = await response.text()
    expect(JSON.parse(text)).toMatchObject({ code: 'internal_error', status: 500, request_id: 'abc' })
    expect(text).not.toMatch(/SELECT|secret|stack|\.ts/)
    const line = String(log.mock.lastCall?.[0])
    expect(JSON.parse(line)).toMatchObject({
      level: 'error',
      event: 'unexpected_error',
      request_id: 'abc',
      route: '/throws',
    })
    expect(line).not.toContain('hush')
    log.mockRestore()
  })
})

describe('a refusal by the ledger', () => {
  const cases: readonly (readonly [Refusal, number, Readonly<Record<string, unknown>>])[] = [
    [
      { code: 'invalid_request', detail: 'No.', errors: [{ path: '/a', message: 'b' }] },
      400,
      { errors: [{ path: '/a', message: 'b' }] },
    ],
    [{ code: 'revoked_api_key' }, 401, {}],
    [{ code: 'customer_mismatch' }, 403, {}],
    [{ code: 'not_found', detail: 'No such wallet.' }, 404, { detail: 'No such wallet.' }],
    [{ code: 'conflict', detail: 'Taken.' }, 409, { detail: 'Taken.' }],
    [{ code: 'too_many_open', what: 'lots', limit: 1000 }, 409, {}],
    [{ code: 'idempotency_mismatch' }, 422, {}],
    [{ code: 'unknown_provider', provider: 'X', nearest: ['XAI'] }, 422, { nearest: ['XAI'] }],
    [{ code: 'unpriced_model', provider: 'X', model: 'y', nearest: [] }, 422, { nearest: [] }],
    [{ code: 'overloaded' }, 503, {}],
    [{ code: 'unavailable' }, 503, {}],
  ]

  const answer = async (refusal: Refusal) => {
    const app = new Hono<AppEnv>().get('/', (c) => {
      c.set('request_id', 'req')
      return refusalResponse(c, refusal)
    })
    return app.request('/')
  }

  it.each(cases)('$code', async (refusal, status, members) => {
    const response = await answer(refusal)
    expect(response.status).toBe(status)
    expect(response.headers.has('Retry-After')).toBe(status === 503)
    expect(await jsonOf(response)).toMatchObject({ code: refusal.code, status, ...members })
  })

  it('insufficient_credits, with amounts that no double holds', async () => {
    const response = await answer({
      code: 'insufficient_credits',
      wallet_id: 'wal_1',
      balance: '7999999999.999999',
      available_balance: '0.000001',
      required: '123456789012345678901234567890.5',
    })
    expect(response.status).toBe(402)
    const text = await response.text()
    expect(text).toContain(
      '"balance":7999999999.999999,"available_balance":0.000001,"required":123456789012345678901234567890.5,',
    )
    expect(JSON.parse(text)).toMatchObject({ code: 'insufficient_credits', wallet_id: 'wal_1' })
  })
})
