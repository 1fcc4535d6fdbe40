import { env } from 'cloudflare:workers'
import { Webhook } from 'standardwebhooks'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { notifyOperator } from '../../src/webhooks/operator-notifications.ts'
import { rowsOf } from '../provider-keys/support.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { expectInvalid, expectRefused } from '../support/client.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { deployed } from '../support/deployment.ts'
import { createKey } from '../support/keys.ts'
import { expectProblem } from '../support/problems.ts'
import { createEndpoint, dnsAnswer, idOf, logOf, notifies, ownerWith, Simulation, status } from './support.ts'

const PATH = '/v1/webhook-endpoints'
const BODY = { url: 'https://receiver.example/hook', types: ['credits.low'] }

interface Got {
  readonly headers: Headers
  readonly body: string
}

let receive: (got: Got) => Response = () => new Response()

beforeEach(() => {
  listenToConsole()
  receive = () => new Response()
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const url = input instanceof Request ? input.url : String(input)
    const got = { headers: new Headers(init?.headers), body: String(init?.body) }
    return url.includes('dns-query') ? dnsAnswer(url) : receive(got)
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await env.DB.prepare('DELETE FROM webhook_deliveries').run()
})

describe('a webhook endpoint', () => {
  it('is created with its secret, which no later response contains', async () => {
    const { api_key } = await createCustomer()
    const response = await api(PATH, { key: api_key, body: { ...BODY, v1a: true } })
    expect(response.status).toBe(201)
    const { secret, ...endpoint } = await jsonOf(response)
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(endpoint).toEqual({
      id: expect.stringMatching(/^we_[0-9a-z]{26}$/),
      ...BODY,
      description: null,
      enabled: true,
      disabled_reason: null,
      failing_since: null,
      v1a: true,
      public_key: expect.stringMatching(/^whpk_/),
      previous_secret_expires_at: null,
      mode: 'live',
      created_at: expect.any(String),
      updated_at: expect.any(String),
    })
    expect(await jsonOf(await api(`${PATH}/${idOf(endpoint)}`, { key: api_key }))).toEqual(endpoint)
    expect(await jsonOf(await api(PATH, { key: api_key }))).toEqual({ data: [endpoint], next_cursor: null })
    const rows = JSON.stringify((await env.DB.prepare('SELECT * FROM webhook_endpoints').all()).results)
    expect(rows).not.toContain(String(secret).slice(6))
  })

  it('is created once for its idempotency key, and only its API key reads the secret again', async () => {
    const { api_key, customer_id } = await createCustomer()
    const headers = { 'Idempotency-Key': 'once' }
    const first = await jsonOf(await api(PATH, { key: api_key, body: BODY, headers }))
    expect(await jsonOf(await api(PATH, { key: api_key, body: BODY, headers }))).toEqual(first)
    const other = await createKey(customer_id)
    await expectRefused(await api(PATH, { key: other.api_key, body: BODY, headers }), 409, 'conflict')
    const answers = JSON.stringify(
      (await env.DB.prepare('SELECT body FROM stored_answers WHERE owner = ?').bind(customer_id).all())
        .results,
    )
    expect(answers).not.toContain(textField(first, 'secret').slice(6))
  })

  it('is changed, disabled and deleted, and every change is in the audit log without its path', async () => {
    const owner = await createCustomer()
    const key = owner.api_key
    const hidden = unique('hidden')
    const endpoint = await createEndpoint(owner, { ...BODY, url: `https://receiver.example/${hidden}` })
    const path = `${PATH}/${idOf(endpoint)}`
    const change = { types: ['*', 'limit.*'], description: 'All', enabled: false, v1a: true }
    const changed = await jsonOf(await api(path, { key, method: 'PATCH', body: change }))
    expect(changed).toMatchObject({ ...change, public_key: expect.stringMatching(/^whpk_/) })
    const cleared = await jsonOf(
      await api(path, { key, method: 'PATCH', body: { description: null, v1a: false, enabled: true } }),
    )
    expect(cleared).toMatchObject({ description: null, v1a: false, public_key: null, enabled: true })
    await api(path, { key, method: 'DELETE' })
    await expectProblem(await api(path, { key }), 404, 'not_found')
    await expectProblem(await api(path, { key, method: 'DELETE' }), 404, 'not_found')
    const audited = await rowsOf('audit_log', owner.customer_id)
    const actions = audited
      .map(({ action }) => action)
      .filter((action) => String(action).startsWith('webhook'))
    expect(actions.toSorted()).toEqual([
      'webhook_endpoints.change',
      'webhook_endpoints.change',
      'webhook_endpoints.create',
      'webhook_endpoints.delete',
    ])
    expect(JSON.stringify(audited)).not.toContain(hidden)
  })

  it.each([
    ['an unknown type', { types: ['credits.unknown'] }, '/types/0'],
    ['a group without types', { types: ['nothing.*'] }, '/types/0'],
    ['no types', { types: [] }, '/types'],
    ['http', { url: 'http://receiver.example' }, '/url'],
    ['an address in a private network', { url: 'https://10.0.0.1/hook' }, '/url'],
    ['an address in another spelling', { url: 'https://0x7f.1/hook' }, '/url'],
    ['an IPv4 address mapped into IPv6', { url: 'https://[::ffff:169.254.169.254]/' }, '/url'],
    ['a name that resolves inside', { url: 'https://private.example/hook' }, '/url'],
    ['a user name', { url: 'https://user@receiver.example/hook' }, '/url'],
    ['the deployment itself', { url: 'https://api.test/v1/events' }, '/url'],
    ['a local address that is spelled otherwise', { url: 'http://127.1:8080/' }, '/url'],
  ])('is refused with %s, at creation and by a change', async (_, wrong, path) => {
    const owner = await createCustomer()
    await expectInvalid(await api(PATH, { key: owner.api_key, body: { ...BODY, ...wrong } }), path)
    const endpoint = await createEndpoint(owner, BODY)
    const options = { key: owner.api_key, method: 'PATCH', body: wrong }
    await expectInvalid(await api(`${PATH}/${idOf(endpoint)}`, options), path)
  })

  it('may be on this machine only in development, in the documented spelling', async () => {
    const { api_key: key } = await createCustomer()
    const body = { ...BODY, url: 'http://localhost:9123/hook' }
    expect((await api(PATH, { key, body })).status).toBe(201)
    const bindings = { ENVIRONMENT: 'staging', ENCRYPTION_KEY: 'x'.repeat(32) }
    await expectInvalid(await deployed(bindings, PATH, { key, body }), '/url')
  })

  it('is one of at most 20, also when they are created together', async () => {
    const { api_key: key } = await createCustomer()
    const statuses = await Promise.all(
      Array.from({ length: 22 }, async () => (await api(PATH, { key, body: BODY })).status),
    )
    expect(statuses.toSorted()).toEqual([...Array<number>(20).fill(201), 409, 409])
  })

  it('belongs to one mode, and needs the scopes of webhooks', async () => {
    const owner = await createCustomer()
    const test = await createKey(owner.customer_id, { mode: 'test' })
    const endpoint = await createEndpoint(owner, BODY)
    await expectProblem(await api(`${PATH}/${idOf(endpoint)}`, { key: test.api_key }), 404, 'not_found')
    const reader = await createKey(owner.customer_id, { scopes: ['webhooks:read'] })
    expect((await api(PATH, { key: reader.api_key })).status).toBe(200)
    await expectProblem(await api(PATH, { key: reader.api_key, body: BODY }), 403, 'insufficient_scope')
  })

  it('cannot be created without an encryption key', async () => {
    const { api_key: key } = await createCustomer()
    const response = await deployed({ ENCRYPTION_KEY: '' }, PATH, { key, body: BODY })
    await expectProblem(response, 503, 'webhooks_not_configured')
  })
})

