import { beforeAll, describe, expect, it } from 'vitest'
import { SCOPES } from '../../src/api-keys/authentication/scopes.ts'
import { type ApiOptions, api, jsonOf, textField } from '../support/api.ts'
import { type Belongings, customerWithEverything, secretsOf, storedOf } from '../support/belongings.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { operations } from '../support/documented.ts'
import { createKey } from '../support/keys.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { expectProblem } from '../support/problems.ts'
import { fill, fillPath } from '../support/requests.ts'

/**
 * Tests each route of the OpenAPI document: it admits only the right keys, and no key can read or change another
 * customer's data.
 */

const secured = operations.map((operation) => ({ ...operation, access: accessOf(operation.operation) }))
const customers = secured.filter(({ access }) => access === 'customer')
const operators = secured.filter(({ access }) => access === 'operator')
const scoped = customers.filter(({ operation }) => operation['x-required-scope'] !== undefined)
const writes = scoped.filter(
  ({ method, operation }) => method !== 'GET' && !String(operation['x-required-scope']).endsWith(':read'),
)

function accessOf({ security }: Readonly<Record<string, unknown>>): 'open' | 'customer' | 'operator' {
  const text = JSON.stringify(security)
  if (text.includes('"apiKey"')) return 'customer'
  return text === '[{"operator":[]}]' ? 'operator' : 'open'
}

/** Matches the routes that return an empty list for an unknown user, like the original OpenMonetize API. */
const EMPTY_LIST = /^\/openmonetize\/.*\/transactions$/

let owner: Belongings
beforeAll(async () => {
  owner = await customerWithEverything()
})

function send(method: string, path: string, options: Omit<ApiOptions, 'method'>): Promise<Response> {
  return api(path, { ...options, method })
}

/**
 * Returns a request body that is not valid JSON. The response to a caller without access must not show that the body is
 * invalid.
 */
function broken(method: string): Omit<ApiOptions, 'method'> {
  return method === 'GET' || method === 'DELETE' ? {} : { body: '{' }
}

it('there are routes of every kind to walk', () => {
  expect(customers.length).toBeGreaterThan(50)
  expect(operators.length).toBeGreaterThan(10)
  expect(writes.length).toBeGreaterThan(20)
})

describe("with a customer's key and the objects of another customer", () => {
  it.each(customers)('$method $path', async (operation) => {
    const { method, path } = operation
    const before = await storedOf(owner.customer_id)
    for (const { path: filled, body, carries } of fill(operation, owner)) {
      // Uses a new customer for each request, because the data of one request must not affect the next response.
      const stranger = await createCustomer()
      const sent = `${filled} ${JSON.stringify(body)}`
      const response = await send(method, filled, { key: stranger.api_key, ...(body && { body }) })
      const text = await response.text()
      const told = secretsOf(owner).filter((secret) => text.includes(secret) && !sent.includes(secret))
      expect(told, `${sent}: ${text}`).toEqual([])
      const must_refuse = (path.includes('{') && !EMPTY_LIST.test(path)) || carries === 'customer_id'
      if (must_refuse) expect([403, 404], `${sent}: ${response.status} ${text}`).toContain(response.status)
      expect(response.status, `${sent}: ${text}`).toBeLessThan(500)
      expect(await storedOf(owner.customer_id), sent).toBe(before)
    }
  })
})

describe("with a customer's test key and the objects of its live ledger", () => {
  /**
   * Matches the routes of burn tables and entitlements. The live ledger stores them, and they apply to the test ledger
   * too.
   */
  const SHARED = /^(\/openmonetize)?\/v1\/(burn-tables|entitlements|customers\/\{\w+\}\/entitlements)/
  let test_key = ''
  beforeAll(async () => {
    const body = { name: 'CI', mode: 'test' }
    test_key = textField(await jsonOf(await api('/v1/api-keys', { key: owner.api_key, body })), 'api_key')
    await runAlarm(ledgerOf(owner.customer_id, 'test'))
  })

  it.each(customers.filter(({ path }) => path.includes('{') && !SHARED.test(path) && !EMPTY_LIST.test(path)))(
    '$method $path finds nothing, and changes nothing',
    async (operation) => {
      const before = await storedOf(owner.customer_id)
      for (const { path, body } of fill(operation, owner).slice(0, 1)) {
        const response = await send(operation.method, path, { key: test_key, ...(body && { body }) })
        expect([403, 404], `${path}: ${await response.text()}`).toContain(response.status)
      }
      expect(await storedOf(owner.customer_id)).toBe(before)
    },
  )
})

