import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import {
  DEVELOPMENT_KEY,
  DEVELOPMENT_KEY_HASH,
  DEVELOPMENT_KEY_ID,
} from '../../src/api-keys/authentication/format.ts'
import { forgetCachedKeys, mintApiKey } from '../../src/api-keys/authentication/lookup.ts'
import { revokeApiKey } from '../../src/api-keys/revocation.ts'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { brokenD1, brokenKv } from '../support/d1.ts'
import { createKey } from '../support/keys.ts'
import { probe } from '../support/probe.ts'
import { expectProblem } from '../support/problems.ts'

const bearer = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } })

describe('a request with a valid key', () => {
  it('is admitted with Bearer in any case, with X-API-Key, and with both for the same key', async () => {
    const { api_key, customer_id } = await createCustomer()
    for (const headers of [
      { Authorization: `Bearer ${api_key}` },
      { authorization: `bEARER   ${api_key}` },
      { 'x-api-key': api_key },
      { Authorization: `Bearer ${api_key}`, 'X-API-Key': api_key },
      { Authorization: 'Basic cHJveHk6cHJveHk=', 'X-API-Key': api_key },
      // A proxy or a configuration file can add a header without a key.
      { Authorization: `Bearer ${api_key}`, 'X-API-Key': '' },
      { Authorization: 'Bearer', 'X-API-Key': api_key },
    ]) {
      const response = await probe('/v1/read', { headers })
      expect(response.status).toBe(200)
      expect(await jsonOf(response)).toMatchObject({ customer_id, mode: 'live', tier: 'ENTERPRISE' })
    }
  })

  it('has the mode of its key', async () => {
    const { customer_id } = await createCustomer()
    const { api_key } = await createKey(customer_id, { mode: 'test' })
    expect(api_key).toMatch(/^om_test_/)
    expect(await jsonOf(await probe('/v1/read', bearer(api_key)))).toMatchObject({
      customer_id,
      mode: 'test',
    })
  })
})

