import { describe, expect, it } from 'vitest'
import { sumOf } from '../../src/drop-in/openmonetize/translation.ts'
import { api, jsonOf } from '../support/api.ts'
import { settle } from '../support/belongings.ts'
import { balanceOf, granted, type Json, listed, objects, read } from '../support/client.ts'
import { createCustomer, uniqueEmail } from '../support/customers.ts'

/**
 * Tests the routes of the original OpenMonetize API. The tests send the paths and bodies that the OpenMonetize SDK
 * sends, and check the fields that it reads.
 */

function sent(key: string, path: string, body?: unknown, method?: string): Promise<Response> {
  return api(`/openmonetize${path}`, { key, ...(body !== undefined && { body }), ...(method && { method }) })
}

async function dataOf(response: Response, status = 200): Promise<Json> {
  expect(response.status, await response.clone().text()).toBe(status)
  const { data } = await jsonOf(response)
  return objects([data])[0] ?? {}
}

function tokenUsage(customerId: string, fields: Json = {}): Json {
  return {
    eventId: crypto.randomUUID(),
    customerId,
    userId: 'zoe',
    eventType: 'TOKEN_USAGE',
    featureId: 'chat',
    provider: 'OPENAI',
    model: 'gpt-4o',
    inputTokens: 1000,
    outputTokens: 500,
    timestamp: new Date().toISOString(),
    ...fields,
  }
}

