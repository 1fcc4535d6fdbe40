import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { api, jsonOf, textField } from '../../support/api.ts'
import { createCustomer, unique } from '../../support/customers.ts'
import { createKey } from '../../support/keys.ts'
import {
  apiWith,
  costOf,
  OVERRIDES,
  perThousand,
  recordedD1,
  setPrice,
  versionOf,
} from '../../support/prices.ts'
import { expectProblem } from '../../support/problems.ts'

const HALF = { provider: 'OPENAI', model: 'gpt-4o', prices: { multiplier: '0.5' } }

async function newKey(): Promise<string> {
  return (await createCustomer()).api_key
}

async function listed(key: string, query = ''): Promise<Record<string, unknown>[]> {
  const { data } = await jsonOf(await api(`${OVERRIDES}${query}`, { key }))
  if (!Array.isArray(data)) throw new Error('not a list')
  return data
}

const soon = (ms: number) => new Date(Date.now() + ms).toISOString()
const dayIn = (days: number) => soon(days * 86_400_000).slice(0, 10)

describe('a price of a customer', () => {
  it('is returned completely and unchanged', async () => {
    const { api_key, customer_id } = await createCustomer()
    const { api_key: key, key_id } = await createKey(customer_id, { scopes: ['pricing:write'] })
    // Sends the times with the offset +01:00. 01:00 with this offset is midnight in UTC.
    const [from, to] = [dayIn(2), dayIn(32)]
    const response = await api(OVERRIDES, {
      key,
      body: {
        provider: 'x_ai',
        model: ' Grok-Own* ',
        service_tier: 'Batch',
        prices: {
          input_tokens: {
            amount: '0.000000000000000001',
            per: 1,
            tiers: [{ threshold: 200_000, amount: 2.5e-7 }],
          },
          web_searches: { amount: 10, per: 1000 },
        },
        effective_from: `${from}T01:00:00+01:00`,
        effective_to: `${to}T00:00:00Z`,
      },
    })
    expect(response.status).toBe(201)
    const text = await response.text()
    expect(JSON.parse(text)).toEqual({
      id: expect.stringMatching(/^po_[0-9a-hjkmnp-tv-z]{26}$/),
      provider: 'X_AI',
      model: 'grok-own*',
      service_tier: 'batch',
      prices: expect.anything(),
      effective_from: `${from}T00:00:00.000Z`,
      effective_to: `${to}T00:00:00.000Z`,
      created_at: expect.any(String),
      created_by: key_id,
    })
    expect(text).toContain(
      '"prices":{"input_tokens":{"amount":0.000000000000000001,"per":1,"tiers":[{"threshold":200000,"inclusive":false,' +
        '"amount":0.00000025}]},"web_searches":{"amount":10,"per":1000}}',
    )
    expect(await listed(api_key)).toEqual([JSON.parse(text)])
  })

  it('is used by ingest and calculate, to the last decimal, and both name it', async () => {
    const key = await newKey()
    const { id } = await setPrice(OVERRIDES, key, { ...HALF, prices: { multiplier: 0.85 } })
    const usage = { provider: 'OPENAI', model: 'gpt-4o-2024-11-20', input_tokens: 1001, output_tokens: 500 }
    const calculated = await jsonOf(await api('/v1/rating/calculate', { key, body: usage }))
    const event = { event_type: 'TOKEN_USAGE', feature_id: 'chat', ...usage }
    const burned = await jsonOf(await api('/v1/events/ingest', { key, body: event }))
    const { results } = await jsonOf(
      await api('/v1/events/ingest', { key, body: { events: [event, event] } }),
    )
    expect(calculated).toMatchObject({
      provider_cost_usd: 0.006377125,
      credits: 12.75425,
      price_version: expect.stringMatching(new RegExp(`^${id}\\*[0-9a-f]{10}:openai/gpt-4o$`)),
    })
    expect(burned).toMatchObject({
      provider_cost_usd: 0.006377125,
      credits_burned: 12.75425,
      price_version: calculated.price_version,
    })
    expect(results).toMatchObject([{ credits_burned: 12.75425 }, { credits_burned: 12.75425 }])
  })

  it("determines the medium of a model's seconds, where the short form does not", async () => {
    const key = await newKey()
    const model = unique('own-video')
    const body = { provider: 'OPENAI', model, prices: { video_seconds: { amount: '0.1', per: 1 } } }
    await setPrice(OVERRIDES, key, body)
    const answer = await api('/v1/rating/calculate', {
      key,
      body: { provider: 'OPENAI', model, duration_seconds: 2.5 },
    })
    expect(await jsonOf(answer)).toMatchObject({ provider_cost_usd: 0.25, usage: { video_seconds: 2.5 } })
  })

  it('applies from its first millisecond to its last', async () => {
    const key = await newKey()
    const from = Date.now() + 60_000
    const at = (ms: number) => costOf(key, 'gpt-4o', { at: new Date(ms).toISOString() })
    await setPrice(OVERRIDES, key, {
      ...HALF,
      effective_from: new Date(from).toISOString(),
      effective_to: new Date(from + 1000).toISOString(),
    })
    expect([await at(from - 1), await at(from), await at(from + 999), await at(from + 1000)]).toEqual([
      0.0075, 0.00375, 0.00375, 0.0075,
    ])
  })

  it('is closed and replaced by the next, never edited: the earlier price stays listed and applies to its time', async () => {
    const key = await newKey()
    const first = await setPrice(OVERRIDES, key, HALF)
    const from = Date.now() + 60_000
    const second = await setPrice(OVERRIDES, key, {
      ...HALF,
      prices: perThousand('0.004'),
      effective_from: new Date(from).toISOString(),
    })
    expect(await listed(key)).toEqual([second, { ...first, effective_to: second.effective_from }])
    expect(await costOf(key, 'gpt-4o')).toBe(0.00375)
    expect(await costOf(key, 'gpt-4o', { at: new Date(from - 1).toISOString() })).toBe(0.00375)
    expect(await costOf(key, 'gpt-4o', { at: new Date(from).toISOString() })).toBe(0.004)
  })

  it('that conflicts with another is a 409 that names the other, and changes nothing', async () => {
    const key = await newKey()
    const later = await setPrice(OVERRIDES, key, { ...HALF, effective_from: soon(60_000) })
    const before = await listed(key)
    const response = await api(OVERRIDES, { key, body: { ...HALF, effective_from: soon(30_000) } })
    const { detail } = await expectProblem(response, 409, 'conflict')
    expect(detail).toContain(textField(later, 'id'))
    expect(await listed(key)).toEqual(before)
  })

  it('may begin in the past only for a model that had no price then', async () => {
    const key = await newKey()
    const model = unique('new-model')
    const effective_from = soon(-86_400_000)
    const body = { ...HALF, model, prices: perThousand(3), effective_from }
    await expectProblem(await api(OVERRIDES, { key, body: { ...body, model: 'gpt-4o' } }), 409, 'conflict')
    await expectProblem(
      await api(OVERRIDES, { key, body: { ...HALF, effective_from } }),
      400,
      'invalid_request',
    )
    await setPrice(OVERRIDES, key, body)
    expect(await costOf(key, model, { at: effective_from })).toBe(3)
    expect(await costOf(key, model, { at: soon(-86_400_000 - 10_000) })).toBe('unpriced_model')
    const again = await api(OVERRIDES, { key, body: { ...body, prices: perThousand(4) } })
    await expectProblem(again, 409, 'conflict')
    expect(await costOf(key, model, { at: effective_from })).toBe(3)
  })

  it('writes one row, two when it closes another, one for its idempotency key, and two for the audit log', async () => {
    const key = await newKey()
    const rows = async (headers: Record<string, string>) => {
      const { bindings, rowsWritten } = recordedD1()
      const response = await apiWith(bindings, OVERRIDES, { key, body: HALF, headers })
      return [response.status, rowsWritten()]
    }
    const audit = 2
    expect(await rows({})).toEqual([201, 1 + audit])
    expect(await rows({})).toEqual([201, 2 + audit])
    expect(await rows({ 'Idempotency-Key': 'k' })).toEqual([201, 3 + audit])
    expect(await rows({ 'Idempotency-Key': 'k' })).toEqual([201, 0])
  })
})

