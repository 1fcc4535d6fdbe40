import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { LedgerIds } from '../../src/ledger/model/ledger-ids.ts'
import { allModels, allProviders } from '../../src/pricing/catalogue/catalogue.ts'
import { NO_OVERLAYS } from '../../src/pricing/cost/price-book.ts'
import { divideHalfEven, microCredits, parseDecimal } from '../../src/pricing/money.ts'
import { explainEvent } from '../../src/rating/explain/event.ts'
import { DAY_MS } from '../../src/time/durations.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { GPT_4O, granted, ingested, type Json, objects, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { inAnotherIsolate, OVERRIDES, PROVIDER_COSTS, perThousand, setPrice } from '../support/prices.ts'

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
  await granted(key, { amount: 1_000_000 })
})

interface Fraction {
  readonly top: bigint
  readonly bottom: bigint
}

/** Converts a number in a response to a fraction. The number is a decimal or has the form `a/b`. */
function fraction(value: unknown): Fraction {
  const [above = '', below = '1'] = String(value).split('/')
  const read = (text: string) => {
    const parsed = parseDecimal(text, 60)
    if (typeof parsed !== 'bigint') throw new Error(`not a number: ${text}`)
    return parsed
  }
  return { top: read(above), bottom: read(below) }
}

const times = (a: Fraction, b: Fraction): Fraction => ({ top: a.top * b.top, bottom: a.bottom * b.bottom })
const plus = (a: Fraction, b: Fraction): Fraction => ({
  top: a.top * b.bottom + b.top * a.bottom,
  bottom: a.bottom * b.bottom,
})
const rounded = ({ top, bottom }: Fraction, decimals: number): bigint =>
  divideHalfEven(top * 10n ** BigInt(decimals), bottom)

function object(value: unknown): Json {
  if (typeof value !== 'object' || value === null) throw new Error(`not an object: ${JSON.stringify(value)}`)
  return { ...value }
}

/**
 * Calculates the cost in pico-USD and the credits in micro-credits from the units, prices and rules in an explanation.
 */
function redo(explanation: Json): { readonly cost: bigint; readonly credits: bigint } {
  const sum = objects(explanation.units).reduce(
    (total, { quantity, price_usd, price_fraction }) =>
      plus(total, times(fraction(quantity), fraction(price_fraction ?? price_usd))),
    fraction(0),
  )
  const cost = rounded(sum, 12)
  const table = object(explanation.burn_table)
  const rule = object(table.rule)
  expect(table.method).toBe('cost_plus')
  const markup = plus(fraction(1), times(fraction(rule.markup_percent), { top: 1n, bottom: 100n }))
  const paid = times(times({ top: cost, bottom: 10n ** 12n }, fraction(table.credits_per_usd)), markup)
  const [exact, shown] = [paid, fraction(table.exact_credits)]
  expect(exact.top * shown.bottom).toBe(exact.bottom * shown.top)
  expect(object(explanation.rounding).credits).toEqual({ mode: 'half_even', step: 0.000001 })
  return { cost, credits: rounded(paid, 6) }
}

async function calculated(body: object): Promise<Json> {
  const response = await api('/v1/rating/calculate', { key, body: { ...body, explain: true } })
  const answer = await jsonOf(response)
  if (response.status !== 200) throw new Error(JSON.stringify(answer))
  return answer
}

async function explained(id: unknown): Promise<Json> {
  return read(key, `/v1/events/${String(id)}/explain`)
}

/** Returns a sample of the models that are priced by token: up to four of each provider. */
function models(): { provider: string; model: string }[] {
  return allProviders().flatMap((provider) =>
    allModels(provider)
      .filter(({ pricesAt }, index) => index % 9 === 0 && pricesAt(Date.now()).prices.has('input_tokens'))
      .slice(0, 4)
      .map(({ id }) => ({ provider: provider.id, model: id })),
  )
}

const USAGE = { input_tokens: 271_003, cache_read_tokens: 1_009, output_tokens: 7_919 }

