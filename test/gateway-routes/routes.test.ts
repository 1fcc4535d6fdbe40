import { env } from 'cloudflare:workers'
import { Context } from 'hono'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Bindings } from '../../src/bindings.ts'
import { forgetAllGatewayRoutes, planCall, ROUTES_KEPT_MS } from '../../src/gateway-routes/plan.ts'
import type { AppEnv } from '../../src/http/env.ts'
import { api, jsonOf } from '../support/api.ts'
import { answered, expectInvalid, expectRefused, type Json, read } from '../support/client.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer, type TestCustomer } from '../support/customers.ts'
import { brokenD1 } from '../support/d1.ts'
import { createKey } from '../support/keys.ts'
import { expectProblem } from '../support/problems.ts'

const PATH = '/v1/gateway-routes'
const DRAFT = { name: 'Backup', api: 'openai', model: 'gpt-4o*', targets: [{ provider_key: 'Backup' }] }

beforeEach(() => forgetAllGatewayRoutes())
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const post = (key: string, change: object = {}): Promise<Json> =>
  answered(key, PATH, { ...DRAFT, ...change }, 201)

async function audited({ customer_id }: TestCustomer): Promise<Json[]> {
  const { results } = await env.DB.prepare(
    "SELECT action, state_before, state_after FROM audit_log WHERE scope = ? AND action LIKE 'gateway_routes.%' ORDER BY audit_id",
  )
    .bind(customer_id)
    .all<Json>()
  return results
}

describe('gateway routes', () => {
  it('are created, read, changed and deleted, and each change is audited', async () => {
    const customer = await createCustomer()
    const { api_key } = customer
    const created = await post(api_key, { timeouts: { headers_seconds: 30 } })
    expect(created).toEqual({
      id: expect.stringMatching(/^gr_[0-9a-z]{26}$/),
      name: 'Backup',
      api: 'openai',
      model: 'gpt-4o*',
      targets: [{ provider_key: 'Backup', model: null }],
      on_ambiguous: 'next',
      timeouts: { headers_seconds: 30, first_chunk_seconds: null, idle_seconds: null },
      enabled: true,
      mode: 'live',
      created_at: expect.any(String),
      updated_at: expect.any(String),
    })
    const path = `${PATH}/${String(created.id)}`
    expect(await read(api_key, path)).toEqual(created)
    expect(await read(api_key, PATH)).toEqual({ data: [created], next_cursor: null })
    const changed = await answered(
      api_key,
      path,
      { enabled: false, targets: [{ model: 'gpt-4o-mini' }] },
      200,
      'PATCH',
    )
    expect(changed).toEqual({
      ...created,
      enabled: false,
      targets: [{ provider_key: null, model: 'gpt-4o-mini' }],
      updated_at: expect.any(String),
    })
    expect(await read(api_key, path)).toEqual(changed)
    expect(await jsonOf(await api(path, { key: api_key, method: 'DELETE' }))).toEqual(changed)
    for (const method of ['GET', 'DELETE']) {
      await expectRefused(await api(path, { key: api_key, method }), 404, 'not_found')
    }
    const records = await audited(customer)
    expect(records.map(({ action }) => action)).toEqual([
      'gateway_routes.create',
      'gateway_routes.change',
      'gateway_routes.delete',
    ])
    expect(records[1]?.state_before).toContain('"enabled":true')
    expect(records[1]?.state_after).toContain('"enabled":false')
  })

  it('are created once for an idempotency key', async () => {
    const { api_key } = await createCustomer()
    const send = () => api(PATH, { key: api_key, body: DRAFT, headers: { 'Idempotency-Key': 'once' } })
    const [first, second] = [await send(), await send()]
    expect(second.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await second.text()).toBe(await first.text())
  })

  it('are one for an API and model', async () => {
    const { api_key } = await createCustomer()
    await post(api_key)
    await expectRefused(await api(PATH, { key: api_key, body: DRAFT }), 409, 'conflict')
    await post(api_key, { api: 'google' })
    const other = await post(api_key, { model: 'o3' })
    const path = `${PATH}/${String(other.id)}`
    const taken = await api(path, { key: api_key, method: 'PATCH', body: { model: 'gpt-4o*' } })
    await expectRefused(taken, 409, 'conflict')
    expect(await read(api_key, path)).toEqual(other)
  })

  it('are at most 50, also when they arrive together', async () => {
    const { api_key } = await createCustomer()
    const statuses = await Promise.all(
      Array.from({ length: 52 }, async (_, number) => {
        const response = await api(PATH, { key: api_key, body: { ...DRAFT, model: `model-${number}` } })
        await response.text()
        return response.status
      }),
    )
    expect(statuses.toSorted()).toEqual([...Array<number>(50).fill(201), 409, 409])
  })

  it('keep one of two changes that are made at the same time, and refuse the other', async () => {
    const { api_key } = await createCustomer()
    const path = `${PATH}/${String((await post(api_key)).id)}`
    const change = async (name: string) => {
      const response = await api(path, { key: api_key, method: 'PATCH', body: { name } })
      await response.text()
      return response.status
    }
    const statuses = await Promise.all(['a', 'b', 'c'].map(change))
    expect(statuses.filter((code) => code === 200).length).toBeGreaterThanOrEqual(1)
    expect(statuses.every((code) => code === 200 || code === 409)).toBe(true)
  })

  it.each([
    [{ api: 'azure' }, '/api'],
    [{ model: 'gpt*4' }, '/model'],
    [{ model: '' }, '/model'],
    [{ targets: [] }, '/targets'],
    [{ targets: [{}, {}, {}, {}] }, '/targets'],
    [{ targets: [{ key: 'x' }] }, '/targets/0/key'],
    [{ targets: [{ model: '' }] }, '/targets/0/model'],
    [{ timeouts: { headers_seconds: 0 } }, '/timeouts/headers_seconds'],
    [{ timeouts: { idle_seconds: 601 } }, '/timeouts/idle_seconds'],
    [{ timeouts: { total_seconds: 1 } }, '/timeouts/total_seconds'],
    [{ on_ambiguous: 'maybe' }, '/on_ambiguous'],
    [{ enabled: 'yes' }, '/enabled'],
    [{ retries: 1 }, '/retries'],
  ])('refuse %j by naming the field', async (change, path) => {
    const { api_key } = await createCustomer()
    expect(
      await expectInvalid(await api(PATH, { key: api_key, body: { ...DRAFT, ...change } }), path),
    ).toBeDefined()
  })

  it('refuse a change of nothing, and of the API', async () => {
    const { api_key } = await createCustomer()
    const path = `${PATH}/${String((await post(api_key)).id)}`
    for (const body of [{}, { api: 'google' }]) {
      await expectProblem(await api(path, { key: api_key, method: 'PATCH', body }), 400, 'invalid_request')
    }
  })

  it('are of one customer and mode', async () => {
    const { api_key, customer_id } = await createCustomer()
    const id = String((await post(api_key)).id)
    const test_key = (await createKey(customer_id, { mode: 'test' })).api_key
    for (const key of [(await createCustomer()).api_key, test_key]) {
      expect(await read(key, PATH)).toMatchObject({ data: [] })
      await expectRefused(await api(`${PATH}/${id}`, { key }), 404, 'not_found')
      const change = await api(`${PATH}/${id}`, { key, method: 'PATCH', body: { name: 'x' } })
      await expectRefused(change, 404, 'not_found')
      await expectRefused(await api(`${PATH}/${id}`, { key, method: 'DELETE' }), 404, 'not_found')
    }
    await post(test_key)
  })
})

