import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hashApiKey } from '../../src/api-keys/authentication/format.ts'
import { forgetCachedKeys } from '../../src/api-keys/authentication/lookup.ts'
import { forgetNotedUses, noteKeyUse } from '../../src/api-keys/last-used.ts'
import type { Bindings } from '../../src/bindings.ts'
import { apiWith } from '../support/app.ts'
import { expectRefused, GPT_4O, ingest, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { brokenD1, brokenKv, countingD1, d1Double } from '../support/d1.ts'
import { createKey, type TestKey } from '../support/keys.ts'
import { idOf, madeKey } from './support.ts'

const HOUR = 3_600_000
const START = Date.UTC(2026, 10, 1)

beforeEach(() => forgetNotedUses())

/** Returns a D1 database that counts its updates and the rows that they write, and its reads. */
function counting() {
  const count = { updates: 0, rows: 0, reads: 0 }
  const prepare = (sql: string) => {
    const statement = env.DB.prepare(sql)
    return {
      bind: (...values: unknown[]) => ({
        run: async () => {
          const result = await statement.bind(...values).run()
          count.updates += 1
          count.rows += result.meta.rows_written
          return result
        },
        first: (column: string) => {
          count.reads += 1
          return statement.bind(...values).first(column)
        },
      }),
    }
  }
  return { DB: d1Double({ prepare }), count }
}

async function use(bindings: Pick<Bindings, 'DB'>, key: TestKey, now_ms: number): Promise<void> {
  const { key_id, key_hash } = key
  const record = { key_id, key_hash, customer_id: 'no repair is needed', revoked_at_ms: null }
  const ctx = createExecutionContext()
  noteKeyUse({ ...env, ...bindings }, record, now_ms, (work) => ctx.waitUntil(work))
  await waitOnExecutionContext(ctx)
}

const lastUsed = ({ key_id }: TestKey) =>
  env.DB.prepare('SELECT last_used_at_ms FROM api_keys WHERE key_id = ?')
    .bind(key_id)
    .first('last_used_at_ms')

describe('when a key was last used', () => {
  it('is in the list of keys after a request with it', async () => {
    const { customer_id, api_key } = await createCustomer()
    const used = await createKey(customer_id)
    await createKey(customer_id)
    const before = Date.now()
    expect((await apiWith({}, '/v1/customers/me', { key: used.api_key })).status).toBe(200)
    const keys = await listed(api_key, '/v1/api-keys')
    const at = keys.find((key) => key.key_id === used.key_id)?.last_used_at
    expect(Date.parse(String(at))).toBeGreaterThanOrEqual(before)
    expect(keys.filter((key) => key.last_used_at === null)).toHaveLength(1)
  })

  it('costs one row an hour and key, for any number of requests and isolates', async () => {
    const { customer_id } = await createCustomer()
    const key = await createKey(customer_id)
    const { DB, count } = counting()
    for (let i = 0; i < 100; i++) await use({ DB }, key, START + i)
    expect(count).toEqual({ updates: 1, rows: 1, reads: 0 })
    forgetNotedUses()
    await use({ DB }, key, START + HOUR - 1)
    expect(count).toEqual({ updates: 2, rows: 1, reads: 1 })
    expect(await lastUsed(key)).toBe(START)
    forgetNotedUses()
    await use({ DB }, key, START + HOUR)
    expect(count).toEqual({ updates: 3, rows: 2, reads: 1 })
    expect(await lastUsed(key)).toBe(START + HOUR)
  })

  it('is at most an hour old, even in an isolate whose first use was less than an hour after the stored one', async () => {
    const { customer_id } = await createCustomer()
    const key = await createKey(customer_id)
    const { DB, count } = counting()
    await use({ DB }, key, START)
    // Forgets the noted uses, as in another isolate.
    forgetNotedUses()
    await use({ DB }, key, START + HOUR - 1)
    for (let at = START + HOUR - 1; at < START + 5 * HOUR; at += 60_000) {
      await use({ DB }, key, at)
      expect(at - Number(await lastUsed(key))).toBeLessThan(HOUR)
    }
    expect(count).toEqual({ updates: 6, rows: 5, reads: 1 })
  })

  it('does not fail a request when D1 is down, and is tried again a minute later', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { customer_id } = await createCustomer()
    const key = await createKey(customer_id)
    for (let i = 0; i < 10; i++) await use({ DB: brokenD1() }, key, START + i)
    expect(log).toHaveBeenCalledOnce()
    await use(env, key, START + 59_999)
    expect(await lastUsed(key)).toBeNull()
    await use(env, key, START + 60_000)
    expect(await lastUsed(key)).toBe(START + 60_000)
    log.mockRestore()
  })
})

