import { beforeAll, describe, expect, it } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import {
  balanceOf,
  expectInvalid,
  expectNothingMoved,
  expectRefused,
  GPT_4O,
  granted,
  ingest,
  ingested,
  listed,
  read,
} from '../support/client.ts'
import { createCustomer, type TestCustomer, unique } from '../support/customers.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const LONGEST = 'x'.repeat(255)

function inMs(offset_ms: number): string {
  return new Date(Date.now() + offset_ms).toISOString()
}

let customer: TestCustomer
beforeAll(async () => {
  customer = await createCustomer()
  await granted(customer.api_key, { amount: 1_000_000 })
})

describe('the response to an event', () => {
  it('has exactly these fields', async () => {
    const { api_key } = customer
    const before = await balanceOf(api_key)
    const answer = await ingested(api_key, GPT_4O)
    expect(answer).toEqual({
      id: expect.stringMatching(/^evt_[0-9a-z]{26}$/),
      credits_burned: 15,
      balance_after: Number(before) - 15,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      provider_cost_usd: 0.0075,
      wallet_id: expect.stringMatching(/^wal_[0-9a-z]{26}$/),
      burn_table_version: 1,
      price_version: expect.stringContaining('gpt-4o'),
    })
    expect(await balanceOf(api_key)).toBe(answer.balance_after)
  })

  it.each([
    ['Authorization: Bearer', (key: string) => ({ Authorization: `Bearer ${key}` })],
    ['X-API-Key', (key: string) => ({ 'X-API-Key': key })],
    [
      'both, when they are the same key',
      (key: string) => ({ Authorization: `Bearer ${key}`, 'X-API-Key': key }),
    ],
  ])('is the same for a key sent as %s', async (_, headers) => {
    const response = await api('/v1/events/ingest', { body: GPT_4O, headers: headers(customer.api_key) })
    expect(await jsonOf(response)).toMatchObject({ credits_burned: 15 })
  })

  it('is a 401 for two different keys, and for a bad body without a key', async () => {
    const other = await createCustomer()
    const headers = { Authorization: `Bearer ${customer.api_key}`, 'X-API-Key': other.api_key }
    await expectRefused(await api('/v1/events/ingest', { body: GPT_4O, headers }), 401, 'invalid_api_key')
    await expectRefused(await api('/v1/events/ingest', { body: '{' }), 401, 'missing_api_key')
  })
})

