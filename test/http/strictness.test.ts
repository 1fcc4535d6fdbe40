import { beforeAll, describe, it } from 'vitest'
import { api } from '../support/api.ts'
import { type Belongings, customerWithEverything } from '../support/belongings.ts'
import { expectInvalid } from '../support/client.ts'
import { OPERATOR_TOKEN } from '../support/customers.ts'
import { operations } from '../support/documented.ts'
import { fillPath } from '../support/requests.ts'

/** Tests rules for all routes under /v1, except the Stripe webhook, which accepts any query. */

const own = operations.filter(({ path }) => path.startsWith('/v1/') && path !== '/v1/payments/stripe/webhook')

let owner: Belongings
beforeAll(async () => {
  owner = await customerWithEverything()
})

function send({ method, path }: (typeof own)[number], query: string): Promise<Response> {
  const key =
    path.startsWith('/v1/admin/') || path === '/v1/customers/register' ? OPERATOR_TOKEN : owner.api_key
  const body = method === 'GET' || method === 'DELETE' ? {} : { body: {} }
  return api(`${fillPath(path, owner)}${query}`, { key, method, ...body })
}

describe.each(own)('$method $path', (operation) => {
  it('refuses a query parameter that it does not know', async () => {
    await expectInvalid(await send(operation, '?surplus=1'), '/surplus', 'unknown parameter')
  })
})

describe.each(own.filter(({ method }) => method === 'PATCH'))('$method $path', (operation) => {
  it('refuses a body without a change', async () => {
    const response = await send(operation, '')
    const required = operation.path === '/v1/credits/wallets'
    await expectInvalid(
      response,
      required ? '/overdraft_limit' : '',
      required ? 'required' : 'at least one field',
    )
  })
})

it('a parameter that is given twice is refused', async () => {
  const events = await api('/v1/events?limit=1&limit=2', { key: owner.api_key })
  await expectInvalid(events, '/limit', 'must be given once')
})
