import { describe, expect, it } from 'vitest'
import { api, apiRequest } from '../support/api.ts'
import type { Belongings } from '../support/belongings.ts'
import { createCustomer } from '../support/customers.ts'
import { expectDocumented } from '../support/documented.ts'
import { fill, fillPath } from '../support/requests.ts'

/**
 * Tests two test helpers: the comparison of responses with the OpenAPI document must detect errors, and so must the
 * filling of route parameters.
 */

interface Change {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | null>>
  readonly body?: unknown
}

/** Changes a real response from the balance route, and compares the result with the OpenAPI document. */
async function changed({ status, headers = {}, body }: Change): Promise<void> {
  const { api_key } = await createCustomer()
  const request = apiRequest('/v1/credits/balance', { key: api_key })
  const real = await api('/v1/credits/balance', { key: api_key })
  const text = body === undefined ? await real.text() : JSON.stringify(body)
  const response = new Response(text, { status: status ?? real.status, headers: real.headers })
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) response.headers.delete(name)
    else response.headers.set(name, value)
  }
  return expectDocumented(request, response)
}

const BALANCE = {
  customer_id: 'cust_1',
  wallet_id: 'wal_1',
  balance: 1,
  reserved_balance: 0,
  available_balance: 1,
  currency: 'credits',
  overdraft_limit: 0,
  expiring_next: null,
}
const PROBLEM = {
  type: 'https://example.com/errors#not_found',
  title: 'Not found',
  status: 404,
  detail: 'There is none.',
  code: 'not_found',
  request_id: 'req_1',
}
const AS_PROBLEM = { 'Content-Type': 'application/problem+json' }

describe('a response', () => {
  it('in its documented form passes, and so does a problem', async () => {
    await changed({})
    await changed({ body: BALANCE })
    await changed({ status: 404, headers: AS_PROBLEM, body: PROBLEM })
  })

  const cases: [name: string, change: Change, message: RegExp][] = [
    ['with a status that the route does not have', { status: 202 }, /no such status/],
    [
      'with another content type',
      { headers: { 'Content-Type': 'text/plain' } },
      /content type is text\/plain/,
    ],
    ['without the id of its request', { headers: { 'X-Request-Id': null } }, /lacks the header x-request-id/],
    [
      'with a header that is not listed',
      { headers: { 'X-Powered-By': 'us' } },
      /the header x-powered-by is not there/,
    ],
    ['with a header of another form', { headers: { 'X-Request-Id': 'a b' } }, /the header x-request-id/],
    ['with a field too many', { body: { ...BALANCE, secret: 1 } }, /secret/],
    ['with a field too few', { body: { ...BALANCE, balance: undefined } }, /balance/],
    ['with a field of another type', { body: { ...BALANCE, balance: '1' } }, /balance/],
    [
      'with a field too many inside',
      { body: { ...BALANCE, expiring_next: { amount: 1, at: 'x', by: 1 } } },
      /expiring_next/,
    ],
    [
      'with a code that the status does not have',
      { status: 404, headers: AS_PROBLEM, body: { ...PROBLEM, code: 'hold_not_open' } },
      /the status has the codes not_found/,
    ],
    [
      'with a member that the code does not have',
      { status: 404, headers: AS_PROBLEM, body: { ...PROBLEM, stack: 'at' } },
      /stack/,
    ],
  ]

  it.each(cases)('%s fails', async (_, change, message) => {
    await expect(changed(change)).rejects.toThrow(message)
  })

  it('of an undocumented route fails, unless the request declares it', async () => {
    const request = apiRequest('/v1/nowhere')
    await expect(expectDocumented(request, Response.json({}))).rejects.toThrow(/no such route/)
    expect((await api('/v1/nowhere')).status).toBe(401)
  })
})

describe('a route with a parameter or field without a known value', () => {
  const owner: Belongings = {
    ...{ customer_id: '', api_key: '', email: '', user_id: '', team_id: '', feature_id: '', event_id: '' },
    ...{ transaction_id: '', hold_id: '', entitlement_id: '', burn_table_id: '', recurring_grant_id: '' },
    ...{ lot_id: '', key_id: '', provider_key_id: '', provider_key: '', gateway_route_id: '', marker: '' },
    ...{ credit_pack_id: '', payment_id: '', alert_id: '' },
    ...{ webhook_endpoint_id: '', webhook_delivery_id: '' },
  }

  it('fails for a parameter of the path', () => {
    expect(() => fillPath('/v1/invoices/{id}', owner)).toThrow(
      'define the value of id in test/support/requests.ts',
    )
  })

  it('fails for a parameter of the query and for a field of the body', () => {
    const parameters = [{ name: 'invoice_id', in: 'query', schema: { type: 'string' } }]
    const route = { method: 'GET', path: '/v1/invoices', operation: { parameters } }
    expect(() => fill(route, owner)).toThrow('the value of invoice_id')
    const schema = { type: 'object', properties: { invoice_id: { type: 'string' } } }
    const requestBody = { content: { 'application/json': { schema } } }
    expect(() => fill({ ...route, operation: { requestBody } }, owner)).toThrow('the value of invoice_id')
  })
})
