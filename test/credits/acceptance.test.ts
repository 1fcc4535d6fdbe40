import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import {
  balanceOf,
  GPT_4O,
  granted,
  ingested,
  type Json,
  objects,
  purchased,
  read,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

/**
 * Tests cases that combine lots, holds, refunds and time. All of them use the wallet of user `u`, and each event costs
 * 15 credits.
 */

const EVENT = { ...GPT_4O, user_id: 'u' }
const MINUTE = 60_000

const post = (key: string, path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  api(path, { key, body, headers })

async function done(key: string, path: string, body: unknown): Promise<Json> {
  const response = await post(key, path, body)
  const answer = await jsonOf(response)
  expect({ status: response.status, answer }).toMatchObject({ status: 200 })
  return answer
}

async function held(key: string, credits: number, more: Json = {}): Promise<string> {
  const response = await post(key, '/v1/holds', { feature_id: 'chat', user_id: 'u', credits, ...more })
  const answer = await jsonOf(response)
  expect({ status: response.status, answer }).toMatchObject({ status: 201 })
  return textField(answer, 'hold_id')
}

const capture = (key: string, id: string, body: Json) => done(key, `/v1/holds/${id}/capture`, body)
const release = (key: string, id: string) => done(key, `/v1/holds/${id}/release`, {})
const overdraft = (key: string, overdraft_limit: number) =>
  api('/v1/credits/wallets', { key, method: 'PATCH', body: { user_id: 'u', overdraft_limit } })

async function amounts(key: string): Promise<unknown[]> {
  const { balance, reserved_balance, available_balance } = await read(key, '/v1/credits/balance?user_id=u')
  return [balance, reserved_balance, available_balance]
}

async function lots(key: string): Promise<unknown[]> {
  const { data } = await read(key, '/v1/credits/lots?user_id=u')
  return objects(data).map(({ amount, remaining, reserved }) => [amount, remaining, reserved])
}

/** Returns the type, the amount and the effective time of each entry in the wallet of `u`, oldest first. */
async function lines(key: string): Promise<unknown[]> {
  const { data } = await read(key, '/v1/credits/transactions?user_id=u&limit=100')
  return objects(data)
    .map(({ type, amount, created_at }) => [type, amount, created_at])
    .reverse()
}

async function newKey(): Promise<string> {
  return (await createCustomer()).api_key
}

describe('across a lot’s expiry', () => {
  const EVE = Date.UTC(2027, 0, 1, 23, 59, 59)
  const MIDNIGHT = '2027-01-02T00:00:00.000Z'

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(EVE - 10 * MINUTE)
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('a hold of 23:59:59 keeps its reservation; the rest expires at midnight, and the reservation when the hold ends', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 100, expires_at: MIDNIGHT })
    vi.setSystemTime(EVE)
    const id = await held(key, 40, { expires_in_seconds: 31 })
    vi.setSystemTime(EVE + 10_000)
    expect(await amounts(key)).toEqual([40, 40, 0])
    expect(await capture(key, id, { credits: 15 })).toMatchObject({ captured: 15, remaining: 25 })
    // No request arrives when the lot and the hold expire. The next request applies both expirations at their own
    // times.
    vi.setSystemTime(EVE + 3_600_000)
    expect(await amounts(key)).toEqual([0, 0, 0])
    expect((await lines(key)).slice(1)).toEqual([
      ['EXPIRATION', -60, MIDNIGHT],
      ['BURN', -15, '2027-01-02T00:00:09.000Z'],
      ['EXPIRATION', -25, '2027-01-02T00:00:30.000Z'],
    ])
  })

  it('a final capture after the expiry frees nothing: the rest of the hold expires at once', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 100, expires_at: MIDNIGHT })
    const id = await held(key, 100, { expires_in_seconds: 3600 })
    vi.setSystemTime(EVE + 1000)
    expect(await capture(key, id, { credits: 70, final: true })).toMatchObject({
      captured: 70,
      shortfall: 0,
      remaining: 0,
      balance_after: 0,
    })
    expect(await lots(key)).toEqual([])
  })

  it('a void returns the credits expired, and reports it', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 10, expires_at: MIDNIGHT })
    await granted(key, { user_id: 'u', amount: 10 })
    const { id } = await ingested(key, EVENT)
    vi.setSystemTime(EVE + 1000)
    expect(await done(key, `/v1/events/${id}/void`, {})).toMatchObject({
      amount: 15,
      returned_expired: 10,
      balance_after: 10,
    })
    const NOW = '2027-01-02T00:00:00.000Z'
    expect((await lines(key)).slice(3)).toEqual([
      ['VOID', 15, NOW],
      ['EXPIRATION', -10, NOW],
    ])
  })

  it('a refund of a burn also returns expired credits, the last lot taken first', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 10, expires_at: MIDNIGHT })
    await granted(key, { user_id: 'u', amount: 10 })
    const { id } = await ingested(key, EVENT)
    const transaction_id = String(id).replace('evt_', 'txn_')
    vi.setSystemTime(EVE + 1000)
    const first = await done(key, '/v1/credits/refund', { transaction_id, amount: 5 })
    expect(first).toMatchObject({ amount: 5, balance_after: 10 })
    expect(first).not.toHaveProperty('returned_expired')
    expect(await done(key, '/v1/credits/refund', { transaction_id, amount: 4 })).toMatchObject({
      amount: 4,
      returned_expired: 4,
      balance_after: 10,
    })
  })

  it('a void while a hold still keeps the expired lot open returns expired credits', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 100, expires_at: MIDNIGHT })
    const { id } = await ingested(key, EVENT)
    await held(key, 50, { expires_in_seconds: 3600 })
    vi.setSystemTime(EVE + 1000)
    expect(await done(key, `/v1/events/${id}/void`, {})).toMatchObject({
      returned_expired: 15,
      balance_after: 50,
    })
    expect(await amounts(key)).toEqual([50, 50, 0])
  })

  it('a transferred lot expires in its new wallet at its old time', async () => {
    const key = await newKey()
    await granted(key, { amount: 100, expires_at: MIDNIGHT, priority: 1 })
    await done(key, '/v1/credits/transfer', { from: {}, to: { user_id: 'u' }, amount: 100 })
    vi.setSystemTime(EVE + 1000)
    expect(await lines(key)).toMatchObject([['TRANSFER', 100, expect.any(String)]])
    expect(await amounts(key)).toEqual([0, 0, 0])
    expect((await lines(key)).at(-1)).toEqual(['EXPIRATION', -100, MIDNIGHT])
  })

  it('a hold is shown as expired from its expiry on, before any request has changed its wallet', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 100 })
    const short = await held(key, 40, { expires_in_seconds: 60 })
    const long = await held(key, 10, { expires_in_seconds: 600 })
    vi.setSystemTime(Date.now() + MINUTE)
    expect(await read(key, `/v1/holds/${short}`)).toMatchObject({
      status: 'expired',
      remaining: 0,
      available_balance: 90,
    })
    const { data } = await read(key, '/v1/holds?user_id=u')
    expect(objects(data)).toMatchObject([{ hold_id: long, status: 'open', available_balance: 90 }])
    expect(await amounts(key)).toEqual([100, 10, 90])
  })
})

