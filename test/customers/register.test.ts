import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { forgetCachedKeys } from '../../src/api-keys/authentication/lookup.ts'
import type { Bindings } from '../../src/bindings.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { createCustomer, OPERATOR_TOKEN, uniqueEmail } from '../support/customers.ts'
import { brokenKv, d1Double, d1FailingAt } from '../support/d1.ts'
import { deployed } from '../support/deployment.ts'
import { inStore, ledgerOf } from '../support/ledgers.ts'
import { expectProblem } from '../support/problems.ts'

const register = (body: unknown, key?: string) =>
  api('/v1/customers/register', key === undefined ? { body } : { body, key })

/** Sends a registration to a Worker whose variables or bindings are replaced by `bindings`. */
const registerIn = (bindings: Partial<Bindings>, body: unknown, key?: string) =>
  deployed(bindings, '/v1/customers/register', key === undefined ? { body } : { body, key })

/** Returns a D1 database that runs a query, but then throws as if the response were lost. */
function losingFirst(): D1Database {
  const prepare = (sql: string) => ({
    bind: (...values: unknown[]) => ({
      first: async () => {
        await env.DB.prepare(sql)
          .bind(...values)
          .first()
        throw new Error('D1_ERROR: Network connection lost.')
      },
    }),
  })
  return d1Double({ prepare })
}

const balanceOf = async (key: string) => (await jsonOf(await api('/v1/credits/balance', { key }))).balance

