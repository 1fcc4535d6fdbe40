import { beforeAll, describe, expect, it } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { OVERRIDES, PROVIDER_COSTS, perThousand, setPrice } from '../support/prices.ts'
import { expectProblem } from '../support/problems.ts'

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
})

const pricing = (query: Record<string, string>, as = key) =>
  api(`/v1/rating/pricing?${new URLSearchParams(query)}`, { key: as })

async function priceOf(query: Record<string, string>, as = key): Promise<Record<string, unknown>> {
  const response = await pricing(query, as)
  expect(response.status).toBe(200)
  return jsonOf(response)
}

describe('the price of a model', () => {
  it('is the list price, per unit and exactly', async () => {
    const response = await pricing({ provider: 'openai', model: 'gpt-4o-2024-11-20' })
    const text = await response.text()
    expect(JSON.parse(text)).toMatchObject({
      provider: 'OPENAI',
      model: 'gpt-4o-2024-11-20',
      catalogue_model: 'gpt-4o',
      source: 'catalogue',
      price_version: expect.stringMatching(/^[0-9a-f]{10}:openai\/gpt-4o$/),
      effective_from: null,
      effective_to: null,
      context_window: 128000,
      deprecated: false,
    })
    expect(text).toContain('{"unit":"input_tokens","price_usd":0.0000025}')
    expect(text).toContain('{"unit":"cache_read_tokens","price_usd":0.00000125}')
  })

  it('has thresholds and sizes', async () => {
    expect(await priceOf({ provider: 'google', model: 'gemini-2.5-pro' })).toMatchObject({
      prices: expect.arrayContaining([
        {
          unit: 'output_tokens',
          price_usd: 0.00001,
          tiers: [{ threshold: 200000, inclusive: false, price_usd: 0.000015 }],
        },
      ]),
    })
    expect(JSON.stringify(await priceOf({ provider: 'openai', model: 'dall-e-3' }))).toContain(
      '"sizes":[{"size":"',
    )
  })

  it('is of a time: o3 before and since its price cut', async () => {
    const before = await priceOf({ provider: 'openai', model: 'o3', at: '2025-06-09T23:59:59.999Z' })
    const since = await priceOf({ provider: 'openai', model: 'o3', at: '2025-06-10T00:00:00Z' })
    expect(before).toMatchObject({ effective_from: null })
    expect(since).toMatchObject({ effective_from: '2025-06-10T00:00:00.000Z' })
    expect(before.price_version).not.toBe(since.price_version)
    expect(before.prices).not.toEqual(since.prices)
  })

  it("is the customer's own where it has one, and states its period", async () => {
    const { api_key: own } = await createCustomer()
    const effective_to = new Date(Date.now() + 3_600_000).toISOString()
    const body = { provider: 'openai', model: 'gpt-4o', prices: { multiplier: '0.85' }, effective_to }
    const overlay = await setPrice(OVERRIDES, own, body)
    const found = await priceOf({ provider: 'openai', model: 'gpt-4o' }, own)
    expect(found).toMatchObject({
      source: 'override',
      price_version: expect.stringContaining(textField(overlay, 'id')),
      effective_from: overlay.effective_from,
      effective_to,
      context_window: 128000,
      prices: expect.arrayContaining([{ unit: 'input_tokens', price_usd: 0.000002125 }]),
    })
    expect(await priceOf({ provider: 'openai', model: 'gpt-4o', at: effective_to }, own)).toMatchObject({
      source: 'catalogue',
    })
    expect(await priceOf({ provider: 'openai', model: 'gpt-4o' })).toMatchObject({ source: 'catalogue' })
  })

  it("is the operator's for a model that the catalogue does not know", async () => {
    const model = unique('new-model')
    const overlay = await setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, {
      provider: 'cohere',
      model,
      prices: {
        input_tokens: {
          amount: '1.25',
          per: 1_000_000,
          tiers: [{ threshold: 1000, inclusive: true, amount: 2 }],
        },
      },
    })
    expect(await priceOf({ provider: 'cohere', model })).toEqual({
      provider: 'COHERE',
      model,
      catalogue_model: null,
      source: 'operator',
      price_version: overlay.id,
      effective_from: overlay.effective_from,
      effective_to: null,
      context_window: null,
      deprecated: false,
      prices: [
        {
          unit: 'input_tokens',
          price_usd: 0.00000125,
          tiers: [{ threshold: 1000, inclusive: true, price_usd: 0.000002 }],
        },
      ],
    })
  })
})

