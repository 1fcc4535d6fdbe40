import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { SCOPES } from '../../src/api-keys/authentication/scopes.ts'
import { openLedger } from '../../src/ledger/client/client.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { expectRefused, GPT_4O, ingest, ingested, listed, read } from '../support/client.ts'
import { createCustomer, type TestCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { ACCOUNT } from '../support/ledgers.ts'
import { checked, entitled, postEntitlement, put } from './support.ts'

let customer: TestCustomer
let key: string
beforeAll(async () => {
  customer = await createCustomer()
  key = customer.api_key
})

const remove = (id: string, with_key = key) =>
  api(`/v1/entitlements/${id}`, { key: with_key, method: 'DELETE' })

describe('an entitlement', () => {
  const FULL = {
    feature_id: 'reports',
    user_id: 'ann',
    limit_type: 'HARD',
    limit_value: '12.000001',
    unit: 'credits',
    period: 'MONTHLY',
    anchor: '2026-01-31T10:00:00+01:00',
    value: { seats: 3, models: ['a', 'b'] },
    enabled: true,
    metadata: { plan: 'pro' },
  }

  it('is returned with its created fields, and defaults for omitted ones', async () => {
    const response = await postEntitlement(key, FULL)
    expect(response.status).toBe(201)
    const text = await response.clone().text()
    expect(text).toContain('"limit_value":12.000001')
    const made = await jsonOf(response)
    expect(made).toMatchObject({
      ...FULL,
      id: expect.stringMatching(/^ent_[0-9a-z]{26}$/),
      team_id: null,
      limit_value: 12.000001,
      anchor: '2026-01-31T09:00:00.000Z',
      created_at: expect.any(String),
    })
    expect(await read(key, `/v1/entitlements/${textField(made, 'id')}`)).toEqual(made)
    const plain = await jsonOf(await postEntitlement(key, { feature_id: 'plain', limit_type: 'NONE' }))
    expect(plain).toMatchObject({
      user_id: null,
      limit_value: null,
      unit: 'credits',
      period: null,
      anchor: null,
      time_zone: 'UTC',
      value: null,
      enabled: true,
      metadata: {},
    })
  })

  it('is one for each feature and level', async () => {
    const place = { feature_id: 'one', limit_type: 'NONE' }
    await entitled(key, place)
    await entitled(key, { ...place, user_id: 'x' })
    await entitled(key, { ...place, team_id: 'x' })
    await expectRefused(await postEntitlement(key, place), 409, 'conflict')
    await expectRefused(await postEntitlement(key, { ...place, user_id: 'x' }), 409, 'conflict')
    await expectRefused(await postEntitlement(key, { ...place, team_id: 'x' }), 409, 'conflict')
  })

  it('is created once by two concurrent requests for the same place', async () => {
    const place = { feature_id: 'race', limit_type: 'NONE' }
    const responses = await Promise.all([1, 2, 3].map(() => postEntitlement(key, place)))
    expect(responses.map(({ status }) => status).sort()).toEqual([201, 409, 409])
  })

  it('is replaced as a whole, and its subject stays', async () => {
    const id = await entitled(key, { ...FULL, user_id: 'bob' })
    const replaced = await jsonOf(await put(key, id, { limit_type: 'NONE' }))
    expect(replaced).toMatchObject({
      id,
      feature_id: 'reports',
      user_id: 'bob',
      limit_type: 'NONE',
      limit_value: null,
      value: null,
      metadata: {},
      period: null,
    })
    expect((await put(key, id, { feature_id: 'reports', user_id: 'bob', limit_type: 'NONE' })).status).toBe(
      200,
    )
    for (const [field, body] of [
      ['/feature_id', { feature_id: 'other' }],
      ['/user_id', { user_id: 'cid' }],
      ['/team_id', { team_id: 'bob' }],
    ] as const) {
      const problem = await expectRefused(
        await put(key, id, { limit_type: 'NONE', ...body }),
        400,
        'invalid_request',
      )
      expect(problem.errors).toMatchObject([
        { path: field, message: expect.stringContaining('cannot be changed') },
      ])
    }
  })

  it('no longer exists after its deletion, and its place is free', async () => {
    const id = await entitled(key, { feature_id: 'gone' })
    expect(await jsonOf(await remove(id))).toMatchObject({ id, feature_id: 'gone' })
    for (const method of ['GET', 'DELETE']) {
      await expectRefused(await api(`/v1/entitlements/${id}`, { key, method }), 404, 'not_found')
    }
    await expectRefused(await put(key, id, { limit_type: 'NONE' }), 404, 'not_found')
    await entitled(key, { feature_id: 'gone' })
  })

  it.each(['ent_00000000000000000000000000', 'nothing', 'evt_00000000000000000000000000', "ent_'; --"])(
    'is not found by %s',
    async (id) => {
      await expectRefused(await api(`/v1/entitlements/${encodeURIComponent(id)}`, { key }), 404, 'not_found')
    },
  )
})

describe('the list of entitlements', () => {
  it('is newest first, in pages, and by feature and level', async () => {
    const { api_key } = await createCustomer()
    const made: string[] = []
    for (const [feature_id, subject] of [
      ['a', {}],
      ['a', { user_id: 'ann' }],
      ['b', { user_id: 'ann' }],
      ['b', { team_id: 'ann' }],
      ['c', {}],
    ] as const) {
      made.push(await entitled(api_key, { feature_id, ...subject }))
    }
    const ids = async (query: string) =>
      (await listed(api_key, '/v1/entitlements', query)).map(({ id }) => id)
    expect(await ids('?limit=2')).toEqual(made.toReversed())
    expect(await ids('?feature_id=a')).toEqual([made[1], made[0]])
    expect(await ids('?user_id=ann&limit=1')).toEqual([made[2], made[1]])
    expect(await ids('?team_id=ann')).toEqual([made[3]])
    expect(await ids('?feature_id=none')).toEqual([])
    expect(await read(api_key, '/v1/entitlements?limit=5')).toMatchObject({ next_cursor: null })
  })
})

describe('Idempotency-Key', () => {
  const BODY = { feature_id: 'once', limit_type: 'NONE' }

  it('gives the same response again, byte for byte, regardless of later changes of the entitlement', async () => {
    const headers = { 'Idempotency-Key': 'make-once' }
    const first = await postEntitlement(key, BODY, headers)
    const text = await first.text()
    const { id } = JSON.parse(text)
    await put(key, id, { limit_type: 'NONE', enabled: false })
    const again = await postEntitlement(key, BODY, headers)
    expect([again.status, again.headers.get('Idempotency-Replayed'), await again.text()]).toEqual([
      201,
      'true',
      text,
    ])
    await remove(id)
    expect(await (await postEntitlement(key, BODY, headers)).text()).toBe(text)
    await expectRefused(
      await postEntitlement(key, { ...BODY, enabled: false }, headers),
      422,
      'idempotency_mismatch',
    )
  })

  it('of a refused request stays unused', async () => {
    const headers = { 'Idempotency-Key': 'refused-first' }
    const place = { feature_id: 'refused', limit_type: 'NONE' }
    const id = await entitled(key, place)
    await expectRefused(await postEntitlement(key, place, headers), 409, 'conflict')
    await remove(id)
    expect((await postEntitlement(key, place, headers)).status).toBe(201)
  })
})

describe('who may', () => {
  it('requires the scope, and names it', async () => {
    const reading = await createKey(customer.customer_id, { scopes: ['entitlements:read'] })
    const others = SCOPES.filter((scope) => scope !== 'entitlements:read' && scope !== 'entitlements:write')
    const other = await createKey(customer.customer_id, { scopes: others })
    const id = await entitled(key, { feature_id: 'scoped' })
    const one = `/v1/entitlements/${id}`
    const body = { feature_id: 'scoped', limit_type: 'NONE' }
    for (const { scope, path, options } of [
      { scope: 'entitlements:write', path: '/v1/entitlements', options: { body } },
      { scope: 'entitlements:write', path: one, options: { body, method: 'PUT' } },
      { scope: 'entitlements:write', path: one, options: { method: 'DELETE' } },
      { scope: 'entitlements:read', path: '/v1/entitlements', options: {} },
      { scope: 'entitlements:read', path: one, options: {} },
      {
        scope: 'entitlements:read',
        path: '/v1/entitlements/check',
        options: { body: { feature_id: 'scoped' } },
      },
    ]) {
      const refused = await expectRefused(
        await api(path, { key: other.api_key, ...options }),
        403,
        'insufficient_scope',
      )
      expect(refused.detail).toContain(scope)
      const status = (await api(path, { key: reading.api_key, ...options })).status
      expect(status).toBe(scope === 'entitlements:read' ? 200 : 403)
    }
    expect((await api('/v1/entitlements/check', { body: 'no key and a bad body' })).status).toBe(401)
  })

  it("does not reach another customer's", async () => {
    const stranger = (await createCustomer()).api_key
    const id = await entitled(key, { feature_id: 'mine', enabled: false })
    await expectRefused(await api(`/v1/entitlements/${id}`, { key: stranger }), 404, 'not_found')
    await expectRefused(await put(stranger, id, { limit_type: 'NONE' }), 404, 'not_found')
    await expectRefused(await remove(id, stranger), 404, 'not_found')
    expect((await listed(stranger, '/v1/entitlements')).length).toBe(0)
    expect(await checked(stranger, { feature_id: 'mine' })).toMatchObject({ allowed: true })
    expect(await checked(key, { feature_id: 'mine' })).toMatchObject({ allowed: false })
  })

  it('shares definitions between live and test keys, and no counter', async () => {
    const both = await createCustomer()
    const { customer_id, api_key } = both
    await openLedger(env, {
      ledger: { customer_id, mode: 'test' },
      signup_grant_micro: 1_000_000_000,
      account: ACCOUNT,
    })
    const test = (await createKey(customer_id, { mode: 'test' })).api_key
    const id = await entitled(test, { limit_type: 'HARD', limit_value: 1, unit: 'events', period: 'TOTAL' })
    expect(await read(api_key, `/v1/entitlements/${id}`)).toMatchObject({ limit_value: 1 })
    await ingested(api_key, GPT_4O)
    await ingested(test, GPT_4O)
    await expectRefused(await ingest(api_key, GPT_4O), 402, 'limit_reached')
    await expectRefused(await ingest(test, GPT_4O), 402, 'limit_reached')
    await put(api_key, id, { limit_type: 'HARD', limit_value: 2, unit: 'events', period: 'TOTAL' })
    await ingested(test, GPT_4O)
    const headers = { 'Idempotency-Key': 'the same key in both modes' }
    const made = await postEntitlement(api_key, { feature_id: 'live', limit_type: 'NONE' }, headers)
    const other = await postEntitlement(test, { feature_id: 'test', limit_type: 'NONE' }, headers)
    expect([made.status, other.status]).toEqual([201, 201])
  })
})
