import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { FIRST_SCOPES, SCOPES } from '../../src/api-keys/authentication/scopes.ts'
import { parseScopes } from '../../src/api-keys/publishing.ts'
import { parseKeyRecord } from '../../src/api-keys/record.ts'
import { createCustomer } from '../support/customers.ts'
import { brokenD1 } from '../support/d1.ts'
import { createKey, lookUp } from '../support/keys.ts'

const FEWER = FIRST_SCOPES.filter((scope) => scope !== 'pricing:read')

describe('the migration that gives keys the later scopes', () => {
  const migrate = async () => {
    const migration = env.D1_MIGRATIONS.find(({ name }) => name === '0016_later_scopes.sql')
    if (!migration) throw new Error('there is no such migration')
    await env.DB.batch(migration.queries.map((query) => env.DB.prepare(query)))
  }

  it.each([
    ['all nine first scopes', FIRST_SCOPES, SCOPES],
    ['all nine in another order', FIRST_SCOPES.toReversed(), SCOPES],
    ['fewer', FEWER, FEWER],
    ['fewer, and a later one', [...FEWER, 'gateway:use'] as const, [...FEWER, 'gateway:use']],
    ['every scope', SCOPES, SCOPES],
  ])('leaves a key of %s with the right ones, also when repeated', async (_, before, after) => {
    const { customer_id } = await createCustomer()
    const { key_id } = await createKey(customer_id, { scopes: before })
    for (const _run of [1, 2]) {
      await migrate()
      const row = await env.DB.prepare('SELECT scopes FROM api_keys WHERE key_id = ?')
        .bind(key_id)
        .first<{ readonly scopes: string }>()
      expect(parseScopes(row?.scopes ?? '')).toEqual(after)
      expect(row?.scopes.split(' ')).toHaveLength(after.length)
    }
  })
})

describe('a record in KV', () => {
  const record = {
    key_id: 'key_x',
    customer_id: 'cust_x',
    mode: 'live',
    tier: 'STARTER',
    customer_status: 'ACTIVE',
    expires_at_ms: null,
    revoked_at_ms: null,
  }

  it.each([
    ['of format 2 with all nine scopes has every scope', 2, FIRST_SCOPES, SCOPES],
    ['of format 2 with fewer has exactly its own', 2, FEWER, FEWER],
    ['of format 3 with the nine first scopes has exactly those', 3, FIRST_SCOPES, FIRST_SCOPES],
  ])('%s', (_, v, before, after) => {
    const text = JSON.stringify({ ...record, v, scopes: before })
    expect(parseKeyRecord(text)).toEqual({ ...record, v: 3, scopes: after })
  })

  it('of format 2 with a later scope is unknown', () => {
    expect(parseKeyRecord(JSON.stringify({ ...record, v: 2, scopes: ['gateway:use'] }))).toBeUndefined()
  })

  it('of format 2 authenticates its key without D1', async () => {
    const { customer_id } = await createCustomer()
    const { api_key, key_hash, key_id } = await createKey(customer_id)
    await env.API_KEYS.put(
      key_hash,
      JSON.stringify({ ...record, v: 2, key_id, customer_id, scopes: FIRST_SCOPES }),
    )
    await env.API_KEYS.put(`epoch:${customer_id}`, '0')
    await env.API_KEYS.put('epoch:operator', '0')
    const found = await lookUp(api_key, { DB: brokenD1() })
    expect(found).toMatchObject({ key_id, v: 3, scopes: SCOPES })
  })
})
