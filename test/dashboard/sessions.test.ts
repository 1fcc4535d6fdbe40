import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { forgetSessions, MAX_SESSIONS, SESSION_MS } from '../../src/dashboard/sessions.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { expectProblem } from '../support/problems.ts'
import { fromDashboard, ORIGIN, signIn } from './support.ts'

describe('a session of an API key', () => {
  it('begins with a cookie that only this origin gets, and that no script reads', async () => {
    const { api_key } = await createCustomer()
    const response = await fromDashboard('/session', { body: { credential: ` ${api_key}\n` } })
    expect(response.status).toBe(201)
    const [cookie = '', ...attributes] = (response.headers.get('Set-Cookie') ?? '').split('; ')
    expect(cookie).toMatch(/^__Host-om_session=[A-Za-z0-9_-]{43}$/)
    expect(attributes.toSorted()).toEqual(
      ['HttpOnly', `Max-Age=${SESSION_MS / 1000}`, 'Path=/', 'SameSite=Strict', 'Secure'].toSorted(),
    )
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(await response.text()).not.toContain(api_key)
  })

  it('has the rights of its key and acts as the key', async () => {
    const { api_key, customer_id } = await createCustomer()
    const session = await signIn(api_key)
    const me = await jsonOf(await fromDashboard('/v1/customers/me', { session }))
    expect(me).toMatchObject({ customer_id })
    const granted = await fromDashboard('/v1/credits/grant', { session, body: { amount: 5 } })
    expect(granted.status).toBe(201)
    expect(granted.headers.get('RateLimit-Policy')).toContain('q=')
    const found = await jsonOf(await fromDashboard('/session', { session }))
    const { key_id } = Object(found.session)
    expect(found).toMatchObject({
      session: { kind: 'customer', mode: 'live' },
      demo: { api_key: expect.any(String) },
    })
    expect(key_id).toMatch(/^key_/)
  })

  it('has no more scopes than its key', async () => {
    const { customer_id } = await createCustomer()
    const { api_key } = await createKey(customer_id, { scopes: ['credits:read'] })
    const session = await signIn(api_key)
    expect((await fromDashboard('/v1/credits/balance', { session })).status).toBe(200)
    await expectProblem(
      await fromDashboard('/v1/credits/grant', { session, body: { amount: 5 } }),
      403,
      'insufficient_scope',
    )
    await expectProblem(await fromDashboard('/v1/admin/stats', { session }), 403, 'insufficient_scope')
  })

  it('ends when its key is deleted', async () => {
    const owner = await createCustomer()
    const { key_id, api_key } = await createKey(owner.customer_id)
    const session = await signIn(api_key)
    expect((await fromDashboard('/v1/credits/balance', { session })).status).toBe(200)
    await api(`/v1/api-keys/${key_id}`, { key: owner.api_key, method: 'DELETE' })
    await expectProblem(await fromDashboard('/v1/credits/balance', { session }), 401, 'invalid_api_key')
    expect(await jsonOf(await fromDashboard('/session', { session }))).toMatchObject({ session: null })
  })

  it('ends when its key is rotated, at the end of the overlap', async () => {
    const owner = await createCustomer()
    const { key_id, api_key } = await createKey(owner.customer_id)
    const session = await signIn(api_key)
    const rotated = await fromDashboard(`/v1/api-keys/${key_id}/rotate`, {
      session,
      body: { overlap_seconds: 60 },
    })
    expect(rotated.status).toBe(201)
    expect((await fromDashboard('/v1/credits/balance', { session })).status).toBe(200)
    await env.DB.prepare('UPDATE api_keys SET revoked_at_ms = ?2 WHERE key_id = ?1')
      .bind(key_id, Date.now())
      .run()
    await expectProblem(await fromDashboard('/v1/credits/balance', { session }), 401, 'invalid_api_key')
  })

  it('ends when its key expires, and after its own time', async () => {
    const { customer_id } = await createCustomer()
    const { key_id, api_key } = await createKey(customer_id, { expires_at_ms: Date.now() + 60_000 })
    const session = await signIn(api_key)
    await env.DB.prepare('UPDATE api_keys SET expires_at_ms = ?2 WHERE key_id = ?1')
      .bind(key_id, Date.now())
      .run()
    await expectProblem(await fromDashboard('/v1/credits/balance', { session }), 401, 'invalid_api_key')

    const other = await createKey(customer_id)
    const old = await signIn(other.api_key)
    await env.DB.prepare('UPDATE dashboard_sessions SET expires_at_ms = ?2 WHERE owner = ?1')
      .bind(other.key_id, Date.now())
      .run()
    await expectProblem(await fromDashboard('/v1/credits/balance', { session: old }), 401, 'invalid_api_key')
    expect(await forgetSessions(env, Date.now())).toBeGreaterThanOrEqual(1)
    expect(await sessionsOf(other.key_id)).toBe(0)
  })

  it('of a suspended customer only reads', async () => {
    const { api_key, customer_id } = await createCustomer()
    const session = await signIn(api_key)
    const change = { method: 'PATCH', key: OPERATOR_TOKEN, body: { status: 'SUSPENDED' } }
    expect((await api(`/v1/admin/customers/${customer_id}`, change)).status).toBe(200)
    expect((await fromDashboard('/v1/credits/balance', { session })).status).toBe(200)
    const grant = await fromDashboard('/v1/credits/grant', { session, body: { amount: 5 } })
    await expectProblem(grant, 403, 'customer_suspended')
  })

  it('sees nothing of another customer', async () => {
    const [one, other] = [await createCustomer(), await createCustomer()]
    const event = { event_type: 'CUSTOM', feature_id: 'f', quantity: 1, unit: 'call' }
    const burned = await jsonOf(await api('/v1/events/ingest', { key: one.api_key, body: event }))
    const session = await signIn(other.api_key)
    const path = `/v1/events/${textField(burned, 'id')}`
    expect((await fromDashboard(path, { session })).status).toBe(404)
    const foreign = { ...event, customer_id: one.customer_id }
    const sent = await fromDashboard('/v1/events/ingest', { session, body: foreign })
    await expectProblem(sent, 403, 'customer_mismatch')
  })

  it('is ended by signing out', async () => {
    const { api_key } = await createCustomer()
    const session = await signIn(api_key)
    const out = await fromDashboard('/session', { session, method: 'DELETE' })
    expect(out.status).toBe(204)
    expect(out.headers.get('Set-Cookie')).toMatch(/^__Host-om_session=; Max-Age=0; Path=\//)
    await expectProblem(await fromDashboard('/v1/credits/balance', { session }), 401, 'invalid_api_key')
  })

  it('is one of at most twenty of its key: a further one ends the oldest', async () => {
    const { customer_id } = await createCustomer()
    const { api_key, key_id } = await createKey(customer_id)
    const first = await signIn(api_key)
    await env.DB.prepare(
      'UPDATE dashboard_sessions SET created_at_ms = created_at_ms - 1000 WHERE owner = ?1',
    )
      .bind(key_id)
      .run()
    const second = await signIn(api_key)
    for (let i = 2; i <= MAX_SESSIONS; i++) await signIn(api_key)
    expect(await sessionsOf(key_id)).toBe(MAX_SESSIONS)
    await expectProblem(
      await fromDashboard('/v1/credits/balance', { session: first }),
      401,
      'invalid_api_key',
    )
    expect((await fromDashboard('/v1/credits/balance', { session: second })).status).toBe(200)
  })
})

describe("the operator's session", () => {
  it('uses the routes of the operator, and none of a customer', async () => {
    const session = await signIn(OPERATOR_TOKEN)
    expect((await fromDashboard('/v1/admin/stats', { session })).status).toBe(200)
    await expectProblem(await fromDashboard('/v1/credits/balance', { session }), 401, 'invalid_api_key')
    expect(await jsonOf(await fromDashboard('/session', { session }))).toMatchObject({
      session: { kind: 'operator' },
    })
  })

  it('ends when the token is replaced, and not while both are valid', async () => {
    const session = await signIn(OPERATOR_TOKEN)
    const app = createApp()
    const deployedWith = (tokens: Partial<typeof env>) => (request: Request) =>
      app.fetch(request, { ...env, ...tokens }, { waitUntil() {}, passThroughOnException() {}, props: {} })
    const both = { OPERATOR_TOKEN: 'another-operator-token', OPERATOR_TOKEN_NEXT: OPERATOR_TOKEN }
    const with_both = await fromDashboard('/v1/admin/audit', { session, fetch: deployedWith(both) })
    expect(with_both.status).toBe(200)
    const replaced = { OPERATOR_TOKEN: 'another-operator-token' }
    const after = await fromDashboard('/v1/admin/audit', { session, fetch: deployedWith(replaced) })
    await expectProblem(after, 401, 'invalid_api_key')
  })
})

describe('an attack', () => {
  it('with a cookie on /v1 is a request without a key', async () => {
    const { api_key } = await createCustomer()
    const session = await signIn(api_key)
    const headers = { Cookie: `__Host-om_session=${session}`, Origin: ORIGIN }
    await expectProblem(await api('/v1/credits/balance', { headers }), 401, 'missing_api_key')
    await expectProblem(await api('/v1/admin/stats', { headers }), 401, 'missing_api_key')
  })

  it.each([
    ['without an origin', null, {}],
    ['from another origin', 'https://evil.example', {}],
    ['from another port', `${ORIGIN}:8443`, {}],
    ['from a sandboxed frame', 'null', {}],
    ['from another site with our origin', ORIGIN, { 'Sec-Fetch-Site': 'cross-site' }],
  ])('by a change %s changes nothing', async (_, origin, headers) => {
    const { api_key } = await createCustomer()
    const session = await signIn(api_key)
    const before = await (await fromDashboard('/v1/credits/balance', { session })).text()
    const body = { amount: 5 }
    const grant = await fromDashboard('/v1/credits/grant', { session, body, origin, headers })
    await expectProblem(grant, 403, 'origin_not_allowed')
    const out = await fromDashboard('/session', { session, method: 'DELETE', origin, headers })
    await expectProblem(out, 403, 'origin_not_allowed')
    const signed_in = await fromDashboard('/session', { body: { credential: api_key }, origin, headers })
    await expectProblem(signed_in, 403, 'origin_not_allowed')
    expect(signed_in.headers.has('Set-Cookie')).toBe(false)
    expect(await (await fromDashboard('/v1/credits/balance', { session })).text()).toBe(before)
  })

  it('by a read from a page of another site reads nothing', async () => {
    const { api_key } = await createCustomer()
    const session = await signIn(api_key)
    for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site' }]) {
      const read = await fromDashboard('/v1/credits/balance', { session, headers })
      await expectProblem(read, 403, 'origin_not_allowed')
    }
    const read = await fromDashboard('/v1/credits/balance', { session, origin: 'https://evil.example' })
    await expectProblem(read, 403, 'origin_not_allowed')
  })

  it('by fixation fails: a sign-in never adopts a sent token, and ends its session', async () => {
    const { api_key } = await createCustomer()
    const planted = 'A'.repeat(43)
    const session = await signIn(api_key, { session: planted })
    expect(session).not.toBe(planted)
    await expectProblem(
      await fromDashboard('/v1/credits/balance', { session: planted }),
      401,
      'invalid_api_key',
    )
    const next = await signIn(api_key, { session })
    await expectProblem(await fromDashboard('/v1/credits/balance', { session }), 401, 'invalid_api_key')
    expect((await fromDashboard('/v1/credits/balance', { session: next })).status).toBe(200)
  })

  it('with a key in a header adds nothing to the session', async () => {
    const [one, other] = [await createCustomer(), await createCustomer()]
    const session = await signIn(one.api_key)
    const headers = { 'X-API-Key': other.api_key, Authorization: `Bearer ${OPERATOR_TOKEN}` }
    const me = await jsonOf(await fromDashboard('/v1/customers/me', { session, headers }))
    expect(me).toMatchObject({ customer_id: one.customer_id })
    await expectProblem(
      await fromDashboard('/v1/admin/stats', { session, headers }),
      403,
      'insufficient_scope',
    )
    await expectProblem(await fromDashboard('/v1/customers/me', { headers }), 401, 'missing_api_key')
  })

  it.each(['', 'x', `om_live_${'0'.repeat(75)}`, 'dev-operator-tokem', 5, null, 'k'.repeat(1_001)])(
    'with the credential %j is refused',
    async (credential) => {
      const response = await fromDashboard('/session', { body: { credential } })
      expect([400, 401]).toContain(response.status)
      expect(response.headers.has('Set-Cookie')).toBe(false)
    },
  )

  it('on the database finds no token and no key', async () => {
    const { api_key } = await createCustomer()
    const tokens = [await signIn(api_key), await signIn(OPERATOR_TOKEN)]
    const { results } = await env.DB.prepare('SELECT * FROM dashboard_sessions').all()
    const stored = JSON.stringify(results)
    for (const secret of [...tokens, api_key, OPERATOR_TOKEN]) expect(stored).not.toContain(secret)
  })
})

it('the sign-in is not offered with public credentials outside of development', async () => {
  const app = createApp()
  const fetch = (request: Request) =>
    app.fetch(
      request,
      { ...env, ENVIRONMENT: 'production' },
      { waitUntil() {}, passThroughOnException() {}, props: {} },
    )
  expect(await jsonOf(await fromDashboard('/session', { fetch }))).toEqual({
    session: null,
    demo: null,
    access: null,
  })
})

async function sessionsOf(owner: string): Promise<number> {
  const row = await env.DB.prepare('SELECT count(*) AS n FROM dashboard_sessions WHERE owner = ?1')
    .bind(owner)
    .first<{ readonly n: number }>()
  return row?.n ?? 0
}
