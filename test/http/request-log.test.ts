import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { GPT_4O } from '../support/client.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { brokenD1, d1Double } from '../support/d1.ts'
import { deployed } from '../support/deployment.ts'

const output = listenToConsole()
beforeEach(() => output.clear())

const requests = () => output.records().filter(({ event }) => event === 'request')

const EVERYTHING = { LOG_SAMPLE_RATE: '1' }
const NOTHING = { LOG_SAMPLE_RATE: '0' }

describe('the line of a request', () => {
  it('has the caller, the outcome, the waiting time and the route instead of the path', async () => {
    const { api_key, customer_id } = await createCustomer()
    await deployed(EVERYTHING, '/v1/events/ingest', {
      key: api_key,
      body: { ...GPT_4O, idempotency_key: 'k' },
    })
    output.clear()
    const headers = { 'X-Request-Id': 'trace-1' }
    const body = { ...GPT_4O, idempotency_key: 'k' }
    await deployed(EVERYTHING, '/v1/events/ingest', { key: api_key, body, headers })
    expect(requests()).toEqual([
      {
        level: 'info',
        event: 'request',
        request_id: 'trace-1',
        method: 'POST',
        route: '/v1/events/ingest',
        status: 200,
        customer_id,
        mode: 'live',
        key_id: expect.stringMatching(/^key_/),
        outcome: 'replayed',
        duration_ms: expect.any(Number),
        object_ms: expect.any(Number),
        sample_rate: 1,
      },
    ])
  })

  it('has the problem code of a refusal, and the pattern of a route with ids', async () => {
    const { api_key } = await createCustomer()
    await deployed(EVERYTHING, '/v1/events/evt_0123', { key: api_key })
    await deployed(EVERYTHING, '/v1/users/ann%40example.com', { key: api_key })
    await deployed(EVERYTHING, '/v1/nowhere/at-all', { key: api_key })
    await deployed(EVERYTHING, '/nowhere')
    await deployed(EVERYTHING, '/v1/credits/balance')
    expect(
      requests().map(({ route, status, code, outcome, mode }) => [route, status, code, outcome, mode]),
    ).toEqual([
      ['/v1/events/:id', 404, 'not_found', 'not_found', 'live'],
      ['/v1/users/:user_id', 404, 'not_found', 'not_found', 'live'],
      ['unmatched', 404, 'not_found', 'not_found', 'live'],
      ['unmatched', 404, 'not_found', 'not_found', undefined],
      ['/v1/credits/balance', 401, 'missing_api_key', 'missing_api_key', undefined],
    ])
  })

  it('separates the wait for the ledger object from the rest', async () => {
    const { api_key } = await createCustomer()
    output.clear()
    const slow = slowLedger(60)
    await deployed({ ...EVERYTHING, LEDGER: slow }, '/v1/credits/balance', { key: api_key })
    const [{ duration_ms, object_ms } = {}] = requests()
    expect(object_ms).toBeGreaterThanOrEqual(50)
    expect(duration_ms).toBeGreaterThanOrEqual(Number(object_ms))
    output.clear()
    await deployed(EVERYTHING, '/v1/customers/me', { key: api_key })
    expect(requests()).toMatchObject([{ object_ms: 0 }])
  })
})

describe('the requests that are logged', () => {
  it('are absent where nothing is sampled, except for failed and slow requests', async () => {
    const { api_key } = await createCustomer()
    output.clear()
    await deployed(NOTHING, '/v1/customers/me', { key: api_key })
    await deployed(NOTHING, '/v1/nowhere', { key: api_key })
    expect(requests()).toEqual([])

    await deployed({ ...NOTHING, DB: brokenD1() }, '/ready')
    expect(requests()).toMatchObject([
      { level: 'error', route: '/ready', status: 503, code: 'unavailable', sample_rate: 1 },
    ])
    output.clear()
    const slow = { ...NOTHING, SLOW_REQUEST_MS: '40', LEDGER: slowLedger(60) }
    await deployed(slow, '/v1/credits/balance', { key: api_key })
    expect(requests()).toMatchObject([{ level: 'warn', route: '/v1/credits/balance', status: 200 }])
  })

  it('are the share that the variable sets', async () => {
    const times = 400
    for (let i = 0; i < times; i++) await deployed({ LOG_SAMPLE_RATE: '0.25' }, '/health')
    const logged = requests()
    // The bound is six standard deviations. By chance alone, the test would fail only once in 500 million runs.
    expect(Math.abs(logged.length - times / 4)).toBeLessThan(6 * Math.sqrt(times * 0.25 * 0.75))
    expect(new Set(logged.map(({ sample_rate }) => sample_rate))).toEqual(new Set([0.25]))
  })
})

