import { beforeEach, describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import {
  expectInvalid,
  expectNothingMoved,
  expectRefused,
  GPT_4O,
  granted,
  ingest,
  ingested,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { GPT_4O_ACTION as ACTION, check, checked, entitled, put } from './support.ts'

let key: string
beforeEach(async () => {
  key = (await createCustomer()).api_key
})

const API = 'https://api.test/v1'

describe('a check', () => {
  it('returns the cost of the action and the rest of the limit', async () => {
    expect(await checked(key, { user_id: 'ann', action: ACTION })).toEqual({
      allowed: true,
      reason: null,
      message: 'Allowed.',
      estimated_cost_credits: 15,
      estimated_cost_usd: 0.015,
      current_balance: 10_000,
      limit: null,
      actions: [],
    })
  })

  it('without an action estimates nothing', async () => {
    expect(await checked(key)).toMatchObject({
      allowed: true,
      estimated_cost_credits: 0,
      estimated_cost_usd: 0,
    })
  })

  it('costs exactly the credits that the event then burns, even below one credit', async () => {
    const action = { ...ACTION, estimated_input_tokens: 1, estimated_output_tokens: 0 }
    const response = await check(key, { action })
    expect(await response.text()).toContain('"estimated_cost_credits":0.005,"estimated_cost_usd":0.000005,')
    expect(await ingested(key, { ...GPT_4O, input_tokens: 1, output_tokens: 0 })).toMatchObject({
      credits_burned: 0.005,
    })
  })

  it('moves nothing and counts nothing', async () => {
    await entitled(key, { limit_type: 'HARD', limit_value: 1, unit: 'events', period: 'TOTAL' })
    await expectNothingMoved(key, () => checked(key, { action: ACTION }))
    for (let i = 0; i < 3; i++)
      expect(await checked(key, { action: ACTION })).toMatchObject({ allowed: true })
    await ingested(key, GPT_4O)
  })

  it("checks the wallet that would pay: the team's, else the user's, else the customer's", async () => {
    await granted(key, { user_id: 'ann', amount: 7 })
    expect(await checked(key, { user_id: 'ann' })).toMatchObject({ current_balance: 7 })
    expect(await checked(key, { user_id: 'bob' })).toMatchObject({ current_balance: 10_000 })
    await granted(key, { team_id: 'red', amount: 8 })
    expect(await checked(key, { user_id: 'ann', team_id: 'red' })).toMatchObject({ current_balance: 8 })
  })
})

describe('the reasons of a check', () => {
  it('feature_disabled', async () => {
    await entitled(key, { enabled: false })
    expect(await checked(key, { action: ACTION })).toMatchObject({
      allowed: false,
      reason: 'feature_disabled',
      message: 'This feature is disabled.',
      estimated_cost_credits: 15,
      actions: [{ type: 'upgrade', label: expect.any(String), url: `${API}/entitlements` }],
    })
    const refused = await expectRefused(await ingest(key, GPT_4O), 403, 'feature_not_allowed')
    expect(refused).toMatchObject({ feature_id: 'chat', reason: 'feature_disabled' })
  })

  it('limit_reached, with the limit and its reset', async () => {
    const id = await entitled(key, { user_id: 'ann', limit_type: 'HARD', limit_value: 20, period: 'MONTHLY' })
    await ingested(key, { ...GPT_4O, user_id: 'ann' })
    const resets_at = expect.stringMatching(/-01T00:00:00\.000Z$/)
    expect(await checked(key, { user_id: 'ann', action: ACTION })).toMatchObject({
      allowed: false,
      reason: 'limit_reached',
      message: "The use would exceed the user's limit of 20 credits a month, of which 15 are used or held.",
      limit: {
        level: 'user',
        value: 20,
        used: 15,
        remaining: 5,
        period: 'MONTHLY',
        resets_at,
        unit: 'credits',
      },
      actions: [
        { type: 'increase_limit', url: `${API}/entitlements/${id}` },
        { type: 'upgrade', url: `${API}/entitlements` },
      ],
    })
    const refused = await expectRefused(
      await ingest(key, { ...GPT_4O, user_id: 'ann' }),
      402,
      'limit_reached',
    )
    expect(refused).toMatchObject({
      feature_id: 'chat',
      level: 'user',
      limit: 20,
      used: 15,
      unit: 'credits',
      resets_at,
    })
    expect(refused.detail).toContain('15 are used')
    expect(await checked(key, { user_id: 'bob', action: ACTION })).toMatchObject({
      allowed: true,
      limit: null,
    })
  })

  it('insufficient_credits', async () => {
    await granted(key, { user_id: 'poor', amount: 14 })
    expect(await checked(key, { user_id: 'poor', action: ACTION })).toMatchObject({
      allowed: false,
      reason: 'insufficient_credits',
      current_balance: 14,
      actions: [{ type: 'purchase', url: `${API}/credits/purchase` }],
    })
    await expectRefused(await ingest(key, { ...GPT_4O, user_id: 'poor' }), 402, 'insufficient_credits')
  })

  it('soft_limit_reached, which lets the event pass', async () => {
    await entitled(key, { limit_type: 'SOFT', limit_value: '0.01', unit: 'usd', period: 'TOTAL' })
    expect(await checked(key, { action: ACTION })).toMatchObject({
      allowed: true,
      reason: 'soft_limit_reached',
      message:
        "The use is allowed, but it exceeds the customer's limit of 0.01 USD in total, of which 0 are used or held.",
      limit: { level: 'customer', value: 0.01, used: 0, remaining: 0.01, resets_at: null, unit: 'usd' },
      actions: [{ type: 'increase_limit' }],
    })
    await ingested(key, GPT_4O)
  })

  it('low_credits, which lets the event pass', async () => {
    await granted(key, { user_id: 'low', amount: 100 })
    expect(await checked(key, { user_id: 'low', action: ACTION })).toMatchObject({
      allowed: true,
      reason: 'low_credits',
      actions: [{ type: 'purchase' }],
    })
  })

  it('change with the very next request after a PUT', async () => {
    const id = await entitled(key, { enabled: false })
    expect(await checked(key)).toMatchObject({ allowed: false })
    await put(key, id, { limit_type: 'NONE', enabled: true })
    expect(await checked(key)).toMatchObject({ allowed: true })
    await ingested(key, GPT_4O)
  })
})

describe('the estimate of a check', () => {
  it.each<[string, object, object]>([
    [
      'tokens out only',
      { ...ACTION, estimated_input_tokens: undefined },
      { ...GPT_4O, input_tokens: undefined },
    ],
    [
      'no tokens',
      { type: 'TOKEN_USAGE', provider: 'OPENAI', model: 'gpt-4o' },
      { ...GPT_4O, input_tokens: 0, output_tokens: 0 },
    ],
    [
      'images',
      { type: 'Image_Generation', provider: 'openai', model: 'dall-e-3', estimated_count: 3 },
      { event_type: 'IMAGE_GENERATION', provider: 'openai', model: 'dall-e-3', image_count: 3 },
    ],
    [
      'seconds of audio',
      { type: 'audio_processing', provider: 'openai', model: 'whisper-1', estimated_duration_seconds: 90.5 },
      { event_type: 'AUDIO_PROCESSING', provider: 'openai', model: 'whisper-1', duration_seconds: 90.5 },
    ],
    ['a feature that costs nothing', { type: 'FEATURE_ACCESS' }, { event_type: 'FEATURE_ACCESS' }],
  ])('of %s equals the credits that the event burns', async (_, action, event) => {
    const { estimated_cost_credits } = await checked(key, { action })
    const { credits_burned, unrated } = await ingested(key, { feature_id: 'chat', ...event })
    expect([estimated_cost_credits, unrated]).toEqual([credits_burned, undefined])
  })

  it('is refused for an unknown provider, and equals the burn of such an event for an unknown model', async () => {
    const unknown = { ...ACTION, provider: 'nobody' }
    await expectRefused(await check(key, { action: unknown }), 422, 'unknown_provider')
    expect(await checked(key, { action: { ...ACTION, model: 'gpt-none' } })).toMatchObject({
      allowed: true,
      estimated_cost_credits: 0,
    })
    expect(await ingested(key, { ...GPT_4O, model: 'gpt-none' })).toMatchObject({ credits_burned: 0 })
  })
})

describe('what a check refuses', () => {
  it.each<[string, object, string, string]>([
    ['no feature', { feature_id: undefined }, '/feature_id', 'required'],
    ['an unknown field', { credits: 1 }, '/credits', 'unknown field'],
    [
      'an unknown field of the action',
      { action: { ...ACTION, tokens: 1 } },
      '/action/tokens',
      'unknown field',
    ],
    ['no type', { action: { ...ACTION, type: undefined } }, '/action/type', 'required'],
    ['an unknown type', { action: { ...ACTION, type: 'chat' } }, '/action/type', 'must be one of'],
    [
      'a negative count',
      { action: { ...ACTION, estimated_input_tokens: -1 } },
      '/action/estimated_input_tokens',
      'must not be negative',
    ],
    [
      'half a token',
      { action: { ...ACTION, estimated_output_tokens: 0.5 } },
      '/action/estimated_output_tokens',
      'must be a whole number',
    ],
    [
      'too many tokens',
      { action: { ...ACTION, estimated_input_tokens: 1e14 } },
      '/action/estimated_input_tokens',
      'must be at most',
    ],
    ['tokens of no provider', { action: { ...ACTION, provider: undefined } }, '/action/provider', 'required'],
    ['tokens of no model', { action: { ...ACTION, model: undefined } }, '/action/model', 'required'],
    ['a control character', { user_id: 'a\u0000' }, '/user_id', 'control characters'],
    ['an empty user', { user_id: '' }, '/user_id', '1 to 255'],
  ])('%s', async (_, body, path, message) => {
    await expectInvalid(await check(key, { ...body }), path, new RegExp(message))
  })
})

it('a batch rejects what a limit refuses alone, with its code and the reason', async () => {
  await entitled(key, { limit_type: 'HARD', limit_value: 1, unit: 'events', period: 'DAILY' })
  const response = await api('/v1/events/ingest', { key, body: { events: [GPT_4O, GPT_4O] } })
  expect(await jsonOf(response)).toMatchObject({
    accepted: 1,
    rejected: 1,
    results: [
      {},
      { status: 'rejected', error: { code: 'limit_reached', detail: expect.stringContaining('resets at') } },
    ],
  })
})

it.each(['in the journal', 'in D1'])('a voided event that is %s gives its counts back', async (place) => {
  const customer = await createCustomer()
  key = customer.api_key
  await entitled(key, { limit_type: 'HARD', limit_value: 1, unit: 'events', period: 'TOTAL' })
  const { id } = await ingested(key, GPT_4O)
  await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
  if (place === 'in D1') await runAlarm(ledgerOf(customer.customer_id))
  expect((await api(`/v1/events/${id}/void`, { key, method: 'POST' })).status).toBe(200)
  await ingested(key, GPT_4O)
  await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
})
