import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { granted, listed, objects, purchased, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

const START_MS = Date.UTC(2027, 0, 1)
const at = (days: number) => new Date(START_MS + days * 86_400_000).toISOString()

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(START_MS)
})
afterEach(() => {
  vi.useRealTimers()
})

const post = (key: string, path: string, body: object, headers = {}) => api(path, { key, body, headers })
const balance = (key: string) => read(key, '/v1/credits/balance?user_id=u')

describe('a lot that begins later', () => {
  it('is in the balance at once, and can be used from its time on', async () => {
    const { api_key: key } = await createCustomer()
    await granted(key, { user_id: 'u', amount: 10 })
    const later = await granted(key, { user_id: 'u', amount: 100, priority: 1, starts_at: at(2) })
    expect(later).toMatchObject({ amount: 100, balance_after: 110, starts_at: at(2) })
    expect(await balance(key)).toMatchObject({ balance: 110, available_balance: 10, pending_balance: 100 })
    const adjust = (amount: number) => post(key, '/v1/credits/adjust', { user_id: 'u', amount, reason: 'x' })
    const hold = (credits: number) => post(key, '/v1/holds', { feature_id: 'f', user_id: 'u', credits })
    const transfer = () => post(key, '/v1/credits/transfer', { from: { user_id: 'u' }, to: {}, amount: 11 })
    await expectProblem(await adjust(-11), 402, 'insufficient_credits')
    await expectProblem(await hold(11), 402, 'insufficient_credits')
    await expectProblem(await transfer(), 402, 'insufficient_credits')
    vi.setSystemTime(START_MS + 2 * 86_400_000 - 1)
    await expectProblem(await adjust(-11), 402, 'insufficient_credits')
    vi.setSystemTime(START_MS + 2 * 86_400_000)
    expect(await jsonOf(await adjust(-11))).toMatchObject({ balance_after: 99 })
    const begun = await balance(key)
    expect(begun).toMatchObject({ balance: 99, available_balance: 99 })
    expect(begun).not.toHaveProperty('pending_balance')
    // The scheduled lot has started, and it burns first because of its priority.
    expect(objects((await read(key, '/v1/credits/lots?user_id=u')).data)).toMatchObject([
      { lot_id: later.lot_id, remaining: 89, starts_at: at(2) },
      { remaining: 10 },
    ])
  })

  it('is listed after the other lots, and is cancelled by revoking it', async () => {
    const { api_key: key } = await createCustomer()
    const lot = textField(await granted(key, { user_id: 'u', amount: 100, starts_at: at(2) }), 'lot_id')
    await granted(key, { user_id: 'u', amount: 10 })
    expect(objects((await read(key, '/v1/credits/lots?user_id=u')).data)).toMatchObject([
      { remaining: 10 },
      { lot_id: lot, remaining: 100, starts_at: at(2) },
    ])
    const revoke = (body: object) => post(key, `/v1/credits/lots/${lot}/revoke`, { reason: 'x', ...body })
    expect(await jsonOf(await revoke({ amount: 40 }))).toMatchObject({ amount: -40, balance_after: 70 })
    expect(await jsonOf(await revoke({}))).toMatchObject({ amount: -60, balance_after: 10 })
    await expectProblem(await revoke({}), 409, 'conflict')
    vi.setSystemTime(START_MS + 3 * 86_400_000)
    expect(await balance(key)).toMatchObject({ balance: 10, available_balance: 10 })
  })

  it('records its payment at once, and can be refunded before it begins', async () => {
    const { api_key: key } = await createCustomer()
    const body = { user_id: 'u', amount: 50, price_usd: 5, payment_reference: 'pi_1', starts_at: at(2) }
    const first = await purchased(key, body)
    const again = await post(key, '/v1/credits/purchase', body)
    expect(again.status).toBe(200)
    expect(await jsonOf(again)).toMatchObject({ lot_id: first.lot_id, already_recorded: true })
    const refund = await post(key, '/v1/credits/refund', { transaction_id: first.transaction_id })
    expect(await jsonOf(refund)).toMatchObject({ amount: -50, balance_after: 0 })
  })

  it('gives a repeat of its key the same response, even after it has begun', async () => {
    const { api_key: key } = await createCustomer()
    const body = { user_id: 'u', amount: 100, starts_at: at(1) }
    const headers = { 'Idempotency-Key': 'once' }
    const first = await post(key, '/v1/credits/grant', body, headers)
    vi.setSystemTime(START_MS + 2 * 86_400_000)
    const second = await post(key, '/v1/credits/grant', body, headers)
    expect(second.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await second.text()).toBe(await first.text())
    expect(await balance(key)).toMatchObject({ balance: 100, available_balance: 100 })
  })

  it('repays the overdraft when it begins, and expires at its end', async () => {
    const { api_key: key } = await createCustomer()
    await api('/v1/credits/wallets', {
      key,
      method: 'PATCH',
      body: { user_id: 'u', overdraft_limit: 20 },
    })
    await post(key, '/v1/credits/adjust', { user_id: 'u', amount: -20, reason: 'x' })
    await granted(key, { user_id: 'u', amount: 100, starts_at: at(1), expires_at: at(2) })
    expect(await balance(key)).toMatchObject({ balance: 80, available_balance: -20 })
    vi.setSystemTime(START_MS + 3 * 86_400_000)
    expect(await balance(key)).toMatchObject({ balance: 0, available_balance: 0 })
    const entries = await listed(key, '/v1/credits/transactions', '?user_id=u&limit=100')
    expect(entries.map(({ type, amount, created_at }) => [type, amount, created_at]).reverse()).toEqual([
      ['ADJUSTMENT', -20, at(0)],
      ['GRANT', 100, at(0)],
      ['ADJUSTMENT', 0, at(1)],
      ['EXPIRATION', -80, at(2)],
    ])
  })

  it('stays in the wallet of an erased user like the other lots', async () => {
    const { api_key: key } = await createCustomer()
    const lot = textField(await granted(key, { user_id: 'u', amount: 100, starts_at: at(1) }), 'lot_id')
    expect((await api('/v1/users/u', { key, method: 'DELETE' })).status).toBe(200)
    await expectProblem(await api('/v1/credits/balance?user_id=u', { key }), 404, 'not_found')
    const revoked = await post(key, `/v1/credits/lots/${lot}/revoke`, { reason: 'x' })
    expect(await jsonOf(revoked)).toMatchObject({ amount: -100, balance_after: 0 })
  })

  const bad: readonly (readonly [name: string, body: object, pointer: string])[] = [
    ['now', { starts_at: at(0) }, '/starts_at'],
    ['in the past', { starts_at: at(-1) }, '/starts_at'],
    ['at its end', { starts_at: at(1), expires_at: at(1) }, '/expires_at'],
    ['again and again', { starts_at: at(1), recurring: { every: 'day' } }, '/starts_at'],
  ]
  it.each(bad)('cannot begin %s', async (_, body, pointer) => {
    const { api_key: key } = await createCustomer()
    const response = await post(key, '/v1/credits/grant', { user_id: 'u', amount: 1, ...body })
    expect(await expectProblem(response, 400, 'invalid_request')).toMatchObject({
      errors: [{ path: pointer }],
    })
    await expectProblem(await api('/v1/credits/balance?user_id=u', { key }), 404, 'not_found')
  })

  it('counts against the 1,000 open lots', async () => {
    const { api_key: key } = await createCustomer()
    for (let i = 0; i < 1000; i += 100) {
      const lots = Array.from({ length: 100 }, () =>
        post(key, '/v1/credits/grant', { user_id: 'u', amount: 1, starts_at: at(1) }),
      )
      expect(new Set((await Promise.all(lots)).map(({ status }) => status))).toEqual(new Set([201]))
    }
    const one_more = await post(key, '/v1/credits/grant', { user_id: 'u', amount: 1 })
    await expectProblem(one_more, 409, 'too_many_open')
  })
})