describe('the plan of a call', () => {
  interface Sent {
    readonly model: string
    readonly header?: string
    readonly bindings?: Partial<Bindings>
  }

  function planOf({ customer_id }: TestCustomer, { model, header, bindings = {} }: Sent) {
    const headers = header === undefined ? {} : { 'X-Meter-Fallback': header }
    const request = new Request('https://api.test', { headers })
    const c = new Context<AppEnv>(request, { env: { ...env, ...bindings } })
    c.set('key', {
      key_id: 'key_test',
      customer_id,
      mode: 'live',
      scopes: ['gateway:use'],
      tier: 'ENTERPRISE',
      customer_status: 'ACTIVE',
      price_epochs: { operator: 0, customer: 0 },
      ends_at_ms: null,
    })
    return planCall(c, { api: 'openai', model })
  }
  const down = { DB: brokenD1() }
  const once = { ok: true, fallback: { targets: [] } }
  const backup = { ok: true, fallback: { targets: [{ provider_key: 'Backup', model: null }] } }

  it('is one attempt without a header and a route', async () => {
    expect(await planOf(await createCustomer(), { model: 'gpt-4o' })).toMatchObject(once)
  })

  it('is that of the most specific enabled route, from memory for 30 seconds', async () => {
    const customer = await createCustomer()
    await post(customer.api_key, { timeouts: { idle_seconds: 9 } })
    await post(customer.api_key, { model: 'gpt-4o-mini', on_ambiguous: 'stop' })
    vi.useFakeTimers({ toFake: ['Date'] })
    expect(await planOf(customer, { model: 'gpt-4o-mini' })).toMatchObject({
      fallback: { on_ambiguous: 'stop' },
    })
    expect(await planOf(customer, { model: 'gpt-4o-2024-08-06', bindings: down })).toMatchObject({
      ...backup,
      timeouts: { headers_seconds: null, first_chunk_seconds: null, idle_seconds: 9 },
    })
    expect(await planOf(customer, { model: 'o3', bindings: down })).toMatchObject(once)
    vi.advanceTimersByTime(ROUTES_KEPT_MS)
    const said = listenToConsole()
    expect(await planOf(customer, { model: 'gpt-4o-mini', bindings: down })).toMatchObject(once)
    expect(said.lines.join()).toContain('gateway_routes_not_read')
    expect(await planOf(customer, { model: 'gpt-4o-mini' })).toMatchObject(backup)
  })

  it('is not that of a route that was switched off or deleted', async () => {
    const customer = await createCustomer()
    const path = `${PATH}/${String((await post(customer.api_key)).id)}`
    const plan = () => planOf(customer, { model: 'gpt-4o' })
    expect(await plan()).toMatchObject(backup)
    await answered(customer.api_key, path, { enabled: false }, 200, 'PATCH')
    expect(await plan()).toMatchObject(once)
    await answered(customer.api_key, path, { enabled: true }, 200, 'PATCH')
    expect(await plan()).toMatchObject(backup)
    await api(path, { key: customer.api_key, method: 'DELETE' })
    expect(await plan()).toMatchObject(once)
  })

  it('is that of the header, with the timeouts of the route', async () => {
    const customer = await createCustomer()
    await post(customer.api_key, { timeouts: { headers_seconds: 5 } })
    expect(await planOf(customer, { model: 'gpt-4o', header: 'retry' })).toMatchObject({
      fallback: { targets: [{ provider_key: null, model: null }], on_ambiguous: 'next' },
      timeouts: { headers_seconds: 5 },
    })
    expect(await planOf(customer, { model: 'gpt-4o', header: 'off' })).toMatchObject({
      ...once,
      timeouts: { headers_seconds: 5 },
    })
    expect(await planOf(customer, { model: 'gpt-4o', header: 'a,b,c,d' })).toMatchObject({
      ok: false,
      problem: { code: 'invalid_request' },
    })
  })
})
