import { beforeAll, describe, expect, it } from 'vitest'
import { textField } from '../support/api.ts'
import { GPT_4O, granted, ingested, type Json, listed, objects, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

const HOUR_MS = 3_600_000
const hoursAgo = (hours: number) => new Date(Date.now() - hours * HOUR_MS).toISOString()

/** Ten events in the order in which they arrive. Each has an earlier timestamp than the previous one. */
const EVENTS = [
  { ...GPT_4O, user_id: 'ann', timestamp: hoursAgo(1) },
  { ...GPT_4O, user_id: 'bob', timestamp: hoursAgo(2) },
  { ...GPT_4O, user_id: 'ann', team_id: 'red', timestamp: hoursAgo(3) },
  { ...GPT_4O, team_id: 'red', feature_id: 'search', timestamp: hoursAgo(4) },
  { ...GPT_4O, model: 'gpt-4o-mini', timestamp: hoursAgo(5) },
  { ...GPT_4O, provider: 'ANTHROPIC', model: 'claude-sonnet-4-5', timestamp: hoursAgo(6) },
  { ...GPT_4O, model: 'gpt-none', timestamp: hoursAgo(7) },
  { event_type: 'CUSTOM', feature_id: 'export', unit: 'pages', quantity: 3, timestamp: hoursAgo(8) },
  {
    event_type: 'IMAGE_GENERATION',
    feature_id: 'art',
    provider: 'STABILITY_AI',
    model: 'stable-image-core',
    image_count: 1,
    timestamp: hoursAgo(9),
  },
  { ...GPT_4O, user_id: 'ann', metadata: { n: 9 }, timestamp: hoursAgo(10) },
]

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
  await granted(key, { user_id: 'ann', amount: 100 })
  await ingested(key, { events: EVENTS.map((event, index) => ({ ...event, metadata: { n: index } })) })
})

function numbers(rows: readonly Json[]): unknown[] {
  return rows.map(({ metadata }) => Object(metadata).n)
}

describe('GET /v1/events', () => {
  it('lists events with all inputs of their price, newest arrival first', async () => {
    const rows = await listed(key, '/v1/events')
    expect(numbers(rows)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    expect(rows.at(-1)).toEqual({
      id: expect.stringMatching(/^evt_/),
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      user_id: 'ann',
      team_id: null,
      key_id: expect.stringMatching(/^key_/),
      provider: 'OPENAI',
      model: 'gpt-4o',
      usage: { input_tokens: 1000, output_tokens: 500 },
      credits_burned: 15,
      balance_after: 85,
      provider_cost_usd: 0.0075,
      customer_price_usd: 0.015,
      wallet_id: expect.stringMatching(/^wal_/),
      transaction_id: expect.stringMatching(/^txn_/),
      burn_table_version: 1,
      price_version: expect.any(String),
      metadata: { n: 0 },
      timestamp: EVENTS[0]?.timestamp,
      created_at: expect.stringMatching(/Z$/),
    })
  })

  const filters: [query: string, expected: number[]][] = [
    ['user_id=ann', [9, 2, 0]],
    ['team_id=red', [3, 2]],
    ['user_id=ann&team_id=red', [2]],
    ['user_id=nobody', []],
    ['feature_id=search', [3]],
    ['provider=OPENAI', [9, 6, 4, 3, 2, 1, 0]],
    ['provider=open-ai', [9, 6, 4, 3, 2, 1, 0]],
    ['provider=stability_ai', [8]],
    ['provider=NOBODY', []],
    ['model=gpt-4o-mini', [4]],
    ['model=gpt-4', []],
    ['event_type=CUSTOM', [7]],
    ['unrated=true', [6]],
    ['unrated=false&event_type=TOKEN_USAGE&user_id=bob', [1]],
    [`from=${hoursAgo(3.5)}`, [2, 1, 0]],
    [`to=${hoursAgo(8.5)}`, [9, 8]],
    [`from=${hoursAgo(6.5)}&to=${hoursAgo(3.5)}`, [5, 4, 3]],
    [`from=${EVENTS[4]?.timestamp}&to=${EVENTS[3]?.timestamp}`, [4]],
    [`from=${hoursAgo(1)}&to=${hoursAgo(2)}`, []],
  ]
  it.each(filters)('with %s', async (query, expected) => {
    expect(numbers(await listed(key, '/v1/events', `?${query}`))).toEqual(expected)
  })

  it.each([1, 2, 3, 7, 10, 100])('in pages of %i', async (limit) => {
    expect(numbers(await listed(key, '/v1/events', `?limit=${limit}`))).toEqual([
      9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    ])
    expect(numbers(await listed(key, '/v1/events', `?limit=${limit}&user_id=ann`))).toEqual([9, 2, 0])
    expect(objects((await read(key, `/v1/events?limit=${limit}`)).data).length).toBeLessThanOrEqual(limit)
  })

  it('is empty for a customer without events', async () => {
    const other = await createCustomer()
    expect(await read(other.api_key, '/v1/events')).toEqual({ data: [], next_cursor: null })
  })
})

describe('GET /v1/events/:id', () => {
  it('is the event that the list shows, and its transaction is in the ledger', async () => {
    const rows = await listed(key, '/v1/events')
    const transactions = await listed(key, '/v1/credits/transactions')
    for (const row of rows) {
      expect(await read(key, `/v1/events/${textField(row, 'id')}`)).toEqual(row)
      expect(transactions).toContainEqual(
        expect.objectContaining({
          id: row.transaction_id,
          event_id: row.id,
          amount: 0 - Number(row.credits_burned),
          balance_after: row.balance_after,
        }),
      )
    }
  })
})
