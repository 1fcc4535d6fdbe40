import { runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { balanceOf, GPT_4O, ingest, ingested, listed, read } from '../support/client.ts'
import { createCustomer, unique } from '../support/customers.ts'
import { brokenD1 } from '../support/d1.ts'
import {
  journalEntries,
  ledgerOf,
  runAlarm,
  storedPages,
  type TestLedger,
  withD1,
} from '../support/ledgers.ts'
import { configure } from './injection.ts'

vi.setConfig({ testTimeout: 60_000 })

/**
 * Tests a ledger whose database is too large. The database of an object grows while D1 is unavailable, or if a ledger
 * has too much data. The platform limits it to 10 GB. At a lower, configured limit, the ledger refuses changes with 503
 * and loses no data. It accepts changes again when the database is smaller. These tests set a small limit.
 */

const DAY_MS = 86_400_000
/** A batch of events that cost 0 credits and have large metadata. */
const EVENTS = {
  events: Array.from({ length: 40 }, () => ({
    event_type: 'FEATURE_ACCESS',
    feature_id: 'export',
    metadata: { note: 'x'.repeat(8_000) },
  })),
}

vi.spyOn(console, 'error').mockImplementation(() => undefined)

let key: string
let ledger: TestLedger

beforeEach(async () => {
  const customer = await createCustomer()
  key = customer.api_key
  ledger = ledgerOf(customer.customer_id)
})
afterEach(() => {
  vi.useRealTimers()
})

function databaseBytes(): Promise<number> {
  return runInDurableObject(ledger.stub, (_, { storage }) => storage.sql.databaseSize)
}

/**
 * Sets the size limit of the ledger to 1 MB above its size, and sends events until they fail with 503. Nothing is
 * flushed meanwhile. Returns the number of accepted events and the last response.
 */
async function fill(): Promise<{ accepted: number; refusal: Response }> {
  const bound = (await databaseBytes()) + 1_000_000
  await configure(ledger, { max_ledger_bytes: bound })
  for (let accepted = 0; ; accepted += EVENTS.events.length) {
    const response = await ingest(key, EVENTS)
    if (response.status !== 200) {
      expect(await databaseBytes()).toBeGreaterThanOrEqual(bound)
      expect(await databaseBytes()).toBeLessThan(bound + 1_000_000)
      return { accepted, refusal: response }
    }
    expect(accepted).toBeLessThan(1_000)
  }
}

describe('a ledger whose database has grown to its bound', () => {
  it('refuses changes with 503 and Retry-After, and serves reads and replays', async () => {
    await withD1(ledger, brokenD1(), async () => {
      const event = { ...GPT_4O, idempotency_key: unique('k') }
      const first = await ingest(key, event)
      const text = await first.text()
      const { accepted, refusal } = await fill()
      expect(accepted).toBeGreaterThan(0)
      expect(refusal.status).toBe(503)
      expect(Number(refusal.headers.get('Retry-After'))).toBeGreaterThan(0)
      expect(await jsonOf(refusal)).toMatchObject({ code: 'unavailable' })
      const balance = await balanceOf(key)
      const again = await ingest(key, event)
      expect(again.headers.get('Idempotency-Replayed')).toBe('true')
      expect(await again.text()).toBe(text)
      for (const [path, body] of [
        ['/v1/events/ingest', { ...GPT_4O, idempotency_key: unique('new') }],
        ['/v1/credits/grant', { amount: 1 }],
        ['/v1/holds', { feature_id: 'f', credits: 1 }],
        ['/v1/entitlements', { feature_id: 'f', limit_type: 'NONE' }],
      ] as const) {
        expect((await api(path, { key, body })).status).toBe(503)
      }
      const check = await api('/v1/entitlements/check', { key, body: { feature_id: 'f' } })
      expect(check.status).toBe(200)
      expect(await read(key, '/v1/credits/lots')).toMatchObject({ data: [{}] })
      expect(await balanceOf(key)).toEqual(balance)
      expect((await journalEntries(ledger)).filter(({ event: used }) => used)).toHaveLength(accepted + 1)
    })
  })

  it('serves replays that share a group with refused requests', async () => {
    await withD1(ledger, brokenD1(), async () => {
      const event = { ...GPT_4O, idempotency_key: unique('k') }
      await ingest(key, event)
      await fill()
      const responses = await Promise.all([ingest(key, GPT_4O), ingest(key, event), ingest(key, GPT_4O)])
      expect(responses.map(({ status }) => status)).toEqual([503, 200, 503])
    })
  })

  it('continues by itself when D1 works again and its old rows are freed, and has lost nothing', async () => {
    const { accepted } = await withD1(ledger, brokenD1(), fill)
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(Date.now() + 8 * DAY_MS)
    await runAlarm(ledger)
    await runAlarm(ledger)
    await ingested(key, GPT_4O)
    await runAlarm(ledger)
    const pages = await storedPages(ledger)
    const events = pages.flatMap(({ entries }) => entries).filter(({ event }) => event)
    expect(events).toHaveLength(accepted + 1)
    expect(await listed(key, '/v1/events')).toHaveLength(accepted + 1)
  })

  it('still applies due items when a read asks for them', async () => {
    await api('/v1/credits/grant', {
      key,
      body: { amount: 7, expires_at: new Date(Date.now() + 60_000).toISOString() },
    })
    await withD1(ledger, brokenD1(), async () => {
      await fill()
      const before = Number(await balanceOf(key))
      vi.useFakeTimers({ toFake: ['Date'] })
      vi.setSystemTime(Date.now() + 61_000)
      expect(Number(await balanceOf(key))).toBeLessThanOrEqual(before)
      const { data } = await read(key, '/v1/credits/lots')
      expect(data).toHaveLength(1)
    })
  })
})