describe('events', () => {
  it('are billed at once and only once, and get 202', async () => {
    const { api_key, customer_id } = await createCustomer()
    const events = [tokenUsage(customer_id, { metadata: { session: 's1' } }), tokenUsage(customer_id)]
    const response = await sent(api_key, '/v1/events/ingest', { events })
    expect(response.status).toBe(202)
    expect(await response.json()).toMatchObject({
      ...{ success: true, processed: 2, failed: 0, accepted: 2, rejected: 0, duplicates: 0 },
      ...{ batch_id: expect.any(String), status: 'processing', processing_time_ms: expect.any(Number) },
    })
    const again = await sent(api_key, '/v1/events/ingest', { events })
    expect(again.status).toBe(200)
    expect(await again.json()).toMatchObject({
      ...{ accepted: 0, duplicates: 2, batch_id: null, status: 'all_duplicates', success: true },
    })
    const [, first] = await listed(api_key, '/v1/events')
    expect(first).toMatchObject({ user_id: 'zoe', credits_burned: 15, metadata: { session: 's1' } })
    expect(await balanceOf(api_key)).toBe(9970)
  })

  it('are taken in snake_case too, with responses, images and units of their own', async () => {
    const { api_key, customer_id } = await createCustomer()
    const base = { customer_id, user_id: 'zoe', feature_id: 'x', timestamp: new Date().toISOString() }
    const id = () => ({ event_id: crypto.randomUUID() })
    const gpt = { provider: 'OPENAI', model: 'gpt-4o' }
    const usage = { prompt_tokens: 1000, completion_tokens: 500 }
    const image = { provider: 'OPENAI', model: 'dall-e-3', resolution: '1024x1024', quality: 'standard' }
    const events = [
      { ...base, ...id(), ...gpt, event_type: 'TOKEN_USAGE', provider_response: { usage } },
      { ...base, ...id(), ...image, event_type: 'IMAGE_GENERATION' },
      { ...base, ...id(), event_type: 'CUSTOM', unit_type: 'PDF pages', quantity: 15.5 },
      { ...base, ...id(), ...gpt, event_type: 'EMBEDDING_GENERATION', input_tokens: 10, output_tokens: 0 },
    ]
    expect((await sent(api_key, '/v1/events/ingest', { events })).status).toBe(202)
    const [embedding, custom, picture, tokens] = await listed(api_key, '/v1/events')
    expect(tokens).toMatchObject({ credits_burned: 15 })
    expect(picture).toMatchObject({
      usage: { output_images: 1 },
      image_size: '1024x1024',
      credits_burned: 80,
    })
    expect(custom).toMatchObject({ event_type: 'CUSTOM', usage: { custom: { pdf_pages: 15.5 } } })
    expect(embedding).toMatchObject({ event_type: 'TOKEN_USAGE', usage: { input_tokens: 10 } })
  })

  it('are refused as a batch if one is invalid, and nothing is billed', async () => {
    const { api_key, customer_id } = await createCustomer()
    const wrong: Json[] = [
      { inputTokens: -1 },
      { eventId: undefined },
      { featureId: undefined },
      { eventType: 'DANCING' },
    ]
    for (const fields of wrong) {
      const events = [tokenUsage(customer_id), tokenUsage(customer_id, fields)]
      const response = await sent(api_key, '/v1/events/ingest', { events })
      expect(response.status, JSON.stringify(fields)).toBe(400)
      expect(await response.json()).toMatchObject({
        error: 'Validation Error',
        message: expect.any(String),
        details: [{ path: expect.stringMatching(/^\/events\/1\//) }],
      })
    }
    expect((await sent(api_key, '/v1/events/ingest', { events: [] })).status).toBe(400)
    expect(await listed(api_key, '/v1/events')).toEqual([])
  })

  it("are refused with another customer's id", async () => {
    const { api_key } = await createCustomer()
    const response = await sent(api_key, '/v1/events/ingest', { events: [tokenUsage('cust_other')] })
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ error: 'Forbidden' })
  })

  it('that cannot be paid are rejected alone', async () => {
    const { api_key, customer_id } = await createCustomer()
    await granted(api_key, { user_id: 'poor', amount: 1 })
    const poor = tokenUsage(customer_id, { userId: 'poor' })
    const response = await sent(api_key, '/v1/events/ingest', { events: [tokenUsage(customer_id), poor] })
    expect(response.status).toBe(202)
    expect(await response.json()).toMatchObject({
      ...{ success: false, processed: 1, failed: 1, rejected: 1 },
      errors: [{ eventId: poor.eventId, code: 'insufficient_credits', error: expect.any(String) }],
    })
    expect((await read(api_key, '/v1/drop-in')).openmonetize).toMatchObject({
      accepted: 1,
      rejected: { insufficient_credits: 1 },
    })
  })

  it('are listed with limit and offset', async () => {
    const { api_key, customer_id } = await createCustomer()
    const events = Array.from({ length: 3 }, () => tokenUsage(customer_id))
    await sent(api_key, '/v1/events/ingest', { events })
    const list = await jsonOf(await sent(api_key, '/v1/events?limit=2&offset=1'))
    expect(list.pagination).toEqual({ limit: 2, offset: 1, total: 3 })
    expect(objects(list.data)).toMatchObject([{ inputTokens: '1000', creditsBurned: '15' }, {}])
    expect((await sent(api_key, '/v1/events?limit=0')).status).toBe(400)
  })
})

describe('credits', () => {
  it('of a user are purchased, granted, read and listed', async () => {
    const { api_key, customer_id } = await createCustomer()
    expect((await sent(api_key, '/v1/users/zoe/credits')).status).toBe(404)
    const purchase = { userId: 'zoe', amount: 1000, purchasePrice: 9.99, expiresAt: '2099-12-31T23:59:59Z' }
    expect(await dataOf(await sent(api_key, '/v1/credits/purchase', purchase))).toEqual({
      transactionId: expect.stringMatching(/^txn_/),
      newBalance: 1000,
    })
    const grant = { userId: 'zoe', amount: 500, reason: 'welcome', idempotencyKey: 'g1', metadata: { a: 1 } }
    const granted_once = await dataOf(await sent(api_key, '/v1/credits/grant', grant))
    expect(granted_once).toMatchObject({ newBalance: '1500', amount: '500', walletId: expect.any(String) })
    expect(await dataOf(await sent(api_key, '/v1/credits/grant', grant))).toEqual(granted_once)
    const credits = { balance: 1500, reserved: 0, available: 1500, expiresAt: '2099-12-31T23:59:59.000Z' }
    expect(await dataOf(await sent(api_key, '/v1/users/zoe/credits'))).toEqual(credits)
    expect(await dataOf(await sent(api_key, `/v1/customers/${customer_id}/users/zoe/credits`))).toEqual(
      credits,
    )
    const history = await jsonOf(await sent(api_key, '/v1/users/zoe/transactions?limit=1'))
    expect(history).toEqual({
      data: [
        {
          id: expect.stringMatching(/^txn_/),
          ...{ transactionType: 'GRANT', amount: 500, balanceBefore: 1000, balanceAfter: 1500 },
          ...{ description: 'welcome', createdAt: expect.any(String) },
        },
      ],
      pagination: { limit: 1, offset: 0, total: 2 },
    })
    const other = await sent(api_key, '/v1/customers/cust_other/users/zoe/credits')
    expect(other.status).toBe(403)
    expect(await other.json()).toMatchObject({
      detail:
        'The request names a customer other than the customer of the API key. Use an API key of the named customer.',
    })
    const stranger = await createCustomer()
    const theirs = await jsonOf(await sent(stranger.api_key, '/v1/users/zoe/transactions'))
    expect(theirs.data).toEqual([])
  })

  it('of the customer are texts', async () => {
    const { api_key } = await createCustomer()
    expect(await dataOf(await sent(api_key, '/v1/credits/balance'))).toEqual({
      balance: '10000',
      reservedBalance: '0',
      availableBalance: '10000',
      currency: 'USD',
    })
  })

  it('are added for each request without a key in the body, because the header Idempotency-Key is ignored', async () => {
    const { api_key } = await createCustomer()
    const headers = { 'Idempotency-Key': 'header' }
    const body = { userId: 'zoe', amount: 5 }
    const grant = () => api('/openmonetize/v1/credits/grant', { key: api_key, body, headers })
    expect(await dataOf(await grant())).toMatchObject({ newBalance: '5' })
    expect(await dataOf(await grant())).toMatchObject({ newBalance: '10' })
  })

  it('of a wrong amount are a 400 in the shape of the original', async () => {
    const { api_key } = await createCustomer()
    const response = await sent(api_key, '/v1/credits/grant', { userId: 'zoe', amount: -5 })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: 'Validation Error', message: expect.any(String) })
  })
})

