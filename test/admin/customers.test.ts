import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { forgetCachedKeys } from '../../src/api-keys/authentication/lookup.ts'
import { SCOPES } from '../../src/api-keys/authentication/scopes.ts'
import { idOf, madeBy, madeKey } from '../customers/support.ts'
import { api, jsonOf } from '../support/api.ts'
import { balanceOf, expectInvalid, expectRefused, listed, objects, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique, uniqueEmail } from '../support/customers.ts'
import { inStore, ledgerOf } from '../support/ledgers.ts'

const BASE = '/v1/admin/customers'

const patch = (customer_id: string, body: unknown) =>
  api(`${BASE}/${customer_id}`, { key: OPERATOR_TOKEN, method: 'PATCH', body })

const issue = (customer_id: string, body: unknown, headers = {}) =>
  api(`${BASE}/${customer_id}/api-keys`, { key: OPERATOR_TOKEN, body, headers })

/** Creates a customer whose registration stopped after its row was written to D1. */
async function pendingCustomer(): Promise<string> {
  const customer_id = unique('cust')
  await env.DB.prepare(
    `INSERT INTO customers (customer_id, name, email, email_key, tier, status, created_at_ms)
     VALUES (?1, 'Half', ?2, ?2, 'STARTER', 'PENDING', 1000)`,
  )
    .bind(customer_id, uniqueEmail())
    .run()
  return customer_id
}

describe('the list of customers', () => {
  it('is newest first, page by page, each customer in its current state', async () => {
    const customers = [
      await createCustomer(),
      await createCustomer({ tier: 'GROWTH' }),
      await createCustomer(),
    ]
    const found = await listed(OPERATOR_TOKEN, BASE, '?limit=2')
    const ids = found.map((customer) => String(customer.customer_id))
    expect(ids).toEqual(ids.toSorted().toReversed())
    const [second] = found.filter(({ customer_id }) => customer_id === customers[1]?.customer_id)
    expect(second).toEqual({
      customer_id: customers[1]?.customer_id,
      name: 'Test customer',
      email: customers[1]?.email,
      tier: 'GROWTH',
      status: 'ACTIVE',
      region: null,
      created_at: expect.stringMatching(/Z$/),
    })
    for (const { customer_id } of customers) expect(ids).toContain(customer_id)
  })

  it('is narrowed by status, by tier, by the email in any case, and by all of them', async () => {
    const { customer_id, email } = await createCustomer({ tier: 'GROWTH' })
    expect((await patch(customer_id, { status: 'SUSPENDED' })).status).toBe(200)
    const ids = async (query: string) =>
      (await listed(OPERATOR_TOKEN, BASE, `?limit=100${query}`)).map((customer) => customer.customer_id)
    expect(await ids('&status=SUSPENDED')).toContain(customer_id)
    expect(await ids('&status=ACTIVE')).not.toContain(customer_id)
    expect(await ids('&tier=GROWTH')).toContain(customer_id)
    expect(await ids('&tier=ENTERPRISE')).not.toContain(customer_id)
    expect(await ids(`&email=${encodeURIComponent(email.toUpperCase())}`)).toEqual([customer_id])
    expect(await ids(`&email=${encodeURIComponent(email)}&tier=GROWTH&status=SUSPENDED`)).toEqual([
      customer_id,
    ])
    expect(await ids(`&email=${encodeURIComponent(email)}&tier=STARTER`)).toEqual([])
  })

  it.each([
    ['limit=1000', '/limit'],
    ['cursor=x', '/cursor'],
    ['status=suspended', '/status'],
    ['tier=GOLD', '/tier'],
    ["email=' OR 1=1 --%00", '/email'],
    ['name=x', '/name'],
  ])('is a 400 with %s', async (query, path) => {
    await expectInvalid(await api(`${BASE}?${query}`, { key: OPERATOR_TOKEN }), path)
  })
})

