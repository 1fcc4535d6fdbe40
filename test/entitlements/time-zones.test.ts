import { evictDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { expectRefused, GPT_4O, ingest, ingested, read } from '../support/client.ts'
import { createCustomer, type TestCustomer } from '../support/customers.ts'
import { ledgerOf } from '../support/ledgers.ts'
import { checked, entitled, put } from './support.ts'

let customer: TestCustomer
let key: string
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  customer = await createCustomer()
  key = customer.api_key
})
afterEach(() => {
  vi.useRealTimers()
})

const ONE_EVENT = { limit_type: 'HARD', limit_value: 1, unit: 'events' }

describe('a limit with a time zone', () => {
  // In 2027, the clocks change on 14 March in New York, on 28 March in Berlin, and on 4 April on Lord Howe Island,
  // there by only half an hour. In Kathmandu, they never change.
  it.each<[zone: string, period: string, before: string, turns: string, ends: string]>([
    ['Europe/Berlin', 'DAILY', '2027-03-27T22:59:59Z', '2027-03-27T23:00:00Z', '2027-03-28T22:00:00.000Z'],
    ['America/New_York', 'DAILY', '2027-03-14T04:59:59Z', '2027-03-14T05:00:00Z', '2027-03-15T04:00:00.000Z'],
    [
      'Australia/Lord_Howe',
      'DAILY',
      '2027-04-03T12:59:59Z',
      '2027-04-03T13:00:00Z',
      '2027-04-04T13:30:00.000Z',
    ],
    ['Asia/Kathmandu', 'DAILY', '2027-03-27T18:14:59Z', '2027-03-27T18:15:00Z', '2027-03-28T18:15:00.000Z'],
    ['Asia/Kathmandu', 'HOURLY', '2027-03-27T18:14:59Z', '2027-03-27T18:15:00Z', '2027-03-27T19:15:00.000Z'],
    ['Europe/Berlin', 'WEEKLY', '2027-03-28T21:59:59Z', '2027-03-28T22:00:00Z', '2027-04-04T22:00:00.000Z'],
    [
      'America/New_York',
      'MONTHLY',
      '2027-03-01T04:59:59Z',
      '2027-03-01T05:00:00Z',
      '2027-04-01T04:00:00.000Z',
    ],
  ])('of %s turns %s at local time', async (time_zone, period, before, turns, ends) => {
    await entitled(key, { ...ONE_EVENT, period, time_zone })
    vi.setSystemTime(before)
    await ingested(key, GPT_4O)
    const refused = await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    expect(refused.resets_at).toBe(new Date(turns).toISOString())
    vi.setSystemTime(turns)
    await ingested(key, GPT_4O)
    expect(await checked(key)).toMatchObject({ allowed: false, limit: { used: 1, resets_at: ends } })
    await evictDurableObject(ledgerOf(customer.customer_id).stub)
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
  })

  it('of another zone than before counts from zero, and the same zone keeps the count', async () => {
    const daily = { ...ONE_EVENT, period: 'DAILY' }
    const id = await entitled(key, daily)
    await ingested(key, GPT_4O)
    await put(key, id, { ...daily, time_zone: 'UTC' })
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    await put(key, id, { ...daily, time_zone: 'Asia/Tokyo' })
    expect(await read(key, `/v1/entitlements/${id}`)).toMatchObject({ time_zone: 'Asia/Tokyo' })
    await ingested(key, GPT_4O)
  })

  it('begins its windows at the local time of its anchor, in summer and in winter', async () => {
    const anchor = '2027-01-15T09:00:00+01:00'
    await entitled(key, { ...ONE_EVENT, period: 'DAILY', time_zone: 'Europe/Berlin', anchor })
    vi.setSystemTime('2027-06-01T12:00:00Z')
    expect(await checked(key)).toMatchObject({ limit: { resets_at: '2027-06-02T07:00:00.000Z' } })
    vi.setSystemTime('2027-12-01T12:00:00Z')
    expect(await checked(key)).toMatchObject({ limit: { resets_at: '2027-12-02T08:00:00.000Z' } })
  })
})
