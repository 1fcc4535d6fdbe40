import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { hashApiKey } from '../../src/api-keys/authentication/format.ts'
import { type ApiOptions, api, jsonOf, textField } from '../support/api.ts'
import { apiWith } from '../support/app.ts'
import { type Json, objects } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique, uniqueEmail } from '../support/customers.ts'
import { d1FailingAt } from '../support/d1.ts'

/**
 * Tests the audit records of changes in D1. A change and its record are written in one batch. Work that the operator
 * starts writes its record before it starts.
 */

vi.spyOn(console, 'error').mockImplementation(() => undefined)

const FROM = { 'CF-Connecting-IP': '192.0.2.7', 'X-Request-Id': 'req-of-the-test' }

async function records(query: string): Promise<Json[]> {
  const response = await api(`/v1/admin/audit?limit=100&${query}`, { key: OPERATOR_TOKEN })
  return objects((await jsonOf(response)).data)
}

function priceOf(model: string): Json {
  return {
    provider: 'OPENAI',
    model,
    prices: { input_tokens: { amount: 1, per: 1_000_000 }, output_tokens: { amount: 2, per: 1_000_000 } },
  }
}

describe("a customer's price", () => {
  it('leaves one record with the price that it replaces, and none for a replay or a refusal', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    const headers = { ...FROM, 'Idempotency-Key': unique('once') }
    const path = '/v1/rating/price-overrides'
    const first = await jsonOf(await api(path, { key, body: priceOf(model), headers }))
    expect(
      (await api(path, { key, body: priceOf(model), headers })).headers.get('Idempotency-Replayed'),
    ).toBe('true')
    expect((await api(path, { key, body: { ...priceOf(model), provider: 'NOBODY' } })).status).toBe(422)
    const second = await jsonOf(await api(path, { key, body: priceOf(model) }))
    const found = await records(`customer_id=${customer_id}&action=price_overrides.create`)
    expect(found).toMatchObject([
      { target: second.id, before: { id: first.id, model }, after: { id: second.id, model } },
      {
        customer_id,
        mode: null,
        actor: expect.stringMatching(/^key_/),
        ip: '192.0.2.7',
        request_id: 'req-of-the-test',
        target: first.id,
        before: null,
        after: { id: first.id, provider: expect.any(String), model, service_tier: null, effective_to: null },
      },
    ])
    expect(found).toHaveLength(2)
  })

  it('leaves one record for each price when many are written at once', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        api('/v1/rating/price-overrides', { key, body: priceOf(unique('model')) }),
      ),
    )
    const ids = await Promise.all(
      answers
        .filter(({ status }) => status === 201)
        .map(async (answer) => textField(await jsonOf(answer), 'id')),
    )
    const found = await records(`customer_id=${customer_id}&action=price_overrides.create`)
    expect(found.map(({ target }) => target).sort()).toEqual(ids.sort())
  })
})

describe('actions of the operator', () => {
  it('a price for every customer belongs to no single customer', async () => {
    const body = priceOf(unique('model'))
    const { id } = await jsonOf(
      await api('/v1/admin/provider-costs', { key: OPERATOR_TOKEN, body, headers: FROM }),
    )
    expect(await records(`customer_id=operator&target=${id}`)).toMatchObject([
      {
        action: 'provider_costs.create',
        actor: 'operator',
        customer_id: null,
        ip: '192.0.2.7',
        before: null,
      },
    ])
  })

  it('a run of late rating is recorded with its customer', async () => {
    const { customer_id } = await createCustomer()
    const rerate = (body: unknown) => api('/v1/admin/rerate', { key: OPERATOR_TOKEN, body, headers: FROM })
    expect((await rerate({ customer_id })).status).toBe(200)
    expect((await rerate({ customer: 'x' })).status).toBe(400)
    expect(await records(`customer_id=${customer_id}&action=admin.rerate`)).toMatchObject([
      { actor: 'operator', target: customer_id, ip: '192.0.2.7', before: null, after: null },
    ])
  })
})