describe('pages of prices', () => {
  it("are the provider's models in order, then models that only an overlay prices", async () => {
    const { api_key: own } = await createCustomer()
    const [exact, later] = [unique('a-model'), unique('z-model')]
    await setPrice(OVERRIDES, own, { provider: 'voyage', model: later, prices: perThousand(1) })
    await setPrice(OVERRIDES, own, { provider: 'voyage', model: exact, prices: perThousand(1) })
    await setPrice(OVERRIDES, own, { provider: 'voyage', model: 'some*', prices: perThousand(1) })
    await setPrice(OVERRIDES, own, { provider: 'voyage', model: 'voyage-3', prices: { multiplier: 2 } })
    const models: unknown[] = []
    let cursor = ''
    for (let pages = 0; pages < 10; pages++) {
      const query = { provider: 'voyage', limit: '9', ...(cursor !== '' && { cursor }) }
      const page = await priceOf(query, own)
      if (!Array.isArray(page.data)) throw new Error('not a page')
      for (const { model, source } of page.data) models.push(source === 'override' ? `${model}!` : model)
      if (page.next_cursor === null) break
      cursor = textField(page, 'next_cursor')
    }
    expect(models.slice(-2)).toEqual([`${exact}!`, `${later}!`])
    expect(models.filter((model) => model === 'voyage-3!' || model === 'voyage-3')).toEqual(['voyage-3!'])
    expect(new Set(models).size).toBe(models.length)
    expect(models.length).toBeGreaterThan(20)
  })

  it('are the providers if none is named', async () => {
    const first = await priceOf({ limit: '40' })
    const second = await priceOf({ limit: '40', cursor: textField(first, 'next_cursor') })
    expect(first.data).toContainEqual({ provider: 'OPENAI', name: 'OpenAI' })
    expect(first.data).toContainEqual({ provider: 'AMAZON', name: expect.any(String) })
    expect(second.next_cursor).toBeNull()
  })
})

describe('an unknown price', () => {
  it('is refused, with the nearest names', async () => {
    const provider = await expectProblem(await pricing({ provider: 'opanai' }), 422, 'unknown_provider')
    expect(provider.nearest).toContain('openai')
    const model = await expectProblem(
      await pricing({ provider: 'openai', model: 'gpt-4oo' }),
      422,
      'unpriced_model',
    )
    expect(model.nearest).toContain('gpt-4o')
  })

  it.each([
    [{ model: 'gpt-4o' }, '/provider'],
    [{ provider: 'openai', at: 'yesterday' }, '/at'],
    [{ provider: 'openai', limit: '0' }, '/limit'],
    [{ provider: 'openai', cursor: 'x' }, '/cursor'],
    [{ provider: 'openai', modell: 'x' }, '/modell'],
    [{ provider: '' }, '/provider'],
  ])('is an invalid query: %j', async (query, path) => {
    const { errors } = await expectProblem(await pricing({ ...query }), 400, 'invalid_request')
    expect(errors).toEqual([{ path, message: expect.any(String) }])
  })

  it('is not for a key without pricing:read', async () => {
    const { customer_id } = await createCustomer()
    const { api_key } = await createKey(customer_id, { scopes: ['events:write'] })
    await expectProblem(await pricing({}, api_key), 403, 'insufficient_scope')
  })
})
