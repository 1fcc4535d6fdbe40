import { beforeEach, describe, expect, it } from 'vitest'
import type { UsageTotals } from '../../src/usage/cells/cells.ts'
import { api, jsonOf } from '../support/api.ts'
import { balanceOf, type Json, purchased, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { inStore, ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'

/**
 * Tests that a late rating adds the difference to the earlier usage of the event. The credits and the revenue must
 * agree for any order of refunds, late rating and void. A void must leave no usage.
 */

const HOUR_MS = 3_600_000
/**
 * The usage of an event after its late rating with the default burn table: a cost of 0.015 USD, a price of 0.03 USD,
 * and 30 credits.
 */
const RATED = { cost_pico: 15_000_000_000n, price_pico: 30_000_000_000n, credits_micro: 30_000_000n }

let key: string
let ledger: TestLedger
let model: string

beforeEach(async () => {
  const customer = await createCustomer()
  key = customer.api_key
  ledger = ledgerOf(customer.customer_id)
  model = unique('model')
})

async function post(path: string, body: object, as = key): Promise<Json> {
  const response = await api(path, { key: as, body })
  const answer = await jsonOf(response)
  expect({ status: response.status, answer }).toMatchObject({
    status: expect.toSatisfy((code) => code < 300),
  })
  return answer
}

/** Saves a burn table that charges the provider's most expensive price for a model whose price is unknown. */
async function underCeiling(): Promise<void> {
  await post('/v1/burn-tables', { name: 'careful', credits_per_usd: 1000, on_unpriced: 'ceiling', rules: [] })
}

async function burn(): Promise<{ id: string; credits: number; transaction_id: string }> {
  const event = { event_type: 'TOKEN_USAGE', feature_id: 'chat', provider: 'OPENAI', model }
  const { id, credits_burned } = await post('/v1/events/ingest', {
    ...event,
    input_tokens: 1000,
    output_tokens: 500,
  })
  const { data } = await read(key, '/v1/credits/transactions?type=BURN')
  const transaction_id = Array.isArray(data) ? String(data[0].id) : ''
  return { id: String(id), credits: Number(credits_burned), transaction_id }
}

async function priceComes(): Promise<void> {
  await post(
    '/v1/admin/provider-costs',
    {
      provider: 'OPENAI',
      model,
      effective_from: new Date(Date.now() - HOUR_MS).toISOString(),
      prices: {
        input_tokens: { amount: '5', per: 1_000_000 },
        output_tokens: { amount: '20', per: 1_000_000 },
      },
    },
    OPERATOR_TOKEN,
  )
  expect(
    await post('/v1/admin/rerate', { customer_id: ledger.name.customer_id }, OPERATOR_TOKEN),
  ).toMatchObject({
    rated: 1,
  })
}

async function usage(): Promise<UsageTotals> {
  await runAlarm(ledger)
  return inStore(ledger, ({ journal }) => journal.cursor.usage)
}

const NOTHING = { events: 0n, credits_micro: 0n, cost_pico: 0n, price_pico: 0n, paid_pico: 0n }

describe('an event that is rated late', () => {
  it('counts as one event, and with its price its cost and revenue', async () => {
    const { id } = await burn()
    expect(await usage()).toEqual({ ...NOTHING, events: 1n })
    await priceComes()
    expect(await usage()).toEqual({ ...NOTHING, ...RATED, events: 1n })
    await post(`/v1/events/${id}/void`, {})
    expect(await usage()).toEqual(NOTHING)
  })

  it('under a ceiling counts the ceiling, and then the difference', async () => {
    await underCeiling()
    const { id, credits } = await burn()
    const before = await usage()
    expect(before).toMatchObject({ events: 1n, credits_micro: BigInt(Math.round(credits * 1e6)) })
    expect(before.price_pico).toBe(before.credits_micro * 1_000n)
    await priceComes()
    expect(await usage()).toEqual({ ...NOTHING, ...RATED, events: 1n })
    await post(`/v1/events/${id}/void`, {})
    expect(await usage()).toEqual(NOTHING)
  })

  it.each([
    { refunds: [10], left: 20 },
    { refunds: [10, 5], left: 15 },
    // The earlier refund is larger than the later charge, so no revenue is left.
    { refunds: [40], left: 0 },
  ])(
    'of which $refunds was refunded before keeps the revenue of the remaining $left',
    async ({ refunds, left }) => {
      await underCeiling()
      const { id, transaction_id } = await burn()
      for (const amount of refunds) await post('/v1/credits/refund', { transaction_id, amount })
      await priceComes()
      const price_pico = BigInt(left) * 1_000_000_000n
      const rated = {
        events: 1n,
        credits_micro: BigInt(left) * 1_000_000n,
        cost_pico: RATED.cost_pico,
        price_pico,
      }
      expect(await usage()).toEqual({ ...NOTHING, ...rated })
      if (left > 3) {
        await post('/v1/credits/refund', { transaction_id, amount: 3 })
        const { price_pico: after, credits_micro } = await usage()
        expect(after).toBe(price_pico - 3_000_000_000n)
        expect(credits_micro).toBe(BigInt(left - 3) * 1_000_000n)
      }
      await post(`/v1/events/${id}/void`, {})
      expect(await usage()).toEqual(NOTHING)
      expect(await balanceOf(key)).toBe(10_000)
    },
  )

  it('from a paid lot also gives the paid revenue back', async () => {
    await purchased(key, { amount: 100, price_usd: 1, priority: 0 })
    await underCeiling()
    const { id, transaction_id } = await burn()
    await post('/v1/credits/refund', { transaction_id, amount: 7 })
    await priceComes()
    const { paid_pico } = await usage()
    expect(paid_pico).toBeGreaterThan(0n)
    await post(`/v1/events/${id}/void`, {})
    expect(await usage()).toEqual(NOTHING)
    const { data } = await read(key, '/v1/credits/lots')
    expect(data).toMatchObject([{ kind: 'paid', remaining: 100 }, {}])
  })
})