describe('API keys and accounts', () => {
  it('each change leaves one record, a request without a change leaves none, and no record has a secret', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const send = (path: string, method: string, body?: unknown, by = key) =>
      api(path, { key: by, method, headers: FROM, ...(body !== undefined && { body }) })
    const created = await jsonOf(
      await send('/v1/api-keys', 'POST', { name: 'Ingest', scopes: ['events:write'] }),
    )
    const rotated = await jsonOf(
      await send(`/v1/api-keys/${created.key_id}/rotate`, 'POST', { overlap_seconds: 60 }),
    )
    expect((await send(`/v1/api-keys/${rotated.key_id}`, 'DELETE')).status).toBe(200)
    expect((await send(`/v1/api-keys/${rotated.key_id}`, 'DELETE')).status).toBe(200)
    const path = `/v1/admin/customers/${customer_id}`
    const issued = await jsonOf(await send(`${path}/api-keys`, 'POST', { name: 'Lost' }, OPERATOR_TOKEN))
    for (let i = 0; i < 2; i++) {
      const changed = await send(path, 'PATCH', { tier: 'GROWTH', status: 'SUSPENDED' }, OPERATOR_TOKEN)
      expect(changed.status).toBe(200)
    }
    for (const refused of [
      await send('/v1/api-keys', 'POST', { name: 'x', scopes: ['everything'] }),
      await send('/v1/api-keys', 'POST', { name: 'suspended' }),
      await send('/v1/api-keys/key_none', 'DELETE'),
      await send('/v1/admin/customers/cust_none', 'PATCH', { tier: 'GROWTH' }, OPERATOR_TOKEN),
    ]) {
      expect(refused.status).toBeGreaterThanOrEqual(400)
    }

    const found = await records(`customer_id=${customer_id}`)
    const ingestKey = { name: 'Ingest', mode: 'live', scopes: ['events:write'], expires_at: null }
    const operator = { actor: 'operator', ip: '192.0.2.7' }
    const customer = { actor: expect.stringMatching(/^key_/), ip: '192.0.2.7', request_id: 'req-of-the-test' }
    expect(found).toMatchObject([
      {
        ...operator,
        action: 'customers.change',
        target: customer_id,
        mode: null,
        before: { tier: 'ENTERPRISE', status: 'ACTIVE' },
        after: { tier: 'GROWTH', status: 'SUSPENDED' },
      },
      {
        ...operator,
        action: 'api_keys.create',
        target: issued.key_id,
        before: null,
        after: { name: 'Lost' },
      },
      { ...customer, action: 'api_keys.delete', target: rotated.key_id, before: ingestKey, after: null },
      {
        ...customer,
        action: 'api_keys.rotate',
        target: created.key_id,
        before: { ...ingestKey, key_id: created.key_id },
        after: { ...ingestKey, key_id: rotated.key_id, replaced_works_until: expect.any(String) },
      },
      {
        ...customer,
        action: 'api_keys.create',
        target: created.key_id,
        mode: 'live',
        before: null,
        after: ingestKey,
      },
      { action: 'customers.register' },
    ])
    expect(found).toHaveLength(6)

    const { results } = await env.DB.prepare('SELECT * FROM audit_log').all()
    const text = JSON.stringify(results)
    expect(text).not.toMatch(/om_live_|om_test_|dev-operator-token|@example\.com/)
    for (const { api_key } of [{ api_key: key }, created, rotated, issued]) {
      expect(text).not.toContain(hashApiKey(String(api_key)))
    }
  })
})

describe('a registration', () => {
  const register = (body: Json, key?: string) =>
    api('/v1/customers/register', { body, headers: FROM, ...(key !== undefined && { key }) })

  it.each([
    ['a stranger', 'public', undefined],
    ['the operator', 'operator', OPERATOR_TOKEN],
  ])('by %s leaves one record: the customer, its first key, its sign-up grant', async (_, actor, token) => {
    const email = uniqueEmail()
    const { customer_id, api_key } = await jsonOf(await register({ name: 'Acme', email }, token))
    expect((await register({ name: 'Acme', email }, token)).status).toBe(409)
    const found = await records(`customer_id=${customer_id}`)
    expect(found).toEqual([
      {
        id: expect.any(String),
        at: expect.any(String),
        customer_id,
        mode: 'live',
        actor,
        action: 'customers.register',
        target: customer_id,
        ip: '192.0.2.7',
        request_id: 'req-of-the-test',
        before: null,
        after: {
          tier: 'STARTER',
          status: 'ACTIVE',
          region: null,
          key_id: expect.stringMatching(/^key_/),
          signup_grant: 10_000,
        },
      },
    ])
    const text = JSON.stringify(found)
    expect(text).not.toContain(email)
    expect(text).not.toContain(String(api_key))
    expect(text).not.toContain(hashApiKey(String(api_key)))
  })

  it('that ten send at once leaves one', async () => {
    const email = uniqueEmail()
    const answers = await Promise.all(Array.from({ length: 10 }, () => register({ name: 'Acme', email })))
    const made = answers.filter(({ status }) => status === 201)
    expect(made).toHaveLength(1)
    for (const answer of made) {
      const { customer_id } = await jsonOf(answer)
      expect(await records(`customer_id=${customer_id}`)).toHaveLength(1)
    }
  })
})

describe('when D1 fails in the middle', () => {
  const effects = ['before its effect', 'after its effect'] as const

  /** Sends a request while the first batch of D1 fails, and then sends the request again with a working D1. */
  async function persist(effect: (typeof effects)[number], path: string, options: ApiOptions): Promise<Json> {
    await apiWith({ DB: d1FailingAt(1, effect) }, path, options)
    const response = await api(path, options)
    expect([200, 201, 409]).toContain(response.status)
    return jsonOf(response)
  }

  it.each(effects)('%s, a change that is repeated has one record', async (effect) => {
    const { api_key: key, customer_id } = await createCustomer()
    const once = () => ({ key, headers: { 'Idempotency-Key': unique('once') } })
    await persist(effect, '/v1/rating/price-overrides', { ...once(), body: priceOf(unique('model')) })
    const made = await persist(effect, '/v1/api-keys', { ...once(), body: { name: 'x' } })
    await persist(effect, `/v1/api-keys/${made.key_id}`, { key, method: 'DELETE' })
    const path = `/v1/admin/customers/${customer_id}`
    await persist(effect, path, { key: OPERATOR_TOKEN, method: 'PATCH', body: { tier: 'GROWTH' } })
    const actions = (await records(`customer_id=${customer_id}`)).map(({ action }) => action)
    expect(actions).toEqual([
      'customers.change',
      'api_keys.delete',
      'api_keys.create',
      'price_overrides.create',
      'customers.register',
    ])
  })

  it.each(effects)('%s, a registration that is repeated has one record', async (effect) => {
    const email = uniqueEmail()
    const body = { name: 'Acme', email }
    await persist(effect, '/v1/customers/register', { body })
    const row = await env.DB.prepare('SELECT customer_id FROM customers WHERE email = ?').bind(email).first()
    expect(await records(`customer_id=${row?.customer_id}`)).toMatchObject([{ action: 'customers.register' }])
  })
})
