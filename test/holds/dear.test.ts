import { describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer, unique } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

/**
 * Tests holds for calls whose cost exceeds the largest possible amount, because of very high prices or burn tables.
 * Like all other routes, the routes of holds refuse these calls.
 */

async function post(key: string, path: string, body: unknown) {
  return api(path, { key, body, method: 'POST' })
}

async function dearTable(key: string): Promise<void> {
  const created = await post(key, '/v1/burn-tables', {
    name: 'dear',
    credits_per_usd: 1_000_000_000,
    rules: [],
  })
  expect(created.status).toBe(201)
}

const MODEL = { provider: 'OPENAI', model: 'gpt-4o' }

describe('a hold by model', () => {
  it('under a burn table of very many credits per USD is 402, with the required amount', async () => {
    const { api_key: key } = await createCustomer()
    await dearTable(key)
    const held = await post(key, '/v1/holds', {
      feature_id: 'f',
      ...MODEL,
      usage: { input_tokens: 1 },
      max_output_tokens: 1,
    })
    const problem = await expectProblem(held, 402, 'insufficient_credits')
    expect(problem).toMatchObject({ balance: 10000 })
    const checked = await post(key, '/v1/entitlements/check', {
      feature_id: 'f',
      hold: true,
      action: { type: 'TOKEN_USAGE', ...MODEL, estimated_input_tokens: 1, estimated_output_tokens: 1 },
    })
    expect(await jsonOf(checked)).toMatchObject({ allowed: false, reason: 'insufficient_credits' })
  })

  it('that a wallet can pay has no number of tokens if a million of them cost more than any wallet holds', async () => {
    const { api_key: key } = await createCustomer()
    await dearTable(key)
    await post(key, '/v1/credits/grant', { amount: 1_000_000_000 })
    const held = await post(key, '/v1/holds', {
      feature_id: 'f',
      ...MODEL,
      usage: { input_tokens: 1 },
      max_output_tokens: 1,
    })
    expect(held.status).toBe(201)
    expect(await jsonOf(held)).not.toHaveProperty('max_output_tokens')
  })

  it('at a price that no amount of USD can hold is 400, as in ingest and calculate', async () => {
    const { api_key: key } = await createCustomer()
    const model = unique('dear')
    const priced = await post(key, '/v1/rating/price-overrides', {
      provider: 'OPENAI',
      model,
      prices: { input_tokens: { amount: '8000000000', per: 1 } },
    })
    expect(priced.status).toBe(201)
    const usage = { input_tokens: 10_000_000_000_000 }
    const dear = { provider: 'OPENAI', model }
    for (const [path, body] of [
      ['/v1/holds', { feature_id: 'f', ...dear, usage }],
      ['/v1/holds', { feature_id: 'f', ...dear, usage, max_output_tokens: 1000 }],
      ['/v1/events/ingest', { event_type: 'TOKEN_USAGE', feature_id: 'f', ...dear, usage }],
      ['/v1/rating/calculate', { ...dear, usage }],
    ] as const) {
      const problem = await expectProblem(await post(key, path, body), 400, 'invalid_request')
      expect(problem.detail).toContain('8000000000 USD')
    }
  })
})
