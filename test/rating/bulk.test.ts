import { beforeAll, describe, expect, it } from 'vitest'
import { saved } from '../burn-tables/support.ts'
import { api, jsonOf } from '../support/api.ts'
import { expectNothingMoved, expectRefused, type Json, objects } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'

const GPT_4O = { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1000, output_tokens: 500 }

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
})

const post = (body: unknown, by = key) => api('/v1/rating/calculate/bulk', { key: by, body })

async function calculated(calculations: readonly unknown[], by = key): Promise<Json> {
  const response = await post({ calculations }, by)
  const body = await jsonOf(response)
  if (response.status !== 200) throw new Error(JSON.stringify(body))
  return body
}

describe('POST /v1/rating/calculate/bulk', () => {
  it('returns the same results as calculate, in order, with sums', async () => {
    const other = { ...GPT_4O, model: 'gpt-4o-mini' }
    const answer = await expectNothingMoved(key, () => calculated([GPT_4O, other, GPT_4O]))
    const alone = await Promise.all(
      [GPT_4O, other, GPT_4O].map(async (body) => jsonOf(await api('/v1/rating/calculate', { key, body }))),
    )
    expect(answer.results).toEqual(alone.map((result, index) => ({ index, ...result })))
    // The total cost is 2 × 0.0075 USD for gpt-4o, plus 1,000 tokens at 0.15 USD and 500 tokens at 0.60 USD per million
    // for the other model.
    expect(answer.totals).toEqual({ provider_cost_usd: 0.01545, credits: 30.9, customer_price_usd: 0.0309 })
  })

  it('refuses invalid ones separately, with their index, and sums the others', async () => {
    const answer = await calculated([
      7,
      GPT_4O,
      { ...GPT_4O, input_tokens: -1 },
      { ...GPT_4O, provider: 'OPNAI' },
      { ...GPT_4O, model: 'gpt-4o-imaginary' },
      { ...GPT_4O, extra: 1 },
      { provider: 'OPENAI', model: 'gpt-4o' },
    ])
    const codes = objects(answer.results).map(({ index, error }) => [
      index,
      error && objects([error])[0]?.code,
    ])
    expect(codes).toEqual([
      [0, 'invalid_request'],
      [1, undefined],
      [2, 'invalid_request'],
      [3, 'unknown_provider'],
      [4, 'unpriced_model'],
      [5, 'invalid_request'],
      [6, 'invalid_request'],
    ])
    expect(answer.totals).toEqual({ provider_cost_usd: 0.0075, credits: 15, customer_price_usd: 0.015 })
  })

  it('returns zero sums when all are refused', async () => {
    expect((await calculated([{}])).totals).toEqual({
      provider_cost_usd: 0,
      credits: 0,
      customer_price_usd: 0,
    })
  })

  it.each([
    ['no calculations', {}, '/calculations'],
    ['an empty list', { calculations: [] }, '/calculations'],
    ['101', { calculations: Array.from({ length: 101 }, () => GPT_4O) }, '/calculations'],
    ['no list', { calculations: GPT_4O }, '/calculations'],
    ['an unknown field', { calculations: [GPT_4O], at: '2026-01-01T00:00:00Z' }, '/at'],
  ])('refuses an envelope with %s', async (_, body, path) => {
    const problem = await expectRefused(await post(body), 400, 'invalid_request')
    expect(objects(problem.errors)[0]?.path).toBe(path)
  })

  it('takes a hundred', async () => {
    const { totals } = await calculated(Array.from({ length: 100 }, () => GPT_4O))
    expect(totals).toMatchObject({ credits: 1500 })
  })

  it('needs pricing:read', async () => {
    const { customer_id } = await createCustomer()
    const { api_key } = await createKey(customer_id, { scopes: ['events:write'] })
    await expectRefused(await post({ calculations: [GPT_4O] }, api_key), 403, 'insufficient_scope')
  })
})

describe('calculations by the customer’s own tables', () => {
  it('use the table of their time and their feature, and name it', async () => {
    const { api_key } = await createCustomer()
    const from = new Date(Date.now() - 3_600_000).toISOString()
    await saved(api_key, {
      credits_per_usd: 200,
      effective_from: from,
      rules: [
        { match: { feature: 'chat' }, method: 'flat', amount: 4 },
        {
          match: { feature: 'tiered' },
          method: 'tiered',
          mode: 'graduated',
          unit: 'input_tokens',
          free: 400,
          tiers: [{ up_to: null, unit_amount: 0.01 }],
        },
      ],
    })
    const { results } = await calculated(
      [
        { ...GPT_4O, feature_id: 'chat' },
        GPT_4O,
        { ...GPT_4O, feature_id: 'tiered' },
        { ...GPT_4O, feature_id: 'chat', at: new Date(Date.now() - 7_200_000).toISOString() },
      ],
      api_key,
    )
    const own = { pricing_source: 'burn_table', burn_table_version: 2 }
    expect(results).toMatchObject([
      { credits: 4, customer_price_usd: 0.02, margin_percent: 62.5, ...own },
      { credits: 3, customer_price_usd: 0.015, margin_percent: 50, ...own },
      { credits: 6, ...own, warnings: [expect.stringContaining('counted from the beginning of a period')] },
      { credits: 15, pricing_source: 'default_burn_table', burn_table_version: 1 },
    ])
  })
})