describe('without a key', () => {
  it.each([...customers, ...operators])('$method $path is a 401', async ({ method, path }) => {
    const response = await send(method, fillPath(path, owner), broken(method))
    await expectProblem(response, 401, 'missing_api_key')
  })
})

describe('with an unknown key', () => {
  it.each([...customers, ...operators])('$method $path is a 401', async ({ method, path }) => {
    const key = `${owner.api_key.slice(0, -1)}${owner.api_key.endsWith('a') ? 'b' : 'a'}`
    const response = await send(method, fillPath(path, owner), { key, ...broken(method) })
    await expectProblem(response, 401, 'invalid_api_key')
  })
})

describe('with a deleted key', () => {
  let deleted = ''
  beforeAll(async () => {
    const { customer_id, api_key } = await createCustomer()
    const key = await createKey(customer_id)
    deleted = key.api_key
    // Sends a request with the key, so that all caches contain it.
    expect((await api('/v1/credits/balance', { key: deleted })).status).toBe(200)
    expect((await api(`/v1/api-keys/${key.key_id}`, { key: api_key, method: 'DELETE' })).status).toBe(200)
  })

  it.each([...customers, ...operators])('$method $path is a 401', async ({ method, path }) => {
    const response = await send(method, fillPath(path, owner), { key: deleted, ...broken(method) })
    await expectProblem(response, 401, 'revoked_api_key')
  })
})

describe('with every scope except the required one', () => {
  const keys = new Map<unknown, string>()
  beforeAll(async () => {
    const { customer_id } = await createCustomer()
    for (const missing of SCOPES) {
      const scopes = SCOPES.filter((scope) => scope !== missing)
      keys.set(missing, (await createKey(customer_id, { scopes })).api_key)
    }
  })

  it.each(scoped)(
    '$method $path is a 403 that names the scope, for any body',
    async ({ method, path, operation }) => {
      const scope = operation['x-required-scope']
      const key = keys.get(scope) ?? ''
      const response = await send(method, fillPath(path, owner), { key, ...broken(method) })
      const { detail } = await expectProblem(response, 403, 'insufficient_scope')
      expect(detail).toContain(scope)
    },
  )
})

describe('of a suspended customer', () => {
  let suspended: Belongings
  beforeAll(async () => {
    suspended = await customerWithEverything()
    const response = await api(`/v1/admin/customers/${suspended.customer_id}`, {
      key: OPERATOR_TOKEN,
      method: 'PATCH',
      body: { status: 'SUSPENDED' },
    })
    expect(response.status).toBe(200)
  })

  it.each(writes)('$method $path is a 403, and changes nothing', async (operation) => {
    const { method } = operation
    const before = await storedOf(suspended.customer_id)
    for (const { path, body } of fill(operation, suspended).slice(0, 1)) {
      const response = await send(method, path, { key: suspended.api_key, ...(body && { body }) })
      await expectProblem(response, 403, 'customer_suspended')
    }
    expect(await storedOf(suspended.customer_id)).toBe(before)
  })

  it.each(customers.filter(({ method }) => method === 'GET'))('$method $path succeeds', async (operation) => {
    const [request] = fill(operation, suspended)
    const response = await api(request?.path ?? '', { key: suspended.api_key })
    expect(response.status, await response.clone().text()).toBe(200)
  })
})

describe("the operator's routes", () => {
  it.each(operators)(
    "$method $path is a 403 for a customer's key, with all its scopes",
    async ({ method, path }) => {
      const response = await send(method, fillPath(path, owner), { key: owner.api_key, ...broken(method) })
      await expectProblem(response, 403, 'insufficient_scope')
    },
  )
})

describe("the customers' routes", () => {
  it.each(customers)("$method $path is a 401 for the operator's token", async ({ method, path }) => {
    const response = await send(method, fillPath(path, owner), { key: OPERATOR_TOKEN, ...broken(method) })
    await expectProblem(response, 401, 'invalid_api_key')
  })
})

it('every parameter of a path has a known value', () => {
  for (const { path } of operations) expect(fillPath(path, owner)).not.toContain('{')
})

it('a response that names the owner of an API key names only its own customer', async () => {
  const { api_key, customer_id } = await createCustomer()
  expect(textField(await jsonOf(await api('/v1/customers/me', { key: api_key })), 'customer_id')).toBe(
    customer_id,
  )
})