it('an entitlement is created, checked, changed, listed and deleted', async () => {
  const { api_key, customer_id } = await createCustomer()
  const created = await dataOf(
    await sent(api_key, '/v1/entitlements', {
      ...{ customerId: customer_id, featureId: 'research', limitType: 'HARD', limitValue: 100 },
    }),
    201,
  )
  expect(created).toMatchObject({ featureId: 'research', limitType: 'HARD', limitValue: 100 })
  const action = { type: 'token_usage', provider: 'openai', model: 'gpt-4o' }
  const check = async (tokens: number) =>
    jsonOf(
      await sent(api_key, '/v1/entitlements/check', {
        ...{ customerId: customer_id, userId: 'zoe', featureId: 'research' },
        action: { ...action, estimatedInputTokens: tokens, estimatedOutputTokens: 500 },
      }),
    )
  expect(await check(1000)).toMatchObject({
    ...{ allowed: true, reason: null, estimatedCostCredits: 15, estimatedCostUsd: 0.015 },
    ...{ currentBalance: 10_000, actions: [] },
  })
  expect(await check(1_000_000)).toMatchObject({ allowed: false, reason: expect.stringMatching(/ /) })
  const id = String(created.id)
  const changed = await dataOf(await sent(api_key, `/v1/entitlements/${id}`, { limitValue: 9 }, 'PUT'))
  expect(changed).toMatchObject({ limitType: 'HARD', limitValue: 9 })
  const list = await jsonOf(await sent(api_key, `/v1/customers/${customer_id}/entitlements`))
  expect(objects(list.data)).toMatchObject([{ featureId: 'research', isEnabled: true }])
  expect((await sent(api_key, `/v1/entitlements/${id}`, undefined, 'DELETE')).status).toBe(204)
  expect((await sent(api_key, `/v1/entitlements/${id}`, undefined, 'DELETE')).status).toBe(404)
})

it('a cost is calculated, alone and in bulk', async () => {
  const { api_key, customer_id } = await createCustomer()
  const one = { provider: 'OPENAI', model: 'gpt-4o', inputTokens: 1000, outputTokens: 500 }
  const expected = {
    credits: 15,
    costBreakdown: { inputCostUsd: 0.0025, outputCostUsd: 0.005, totalCostUsd: 0.0075 },
    ...{ providerCostUsd: 0.0075, marginUsd: 0.0075, marginPercent: 50, cost: 0.0075, currency: 'USD' },
  }
  expect(await jsonOf(await sent(api_key, '/v1/rating/calculate', one))).toMatchObject(expected)
  const unknown = await sent(api_key, '/v1/rating/calculate', { ...one, model: 'gpt-99' })
  expect(unknown.status).toBe(422)
  expect(await unknown.json()).toMatchObject({ message: expect.stringContaining('gpt-99') })
  const bulk = { customerId: customer_id, calculations: [one, { ...one, model: 'gpt-99' }] }
  expect(await jsonOf(await sent(api_key, '/v1/rating/calculate/bulk', bulk))).toMatchObject({
    ...{ customerId: customer_id, total: 2, results: [expected, { error: 'unpriced_model' }] },
  })
})

