import { beforeAll, describe, expect, it } from 'vitest'
import { api, textField } from '../support/api.ts'
import { type Belongings, customerWithEverything } from '../support/belongings.ts'
import { expectRefused, objects } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { operations } from '../support/documented.ts'
import { fill, names } from '../support/requests.ts'

/** Tests ids in paths and queries, for every route of the OpenAPI document. */

/** Control characters: NUL, line feed, DEL and NEL. */
const CONTROL_CHARACTERS = ['\u0000', '\n', '\u007f', '\u0085']

const secured = operations.filter(({ path }) => path.startsWith('/v1/'))
const in_paths = secured.flatMap((route) =>
  names(route.operation, 'path').map((name) => ({ ...route, name })),
)
const in_queries = secured.flatMap((route) =>
  names(route.operation, 'query').map((name) => ({ ...route, name })),
)

let owner: Belongings
beforeAll(async () => {
  owner = await customerWithEverything()
})

function keyOf(operation: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(operation.security).includes('"operator"') ? OPERATOR_TOKEN : owner.api_key
}

async function expectNamed(response: Response, name: string, id: string): Promise<void> {
  const problem = await expectRefused(response, 400, 'invalid_request')
  expect(objects(problem.errors).map(({ path }) => path)).toContain(`/${name}`)
  expect(JSON.stringify(problem)).not.toContain(JSON.stringify(id).slice(1, -1))
}

it('there are parameters of both kinds', () => {
  expect(in_paths.length).toBeGreaterThan(25)
  expect(in_queries.length).toBeGreaterThan(40)
})

describe('a control character in a path is a 400 that names the parameter and does not repeat the id', () => {
  it.each(in_paths)('$method $path', async ({ name, ...route }) => {
    const [{ body } = { body: undefined }] = fill(route, owner)
    for (const character of CONTROL_CHARACTERS) {
      const id = `key_0${character}1`
      const path = route.path.replace(`{${name}}`, encodeURIComponent(id))
      const response = await api(path, {
        key: keyOf(route.operation),
        method: route.method,
        ...(body && { body }),
      })
      await expectNamed(response, name, id)
    }
  })
})

describe('a control character in a query is a 400 that names the parameter and does not repeat the value', () => {
  it.each(in_queries)('$method $path $name', async ({ name, ...route }) => {
    const [filled] = fill(route, owner)
    for (const character of CONTROL_CHARACTERS) {
      const value = `key_0${character}1`
      const path = `${filled?.path}?${name}=${encodeURIComponent(value)}`
      await expectNamed(await api(path, { key: keyOf(route.operation), method: route.method }), name, value)
    }
  })
})

describe('a 404', () => {
  it.each([
    ['GET', '/v1/events/evt_1', 'Event evt_1 not found.'],
    ['POST', '/v1/events/evt_1/void', 'Event evt_1 not found.'],
    ['GET', '/v1/holds/hold_1', 'Hold hold_1 not found.'],
    ['GET', '/v1/users/zoe', 'User zoe not found.'],
    ['GET', '/v1/teams/red', 'Team red not found.'],
    ['GET', '/v1/entitlements/ent_1', 'Entitlement ent_1 not found.'],
    ['GET', '/v1/burn-tables/bt_1', 'Burn table bt_1 not found.'],
    ['DELETE', '/v1/api-keys/key_1', 'API key key_1 not found.'],
    ['DELETE', '/v1/credits/recurring-grants/rg_1', 'Recurring grant rg_1 not found.'],
    [
      'GET',
      '/v1/credits/balance?user_id=zoe',
      'Wallet of the user zoe not found. A grant, a purchase, a transfer to the owner or a change of the overdraft limit creates the wallet.',
    ],
    [
      'GET',
      '/v1/credits/lots?team_id=red',
      'Wallet of the team red not found. A grant, a purchase, a transfer to the owner or a change of the overdraft limit creates the wallet.',
    ],
    ['GET', '/v1/no-such-route', 'Route GET /v1/no-such-route not found.'],
    ['GET', '/v1/no%0Asuch', 'Route not found.'],
    ['GET', `/v1/${'x'.repeat(300)}`, 'Route not found.'],
  ])('of %s %s names the missing object', async (method, path, detail) => {
    const { api_key: key } = await createCustomer()
    const problem = await expectRefused(
      await api(path, { key, method, ...(method === 'POST' && { body: {} }) }),
      404,
      'not_found',
    )
    expect(problem.detail).toBe(detail)
  })

  it('of a route of the operator names the customer', async () => {
    const response = await api('/v1/admin/customers/cust_1', { key: OPERATOR_TOKEN })
    const problem = await expectRefused(response, 404, 'not_found')
    expect(textField(problem, 'detail')).toBe('Customer cust_1 not found.')
  })
})
