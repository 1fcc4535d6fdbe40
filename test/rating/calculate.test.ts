import { beforeAll, describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { expectInvalid, expectNothingMoved, expectRefused, type Json } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

const GPT_4O = { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1000, output_tokens: 500 }

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
})

function calculate(body: unknown): Promise<Response> {
  return api('/v1/rating/calculate', { key, body })
}

async function calculated(body: unknown): Promise<Json> {
  const response = await calculate(body)
  const answer = await jsonOf(response)
  if (response.status !== 200) throw new Error(`${response.status}: ${JSON.stringify(answer)}`)
  return answer
}

describe('POST /v1/rating/calculate', () => {
  it('returns for gpt-4o with 1,000 tokens in and 500 out exactly the values of the contract', async () => {
    const text = await (await expectNothingMoved(key, () => calculate(GPT_4O))).text()
    expect(text).toMatch(
      /^\{"provider_cost_usd":0\.0075,"credits":15,"customer_price_usd":0\.015,"margin_percent":50,"optimization":/,
    )
    expect(JSON.parse(text)).toMatchObject({
      usage: { input_tokens: 1000, output_tokens: 500 },
      breakdown: [
        { unit: 'input_tokens', quantity: 1000, price_usd: 0.0000025, cost_usd: 0.0025 },
        { unit: 'output_tokens', quantity: 500, price_usd: 0.00001, cost_usd: 0.005 },
      ],
      pricing_source: 'default_burn_table',
      burn_table_version: 1,
      price_version: expect.stringContaining('gpt-4o'),
    })
    expect(text).toContain('"price_usd":0.0000025,')
    expect(text).toContain('"price_usd":0.00001,')
  })

  // The names of the cases contain the providers' list prices in USD per million tokens. A provider cost of 1 USD is
  // 2,000 credits.
  const prices: [what: string, body: object, provider_cost_usd: string, credits: string][] = [
    [
      'one token of gpt-4o-mini, at 0.15',
      { provider: 'openai', model: 'gpt-4o-mini', input_tokens: 1 },
      '0.00000015',
      '0.0003',
    ],
    [
      'one cached token of gpt-5-nano, at 0.005',
      { provider: 'OPENAI', model: 'gpt-5-nano', usage: { cache_read_tokens: 1 } },
      '0.000000005',
      '0.00001',
    ],
    ['nothing', { ...GPT_4O, input_tokens: 0, output_tokens: 0 }, '0', '0'],
    [
      '1e13 tokens in and out of gpt-4o',
      { ...GPT_4O, input_tokens: 1e13, output_tokens: 1e13 },
      '125000000',
      '250000000000',
    ],
    [
      '1e13 tokens out of gpt-5.5-pro, at 270 past 272,000 of input',
      { provider: 'OPENAI', model: 'gpt-5.5-pro', input_tokens: 272_000, output_tokens: 1e13 },
      '2700000016.32',
      '5400000032640',
    ],
    [
      'a microsecond of Whisper, at 0.36 an hour',
      { provider: 'OPENAI', model: 'whisper-1', usage: { audio_seconds: 0.000001 } },
      '0.0000000001',
      '0',
    ],
    [
      'half a million tokens of Gemini 2.5 Pro: past 200,000 all of it is 2.50 and 15',
      { provider: 'GOOGLE', model: 'gemini-2.5-pro', input_tokens: 500_000, output_tokens: 100 },
      '1.2515',
      '2503',
    ],
    [
      '200,000 tokens of Gemini 2.5 Pro, at 1.25',
      { provider: 'GOOGLE', model: 'gemini-2.5-pro', input_tokens: 200_000 },
      '0.25',
      '500',
    ],
    ['a batch of gpt-4o, at half the price', { ...GPT_4O, service_tier: 'batch' }, '0.00375', '7.5'],
    [
      'a minute of Whisper, whose seconds are of audio',
      { provider: 'OPENAI', model: 'whisper-1', duration_seconds: 60 },
      '0.006',
      '12',
    ],
    [
      'ten seconds of Sora 2, whose seconds are of video',
      { provider: 'OPENAI', model: 'sora-2', duration_seconds: 10 },
      '1',
      '2000',
    ],
    [
      'two HD images of DALL-E 3',
      { provider: 'OPENAI', model: 'dall-e-3', image_count: 2, image_size: '1024x1024', quality: 'hd' },
      '0.16',
      '320',
    ],
    [
      'a tenth of a credit and less: 333 tokens of gpt-4o-mini',
      { provider: 'OPENAI', model: 'gpt-4o-mini', input_tokens: 333 },
      '0.00004995',
      '0.0999',
    ],
  ]
  it.each(prices)('prices %s', async (_, body, provider_cost_usd, credits) => {
    const text = await (await calculate(body)).text()
    expect(text).toMatch(new RegExp(`^{"provider_cost_usd":${provider_cost_usd},"credits":${credits},`))
  })

  it.each([
    ...prices.map(([what, body]) => [what, body] as const),
    [
      'a fraction of a second out of a response',
      {
        provider: 'OPENAI',
        model: 'whisper-1',
        provider_api: 'audio',
        provider_response: { usage: { type: 'duration', seconds: 1e-7 } },
      },
    ] as const,
  ])('writes no exponent: %s', async (_, body) => {
    const response = await calculate(body)
    expect(response.status).toBe(200)
    // Removes strings first, because the price version contains hexadecimal digits that can look like an exponent.
    expect((await response.text()).replace(/"[^"]*"/g, '""')).not.toMatch(/\d[eE][+-]?\d/)
  })

  it('rounds half a millionth of a credit to the even side', async () => {
    // A second of Whisper costs 0.0001 USD, which is 0.2 credits. Therefore, 2.5e-6 s cost 0.5 micro-credits, and
    // 7.5e-6 s cost 1.5 micro-credits.
    for (const [seconds, credits] of [
      [2.5e-6, 0],
      [2.6e-6, 0.000001],
      [7.5e-6, 0.000002],
      [12.5e-6, 0.000002],
    ]) {
      const body = {
        provider: 'OPENAI',
        model: 'whisper-1',
        provider_api: 'audio',
        provider_response: { usage: { type: 'duration', seconds } },
      }
      expect(await calculated(body)).toMatchObject({ credits })
    }
  })

  it('has no margin without a price', async () => {
    expect(await calculated({ ...GPT_4O, input_tokens: 0, output_tokens: 0 })).toMatchObject({
      margin_percent: null,
      breakdown: [],
    })
  })

  it('bills each token once, at its most specific price', async () => {
    const answer = await calculated({
      ...GPT_4O,
      usage: { input_tokens: 1000, cache_read_tokens: 400, output_tokens: 500, output_reasoning_tokens: 200 },
    })
    expect(answer).toMatchObject({ provider_cost_usd: 0.007, credits: 14 })
    expect(answer.breakdown).toEqual([
      { unit: 'input_tokens', quantity: 600, price_usd: 0.0000025, cost_usd: 0.0015 },
      { unit: 'cache_read_tokens', quantity: 400, price_usd: 0.00000125, cost_usd: 0.0005 },
      {
        unit: 'output_tokens',
        quantity: 500,
        price_usd: 0.00001,
        cost_usd: 0.005,
        without_own_price: [{ unit: 'output_reasoning_tokens', quantity: 200 }],
      },
    ])
  })

  it('may name a feature, and accepts any spelling of a provider', async () => {
    for (const provider of ['OPENAI', 'openai', 'Open_AI', 'open-ai']) {
      expect(await calculated({ ...GPT_4O, provider, feature_id: 'chat' })).toMatchObject({ credits: 15 })
    }
  })
})

describe('a calculation for a time', () => {
  const times: [at: string, provider_cost_usd: number][] = [
    ['2025-01-01T00:00:00Z', 0.01],
    ['2025-06-09T23:59:59.999Z', 0.01],
    ['2025-06-10T00:00:00Z', 0.002],
    ['2025-06-10T01:59:59+02:00', 0.01],
    ['2025-06-10T02:00:00+02:00', 0.002],
    ['1970-01-01T00:00:00Z', 0.01],
  ]
  it.each(times)('at %s uses the price of o3 that was in force', async (at, provider_cost_usd) => {
    expect(await calculated({ provider: 'OPENAI', model: 'o3', input_tokens: 1000, at })).toMatchObject({
      provider_cost_usd,
    })
  })

  it('uses the current price by default', async () => {
    expect(await calculated({ provider: 'OPENAI', model: 'o3', input_tokens: 1000 })).toMatchObject({
      provider_cost_usd: 0.002,
    })
  })
})

describe('a calculation is refused', () => {
  it('for a model without a price, with the names that are nearest', async () => {
    const problem = await expectRefused(
      await calculate({ ...GPT_4O, model: 'gpt-4oo' }),
      422,
      'unpriced_model',
    )
    expect(problem.nearest).toContain('gpt-4o')
    expect(problem.detail).toContain('gpt-4oo')
  })

  it('for an unknown provider_api, at that field', async () => {
    const usage = { prompt_tokens: 1, completion_tokens: 1 }
    const body = { provider: 'OPENAI', model: 'gpt-4o', provider_response: { usage }, provider_api: 'nope' }
    await expectInvalid(await calculate(body), '/provider_api', /unknown provider_api/)
  })

  it('for an unknown provider, with the nearest names', async () => {
    const problem = await expectRefused(
      await calculate({ ...GPT_4O, provider: 'ANTROPIC' }),
      422,
      'unknown_provider',
    )
    expect(problem.nearest).toContain('anthropic')
  })

  const bad: [what: string, body: unknown, path: string, message: RegExp][] = [
    [
      'a part that is more than the whole',
      { ...GPT_4O, usage: { cache_read_tokens: 1001 } },
      '/usage/input_tokens',
      /less than its parts/,
    ],
    [
      'parts that are together more than the whole',
      { ...GPT_4O, usage: { cache_read_tokens: 600, cache_write_tokens: 600 } },
      '/usage/input_tokens',
      /less than its parts/,
    ],
    [
      'more reasoning than output',
      { ...GPT_4O, usage: { output_reasoning_tokens: 501 } },
      '/usage/output_tokens',
      /less than its parts/,
    ],
    [
      'two numbers for one unit',
      { ...GPT_4O, usage: { input_tokens: 999 } },
      '/input_tokens',
      /is 1000, but usage.input_tokens is 999/,
    ],
    ['no provider', { ...GPT_4O, provider: undefined }, '/provider', /required/],
    ['no model', { ...GPT_4O, model: undefined }, '/model', /required/],
    ['no usage', { provider: 'OPENAI', model: 'gpt-4o' }, '/usage', /required: send usage/],
    ['empty usage', { provider: 'OPENAI', model: 'gpt-4o', usage: {} }, '/usage', /required: send usage/],
    ['negative tokens', { ...GPT_4O, input_tokens: -1 }, '/input_tokens', /negative/],
    ['half a token', { ...GPT_4O, output_tokens: 0.5 }, '/output_tokens', /whole/],
    ['1e300 tokens', { ...GPT_4O, input_tokens: 1e300 }, '/input_tokens', /at most/],
    ['tokens in text', { ...GPT_4O, input_tokens: '1000' }, '/input_tokens', /whole/],
    ['a time without an offset', { ...GPT_4O, at: '2026-01-01T00:00:00' }, '/at', /RFC 3339/],
    ['a field of an event', { ...GPT_4O, event_type: 'TOKEN_USAGE' }, '/event_type', /unknown field/],
    [
      'a prototype key',
      `{"__proto__":{"a":1},${JSON.stringify(GPT_4O).slice(1)}`,
      '/__proto__',
      /unknown field/,
    ],
    ['a response that cannot be read', { ...GPT_4O, provider_response: {} }, '/provider_response', /./],
    ['a list', [GPT_4O], '', /./],
    ['an empty object', {}, '/provider', /required/],
  ]
  it.each(bad)('for %s', async (_, body, path, message) => {
    await expectInvalid(await calculate(body), path, message)
  })

  it('for a body that is not JSON', async () => {
    await expectRefused(await calculate('{"provider":'), 400, 'invalid_json')
  })
})

describe('calculate and ingest', () => {
  it('return the same for the same usage', async () => {
    const bodies = [
      { provider: 'OPENAI', model: 'gpt-4.1-mini', input_tokens: 1234, output_tokens: 77 },
      {
        provider: 'ANTHROPIC',
        model: 'claude-opus-4-1',
        usage: { input_tokens: 5000, cache_read_tokens: 4000, cache_write_tokens: 500, output_tokens: 1 },
      },
      { provider: 'MISTRAL', model: 'mistral-large-latest', input_tokens: 7, output_tokens: 3 },
      { provider: 'COHERE', model: 'command-r-plus', input_tokens: 999, output_tokens: 1 },
      { provider: 'AMAZON', model: 'amazon.nova-pro-v1:0', input_tokens: 10, output_tokens: 10 },
      { provider: 'BLACK_FOREST_LABS', model: 'flux-pro-1.1', image_count: 2 },
    ]
    for (const body of bodies) {
      const event = {
        ...body,
        event_type: 'image_count' in body ? 'IMAGE_GENERATION' : 'TOKEN_USAGE',
        feature_id: 'same',
      }
      const burned = await jsonOf(await api('/v1/events/ingest', { key, body: event }))
      const answer = await calculated(body)
      expect(answer.credits).toBeGreaterThan(0)
      expect(burned).toMatchObject({
        credits_burned: answer.credits,
        provider_cost_usd: answer.provider_cost_usd,
        price_version: answer.price_version,
      })
    }
  })
})
