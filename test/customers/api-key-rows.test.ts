import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { mintApiKey } from '../../src/api-keys/authentication/lookup.ts'
import { insertKey, type KeyGuard, replaceKey } from '../../src/api-keys/rows.ts'
import { api } from '../support/api.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { idOf } from './support.ts'

/**
 * Tests changes in D1 between the read and the write of a new key. The statement that writes the key checks the
 * conditions again, so it writes nothing after such a change.
 */
describe('the statement that adds a key', () => {
  it.each<[string, (customer: Setting) => Promise<Partial<KeyGuard>>]>([
    [
      'the key that makes it was deleted meanwhile',
      async ({ maker_id }) => {
        await end(maker_id, 'revoked_at_ms')
        return {}
      },
    ],
    [
      'the key that makes it has expired meanwhile',
      async ({ maker_id }) => {
        await end(maker_id, 'expires_at_ms')
        return {}
      },
    ],
    ["it is another customer's key that makes it", async () => ({ maker_id: (await setting()).maker_id })],
    [
      'the customer was suspended meanwhile',
      async ({ customer_id }) => {
        const path = `/v1/admin/customers/${customer_id}`
        await api(path, { key: OPERATOR_TOKEN, method: 'PATCH', body: { status: 'SUSPENDED' } })
        return {}
      },
    ],
    ['the customer has too many by now', async () => ({ max_keys: 1 })],
    [
      'the key that it replaces was deleted meanwhile',
      async ({ customer_id }) => {
        const { key_id } = await createKey(customer_id)
        await end(key_id, 'revoked_at_ms')
        return { replaces: key_id }
      },
    ],
    ["it replaces another customer's key", async () => ({ replaces: (await setting()).maker_id })],
  ])('adds none when %s, and ends none', async (_, meanwhile) => {
    const customer = await setting()
    const target = await createKey(customer.customer_id)
    const guard = { ...customer.guard, replaces: target.key_id, ...(await meanwhile(customer)) }
    expect(await add(customer.customer_id, guard)).toEqual({ added: 0, ended: 0 })
  })

  it('adds it otherwise, and ends the one that it replaces', async () => {
    const { customer_id, guard } = await setting()
    expect(await add(customer_id, guard)).toEqual({ added: 1, ended: 0 })
    const { key_id } = await createKey(customer_id)
    expect(await add(customer_id, { ...guard, replaces: key_id })).toEqual({ added: 1, ended: 1 })
  })

  it('writes 4 rows', async () => {
    const { customer_id, guard } = await setting()
    const result = await insertKey(env, customer_id, newKey(), guard).run()
    expect(result.meta.rows_written).toBe(4)
  })
})

interface Setting {
  readonly customer_id: string
  readonly maker_id: string
  readonly guard: KeyGuard
}

async function setting(): Promise<Setting> {
  const { customer_id, api_key } = await createCustomer()
  const maker_id = idOf(api_key)
  const guard = { account_revision: 1, maker_id, max_keys: 100, replaces: undefined }
  return { customer_id, maker_id, guard }
}

const newKey = () => {
  const { key_id, key_hash } = mintApiKey('live')
  const created_at_ms = Date.now()
  return {
    ...{ key_id, key_hash, created_at_ms, expires_at_ms: null },
    ...({ name: 'x', mode: 'live', scopes: ['credits:read'] } as const),
  }
}

async function add(customer_id: string, guard: KeyGuard): Promise<{ added: number; ended: number }> {
  const key = newKey()
  const [added, ended] = await env.DB.batch([
    insertKey(env, customer_id, key, guard),
    replaceKey(env, customer_id, guard.replaces ?? 'none', key.key_id, Date.now()),
  ])
  return { added: added?.meta.changes ?? -1, ended: ended?.meta.changes ?? -1 }
}

function end(key_id: string, column: 'revoked_at_ms' | 'expires_at_ms'): Promise<unknown> {
  return env.DB.prepare(`UPDATE api_keys SET ${column} = ?2 WHERE key_id = ?1`)
    .bind(key_id, Date.now() - 1)
    .run()
}
