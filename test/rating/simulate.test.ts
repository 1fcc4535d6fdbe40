import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { saved } from '../burn-tables/support.ts'
import { api, jsonOf } from '../support/api.ts'
import {
  balanceOf,
  expectNothingMoved,
  expectRefused,
  GPT_4O,
  granted,
  ingested,
  type Json,
  objects,
} from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { OVERRIDES, perThousand, setPrice } from '../support/prices.ts'

const HOUR_MS = 3_600_000
const at = (by_ms: number) => new Date(Date.now() + by_ms).toISOString()
const LAST_DAY = { from: at(-24 * HOUR_MS), to: at(HOUR_MS) }

function post(key: string, body: unknown): Promise<Response> {
  return api('/v1/rating/simulate', { key, body })
}

async function simulated(key: string, burn_table: Json, times: Json = LAST_DAY): Promise<Json> {
  const response = await post(key, { burn_table, ...times })
  const body = await jsonOf(response)
  if (response.status !== 200) throw new Error(JSON.stringify(body))
  return body
}

/** A burn table with rules of every kind, so that a test fails if the simulation rates an event unlike a live burn. */
const DRAFT = {
  credits_per_usd: 750,
  rounding: { mode: 'ceil', step: 0.01 },
  min_charge: 0.02,
  rules: [
    {
      match: { feature: 'api' },
      method: 'tiered',
      mode: 'graduated',
      unit: 'calls',
      free: 7,
      tiers: [
        { up_to: 20, unit_amount: 0.7, flat_amount: 3 },
        { up_to: null, unit_amount: 0.3 },
      ],
    },
    {
      match: { feature: 'volume' },
      method: 'tiered',
      mode: 'volume',
      unit: 'input_tokens',
      tiers: [
        { up_to: 3000, unit_amount: 0.002 },
        { up_to: null, unit_amount: 0.001 },
      ],
    },
    {
      match: { feature: 'tokens' },
      method: 'per_unit',
      rates: { input_tokens: { amount: 1, per: 700 }, cache_read_tokens: { amount: 1, per: 9000 } },
    },
    { match: { model: 'gpt-4o' }, method: 'cost_plus', markup_percent: 12.5, fixed: 0.001 },
  ],
}

const anEvent = fc.oneof(
  fc
    .integer({ min: 0, max: 15 })
    .map((quantity) => ({ event_type: 'API_CALL', feature_id: 'api', unit: 'calls', quantity })),
  fc.integer({ min: 0, max: 2000 }).map((n) => ({ ...GPT_4O, feature_id: 'volume', input_tokens: n })),
  fc.integer({ min: 0, max: 2000 }).map((n) => {
    const usage = { input_tokens: n + 500, cache_read_tokens: n }
    return { event_type: 'TOKEN_USAGE', feature_id: 'tokens', provider: 'OPENAI', model: 'gpt-4o', usage }
  }),
  fc.constant({ ...GPT_4O }),
  fc.constant({ ...GPT_4O, feature_id: 'other', model: 'gpt-4o-mini' }),
)