describe('registering', () => {
  it('returns the customer and the only copy of its key, and gives the sign-up credits', async () => {
    const email = uniqueEmail()
    const response = await register({ name: 'Käse AI 🧀', email })
    expect(response.status).toBe(201)
    const body = await jsonOf(response)
    expect(body).toEqual({
      customer_id: expect.stringMatching(/^cust_[0-9a-z]{26}$/),
      api_key: expect.stringMatching(/^om_live_[0-9A-Za-z]{75}$/),
      name: 'Käse AI 🧀',
      email,
      tier: 'STARTER',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
    const key = textField(body, 'api_key')
    const { api_key: _, ...customer } = body
    expect(await jsonOf(await api('/v1/customers/me', { key }))).toEqual({ ...customer, status: 'ACTIVE' })
    expect(await balanceOf(key)).toBe(10_000)
  })

  it("takes any tier with the operator's token, and only STARTER without: 403", async () => {
    for (const tier of ['STARTER', 'GROWTH', 'ENTERPRISE']) {
      const response = await register(
        { name: 'x', email: uniqueEmail(), tier, region: 'weur' },
        OPERATOR_TOKEN,
      )
      expect(response.status).toBe(201)
      expect(await jsonOf(response)).toMatchObject({ tier })
    }
    const email = uniqueEmail()
    await expectProblem(await register({ name: 'x', email, tier: 'GROWTH' }), 403, 'insufficient_scope')
    expect((await register({ name: 'x', email })).status).toBe(201)
  })

  it('is refused with a Bearer token other than the operator’s, before the body is read: 401', async () => {
    const { api_key } = await createCustomer()
    for (const key of ['wrong', `${OPERATOR_TOKEN}x`, api_key]) {
      await expectProblem(await register('{"broken', key), 401, 'invalid_api_key')
    }
  })

  it('takes a second operator token while the first is replaced', async () => {
    const tokens = { OPERATOR_TOKEN: 'the-old-one', OPERATOR_TOKEN_NEXT: 'the-new-one' }
    for (const token of ['the-old-one', 'the-new-one']) {
      const response = await registerIn(tokens, { name: 'x', email: uniqueEmail(), tier: 'GROWTH' }, token)
      expect(response.status).toBe(201)
    }
    const response = await registerIn(tokens, { name: 'x', email: uniqueEmail() }, OPERATOR_TOKEN)
    await expectProblem(response, 401, 'invalid_api_key')
  })

  it('refuses the development token and an empty one outside development', async () => {
    for (const ENVIRONMENT of ['staging', 'production']) {
      const response = await registerIn({ ENVIRONMENT }, { name: 'x', email: uniqueEmail() }, OPERATOR_TOKEN)
      await expectProblem(response, 401, 'invalid_api_key')
    }
    const response = await registerIn({ OPERATOR_TOKEN: '', OPEN_REGISTRATION: 'false' }, {}, ' ')
    await expectProblem(response, 401, 'missing_api_key')
  })

  it('is refused without the operator token where open registration is off: 401', async () => {
    const closed = { OPEN_REGISTRATION: 'false' }
    const body = { name: 'x', email: uniqueEmail() }
    await expectProblem(await registerIn(closed, body), 401, 'missing_api_key')
    expect((await registerIn(closed, body, OPERATOR_TOKEN)).status).toBe(201)
  })

  it.each([
    ['no name', { email: 'a@example.com' }, '/name', 'required'],
    ['an empty name', { name: '', email: 'a@example.com' }, '/name', 'must have 1 to 255 characters'],
    [
      'a name of 300 characters',
      { name: 'x'.repeat(300), email: 'a@example.com' },
      '/name',
      'must have 1 to 255 characters',
    ],
    [
      'a NUL in the name',
      { name: 'a\u0000b', email: 'a@example.com' },
      '/name',
      'must not have control characters or lone surrogates',
    ],
    ['no email', { name: 'x' }, '/email', 'required'],
    ['an invalid email', { name: 'x', email: 'nobody' }, '/email', 'must be an email address'],
    [
      'an email of 300 characters',
      { name: 'x', email: `${'a'.repeat(300)}@example.com` },
      '/email',
      'must have at most 254 characters',
    ],
    [
      'an unknown tier',
      { name: 'x', email: 'a@example.com', tier: 'GOLD' },
      '/tier',
      expect.stringContaining('STARTER'),
    ],
    [
      'an unknown region',
      { name: 'x', email: 'a@example.com', region: 'moon' },
      '/region',
      expect.stringContaining('weur'),
    ],
    [
      'a jurisdiction',
      { name: 'x', email: 'a@example.com', jurisdiction: 'eu' },
      '/jurisdiction',
      expect.stringContaining('jurisdiction'),
    ],
    ['an unknown field', { name: 'x', email: 'a@example.com', plan: 'x' }, '/plan', 'unknown field'],
  ])('is refused with %s', async (_, body, path, message) => {
    const { errors } = await expectProblem(await register(body), 400, 'invalid_request')
    expect(errors).toEqual([{ path, message }])
  })

  it('is refused for an email that is taken, in any case: 409', async () => {
    const { email } = await createCustomer()
    await expectProblem(await register({ name: 'x', email }), 409, 'conflict')
    await expectProblem(await register({ name: 'x', email: email.toUpperCase() }), 409, 'conflict')
  })

  it('gives exactly one of ten simultaneous requests with one email a customer, with one grant and one key', async () => {
    const email = uniqueEmail()
    const responses = await Promise.all(Array.from({ length: 10 }, () => register({ name: 'x', email })))
    expect(responses.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)])
    const created = responses.find(({ status }) => status === 201)
    if (!created) throw new Error('no customer was registered')
    const body = await jsonOf(created)
    expect(await balanceOf(textField(body, 'api_key'))).toBe(10_000)
    const keys = await env.DB.prepare('SELECT count(*) AS n FROM api_keys WHERE customer_id = ?')
    expect(await keys.bind(textField(body, 'customer_id')).first('n')).toBe(1)
  })
})

