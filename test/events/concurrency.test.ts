import { describe, expect, it } from 'vitest'
import { jsonOf } from '../support/api.ts'
import {
  balanceOf,
  GPT_4O,
  granted,
  ingest,
  ingested,
  type Json,
  listed,
  objects,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

function countOf(values: readonly unknown[]): Map<unknown, number> {
  const counts = new Map<unknown, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

function sumOf(rows: readonly Json[]): number {
  return rows.reduce((sum, { amount }) => sum + Math.round(Number(amount) * 1e6), 0) / 1e6
}

describe('500 events at once on a wallet that can pay for exactly 137 of them', () => {
  it('are accepted 137 times and refused 363 times, and the balance is exactly 0', async () => {
    const { api_key } = await createCustomer()
    await granted(api_key, { user_id: 'zoe', amount: 137 * 15 })
    const responses = await Promise.all(
      Array.from({ length: 500 }, (_, i) =>
        ingest(api_key, { ...GPT_4O, user_id: 'zoe', idempotency_key: `call-${i}` }),
      ),
    )
    expect(countOf(responses.map(({ status }) => status))).toEqual(
      new Map([
        [200, 137],
        [402, 363],
      ]),
    )
    const answers = await Promise.all(responses.filter(({ status }) => status === 200).map(jsonOf))
    const balances = answers.map(({ balance_after }) => Number(balance_after)).toSorted((a, b) => b - a)
    expect(balances).toEqual(Array.from({ length: 137 }, (_, i) => (136 - i) * 15))
    expect(new Set(answers.map(({ id }) => id)).size).toBe(137)
    expect(await balanceOf(api_key, '?user_id=zoe')).toBe(0)
    const rows = await listed(api_key, '/v1/credits/transactions', '?user_id=zoe&limit=100')
    expect(rows).toHaveLength(138)
    expect(sumOf(rows)).toBe(0)
    expect(await balanceOf(api_key)).toBe(10000)
  })
})

describe('the same key sent 100 times at once', () => {
  it('burns once and gets the same response 100 times', async () => {
    const { api_key } = await createCustomer()
    const responses = await Promise.all(
      Array.from({ length: 100 }, () => ingest(api_key, GPT_4O, { 'Idempotency-Key': 'one' })),
    )
    const texts = await Promise.all(responses.map((response) => response.text()))
    expect(new Set(texts).size).toBe(1)
    const replayed = responses.filter(({ headers }) => headers.get('Idempotency-Replayed') === 'true')
    expect(replayed).toHaveLength(99)
    expect(await balanceOf(api_key)).toBe(9985)
  })

  it('with 100 different payloads burns one of them and refuses the other 99', async () => {
    const { api_key } = await createCustomer()
    const responses = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        ingest(api_key, { ...GPT_4O, input_tokens: i, output_tokens: 0, idempotency_key: 'one' }),
      ),
    )
    expect(countOf(responses.map(({ status }) => status))).toEqual(
      new Map([
        [200, 1],
        [422, 99],
      ]),
    )
    expect(await listed(api_key, '/v1/events')).toHaveLength(1)
  })
})

describe('single events, batches, grants and readers all at once', () => {
  it('leave wallets whose entries add up to their balance', async () => {
    const { api_key } = await createCustomer()
    await granted(api_key, { user_id: 'zoe', amount: 300 })
    const single = (i: number) =>
      ingest(api_key, { ...GPT_4O, user_id: 'zoe', idempotency_key: `key-${i % 60}` })
    const batch = (i: number) =>
      ingest(api_key, {
        events: Array.from({ length: 20 }, (_, j) => ({
          ...GPT_4O,
          user_id: 'zoe',
          idempotency_key: `key-${(i + j) % 60}`,
        })),
      })
    const work = Array.from({ length: 40 }, (_, i) => [
      single(i * 7),
      batch(i),
      granted(api_key, { user_id: 'zoe', amount: 5 }, { 'Idempotency-Key': `grant-${i % 10}` }),
      balanceOf(api_key, '?user_id=zoe').then((balance) => expect(Number(balance)).toBeGreaterThanOrEqual(0)),
    ]).flat()
    await Promise.all(work)
    // After this grant, the wallet can pay for all events. A repeat of all events must leave exactly one burn for each
    // key.
    await granted(api_key, { user_id: 'zoe', amount: 1000 })
    const last = await ingested(api_key, {
      events: Array.from({ length: 60 }, (_, i) => ({
        ...GPT_4O,
        user_id: 'zoe',
        idempotency_key: `key-${i}`,
      })),
    })
    expect(objects(last.results).filter(({ status }) => status === 'rejected')).toEqual([])
    expect(await balanceOf(api_key, '?user_id=zoe')).toBe(300 + 10 * 5 + 1000 - 60 * 15)
    const rows = await listed(api_key, '/v1/credits/transactions', '?user_id=zoe&limit=100')
    expect(countOf(rows.map(({ type }) => type))).toEqual(
      new Map([
        ['BURN', 60],
        ['GRANT', 12],
      ]),
    )
    expect(sumOf(rows)).toBe(450)
    let balance = 450
    for (const row of rows) {
      expect(row.balance_after).toBe(balance)
      balance = Number(row.balance_before)
    }
    expect(balance).toBe(0)
  })
})
