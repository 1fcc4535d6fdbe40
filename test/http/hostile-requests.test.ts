import { describe, expect, it, vi } from 'vitest'
import { api } from '../support/api.ts'
import { expectRefused } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { deployed, sendDeployed } from '../support/deployment.ts'

/** Tests hostile requests. No response may be a 5xx or reveal internals of the service. */

describe('the headers for browsers', () => {
  const EXPECTED = {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
  }

  it.each(['/health', '/ready', '/nowhere', '/v1/customers/me', '/v1/admin/stats'])(
    'of %s forbid to store, sniff, frame, embed and run anything',
    async (path) => {
      const { headers } = await api(path)
      expect(Object.fromEntries(headers)).toMatchObject(
        Object.fromEntries(Object.entries(EXPECTED).map(([name, value]) => [name.toLowerCase(), value])),
      )
    },
  )

  it('require https, except in development', async () => {
    expect((await api('/health')).headers.has('Strict-Transport-Security')).toBe(false)
    for (const ENVIRONMENT of ['staging', 'production']) {
      const { headers } = await deployed({ ENVIRONMENT }, '/nowhere')
      expect(headers.get('Strict-Transport-Security')).toBe('max-age=31536000')
    }
  })

  it('name no software and no version', async () => {
    const { headers } = await api('/health')
    for (const name of ['Server', 'X-Powered-By', 'Via']) expect(headers.has(name)).toBe(false)
  })
})

describe('a key or token', () => {
  it.each([
    ['of 100,000 characters', `Bearer ${'a'.repeat(100_000)}`],
    ['twice', `Bearer ${OPERATOR_TOKEN}, Bearer ${OPERATOR_TOKEN}`],
    ['with something behind it', `Bearer ${OPERATOR_TOKEN} and more`],
    ['of another scheme', `Basic ${btoa(`operator:${OPERATOR_TOKEN}`)}`],
    ['without a scheme', OPERATOR_TOKEN],
    ['that is a whole header', `Bearer Bearer ${OPERATOR_TOKEN}`],
    ['in upper case', `Bearer ${OPERATOR_TOKEN.toUpperCase()}`],
  ])('%s is refused everywhere', async (_, Authorization) => {
    for (const path of ['/v1/admin/provider-costs', '/v1/credits/balance']) {
      const response = await api(path, { headers: { Authorization } })
      expect(response.status).toBe(401)
      expect(await response.text()).not.toContain(OPERATOR_TOKEN)
    }
  })

  it('that is public or easy to guess is not an operator token outside development', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const strong = 'k'.repeat(32)
    const open = async (ENVIRONMENT: string, token: string) =>
      (await deployed({ ENVIRONMENT, OPERATOR_TOKEN: token }, '/v1/admin/provider-costs', { key: token }))
        .status
    for (const ENVIRONMENT of ['staging', 'production']) {
      expect(await open(ENVIRONMENT, strong)).toBe(200)
      expect(await open(ENVIRONMENT, strong.slice(1))).toBe(401)
      expect(await open(ENVIRONMENT, OPERATOR_TOKEN)).toBe(401)
    }
    expect(await open('development', 'short')).toBe(200)
    expect(log.mock.calls.map(([line]) => JSON.parse(line).event)).toEqual(
      Array(4).fill('operator_token_refused'),
    )
    expect(log.mock.calls.flat().join()).not.toMatch(/kkkk|dev-operator/)
    log.mockRestore()
  })

  it('sent twice is refused, even the same key', async () => {
    const { api_key } = await createCustomer()
    const headers = new Headers([
      ['X-API-Key', api_key],
      ['X-API-Key', api_key],
    ])
    await expectRefused(await fetchRaw('/v1/customers/me', { headers }), 401, 'invalid_api_key')
    expect((await api('/v1/customers/me', { headers: { 'X-API-Key': api_key } })).status).toBe(200)
  })
})

