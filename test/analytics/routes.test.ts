import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import {
  expectRefused,
  GPT_4O,
  granted,
  ingested,
  type Json,
  objects,
  purchased,
  read,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { captureUsage, deliver } from '../support/usage.ts'

/**
 * Tests the analytics routes over HTTP. The tests send events, and themselves run the ledger's alarm and deliver its
 * queue messages.
 */

const DAY_MS = 86_400_000
const NOW_MS = Date.now()

interface Customer {
  readonly key: string
  readonly customer_id: string
  readonly ledger: TestLedger
  readonly sent: unknown[]
}

async function register(): Promise<Customer> {
  const { api_key: key, customer_id } = await createCustomer()
  const ledger = ledgerOf(customer_id)
  return { key, customer_id, ledger, sent: await captureUsage(ledger) }
}

/** Flushes the customer's ledger, and delivers its queue messages to the consumer. */
async function project({ ledger, sent }: Customer): Promise<void> {
  await runAlarm(ledger)
  await deliver(sent.splice(0))
}

const usage = (key: string, query = '') => read(key, `/v1/analytics/usage${query}`)
const costs = (key: string, query = '') => read(key, `/v1/analytics/costs${query}`)
const daysAgo = (days: number) => new Date(NOW_MS - days * DAY_MS).toISOString()

describe('usage and costs', () => {
  let customer: Customer
  let key: string

  beforeAll(async () => {
    customer = await register()
    key = customer.key
    // mia pays 0.50 USD for 50 credits, which is 0.01 USD per credit.
    await purchased(key, { user_id: 'mia', amount: 50, price_usd: 0.5 })
    await ingested(key, { ...GPT_4O, user_id: 'mia', timestamp: daysAgo(3) })
    await ingested(key, { ...GPT_4O, user_id: 'mia', feature_id: 'search', timestamp: daysAgo(3) })
    await ingested(key, { ...GPT_4O, team_id: 'red', timestamp: daysAgo(1) })
    await ingested(key, {
      event_type: 'CUSTOM',
      feature_id: 'export',
      unit: 'rows',
      quantity: 7,
      timestamp: daysAgo(1),
    })
    await project(customer)
  })

  it('add up what was burned, in units, credits and USD', async () => {
    expect(await usage(key)).toMatchObject({
      data: [{ group: {}, events: 4 }],
      totals: {
        events: 4,
        units: { input_tokens: 3000, output_tokens: 1500, rows: 7 },
        credits: 45,
        provider_cost_usd: 0.0225,
      },
    })
  })

  it('have a row for each requested group', async () => {
    expect((await usage(key, '?group_by=feature')).data).toMatchObject([
      { group: { feature: 'chat' }, events: 2, credits: 30 },
      { group: { feature: 'export' }, events: 1, credits: 0 },
      { group: { feature: 'search' }, events: 1, credits: 15 },
    ])
    expect((await usage(key, '?group_by=user,team')).data).toMatchObject([
      { group: { user: 'mia', team: null }, events: 2 },
      { group: { user: null, team: 'red' }, events: 1 },
      { group: { user: null, team: null }, events: 1 },
    ])
    expect((await usage(key, '?group_by=provider&group_by=model')).data).toMatchObject([
      { group: { provider: 'OPENAI', model: 'gpt-4o' }, events: 3 },
      { group: { provider: null, model: null }, events: 1 },
    ])
  })

  it('are grouped by windows of time, which begin at their stated start', async () => {
    const days = objects((await usage(key, '?group_by=day')).data)
    expect(days).toMatchObject([{ events: 2 }, { events: 2 }])
    expect(days.map(({ group }) => Object(group).day)).toEqual(
      [3, 1].map((days) => `${daysAgo(days).slice(0, 10)}T00:00:00.000Z`),
    )
    const hours = objects((await usage(key, '?group_by=hour,event_type')).data)
    expect(hours).toHaveLength(3)
  })

  it.each([
    ['?user=mia', 2],
    ['?user=nobody', 0],
    ['?team=red', 1],
    ['?user=mia&team=red', 0],
    ['?feature=chat&feature=search', 3],
    ['?provider=openai&model=gpt-4o', 3],
    ['?event_type=CUSTOM', 1],
    [`?from=${daysAgo(2)}`, 2],
    [`?to=${daysAgo(2)}`, 2],
    [`?from=${daysAgo(30)}&to=${daysAgo(10)}`, 0],
    [`?user=mia&from=${daysAgo(2)}`, 0],
  ])('with %s have %d events', async (query, events) => {
    const { totals, data } = await usage(key, query)
    expect({ totals, data }).toMatchObject({ totals: { events }, data: [{ group: {}, events }] })
  })

  it('report the revenue, and the paid part of it', async () => {
    // mia burned 30 credits. At 1,000 credits per USD, their revenue is 0.03 USD. mia paid 0.01 USD per credit, so the
    // paid revenue is 0.30 USD.
    expect((await costs(key, '?group_by=user')).data).toMatchObject([
      {
        group: { user: 'mia' },
        provider_cost_usd: 0.015,
        revenue_usd: 0.03,
        paid_revenue_usd: 0.3,
        margin_usd: 0.015,
        margin_percent: 50,
      },
      { group: { user: null }, revenue_usd: 0.015, paid_revenue_usd: 0, margin_percent: 50 },
    ])
  })

  it('belong to only one customer and mode', async () => {
    const other = await register()
    expect((await usage(other.key, '?user=mia')).totals).toMatchObject({ events: 0 })
    expect((await usage(other.key)).totals).toMatchObject({ events: 0, units: {}, credits: 0 })
  })
})

describe('a later change of an event', () => {
  it('a void subtracts it at its own time, a refund subtracts only its credits', async () => {
    const customer = await register()
    const { key } = customer
    const voided = await ingested(key, { ...GPT_4O, timestamp: daysAgo(5) })
    await ingested(key, { ...GPT_4O, timestamp: daysAgo(5) })
    await project(customer)
    await api(`/v1/events/${voided.id}/void`, { key, method: 'POST' })
    const [burn] = objects((await read(key, '/v1/credits/transactions?type=BURN')).data)
    await api('/v1/credits/refund', { key, body: { transaction_id: burn?.id, amount: 5 } })
    await project(customer)
    expect((await usage(key, '?group_by=day')).data).toMatchObject([
      { events: 1, units: { input_tokens: 1000 }, credits: 10, provider_cost_usd: 0.0075 },
    ])
    expect((await costs(key)).totals).toMatchObject({ provider_cost_usd: 0.0075, revenue_usd: 0.01 })
  })

  it('a hold that is captured by credits earns them when it is captured', async () => {
    const customer = await register()
    const { key } = customer
    const hold = await jsonOf(await api('/v1/holds', { key, body: { feature_id: 'chat', credits: 20 } }))
    await api(`/v1/holds/${hold.hold_id}/capture`, { key, body: { credits: 12, final: true } })
    await project(customer)
    expect((await usage(key, '?group_by=feature,event_type')).data).toMatchObject([
      { group: { feature: 'chat', event_type: null }, events: 0, units: {}, credits: 12 },
    ])
    expect((await costs(key)).totals).toMatchObject({
      provider_cost_usd: 0,
      revenue_usd: 0.012,
      margin_percent: 100,
    })
  })

  it('an erased user stays in the sums, under an alias', async () => {
    const customer = await register()
    const { key } = customer
    await ingested(key, { ...GPT_4O, user_id: 'zoe@example.com' })
    await project(customer)
    await api('/v1/users/zoe%40example.com', { key, method: 'DELETE' })
    const [row] = objects((await usage(key, '?group_by=user')).data)
    expect(row).toMatchObject({ events: 1, credits: 15 })
    expect(JSON.stringify(row)).not.toContain('zoe')
    expect((await usage(key, '?user=zoe%40example.com')).totals).toMatchObject({ events: 0 })
  })
})

describe('time_zone', () => {
  const ZONES = ['Europe/Berlin', 'America/Los_Angeles', 'Pacific/Kiritimati', 'Asia/Tokyo']
  let key: string

  beforeAll(async () => {
    const customer = await register()
    key = customer.key
    // 48 events over ten days, one every five hours, each with a different number of tokens.
    const events = Array.from({ length: 48 }, (_, index) => ({
      ...GPT_4O,
      input_tokens: index + 1,
      timestamp: new Date(NOW_MS - index * 5 * 3_600_000).toISOString(),
    }))
    await ingested(key, { events })
    await project(customer)
  })

  it.each(ZONES)('%s: days are those of its clocks, and add up to the total', async (zone) => {
    const dateOf = new Intl.DateTimeFormat('en-CA', { timeZone: zone })
    const wanted = new Map<string, number>()
    for (let index = 47; index >= 0; index--) {
      // Usage is stored by hour, so an event belongs to the day on which its hour starts.
      const hour_ms = Math.floor((NOW_MS - index * 5 * 3_600_000) / 3_600_000) * 3_600_000
      const date = dateOf.format(hour_ms)
      wanted.set(date, (wanted.get(date) ?? 0) + 1)
    }
    const answer = await usage(key, `?group_by=day&time_zone=${zone}`)
    expect(answer.time_zone).toBe(zone)
    const rows = objects(answer.data)
    const days = rows.map(({ group, events }) => {
      const start_ms = Date.parse(String(Object(group).day))
      expect(dateOf.format(start_ms - 1)).not.toBe(dateOf.format(start_ms))
      return [dateOf.format(start_ms), events]
    })
    expect(days).toEqual([...wanted])
    for (const of of [usage, costs]) {
      const all = await of(key, `?group_by=day,feature&time_zone=${zone}`)
      const sums = objects(all.data).map((row) => Math.round(Number(row.provider_cost_usd) * 1e6))
      const total = Math.round(Number(Object(all.totals).provider_cost_usd) * 1e6)
      expect(sums.reduce((sum, value) => sum + value, 0)).toBe(total)
      const { totals } = await of(key)
      expect(all.totals).toEqual(totals)
    }
  })

  it('months and weeks begin at local midnight', async () => {
    for (const window of ['week', 'month']) {
      const { data } = await usage(key, `?group_by=${window}&time_zone=Asia/Tokyo`)
      for (const { group } of objects(data)) expect(Object(group)[window]).toMatch(/T15:00:00.000Z$/)
    }
  })

  it('is UTC by default', async () => {
    const answer = await usage(key, '?group_by=day')
    expect(answer.time_zone).toBe('UTC')
    expect(await usage(key, '?group_by=day&time_zone=UTC')).toMatchObject({ data: answer.data })
  })

  it('refuses windows that begin within an hour of UTC, and succeeds without windows', async () => {
    for (const window of ['hour', 'day', 'week', 'month']) {
      const refused = await api(`/v1/analytics/usage?group_by=${window}&time_zone=Asia/Kolkata`, { key })
      const { errors } = await expectRefused(refused, 400, 'invalid_request')
      expect(objects(errors)[0]).toMatchObject({ path: '/time_zone' })
      expect(objects(errors)[0]?.message).toContain('+05:30')
    }
    const answer = await usage(key, '?group_by=feature&time_zone=Asia/Kolkata')
    expect(answer).toMatchObject({ time_zone: 'Asia/Kolkata', totals: { events: 48 } })
  })

  it.each(['Europe/Nowhere', 'Berlin', '%2B02:00', '', 'UTC&time_zone=UTC'])('refuses %s', async (zone) => {
    const refused = await api(`/v1/analytics/costs?time_zone=${zone}`, { key })
    const { errors } = await expectRefused(refused, 400, 'invalid_request')
    expect(objects(errors)[0]).toMatchObject({ path: '/time_zone' })
  })
})

describe('as_of', () => {
  it('is the moment of the query once everything is counted, and before that the time the rollups have reached', async () => {
    const customer = await register()
    const { key } = customer
    await project(customer)
    const asOf = async () => Date.parse(String((await usage(key)).as_of))
    const before = Date.now()
    expect(await asOf()).toBeGreaterThanOrEqual(before)
    await ingested(key, GPT_4O)
    const behind = await asOf()
    expect(behind).toBeLessThanOrEqual(Date.now())
    expect((await usage(key)).totals).toMatchObject({ events: 0 })
    // The flush alone changes nothing: analytics count usage only after the queue has delivered the message.
    await runAlarm(customer.ledger)
    expect(await asOf()).toBe(behind)
    const consumed = Date.now()
    await project(customer)
    expect(await asOf()).toBeGreaterThanOrEqual(consumed)
    expect((await usage(key)).totals).toMatchObject({ events: 1 })
  })
})

describe('a key of the test ledger', () => {
  it('sees the test ledger', async () => {
    const customer = await register()
    await ingested(customer.key, GPT_4O)
    await project(customer)
    const response = await api('/v1/api-keys', { key: customer.key, body: { name: 'test', mode: 'test' } })
    const { api_key } = await jsonOf(response)
    expect((await usage(String(api_key))).totals).toMatchObject({ events: 0 })
    expect((await usage(customer.key)).totals).toMatchObject({ events: 1 })
  })

  it('that was deleted is refused', async () => {
    const customer = await register()
    const { api_key, key_id } = await createKey(customer.customer_id)
    expect((await api('/v1/analytics/usage', { key: api_key })).status).toBe(200)
    await api(`/v1/api-keys/${key_id}`, { key: customer.key, method: 'DELETE' })
    expect((await api('/v1/analytics/usage', { key: api_key })).status).toBe(401)
  })
})

describe('burn rate', () => {
  it('returns when the credits run out, and the assumption behind it', async () => {
    const customer = await register()
    const { key } = customer
    for (const days of [1, 3, 5]) await ingested(key, { ...GPT_4O, timestamp: daysAgo(days) })
    await ingested(key, { ...GPT_4O, timestamp: daysAgo(20) })
    await granted(key, { user_id: 'mia', amount: 60 })
    await project(customer)
    const told: Json = await read(key, '/v1/analytics/burn-rate')
    // The balance is 10,000 credits from the sign-up, minus 60 burned credits, plus 60 credits granted to mia. Of the
    // burned credits, 45 were burned in the last 7 days.
    expect(told).toMatchObject({
      balance: 10_000,
      average_per_day_7d: 6.428571,
      average_per_day_30d: 2,
      trend: 'rising',
      days_remaining: 1555.55,
      assumption: expect.stringContaining('7 days'),
      recommendations: [],
    })
    const until = Date.parse(String(told.run_out_date)) - Date.now()
    expect(Math.abs(until - 1555.55 * DAY_MS)).toBeLessThan(60_000)
  })

  it('of a user whose usage is stored with too much usage of others is refused, with an alternative', async () => {
    const customer = await register()
    const { key } = customer
    await granted(key, { user_id: 'mia', amount: 40 })
    await ingested(key, { ...GPT_4O, user_id: 'mia', timestamp: daysAgo(2) })
    await project(customer)
    await env.DB.prepare(
      `INSERT INTO rollup_users (ledger_id, generation, day, bucket, part, cells)
       SELECT ledger_id, generation, day, bucket, part + 1 + value, cells || replace(hex(zeroblob(950000)), '0', ' ')
       FROM rollup_users, json_each(?2) WHERE ledger_id = ?1`,
    )
      .bind(customer.customer_id, JSON.stringify(Array.from({ length: 40 }, (_, part) => part)))
      .run()
    const response = await api('/v1/analytics/burn-rate?user=mia', { key })
    const { detail } = await expectRefused(response, 400, 'invalid_request')
    expect(detail).toContain('fewer days')
  })

  it('of a user is that of its wallet', async () => {
    const customer = await register()
    const { key } = customer
    await granted(key, { user_id: 'mia', amount: 40 })
    await ingested(key, { ...GPT_4O, user_id: 'mia', timestamp: daysAgo(2) })
    await ingested(key, GPT_4O)
    await project(customer)
    expect(await read(key, '/v1/analytics/burn-rate?user=mia')).toMatchObject({
      balance: 25,
      average_per_day_7d: 2.142857,
      days_remaining: 11.66,
      recommendations: [{ type: 'warning', action: 'purchase_credits' }],
    })
  })

  it.each(['user', 'team'])('of a %s is that of its wallet and of its usage only', async (kind) => {
    const customer = await register()
    const { key } = customer
    for (const id of ['mia', 'noah']) await granted(key, { [`${kind}_id`]: id, amount: 40 })
    await ingested(key, { ...GPT_4O, [`${kind}_id`]: 'mia', timestamp: daysAgo(2) })
    await ingested(key, { ...GPT_4O, [`${kind}_id`]: 'noah', timestamp: daysAgo(3) })
    await ingested(key, GPT_4O)
    await project(customer)
    expect(await read(key, `/v1/analytics/burn-rate?${kind}=mia`)).toMatchObject({
      balance: 25,
      average_per_day_7d: 2.142857,
    })
  })

  it('of a customer that burned nothing does not run out', async () => {
    const { key } = await register()
    expect(await read(key, '/v1/analytics/burn-rate')).toMatchObject({
      balance: 10_000,
      average_per_day_7d: 0,
      trend: 'steady',
      days_remaining: null,
      run_out_date: null,
      recommendations: [],
    })
  })
})
