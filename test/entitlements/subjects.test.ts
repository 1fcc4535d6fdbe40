import { beforeEach, describe, expect, it } from 'vitest'
import { textField } from '../support/api.ts'
import { answered, expectRefused, GPT_4O, ingest, ingested, listed, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, type TestCustomer, unique } from '../support/customers.ts'
import { createKey, type TestKey } from '../support/keys.ts'
import { ledgerOf, rowsWrittenBy } from '../support/ledgers.ts'
import { GPT_4O_ACTION as ACTION, check, checked, entitled, postEntitlement, put } from './support.ts'

let customer: TestCustomer
let key: string
let other: TestKey
beforeEach(async () => {
  customer = await createCustomer()
  key = customer.api_key
  other = await createKey(customer.customer_id)
})

const ONE_EVENT = { limit_type: 'HARD', limit_value: 1, unit: 'events', period: 'TOTAL' }
const MINI = { ...GPT_4O, model: 'gpt-4o-mini' }
const MINI_ACTION = { ...ACTION, model: 'gpt-4o-mini' }

/** Sends concurrent requests and counts their statuses. */
async function statuses(requests: readonly (() => Promise<Response>)[]): Promise<Record<number, number>> {
  const responses = await Promise.all(requests.map((send) => send()))
  return Object.fromEntries(
    [...Map.groupBy(responses, ({ status }) => status)].map(([status, same]) => [status, same.length]),
  )
}

const times = (count: number, send: (i: number) => Promise<Response>) =>
  Array.from({ length: count }, (_, i) => () => send(i))

async function held(with_key: string, body: object): Promise<string> {
  return textField(await answered(with_key, '/v1/holds', { feature_id: 'chat', ...body }, 201), 'hold_id')
}

const capture = (with_key: string, id: string, body: object, status = 200) =>
  answered(with_key, `/v1/holds/${id}/capture`, { final: true, ...body }, status)

describe('a limit of an API key', () => {
  it('counts the events of that key, and names the key when it refuses', async () => {
    const id = await entitled(key, { ...ONE_EVENT, key_id: other.key_id })
    expect(await read(key, `/v1/entitlements/${id}`)).toMatchObject({
      feature_id: 'chat',
      user_id: null,
      team_id: null,
      key_id: other.key_id,
    })
    await ingested(key, GPT_4O)
    await ingested(key, GPT_4O)
    await ingested(other.api_key, GPT_4O)
    const refused = await expectRefused(await ingest(other.api_key, GPT_4O), 402, 'limit_reached')
    expect(refused).toMatchObject({ level: 'key', key_id: other.key_id, limit: 1, used: 1 })
    expect(refused.detail).toContain(
      "The use would exceed the API key's limit of 1 events for this feature: 1 are used",
    )
    expect(refused).not.toHaveProperty('model')
    expect(await checked(other.api_key, { action: ACTION })).toMatchObject({
      allowed: false,
      reason: 'limit_reached',
      message: "The use would exceed the API key's limit of 1 events in total, of which 1 are used or held.",
      limit: { level: 'key', key_id: other.key_id, used: 1 },
    })
    expect(await checked(key, { action: ACTION })).toMatchObject({ allowed: true, limit: null })
  })

  it('without a feature counts all features together', async () => {
    const limit = { ...ONE_EVENT, limit_value: 2, key_id: other.key_id }
    const id = await entitled(key, { ...limit, feature_id: undefined })
    expect(await read(key, `/v1/entitlements/${id}`)).toMatchObject({ feature_id: null })
    await ingested(other.api_key, GPT_4O)
    await ingested(other.api_key, { ...GPT_4O, feature_id: 'search' })
    const refused = await expectRefused(
      await ingest(other.api_key, { ...GPT_4O, feature_id: 'images' }),
      402,
      'limit_reached',
    )
    expect(refused).toMatchObject({ feature_id: 'images', level: 'key', key_id: other.key_id })
    expect(refused.detail).toContain('for all features')
    await ingested(key, GPT_4O)
  })

  it('lets exactly 7 of 21 concurrent events pass, and all of another key', async () => {
    await entitled(key, { ...ONE_EVENT, limit_value: 7, key_id: other.key_id })
    const mine = statuses(times(21, () => ingest(other.api_key, GPT_4O)))
    const others = statuses(times(21, () => ingest(key, GPT_4O)))
    expect(await mine).toEqual({ 200: 7, 402: 14 })
    expect(await others).toEqual({ 200: 21 })
  })

  it('counts a hold for the key that opened it, whichever key captures it', async () => {
    await entitled(key, { ...ONE_EVENT, key_id: other.key_id })
    const id = await held(other.api_key, { credits: 5 })
    await expectRefused(await ingest(other.api_key, GPT_4O), 402, 'limit_reached')
    await capture(key, id, { credits: 5 })
    await expectRefused(await ingest(other.api_key, GPT_4O), 402, 'limit_reached')
    expect(await checked(other.api_key)).toMatchObject({ limit: { used: 1 } })
  })
})

