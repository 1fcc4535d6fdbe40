import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  balanceOf,
  expectRefused,
  GPT_4O,
  granted,
  ingest,
  ingested,
  listed,
  read,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()

describe('a lot that has expired', () => {
  it('is taken out of the wallet by the next request, in one entry dated at its expiry', async () => {
    const { api_key } = await createCustomer()
    const expires_at = inMs(HOUR_MS)
    const lot = await granted(api_key, { user_id: 'zoe', amount: 100, expires_at })
    await ingested(api_key, { ...GPT_4O, user_id: 'zoe' })
    later(HOUR_MS - 1)
    expect(await balanceOf(api_key, '?user_id=zoe')).toBe(85)
    later(DAY_MS)
    expect(await read(api_key, '/v1/credits/balance?user_id=zoe')).toMatchObject({
      balance: 0,
      available_balance: 0,
      expiring_next: null,
    })
    expect(await listed(api_key, '/v1/credits/lots', '?user_id=zoe')).toEqual([])
    const [expiration, burn] = await listed(api_key, '/v1/credits/transactions', '?user_id=zoe')
    expect(burn).toMatchObject({ type: 'BURN' })
    expect(expiration).toMatchObject({
      type: 'EXPIRATION',
      amount: -85,
      balance_before: 85,
      balance_after: 0,
      lots: [{ lot_id: lot.lot_id, amount: -85 }],
      created_at: expires_at,
    })
    expect(await listed(api_key, '/v1/credits/transactions', '?user_id=zoe&type=EXPIRATION')).toHaveLength(1)
  })

  it('pays no later event', async () => {
    const { api_key } = await createCustomer()
    await granted(api_key, { user_id: 'zoe', amount: 20, expires_at: inMs(HOUR_MS) })
    await granted(api_key, { user_id: 'zoe', amount: 14, expires_at: inMs(2 * HOUR_MS) })
    later(HOUR_MS)
    const problem = await expectRefused(
      await ingest(api_key, { ...GPT_4O, user_id: 'zoe' }),
      402,
      'insufficient_credits',
    )
    expect(problem).toMatchObject({ balance: 14, available_balance: 14, required: 15 })
    expect(await balanceOf(api_key, '?user_id=zoe')).toBe(14)
  })

  it('leaves the wallet in place: its user pays with it again after a grant', async () => {
    const { api_key } = await createCustomer()
    const { wallet_id } = await granted(api_key, { user_id: 'zoe', amount: 20, expires_at: inMs(HOUR_MS) })
    later(2 * HOUR_MS)
    await expectRefused(await ingest(api_key, { ...GPT_4O, user_id: 'zoe' }), 402, 'insufficient_credits')
    expect(await granted(api_key, { user_id: 'zoe', amount: 16 })).toMatchObject({
      wallet_id,
      balance_after: 16,
    })
    expect(await ingested(api_key, { ...GPT_4O, user_id: 'zoe' })).toMatchObject({
      wallet_id,
      balance_after: 1,
    })
  })

  it('counts by arrival: a late event does not reach back to it', async () => {
    const { api_key } = await createCustomer()
    await granted(api_key, { user_id: 'zoe', amount: 20, expires_at: inMs(HOUR_MS) })
    later(2 * HOUR_MS)
    const response = await ingest(api_key, { ...GPT_4O, user_id: 'zoe', timestamp: inMs(-2 * HOUR_MS) })
    await expectRefused(response, 402, 'insufficient_credits')
  })
})

describe('an event that was accepted', () => {
  it('is replayed even when its timestamp has become too old', async () => {
    const { api_key } = await createCustomer()
    const event = { ...GPT_4O, timestamp: inMs(-34 * DAY_MS), idempotency_key: 'old' }
    const first = await ingest(api_key, event)
    later(2 * DAY_MS)
    const again = await ingest(api_key, event)
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(await first.text())
    await expectRefused(await ingest(api_key, { ...event, idempotency_key: 'new' }), 400, 'invalid_request')
  })

  it('is replayed six days later, with the time of the first response', async () => {
    const { api_key } = await createCustomer()
    const event = { ...GPT_4O, idempotency_key: 'week' }
    const first = await ingest(api_key, event)
    later(6.9 * DAY_MS)
    const again = await ingest(api_key, event)
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(await first.text())
    expect(await balanceOf(api_key)).toBe(9985)
  })
})