describe('prices that are set at the same time', () => {
  it('follow each other without a gap or an overlap, and each response describes its own change', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const models = Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? 'gpt-4o' : `gpt-4o-${i}`))
    const responses = await Promise.all(
      models.map((model) => api(OVERRIDES, { key, body: { ...HALF, model } })),
    )
    const statuses = responses.map(({ status }) => status)
    for (const [i, model] of models.entries()) {
      if (model !== 'gpt-4o') expect(statuses[i]).toBe(201)
      else expect([201, 409]).toContain(statuses[i])
    }
    const rows = await listed(key)
    expect(rows).toHaveLength(statuses.filter((status) => status === 201).length)
    const same = rows.filter(({ model }) => model === 'gpt-4o').reverse()
    expect(same.length).toBeGreaterThan(0)
    for (const [i, row] of same.entries()) expect(row.effective_to).toBe(same[i + 1]?.effective_from ?? null)
    const { results } = await env.DB.prepare(
      'SELECT epoch FROM price_overlays WHERE scope = ? ORDER BY epoch',
    )
      .bind(customer_id)
      .all<{ epoch: number }>()
    expect(results.map(({ epoch }) => epoch)).toEqual(rows.map((_, i) => i + 1))
  })
})

describe('a key', () => {
  it('sets a price once: the repeat has the same body and sets nothing', async () => {
    const key = await newKey()
    const headers = { 'Idempotency-Key': 'once' }
    const { provider, ...others } = HALF
    const reordered = { ...others, provider }
    const first = await api(OVERRIDES, { key, body: HALF, headers })
    const again = await api(OVERRIDES, { key, body: reordered, headers })
    expect([first.status, again.status]).toEqual([201, 201])
    expect([first.headers.get('Idempotency-Replayed'), again.headers.get('Idempotency-Replayed')]).toEqual([
      null,
      'true',
    ])
    expect(await again.text()).toBe(await first.text())
    expect(await listed(key)).toHaveLength(1)
    const other = await api(OVERRIDES, { key, body: { ...HALF, model: 'o3' }, headers })
    await expectProblem(other, 422, 'idempotency_mismatch')
  })
})