describe('a limit of a model', () => {
  it('counts events of that model, and names the model when it refuses', async () => {
    await entitled(key, { ...ONE_EVENT, model: 'gpt-4o' })
    await ingested(key, MINI)
    await ingested(key, GPT_4O)
    const refused = await expectRefused(await ingest(other.api_key, GPT_4O), 402, 'limit_reached')
    expect(refused).toMatchObject({ level: 'model', model: 'gpt-4o', limit: 1, used: 1 })
    expect(refused).not.toHaveProperty('key_id')
    expect(await checked(key, { action: ACTION })).toMatchObject({
      reason: 'limit_reached',
      limit: { level: 'model', model: 'gpt-4o' },
    })
    expect(await checked(key, { action: MINI_ACTION })).toMatchObject({ allowed: true, limit: null })
    expect(await checked(key)).toMatchObject({ allowed: true, limit: null })
    await ingested(key, MINI)
  })

  it('counts the model that a provider response names', async () => {
    await entitled(key, { ...ONE_EVENT, model: 'claude-sonnet-4-5', feature_id: undefined })
    const event = {
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      provider: 'ANTHROPIC',
      provider_response: { model: 'claude-sonnet-4-5', usage: { input_tokens: 20, output_tokens: 30 } },
    }
    await ingested(key, event)
    await expectRefused(await ingest(key, event), 402, 'limit_reached')
  })

  it('lets exactly 5 of 15 concurrent events pass, and all of another model', async () => {
    await entitled(key, { ...ONE_EVENT, limit_value: 5, model: 'gpt-4o', feature_id: undefined })
    const limited = statuses(times(15, (i) => ingest(key, { ...GPT_4O, feature_id: `feature-${i % 3}` })))
    const free = statuses(times(15, () => ingest(key, MINI)))
    expect(await limited).toEqual({ 200: 5, 402: 10 })
    expect(await free).toEqual({ 200: 15 })
  })

  it('is reserved by a hold of the model, and counts its captures', async () => {
    await entitled(key, { limit_type: 'HARD', limit_value: 40, period: 'TOTAL', model: 'gpt-4o' })
    const usage = { input_tokens: 1000, output_tokens: 500 }
    const id = await held(key, { provider: 'OPENAI', model: 'gpt-4o', usage })
    const reserved = await checked(key, { action: ACTION })
    expect(reserved.limit).toMatchObject({ level: 'model', used: 15 })
    await expectRefused(await ingest(key, { ...GPT_4O, input_tokens: 4000 }), 402, 'limit_reached')
    await capture(key, id, { credits: 7 })
    expect((await checked(key, { action: ACTION })).limit).toMatchObject({ used: 7 })
  })

  it('counts an event of the model that settles a hold of credits', async () => {
    await entitled(key, { ...ONE_EVENT, limit_value: 2, model: 'gpt-4o' })
    await capture(key, await held(key, { credits: 15 }), { event: GPT_4O })
    await ingested(key, { ...GPT_4O, hold_id: await held(key, { credits: 15 }) })
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
  })

  it('is reserved by a check that holds', async () => {
    await entitled(key, { ...ONE_EVENT, model: 'gpt-4o' })
    await checked(key, { action: ACTION, hold: true })
    expect(await checked(key, { action: ACTION, hold: true })).toMatchObject({ reason: 'limit_reached' })
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
  })
})