describe('fields that an event may have', () => {
  const accepted: [what: string, event: object, recorded: object][] = [
    [
      'an event type beside tokens',
      { event_type: 'API_CALL', feature_id: 'search' },
      { event_type: 'API_CALL' },
    ],
    ['FEATURE_ACCESS', { event_type: 'FEATURE_ACCESS', feature_id: 'export' }, { feature_id: 'export' }],
    [
      'CUSTOM',
      { event_type: 'CUSTOM', feature_id: 'pages' },
      { event_type: 'CUSTOM', provider: null, model: null },
    ],
    ['a feature of 255 characters', { ...GPT_4O, feature_id: LONGEST }, { feature_id: LONGEST }],
    ['255 emoji', { ...GPT_4O, user_id: '🦊'.repeat(255) }, { user_id: '🦊'.repeat(255) }],
    [
      'ids of other scripts',
      { ...GPT_4O, user_id: 'użytkownik-1', team_id: 'отдел' },
      { user_id: 'użytkownik-1', team_id: 'отдел' },
    ],
    [
      'ids that look like SQL',
      { ...GPT_4O, user_id: `'; DROP TABLE wallets; --` },
      { user_id: `'; DROP TABLE wallets; --` },
    ],
    [
      'ids named like prototypes',
      { ...GPT_4O, user_id: '__proto__', team_id: 'constructor' },
      { user_id: '__proto__', team_id: 'constructor' },
    ],
    ['a provider in lower case', { ...GPT_4O, provider: 'openai' }, { provider: 'OPENAI' }],
    [
      'a provider with a dash',
      {
        ...GPT_4O,
        provider: 'Stability-AI',
        model: 'stable-image-core',
        event_type: 'IMAGE_GENERATION',
        input_tokens: undefined,
        output_tokens: undefined,
        image_count: 1,
      },
      { provider: 'STABILITY_AI' },
    ],
    ['no tokens at all', { ...GPT_4O, input_tokens: 0, output_tokens: 0 }, { credits_burned: 0 }],
    [
      'input alone',
      { ...GPT_4O, output_tokens: undefined },
      { credits_burned: 5, usage: { input_tokens: 1000 } },
    ],
    [
      'usage instead of the short form',
      {
        ...GPT_4O,
        input_tokens: undefined,
        output_tokens: undefined,
        usage: { input_tokens: 1000, cache_read_tokens: 400, output_tokens: 500 },
      },
      { credits_burned: 14 },
    ],
    [
      'usage that agrees with the short form',
      { ...GPT_4O, usage: { input_tokens: 1000, output_tokens: 500 } },
      { credits_burned: 15 },
    ],
    [
      'usage of which a part is more than the whole',
      { ...GPT_4O, usage: { cache_read_tokens: 1200 } },
      {
        usage: { input_tokens: 1200, cache_read_tokens: 1200, output_tokens: 500 },
        warnings: [expect.stringContaining('input_tokens')],
      },
    ],
    ['a service tier', { ...GPT_4O, service_tier: 'batch' }, { service_tier: 'batch', credits_burned: 7.5 }],
    [
      'a service tier without a price',
      { ...GPT_4O, service_tier: 'warp' },
      { credits_burned: 15, warnings: [expect.stringContaining('warp')] },
    ],
    ['a region', { ...GPT_4O, region: 'eu' }, { region: 'eu' }],
    [
      'metadata of any form',
      { ...GPT_4O, metadata: { a: null, b: [1, { c: '\u0000' }], ü: 1.5 } },
      { metadata: { a: null, b: [1, { c: '\u0000' }], ü: 1.5 } },
    ],
    ['no metadata', GPT_4O, { metadata: {} }],
  ]
  it.each(accepted)('%s', async (_, event, recorded) => {
    const { id } = await ingested(customer.api_key, event)
    expect(await read(customer.api_key, `/v1/events/${id}`)).toMatchObject({ id, ...recorded })
  })

  it('its own customer', async () => {
    const { api_key, customer_id } = customer
    expect(await ingested(api_key, { ...GPT_4O, customer_id })).toMatchObject({ credits_burned: 15 })
  })

  it('metadata of 50 keys, and of 16 KB', async () => {
    const keys = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`key_${i}`, i]))
    await ingested(customer.api_key, { ...GPT_4O, metadata: keys })
    const bytes = { text: 'é'.repeat((16 * 1024 - '{"text":""}'.length - 1) / 2) }
    await ingested(customer.api_key, { ...GPT_4O, metadata: bytes })
  })

  it('up to 1e13 tokens', async () => {
    const event = { ...GPT_4O, input_tokens: 1e13, output_tokens: 0 }
    const problem = await expectRefused(await ingest(customer.api_key, event), 402, 'insufficient_credits')
    expect(problem).toMatchObject({ required: 50_000_000_000 })
  })
})

describe('fields that an event may not have', () => {
  it("another customer's id", async () => {
    const other = await createCustomer()
    for (const customer_id of [other.customer_id, 'cust_00000000000000000000000000', '']) {
      const response = await expectNothingMoved(customer.api_key, () =>
        ingest(customer.api_key, { ...GPT_4O, customer_id }),
      )
      await expectRefused(response, 403, 'customer_mismatch')
    }
    expect(await balanceOf(other.api_key)).toBe(10000)
  })

  it('an unknown provider, and then gets the nearest names', async () => {
    const response = await expectNothingMoved(customer.api_key, () =>
      ingest(customer.api_key, { ...GPT_4O, provider: 'OPENIA' }),
    )
    const problem = await expectRefused(response, 422, 'unknown_provider')
    expect(problem.detail).toContain('OPENIA')
    expect(problem.nearest).toContain('openai')
  })

  const contradictions: [what: string, event: object, path: string][] = [
    ['input_tokens and usage', { ...GPT_4O, usage: { input_tokens: 999 } }, '/input_tokens'],
    ['output_tokens and usage', { ...GPT_4O, usage: { output_tokens: 0 } }, '/output_tokens'],
    ['image_count and usage', { ...GPT_4O, image_count: 2, usage: { output_images: 3 } }, '/image_count'],
    [
      'duration_seconds and usage',
      { ...GPT_4O, event_type: 'AUDIO_PROCESSING', duration_seconds: 2, usage: { audio_seconds: 3 } },
      '/duration_seconds',
    ],
    [
      'unit and usage.custom',
      { ...GPT_4O, unit: 'calls', quantity: 2, usage: { custom: { calls: 3 } } },
      '/quantity',
    ],
  ]
  it.each(contradictions)('two things of one unit: %s', async (_, event, path) => {
    const response = await expectNothingMoved(customer.api_key, () => ingest(customer.api_key, event))
    await expectInvalid(response, path, /is .*, but usage/)
  })

  const incomplete: [what: string, event: object, path: string][] = [
    ['tokens of no provider', { ...GPT_4O, provider: undefined }, '/provider'],
    ['tokens of no model', { ...GPT_4O, model: undefined }, '/model'],
    ['tokens without a number', { ...GPT_4O, input_tokens: undefined, output_tokens: undefined }, '/usage'],
    [
      'tokens with empty usage',
      { ...GPT_4O, input_tokens: undefined, output_tokens: undefined, usage: {} },
      '/usage',
    ],
    ['a model of no provider', { event_type: 'API_CALL', feature_id: 'a', model: 'gpt-4o' }, '/provider'],
    ['a quantity of no unit', { event_type: 'CUSTOM', feature_id: 'a', quantity: 1 }, '/unit'],
    ['a unit without a quantity', { event_type: 'CUSTOM', feature_id: 'a', unit: 'pages' }, '/quantity'],
    ['how to read a response that is not there', { ...GPT_4O, provider_api: 'chat' }, '/provider_api'],
    [
      'a response of no provider',
      { ...GPT_4O, provider: undefined, provider_response: { usage: {} } },
      '/provider',
    ],
  ]
  it.each(incomplete)('half a thing: %s', async (_, event, path) => {
    const response = await expectNothingMoved(customer.api_key, () => ingest(customer.api_key, event))
    await expectInvalid(response, path, /^require[ds]|missing/)
  })
})

