import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { hashApiKey } from '../../src/api-keys/authentication/format.ts'
import { forgetCachedKeys } from '../../src/api-keys/authentication/lookup.ts'
import { api, jsonOf } from '../support/api.ts'
import { balanceOf, expectRefused, GPT_4O, ingest, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { cachedRecord, idOf, madeKey, postKey, remove, rotate } from './support.ts'

describe('deleting a key', () => {
  it('refuses it in the very next request, with warm caches, on every kind of route, in both modes', async () => {
    const { api_key } = await createCustomer()
    for (const mode of ['live', 'test']) {
      const key = await madeKey(api_key, { mode })
      expect((await ingest(key.api_key, GPT_4O)).status).toBe(200)
      const stale = await cachedRecord(key.api_key)
      const response = await remove(api_key, key.key_id)
      expect(await jsonOf(response)).toMatchObject({ key_id: key.key_id, status: 'revoked' })
      await stale.restore()
      await expectRefused(await ingest(key.api_key, GPT_4O), 401, 'revoked_api_key')
      await expectRefused(await ingest(key.api_key, { events: [GPT_4O] }), 401, 'revoked_api_key')
      for (const path of ['/v1/credits/balance', '/v1/holds', '/v1/burn-tables', '/v1/entitlements']) {
        await expectRefused(await api(path, { key: key.api_key }), 401, 'revoked_api_key')
      }
    }
  })

  it('prevents it from creating, rotating and deleting keys, even with stale caches', async () => {
    const { api_key } = await createCustomer()
    const key = await madeKey(api_key)
    const stale = await cachedRecord(key.api_key)
    await remove(api_key, key.key_id)
    for (const act of [
      () => postKey(key.api_key, { name: 'A back door' }),
      () => rotate(key.api_key, idOf(api_key)),
      () => remove(key.api_key, idOf(api_key)),
    ]) {
      await stale.restore()
      await expectRefused(await act(), 401, 'revoked_api_key')
    }
    expect(await balanceOf(api_key)).toBe(10_000)
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(2)
  })

  it('is refused everywhere with cold caches, and a cache that still admitted it is corrected', async () => {
    const { api_key } = await createCustomer()
    const key = await madeKey(api_key)
    const stale = await cachedRecord(key.api_key)
    await remove(api_key, key.key_id)
    forgetCachedKeys()
    await expectRefused(await api('/v1/customers/me', { key: key.api_key }), 401, 'revoked_api_key')
    await stale.restore()
    expect((await api('/v1/customers/me', { key: key.api_key })).status).toBe(200)
    await expectRefused(await postKey(key.api_key, { name: 'x' }), 401, 'revoked_api_key')
    await expectRefused(await api('/v1/customers/me', { key: key.api_key }), 401, 'revoked_api_key')
    const record = JSON.parse((await env.API_KEYS.get(hashApiKey(key.api_key))) ?? '')
    expect(record.revoked_at_ms).toEqual(expect.any(Number))
  })

  it('can be repeated, at once and ten times at once, with the same response', async () => {
    const { api_key } = await createCustomer()
    const key = await madeKey(api_key)
    const responses = await Promise.all(Array.from({ length: 10 }, () => remove(api_key, key.key_id)))
    responses.push(await remove(api_key, key.key_id))
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]))
    const [listedKey] = await listed(api_key, '/v1/api-keys')
    expect(await jsonOf(await remove(api_key, key.key_id))).toEqual({
      ...listedKey,
      last_used_at: null,
    })
  })

  it('is refused for a key with more authority; a key with an end may delete one without', async () => {
    const { api_key } = await createCustomer()
    const strong = await madeKey(api_key)
    const weak = await madeKey(api_key, { scopes: ['keys:write'] })
    const test = await madeKey(api_key, { mode: 'test' })
    const short = await madeKey(api_key, { expires_at: '2099-01-01T00:00:00Z' })
    for (const maker of [weak, test]) {
      await expectRefused(await remove(maker.api_key, strong.key_id), 403, 'insufficient_scope')
    }
    expect(await balanceOf(strong.api_key)).toBe(10_000)
    expect((await remove(short.api_key, strong.key_id)).status).toBe(200)
    expect((await remove(api_key, test.key_id)).status).toBe(200)
  })

  it('may be that of the key itself', async () => {
    const { api_key } = await createCustomer()
    expect((await remove(api_key, idOf(api_key))).status).toBe(200)
    await expectRefused(await ingest(api_key, GPT_4O), 401, 'revoked_api_key')
  })
})