describe('limits of keys, models, users and the customer', () => {
  it('count together or not at all, and the first exhausted is named', async () => {
    await entitled(key, { ...ONE_EVENT, limit_value: 4 })
    await entitled(key, { ...ONE_EVENT, limit_value: 3, model: 'gpt-4o' })
    await entitled(key, { ...ONE_EVENT, limit_value: 2, key_id: other.key_id })
    await entitled(key, { ...ONE_EVENT, limit_value: 1, user_id: 'ann' })
    const ann = { ...GPT_4O, user_id: 'ann' }
    const level = async (with_key: string, event: object) => {
      const response = await ingest(with_key, event)
      return response.status === 200 ? null : (await expectRefused(response, 402, 'limit_reached')).level
    }
    expect(await level(other.api_key, ann)).toBe(null)
    expect(await level(other.api_key, ann)).toBe('user')
    expect(await level(other.api_key, GPT_4O)).toBe(null)
    expect(await level(other.api_key, GPT_4O)).toBe('key')
    expect(await level(key, GPT_4O)).toBe(null)
    expect(await level(key, GPT_4O)).toBe('model')
    expect(await level(key, MINI)).toBe(null)
    expect(await level(key, MINI)).toBe('customer')
  })

  it('are given back by a void', async () => {
    await entitled(key, { ...ONE_EVENT, model: 'gpt-4o' })
    await entitled(key, { ...ONE_EVENT, key_id: other.key_id, feature_id: undefined })
    const { id } = await ingested(other.api_key, GPT_4O)
    await answered(key, `/v1/events/${String(id)}/void`, {})
    await ingested(other.api_key, GPT_4O)
    await expectRefused(await ingest(other.api_key, GPT_4O), 402, 'limit_reached')
  })

  it('count a late price', async () => {
    const model = unique('model')
    const limit = { limit_type: 'HARD', limit_value: 20, period: 'MONTHLY' }
    await entitled(key, { ...limit, model })
    await entitled(key, { ...limit, key_id: other.key_id })
    await ingested(other.api_key, { ...GPT_4O, model, input_tokens: 1500, output_tokens: 0 })
    const prices = { input_tokens: { amount: '5', per: 1_000_000 } }
    const effective_from = new Date(Date.now() - 3_600_000).toISOString()
    await answered(
      OPERATOR_TOKEN,
      '/v1/admin/provider-costs',
      { provider: 'OPENAI', model, effective_from, prices },
      201,
    )
    const { customer_id } = customer
    expect(await answered(OPERATOR_TOKEN, '/v1/admin/rerate', { customer_id })).toMatchObject({ rated: 1 })
    expect((await checked(other.api_key)).limit).toMatchObject({ level: 'key', used: 15 })
    const action = { ...ACTION, model }
    expect((await checked(key, { action })).limit).toMatchObject({ level: 'model', used: 15 })
  })

  it('write no more rows than without them', async () => {
    await entitled(key, { ...ONE_EVENT, limit_value: 9, model: 'gpt-4o' })
    await entitled(key, { ...ONE_EVENT, limit_value: 9, key_id: other.key_id })
    await ingested(other.api_key, GPT_4O)
    const ledger = ledgerOf(customer.customer_id)
    const burn = () => ingested(other.api_key, { ...GPT_4O, idempotency_key: 'k' })
    expect(await rowsWrittenBy(ledger, burn)).toBe(2)
  })
})

