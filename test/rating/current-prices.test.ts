import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { forgetCachedKeys } from '../../src/api-keys/authentication/lookup.ts'
import { NO_OVERLAYS } from '../../src/pricing/cost/price-book.ts'
import { knownPriceBook, loadPriceBook, requireEpoch } from '../../src/rating/current-prices.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { brokenD1, brokenKv, d1Double } from '../support/d1.ts'
import { lookUp } from '../support/keys.ts'
import {
  apiWith,
  costOf,
  inAnotherIsolate,
  OVERRIDES,
  PROVIDER_COSTS,
  perThousand,
  recordedD1,
  setPrice,
} from '../support/prices.ts'
import { expectProblem } from '../support/problems.ts'

const HALF = { provider: 'OPENAI', model: 'gpt-4o', prices: { multiplier: '0.5' } }
const CALCULATION = { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1000, output_tokens: 500 }
const EVENT = { event_type: 'TOKEN_USAGE', feature_id: 'chat', ...CALCULATION }

const done = () => {}

/** Looks up an API key, and returns the price epochs in the result. */
async function epochsOf(api_key: string, bindings: Partial<typeof env> = {}, now_ms = Date.now()) {
  const found = await lookUp(api_key, bindings, now_ms)
  return found?.price_epochs
}

beforeEach(() => inAnotherIsolate())

describe('a change of prices', () => {
  it("applies to the next rating in this isolate: a customer's to the customer, the operator's to all customers", async () => {
    const { api_key: key } = await createCustomer()
    const model = unique('model')
    expect([await costOf(key, 'gpt-4o'), await costOf(key, model)]).toEqual([0.0075, 'unpriced_model'])
    await setPrice(OVERRIDES, key, HALF)
    await setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, { provider: 'OPENAI', model, prices: perThousand(7) })
    expect([await costOf(key, 'gpt-4o'), await costOf(key, model)]).toEqual([0.00375, 7])
  })

  it('is in KV before the response, and applies in every isolate that looks up the key later', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const epoch = () => env.API_KEYS.get(`epoch:${customer_id}`)
    expect(await epoch()).toBeNull()
    await setPrice(OVERRIDES, key, HALF)
    expect(await epoch()).toBe('1')
    inAnotherIsolate()
    expect(await costOf(key, 'gpt-4o')).toBe(0.00375)
    await setPrice(OVERRIDES, key, { ...HALF, prices: { multiplier: 2 } })
    expect(await epoch()).toBe('2')
    inAnotherIsolate()
    expect(await costOf(key, 'gpt-4o')).toBe(0.015)
  })

  it('reaches an isolate with older prices at its next look-up of the key, 30 seconds later', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    await setPrice(OVERRIDES, key, HALF)
    inAnotherIsolate()
    const now_ms = Date.now()
    const before = await epochsOf(key, {}, now_ms)
    expect(before?.customer).toBe(1)
    // Writes the new epoch of another isolate, which has changed the prices without notifying this isolate.
    await env.API_KEYS.put(`epoch:${customer_id}`, '2')
    expect(await epochsOf(key, {}, now_ms + 29_999)).toEqual(before)
    expect((await epochsOf(key, {}, now_ms + 30_000))?.customer).toBe(2)
  })
})

describe('a price whose 201 was lost', () => {
  it('is known everywhere, and its repeat is a replay', async () => {
    const { api_key: key } = await createCustomer()
    const batch = async (statements: D1PreparedStatement[]) => {
      await env.DB.batch(statements)
      throw new Error('Network connection lost.')
    }
    const DB = d1Double({ batch })
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const options = { key, body: HALF, headers: { 'Idempotency-Key': 'k' } }
    await expectProblem(await apiWith({ DB }, OVERRIDES, options), 503, 'unavailable')
    log.mockRestore()
    inAnotherIsolate()
    expect(await costOf(key, 'gpt-4o')).toBe(0.00375)
    const again = await apiWith({}, OVERRIDES, options)
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, 'true'])
  })
})