it('analytics have the shapes of the service and of its SDK', async () => {
  const { api_key, customer_id } = await createCustomer()
  await sent(api_key, '/v1/events/ingest', { events: [tokenUsage(customer_id), tokenUsage(customer_id)] })
  await settle(customer_id)
  const day = 86_400_000
  const range = new URLSearchParams({
    start_date: new Date(Date.now() - day).toISOString(),
    end_date: new Date(Date.now() + day).toISOString(),
  })
  const of = async (path: string) => jsonOf(await sent(api_key, `/v1/analytics/${path}`))
  const gpt = { credits: 30, costUsd: 0.015, percentage: 100 }
  expect(await of(`usage?${range}&user_id=zoe`)).toMatchObject({
    data: {
      summary: { totalEvents: 2, totalInputTokens: '2000', totalCreditsBurned: '30', totalCostUsd: '0.015' },
      byFeature: [{ featureId: 'chat', eventCount: 2, creditsBurned: '30' }],
      byProvider: [{ provider: 'OPENAI', model: 'gpt-4o', eventCount: 2, outputTokens: '1000' }],
      byEventType: [{ eventType: 'TOKEN_USAGE', eventCount: 2 }],
      timeline: [{ date: new Date().toISOString().slice(0, 10), events: 2 }],
    },
    ...{ totalCredits: 30, totalCostUsd: 0.015, byProvider: { OPENAI: gpt }, byModel: { 'gpt-4o': gpt } },
    byFeature: { chat: gpt },
  })
  expect(await of(`cost-breakdown?${range}`)).toMatchObject({
    ...{ totalCostUsd: 0.015, byProvider: { OPENAI: { costUsd: 0.015, percentage: 100 } } },
    byModel: { 'gpt-4o': { costUsd: 0.015 } },
  })
  expect(await of('costs')).toMatchObject({
    data: { summary: { totalRevenue: '0.03', totalProviderCost: '0.015', marginPercent: 50 } },
  })
  expect(await of('burn-rate')).toMatchObject({
    data: { currentBalance: '9970', last7Days: { averagePerDay: expect.any(String) }, recommendations: [] },
  })
})

it('the credits of the last days are their exact sum, not a multiple of the rounded average', async () => {
  const { api_key, customer_id } = await createCustomer()
  // The two events cost 15 and 1.925 credits, which are 16.925 credits in total.
  const events = [tokenUsage(customer_id), { ...tokenUsage(customer_id), inputTokens: 385, outputTokens: 0 }]
  expect((await sent(api_key, '/v1/events/ingest', { events })).status).toBeLessThan(300)
  await settle(customer_id)
  const own = await jsonOf(await api('/v1/analytics/burn-rate', { key: api_key }))
  expect(own.average_per_day_7d).toBe(2.417857)
  expect(await jsonOf(await sent(api_key, '/v1/analytics/burn-rate'))).toMatchObject({
    data: {
      last7Days: { creditsBurned: '16.925', averagePerDay: '2.42' },
      last30Days: { creditsBurned: '16.925', averagePerDay: '0.56' },
    },
  })
})

it('amounts are added exactly', () => {
  expect(sumOf([0.3, 0.6])).toBe(0.9)
  expect(sumOf([0.0075, -0.0000000001])).toBe(0.0074999999)
  expect(sumOf([])).toBe(0)
})

it('a customer registers and reads itself and its users', async () => {
  const body = { name: 'LegalAI', email: uniqueEmail() }
  const response = await api('/openmonetize/v1/customers/register', { body })
  const registered = await dataOf(response, 201)
  expect(registered).toMatchObject({ ...body, tier: 'STARTER', customerId: expect.stringMatching(/^cust_/) })
  const again = await api('/openmonetize/v1/customers/register', { body })
  expect(again.status).toBe(409)
  expect(await again.json()).toMatchObject({ error: 'Conflict', message: expect.any(String) })
  const key = String(registered.apiKey)
  expect(await dataOf(await sent(key, '/v1/customers/me'))).toMatchObject({
    ...{ id: registered.customerId, name: 'LegalAI', status: 'ACTIVE' },
  })
  const user = { externalUserId: 'zoe', email: 'zoe@example.com' }
  expect(await dataOf(await sent(key, '/v1/users', user), 201)).toMatchObject({ id: 'zoe', ...user })
  const users = await jsonOf(await sent(key, '/v1/users'))
  expect(users.pagination).toMatchObject({ total: 1 })
})

it('a missing key and an unknown one are refused in the shape of the original', async () => {
  for (const response of [
    await api('/openmonetize/v1/credits/balance'),
    await sent('nobody', '/v1/events'),
  ]) {
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ error: 'Unauthorized', message: expect.any(String) })
  }
})

it('one request is counted once by the rate limit, although it becomes a request of ours', async () => {
  const { api_key } = await createCustomer()
  const remaining = async () => {
    const response = await sent(api_key, '/v1/credits/balance')
    return Number(/r=(\d+)/.exec(response.headers.get('RateLimit') ?? '')?.[1])
  }
  const first = await remaining()
  expect(await remaining()).toBe(first - 1)
})
