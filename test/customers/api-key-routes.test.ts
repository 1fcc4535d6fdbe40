import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { SCOPES } from '../../src/api-keys/authentication/scopes.ts'
import { MAX_KEY_ROWS, MAX_KEYS, MAX_KEYS_WITH_OVERLAPS } from '../../src/api-keys/rows.ts'
import { api, jsonOf } from '../support/api.ts'
import { balanceOf, expectInvalid, expectRefused, granted, listed, objects, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { idOf, madeBy, madeKey, postKey, remove, rotate } from './support.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

describe('making a key', () => {
  it('returns the requested key, once with its text, and it works at once', async () => {
    const { api_key } = await createCustomer()
    const response = await postKey(api_key, {
      name: 'Reports 🧾',
      scopes: ['analytics:read', 'credits:read'],
      expires_at: '2099-01-01T01:00:00+01:00',
    })
    const made = await madeBy(response)
    expect(made.answer).toEqual({
      key_id: idOf(made.api_key),
      name: 'Reports 🧾',
      mode: 'live',
      scopes: ['credits:read', 'analytics:read'],
      status: 'active',
      created_at: expect.stringMatching(ISO),
      expires_at: '2099-01-01T00:00:00.000Z',
      revoked_at: null,
      last_used_at: null,
      api_key: expect.stringMatching(/^om_live_[0-9A-Za-z]{75}$/),
    })
    expect(await balanceOf(made.api_key)).toBe(10_000)
    const denied = await api('/v1/credits/grant', { key: made.api_key, body: { amount: 1 } })
    await expectRefused(denied, 403, 'insufficient_scope')
  })

  it('has the scopes, mode and end of the calling key by default', async () => {
    const { api_key } = await createCustomer()
    expect((await madeKey(api_key)).answer).toMatchObject({ scopes: SCOPES, mode: 'live', expires_at: null })
    const expires_at = '2099-01-01T00:00:00.000Z'
    const weak = await madeKey(api_key, { scopes: ['keys:write', 'events:write'], mode: 'test', expires_at })
    const made = await madeKey(weak.api_key)
    expect(made.answer).toMatchObject({ scopes: ['events:write', 'keys:write'], mode: 'test', expires_at })
  })

  it('leaves the key in no table', async () => {
    const { api_key } = await createCustomer()
    const key = (await madeBy(await postKey(api_key, { name: 'x' }, { 'Idempotency-Key': 'k' }))).api_key
    const secret = key.slice('om_live_'.length + 26)
    for (const table of ['api_keys', 'stored_answers', 'customers', 'audit_log']) {
      const { results } = await env.DB.prepare(`SELECT * FROM ${table}`).all()
      expect(JSON.stringify(results)).not.toContain(secret)
    }
  })

  it.each([
    ['a scope', { scopes: ['credits:write'] }, 'credits:write'],
    ['one scope of several', { scopes: ['keys:write', 'pricing:read'] }, 'pricing:read'],
    ['the live mode', { mode: 'live' }, 'test key'],
    ['a later end', { expires_at: '2099-01-01T00:00:00.001Z' }, 'expires later'],
  ])('is refused with %s that the key does not have itself', async (_, body, words) => {
    const { api_key } = await createCustomer()
    const scopes = ['keys:write', 'credits:read']
    const weak = await madeKey(api_key, { scopes, mode: 'test', expires_at: '2099-01-01T00:00:00Z' })
    const problem = await expectRefused(
      await postKey(weak.api_key, { name: 'x', ...body }),
      403,
      'insufficient_scope',
    )
    expect(problem.detail).toContain(words)
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(2)
  })

  it('takes the scope keys:write, for each of the routes', async () => {
    const { api_key } = await createCustomer()
    const weak = await madeKey(api_key, { scopes: SCOPES.filter((scope) => scope !== 'keys:write') })
    for (const response of [
      await postKey(weak.api_key, { name: 'x' }),
      await api('/v1/api-keys', { key: weak.api_key }),
      await rotate(weak.api_key, weak.key_id),
      await remove(weak.api_key, weak.key_id),
    ]) {
      const problem = await expectRefused(response, 403, 'insufficient_scope')
      expect(problem.detail).toContain('keys:write')
    }
  })

  it.each<[string, unknown, string]>([
    ['no name', {}, '/name'],
    ['an empty name', { name: '' }, '/name'],
    ['a name of 256 characters', { name: 'x'.repeat(256) }, '/name'],
    ['a control character in the name', { name: 'a\nb' }, '/name'],
    ['a name that is no string', { name: 7 }, '/name'],
    ['no scopes in its list', { name: 'x', scopes: [] }, '/scopes'],
    ['an unknown scope', { name: 'x', scopes: ['credits:read', 'admin'] }, '/scopes/1'],
    ['a scope twice', { name: 'x', scopes: ['credits:read', 'credits:read'] }, '/scopes'],
    ['ten scopes', { name: 'x', scopes: Array(10).fill('credits:read') }, '/scopes'],
    ['an unknown mode', { name: 'x', mode: 'prod' }, '/mode'],
    ['an end that has passed', { name: 'x', expires_at: '2020-01-01T00:00:00Z' }, '/expires_at'],
    ['an invalid end', { name: 'x', expires_at: 'tomorrow' }, '/expires_at'],
    ['an unknown field', { name: 'x', secret: 'mine' }, '/secret'],
  ])('is a 400 with %s', async (_, body, path) => {
    const { api_key } = await createCustomer()
    await expectInvalid(await postKey(api_key, body), path)
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(1)
  })

  it('takes a body', async () => {
    const { api_key } = await createCustomer()
    await expectRefused(await api('/v1/api-keys', { key: api_key, method: 'POST' }), 400, 'invalid_json')
  })

  it('ends exactly at the limit, for any number of concurrent requests; a deleted key makes room', async () => {
    const { api_key, customer_id } = await createCustomer()
    const keys = await Promise.all(Array.from({ length: MAX_KEYS - 4 }, () => createKey(customer_id)))
    const responses = await Promise.all(Array.from({ length: 8 }, () => postKey(api_key, { name: 'x' })))
    expect(responses.map(({ status }) => status).sort()).toEqual([201, 201, 201, ...Array(5).fill(409)])
    const problem = await expectRefused(await postKey(api_key, { name: 'x' }), 409, 'conflict')
    expect(problem.detail).toContain(String(MAX_KEYS))
    const [first] = keys
    if (!first) throw new Error('no key was made')
    expect((await remove(api_key, first.key_id)).status).toBe(200)
    expect((await postKey(api_key, { name: 'x' })).status).toBe(201)
  })

  it('leaves room for successors of keys that are rotated at the limit, but not without a limit', async () => {
    const { api_key, customer_id } = await createCustomer()
    await Promise.all(Array.from({ length: MAX_KEYS - 1 }, () => createKey(customer_id)))
    const at_limit = await rotate(api_key, idOf(api_key), { overlap_seconds: 60 })
    expect(at_limit.status).toBe(201)
    const rest = MAX_KEYS_WITH_OVERLAPS - MAX_KEYS - 1
    const { api_key: key } = await madeBy(at_limit)
    await Promise.all(Array.from({ length: rest }, () => createKey(customer_id)))
    await expectRefused(await rotate(key, idOf(key), { overlap_seconds: 60 }), 409, 'conflict')
  })
})

describe('the list of keys', () => {
  it('has every key of the customer, newest first, page by page, with no secret and no hash', async () => {
    const { api_key } = await createCustomer()
    const ids = [idOf(api_key)]
    for (let i = 0; i < 4; i++) ids.unshift((await madeKey(api_key, { name: `Key ${i}` })).key_id)
    await remove(api_key, ids[1] ?? '')
    const keys = await listed(api_key, '/v1/api-keys', '?limit=2')
    expect(keys.map((key) => key.key_id)).toEqual(ids)
    expect(keys.map((key) => key.status)).toEqual(['active', 'revoked', 'active', 'active', 'active'])
    expect(keys[1]?.revoked_at).toMatch(ISO)
    expect(keys.at(-1)).toMatchObject({ name: 'First key', scopes: SCOPES })
    const names = ['key_id', 'name', 'mode', 'scopes', 'status']
    const times = ['created_at', 'expires_at', 'revoked_at', 'last_used_at']
    for (const key of keys) expect(Object.keys(key)).toEqual([...names, ...times])
  })

  it('shows a test key only test keys', async () => {
    const { api_key } = await createCustomer()
    const test = await madeKey(api_key, { mode: 'test' })
    await madeKey(api_key)
    expect((await listed(test.api_key, '/v1/api-keys')).map((key) => key.key_id)).toEqual([test.key_id])
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(3)
  })

  it('shows an expired key as expired', async () => {
    const { api_key, customer_id } = await createCustomer()
    await createKey(customer_id, { expires_at_ms: Date.now() - 1 })
    const [newest] = await listed(api_key, '/v1/api-keys')
    expect(newest).toMatchObject({ status: 'expired' })
  })

  it.each([
    ['limit=0', '/limit'],
    ['limit=101', '/limit'],
    ['cursor=c1', '/cursor'],
    ['cursor=key_', '/cursor'],
    ["cursor=key_' OR 1=1 --", '/cursor'],
    ['mode=test', '/mode'],
  ])('is a 400 with %s', async (query, path) => {
    const { api_key } = await createCustomer()
    await expectInvalid(await api(`/v1/api-keys?${query}`, { key: api_key }), path)
  })
})

describe('the rows of keys', () => {
  it('are at most 1,000 a customer: the oldest ended keys make room, and never an active one', async () => {
    const { api_key, customer_id } = await createCustomer()
    const ended = Date.now() - 2 * 86_400_000
    const insert = env.DB.prepare(
      `INSERT INTO api_keys (key_id, customer_id, mode, name, key_hash, scopes, created_at_ms, revoked_at_ms)
       SELECT 'key_' || printf('%026d', value), ?1, 'live', 'x', value || ?1, '', 0, ?2 + value
       FROM json_each(?3)`,
    )
    const numbers = Array.from({ length: MAX_KEY_ROWS + 4 }, (_, i) => i)
    await insert.bind(customer_id, ended, JSON.stringify(numbers)).run()
    const just_ended = await madeKey(api_key)
    expect((await remove(api_key, just_ended.key_id)).status).toBe(200)
    const made = await madeKey(api_key)
    const keys = await listed(api_key, '/v1/api-keys')
    expect(keys).toHaveLength(MAX_KEY_ROWS)
    const ids = keys.map((key) => String(key.key_id))
    expect(ids.slice(0, 3)).toEqual([made.key_id, just_ended.key_id, idOf(api_key)])
    expect(ids.at(-1)).toMatch(new RegExp(`^key_0+${numbers.length - (MAX_KEY_ROWS - 3)}$`))
  })

  it('that are active or ended within a day are at most 1,000: no key is created or rotated then', async () => {
    const { api_key, customer_id } = await createCustomer()
    await env.DB.prepare(
      `INSERT INTO api_keys (key_id, customer_id, mode, name, key_hash, scopes, created_at_ms, revoked_at_ms)
       SELECT 'key_' || value || ?1, ?1, 'live', 'x', value || ?1, '', 0, ?2 FROM json_each(?3)`,
    )
      .bind(customer_id, Date.now() - 3_600_000, JSON.stringify([...Array(MAX_KEY_ROWS - 1).keys()]))
      .run()
    const refusals = [
      await api('/v1/api-keys', { key: api_key, body: { name: 'one more' } }),
      await rotate(api_key, idOf(api_key)),
    ]
    for (const refusal of refusals) {
      const { detail } = await expectRefused(refusal, 409, 'conflict')
      expect(detail).toContain('1000 API keys that are active or ended within the last day')
    }
    expect(await balanceOf(api_key)).toBe(10_000)
  })
})

describe('keys of two customers', () => {
  it('do not find each other', async () => {
    const [mine, theirs] = [await createCustomer(), await createCustomer()]
    const victim = await madeKey(theirs.api_key)
    await expectRefused(await rotate(mine.api_key, victim.key_id), 404, 'not_found')
    await expectRefused(await remove(mine.api_key, victim.key_id), 404, 'not_found')
    const page = await read(mine.api_key, `/v1/api-keys?cursor=${victim.key_id}`)
    expect(objects(page.data).map((key) => key.key_id)).toEqual([idOf(mine.api_key)])
    expect(await balanceOf(victim.api_key)).toBe(10_000)
  })

  it.each(['nothing', 'key_00000000000000000000000000', "key_' OR '1'='1", '%00', 'x'.repeat(255)])(
    'are not found with the id %s',
    async (id) => {
      const { api_key } = await createCustomer()
      const path = `/v1/api-keys/${encodeURIComponent(decodeURIComponent(id))}`
      for (const response of [
        await api(path, { key: api_key, method: 'DELETE' }),
        await api(`${path}/rotate`, { key: api_key, body: {} }),
      ]) {
        expect([400, 404]).toContain(response.status)
      }
    },
  )
})

describe('the test ledger', () => {
  it('is opened by the first test key, with a sign-up grant of its own, and is separate from the live one', async () => {
    const { api_key } = await createCustomer()
    const first = await madeKey(api_key, { mode: 'test' })
    expect(first.api_key).toMatch(/^om_test_/)
    expect(await balanceOf(first.api_key)).toBe(10_000)
    await granted(first.api_key, { amount: 5 })
    const second = await madeKey(first.api_key)
    expect(await balanceOf(second.api_key)).toBe(10_005)
    expect(await balanceOf(api_key)).toBe(10_000)
  })

  it('has the burn tables and entitlements that existed before it', async () => {
    const { api_key } = await createCustomer()
    const rule = { match: {}, method: 'flat', amount: 7 }
    const table = { name: 'Seven', rules: [rule] }
    expect((await api('/v1/burn-tables', { key: api_key, body: table })).status).toBe(201)
    const off = { feature_id: 'chat', limit_type: 'NONE', enabled: false }
    expect((await api('/v1/entitlements', { key: api_key, body: off })).status).toBe(201)
    const test = await madeKey(api_key, { mode: 'test' })
    const event = { event_type: 'API_CALL', feature_id: 'search' }
    const burned = await jsonOf(await api('/v1/events/ingest', { key: test.api_key, body: event }))
    expect(burned.credits_burned).toBe(7)
    const chat = await api('/v1/events/ingest', { key: test.api_key, body: { ...event, feature_id: 'chat' } })
    await expectRefused(chat, 403, 'feature_not_allowed')
  })

  it('is opened once by ten that make the first test key at once', async () => {
    const { api_key } = await createCustomer()
    const keys = await Promise.all(Array.from({ length: 10 }, () => madeKey(api_key, { mode: 'test' })))
    for (const { api_key } of keys) expect(await balanceOf(api_key)).toBe(10_000)
  })
})

describe('an Idempotency-Key', () => {
  it('gets the same key again, byte for byte, and makes no second one', async () => {
    const { api_key } = await createCustomer()
    const post = () => postKey(api_key, { name: 'Once' }, { 'Idempotency-Key': 'make' })
    const [first, second] = [await post(), await post()]
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await second.text()).toBe(await first.text())
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(2)
    const other = await postKey(api_key, { name: 'Twice' }, { 'Idempotency-Key': 'make' })
    await expectRefused(other, 422, 'idempotency_mismatch')
  })

  it('works in the same way for a key in X-API-Key', async () => {
    const { api_key } = await createCustomer()
    const headers = { 'X-API-Key': api_key, 'Idempotency-Key': 'make' }
    const post = () => api('/v1/api-keys', { body: { name: 'Once' }, headers })
    const first = await post()
    expect(first.status).toBe(201)
    expect(await (await postKey(api_key, { name: 'Once' }, headers)).text()).toBe(await first.text())
  })

  it('makes one key for ten concurrent requests', async () => {
    const { api_key } = await createCustomer()
    const responses = await Promise.all(
      Array.from({ length: 10 }, () => postKey(api_key, { name: 'Once' }, { 'Idempotency-Key': 'make' })),
    )
    expect(new Set(await Promise.all(responses.map((response) => response.text()))).size).toBe(1)
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(2)
  })

  it('shows the secret only to the key that created it: 409 for another key of the customer', async () => {
    const { api_key } = await createCustomer()
    const other = await madeKey(api_key)
    const headers = { 'Idempotency-Key': 'make' }
    const made = await madeBy(await postKey(api_key, { name: 'Once' }, headers))
    const response = await postKey(other.api_key, { name: 'Once' }, headers)
    expect(await response.clone().text()).not.toContain(made.api_key)
    await expectRefused(response, 409, 'conflict')
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(3)
  })

  it('gets the same key again even when the key has expired meanwhile', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { api_key } = await createCustomer()
    const body = { name: 'Once', expires_at: new Date(Date.now() + 60_000).toISOString() }
    const first = await postKey(api_key, body, { 'Idempotency-Key': 'make' })
    vi.setSystemTime(Date.now() + 120_000)
    const second = await postKey(api_key, body, { 'Idempotency-Key': 'make' })
    vi.useRealTimers()
    expect(second.status).toBe(201)
    expect(await second.text()).toBe(await first.text())
  })

  it('stays unused when the request is refused', async () => {
    const { api_key } = await createCustomer()
    const test = await madeKey(api_key, { mode: 'test' })
    const headers = { 'Idempotency-Key': 'make' }
    const live = await postKey(test.api_key, { name: 'x', mode: 'live' }, headers)
    await expectRefused(live, 403, 'insufficient_scope')
    expect((await postKey(test.api_key, { name: 'x' }, headers)).status).toBe(201)
  })
})