describe('tenants', () => {
  it("are separate: another customer's price does not apply, is not shown and does not conflict", async () => {
    const [mine, theirs] = [await newKey(), await newKey()]
    const theirVersion = await versionOf(theirs, 'gpt-4o')
    await setPrice(OVERRIDES, mine, { ...HALF, effective_from: soon(60_000) })
    await setPrice(OVERRIDES, mine, { ...HALF, model: 'gpt-*' })
    expect(await costOf(mine, 'gpt-4o')).toBe(0.00375)
    expect(await costOf(theirs, 'gpt-4o')).toBe(0.0075)
    expect(await versionOf(theirs, 'gpt-4o')).toBe(theirVersion)
    expect(await listed(theirs)).toEqual([])
    await setPrice(OVERRIDES, theirs, { ...HALF, prices: { multiplier: 2 } })
    expect([await costOf(mine, 'gpt-4o'), await costOf(theirs, 'gpt-4o')]).toEqual([0.00375, 0.015])
    expect(await listed(theirs)).toHaveLength(1)
  })

  it('share their prices between live and test keys, but not their idempotency keys', async () => {
    const { api_key, customer_id } = await createCustomer()
    const { api_key: test } = await createKey(customer_id, { mode: 'test' })
    const headers = { 'Idempotency-Key': 'same' }
    expect((await api(OVERRIDES, { key: api_key, body: HALF, headers })).status).toBe(201)
    expect(await costOf(test, 'gpt-4o')).toBe(0.00375)
    const body = { ...HALF, model: 'o3' }
    expect(
      (await api(OVERRIDES, { key: test, body, headers })).headers.get('Idempotency-Replayed'),
    ).toBeNull()
  })
})