describe('a method', () => {
  it.each(['PUT', 'DELETE', 'PATCH', 'QUERY', 'PROPFIND', 'MKCOL'])(
    'that a route does not have is a 405: %s',
    async (method) => {
      const { api_key } = await createCustomer()
      const balance = await api('/v1/credits/balance', { key: api_key, method })
      await expectRefused(balance, 405, 'method_not_allowed')
      await expectRefused(await api('/health', { method }), 405, 'method_not_allowed')
    },
  )

  it('of HEAD needs what its GET needs', async () => {
    const { api_key } = await createCustomer()
    expect((await api('/v1/credits/balance', { method: 'HEAD' })).status).toBe(401)
    const response = await api('/v1/credits/balance', { key: api_key, method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
  })
})

describe('a path', () => {
  it.each([
    '/v1/events/%E0%A4%A',
    '/v1/events/%00',
    '/v1/users/%ff%fe',
    '/v1/events/..%2f..%2fadmin',
    '/v1/holds/%27%3B%20DROP%20TABLE%20customers--',
    '/v1/entitlements/__proto__',
    '//v1//events',
    '/V1/CREDITS/BALANCE',
    '/v1/credits/balance/',
  ])('that is hostile is a 400 or a 404: %s', async (path) => {
    const { api_key } = await createCustomer()
    const response = await api(path, { key: api_key })
    expect([400, 404]).toContain(response.status)
    await expectRefused(response, response.status, response.status === 400 ? 'invalid_request' : 'not_found')
  })

  it('that is longer than any id is not looked up', async () => {
    const { api_key } = await createCustomer()
    const id = 'x'.repeat(8_000)
    await expectRefused(await api(`/v1/${id}`, { key: api_key }), 404, 'not_found')
    await expectRefused(await api(`/v1/events/${id}`, { key: api_key }), 400, 'invalid_request')
    await expectRefused(
      await api(`/v1/users/${'%F0%9F%92%A9'.repeat(300)}`, { key: api_key }),
      400,
      'invalid_request',
    )
    const cursor = '9'.repeat(5_000)
    await expectRefused(await api(`/v1/events?cursor=${cursor}`, { key: api_key }), 400, 'invalid_request')
  })
})

describe('a query', () => {
  it.each([
    'limit=1&limit=2',
    'limit=1e1',
    'limit=-1',
    'limit=',
    'cursor=%00',
    'cursor=..%2f',
    'from=%E0%A4%A',
    'user_id=%00',
    '__proto__=1',
    'constructor=1',
    'limit[]=1',
    "type=GRANT'%20OR%201=1--",
  ])('that breaks a rule is a 400: %s', async (query) => {
    const { api_key } = await createCustomer()
    const response = await api(`/v1/credits/transactions?${query}`, { key: api_key })
    await expectRefused(response, 400, 'invalid_request')
  })
})

describe('a header', () => {
  it('may be as long as the platform allows', async () => {
    const { api_key } = await createCustomer()
    const long = 'x'.repeat(60_000)
    const headers = {
      'X-Request-Id': long,
      'User-Agent': long,
      Accept: long,
      Cookie: long,
      'X-Forwarded-For': long,
    }
    const response = await api('/v1/credits/balance', { key: api_key, headers })
    expect(response.status).toBe(200)
    expect(response.headers.get('X-Request-Id')).toMatch(/^req_/)
  })

  it('that requests an encoding of the response or overrides the method is ignored', async () => {
    const { api_key } = await createCustomer()
    const headers = { 'X-HTTP-Method-Override': 'DELETE', 'Accept-Encoding': 'x', Accept: 'text/html' }
    const response = await api('/v1/credits/balance', { key: api_key, headers })
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Type')).toBe('application/json')
  })

  it('with an encoding that the body does not have makes the body unreadable', async () => {
    const { api_key } = await createCustomer()
    const response = await api('/v1/credits/grant', {
      key: api_key,
      body: { amount: 1 },
      headers: { 'Content-Encoding': 'gzip' },
    })
    await expectRefused(response, 400, 'invalid_json')
  })
})

const fetchRaw = (path: string, init: RequestInit) =>
  sendDeployed({}, new Request(`https://api.test${path}`, init))
