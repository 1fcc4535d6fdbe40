import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { mintApiKey } from '../../src/api-keys/authentication/lookup.ts'
import { revokeApiKey } from '../../src/api-keys/revocation.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { brokenD1 } from '../support/d1.ts'
import { createKey } from '../support/keys.ts'
import {
  apiWith,
  costOf,
  OVERRIDES,
  PROVIDER_COSTS,
  perThousand,
  setPrice,
  versionOf,
} from '../support/prices.ts'
import { expectProblem } from '../support/problems.ts'

const price = (model: string, amount = 1) => ({ provider: 'OPENAI', model, prices: perThousand(amount) })

describe('the operator', () => {
  it('adds a model for every customer, in ingest and in calculate', async () => {
    const model = unique('new-model')
    const { api_key: key } = await createCustomer()
    expect(await costOf(key, model)).toBe('unpriced_model')
    const overlay = await setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, price(model, 3))
    expect(overlay).toMatchObject({ provider: 'OPENAI', model, created_by: 'operator', effective_to: null })
    expect(await costOf(key, model.toUpperCase())).toBe(3)
    const event = { event_type: 'TOKEN_USAGE', feature_id: 'f', provider: 'openai', model, input_tokens: 1 }
    expect(await jsonOf(await api('/v1/events/ingest', { key, body: event }))).toMatchObject({
      provider_cost_usd: 0.003,
      price_version: overlay.id,
    })
  })

  it("applies below a customer's own price and multiplier", async () => {
    const model = unique('new-model')
    const { api_key: key } = await createCustomer()
    const operator = await setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, price(model, 3))
    const own = await setPrice(OVERRIDES, key, { provider: 'OPENAI', model, prices: { multiplier: '0.5' } })
    expect(await costOf(key, model)).toBe(1.5)
    expect(await versionOf(key, model)).toBe(`${textField(own, 'id')}*${textField(operator, 'id')}`)
    await setPrice(OVERRIDES, key, price(model, 7))
    expect(await costOf(key, model)).toBe(7)
    const { api_key: other } = await createCustomer()
    expect(await costOf(other, model)).toBe(3)
  })

  it('prices an unpriced event at its own time, but never changes a priced event', async () => {
    const model = unique('new-model')
    const { api_key: key } = await createCustomer()
    const yesterday = new Date(Date.now() - 86_400_000).toISOString()
    await setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, { ...price(model), effective_from: yesterday })
    expect(await costOf(key, model, { at: yesterday })).toBe(1)
    const again = { ...price(model, 2), effective_from: yesterday }
    await expectProblem(await api(PROVIDER_COSTS, { key: OPERATOR_TOKEN, body: again }), 409, 'conflict')
    // A customer's price must not take effect at a time for which the customer's events have already been rated with
    // the operator's price.
    await expectProblem(await api(OVERRIDES, { key, body: again }), 409, 'conflict')
    expect(await costOf(key, model, { at: yesterday })).toBe(1)
  })

  it("lists its own prices and no customer's", async () => {
    const model = unique('new-model')
    const { api_key: key } = await createCustomer()
    await setPrice(OVERRIDES, key, price(model))
    const query = `${PROVIDER_COSTS}?model=${model}`
    expect(await jsonOf(await api(query, { key: OPERATOR_TOKEN }))).toEqual({ data: [], next_cursor: null })
    const overlay = await setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, price(model))
    expect(await jsonOf(await api(query, { key: OPERATOR_TOKEN }))).toMatchObject({ data: [overlay] })
  })

  it('gets the same response to a repeat of an idempotency key', async () => {
    const body = price(unique('new-model'))
    const post = () =>
      api(PROVIDER_COSTS, { key: OPERATOR_TOKEN, body, headers: { 'Idempotency-Key': body.model } })
    const [first, again] = [await post(), await post()]
    expect(await again.text()).toBe(await first.text())
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
  })
})

describe("an operator's route", () => {
  it('refuses callers without the token, before anything else of the request is checked', async () => {
    const { api_key, customer_id } = await createCustomer()
    const revoked = await createKey(customer_id)
    await revokeApiKey(env, customer_id, revoked.key_id, Date.now())
    const expired = await createKey(customer_id, { expires_at_ms: Date.now() - 1 })
    const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
    const cases: [Record<string, string>, number, string][] = [
      [{}, 401, 'missing_api_key'],
      [{ Authorization: 'Basic abc' }, 401, 'missing_api_key'],
      [bearer('dev-operator-tokem'), 401, 'invalid_api_key'],
      [bearer(`${OPERATOR_TOKEN}x`), 401, 'invalid_api_key'],
      [{ 'X-API-Key': OPERATOR_TOKEN }, 401, 'invalid_api_key'],
      [bearer(mintApiKey('live').api_key), 401, 'invalid_api_key'],
      [bearer(revoked.api_key), 401, 'revoked_api_key'],
      [bearer(expired.api_key), 401, 'expired_api_key'],
      [bearer(api_key), 403, 'insufficient_scope'],
      [{ 'X-API-Key': api_key }, 403, 'insufficient_scope'],
      [bearer((await createKey(customer_id, { mode: 'test' })).api_key), 403, 'insufficient_scope'],
    ]
    for (const [headers, status, code] of cases) {
      for (const options of [{ headers }, { headers, body: '{"broken' }]) {
        const response = await api(PROVIDER_COSTS, options)
        expect(response.headers.get('WWW-Authenticate')).toBe(status === 401 ? 'Bearer' : null)
        await expectProblem(response, status, code)
      }
    }
    const misplaced = await api(PROVIDER_COSTS, { headers: { 'X-API-Key': OPERATOR_TOKEN } })
    expect((await jsonOf(misplaced)).detail).toContain('must be sent as Authorization: Bearer TOKEN')
  })

  it('takes either of two tokens while one replaces the other, and the development token only in development', async () => {
    const get = async (token: string, bindings: object) =>
      (await apiWith(bindings, PROVIDER_COSTS, { key: token })).status
    const rotating = { OPERATOR_TOKEN: 'old', OPERATOR_TOKEN_NEXT: 'new' }
    expect([await get('old', rotating), await get('new', rotating)]).toEqual([200, 200])
    expect(await get(OPERATOR_TOKEN, rotating)).toBe(401)
    expect(await get(OPERATOR_TOKEN, { ENVIRONMENT: 'production' })).toBe(401)
    expect(await get('', { OPERATOR_TOKEN: '' })).toBe(401)
  })

  it('checks the body and the key like any other route, and is 404 for an unknown path', async () => {
    const key = OPERATOR_TOKEN
    await expectProblem(await api(PROVIDER_COSTS, { key, body: '{"broken' }), 400, 'invalid_json')
    await expectProblem(await api(PROVIDER_COSTS, { key, body: {} }), 400, 'invalid_request')
    const headers = { 'Idempotency-Key': 'x'.repeat(256) }
    await expectProblem(await api(PROVIDER_COSTS, { key, body: price('m'), headers }), 400, 'invalid_request')
    await expectProblem(await api('/v1/admin/no-such-route', { key }), 404, 'not_found')
    await expectProblem(await api('/v1/admin/no-such-route'), 401, 'missing_api_key')
  })

  it('is 503 while D1 is down, and nothing leaks', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    for (const options of [{}, { body: price('m') }]) {
      const response = await apiWith({ DB: brokenD1() }, PROVIDER_COSTS, { key: OPERATOR_TOKEN, ...options })
      expect(response.headers.get('Retry-After')).toBe('1')
      expect(JSON.stringify(await expectProblem(response, 503, 'unavailable'))).not.toContain('platform')
    }
    log.mockRestore()
  })
})