describe('a rotated secret', () => {
  it('signs beside the new one until its end, and not after it', async () => {
    const simulation = new Simulation()
    const { owner, endpoints } = await ownerWith(['receiver.example'])
    const [endpoint = {}] = endpoints
    simulation.receiver('receiver.example', status(200))
    const rotated = await jsonOf(
      await api(`${PATH}/${idOf(endpoint)}/rotate-secret`, {
        key: owner.api_key,
        body: { overlap_seconds: 60 },
      }),
    )
    const begun_ms = simulation.now_ms
    const verified: boolean[] = []
    for (const now_ms of [begun_ms, begun_ms + 120_000]) {
      simulation.now_ms = now_ms
      await notifies(simulation, owner.customer_id, ['credits.low'])
      await simulation.drain()
      const { headers = new Headers(), body = '' } = simulation.received.at(-1) ?? {}
      for (const { secret } of [endpoint, rotated]) {
        const signed = Object.fromEntries(headers)
        verified.push(isVerified(String(secret), body, signed, now_ms))
      }
    }
    expect(verified).toEqual([true, true, false, true])
  })
})

/**
 * Reports whether the library of a receiver accepts a message. Sets the clock to the time of the message, because the
 * library reads the clock.
 */
function isVerified(secret: string, body: string, headers: Record<string, string>, now_ms: number): boolean {
  vi.useFakeTimers({ now: now_ms, toFake: ['Date'] })
  try {
    new Webhook(secret).verify(body, headers)
    return true
  } catch {
    return false
  } finally {
    vi.useRealTimers()
  }
}