describe('a request that is refused', () => {
  it('has no key: 401 missing_api_key with a challenge, for any body and path', async () => {
    for (const response of [
      await probe('/v1/write', { method: 'POST', body: '{"broken' }),
      await api('/v1/events/ingest', { body: '{"broken' }),
      await api('/v1/no-such-route'),
      await api('/v1/customers/me'),
      await probe('/v1/read', { headers: { Authorization: 'Bearer' } }),
      await probe('/v1/read', { headers: { Authorization: 'Basic b206b20=' } }),
    ]) {
      expect(response.headers.get('WWW-Authenticate')).toBe('Bearer')
      await expectProblem(response, 401, 'missing_api_key')
    }
  })

  it('has a malformed key, one with a wrong checksum, or an unknown one: the same 401', async () => {
    const { api_key } = mintApiKey('live')
    const wrong_checksum = api_key.slice(0, -1) + (api_key.endsWith('0') ? '1' : '0')
    const details = new Set<unknown>()
    for (const key of [
      'hello',
      `${api_key}0`,
      api_key.toUpperCase(),
      wrong_checksum,
      api_key,
      'om_live_'.repeat(2000),
    ]) {
      const body = await expectProblem(await probe('/v1/read', bearer(key)), 401, 'invalid_api_key')
      details.add(body.detail)
    }
    expect(details.size).toBe(1)
  })

  it('costs no I/O when its key cannot be one', async () => {
    const { api_key } = mintApiKey('live')
    for (const key of ['hello', api_key.replace(/.$/, (last) => (last === '0' ? '1' : '0'))]) {
      const response = await probe('/v1/read', bearer(key), { DB: brokenD1(), API_KEYS: brokenKv() })
      await expectProblem(response, 401, 'invalid_api_key')
    }
  })

  it('has two different keys: 401 that names the contradiction', async () => {
    const { api_key } = await createCustomer()
    const headers = { Authorization: `Bearer ${api_key}`, 'X-API-Key': mintApiKey('live').api_key }
    const body = await expectProblem(await probe('/v1/read', { headers }), 401, 'invalid_api_key')
    expect(body.detail).toBe('Authorization and X-API-Key contain two different keys. Send only one.')
  })

  it('has a revoked key: 401 revoked_api_key, at once in this isolate and with cold caches', async () => {
    const { customer_id } = await createCustomer()
    const { api_key, key_id } = await createKey(customer_id)
    expect((await probe('/v1/read', bearer(api_key))).status).toBe(200)
    await revokeApiKey(env, customer_id, key_id, Date.now())
    await expectProblem(await probe('/v1/read', bearer(api_key)), 401, 'revoked_api_key')
    forgetCachedKeys()
    await expectProblem(await probe('/v1/read', bearer(api_key)), 401, 'revoked_api_key')
  })

  it('has an expired key: 401 expired_api_key, even if it was cached before it expired', async () => {
    const { customer_id } = await createCustomer()
    const { api_key } = await createKey(customer_id, { expires_at_ms: Date.now() - 1 })
    await expectProblem(await probe('/v1/read', bearer(api_key)), 401, 'expired_api_key')
    await expectProblem(await probe('/v1/read', bearer(api_key)), 401, 'expired_api_key')
  })

  it('lacks a scope: 403 that names it', async () => {
    const { customer_id } = await createCustomer()
    const { api_key } = await createKey(customer_id, { scopes: ['events:write'] })
    const body = await expectProblem(await probe('/v1/read', bearer(api_key)), 403, 'insufficient_scope')
    expect(body.detail).toContain('credits:read')
  })

  it('lacks a scope and sends a body that is not JSON: 403, which does not mention the body', async () => {
    const { customer_id } = await createCustomer()
    const { api_key } = await createKey(customer_id, { scopes: ['events:write'] })
    const { headers } = bearer(api_key)
    const write = { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: '{' }
    await expectProblem(await probe('/v1/write', write), 403, 'insufficient_scope')
  })

  it('writes for a suspended customer: 403, while its reads succeed', async () => {
    const { customer_id } = await createCustomer()
    await env.DB.prepare(`UPDATE customers SET status = 'SUSPENDED' WHERE customer_id = ?`)
      .bind(customer_id)
      .run()
    const { api_key } = await createKey(customer_id)
    const write = { method: 'POST', ...bearer(api_key) }
    await expectProblem(await probe('/v1/write', write), 403, 'customer_suspended')
    expect((await probe('/v1/read', bearer(api_key))).status).toBe(200)
  })

  it('arrives while D1 is down and its key is in no cache: 503 that can be retried', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const response = await probe('/v1/read', bearer(mintApiKey('live').api_key), { DB: brokenD1() })
    expect(response.headers.get('Retry-After')).toBe('1')
    const body = await expectProblem(response, 503, 'unavailable')
    expect(JSON.stringify(body)).not.toContain('platform')
    expect(log).toHaveBeenCalledOnce()
    log.mockRestore()
  })

  it('has the public development key outside development: like an unknown key', async () => {
    const { customer_id } = await createCustomer()
    await env.DB.prepare(
      `INSERT OR IGNORE INTO api_keys (key_id, customer_id, mode, name, key_hash, scopes, created_at_ms)
       VALUES (?1, ?2, 'live', 'Development key', ?3, 'credits:read', 0)`,
    )
      .bind(DEVELOPMENT_KEY_ID, customer_id, DEVELOPMENT_KEY_HASH)
      .run()
    expect((await probe('/v1/read', bearer(DEVELOPMENT_KEY), { ENVIRONMENT: 'development' })).status).toBe(
      200,
    )
    for (const ENVIRONMENT of ['staging', 'production']) {
      await expectProblem(
        await probe('/v1/read', bearer(DEVELOPMENT_KEY), { ENVIRONMENT }),
        401,
        'invalid_api_key',
      )
    }
  })
})