describe('a revocation that did not reach KV', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: START })
    vi.spyOn(console, 'error').mockImplementation(() => {})
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  const me = (key: string, bindings: Partial<Bindings> = {}) => apiWith(bindings, '/v1/customers/me', { key })
  const later = (ms: number) => vi.setSystemTime(Date.now() + ms)

  it.each([
    [
      'a rotation',
      (key: string) => ({ path: `/v1/api-keys/${idOf(key)}/rotate`, method: 'POST', status: 201 }),
    ],
    ['a deletion', (key: string) => ({ path: `/v1/api-keys/${idOf(key)}`, method: 'DELETE', status: 503 })],
  ])('of %s is repaired by the next use of the key that is recorded', async (_name, change) => {
    const { api_key } = await createCustomer()
    const old = await madeKey(api_key)
    expect((await me(old.api_key)).status).toBe(200)
    const { path, method, status } = change(old.api_key)
    const response = await apiWith({ API_KEYS: brokenKv() }, path, { key: api_key, method })
    expect(response.status).toBe(status)
    await expectRefused(await ingest(old.api_key, GPT_4O), 401, 'revoked_api_key')
    later(HOUR - 1)
    expect((await me(old.api_key)).status).toBe(200)
    later(1)
    expect((await me(old.api_key)).status).toBe(200)
    forgetCachedKeys()
    await expectRefused(await me(old.api_key), 401, 'revoked_api_key')
    expect((await me(api_key)).status).toBe(200)
  })

  it('is repaired a minute after a failed repair', async () => {
    const { api_key } = await createCustomer()
    const old = await madeKey(api_key)
    await me(old.api_key)
    const path = `/v1/api-keys/${old.key_id}`
    await apiWith({ API_KEYS: brokenKv() }, path, { key: api_key, method: 'DELETE' })
    later(HOUR)
    const put = vi.fn().mockRejectedValue(new Error('KV PUT failed: 429 Too Many Requests'))
    const get = { value: env.API_KEYS.get.bind(env.API_KEYS) }
    const API_KEYS: KVNamespace = Object.create(env.API_KEYS, { get, put: { value: put } })
    for (let i = 0; i < 3; i++) expect((await me(old.api_key, { API_KEYS })).status).toBe(200)
    expect(put).toHaveBeenCalledTimes(2)
    later(60_000)
    expect((await me(old.api_key)).status).toBe(200)
    await expectRefused(await me(old.api_key), 401, 'revoked_api_key')
  })

  it('is repaired if the row of the key was deleted meanwhile', async () => {
    const { api_key } = await createCustomer()
    const old = await madeKey(api_key)
    await env.DB.prepare('DELETE FROM api_keys WHERE key_id = ?').bind(old.key_id).run()
    expect((await me(old.api_key)).status).toBe(200)
    await expectRefused(await me(old.api_key), 401, 'invalid_api_key')
    expect(await env.API_KEYS.get(hashApiKey(old.api_key))).toBeNull()
  })

  it('costs no further query for other keys', async () => {
    const { api_key } = await createCustomer()
    const key = await madeKey(api_key)
    const { db, counts } = countingD1()
    for (let i = 0; i < 10; i++) {
      const response = await apiWith({ DB: db }, '/v1/credits/balance', { key: key.api_key })
      expect(response.status).toBe(200)
    }
    expect(counts).toMatchObject({ calls: 1, rows_written: 1 })
  })
})