describe('an interrupted registration', () => {
  const PENDING = `
    INSERT INTO customers (customer_id, name, email, email_key, tier, status, created_at_ms)
    VALUES (?1, 'Before', ?2, ?2, 'STARTER', 'PENDING', 1000)`

  it('continues with the same customer id and the data of the repeat, and is a 409 from then on', async () => {
    const email = uniqueEmail()
    const customer_id = 'cust_01m82kr9vnj1qk2s67ndqm186w'
    await env.DB.prepare(PENDING).bind(customer_id, email).run()
    const response = await register({ name: 'After', email, tier: 'GROWTH' }, OPERATOR_TOKEN)
    expect(response.status).toBe(201)
    const body = await jsonOf(response)
    expect(body).toMatchObject({
      customer_id,
      name: 'After',
      tier: 'GROWTH',
      created_at: '1970-01-01T00:00:01.000Z',
    })
    const key = textField(body, 'api_key')
    expect(await jsonOf(await api('/v1/customers/me', { key }))).toMatchObject({
      name: 'After',
      tier: 'GROWTH',
      status: 'ACTIVE',
    })
    await expectProblem(await register({ name: 'Again', email }), 409, 'conflict')
  })

  it('gives the sign-up credits once when it was interrupted after the ledger was opened', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const email = uniqueEmail()
    const breaksAtTheKey = d1FailingAt(1, 'before its effect')
    await expectProblem(await registerIn({ DB: breaksAtTheKey }, { name: 'x', email }), 503, 'unavailable')
    log.mockRestore()
    const response = await register({ name: 'x', email })
    expect(response.status).toBe(201)
    expect(await balanceOf(textField(await jsonOf(response), 'api_key'))).toBe(10_000)
  })

  it('continues when it was interrupted right after its row was written, and takes the tier of the repeat to the ledger', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const email = uniqueEmail()
    const first = registerIn({ DB: losingFirst() }, { name: 'x', email, tier: 'STARTER' })
    await expectProblem(await first, 503, 'unavailable')
    const broken = { DB: d1FailingAt(1, 'before its effect') }
    await expectProblem(await registerIn(broken, { name: 'x', email }), 503, 'unavailable')
    log.mockRestore()
    const response = await register({ name: 'x', email, tier: 'GROWTH' }, OPERATOR_TOKEN)
    expect(response.status).toBe(201)
    const customer_id = textField(await jsonOf(response), 'customer_id')
    const account = await inStore(ledgerOf(customer_id), (store) => store.account.current)
    expect(account).toMatchObject({ tier: 'GROWTH', status: 'ACTIVE' })
  })

  it('has the same tier as its ledger, whichever of two concurrent requests gets the customer', async () => {
    for (let round = 0; round < 5; round++) {
      const email = uniqueEmail()
      const responses = await Promise.all(
        ['STARTER', 'GROWTH'].map((tier) => register({ name: 'x', email, tier }, OPERATOR_TOKEN)),
      )
      expect(responses.map(({ status }) => status).sort()).toEqual([201, 409])
      const made = responses.find(({ status }) => status === 201)
      if (!made) throw new Error('no customer was registered')
      const { customer_id, tier, api_key } = await jsonOf(made)
      const account = await inStore(ledgerOf(String(customer_id)), (store) => store.account.current)
      expect(account.tier).toBe(tier)
      expect(await jsonOf(await api('/v1/customers/me', { key: String(api_key) }))).toMatchObject({ tier })
    }
  })

  it('returns the key when the activation succeeded and only its response was lost', async () => {
    const losesAnAnswer = d1FailingAt(1, 'after its effect')
    const response = await registerIn({ DB: losesAnAnswer }, { name: 'x', email: uniqueEmail() })
    expect(response.status).toBe(201)
    expect(await balanceOf(textField(await jsonOf(response), 'api_key'))).toBe(10_000)
  })

  it('is a 503 when the ledger could not be opened, and can be repeated', async () => {
    const overloaded: Bindings['LEDGER'] = Object.create(env.LEDGER, {
      idFromName: { value: (of: string) => env.LEDGER.idFromName(of) },
      get: {
        value: () => ({
          handle: () => Promise.reject(Object.assign(new Error('overloaded'), { overloaded: true })),
        }),
      },
    })
    const email = uniqueEmail()
    const response = await registerIn({ LEDGER: overloaded }, { name: 'x', email })
    expect(response.headers.get('Retry-After')).toBe('1')
    await expectProblem(response, 503, 'overloaded')
    expect((await register({ name: 'x', email })).status).toBe(201)
  })

  it('is complete when only KV failed: the key is found in D1', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const response = await registerIn({ API_KEYS: brokenKv() }, { name: 'x', email: uniqueEmail() })
    expect(response.status).toBe(201)
    expect(log).toHaveBeenCalledOnce()
    const body = await jsonOf(response)
    expect(String(log.mock.lastCall)).not.toContain(textField(body, 'api_key'))
    log.mockRestore()
    forgetCachedKeys()
    expect((await api('/v1/customers/me', { key: textField(body, 'api_key') })).status).toBe(200)
  })
})