describe('POST /v1/rating/simulate', () => {
  it('gives what live burning under the draft gives for the same events', async () => {
    const past = await createCustomer()
    const other = await createCustomer()
    await saved(other.api_key, DRAFT)
    const events = fc.sample(fc.tuple(anEvent, fc.constantFrom(undefined, undefined, 'zoe')), {
      numRuns: 120,
      seed: 7,
    })
    for (const { api_key } of [past, other]) await granted(api_key, { user_id: 'zoe', amount: 1e6 })
    for (const from of [0, 40, 80]) {
      const part = events.slice(from, from + 40)
      const body = { events: part.map(([event, user_id]) => ({ ...event, user_id })) }
      for (const { api_key } of [past, other]) await ingested(api_key, body)
      // Flushes all events except the last ones to D1. The last events are only in the ledger object.
      if (from < 80) await runAlarm(ledgerOf(past.customer_id))
    }
    const spent = async (key: string) =>
      10_000 + 1e6 - Number(await balanceOf(key)) - Number(await balanceOf(key, '?user_id=zoe'))
    const [recorded, live] = [await spent(past.api_key), await spent(other.api_key)]

    const answer = await expectNothingMoved(past.api_key, () => simulated(past.api_key, DRAFT))
    expect(answer).toMatchObject({ events: 120, unrated_events: 0 })
    expect(answer.credits_recorded).toBeCloseTo(recorded, 5)
    expect(answer.credits_simulated).toBeCloseTo(live, 5)
    expect(answer.difference).toBeCloseTo(live - recorded, 5)

    // The other customer's events were burned with this burn table, so the simulation shows no difference.
    expect(await simulated(other.api_key, DRAFT)).toMatchObject({
      credits_recorded: answer.credits_simulated,
      credits_simulated: answer.credits_simulated,
      difference: 0,
    })
  })

  it('sums by feature and model, the most expensive first, with cost, price and margin', async () => {
    const { api_key } = await createCustomer()
    const mail = { ...GPT_4O, feature_id: 'mail', model: 'gpt-4o-2024-11-20' }
    await ingested(api_key, { events: [GPT_4O, GPT_4O, mail] })
    const price = (cost: number, recorded: number, simulated: number) => ({
      provider_cost_usd: cost,
      customer_price_recorded_usd: recorded,
      customer_price_usd: simulated,
      customer_price_difference_usd: Number((simulated - recorded).toFixed(6)),
      margin_percent: 20,
    })
    const answer = await simulated(api_key, { rules: [{ method: 'cost_plus', markup_percent: 25 }] })
    expect(answer).toEqual({
      events: 3,
      credits_recorded: 45,
      credits_simulated: 28.125,
      difference: -16.875,
      ...price(0.0225, 0.045, 0.028125),
      unrated_events: 0,
      by_feature: [
        {
          feature_id: 'chat',
          events: 2,
          credits_recorded: 30,
          credits_simulated: 18.75,
          difference: -11.25,
          ...price(0.015, 0.03, 0.01875),
        },
        {
          feature_id: 'mail',
          events: 1,
          credits_recorded: 15,
          credits_simulated: 9.375,
          difference: -5.625,
          ...price(0.0075, 0.015, 0.009375),
        },
      ],
      other_features: null,
      by_model: [
        {
          provider: 'OPENAI',
          model: 'gpt-4o',
          events: 2,
          credits_recorded: 30,
          credits_simulated: 18.75,
          difference: -11.25,
          ...price(0.015, 0.03, 0.01875),
        },
        {
          provider: 'OPENAI',
          model: 'gpt-4o-2024-11-20',
          events: 1,
          credits_recorded: 15,
          credits_simulated: 9.375,
          difference: -5.625,
          ...price(0.0075, 0.015, 0.009375),
        },
      ],
      other_models: null,
    })
  })

  it('lists 100 features and models, and adds the others to one exact sum', async () => {
    const { api_key } = await createCustomer()
    await setPrice(OVERRIDES, api_key, { provider: 'OPENAI', model: 'bulk-*', prices: perThousand(0.000101) })
    const events = Array.from({ length: 103 }, (_, i) => ({
      ...GPT_4O,
      feature_id: `feature-${i}`,
      model: `bulk-${i}`,
      input_tokens: 1000 * (i + 1),
    }))
    const nameless = { event_type: 'API_CALL', feature_id: 'feature-0', unit: 'calls', quantity: 5 }
    await ingested(api_key, { events: [...events, nameless] })
    const rules = [
      {
        match: { feature: 'feature-0' },
        method: 'per_unit',
        rates: { calls: { amount: 0.000001, per: 1 }, input_tokens: { amount: 0.000001, per: 1000 } },
      },
      { method: 'cost_plus', markup_percent: 33.3 },
    ]
    const answer = await simulated(api_key, { credits_per_usd: 1, rules })
    expect(answer.events).toBe(104)
    for (const [parts, others] of [
      ['by_feature', 'other_features'],
      ['by_model', 'other_models'],
    ] as const) {
      const listed = objects(answer[parts])
      expect(listed).toHaveLength(100)
      const [rest] = objects([answer[others]])
      if (!rest) throw new Error('no other parts')
      const all = [...listed, rest]
      for (const field of ['events', 'credits_recorded', 'credits_simulated', 'difference']) {
        const micro = (part: Json) => BigInt(Math.round(Number(part[field]) * 1e6))
        expect(
          all.reduce((sum, part) => sum + micro(part), 0n),
          `${parts} ${field}`,
        ).toBe(micro(answer))
      }
      const simulations = listed.map(({ credits_simulated }) => Number(credits_simulated))
      expect(simulations).toEqual(simulations.toSorted((a, b) => b - a))
    }
    expect(objects(answer.by_model)[0]).toMatchObject({ provider: 'OPENAI', model: 'bulk-102' })
    expect(answer.other_features).toMatchObject({ events: 4 })
    expect(answer.other_models).toMatchObject({ events: 4 })
  })

  it('takes events by their own time and reports unrated ones apart', async () => {
    const { api_key } = await createCustomer()
    const times = [-3 * HOUR_MS, -2 * HOUR_MS, -HOUR_MS]
    for (const by_ms of times) await ingested(api_key, { ...GPT_4O, timestamp: at(by_ms) })
    await ingested(api_key, { ...GPT_4O, model: 'imaginary', timestamp: at(-2 * HOUR_MS) })
    const between = { from: at(-2.5 * HOUR_MS), to: at(-1.5 * HOUR_MS) }
    expect(await simulated(api_key, {}, between)).toMatchObject({
      events: 1,
      unrated_events: 1,
      credits_simulated: 15,
    })
    expect(await simulated(api_key, {}, { from: at(-100 * HOUR_MS), to: at(-99 * HOUR_MS) })).toMatchObject({
      events: 0,
      credits_recorded: 0,
      margin_percent: null,
      by_feature: [],
      by_model: [],
    })
  })

  it('counts an event with a late price once, in the order of arrival, at its final cost', async () => {
    const { api_key, customer_id } = await createCustomer()
    const model = unique('model')
    await ingested(api_key, { ...GPT_4O, model })
    await ingested(api_key, GPT_4O)
    await setPrice(OVERRIDES, api_key, {
      provider: 'OPENAI',
      model,
      prices: perThousand(0.01),
      effective_from: at(-HOUR_MS),
    })
    expect(await simulated(api_key, {})).toMatchObject({ events: 1, unrated_events: 1, credits_recorded: 15 })
    const rerate = await api('/v1/admin/rerate', { key: OPERATOR_TOKEN, body: { customer_id } })
    expect(await jsonOf(rerate)).toMatchObject({ rated: 1 })
    const expected = {
      events: 2,
      unrated_events: 0,
      credits_recorded: 35,
      credits_simulated: 35,
      difference: 0,
      customer_price_recorded_usd: 0.035,
      customer_price_usd: 0.035,
      customer_price_difference_usd: 0,
    }
    expect(await simulated(api_key, {})).toMatchObject(expected)
    await runAlarm(ledgerOf(customer_id))
    expect(await simulated(api_key, {})).toMatchObject(expected)
  })

  it('includes only events of its key’s mode and customer', async () => {
    const { api_key, customer_id } = await createCustomer()
    await ingested(api_key, GPT_4O)
    const stranger = await createCustomer()
    expect(await simulated(stranger.api_key, {})).toMatchObject({ events: 0 })
    const test = (await createKey(customer_id, { mode: 'test' })).api_key
    await expectRefused(await post(test, { burn_table: {}, ...LAST_DAY }), 503, 'unavailable')
  })

  it.each<[string, Json, string, string]>([
    ['no table', { burn_table: undefined }, '/burn_table', 'required'],
    ['no from', { from: undefined }, '/from', 'required'],
    ['no to', { to: undefined }, '/to', 'required'],
    ['to before from', { to: '2020-01-01T00:00:00Z' }, '/to', 'must be after from'],
    [
      '32 days',
      { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00.001Z' },
      '/to',
      'must be at most 31 days after from',
    ],
    [
      'a misspelt unit',
      { burn_table: { rules: [{ method: 'flat', amount: 1, unit: 'input_token' }] } },
      '/burn_table/rules/0/unit',
      'Did you mean input_tokens?',
    ],
    ['a wrong amount', { burn_table: { min_charge: -1 } }, '/burn_table/min_charge', 'must not be negative'],
    ['an unknown field', { burn_tables: 1 }, '/burn_tables', 'unknown field'],
  ])('refuses %s', async (_, fields, path, message) => {
    const { api_key } = await createCustomer()
    const problem = await expectRefused(
      await post(api_key, { burn_table: {}, ...LAST_DAY, ...fields }),
      400,
      'invalid_request',
    )
    expect(objects(problem.errors)).toContainEqual({ path, message: expect.stringContaining(message) })
  })

  it('refuses a draft that is ambiguous, and a key without the scope', async () => {
    const { api_key, customer_id } = await createCustomer()
    const rules = [
      { method: 'flat', amount: 1 },
      { method: 'flat', amount: 2 },
    ]
    await expectRefused(await post(api_key, { burn_table: { rules }, ...LAST_DAY }), 409, 'conflict')
    const { api_key: ingestOnly } = await createKey(customer_id, { scopes: ['events:write'] })
    await expectRefused(await post(ingestOnly, { burn_table: {}, ...LAST_DAY }), 403, 'insufficient_scope')
  })
})
