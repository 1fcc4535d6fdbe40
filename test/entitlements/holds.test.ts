import { beforeEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { expectRefused, GPT_4O, ingest, ingested, type Json, read } from '../support/client.ts'
import { createCustomer, type TestCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { ledgerOf, rowsWrittenBy } from '../support/ledgers.ts'
import { GPT_4O_ACTION as ACTION, check, checked, entitled } from './support.ts'

let customer: TestCustomer
let key: string
beforeEach(async () => {
  customer = await createCustomer()
  key = customer.api_key
})

async function posted(path: string, body: unknown, status = 200): Promise<Json> {
  const response = await api(path, { key, body })
  const answer = await jsonOf(response)
  if (response.status !== status) throw new Error(`${response.status}: ${JSON.stringify(answer)}`)
  return answer
}

async function held(body: object): Promise<string> {
  return textField(await posted('/v1/holds', { feature_id: 'chat', ...body }, 201), 'hold_id')
}

/** Returns how much of the limit on `chat` is used. */
async function used(): Promise<unknown> {
  const { limit } = await checked(key)
  if (typeof limit !== 'object' || limit === null || !('used' in limit)) throw new Error('there is no limit')
  return limit.used
}

describe('a hold and the limits of its feature', () => {
  it.each<[string, object, number]>([
    ['credits', { limit_value: 100 }, 40],
    ['usd', { limit_value: 0.1, unit: 'usd' }, 0.04],
    ['events', { limit_value: 2, unit: 'events' }, 1],
  ])('reserves %s, and gives them back when it is released', async (_, limit, reserved) => {
    await entitled(key, { limit_type: 'HARD', period: 'TOTAL', ...limit })
    const id = await held({ credits: 40 })
    expect(await used()).toBe(reserved)
    await posted(`/v1/holds/${id}/release`, {})
    expect(await used()).toBe(0)
  })

  it('reserves the tokens of its usage', async () => {
    await entitled(key, { limit_type: 'HARD', limit_value: 5000, unit: 'tokens', period: 'TOTAL' })
    const model = {
      provider: 'openai',
      model: 'gpt-4o',
      usage: { input_tokens: 1000 },
      max_output_tokens: 2000,
    }
    await held(model)
    expect(await used()).toBe(3000)
    const refused = await api('/v1/holds', { key, body: { feature_id: 'chat', ...model } })
    expect(await expectRefused(refused, 402, 'limit_reached')).toMatchObject({ used: 3000, limit: 5000 })
  })

  it('is refused by a limit and by a disabled feature, and then reserves nothing', async () => {
    await entitled(key, { limit_type: 'HARD', limit_value: 30, period: 'TOTAL' })
    await entitled(key, { feature_id: 'off', enabled: false })
    const post = (body: object) => api('/v1/holds', { key, body: { feature_id: 'chat', ...body } })
    await expectRefused(await post({ credits: 31 }), 402, 'limit_reached')
    await expectRefused(await post({ feature_id: 'off', credits: 1 }), 403, 'feature_not_allowed')
    expect(await read(key, '/v1/credits/balance')).toMatchObject({ reserved_balance: 0 })
    await held({ credits: 30 })
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
  })

  it('counts partial captures as one event, and gives the rest back at the end', async () => {
    await entitled(key, { limit_type: 'HARD', limit_value: 100, period: 'TOTAL' })
    await entitled(key, {
      feature_id: 'counted',
      limit_type: 'HARD',
      limit_value: 9,
      unit: 'events',
      period: 'TOTAL',
    })
    const id = await held({ credits: 40 })
    await posted(`/v1/holds/${id}/capture`, { credits: 10 })
    expect(await used()).toBe(40)
    await posted(`/v1/holds/${id}/capture`, { credits: 10, final: true })
    expect(await used()).toBe(20)
    const counted = await held({ feature_id: 'counted', credits: 40 })
    await posted(`/v1/holds/${counted}/capture`, { credits: 10 })
    await posted(`/v1/holds/${counted}/capture`, { credits: 10, final: true })
    expect(await checked(key, { feature_id: 'counted' })).toMatchObject({ limit: { used: 1 } })
  })

  it('is settled by its event above its limit, because the event was consumed', async () => {
    await entitled(key, { limit_type: 'HARD', limit_value: 12, period: 'TOTAL' })
    const hold_id = await held({ credits: 12 })
    const { id } = await ingested(key, { ...GPT_4O, hold_id })
    expect(await used()).toBe(15)
    await posted(`/v1/events/${id}/void`, {})
    expect(await used()).toBe(0)
  })

  it('gives its limits back when it expires', async () => {
    await entitled(key, { limit_type: 'HARD', limit_value: 20, period: 'TOTAL' })
    await held({ credits: 20, expires_in_seconds: 60 })
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
    try {
      expect(await checked(key, { action: ACTION })).toMatchObject({ allowed: true })
      await ingested(key, GPT_4O)
      expect(await used()).toBe(15)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('a check with a hold', () => {
  it('holds the estimate in the same call, and an event settles it', async () => {
    await entitled(key, { limit_type: 'HARD', limit_value: 20, period: 'TOTAL' })
    const answer = await checked(key, { action: ACTION, hold: true })
    expect(answer).toMatchObject({
      allowed: true,
      estimated_cost_credits: 15,
      hold_id: expect.stringMatching(/^hold_/),
    })
    const { hold_id } = answer
    expect(await read(key, `/v1/holds/${hold_id}`)).toMatchObject({
      status: 'open',
      credits: 15,
      feature_id: 'chat',
    })
    expect(await checked(key, { action: ACTION })).toMatchObject({ allowed: false, reason: 'limit_reached' })
    expect(await ingested(key, { ...GPT_4O, hold_id })).toMatchObject({ credits_burned: 15 })
    expect(await read(key, '/v1/credits/balance')).toMatchObject({ balance: 9985, reserved_balance: 0 })
  })

  it.each<[string, object]>([
    ['when it is not allowed', { action: ACTION, feature_id: 'off' }],
    ['for what costs nothing', { action: { type: 'FEATURE_ACCESS' } }],
    ['without an action', {}],
  ])('holds nothing %s', async (_, body) => {
    await entitled(key, { feature_id: 'off', enabled: false })
    expect(await checked(key, { hold: true, ...body })).not.toHaveProperty('hold_id')
    expect(await read(key, '/v1/holds')).toMatchObject({ data: [] })
  })

  it('gives a repeat of its key the same response, byte for byte, with one hold', async () => {
    const headers = { 'Idempotency-Key': 'check-1' }
    const body = { feature_id: 'chat', action: ACTION, hold: true }
    const first = await api('/v1/entitlements/check', { key, body, headers })
    const again = await api('/v1/entitlements/check', { key, body, headers })
    expect(await again.text()).toBe(await first.text())
    expect([first.headers.get('Idempotency-Replayed'), again.headers.get('Idempotency-Replayed')]).toEqual([
      null,
      'true',
    ])
    expect(await read(key, '/v1/credits/balance')).toMatchObject({ reserved_balance: 15 })
    const other = await api('/v1/entitlements/check', { key, body: { ...body, user_id: 'u' }, headers })
    await expectRefused(other, 422, 'idempotency_mismatch')
  })

  it('that was not allowed leaves its key unused', async () => {
    const id = await entitled(key, { enabled: false })
    const headers = { 'Idempotency-Key': 'check-2' }
    const body = { feature_id: 'chat', action: ACTION, hold: true }
    expect(await jsonOf(await api('/v1/entitlements/check', { key, body, headers }))).toMatchObject({
      allowed: false,
    })
    await api(`/v1/entitlements/${id}`, { key, method: 'DELETE' })
    expect(await jsonOf(await api('/v1/entitlements/check', { key, body, headers }))).toHaveProperty(
      'hold_id',
    )
  })

  it('needs credits:write, and a check without one does not', async () => {
    const reading = await createKey(customer.customer_id, { scopes: ['entitlements:read'] })
    const refused = await expectRefused(
      await check(reading.api_key, { action: ACTION, hold: true }),
      403,
      'insufficient_scope',
    )
    expect(refused.detail).toBe('A check with hold: true requires an API key with the scope credits:write.')
    expect(await checked(reading.api_key, { action: ACTION, hold: false })).toMatchObject({ allowed: true })
  })

  it('writes 2 rows, journal and wallet, with a key or without', async () => {
    // The first hold also changes the wallet's next due time, which has an index. The test therefore measures only
    // later holds.

    await checked(key, { action: ACTION, hold: true })
    const ledger = ledgerOf(customer.customer_id)
    const rows = (headers = {}) =>
      rowsWrittenBy(ledger, () =>
        api('/v1/entitlements/check', {
          key,
          body: { feature_id: 'chat', action: ACTION, hold: true },
          headers,
        }),
      )
    expect(await rows()).toBe(2)
    expect(await rows({ 'Idempotency-Key': 'k' })).toBe(2)
  })
})