describe('the epochs in the record of a key', () => {
  it("are KV's, or D1's where KV has no record, no epoch that can be read, or is down", async () => {
    const { api_key, customer_id } = await createCustomer()
    await setPrice(OVERRIDES, api_key, HALF)
    await setPrice(OVERRIDES, api_key, { ...HALF, model: 'o3' })
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    for (const bindings of [{ DB: brokenD1() }, { API_KEYS: brokenKv() }]) {
      forgetCachedKeys()
      expect((await epochsOf(api_key, bindings))?.customer).toBe(2)
    }
    log.mockRestore()
    await env.API_KEYS.put(`epoch:${customer_id}`, 'nonsense')
    forgetCachedKeys()
    expect((await epochsOf(api_key))?.customer).toBe(2)
  })

  it('are 0 for customers without overlays, without D1', async () => {
    const { api_key } = await createCustomer()
    expect((await epochsOf(api_key, { DB: brokenD1() }))?.customer).toBe(0)
  })
})

describe('a rating', () => {
  it('without overlays makes no query to D1, not even as the first one of an isolate', async () => {
    const { api_key: key } = await createCustomer()
    // Uses the key once before the measurement, because the first use of a key in an hour is recorded in D1.
    await costOf(key, 'gpt-4o')
    // Removes the epoch of the operator's prices, which an earlier test can have set.
    await env.API_KEYS.delete('epoch:operator')
    inAnotherIsolate()
    const { bindings, statements } = recordedD1()
    const asked = await apiWith(bindings, '/v1/rating/calculate', { key, body: CALCULATION })
    expect(asked.status).toBe(200)
    expect((await apiWith(bindings, '/v1/events/ingest', { key, body: EVENT })).status).toBe(200)
    expect(statements).toEqual([])
  })

  it('with epochs of 0 has no overlays, without a query', async () => {
    const nobody = knownPriceBook(unique('cust'), { operator: 0, customer: 0 })
    expect(nobody).toBe(NO_OVERLAYS)
  })

  it('queries D1 once for missing prices, for any number of waiting requests, and again only after the epoch changes', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    await setPrice(OVERRIDES, key, HALF)
    inAnotherIsolate()
    const { bindings, statements } = recordedD1()
    const epochs = { operator: 0, customer: 1 }
    expect(knownPriceBook(customer_id, epochs)).toBeUndefined()
    const load = (customer: number) => loadPriceBook(bindings, customer_id, { operator: 0, customer }, done)
    const books = await Promise.all(Array.from({ length: 20 }, () => load(1)))
    expect(statements).toHaveLength(1)
    expect(books[0]?.overrides.size).toBe(1)
    expect(knownPriceBook(customer_id, epochs)?.overrides).toBe(books[0]?.overrides)
    expect(knownPriceBook(customer_id, { operator: 0, customer: 0 })?.overrides).toBe(books[0]?.overrides)
    expect(knownPriceBook(customer_id, { operator: 0, customer: 2 })).toBeUndefined()
    await load(2)
    expect(statements).toHaveLength(2)
  })

  it('while D1 is down is a 503 instead of a stale price, and works again when D1 is back', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    await setPrice(OVERRIDES, key, HALF)
    expect(await costOf(key, 'gpt-4o')).toBe(0.00375)
    await setPrice(OVERRIDES, key, { ...HALF, prices: { multiplier: 2 } })
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    for (const [path, body] of [
      ['/v1/rating/calculate', CALCULATION],
      ['/v1/events/ingest', { ...EVENT, idempotency_key: 'k' }],
    ] as const) {
      const response = await apiWith({ DB: brokenD1() }, path, { key, body })
      expect(response.headers.get('Retry-After')).toBe('1')
      const problem = await expectProblem(response, 503, 'unavailable')
      expect(JSON.stringify(problem)).not.toContain(customer_id)
    }
    log.mockRestore()
    const again = await apiWith({}, '/v1/events/ingest', { key, body: { ...EVENT, idempotency_key: 'k' } })
    expect(await again.json()).toMatchObject({ provider_cost_usd: 0.015 })
    // The prices are in memory now, so this request succeeds although D1 is down.
    expect((await apiWith({ DB: brokenD1() }, '/v1/events/ingest', { key, body: EVENT })).status).toBe(200)
  })
})