describe('the time of an event', () => {
  const accepted: [what: string, timestamp: () => string][] = [
    ['now', () => inMs(0)],
    ['almost 5 minutes ahead', () => inMs(5 * MINUTE_MS - 2000)],
    ['almost 35 days back', () => inMs(-35 * DAY_MS + 2000)],
    ['with an offset ahead of UTC', () => inMs(5.5 * 60 * MINUTE_MS).replace('Z', '+05:30')],
    ['with an offset behind UTC', () => inMs(-8 * 60 * MINUTE_MS).replace('Z', '-08:00')],
    ['in lower case', () => inMs(0).toLowerCase()],
  ]
  it.each(accepted)('may be %s, and is returned in UTC', async (_, timestamp) => {
    const sent = timestamp()
    const answer = await ingested(customer.api_key, { ...GPT_4O, timestamp: sent })
    expect(answer.timestamp).toBe(new Date(sent).toISOString())
  })

  it('may be without fractions or with nanoseconds', async () => {
    const second = inMs(0).slice(0, 19)
    for (const [sent, back] of [
      ['Z', '.000Z'],
      ['.5Z', '.500Z'],
      ['.123456789Z', '.123Z'],
    ]) {
      const answer = await ingested(customer.api_key, { ...GPT_4O, timestamp: `${second}${sent}` })
      expect(answer.timestamp).toBe(`${second}${back}`)
    }
  })

  const refused: [what: string, timestamp: () => unknown, why: RegExp][] = [
    ['1970', () => '1970-01-01T00:00:00Z', /35 days/],
    ['more than 35 days back', () => inMs(-35 * DAY_MS - 2000), /35 days/],
    ['more than 5 minutes ahead', () => inMs(5 * MINUTE_MS + 10_000), /5 minutes/],
    ['next year', () => inMs(365 * DAY_MS), /5 minutes/],
    ['in the past by its offset alone', () => `${inMs(-35 * DAY_MS + 5000).slice(0, 19)}+01:00`, /35 days/],
    ['without an offset', () => inMs(0).slice(0, 19), /RFC 3339/],
    ['a date', () => inMs(0).slice(0, 10), /RFC 3339/],
    ['a Unix time', () => Date.now(), /./],
    ['30 February', () => '2026-02-30T00:00:00Z', /calendar/],
    ['hour 24', () => '2026-11-01T24:00:00Z', /calendar/],
    ['empty', () => '', /RFC 3339/],
  ]
  it.each(refused)('may not be %s', async (_, timestamp, why) => {
    const response = await expectNothingMoved(customer.api_key, () =>
      ingest(customer.api_key, { ...GPT_4O, timestamp: timestamp() }),
    )
    await expectInvalid(response, '/timestamp', why)
  })

  it('picks the price: DeepSeek charges double in its peak hours of weekdays, from 01:00 to 04:00 UTC', async () => {
    const event = {
      ...GPT_4O,
      provider: 'DEEPSEEK',
      model: 'deepseek-v4-pro',
      input_tokens: 100_000,
      output_tokens: 0,
    }
    const wednesday = lastDay(3)
    const sunday = lastDay(0)
    const cost = async (timestamp: string) => await ingested(customer.api_key, { ...event, timestamp })
    expect(await cost(`${wednesday}T03:59:59Z`)).toMatchObject({
      provider_cost_usd: 0.132,
      credits_burned: 264,
    })
    expect(await cost(`${wednesday}T04:00:00Z`)).toMatchObject({
      provider_cost_usd: 0.066,
      credits_burned: 132,
    })
    expect(await cost(`${sunday}T03:59:59Z`)).toMatchObject({ provider_cost_usd: 0.066, credits_burned: 132 })
  })
})

