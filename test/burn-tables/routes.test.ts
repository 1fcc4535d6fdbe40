import { describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import { expectRefused, listed, objects, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { deleted, edited, flat, fromNow, HOUR_MS, postTable, saved } from './support.ts'

const EVERY_METHOD = {
  name: 'Everything',
  credits_per_usd: '250.5',
  rounding: { mode: 'ceil', step: 0.01 },
  min_charge: 0.05,
  on_unpriced: 'ceiling',
  rules: [
    { match: { feature: 'a' }, method: 'cost_plus', markup_percent: 33.3, fixed: '0.000000000001' },
    {
      match: { feature: 'b' },
      method: 'per_unit',
      rates: { input_tokens: { amount: 0.00000415, per: 1 }, seats: { amount: 2, per: 10 } },
    },
    { match: { feature: 'c' }, method: 'flat', amount: 1, unit: 'output_images' },
    {
      match: { feature: 'd', provider: 'OpenAI', model: 'gpt-*' },
      method: 'tiered',
      mode: 'volume',
      unit: 'api_calls',
      free: 100,
      period: 'WEEKLY',
      tiers: [
        { up_to: 1000, unit_amount: 0.5, flat_amount: 3 },
        { up_to: null, unit_amount: '0.25' },
      ],
    },
    { match: { feature: 'e' }, method: 'package', unit: 'video_seconds', size: 0.5, amount: 7 },
  ],
  effective_to: '2099-01-01T00:00:00+01:00',
}

describe('POST /v1/burn-tables', () => {
  it('keeps a table with every method and returns it exactly', async () => {
    const { api_key } = await createCustomer()
    const response = await postTable(api_key, EVERY_METHOD)
    expect(response.status).toBe(201)
    const text = await response.text()
    expect(text).toContain('"fixed":0.000000000001}')
    expect(text).toContain(
      '"rates":{"input_tokens":{"amount":0.00000415,"per":1},"seats":{"amount":2,"per":10}}',
    )
    const table = JSON.parse(text)
    expect(table).toEqual({
      id: expect.stringMatching(/^bt_[0-9a-z]{26}$/),
      version: 2,
      ...EVERY_METHOD,
      credits_per_usd: 250.5,
      rules: [
        { match: { feature: 'a' }, method: 'cost_plus', markup_percent: 33.3, fixed: 1e-12 },
        EVERY_METHOD.rules[1],
        EVERY_METHOD.rules[2],
        {
          ...EVERY_METHOD.rules[3],
          tiers: [
            { up_to: 1000, unit_amount: 0.5, flat_amount: 3 },
            { up_to: null, unit_amount: 0.25 },
          ],
        },
        EVERY_METHOD.rules[4],
      ],
      effective_from: table.created_at,
      effective_to: '2098-12-31T23:00:00.000Z',
      active: true,
      created_at: expect.stringMatching(/^20\d\d-.*Z$/),
      updated_at: table.created_at,
      deactivated_at: null,
    })
    expect(await (await api(`/v1/burn-tables/${table.id}`, { key: api_key })).text()).toBe(text)
  })

  it('fills in missing fields', async () => {
    const { api_key } = await createCustomer()
    const { table } = await saved(api_key, {
      rules: [{ method: 'per_unit', rates: { seats: { amount: 1, per: 1 } } }],
    })
    expect(table).toMatchObject({
      credits_per_usd: 1000,
      rounding: { mode: 'half_even', step: 0.000001 },
      min_charge: 0,
      on_unpriced: 'flag',
      rules: [{ match: {}, method: 'per_unit' }],
      effective_to: null,
    })
  })

  it('returns the same bytes for a repeat, regardless of later changes of the table', async () => {
    const { api_key } = await createCustomer()
    const key = { 'Idempotency-Key': 'table-1' }
    const first = await postTable(api_key, EVERY_METHOD, key)
    const text = await first.text()
    expect(first.headers.get('Idempotency-Replayed')).toBeNull()
    const { id } = JSON.parse(text)
    await edited(api_key, id, { name: 'Changed' })
    await deleted(api_key, id)

    const again = await postTable(api_key, EVERY_METHOD, key)
    expect({ status: again.status, replayed: again.headers.get('Idempotency-Replayed') }).toEqual({
      status: 201,
      replayed: 'true',
    })
    expect(await again.text()).toBe(text)
    await expectRefused(
      await postTable(api_key, { ...EVERY_METHOD, name: 'Other' }, key),
      422,
      'idempotency_mismatch',
    )
    await expectRefused(
      await api('/v1/credits/grant', { key: api_key, body: { amount: 1 }, headers: key }),
      422,
      'idempotency_mismatch',
    )
    expect(await listed(api_key, '/v1/burn-tables')).toHaveLength(1)
  })

  it('leaves the key of a refused table unused', async () => {
    const { api_key } = await createCustomer()
    const key = { 'Idempotency-Key': 'table-1' }
    const rules = [flat(1), flat(2)]
    await expectRefused(await postTable(api_key, { name: 'x', rules }, key), 409, 'conflict')
    expect((await postTable(api_key, { name: 'x' }, key)).status).toBe(201)
  })

  it('names both of two rules that are ambiguous', async () => {
    const { api_key } = await createCustomer()
    const rules = [flat(1, { feature: 'x' }), flat(2, { model: 'gpt-4o' }), flat(3, { model: 'GPT-4o' })]
    const { detail } = await expectRefused(await postTable(api_key, { name: 'x', rules }), 409, 'conflict')
    expect(detail).toContain('rules[1] {"model":"gpt-4o"} and rules[2] {"model":"GPT-4o"}')
  })

  it('accepts 50 tables, and a further one after a deletion', async () => {
    const { api_key } = await createCustomer()
    const made = []
    for (let i = 0; i < 50; i++) made.push(await saved(api_key, { name: `Table ${i}` }))
    await expectRefused(await postTable(api_key, { name: 'x' }), 409, 'conflict')
    await deleted(api_key, made[7]?.id ?? '')
    await saved(api_key)
    expect(await listed(api_key, '/v1/burn-tables', '?limit=20')).toHaveLength(51)
  })
})

describe('PATCH /v1/burn-tables/:id', () => {
  it('saves a version in which the fields that are given replace the old ones', async () => {
    const { api_key } = await createCustomer()
    const { id, table } = await saved(api_key, EVERY_METHOD)
    const { table: next, version } = await edited(api_key, id, { min_charge: 1, rules: [flat(9)] })
    expect(version).toBe(3)
    expect(next).toEqual({
      ...table,
      version: 3,
      min_charge: 1,
      rules: [{ match: {}, method: 'flat', amount: 9 }],
      effective_from: next.updated_at,
      updated_at: expect.any(String),
    })
    expect(await read(api_key, `/v1/burn-tables/${id}?version=2`)).toEqual(table)
    expect(await read(api_key, `/v1/burn-tables/${id}`)).toEqual(next)
  })

  it('numbers versions over all tables, so that a number names one table', async () => {
    const { api_key } = await createCustomer()
    const a = await saved(api_key)
    const b = await saved(api_key)
    const a2 = await edited(api_key, a.id, { name: 'A2' })
    expect([a.version, b.version, a2.version]).toEqual([2, 3, 4])
    await expectRefused(await api(`/v1/burn-tables/${a.id}?version=3`, { key: api_key }), 404, 'not_found')
  })

  it('keeps the end that the table had, until the edit sets another, and never starts before now', async () => {
    const { api_key } = await createCustomer()
    const { id } = await saved(api_key, { effective_from: fromNow(-HOUR_MS), effective_to: fromNow(HOUR_MS) })
    const { table } = await edited(api_key, id, { effective_from: fromNow(-2 * HOUR_MS) })
    expect(table.effective_from).toBe(table.updated_at)
    expect(table.effective_to).toMatch(/Z$/)
    expect((await edited(api_key, id, { effective_to: null })).table.effective_to).toBeNull()
  })

  it('is refused if the merged table is invalid', async () => {
    const { api_key } = await createCustomer()
    const { id } = await saved(api_key, { effective_to: fromNow(HOUR_MS) })
    const patch = (body: object) => api(`/v1/burn-tables/${id}`, { key: api_key, method: 'PATCH', body })
    const late = await expectRefused(
      await patch({ effective_from: fromNow(2 * HOUR_MS) }),
      400,
      'invalid_request',
    )
    expect(late.errors).toEqual([{ path: '/effective_to', message: 'must be after effective_from' }])
    await expectRefused(await patch({}), 400, 'invalid_request')
    await expectRefused(await patch({ rules: [flat(1), flat(1)] }), 409, 'conflict')
    expect((await read(api_key, `/v1/burn-tables/${id}`)).version).toBe(2)
  })
})

describe('DELETE /v1/burn-tables/:id', () => {
  it('deactivates the table permanently, and a repeat returns the same', async () => {
    const { api_key } = await createCustomer()
    const { id } = await saved(api_key)
    const { table } = await deleted(api_key, id)
    expect(table).toMatchObject({ id, active: false, deactivated_at: expect.any(String) })
    expect((await deleted(api_key, id)).table).toEqual(table)
    expect(await read(api_key, `/v1/burn-tables/${id}`)).toEqual(table)
    const patch = { key: api_key, method: 'PATCH', body: { name: 'x' } }
    await expectRefused(await api(`/v1/burn-tables/${id}`, patch), 409, 'conflict')
  })

  it('deactivates every version of the table, and no other table', async () => {
    const { api_key } = await createCustomer()
    const { id } = await saved(api_key)
    const other = await saved(api_key)
    await edited(api_key, id, { name: 'edited' })
    const first = () => read(api_key, `/v1/burn-tables/${id}?version=2`)
    expect(await first()).toMatchObject({ active: true, deactivated_at: null })
    const { table } = await deleted(api_key, id)
    const { deactivated_at } = table
    expect(await first()).toMatchObject({ version: 2, active: false, deactivated_at })
    expect(await read(api_key, `/v1/burn-tables/${other.id}`)).toMatchObject({ active: true })
  })
})

describe('GET /v1/burn-tables', () => {
  it('lists tables in their last versions, newest first, page by page', async () => {
    const { api_key } = await createCustomer()
    const a = await saved(api_key, { name: 'a' })
    await saved(api_key, { name: 'b' })
    await saved(api_key, { name: 'c' })
    await edited(api_key, a.id, { name: 'a2' })
    const tables = await listed(api_key, '/v1/burn-tables', '?limit=2')
    expect(tables.map(({ name }) => name)).toEqual(['c', 'b', 'a2'])
    const page = await read(api_key, '/v1/burn-tables?limit=3')
    expect([objects(page.data).length, page.next_cursor]).toEqual([3, null])
  })

  it('the active table is the default until the first one begins, then the table that began last', async () => {
    const { api_key } = await createCustomer()
    expect(await read(api_key, '/v1/burn-tables/active')).toMatchObject({
      id: null,
      version: 1,
      credits_per_usd: 1000,
      rules: [],
      active: true,
      created_at: null,
    })
    const a = await saved(api_key, { name: 'a' })
    const b = await saved(api_key, { name: 'b' })
    await saved(api_key, { name: 'later', effective_from: fromNow(HOUR_MS) })
    await edited(api_key, a.id, { name: 'a, edited' })
    const active = async () => (await read(api_key, '/v1/burn-tables/active')).name
    expect(await active()).toBe('b')
    await deleted(api_key, b.id)
    expect(await active()).toBe('a, edited')
    await deleted(api_key, a.id)
    expect(await active()).toBe('Default')
  })
})

describe('who may', () => {
  it('needs pricing:read to read and pricing:write to change', async () => {
    const { api_key, customer_id } = await createCustomer()
    const { id } = await saved(api_key)
    const reader = (await createKey(customer_id, { scopes: ['pricing:read'] })).api_key
    const writer = (await createKey(customer_id, { scopes: ['pricing:write'] })).api_key
    for (const path of ['', '/active', `/${id}`]) {
      expect((await api(`/v1/burn-tables${path}`, { key: reader })).status).toBe(200)
      await expectRefused(await api(`/v1/burn-tables${path}`, { key: writer }), 403, 'insufficient_scope')
    }
    await expectRefused(await postTable(reader, { name: 'x' }), 403, 'insufficient_scope')
    for (const method of ['PATCH', 'DELETE']) {
      const body = method === 'PATCH' ? { name: 'y' } : undefined
      await expectRefused(
        await api(`/v1/burn-tables/${id}`, { key: reader, method, body }),
        403,
        'insufficient_scope',
      )
      expect((await api(`/v1/burn-tables/${id}`, { key: writer, method, body })).status).toBe(200)
    }
  })

  it('sees nothing of another customer', async () => {
    const owner = await createCustomer()
    const other = await createCustomer()
    const { id } = await saved(owner.api_key, { rules: [flat(1)] })
    await saved(other.api_key)
    for (const [method, body] of [['GET'], ['PATCH', { name: 'mine' }], ['DELETE']] as const) {
      await expectRefused(
        await api(`/v1/burn-tables/${id}`, { key: other.api_key, method, body }),
        404,
        'not_found',
      )
    }
    expect(await listed(other.api_key, '/v1/burn-tables')).toHaveLength(1)
    expect(await read(owner.api_key, `/v1/burn-tables/${id}`)).toMatchObject({ name: 'Test', active: true })
  })
})