describe('a hold that has ended', () => {
  const ends: readonly (readonly [string, (key: string, id: string) => Promise<unknown>])[] = [
    ['was released', release],
    ['was captured for good', (key, id) => capture(key, id, { credits: 1, final: true })],
    ['was settled by an event', (key, id) => ingested(key, { ...EVENT, hold_id: id })],
  ]
  it.each(ends)('because it %s is a 409 for everything', async (_, end) => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 100 })
    const id = await held(key, 40)
    await end(key, id)
    const before = await amounts(key)
    for (const [action, body] of [
      ['capture', { credits: 1 }],
      ['capture', { event: EVENT }],
      ['release', {}],
      ['extend', { expires_in_seconds: 60 }],
    ] as const) {
      await expectProblem(await post(key, `/v1/holds/${id}/${action}`, body), 409, 'hold_not_open')
    }
    expect(await amounts(key)).toEqual(before)
  })
})

describe('once for a key', () => {
  /**
   * All requests that move credits. Each is sent to a wallet that was granted 100 credits, with a hold of 40 credits
   * and a burn of 15 credits.
   */
  const requests: readonly (readonly [
    string,
    (ids: { hold: string; event: string }) => { path: string; body: Json },
  ])[] = [
    ['capture', ({ hold }) => ({ path: `/v1/holds/${hold}/capture`, body: { credits: 5 } })],
    [
      'final capture',
      ({ hold }) => ({ path: `/v1/holds/${hold}/capture`, body: { credits: 5, final: true } }),
    ],
    ['capture by event', ({ hold }) => ({ path: `/v1/holds/${hold}/capture`, body: { event: EVENT } })],
    ['release', ({ hold }) => ({ path: `/v1/holds/${hold}/release`, body: {} })],
    ['extend', ({ hold }) => ({ path: `/v1/holds/${hold}/extend`, body: { expires_in_seconds: 60 } })],
    ['hold', () => ({ path: '/v1/holds', body: { feature_id: 'f', user_id: 'u', credits: 5 } })],
    ['void', ({ event }) => ({ path: `/v1/events/${event}/void`, body: {} })],
    [
      'refund',
      ({ event }) => ({
        path: '/v1/credits/refund',
        body: { transaction_id: event.replace('evt_', 'txn_'), amount: 5 },
      }),
    ],
    [
      'transfer',
      () => ({ path: '/v1/credits/transfer', body: { from: { user_id: 'u' }, to: {}, amount: 5 } }),
    ],
    ['adjustment', () => ({ path: '/v1/credits/adjust', body: { user_id: 'u', amount: -5, reason: 'r' } })],
    ['grant', () => ({ path: '/v1/credits/grant', body: { user_id: 'u', amount: 5 } })],
    ['purchase', () => ({ path: '/v1/credits/purchase', body: { user_id: 'u', amount: 5, price_usd: 1 } })],
  ]

  it.each(requests)(
    '%s: ten concurrent requests make one change, and all get the same bytes',
    async (_, request) => {
      const key = await newKey()
      await granted(key, { user_id: 'u', amount: 115 })
      const event = String((await ingested(key, EVENT)).id)
      const { path, ...init } = request({ hold: await held(key, 40), event })
      const send = () => api(path, { key, ...init, headers: { 'Idempotency-Key': 'once' } })
      const answers = await Promise.all(Array.from({ length: 10 }, send))
      const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())))
      expect(bodies.size, [...bodies].join('\n')).toBe(1)
      expect(new Set(answers.map(({ status }) => status)).size).toBe(1)
      expect(answers.filter(({ headers }) => headers.get('Idempotency-Replayed') === 'true')).toHaveLength(9)
      expect(answers[0]?.ok).toBe(true)
      const state = [await amounts(key), await lines(key)]
      await (await send()).text()
      expect([await amounts(key), await lines(key)]).toEqual(state)
    },
  )
})