describe('a customer', () => {
  it('is found only by its id', async () => {
    const { customer_id, email } = await createCustomer()
    expect(await read(OPERATOR_TOKEN, `${BASE}/${customer_id}`)).toMatchObject({ customer_id, email })
    for (const id of ['cust_00000000000000000000000000', 'nobody', "' OR 1=1 --"]) {
      const path = `${BASE}/${encodeURIComponent(id)}`
      await expectRefused(await api(path, { key: OPERATOR_TOKEN }), 404, 'not_found')
      await expectRefused(await patch(encodeURIComponent(id), { tier: 'GROWTH' }), 404, 'not_found')
      await expectRefused(await issue(encodeURIComponent(id), { name: 'x' }), 404, 'not_found')
    }
  })

  it('can be read and changed only by the operator: 401 and 403', async () => {
    const { customer_id, api_key } = await createCustomer()
    const requests = [
      { path: BASE },
      { path: `${BASE}/${customer_id}` },
      { path: `${BASE}/${customer_id}`, method: 'PATCH', body: { tier: 'ENTERPRISE' } },
      { path: `${BASE}/${customer_id}/api-keys`, body: { name: 'x' } },
    ]
    for (const { path, ...options } of requests) {
      await expectRefused(await api(path, options), 401, 'missing_api_key')
      await expectRefused(await api(path, { ...options, key: 'guess' }), 401, 'invalid_api_key')
      await expectRefused(await api(path, { ...options, key: api_key }), 403, 'insufficient_scope')
    }
  })

  it.each<[string, unknown, string]>([
    ['nothing', {}, ''],
    ['an unknown tier', { tier: 'GOLD' }, '/tier'],
    ['the status of a registration', { status: 'PENDING' }, '/status'],
    ['a field that cannot be changed', { email: 'a@example.com' }, '/email'],
    ['a tier of null', { tier: null }, ''],
  ])('is not changed by %s: 400', async (_, body, path) => {
    const { customer_id } = await createCustomer()
    await expectInvalid(await patch(customer_id, body), path)
  })

  it('whose registration is incomplete is listed, but cannot be changed or get a key: 409', async () => {
    const customer_id = await pendingCustomer()
    expect(await read(OPERATOR_TOKEN, `${BASE}/${customer_id}`)).toMatchObject({ status: 'PENDING' })
    await expectRefused(await patch(customer_id, { status: 'ACTIVE' }), 409, 'conflict')
    await expectRefused(await issue(customer_id, { name: 'x' }), 409, 'conflict')
  })
})

describe('changing tier and status', () => {
  it('has reached D1, both ledgers and the records of the keys before the response', async () => {
    const { customer_id, api_key } = await createCustomer({ tier: 'STARTER' })
    const test = await madeKey(api_key, { mode: 'test' })
    const response = await patch(customer_id, { tier: 'GROWTH', status: 'SUSPENDED' })
    expect(await jsonOf(response)).toMatchObject({ customer_id, tier: 'GROWTH', status: 'SUSPENDED' })
    const account = { tier: 'GROWTH', status: 'SUSPENDED' }
    for (const mode of ['live', 'test'] as const) {
      expect(await inStore(ledgerOf(customer_id, mode), (store) => store.account.current)).toMatchObject(
        account,
      )
    }
    for (const key of [api_key, test.api_key]) {
      forgetCachedKeys()
      expect(await read(key, '/v1/customers/me')).toMatchObject({ tier: 'GROWTH', status: 'SUSPENDED' })
      await expectRefused(
        await api('/v1/credits/grant', { key, body: { amount: 1 } }),
        403,
        'customer_suspended',
      )
      expect(await balanceOf(key)).toBe(10_000)
    }
  })

  it('keeps fields that are not named', async () => {
    const { customer_id } = await createCustomer({ tier: 'GROWTH' })
    for (let round = 0; round < 2; round++) {
      expect(await jsonOf(await patch(customer_id, { status: 'CLOSED' }))).toMatchObject({
        tier: 'GROWTH',
        status: 'CLOSED',
      })
    }
  })

  it('applies in the ledger even after D1 was restored to an earlier time, and so does a repeat', async () => {
    const { customer_id, api_key } = await createCustomer()
    const status = () => inStore(ledgerOf(customer_id), (store) => store.account.current.status)
    await patch(customer_id, { status: 'SUSPENDED' })
    await patch(customer_id, { status: 'ACTIVE' })
    await patch(customer_id, { status: 'SUSPENDED' })
    await env.DB.prepare("UPDATE customers SET status = 'ACTIVE', account_revision = 1 WHERE customer_id = ?")
      .bind(customer_id)
      .run()
    expect(await status()).toBe('SUSPENDED')
    expect((await patch(customer_id, { status: 'ACTIVE' })).status).toBe(200)
    expect(await status()).toBe('ACTIVE')
    expect((await api('/v1/credits/grant', { key: api_key, body: { amount: 1 } })).status).toBe(201)
    await env.DB.prepare('UPDATE customers SET account_revision = 1 WHERE customer_id = ?')
      .bind(customer_id)
      .run()
    await patch(customer_id, { status: 'CLOSED' })
    expect(await status()).toBe('CLOSED')
  })

  it('can be lifted, and all requests work again', async () => {
    const { customer_id, api_key } = await createCustomer()
    await patch(customer_id, { status: 'CLOSED' })
    const event = { event_type: 'API_CALL', feature_id: 'search' }
    const ingest = () => api('/v1/events/ingest', { key: api_key, body: event })
    await expectRefused(await ingest(), 403, 'customer_suspended')
    await patch(customer_id, { status: 'ACTIVE' })
    expect((await ingest()).status).toBe(200)
  })

  it('ends as the last of many concurrent ones, the same in D1, in the ledger and in KV', async () => {
    const { customer_id, api_key } = await createCustomer()
    const changes = await Promise.all(
      Array.from({ length: 12 }, (_, i) => patch(customer_id, { status: i % 2 ? 'ACTIVE' : 'SUSPENDED' })),
    )
    expect(new Set(changes.map((change) => change.status))).toEqual(new Set([200]))
    const { status } = await read(OPERATOR_TOKEN, `${BASE}/${customer_id}`)
    expect(await inStore(ledgerOf(customer_id), (store) => store.account.current.status)).toBe(status)
    forgetCachedKeys()
    const grant = await api('/v1/credits/grant', { key: api_key, body: { amount: 1 } })
    expect(grant.status).toBe(status === 'ACTIVE' ? 201 : 403)
  })

  it('reaches the test ledger of a first test key that is made at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const { customer_id, api_key } = await createCustomer()
      const [made, changed] = await Promise.all([
        api('/v1/api-keys', { key: api_key, body: { name: 'x', mode: 'test' } }),
        patch(customer_id, { status: 'SUSPENDED' }),
      ])
      expect(changed.status).toBe(200)
      expect([201, 403]).toContain(made.status)
      if (made.status === 403) continue
      const { account } = await inStore(ledgerOf(customer_id, 'test'), ({ account }) => ({
        account: account.current,
      }))
      expect(account.status).toBe('SUSPENDED')
    }
  })

  it('is in the audit log once, with before and after', async () => {
    const { customer_id } = await createCustomer({ tier: 'GROWTH' })
    await patch(customer_id, { status: 'SUSPENDED' })
    await patch(customer_id, { status: 'SUSPENDED' })
    const log = await read(
      OPERATOR_TOKEN,
      `/v1/admin/audit?customer_id=${customer_id}&action=customers.change`,
    )
    expect(objects(log.data)).toEqual([
      expect.objectContaining({
        actor: 'operator',
        target: customer_id,
        before: { tier: 'GROWTH', status: 'ACTIVE' },
        after: { tier: 'GROWTH', status: 'SUSPENDED' },
      }),
    ])
  })
})