describe('a test message', () => {
  it('is sent at once, signed, also to a disabled endpoint, and is in the log', async () => {
    const owner = await createCustomer()
    const endpoint = await createEndpoint(owner, { ...BODY, enabled: false })
    let received: Got | undefined
    receive = (got) => {
      received = got
      return new Response('hello', { status: 202 })
    }
    const response = await api(`${PATH}/${idOf(endpoint)}/test`, { key: owner.api_key, method: 'POST' })
    const delivery = await jsonOf(response)
    expect(delivery).toMatchObject({
      endpoint_id: endpoint.id,
      type: 'webhook_endpoint.test',
      status: 'succeeded',
      attempts: [{ status_code: 202, error: null, answer: 'hello' }],
    })
    const headers = Object.fromEntries(received?.headers ?? [])
    expect(new Webhook(textField(endpoint, 'secret')).verify(received?.body ?? '', headers)).toMatchObject({
      type: 'webhook_endpoint.test',
      data: { webhook_endpoint_id: endpoint.id },
    })
    const path = `/v1/webhook-deliveries/${idOf(delivery)}`
    expect(await jsonOf(await api(path, { key: owner.api_key }))).toEqual(delivery)
  })

  it('that fails is not tried again, and does not count against the endpoint', async () => {
    const owner = await createCustomer()
    const endpoint = await createEndpoint(owner, BODY)
    receive = () => new Response(null, { status: 410 })
    const path = `${PATH}/${idOf(endpoint)}`
    const delivery = await jsonOf(await api(`${path}/test`, { key: owner.api_key, method: 'POST' }))
    expect(delivery).toMatchObject({ status: 'failed', next_attempt_at: null })
    expect(await jsonOf(await api(path, { key: owner.api_key }))).toMatchObject({
      enabled: true,
      failing_since: null,
    })
  })
})

describe('the log of deliveries', () => {
  async function tenDeliveries() {
    const simulation = new Simulation()
    const { owner, endpoints } = await ownerWith(['works.example', 'fails.example'])
    simulation.receiver('works.example', status(200))
    simulation.receiver('fails.example', status(500))
    await notifies(simulation, owner.customer_id, ['credits.low', 'limit.reached', 'credits.low'])
    await simulation.drain()
    const list = async (query: string) => {
      const body = await jsonOf(await api(`/v1/webhook-deliveries?${query}`, { key: owner.api_key }))
      if (!Array.isArray(body.data)) throw new Error('no list')
      return { data: body.data, next_cursor: body.next_cursor }
    }
    return { simulation, owner, endpoints: endpoints.map(idOf), list }
  }

  it('is filtered by endpoint, status and type, and paged', async () => {
    const { endpoints, list } = await tenDeliveries()
    const lengths = await Promise.all(
      [
        '',
        `endpoint_id=${endpoints[0]}`,
        'status=pending',
        'status=succeeded&type=credits.low',
        'status=dropped',
        'type=limit.reached',
      ].map(async (query) => (await list(query)).data.length),
    )
    expect(lengths).toEqual([6, 3, 3, 2, 0, 2])
    const first = await list('limit=4')
    const second = await list(`limit=4&cursor=${first.next_cursor}`)
    expect([first.data.length, second.data.length, second.next_cursor]).toEqual([4, 2, null])
  })

  it('retries one delivery now, and replays a range or its failed deliveries', async () => {
    const { simulation, owner, endpoints, list } = await tenDeliveries()
    const failed = (await list('status=pending&limit=1')).data[0]
    simulation.receiver('fails.example', status(204))
    const request = { key: owner.api_key, method: 'POST' }
    const retried = await deployed(simulation.env, `/v1/webhook-deliveries/${failed.id}/retry`, request)
    expect((await jsonOf(retried)).status).toBe('pending')
    // Sets the simulated clock to the real time, which the routes use.
    simulation.now_ms = Date.now()
    await simulation.drain()
    const after = await jsonOf(await api(`/v1/webhook-deliveries/${failed.id}`, { key: owner.api_key }))
    expect(after).toMatchObject({
      status: 'succeeded',
      attempts: [{ status_code: 500 }, { status_code: 204 }],
    })

    const range = { from: new Date(simulation.now_ms - 60_000).toISOString() }
    const replay = async (endpoint: string | undefined, body: object) =>
      (
        await jsonOf(
          await deployed(simulation.env, `${PATH}/${endpoint}/replay`, { key: owner.api_key, body }),
        )
      ).deliveries
    expect(await replay(endpoints[0], { ...range, only_failed: true })).toBe(0)
    expect(await replay(endpoints[0], range)).toBe(3)
    expect(await replay(endpoints[0], { ...range, to: range.from })).toBe(0)
    simulation.now_ms = Date.now()
    await simulation.drain()
    expect(simulation.receivedBy('works.example')).toHaveLength(6)
    expect(await logOf(owner.customer_id)).toHaveLength(6)
  })

  it('replays the notifications that a disabled endpoint missed', async () => {
    const simulation = new Simulation()
    const { owner, endpoints } = await ownerWith(['works.example'])
    const path = `${PATH}/${idOf(endpoints[0] ?? {})}`
    simulation.receiver('works.example', status(200))
    await api(path, { key: owner.api_key, method: 'PATCH', body: { enabled: false } })
    await notifies(simulation, owner.customer_id, ['credits.low', 'credits.low'])
    const body = { from: new Date(simulation.now_ms).toISOString(), only_failed: true }
    const request = { key: owner.api_key, body }
    await expectProblem(await deployed(simulation.env, `${path}/replay`, request), 409, 'conflict')
    await api(path, { key: owner.api_key, method: 'PATCH', body: { enabled: true } })
    await deployed(simulation.env, `${path}/replay`, request)
    simulation.now_ms = Date.now()
    await simulation.drain()
    expect(simulation.received).toHaveLength(2)
  })

  it('drops the waiting deliveries of a deleted endpoint', async () => {
    const { simulation, owner, endpoints, list } = await tenDeliveries()
    await api(`${PATH}/${endpoints[1]}`, { key: owner.api_key, method: 'DELETE' })
    expect((await list('status=dropped')).data).toHaveLength(3)
    const before = simulation.received.length
    await simulation.runUntil(simulation.now_ms + 86_400_000)
    expect(simulation.received).toHaveLength(before)
  })
})