describe('purchases, holds and refunds', () => {
  it('a refund of a purchase does not take credits that a hold reserves', async () => {
    const key = await newKey()
    const { transaction_id } = await purchased(key, { user_id: 'u', amount: 100, price_usd: 1 })
    const id = await held(key, 30)
    await expectProblem(
      await post(key, '/v1/credits/refund', { transaction_id, amount: 71 }),
      409,
      'conflict',
    )
    expect(await done(key, '/v1/credits/refund', { transaction_id })).toMatchObject({
      amount: -70,
      balance_after: 30,
    })
    expect(await capture(key, id, { credits: 30 })).toMatchObject({ captured: 30, shortfall: 0 })
  })

  it('a purchase that went to another wallet cannot be refunded any more', async () => {
    const key = await newKey()
    const { transaction_id } = await purchased(key, { user_id: 'u', amount: 100, price_usd: 1 })
    await done(key, '/v1/credits/transfer', { from: { user_id: 'u' }, to: {}, amount: 100 })
    await expectProblem(await post(key, '/v1/credits/refund', { transaction_id }), 409, 'conflict')
  })

  it('a transfer does not take credits that a hold reserves', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 100 })
    await held(key, 30)
    const body = { from: { user_id: 'u' }, to: {}, amount: 71 }
    const problem = await expectProblem(
      await post(key, '/v1/credits/transfer', body),
      402,
      'insufficient_credits',
    )
    expect(problem).toMatchObject({ balance: 100, available_balance: 70, required: 71 })
  })

  it('a capture is refunded, in parts, to the lot that the hold had reserved', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 10, priority: 1 })
    await granted(key, { user_id: 'u', amount: 100, priority: 2 })
    const { transaction_id } = await capture(key, await held(key, 20), { credits: 20, final: true })
    expect(await lots(key)).toEqual([[100, 90, 0]])
    await done(key, '/v1/credits/refund', { transaction_id, amount: 15 })
    expect(await lots(key)).toEqual([
      [10, 5, 0],
      [100, 100, 0],
    ])
    const again = await post(key, '/v1/credits/refund', { transaction_id, amount: 5.000001 })
    await expectProblem(again, 409, 'conflict')
  })

  it('a void of the event that settled a hold gives the credits back, not the hold', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 100 })
    const { id } = await ingested(key, { ...EVENT, hold_id: await held(key, 40) })
    await done(key, `/v1/events/${id}/void`, {})
    expect(await amounts(key)).toEqual([100, 0, 100])
  })

  it.each(['REFUND', 'VOID', 'GRANT', 'ADJUSTMENT', 'TRANSFER', 'EXPIRATION'])(
    'a transaction of type %s is not refunded',
    async (type) => {
      vi.useFakeTimers({ toFake: ['Date'] })
      const key = await newKey()
      const { transaction_id } = await purchased(key, { user_id: 'u', amount: 100, price_usd: 1 })
      await done(key, '/v1/credits/refund', { transaction_id, amount: 10 })
      const { id } = await ingested(key, EVENT)
      await done(key, `/v1/events/${id}/void`, {})
      const expires_at = new Date(Date.now() + MINUTE).toISOString()
      await granted(key, { user_id: 'u', amount: 1, expires_at, priority: 100 })
      await done(key, '/v1/credits/adjust', { user_id: 'u', amount: 1, reason: 'r' })
      await done(key, '/v1/credits/transfer', { from: { user_id: 'u' }, to: {}, amount: 1 })
      vi.setSystemTime(Date.now() + MINUTE)
      expect(await amounts(key)).toEqual([90, 0, 90])
      const { data } = await read(key, `/v1/credits/transactions?user_id=u&type=${type}`)
      const [line] = objects(data)
      const refused = await post(key, '/v1/credits/refund', { transaction_id: line?.id })
      vi.useRealTimers()
      expect(await expectProblem(refused, 409, 'conflict')).toMatchObject({
        detail: expect.stringContaining(type),
      })
    },
  )
})