describe('an event without a price', () => {
  it('of a model that is not known is recorded, unrated, and costs nothing yet', async () => {
    const { api_key } = await createCustomer()
    const event = { ...GPT_4O, model: 'gpt-99-ultra', idempotency_key: 'unrated' }
    const first = await ingest(api_key, event)
    const text = await first.text()
    expect(JSON.parse(text)).toMatchObject({
      credits_burned: 0,
      balance_after: 10000,
      provider_cost_usd: 0,
      unrated: true,
    })
    expect(await (await ingest(api_key, event)).text()).toBe(text)
    await ingested(api_key, GPT_4O)
    const unrated = await listed(api_key, '/v1/events', '?unrated=true')
    expect(unrated).toEqual([
      expect.objectContaining({
        model: 'gpt-99-ultra',
        unrated: true,
        usage: { input_tokens: 1000, output_tokens: 500 },
      }),
    ])
  })
})

describe('media and custom units', () => {
  const events: [what: string, event: object, credits: number, usage: object][] = [
    [
      'two images of DALL-E 3 in HD, at $0.08',
      {
        event_type: 'IMAGE_GENERATION',
        provider: 'OPENAI',
        model: 'dall-e-3',
        image_count: 2,
        image_size: '1024x1024',
        quality: 'hd',
      },
      320,
      { output_images: 2 },
    ],
    [
      'a wide image of DALL-E 3, at $0.08',
      {
        event_type: 'IMAGE_GENERATION',
        provider: 'OPENAI',
        model: 'dall-e-3',
        image_count: 1,
        image_size: '1792x1024',
      },
      160,
      { output_images: 1 },
    ],
    [
      'three images of Stable Image Core, at $0.03',
      {
        event_type: 'IMAGE_GENERATION',
        provider: 'STABILITY_AI',
        model: 'stable-image-core',
        image_count: 3,
      },
      180,
      { output_images: 3 },
    ],
    [
      '12.5 seconds of Sora 2, at $0.10',
      { event_type: 'VIDEO_GENERATION', provider: 'OPENAI', model: 'sora-2', duration_seconds: 12.5 },
      2500,
      { video_seconds: 12.5 },
    ],
    [
      'ten seconds of Runway Gen-4 Turbo, at $0.05',
      { event_type: 'VIDEO_GENERATION', provider: 'RUNWAY', model: 'gen4_turbo', duration_seconds: 10 },
      1000,
      { video_seconds: 10 },
    ],
    [
      '90 seconds of Whisper, at $0.006 a minute',
      { event_type: 'AUDIO_PROCESSING', provider: 'OPENAI', model: 'whisper-1', duration_seconds: 90 },
      18,
      { audio_seconds: 90 },
    ],
    [
      '1,000 characters of tts-1, at $15 a million',
      {
        event_type: 'AUDIO_PROCESSING',
        provider: 'OPENAI',
        model: 'tts-1',
        usage: { input_characters: 1000 },
      },
      30,
      { input_characters: 1000 },
    ],
    [
      'a unit of one’s own, in its short form',
      { event_type: 'CUSTOM', unit: 'pages', quantity: 2.5 },
      0,
      { custom: { pages: 2.5 } },
    ],
    [
      'units of one’s own beside each other',
      { event_type: 'CUSTOM', unit: 'pages', quantity: 2, usage: { custom: { api_calls: 10 } } },
      0,
      { custom: { pages: 2, api_calls: 10 } },
    ],
    [
      'a unit of one’s own beside tokens',
      { ...GPT_4O, unit: 'seats', quantity: 1 },
      15,
      { input_tokens: 1000, output_tokens: 500, custom: { seats: 1 } },
    ],
  ]
  it.each(events)('%s', async (_, event, credits, usage) => {
    const answer = await ingested(customer.api_key, { feature_id: unique('media'), ...event })
    expect(answer.credits_burned).toBe(credits)
    const recorded = await read(customer.api_key, `/v1/events/${textField(answer, 'id')}`)
    expect(recorded.usage).toEqual(usage)
    expect(recorded).not.toHaveProperty('unrated')
  })
})

/** Returns the date of the most recent day that has this weekday (0 is Sunday) and is at least two days ago. */
function lastDay(weekday: number): string {
  const back = (new Date(inMs(-2 * DAY_MS)).getUTCDay() - weekday + 7) % 7
  return inMs(-(2 + back) * DAY_MS).slice(0, 10)
}