describe('an entitlement of a key or a model', () => {
  it('can only switch a feature off', async () => {
    await entitled(key, { key_id: other.key_id, enabled: false })
    await entitled(key, { feature_id: undefined, model: 'gpt-4o-mini', enabled: false })
    await entitled(key, { user_id: 'ann' })
    await ingested(key, { ...GPT_4O, user_id: 'ann' })
    const off = await expectRefused(
      await ingest(other.api_key, { ...GPT_4O, user_id: 'ann' }),
      403,
      'feature_not_allowed',
    )
    expect(off.reason).toBe('feature_disabled')
    await ingested(other.api_key, { ...GPT_4O, feature_id: 'search' })
    await expectRefused(await ingest(key, { ...MINI, feature_id: 'search' }), 403, 'feature_not_allowed')
    expect(await checked(key, { action: MINI_ACTION })).toMatchObject({ reason: 'feature_disabled' })

    await entitled(key, { feature_id: 'beta', enabled: false })
    await entitled(key, { feature_id: 'beta', model: 'gpt-4o' })
    await expectRefused(await ingest(key, { ...GPT_4O, feature_id: 'beta' }), 403, 'feature_not_allowed')
  })

  it('is one for each feature, and one for all of them', async () => {
    const of = { key_id: other.key_id }
    const ids = [
      await entitled(key, of),
      await entitled(key, { ...of, feature_id: undefined }),
      await entitled(key, { model: 'gpt-4o' }),
    ]
    const again = await postEntitlement(key, { limit_type: 'NONE', ...of })
    const conflict = await expectRefused(again, 409, 'conflict')
    expect(conflict.detail).toBe(
      `An entitlement for all features and the API key "${other.key_id}" already exists. Change that entitlement.`,
    )
    const found = async (query: string) => (await listed(key, '/v1/entitlements', query)).map(({ id }) => id)
    expect(await found(`?key_id=${other.key_id}`)).toEqual([ids[1], ids[0]])
    expect(await found('?model=gpt-4o')).toEqual([ids[2]])
    expect(await found(`?key_id=${other.key_id}&feature_id=chat`)).toEqual([ids[0]])
  })

  it('keeps its subject and its count when it is replaced', async () => {
    const id = await entitled(key, { ...ONE_EVENT, model: 'gpt-4o' })
    await ingested(key, GPT_4O)
    expect((await put(key, id, { ...ONE_EVENT, model: 'gpt-4o' })).status).toBe(200)
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    const moved = await expectRefused(
      await put(key, id, { ...ONE_EVENT, model: 'o1' }),
      400,
      'invalid_request',
    )
    expect(moved.errors).toMatchObject([{ path: '/model' }])
    const to_key = await put(key, id, { ...ONE_EVENT, key_id: other.key_id })
    expect((await expectRefused(to_key, 400, 'invalid_request')).errors).toMatchObject([{ path: '/key_id' }])
  })

  it.each<[string, object, string]>([
    ['no feature, key or model', { feature_id: undefined }, '/feature_id'],
    ['a user and a key', { user_id: 'ann', key_id: 'key_01m831n6n1htqq9spgvf6csp1n' }, '/key_id'],
    ['a key and a model', { model: 'gpt-4o', key_id: 'key_01m831n6n1htqq9spgvf6csp1n' }, '/model'],
    ['an invalid key', { key_id: 'om_live_123' }, '/key_id'],
    ['an empty model', { model: '' }, '/model'],
  ])('refuses %s', async (_, fields, path) => {
    const response = await postEntitlement(key, { feature_id: 'chat', limit_type: 'NONE', ...fields })
    const refused = await expectRefused(response, 400, 'invalid_request')
    expect(refused.errors).toContainEqual({ path, message: expect.any(String) })
  })

  it('of a check without an action tests the key, and no model', async () => {
    await entitled(key, { ...ONE_EVENT, key_id: other.key_id })
    await ingested(other.api_key, GPT_4O)
    expect((await check(other.api_key)).status).toBe(200)
    expect(await checked(other.api_key)).toMatchObject({ allowed: false, limit: { level: 'key' } })
  })
})