describe('an overdraft', () => {
  it('that a hold has reserved counts as used', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 10 })
    await overdraft(key, 20)
    const id = await held(key, 25)
    expect(await amounts(key)).toEqual([10, 25, -15])
    await expectProblem(await overdraft(key, 14), 409, 'conflict')
    await expectProblem(await post(key, '/v1/events/ingest', EVENT), 402, 'insufficient_credits')
    await release(key, id)
    expect((await overdraft(key, 0)).status).toBe(200)
  })

  it('that a hold has reserved is not used when credits were granted before the capture', async () => {
    const key = await newKey()
    await overdraft(key, 20)
    const id = await held(key, 20)
    await granted(key, { user_id: 'u', amount: 50 })
    expect(await capture(key, id, { credits: 20 })).toMatchObject({ captured: 20, balance_after: 30 })
    expect(await lots(key)).toEqual([[50, 30, 0]])
    expect((await overdraft(key, 0)).status).toBe(200)
  })

  it('is used by a capture above its hold, up to its limit', async () => {
    const key = await newKey()
    await granted(key, { user_id: 'u', amount: 10 })
    await overdraft(key, 20)
    const id = await held(key, 5)
    expect(await capture(key, id, { credits: 100, final: true })).toMatchObject({
      captured: 30,
      shortfall: 70,
      balance_after: -20,
    })
  })

  it('is not moved to another wallet', async () => {
    const key = await newKey()
    await overdraft(key, 20)
    const body = { from: { user_id: 'u' }, to: {}, amount: 1 }
    await expectProblem(await post(key, '/v1/credits/transfer', body), 402, 'insufficient_credits')
  })
})

describe('the limits of a wallet', () => {
  it('are 1,000 open holds; one that ends makes room', async () => {
    const key = await newKey()
    const open = () => post(key, '/v1/holds', { feature_id: 'f', credits: 1 })
    const opened = await Promise.all(Array.from({ length: 1000 }, open))
    const ids = await Promise.all(
      opened.map(async (response) => textField(await jsonOf(response), 'hold_id')),
    )
    expect(opened.filter(({ status }) => status === 201)).toHaveLength(1000)
    await expectProblem(await open(), 409, 'too_many_open')
    await release(key, ids[500] ?? '')
    expect((await open()).status).toBe(201)
    expect(await balanceOf(key)).toBe(10000)
  }, 60_000)

  it('are 50 recurring grants', async () => {
    const key = await newKey()
    const recurring = () =>
      post(key, '/v1/credits/grant', { user_id: 'u', amount: 1, recurring: { every: 'day' } })
    const made = await Promise.all(Array.from({ length: 51 }, recurring))
    expect(made.filter(({ status }) => status === 201)).toHaveLength(50)
    expect(await amounts(key)).toEqual([50, 0, 50])
  })
})