describe('issuing a key', () => {
  it('gives a customer that lost its only key one with all scopes, and does not change the other keys', async () => {
    const { customer_id, api_key } = await createCustomer()
    const issued = await madeBy(await issue(customer_id, { name: 'Recovery' }))
    expect(issued.answer).toMatchObject({ name: 'Recovery', mode: 'live', scopes: SCOPES, expires_at: null })
    expect(await read(issued.api_key, '/v1/customers/me')).toMatchObject({ customer_id })
    const keys = await listed(issued.api_key, '/v1/api-keys')
    expect(keys.map((key) => key.key_id)).toEqual([issued.key_id, idOf(api_key)])
    expect(await balanceOf(api_key)).toBe(10_000)
  })

  it('issues the requested scopes, mode and end', async () => {
    const { customer_id } = await createCustomer()
    const body = { name: 'x', mode: 'test', scopes: ['credits:read'], expires_at: '2099-01-01T00:00:00Z' }
    const issued = await madeBy(await issue(customer_id, body))
    expect(issued.answer).toMatchObject({ ...body, expires_at: '2099-01-01T00:00:00.000Z' })
    expect(await balanceOf(issued.api_key)).toBe(10_000)
  })

  it('to a suspended customer gives a key that reads', async () => {
    const { customer_id } = await createCustomer()
    await patch(customer_id, { status: 'SUSPENDED' })
    const { api_key } = await madeBy(await issue(customer_id, { name: 'x' }))
    expect(await balanceOf(api_key)).toBe(10_000)
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(2)
    await expectRefused(
      await api('/v1/api-keys', { key: api_key, body: { name: 'y' } }),
      403,
      'customer_suspended',
    )
  })

  it("is the operator's even where a proxy adds an API key", async () => {
    const { customer_id, api_key } = await createCustomer()
    const headers = { 'X-API-Key': api_key, 'Idempotency-Key': unique('issue') }
    expect((await issue(customer_id, { name: 'x' }, headers)).status).toBe(201)
  })

  it('gets the same response again with the same Idempotency-Key, for each customer', async () => {
    const [one, other] = [await createCustomer(), await createCustomer()]
    const headers = { 'Idempotency-Key': unique('issue') }
    const first = await issue(one.customer_id, { name: 'x' }, headers)
    const second = await issue(one.customer_id, { name: 'x' }, headers)
    expect(second.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await second.text()).toBe(await first.text())
    await expectRefused(await issue(other.customer_id, { name: 'x' }, headers), 422, 'idempotency_mismatch')
  })

  it.each<[unknown, string]>([
    [{}, '/name'],
    [{ name: 'x', scopes: [] }, '/scopes'],
    [{ name: 'x', expires_at: '2001-01-01T00:00:00Z' }, '/expires_at'],
    [{ name: 'x', customer_id: 'y' }, '/customer_id'],
  ])('is a 400 with %j', async (body, path) => {
    const { customer_id } = await createCustomer()
    await expectInvalid(await issue(customer_id, body), path)
  })
})