describe('loads that end in a different order from their start', () => {
  /** Returns a D1 database whose results wait until the test calls `letGo`. */
  function heldD1(): { readonly db: D1Database; readonly letGo: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    const prepare = (sql: string) => {
      const statement = env.DB.prepare(sql)
      const bind = (...values: unknown[]) => {
        const bound = statement.bind(...values)
        const all = async () => {
          const answer = await bound.all()
          await promise
          return answer
        }
        return Object.create(bound, { all: { value: all } })
      }
      return Object.create(statement, { bind: { value: bind } })
    }
    return { db: d1Double({ prepare }), letGo: resolve }
  }

  it('leave the newer prices: a late result replaces nothing and does not count for a newer epoch', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    await setPrice(OVERRIDES, key, HALF)
    inAnotherIsolate()
    const held = heldD1()
    const late = loadPriceBook({ DB: held.db }, customer_id, { operator: 0, customer: 1 }, done)
    // The load `late` reads D1 before this change of the prices, but gets its result after the change.
    await vi.waitUntil(async () => (await env.DB.prepare('SELECT 1').first()) !== null)
    await setPrice(OVERRIDES, key, { ...HALF, model: 'o3' })
    const fresh = await loadPriceBook(env, customer_id, { operator: 0, customer: 2 }, done)
    expect(fresh.overrides.size).toBe(2)
    held.letGo()
    expect((await late).overrides.size).toBe(2)
    expect(knownPriceBook(customer_id, { operator: 0, customer: 2 })?.overrides).toBe(fresh.overrides)
  })

  it('do not delay a rating that needs a newer epoch', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    await setPrice(OVERRIDES, key, HALF)
    inAnotherIsolate()
    const held = heldD1()
    const late = loadPriceBook({ DB: held.db }, customer_id, { operator: 0, customer: 1 }, done)
    requireEpoch(customer_id, 2)
    const fresh = await loadPriceBook(env, customer_id, { operator: 0, customer: 1 }, done)
    expect(fresh.overrides.size).toBe(1)
    held.letGo()
    await late
  })

  it('that take too long are abandoned, and the next rating begins another one', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    await setPrice(OVERRIDES, key, HALF)
    inAnotherIsolate()
    const held = heldD1()
    const epochs = { operator: 0, customer: 1 }
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const slow = loadPriceBook({ DB: held.db }, customer_id, epochs, done)
    const refused = expect(slow).rejects.toThrow('D1 did not respond within 2000 ms')
    vi.advanceTimersByTime(2_000)
    await refused
    vi.useRealTimers()
    expect((await loadPriceBook(env, customer_id, epochs, done)).overrides.size).toBe(1)
    held.letGo()
  })

  it('find D1 behind the epoch after a restore, and rate by its prices', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    await setPrice(OVERRIDES, key, HALF)
    inAnotherIsolate()
    const book = await loadPriceBook(env, customer_id, { operator: 0, customer: 9 }, done)
    expect(book.overrides.size).toBe(1)
    expect(knownPriceBook(customer_id, { operator: 0, customer: 9 })?.overrides).toBe(book.overrides)
  })
})

describe('the memory of an isolate', () => {
  it('is bounded: the scopes used longest ago are forgotten, and read again', async () => {
    const size = 4_990
    const scopes = Array.from({ length: 11 }, () => unique('cust'))
    const insert = env.DB.prepare(`
      INSERT INTO price_overlays (scope, epoch, overlay_id, provider, model, prices, effective_from_ms, created_at_ms, created_by)
      SELECT ?1, value, 'po_' || value, 'openai', 'm' || value, '{"multiplier":"1"}', 0, 0, 'x'
      FROM json_each(?2)`)
    const numbers = JSON.stringify(Array.from({ length: size }, (_, i) => i + 1))
    const epochs = { operator: 0, customer: size }
    for (const scope of scopes) {
      await insert.bind(scope, numbers).run()
      expect((await loadPriceBook(env, scope, epochs, done)).overrides.size).toBe(size)
    }
    const known = scopes.map((scope) => knownPriceBook(scope, epochs) !== undefined)
    expect(known).toEqual([false, ...Array(10).fill(true)])
    expect((await loadPriceBook(env, scopes[0] ?? '', epochs, done)).overrides.size).toBe(size)
  })

  it('takes no more than 5,000 overlays of a scope', async () => {
    const scope = unique('cust')
    await env.DB.prepare(`
      INSERT INTO price_overlays (scope, epoch, overlay_id, provider, model, prices, effective_from_ms, created_at_ms, created_by)
      SELECT ?1, value, 'po_' || value, 'openai', 'm', '{"multiplier":"1"}', 0, 0, 'x' FROM json_each(?2)`)
      .bind(scope, JSON.stringify(Array.from({ length: 5_001 }, (_, i) => i + 1)))
      .run()
    await expect(loadPriceBook(env, scope, { operator: 0, customer: 1 }, done)).rejects.toThrow('5000')
  })
})