describe('the list', () => {
  it('is newest first, in pages, and can be of one provider or model', async () => {
    const key = await newKey()
    const set = async (provider: string, model: string) =>
      textField(await setPrice(OVERRIDES, key, { ...HALF, provider, model }), 'id')
    const ids = [await set('openai', 'a*'), await set('azure', 'a*'), await set('openai', 'b')]
    const of = async (query: string) => (await listed(key, query)).map(({ id }) => id)
    expect(await of('')).toEqual(ids.toReversed())
    expect(await of('?provider=OpenAI')).toEqual([ids[2], ids[0]])
    expect(await of('?model=A*')).toEqual([ids[1], ids[0]])
    expect(await of('?provider=azure&model=b')).toEqual([])
    expect(await of('?provider=nobody')).toEqual([])
    const first = await jsonOf(await api(`${OVERRIDES}?limit=2`, { key }))
    expect(await of(`?limit=2&cursor=${textField(first, 'next_cursor')}`)).toEqual([ids[0]])
    expect((await jsonOf(await api(`${OVERRIDES}?limit=3`, { key }))).next_cursor).toBeNull()
    await expectProblem(await api(`${OVERRIDES}?cursor=x`, { key }), 400, 'invalid_request')
    await expectProblem(await api(`${OVERRIDES}?modell=x`, { key }), 400, 'invalid_request')
  })
})