describe('the explanation of a calculation', () => {
  it('contains all numbers to recompute its sum, for models of every provider', async () => {
    const calculations = models().map((one) => ({ ...one, usage: USAGE, explain: true }))
    expect(calculations.length).toBeGreaterThan(60)
    let redone = 0
    for (let first = 0; first < calculations.length; first += 100) {
      const body = { calculations: calculations.slice(first, first + 100) }
      const { results } = await jsonOf(await api('/v1/rating/calculate/bulk', { key, body }))
      for (const result of objects(results)) {
        if (result.error !== undefined) continue
        const { cost, credits } = redo(object(result.explanation))
        expect([cost, credits]).toEqual([
          rounded(fraction(result.provider_cost_usd), 12),
          rounded(fraction(result.credits), 6),
        ])
        redone += 1
      }
    }
    expect(redone).toBeGreaterThan(60)
  })

  it('names rule, source, tier, modifiers, and the place in the response that each unit was read from', async () => {
    const answer = await calculated({
      provider: 'OPENAI',
      provider_response: {
        model: 'gpt-4o-2024-08-06',
        service_tier: 'priority',
        usage: {
          prompt_tokens: 1000,
          completion_tokens: 500,
          total_tokens: 1500,
          prompt_tokens_details: { cached_tokens: 200 },
        },
      },
    })
    const explanation = object(answer.explanation)
    expect(explanation).toMatchObject({
      price: {
        rule: { provider: 'openai', model: 'gpt-4o', name: 'gpt-4o-2024-08-06', matched_by: 'exact' },
        source: 'catalogue',
        published_by: '@pydantic/genai-prices',
        effective_from: null,
        tier: null,
        modifiers: [{ by: 'service_tier', name: 'priority', factor: expect.stringMatching(/^[\d./]+$/) }],
        price_version: answer.price_version,
      },
      units: [
        {
          unit: 'input_tokens',
          quantity: 800,
          reported: 1000,
          read_from: 'provider_response.usage.prompt_tokens',
        },
        {
          unit: 'cache_read_tokens',
          quantity: 200,
          read_from: 'provider_response.usage.prompt_tokens_details.cached_tokens',
        },
        { unit: 'output_tokens', quantity: 500, read_from: 'provider_response.usage.completion_tokens' },
      ],
      burn_table: { version: 1, id: null, method: 'cost_plus', credits_per_usd: 1000 },
      lots: [],
    })
    expect(redo(explanation).cost).toBe(rounded(fraction(answer.provider_cost_usd), 12))
  })

  it('names the context tier and the day from which a price holds', async () => {
    const tiered = await calculated({ provider: 'GOOGLE', model: 'gemini-2.5-pro', input_tokens: 300_000 })
    expect(tiered.explanation).toMatchObject({
      price: { tier: { input_tokens: 200_000, inclusive: false } },
      units: [{ unit: 'input_tokens', read_from: 'input_tokens' }],
    })
    const dated = await calculated({ provider: 'OPENAI', model: 'o3', usage: { input_tokens: 5 } })
    expect(dated.explanation).toMatchObject({
      price: { effective_from: '2025-06-10T00:00:00.000Z', rule: { period: '@2025-06-10' } },
      units: [{ read_from: 'usage.input_tokens' }],
    })
  })

  it('is left out unless it is requested', async () => {
    const body = { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1 }
    expect(await jsonOf(await api('/v1/rating/calculate', { key, body }))).not.toHaveProperty('explanation')
  })

  it('names each price set at run time, the customer before the operator', async () => {
    await setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, {
      provider: 'OPENAI',
      model: 'explained-1',
      prices: perThousand('0.3'),
    })
    await setPrice(OVERRIDES, key, {
      provider: 'OPENAI',
      model: 'explained-1',
      prices: { multiplier: '0.7' },
    })
    const answer = await calculated({ provider: 'OPENAI', model: 'explained-1', input_tokens: 70 })
    expect(answer.explanation).toMatchObject({
      price: {
        source: 'override',
        multiplier: 0.7,
        rule: { model: 'explained-1', matched_by: 'price', price_id: expect.stringMatching(/^po_/) },
        below: [{ source: 'operator' }],
      },
    })
    expect(redo(object(answer.explanation)).cost).toBe(rounded(fraction('0.0147'), 12))
  })

  it('shows the exact credits of other rules, tiers from the beginning of a period', async () => {
    const other = (await createCustomer()).api_key
    await api('/v1/burn-tables', {
      key: other,
      body: {
        name: 'By package',
        rounding: { mode: 'ceil', step: 0.01 },
        rules: [
          { match: { model: 'gpt-4o' }, method: 'per_unit', rates: { input_tokens: { amount: 1, per: 3 } } },
          { match: {}, method: 'flat', amount: 2 },
        ],
      },
    })
    const body = { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 100, explain: true }
    const answer = await jsonOf(await api('/v1/rating/calculate', { key: other, body }))
    expect(answer).toMatchObject({
      credits: 33.34,
      explanation: {
        burn_table: {
          version: 2,
          method: 'per_unit',
          rule: { match: { model: 'gpt-4o' } },
          exact_credits: '100/3',
        },
        rounding: { credits: { mode: 'ceil', step: 0.01 } },
      },
    })
  })
})

