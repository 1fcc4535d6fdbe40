import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { balanceOf, GPT_4O, granted, ingested, type Json, purchased, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { inStore, ledgerOf, runAlarm, type TestLedger, watermark } from '../support/ledgers.ts'

vi.setConfig({ testTimeout: 120_000 })

/**
 * Tests entries that are older than the idempotency window. The ledger object has freed them, so they are only in D1.
 * Every read must find them there, and must return the same as before.
 */

const DAY_MS = 86_400_000

let key: string
let ledger: TestLedger

beforeEach(async () => {
  const customer = await createCustomer()
  key = customer.api_key
  ledger = ledgerOf(customer.customer_id)
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

async function post(path: string, body: object = {}): Promise<Json> {
  const response = await api(path, { key, body })
  expect(response.status).toBeLessThan(300)
  return jsonOf(response)
}

/**
 * Advances the clock by `days` days and runs the alarm, which flushes journal rows and frees the rows that are older
 * than the idempotency window.
 */
async function archived(days = 9): Promise<void> {
  await runAlarm(ledger)
  vi.setSystemTime(Date.now() + days * DAY_MS)
  // Flushes one more event, because the object keeps the last row that D1 has until D1 has another row.
  await ingested(key, { ...GPT_4O, event_type: 'FEATURE_ACCESS' })
  await runAlarm(ledger)
  await runAlarm(ledger)
}

async function oldestEntry(): Promise<number> {
  return inStore(ledger, ({ journal }) => {
    for (const { body } of journal.rowsAfter(0)) {
      const records: { n?: number }[] = JSON.parse(body)
      const first = records.find(({ n }) => n !== undefined)?.n
      if (first !== undefined) return first
    }
    return journal.counters.entry + 1
  })
}

describe('an event that the object has freed', () => {
  it('is returned as before, in the list and by its id, and can be voided once', async () => {
    await purchased(key, { amount: 1000, price_usd: 10 })
    const burned = await ingested(key, { ...GPT_4O, user_id: 'ann', metadata: { run: 7 } })
    const id = String(burned.id)
    const before = await read(key, `/v1/events/${id}`)
    await archived()
    expect(await oldestEntry()).toBeGreaterThan(3)
    expect(await read(key, `/v1/events/${id}`)).toEqual(before)
    const balance = Number(await balanceOf(key))
    expect(await post(`/v1/events/${id}/void`)).toMatchObject({ amount: burned.credits_burned })
    expect(await balanceOf(key)).toBe(balance + Number(burned.credits_burned))
    expect((await api(`/v1/events/${id}/void`, { key, body: {} })).status).toBe(409)
    await archived()
    expect((await api(`/v1/events/${id}/void`, { key, body: {} })).status).toBe(409)
  })

  it('counts its void in its own cell, even after the object has freed the event', async () => {
    await purchased(key, { amount: 1000, price_usd: 10 })
    const { id } = await ingested(key, { ...GPT_4O, user_id: 'ann' })
    await archived()
    await post(`/v1/events/${String(id)}/void`)
    await runAlarm(ledger)
    const { usage } = await inStore(ledger, ({ journal }) => journal.cursor)
    // Only the event that `archived` sends remains. It costs the same as the voided event.
    expect(usage.events).toBe(1n)
    const { credits_micro, price_pico } = usage
    expect(price_pico).toBe(credits_micro * 1_000n)
  })

  it('can be refunded in parts, before and after it was freed, to the last credit', async () => {
    await purchased(key, { amount: 1000, price_usd: 10 })
    const burned = await ingested(key, GPT_4O)
    const { data } = await read(key, '/v1/credits/transactions?type=BURN')
    const transaction_id = Array.isArray(data) ? data[0].id : ''
    await post('/v1/credits/refund', { transaction_id, amount: 4 })
    await archived()
    await post('/v1/credits/refund', { transaction_id, amount: 1 })
    const rest = await post('/v1/credits/refund', { transaction_id })
    expect(rest.amount).toBe(Number(burned.credits_burned) - 5)
    expect((await api('/v1/credits/refund', { key, body: { transaction_id } })).status).toBe(409)
  })
})

describe('a purchase that the object has freed', () => {
  it('is refunded up to the rest of its lot', async () => {
    const { transaction_id } = await purchased(key, { amount: 100, price_usd: 10 })
    await archived()
    const { data } = await read(key, '/v1/credits/lots')
    const left = Array.isArray(data) ? data.find(({ kind }) => kind === 'paid')?.remaining : 0
    expect(left).toBeGreaterThan(0)
    expect(await post('/v1/credits/refund', { transaction_id })).toMatchObject({ amount: -left })
  })
})

describe('the list of transactions, read page by page', () => {
  it('has no gap and no repetition while events arrive, flushes run and old rows are freed', async () => {
    await granted(key, { amount: 1_000_000 })
    for (let i = 0; i < 12; i++) {
      vi.setSystemTime(Date.now() + DAY_MS)
      await ingested(key, { events: Array.from({ length: 10 }, () => GPT_4O) })
      await runAlarm(ledger)
    }
    const last = Number((await inStore(ledger, ({ counters }) => counters)).entry)
    const before = await oldestEntry()
    const seen: number[] = []
    let cursor: string | null = null
    let pages = 0
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`
      const page: Promise<Json> = read(key, `/v1/credits/transactions?limit=9${query}`)
      // While the page is read, the ledger writes, flushes and frees rows, because the clock advances.
      vi.setSystemTime(Date.now() + DAY_MS / 4)
      const writing = Array.from({ length: 3 }, () => ingested(key, { events: [GPT_4O, GPT_4O] }))
      const [got] = await Promise.all([page, runAlarm(ledger), ...writing])
      const { data, next_cursor } = got
      if (!Array.isArray(data)) throw new Error('not a list')
      seen.push(...data.map(({ id }) => numberIn(String(id))))
      cursor = next_cursor === null ? null : String(next_cursor)
      pages++
    } while (cursor !== null)
    expect(pages).toBeGreaterThan(10)
    expect(await oldestEntry()).toBeGreaterThan(before)
    expect((await watermark(ledger))?.flushed_entry).toBeGreaterThan(last)
    const newest = seen[0] ?? 0
    expect(newest).toBeGreaterThanOrEqual(last)
    expect(seen).toEqual(Array.from({ length: newest }, (_, i) => newest - i))
  })
})

/** Returns the entry number in an id. The number is in base 32, and follows the ten characters of the time. */
function numberIn(id: string): number {
  const digits = '0123456789abcdefghjkmnpqrstvwxyz'
  return [...id.slice(4 + 10, 4 + 18)].reduce((number, char) => number * 32 + digits.indexOf(char), 0)
}
