import { describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

const GPT_4O = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1000,
  output_tokens: 500,
}

describe('one event, end to end', () => {
  it('is rated and burned once, and the response has the new balance', async () => {
    const { api_key, customer_id } = await createCustomer()
    const balance = await jsonOf(await api('/v1/credits/balance', { key: api_key }))
    expect(balance).toMatchObject({
      customer_id,
      balance: 10000,
      reserved_balance: 0,
      available_balance: 10000,
      currency: 'credits',
      overdraft_limit: 0,
      expiring_next: null,
    })

    const event = { ...GPT_4O, idempotency_key: 'first' }
    const first = await api('/v1/events/ingest', { key: api_key, body: event })
    expect(first.status).toBe(200)
    expect(first.headers.get('Idempotency-Replayed')).toBeNull()
    const text = await first.text()
    expect(JSON.parse(text)).toMatchObject({
      id: expect.stringMatching(/^evt_[0-9a-z]{26}$/),
      credits_burned: 15,
      balance_after: 9985,
      provider_cost_usd: 0.0075,
      wallet_id: balance.wallet_id,
      burn_table_version: 1,
    })

    const again = await api('/v1/events/ingest', { key: api_key, body: event })
    expect(again.status).toBe(200)
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(text)

    const other = await api('/v1/events/ingest', { key: api_key, body: { ...event, input_tokens: 1001 } })
    await expectProblem(other, 422, 'idempotency_mismatch')

    const after = await jsonOf(await api('/v1/credits/balance', { headers: { 'X-API-Key': api_key } }))
    expect(after.balance).toBe(9985)
  })

  it('is priced by calculate exactly as it would be burned', async () => {
    const { api_key } = await createCustomer()
    const { event_type: _, ...calculation } = GPT_4O
    const response = await api('/v1/rating/calculate', { key: api_key, body: calculation })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain(
      '"provider_cost_usd":0.0075,"credits":15,"customer_price_usd":0.015,"margin_percent":50,',
    )
  })
})
