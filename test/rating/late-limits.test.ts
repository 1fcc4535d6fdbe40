import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { textField } from '../support/api.ts'
import { balanceOf, answered as ok } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'

/** Tests that limits count an event that is rated late in the same way as an event that is rated when it arrives. */

const HOUR_MS = 3_600_000
/** A time in the middle of a month, so that no monthly limit restarts during a test. */
const MIDDLE_MS = Date.UTC(new Date().getUTCFullYear() + 1, 5, 15, 12)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: MIDDLE_MS })
})
afterEach(() => {
  vi.useRealTimers()
})

/**
 * Returns an event of a model without a price. With the later price, the event costs 0.0075 USD, which is 15 credits at
 * 2,000 credits per USD.
 */
const event = (model: string, more: object = {}) => ({
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model,
  input_tokens: 1500,
  ...more,
})

const priceComes = (model: string) =>
  ok(
    OPERATOR_TOKEN,
    '/v1/admin/provider-costs',
    {
      provider: 'OPENAI',
      model,
      effective_from: new Date(Date.now() - HOUR_MS).toISOString(),
      prices: { input_tokens: { amount: '5', per: 1_000_000 } },
    },
    201,
  )

const rerate = (customer_id: string) => ok(OPERATOR_TOKEN, '/v1/admin/rerate', { customer_id }, 200)

const limit = (key: string, limit_value: number) =>
  ok(key, '/v1/entitlements', { feature_id: 'chat', limit_type: 'HARD', limit_value, period: 'MONTHLY' }, 201)

async function used(key: string): Promise<unknown> {
  const answer = await ok(key, '/v1/entitlements/check', { feature_id: 'chat' }, 200)
  return answer.limit && typeof answer.limit === 'object' && 'used' in answer.limit ? answer.limit.used : null
}

describe('a late price', () => {
  it('counts its burn in the limits of the window in which the event arrived, and a void gives it back', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    await limit(key, 20)
    const id = textField(await ok(key, '/v1/events/ingest', event(model), 200), 'id')
    await priceComes(model)
    expect(await rerate(customer_id)).toMatchObject({ rated: 1, unpaid: 0 })
    expect([await balanceOf(key), await used(key)]).toEqual([9985, 15])
    const priced = event('gpt-4o', { input_tokens: 2000 })
    await ok(key, '/v1/events/ingest', priced, 402)
    await ok(key, `/v1/events/${id}/void`, {}, 200)
    expect([await balanceOf(key), await used(key)]).toEqual([10000, 0])
    await ok(key, '/v1/events/ingest', priced, 200)
  })

  it('that exceeds a HARD limit burns nothing and stays unpaid until the limit has room', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    const entitlement = await limit(key, 20)
    await ok(key, '/v1/events/ingest', { events: [event(model), event(model)] }, 200)
    await priceComes(model)
    expect(await rerate(customer_id)).toMatchObject({ rated: 1, unpaid: 1 })
    expect([await balanceOf(key), await used(key)]).toEqual([9985, 15])
    expect(await rerate(customer_id)).toMatchObject({ rated: 0, unpaid: 1 })

    const rules = { limit_type: 'HARD', limit_value: 30, period: 'MONTHLY' }
    await ok(key, `/v1/entitlements/${textField(entitlement, 'id')}`, rules, 200, 'PUT')
    expect(await rerate(customer_id)).toMatchObject({ rated: 1, unpaid: 0 })
    expect([await balanceOf(key), await used(key)]).toEqual([9970, 30])
  })

  it('that a limit blocks does not keep later events from being paid by the next credits', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    const user_id = 'poor'
    await ok(key, '/v1/credits/grant', { user_id, amount: 1 }, 201)
    await ok(
      key,
      '/v1/entitlements',
      { feature_id: 'chat', limit_type: 'HARD', limit_value: 5, period: 'MONTHLY' },
      201,
    )
    const other = event(model, { user_id, feature_id: 'images' })
    await ok(key, '/v1/events/ingest', { events: [event(model, { user_id }), other] }, 200)
    await priceComes(model)
    expect(await rerate(customer_id)).toMatchObject({ rated: 0, unpaid: 2 })
    await ok(key, '/v1/credits/grant', { user_id, amount: 100 }, 201)
    expect(await balanceOf(key, `?user_id=${user_id}`)).toBe(86)
  })
})
