import { beforeAll, describe, expect, it } from 'vitest'
import { SCOPES, type Scope } from '../../src/api-keys/authentication/scopes.ts'
import { type ApiOptions, api, textField } from '../support/api.ts'
import {
  balanceOf,
  expectNothingMoved,
  expectRefused,
  GPT_4O,
  granted,
  ingest,
  ingested,
  listed,
  read,
} from '../support/client.ts'
import { createCustomer, type TestCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'

const CALCULATION = { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1000, output_tokens: 500 }

interface Route {
  readonly path: string
  readonly options?: ApiOptions
  readonly scope: Scope
  /** The status of the response to a key with the scope. */
  readonly status: number
}

const ROUTES: Route[] = [
  { path: '/v1/events/ingest', options: { body: GPT_4O }, scope: 'events:write', status: 200 },
  { path: '/v1/events/ingest', options: { body: { events: [GPT_4O] } }, scope: 'events:write', status: 200 },
  { path: '/v1/events', scope: 'credits:read', status: 200 },
  { path: '/v1/events/evt_unknown', scope: 'credits:read', status: 404 },
  { path: '/v1/rating/calculate', options: { body: CALCULATION }, scope: 'pricing:read', status: 200 },
  { path: '/v1/credits/grant', options: { body: { amount: 1 } }, scope: 'credits:write', status: 201 },
  {
    path: '/v1/credits/purchase',
    options: { body: { amount: 1, price_usd: 1 } },
    scope: 'credits:write',
    status: 201,
  },
  { path: '/v1/credits/balance', scope: 'credits:read', status: 200 },
  { path: '/v1/credits/lots', scope: 'credits:read', status: 200 },
  { path: '/v1/credits/transactions', scope: 'credits:read', status: 200 },
]

describe('a key', () => {
  let customer: TestCustomer
  beforeAll(async () => {
    customer = await createCustomer()
  })

  it.each(ROUTES)(
    'without $scope may not use $path, and gets the name of the scope',
    async ({ path, options, scope }) => {
      const { api_key } = await createKey(customer.customer_id, {
        scopes: SCOPES.filter((other) => other !== scope),
      })
      const response = await expectNothingMoved(customer.api_key, () =>
        api(path, { ...options, key: api_key }),
      )
      const problem = await expectRefused(response, 403, 'insufficient_scope')
      expect(problem.detail).toContain(scope)
    },
  )

  it.each(ROUTES)('with only $scope may use $path', async ({ path, options, scope, status }) => {
    const { api_key } = await createKey(customer.customer_id, { scopes: [scope] })
    expect((await api(path, { ...options, key: api_key })).status).toBe(status)
  })

  it.each(ROUTES)(
    'that is missing is a 401 at $path, before anything else',
    async ({ path, options = {} }) => {
      await expectRefused(await api(path, options), 401, 'missing_api_key')
    },
  )
})

describe('two customers with the same user ids and the same idempotency keys', () => {
  it('do not affect each other', async () => {
    const [a, b] = await Promise.all([createCustomer(), createCustomer()])
    const event = { ...GPT_4O, user_id: 'zoe', idempotency_key: 'same' }
    for (const { api_key } of [a, b])
      await granted(api_key, { user_id: 'zoe', amount: 100 }, { 'Idempotency-Key': 'grant' })
    const [of_a, of_b] = await Promise.all([
      ingested(a.api_key, event),
      ingested(b.api_key, { ...event, input_tokens: 0 }),
    ])
    expect(of_a).toMatchObject({ credits_burned: 15, balance_after: 85 })
    expect(of_b).toMatchObject({ credits_burned: 10, balance_after: 90 })
    expect(of_a.wallet_id).not.toBe(of_b.wallet_id)
    expect(of_a.id).not.toBe(of_b.id)

    await expectRefused(await ingest(b.api_key, event), 422, 'idempotency_mismatch')
    expect(await balanceOf(a.api_key, '?user_id=zoe')).toBe(85)
    expect(await balanceOf(b.api_key, '?user_id=zoe')).toBe(90)
  })

  it('see no data of each other, although their ids are equal', async () => {
    const [a, b] = await Promise.all([createCustomer(), createCustomer()])
    await granted(a.api_key, { team_id: 'red', amount: 100 })
    const of_a = await ingested(a.api_key, { ...GPT_4O, user_id: 'zoe' })
    const of_b = await ingested(b.api_key, { ...GPT_4O, user_id: 'zoe' })
    await expectRefused(
      await api(`/v1/events/${textField(of_a, 'id')}`, { key: b.api_key }),
      404,
      'not_found',
    )
    expect(await read(b.api_key, `/v1/events/${textField(of_b, 'id')}`)).toMatchObject({ id: of_b.id })

    // The last 8 characters of an id identify its ledger. This id combines an event number of customer B with the
    // ledger of customer A, so it is invalid.
    const forged = textField(of_b, 'id').slice(0, -8) + textField(of_a, 'id').slice(-8)
    await expectRefused(await api(`/v1/events/${forged}`, { key: b.api_key }), 404, 'not_found')

    await expectRefused(await api('/v1/credits/balance?team_id=red', { key: b.api_key }), 404, 'not_found')
    expect(await listed(b.api_key, '/v1/credits/transactions', '?team_id=red')).toEqual([])
    expect((await listed(b.api_key, '/v1/events', '?user_id=zoe')).map(({ id }) => id)).toEqual([of_b.id])

    // A cursor from another customer's list only selects a position in the caller's own list.
    const { next_cursor } = await read(a.api_key, '/v1/credits/transactions?limit=1')
    const ids = (await listed(a.api_key, '/v1/credits/transactions')).map(({ id }) => id)
    const page = await listed(b.api_key, '/v1/credits/transactions', `?cursor=${String(next_cursor)}`)
    for (const { id } of page) expect(ids).not.toContain(id)
  })

  it('cannot burn each other’s credits', async () => {
    const [a, b] = await Promise.all([createCustomer(), createCustomer()])
    const response = await expectNothingMoved(a.api_key, () =>
      expectNothingMoved(b.api_key, () => ingest(a.api_key, { ...GPT_4O, customer_id: b.customer_id })),
    )
    const problem = await expectRefused(response, 403, 'customer_mismatch')
    expect(JSON.stringify(problem)).not.toContain(b.customer_id)
  })
})
