import { describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'

/** Tests that an event burns 0 credits without a warning only if a price of zero is configured. */

type Table = Readonly<Record<string, unknown>>

async function customerWith(table?: Table): Promise<string> {
  const { api_key: key } = await createCustomer()
  if (table) {
    const created = await api('/v1/burn-tables', {
      key,
      method: 'POST',
      body: { name: 't', rules: [], ...table },
    })
    expect(created.status).toBe(201)
  }
  return key
}

async function ingest(key: string, event: object) {
  const response = await api('/v1/events/ingest', {
    key,
    method: 'POST',
    body: { feature_id: 'f', ...event },
  })
  return { status: response.status, answer: await jsonOf(response) }
}

/** Events with usage that providers charge for, but without the model or the provider that is needed for the price. */
const UNPRICED = [
  ['images without a model', { event_type: 'IMAGE_GENERATION', provider: 'OPENAI', image_count: 3 }],
  ['audio without a model', { event_type: 'AUDIO_PROCESSING', provider: 'OPENAI', duration_seconds: 30 }],
  ['tokens of an API call without a provider', { event_type: 'API_CALL', input_tokens: 1000 }],
  ['web searches without a provider', { event_type: 'FEATURE_ACCESS', usage: { web_searches: 5 } }],
] as const

describe('usage that no price list can price', () => {
  it.each(UNPRICED)('%s is recorded unrated, and listed as such', async (_, event) => {
    const key = await customerWith()
    expect(await ingest(key, event)).toMatchObject({
      status: 200,
      answer: { credits_burned: 0, unrated: true },
    })
    const { data } = await jsonOf(await api('/v1/events?unrated=true', { key }))
    expect(data).toHaveLength(1)
  })

  it.each(UNPRICED)('%s is refused where the burn table rejects it', async (_, event) => {
    const key = await customerWith({ on_unpriced: 'reject' })
    expect(await ingest(key, event)).toMatchObject({ status: 422, answer: { code: 'unpriced_model' } })
  })

  it('is charged by the rate that the burn table has for it, without a warning', async () => {
    const rate = { input_tokens: { amount: 2, per: 1000 } }
    const key = await customerWith({ on_unpriced: 'reject', rules: [{ method: 'per_unit', rates: rate }] })
    const { status, answer } = await ingest(key, { event_type: 'API_CALL', input_tokens: 1000 })
    expect([status, answer.credits_burned, answer.unrated, answer.warnings]).toEqual([
      200,
      2,
      undefined,
      undefined,
    ])
  })

  it.each([
    ['no usage at all', { event_type: 'FEATURE_ACCESS' }],
    ['a usage of 0', { event_type: 'API_CALL', input_tokens: 0, output_tokens: 0 }],
  ])('%s is free and needs no mark', async (_, event) => {
    const key = await customerWith({ on_unpriced: 'reject' })
    const { status, answer } = await ingest(key, event)
    expect([status, answer.credits_burned, answer.unrated, answer.warnings]).toEqual([
      200,
      0,
      undefined,
      undefined,
    ])
  })
})

describe('a unit that no rate of the burn table names', () => {
  const perUnit = (unit: string, amount = 1) => ({
    rules: [{ method: 'per_unit', rates: { [unit]: { amount, per: 1 } } }],
  })
  const custom = (unit: string) => ({ event_type: 'CUSTOM', unit, quantity: 2 })
  const GPT_4O = { event_type: 'TOKEN_USAGE', provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1000 }

  it.each<[string, Table | undefined, object, string]>([
    ['a misspelt name', perUnit('api_calls'), custom('api_call'), 'api_call'],
    ['the default table', undefined, custom('api_calls'), 'api_calls'],
    ['tokens under a table without token rates', perUnit('api_calls'), GPT_4O, 'input_tokens'],
    [
      'tiers of another unit',
      {
        rules: [
          {
            method: 'tiered',
            mode: 'graduated',
            unit: 'pages',
            period: 'MONTHLY',
            tiers: [{ up_to: null, unit_amount: 1 }],
          },
        ],
      },
      custom('api_calls'),
      'api_calls',
    ],
    [
      'packages of another unit',
      { rules: [{ method: 'package', unit: 'pages', size: 10, amount: 1 }] },
      custom('api_calls'),
      'api_calls',
    ],
    [
      'a flat amount for another unit',
      { rules: [{ method: 'flat', unit: 'pages', amount: 1 }] },
      custom('api_calls'),
      'api_calls',
    ],
  ])('burns 0 with a warning that names it: %s', async (_, table, event, unit) => {
    const { status, answer } = await ingest(await customerWith(table), event)
    expect([status, answer.credits_burned, answer.warnings]).toEqual([
      200,
      0,
      [`no_rate_for_unit: the burn table has no rate for ${unit}.`],
    ])
  })

  it.each<[string, Table, object]>([
    ['a rate of 0', perUnit('api_calls', 0), custom('api_calls')],
    ['a flat amount of 0 for each event', { rules: [{ method: 'flat', amount: 0 }] }, custom('api_calls')],
    [
      'an allowance that is not used up',
      {
        rules: [
          {
            method: 'tiered',
            mode: 'graduated',
            unit: 'api_calls',
            period: 'MONTHLY',
            free: 10,
            tiers: [{ up_to: null, unit_amount: 1 }],
          },
        ],
      },
      custom('api_calls'),
    ],
  ])('has no warning where a zero is configured: %s', async (_, table, event) => {
    const { status, answer } = await ingest(await customerWith(table), event)
    expect([status, answer.credits_burned, answer.warnings]).toEqual([200, 0, undefined])
  })
})
