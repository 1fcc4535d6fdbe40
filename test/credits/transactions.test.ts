import { beforeAll, describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import {
  expectInvalid,
  GPT_4O,
  granted,
  ingested,
  type Json,
  listed,
  objects,
  purchased,
  read,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
  // Creates ten ledger entries in four wallets. The sign-up grant is one of them.
  await granted(key, { user_id: 'ann', amount: 50, reason: 'Hello' })
  await purchased(key, { user_id: 'ann', amount: 10, price_usd: 1 })
  await granted(key, { team_id: 'red', amount: 100 })
  await ingested(key, { ...GPT_4O, user_id: 'ann', metadata: { step: 4 } })
  await ingested(key, { ...GPT_4O, user_id: 'ann', team_id: 'red' })
  await ingested(key, { events: [GPT_4O, { ...GPT_4O, user_id: 'bob' }, { ...GPT_4O, input_tokens: 1 }] })
  await granted(key, { team_id: 'ann', amount: 7 })
})

const summary = ({ type, amount, balance_before, balance_after }: Json) => [
  type,
  amount,
  balance_before,
  balance_after,
]

const ALL = [
  ['GRANT', 7, 0, 7],
  ['BURN', -10.005, 9970, 9959.995],
  ['BURN', -15, 9985, 9970],
  ['BURN', -15, 10000, 9985],
  ['BURN', -15, 100, 85],
  ['BURN', -15, 60, 45],
  ['GRANT', 100, 0, 100],
  ['PURCHASE', 10, 50, 60],
  ['GRANT', 50, 0, 50],
  ['GRANT', 10000, 0, 10000],
]

describe('GET /v1/credits/transactions', () => {
  it('lists every entry of the ledger, newest first', async () => {
    const rows = await listed(key, '/v1/credits/transactions')
    expect(rows.map(summary)).toEqual(ALL)
    expect(rows[5]).toEqual({
      id: expect.stringMatching(/^txn_[0-9a-z]{26}$/),
      type: 'BURN',
      wallet_id: rows[8]?.wallet_id,
      amount: -15,
      balance_before: 60,
      balance_after: 45,
      description: 'TOKEN_USAGE chat, OPENAI gpt-4o',
      event_id: expect.stringMatching(/^evt_[0-9a-z]{26}$/),
      lots: [{ lot_id: Object(objects(rows[8]?.lots)[0]).lot_id, amount: -15 }],
      metadata: { step: 4 },
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    expect(rows[9]).toMatchObject({ description: 'Sign-up grant', metadata: {} })
    const ids = rows.map(({ id }) => String(id))
    expect(ids).toEqual(ids.toSorted().reverse())
  })

  it('adds up to the balance of each wallet', async () => {
    for (const query of ['', '?user_id=ann', '?team_id=red', '?team_id=ann']) {
      const { wallet_id, balance } = await read(key, `/v1/credits/balance${query}`)
      const rows = (await listed(key, '/v1/credits/transactions')).filter(
        (row) => row.wallet_id === wallet_id,
      )
      expect(rows.reduce((sum, { amount }) => sum + Math.round(Number(amount) * 1e6), 0)).toBe(
        Math.round(Number(balance) * 1e6),
      )
      expect(rows[0]?.balance_after).toBe(balance)
    }
  })

  const filters: [query: string, expected: number[]][] = [
    ['user_id=ann', [5, 7, 8]],
    ['team_id=red', [4, 6]],
    ['team_id=ann', [0]],
    ['user_id=bob', []],
    ['user_id=nobody', []],
    ['type=GRANT', [0, 6, 8, 9]],
    ['type=PURCHASE', [7]],
    ['type=BURN&user_id=ann', [5]],
    ['type=EXPIRATION', []],
    ['from=2020-01-01T00:00:00Z', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['from=2120-01-01T00:00:00Z', []],
    ['to=2020-01-01T00:00:00%2B02:00', []],
    ['from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00Z&type=PURCHASE', [7]],
  ]
  it.each(filters)('with %s', async (query, expected) => {
    const rows = await listed(key, '/v1/credits/transactions', `?${query}`)
    expect(rows.map(summary)).toEqual(expected.map((index) => ALL[index]))
  })

  it('from a time on includes it, and to a time excludes it', async () => {
    const rows = await listed(key, '/v1/credits/transactions')
    const at = String(rows[4]?.created_at)
    const since = await listed(key, '/v1/credits/transactions', `?from=${at}`)
    const until = await listed(key, '/v1/credits/transactions', `?to=${at}`)
    expect([...since, ...until]).toEqual(rows)
    expect(since).toContainEqual(rows[4])
  })

  it.each([1, 2, 3, 9, 10, 11])('in pages of %i, with each row once', async (limit) => {
    expect((await listed(key, '/v1/credits/transactions', `?limit=${limit}`)).map(summary)).toEqual(ALL)
    const first = await read(key, `/v1/credits/transactions?limit=${limit}`)
    expect(objects(first.data)).toHaveLength(Math.min(limit, 10))
  })

  it('continues at its place when entries are added meanwhile', async () => {
    const { api_key } = await createCustomer()
    await ingested(api_key, { events: Array.from({ length: 5 }, () => GPT_4O) })
    const first = await read(api_key, '/v1/credits/transactions?limit=3')
    await ingested(api_key, { events: Array.from({ length: 5 }, () => GPT_4O) })
    const rest = await listed(
      api_key,
      '/v1/credits/transactions',
      `?limit=100&cursor=${String(first.next_cursor)}`,
    )
    expect([...objects(first.data), ...rest].map(({ balance_after }) => balance_after)).toEqual([
      9925, 9940, 9955, 9970, 9985, 10000,
    ])
  })

  const bad: [query: string, path: string][] = [
    ['limit=0', '/limit'],
    ['limit=101', '/limit'],
    ['limit=-1', '/limit'],
    ['limit=1e1', '/limit'],
    ['limit=', '/limit'],
    ['limit=5&limit=6', '/limit'],
    ['cursor=', '/cursor'],
    ['cursor=5', '/cursor'],
    ['cursor=c!', '/cursor'],
    ['cursor=c0000000000', '/cursor'],
    ['type=burn', '/type'],
    ['type=', '/type'],
    ['from=yesterday', '/from'],
    ['to=1700000000', '/to'],
    ['user_id=a&team_id=b', '/team_id'],
    ['feature_id=chat', '/feature_id'],
    ['page=2', '/page'],
  ]
  it.each(bad)('is a 400 with ?%s', async (query, path) => {
    await expectInvalid(await api(`/v1/credits/transactions?${query}`, { key }), path)
  })
})