describe('a price that is refused', () => {
  const price = { amount: 1, per: 1 }
  const units = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`unit_${i}`, price]))
  const tier = { threshold: 1, amount: 1 }
  it.each<[string, object, string, string]>([
    ['no provider', { provider: undefined }, '/provider', 'required'],
    ['no model', { model: undefined }, '/model', 'required'],
    ['a blank model', { model: '  ' }, '/model', 'blank'],
    ['a * inside', { model: 'gpt-*-mini' }, '/model', 'only at its end'],
    ['two *', { model: 'gpt-**' }, '/model', 'only at its end'],
    ['a long model', { model: 'm'.repeat(256) }, '/model', '255'],
    ['an empty tier', { service_tier: '-' }, '/service_tier', 'letter'],
    ['the standard tier', { service_tier: 'on_demand' }, '/service_tier', 'leave out service_tier'],
    ['no prices', { prices: undefined }, '/prices', 'required'],
    ['prices in a list', { prices: [price] }, '/prices', 'must be an object'],
    ['nothing priced', { prices: {} }, '/prices', 'must contain a unit'],
    [
      'an unknown unit',
      { prices: { inputtokens: price } },
      '/prices/inputtokens',
      'Did you mean input_tokens?',
    ],
    ['51 units', { prices: units(51) }, '/prices', 'at most 50 units'],
    ['no amount', { prices: { requests: { per: 1 } } }, '/prices/requests/amount', 'required'],
    ['no per', { prices: { requests: { amount: 1 } } }, '/prices/requests/per', 'required'],
    ['per 0', { prices: { requests: { amount: 1, per: 0 } } }, '/prices/requests/per', 'at least 1'],
    ['per a half', { prices: { requests: { amount: 1, per: 0.5 } } }, '/prices/requests/per', 'whole'],
    [
      'a negative amount',
      { prices: { requests: { amount: -1, per: 1 } } },
      '/prices/requests/amount',
      'negative',
    ],
    [
      '19 decimals',
      { prices: { requests: { amount: '1e-19', per: 1 } } },
      '/prices/requests/amount',
      'plain decimal',
    ],
    [
      '19 decimals',
      { prices: { requests: { amount: `0.${'0'.repeat(18)}1`, per: 1 } } },
      '/prices/requests/amount',
      '18',
    ],
    [
      'an absurd amount',
      { prices: { requests: { amount: '8000000000.1', per: 1 } } },
      '/prices/requests/amount',
      'at most',
    ],
    [
      'a misspelt field',
      { prices: { requests: { ...price, tier: [] } } },
      '/prices/requests/tier',
      'unknown field',
    ],
    [
      'a threshold twice',
      { prices: { input_tokens: { ...price, tiers: [tier, tier] } } },
      '/prices/input_tokens/tiers',
      'twice',
    ],
    [
      'a threshold of 0',
      { prices: { input_tokens: { ...price, tiers: [{ ...tier, threshold: 0 }] } } },
      '/prices/input_tokens/tiers/0/threshold',
      'at least 1',
    ],
    [
      'a multiplier and prices',
      { prices: { multiplier: 1, requests: price } },
      '/prices/requests',
      'unknown field',
    ],
    ['a multiplier in words', { prices: { multiplier: 'half' } }, '/prices/multiplier', 'plain decimal'],
    ['a negative multiplier', { prices: { multiplier: '-0.5' } }, '/prices/multiplier', 'negative'],
    ['a huge multiplier', { prices: { multiplier: 1000.5 } }, '/prices/multiplier', 'at most 1000'],
    ['a time in words', { effective_from: 'tomorrow' }, '/effective_from', 'RFC 3339'],
    ['a beginning long ago', { effective_from: '2020-01-01T00:00:00Z' }, '/effective_from', '35 days'],
    ['a beginning far ahead', { effective_from: '2999-01-01T00:00:00Z' }, '/effective_from', '366 days'],
    ['an end before now', { effective_to: '2020-01-01T00:00:00Z' }, '/effective_to', 'after now'],
    ['an unknown field', { price: 1 }, '/price', 'unknown field'],
  ])('has %s: 400 %j %s', async (_, fields, path, words) => {
    const key = await sharedKey
    const response = await api(OVERRIDES, { key, body: { ...HALF, ...fields } })
    const { errors } = await expectProblem(response, 400, 'invalid_request')
    expect(errors).toContainEqual({ path, message: expect.stringContaining(words) })
    expect(await listed(key)).toEqual([])
  })

  it('has an unknown provider: 422 with the nearest', async () => {
    const response = await api(OVERRIDES, { key: await sharedKey, body: { ...HALF, provider: 'opanai' } })
    const { nearest } = await expectProblem(response, 422, 'unknown_provider')
    expect(nearest).toContain('openai')
  })

  it('is sent with a key without the scope', async () => {
    const { customer_id } = await createCustomer()
    const { api_key: reader } = await createKey(customer_id, { scopes: ['pricing:read'] })
    const { api_key: writer } = await createKey(customer_id, { scopes: ['pricing:write'] })
    await expectProblem(await api(OVERRIDES, { key: reader, body: HALF }), 403, 'insufficient_scope')
    await expectProblem(await api(OVERRIDES, { key: writer }), 403, 'insufficient_scope')
    await expectProblem(await api(OVERRIDES, { body: '{' }), 401, 'missing_api_key')
    await env.DB.prepare(`UPDATE customers SET status = 'SUSPENDED' WHERE customer_id = ?`)
      .bind(customer_id)
      .run()
    const { api_key: suspended } = await createKey(customer_id)
    await expectProblem(await api(OVERRIDES, { key: suspended, body: HALF }), 403, 'customer_suspended')
    expect((await api(OVERRIDES, { key: suspended })).status).toBe(200)
  })
})

const sharedKey = newKey()