describe('GET /v1/events/:id/explain', () => {
  it('contains all numbers to recompute the charge of a recorded event, for models of every provider', async () => {
    const events = models().map((one) => ({
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      ...one,
      usage: USAGE,
    }))
    const { results } = await ingested(key, { events })
    let redone = 0
    for (const { id } of objects(results).slice(0, 60)) {
      const explanation = await explained(id)
      if (explanation.status === 'unrated') continue
      const { cost, credits } = redo(explanation)
      expect([cost, credits]).toEqual([
        rounded(fraction(explanation.provider_cost_usd), 12),
        rounded(fraction(explanation.credits_burned), 6),
      ])
      const taken = objects(explanation.lots).reduce(
        (sum, { amount }) => plus(sum, fraction(amount)),
        fraction(0),
      )
      expect(rounded(taken, 6)).toBe(-credits)
      redone += 1
    }
    expect(redone).toBeGreaterThan(50)
  })

  it('explains an event from the price that it recorded, also after that price was replaced', async () => {
    const model = 'replaced-1'
    await setPrice(OVERRIDES, key, { provider: 'OPENAI', model, prices: perThousand('0.5') })
    const { id } = await ingested(key, { ...GPT_4O, model })
    await setPrice(OVERRIDES, key, { provider: 'OPENAI', model, prices: perThousand('0.9') })
    expect(await explained(id)).toMatchObject({
      status: 'rated',
      provider_cost_usd: 0.5,
      price: { source: 'override', rule: { model } },
      units: [
        { unit: 'input_tokens', quantity: 1000, price_usd: 0.0005, read_from: 'usage.input_tokens' },
        { unit: 'output_tokens', quantity: 500, price_usd: 0 },
      ],
    })
  })

  it('reports that a price which this deployment no longer has cannot be shown', async () => {
    const { id } = await ingested(key, { ...GPT_4O, model: 'replaced-1' })
    const path = `/v1/events/${String(id)}/explain`
    const customer = await read(key, '/v1/customers/me')
    await env.DB.prepare('UPDATE price_overlays SET scope = ?1 WHERE scope = ?2')
      .bind('moved away', textField(customer, 'customer_id'))
      .run()
    inAnotherIsolate()
    expect(await read(key, path)).toMatchObject({
      price: {
        rule: null,
        source: null,
        note: 'This deployment does not have the recorded price version. The recorded cost is unchanged.',
      },
      units: [
        { unit: 'input_tokens', quantity: 1000, price_usd: null, cost_usd: null },
        { unit: 'output_tokens', quantity: 500, price_usd: null, cost_usd: null },
      ],
    })
  })

  it('states the outcome of unrated, voided, refunded and captured events', async () => {
    const unrated = await ingested(key, { ...GPT_4O, model: 'gpt-none' })
    expect(await explained(unrated.id)).toMatchObject({
      status: 'unrated',
      credits_burned: 0,
      price: { source: null, note: expect.stringContaining('No price was known') },
    })
    const voided = await ingested(key, GPT_4O)
    await api(`/v1/events/${String(voided.id)}/void`, { key, method: 'POST' })
    expect(await explained(voided.id)).toMatchObject({
      status: 'voided',
      credits_burned: 15,
      credits_given_back: 15,
    })
    const custom = await ingested(key, { event_type: 'CUSTOM', feature_id: 'x', unit: 'pages', quantity: 3 })
    expect(await explained(custom.id)).toMatchObject({
      status: 'rated',
      price: {
        note: 'The event has no known provider or no model. Only the burn table determines the price of the event.',
      },
      units: [{ unit: 'pages', quantity: 3, read_from: 'usage.custom.pages', price_usd: null }],
    })
    const hold = await jsonOf(await api('/v1/holds', { key, body: { credits: 20, feature_id: 'chat' } }))
    const captured = await ingested(key, { ...GPT_4O, hold_id: textField(hold, 'hold_id') })
    expect(await explained(captured.id)).toMatchObject({ status: 'rated', credits_burned: 15 })
  })

  it('returns 404 to another customer, and for an unknown id', async () => {
    const { id } = await ingested(key, GPT_4O)
    const stranger = (await createCustomer()).api_key
    expect((await api(`/v1/events/${String(id)}/explain`, { key: stranger })).status).toBe(404)
    expect((await api('/v1/events/evt_none/explain', { key })).status).toBe(404)
  })

  it('explains an event that is late by a month', async () => {
    const timestamp = new Date(Date.now() - 30 * DAY_MS).toISOString()
    const { id } = await ingested(key, { ...GPT_4O, timestamp })
    expect(redo(await explained(id)).credits).toBe(15_000_000n)
  })
})

it('an event that an earlier catalogue priced names it, and shows no price of another catalogue', () => {
  const event = {
    timestamp_ms: Date.now(),
    event_type: 'TOKEN_USAGE',
    feature_id: 'chat',
    provider: 'OPENAI',
    model: 'gpt-4o',
    usage: { input_tokens: 1000 },
    cost: { micro: 2500, pico: 0 },
    price: { micro: 5000, pico: 0 },
    burn_table_version: 1,
    price_version: '0123456789:openai/gpt-4o',
  } as const
  const entry = {
    kind: 'entry',
    number: 5,
    type: 'BURN',
    wallet: 1,
    at_ms: Date.now(),
    amount: microCredits(-5_000_000),
    balance_after: microCredits(0),
    lots: [],
    event,
  } as const
  const answer = { table: null, given_back: microCredits(0), voided: false, late_lots: [] }
  const defaults = { credits_per_usd_micro: 1_000_000_000n, markup_percent_micro: 100_000_000n }
  expect(explainEvent(new LedgerIds('y6qxbj7y', 0), entry, answer, NO_OVERLAYS, defaults)).toMatchObject({
    status: 'rated',
    price: { rule: null, source: null, note: expect.stringContaining('catalogue 0123456789') },
    units: [{ unit: 'input_tokens', quantity: 1000, price_usd: null, cost_usd: null }],
    burn_table: null,
  })
})