describe('an endpoint of the operator', () => {
  it('gets a notification when a condition begins, and none until it has ended', async () => {
    const simulation = new Simulation()
    simulation.receiver('ops.example', status(200))
    const body = { url: 'https://ops.example/hook', types: ['ops.*'] }
    const created = await jsonOf(await api('/v1/admin/webhook-endpoints', { key: OPERATOR_TOKEN, body }))
    let place = ''
    const reach = (reached: string) => {
      place = reached
    }
    const run = () => notifyOperator({ env: simulation.env, now_ms: simulation.now_ms, after: place, reach })
    const letters = (state: string) =>
      env.DB.prepare(
        `INSERT INTO dead_letters (dead_letter_id, state, reason, attempts, sent_at_ms, failed_at_ms, truncated, body)
         VALUES ('dl_test', ?1, '', 1, 0, 0, 0, '{}') ON CONFLICT DO UPDATE SET state = excluded.state`,
      )
        .bind(state)
        .run()
    await run()
    const before = simulation.queued
    await letters('open')
    await run()
    await run()
    expect(simulation.queued - before).toBe(1)
    await letters('replayed')
    await run()
    await letters('open')
    await run()
    expect(simulation.queued - before).toBe(2)
    await simulation.drain()
    const messages = simulation.receivedBy('ops.example').map((one) => JSON.parse(one.body))
    expect(messages.at(-1)).toMatchObject({
      type: 'ops.dead_letters',
      customer_id: null,
      mode: null,
      data: { open: expect.any(Number) },
    })
    const deliveries = '/v1/admin/webhook-deliveries?type=ops.dead_letters'
    const { data } = await jsonOf(await api(deliveries, { key: OPERATOR_TOKEN }))
    expect(data).toHaveLength(2)
    const path = `/v1/admin/webhook-endpoints/${idOf(created)}`
    await api(path, { key: OPERATOR_TOKEN, method: 'DELETE' })
    await env.DB.prepare('DELETE FROM dead_letters').run()
  })

  it("accepts neither a customer's key nor types of ledgers", async () => {
    const { api_key } = await createCustomer()
    const path = '/v1/admin/webhook-endpoints'
    await expectProblem(await api(path, { key: api_key, body: BODY }), 403, 'insufficient_scope')
    await expectInvalid(await api(path, { key: OPERATOR_TOKEN, body: BODY }), '/types/0')
  })
})
