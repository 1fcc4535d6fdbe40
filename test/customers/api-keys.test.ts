import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { hashApiKey } from '../../src/api-keys/authentication/format.ts'
import { ExpiringMap, forgetCachedKeys, mintApiKey } from '../../src/api-keys/authentication/lookup.ts'
import { revokeApiKey } from '../../src/api-keys/revocation.ts'
import { api } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { brokenD1, brokenKv } from '../support/d1.ts'
import { createKey, lookUp as find } from '../support/keys.ts'
import { expectProblem } from '../support/problems.ts'

beforeEach(() => forgetCachedKeys())

describe('looking a key up', () => {
  it('finds a registered key in KV, without D1', async () => {
    const { api_key, customer_id } = await createCustomer()
    expect(await find(api_key, { DB: brokenD1() })).toMatchObject({
      v: 3,
      customer_id,
      mode: 'live',
      tier: 'ENTERPRISE',
      customer_status: 'ACTIVE',
      expires_at_ms: null,
      revoked_at_ms: null,
    })
  })

  it('finds a key that KV misses in D1, and writes it to KV for the others', async () => {
    const { customer_id } = await createCustomer()
    const { api_key, key_id } = await createKey(customer_id, { scopes: ['credits:read'] })
    const found = await find(api_key)
    expect(found).toMatchObject({ key_id, customer_id, scopes: ['credits:read'] })
    forgetCachedKeys()
    expect(await find(api_key, { DB: brokenD1() })).toEqual(found)
  })

  it('reads D1 when KV is down or holds a record of another version', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { customer_id } = await createCustomer()
    const { api_key, key_id, key_hash } = await createKey(customer_id)
    expect(await find(api_key, { API_KEYS: brokenKv() })).toMatchObject({ key_id })
    log.mockRestore()
    for (const text of ['{"v":1,"key_id":"key_x"}', 'not json', 'null']) {
      forgetCachedKeys()
      await env.API_KEYS.put(key_hash, text)
      expect(await find(api_key)).toMatchObject({ key_id, v: 3 })
    }
  })

  it('makes no further query for 30 seconds', async () => {
    const { api_key } = await createCustomer()
    const down = { DB: brokenD1(), API_KEYS: brokenKv() }
    const now_ms = Date.now()
    await find(api_key, {}, now_ms)
    expect(await find(api_key, down, now_ms + 29_999)).toBeDefined()
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    await expect(find(api_key, down, now_ms + 30_000)).rejects.toThrow()
    log.mockRestore()
  })

  it('remembers for 5 seconds that a key is unknown', async () => {
    const { api_key } = mintApiKey('live')
    const down = { DB: brokenD1(), API_KEYS: brokenKv() }
    const now_ms = Date.now()
    expect(await find(api_key, {}, now_ms)).toBeUndefined()
    expect(await find(api_key, down, now_ms + 4_999)).toBeUndefined()
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    await expect(find(api_key, down, now_ms + 5_000)).rejects.toThrow()
    log.mockRestore()
  })

  it('never stores the text of a key', async () => {
    const { api_key, customer_id } = await createCustomer()
    const { results } = await env.DB.prepare('SELECT * FROM api_keys WHERE customer_id = ?')
      .bind(customer_id)
      .all()
    const record = await env.API_KEYS.get(hashApiKey(api_key))
    expect(record).not.toBeNull()
    expect(results).toHaveLength(1)
    expect(JSON.stringify(results) + record).not.toContain(api_key.slice(34))
    expect(await env.API_KEYS.get(api_key)).toBeNull()
  })
})

describe('revoking a key', () => {
  it('is refused by the ledger object even where a cache still lets the key in', async () => {
    const { api_key, customer_id } = await createCustomer()
    const record = await find(api_key)
    if (!record) throw new Error('the key was not found')
    const stale = JSON.stringify(record)
    await revokeApiKey(env, customer_id, record.key_id, Date.now())
    await env.API_KEYS.put(hashApiKey(api_key), stale)
    forgetCachedKeys()
    expect(await find(api_key)).toMatchObject({ revoked_at_ms: null })
    await expectProblem(await api('/v1/credits/balance', { key: api_key }), 401, 'revoked_api_key')
  })

  it('reaches D1, KV and this isolate, and can be repeated', async () => {
    const { customer_id } = await createCustomer()
    const { api_key, key_id, key_hash } = await createKey(customer_id)
    await find(api_key)
    await revokeApiKey(env, customer_id, key_id, 1_000)
    await revokeApiKey(env, customer_id, key_id, 2_000)
    expect(await find(api_key)).toMatchObject({ key_id, revoked_at_ms: 1_000 })
    expect(JSON.parse((await env.API_KEYS.get(key_hash)) ?? '')).toMatchObject({ revoked_at_ms: 1_000 })
    const row = await env.DB.prepare('SELECT revoked_at_ms FROM api_keys WHERE key_id = ?')
      .bind(key_id)
      .first()
    expect(row).toEqual({ revoked_at_ms: 1_000 })
  })

  it('replaces the copy that a lookup was making for KV at that moment', async () => {
    const { customer_id } = await createCustomer()
    const { api_key, key_id, key_hash } = await createKey(customer_id)
    // This KV namespace revokes the key at its first write: after the look-up has read the key from D1, and before it
    // writes the key to KV.
    let revoked = false
    const late: KVNamespace = Object.create(env.API_KEYS, {
      get: { value: () => Promise.resolve(null) },
      put: {
        value: async (key: string, text: string, options: KVNamespacePutOptions) => {
          if (!revoked) {
            revoked = true
            await revokeApiKey(env, customer_id, key_id, Date.now())
          }
          await env.API_KEYS.put(key, text, options)
        },
      },
    })
    await find(api_key, { API_KEYS: late })
    expect(revoked).toBe(true)
    const record = JSON.parse((await env.API_KEYS.get(key_hash)) ?? '')
    expect(record).toMatchObject({ revoked_at_ms: expect.any(Number) })
  })

  it("does not reach another customer's key", async () => {
    const [mine, theirs] = [await createCustomer(), await createCustomer()]
    const { api_key, key_id } = await createKey(theirs.customer_id)
    await revokeApiKey(env, mine.customer_id, key_id, Date.now())
    expect(await find(api_key)).toMatchObject({ revoked_at_ms: null })
  })
})

describe('the memory of an isolate', () => {
  it('is bounded: the least recently used goes first', () => {
    const map = new ExpiringMap<number>({ capacity: 3, ttl_ms: 1_000 })
    for (const [i, key] of ['a', 'b', 'c'].entries()) map.set(key, i, 0)
    expect(map.get('a', 0)).toBe(0)
    map.set('d', 3, 0)
    expect([map.get('a', 0), map.get('b', 0), map.get('c', 0), map.get('d', 0)]).toEqual([0, undefined, 2, 3])
    for (let i = 0; i < 1000; i++) map.set(`key ${i}`, i, 0)
    expect(map.size).toBe(3)
  })

  it('drops entries after their time, even if they were used often, and deleted entries at once', () => {
    const map = new ExpiringMap<number>({ capacity: 3, ttl_ms: 1_000 })
    map.set('a', 1, 0)
    expect(map.get('a', 999)).toBe(1)
    expect(map.get('a', 1_000)).toBeUndefined()
    expect(map.size).toBe(0)
    map.set('a', 2, 1_000)
    map.delete('a')
    expect(map.get('a', 1_000)).toBeUndefined()
  })
})