describe('secrets', () => {
  it('are in no line, for any request and any failure', async () => {
    const { api_key, email } = await createCustomer()
    const other = await createCustomer()
    const secrets = {
      key: api_key,
      other_key: other.api_key,
      operator: OPERATOR_TOKEN,
      bearer: 'hunter2-hunter2-hunter2',
      email,
      user_email: 'ann.o-neill+tag@mail.example.com',
      body: 'correct horse battery staple',
      query: 'find-me-in-the-query',
    }
    // An error whose message quotes the input, as SQLite does for text that it cannot parse.
    const quoting = new Error(
      `near "${secrets.key}": Authorization: Bearer ${secrets.bearer}, X-API-Key: ${secrets.other_key}, <${secrets.email}> https://d1.example/query?q=${secrets.query}`,
      { cause: new Error(`${secrets.user_email} ${secrets.key.slice(0, 30)}`) },
    )
    const fail = () => {
      throw quoting
    }
    const d1 = d1Double({ prepare: fail, batch: fail })
    const kv = Object.create(env.API_KEYS, { get: { value: fail }, put: { value: fail } })
    const ledger = Object.create(env.LEDGER, { get: { value: fail }, getByName: { value: fail } })
    const event = { ...GPT_4O, user_id: secrets.user_email, metadata: { note: secrets.body } }
    const headers = {
      'X-API-Key': secrets.other_key,
      'Idempotency-Key': secrets.email,
      'X-Request-Id': secrets.key.slice(0, 60),
      'User-Agent': secrets.bearer,
    }
    const attempts: [Parameters<typeof deployed>[1], Parameters<typeof deployed>[2]][] = [
      ['/v1/events/ingest', { key: secrets.key, body: event }],
      ['/v1/events/ingest', { key: secrets.key, body: `{"note": "${secrets.body}` }],
      ['/v1/events/ingest', { key: secrets.key, body: { [secrets.body]: secrets.user_email } }],
      [`/v1/events?user_id=${secrets.user_email}&q=${secrets.query}`, { key: secrets.key }],
      [`/v1/users/${encodeURIComponent(secrets.user_email)}`, { key: secrets.key }],
      [`/v1/users/${encodeURIComponent(secrets.user_email)}`, { key: secrets.key, method: 'DELETE' }],
      [`/${secrets.key}/${secrets.query}`, {}],
      [`/v1/${secrets.key}?key=${secrets.other_key}`, { key: secrets.bearer, headers }],
      ['/v1/customers/me', { headers: { ...headers, 'X-API-Key': secrets.key } }],
      [
        '/v1/customers/register',
        { key: secrets.operator, body: { name: secrets.body, email: secrets.email } },
      ],
      ['/v1/customers/register', { key: secrets.bearer, body: { name: 'a', email: secrets.user_email } }],
      [
        '/v1/admin/provider-costs',
        { key: secrets.operator, headers: { 'X-Request-Id': secrets.operator.slice(0, 3) } },
      ],
      ['/v1/admin/provider-costs', { key: secrets.bearer, body: { note: secrets.body } }],
      [
        '/v1/credits/grant',
        {
          key: secrets.key,
          body: { amount: 1, reason: secrets.body },
          headers: { 'Idempotency-Key': secrets.body },
        },
      ],
      ['/ready', {}],
    ]
    const platforms = [{}, { DB: d1 }, { API_KEYS: kv }, { DB: d1, API_KEYS: kv }, { LEDGER: ledger }]
    output.clear()
    for (const platform of platforms) {
      for (const [path, options] of attempts) await deployed({ ...EVERYTHING, ...platform }, path, options)
    }
    const lines = output.lines
    expect(requests()).toHaveLength(platforms.length * attempts.length)
    expect(lines.length).toBeGreaterThan(platforms.length * attempts.length)
    expect(lines.join('\n')).toContain('[redacted]')
    for (const line of lines) {
      for (const [name, secret] of Object.entries(secrets)) expect(line, name).not.toContain(secret)
      expect(line).not.toContain(encodeURIComponent(secrets.user_email))
      expect(line).not.toMatch(/om_(live|test)_[0-9a-z]/i)
    }
  })
})

describe('a deployment whose variables cannot be read', () => {
  it.each([
    ['LOG_SAMPLE_RATE', '1.5'],
    ['LOG_SAMPLE_RATE', 'all'],
    ['SLOW_REQUEST_MS', '-1'],
    ['CORS_ORIGINS', 'https://app.example.com/'],
    ['CORS_ORIGINS', 'null'],
    ['CORS_ORIGINS', 'app.example.com'],
  ])('fails at its first request: %s=%s', async (variable, value) => {
    const response = await deployed({ [variable]: value }, '/health')
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain(variable)
    expect(output.records()).toContainEqual(
      expect.objectContaining({ event: 'unexpected_error', message: expect.stringContaining(variable) }),
    )
  })
})

/** Returns a namespace of ledger objects in which each call is delayed by `wait_ms`. */
function slowLedger(wait_ms: number): typeof env.LEDGER {
  return Object.create(env.LEDGER, {
    idFromName: { value: (name: string) => env.LEDGER.idFromName(name) },
    get: {
      value: (id: DurableObjectId) =>
        new Proxy(env.LEDGER.get(id), {
          get:
            (stub, method) =>
            async (...call: unknown[]) => {
              await scheduler.wait(wait_ms)
              return Reflect.get(stub, method)(...call)
            },
        }),
    },
  })
}
