import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { publishKeys } from '../../src/api-keys/publishing.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'

const setScopes = (key_id: string, scopes: string) =>
  env.DB.prepare('UPDATE api_keys SET scopes = ?2 WHERE key_id = ?1').bind(key_id, scopes).run()

const setEnd = (key_id: string, at_ms: number) =>
  env.DB.prepare('UPDATE api_keys SET revoked_at_ms = ?2 WHERE key_id = ?1').bind(key_id, at_ms).run()

async function inKv(key_hash: string): Promise<unknown> {
  return JSON.parse((await env.API_KEYS.get(key_hash)) ?? 'null')
}

/**
 * Returns a KV namespace that counts its writes. It calls `act` before each write, with the number of the write (1 for
 * the first).
 */
function kvBeforeEach(act: (write: number) => Promise<unknown>) {
  const count = { writes: 0 }
  const put = async (key: string, text: string) => {
    count.writes += 1
    await act(count.writes)
    await env.API_KEYS.put(key, text)
  }
  const API_KEYS: KVNamespace = Object.create(env.API_KEYS, { put: { value: put } })
  return { count, bindings: { DB: env.DB, API_KEYS } }
}

describe('publishing keys from D1 to KV', () => {
  it('writes each key once when nothing changes meanwhile', async () => {
    const { customer_id } = await createCustomer()
    const keys = await Promise.all([createKey(customer_id), createKey(customer_id), createKey(customer_id)])
    const { count, bindings } = kvBeforeEach(async () => {})
    await publishKeys(
      bindings,
      keys.map((key) => key.key_hash),
    )
    expect(count.writes).toBe(3)
    for (const { key_id, key_hash } of keys) expect(await inKv(key_hash)).toMatchObject({ v: 3, key_id })
    await publishKeys(bindings, [])
    expect(count.writes).toBe(3)
  })

  it('ends with the state of D1 when the key is revoked before its older record is written', async () => {
    const { customer_id } = await createCustomer()
    const { key_id, key_hash } = await createKey(customer_id)
    const { count, bindings } = kvBeforeEach(async (write) => {
      if (write === 1) await setEnd(key_id, 1_000)
    })
    await publishKeys(bindings, [key_hash])
    expect(count.writes).toBe(2)
    expect(await inKv(key_hash)).toMatchObject({ revoked_at_ms: 1_000 })
  })

  it('tries once more when KV refuses a write, and throws after the second refusal', async () => {
    const { customer_id } = await createCustomer()
    const { key_id, key_hash } = await createKey(customer_id)
    const refusing = (writes: number) =>
      kvBeforeEach(async (write) => {
        if (write <= writes) throw new Error('KV PUT failed: 429 Too Many Requests')
      })
    await publishKeys(refusing(1).bindings, [key_hash])
    expect(await inKv(key_hash)).toMatchObject({ key_id })
    await expect(publishKeys(refusing(2).bindings, [key_hash])).rejects.toThrow('429')
  })

  it('gives up on a key that keeps changing', async () => {
    const { customer_id } = await createCustomer()
    const { key_id, key_hash } = await createKey(customer_id)
    const { count, bindings } = kvBeforeEach((write) =>
      setScopes(key_id, write % 2 ? 'credits:read' : 'pricing:read'),
    )
    await expect(publishKeys(bindings, [key_hash])).rejects.toThrow('faster')
    expect(count.writes).toBe(5)
  })
})
