import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { balanceOf, expectRefused, GPT_4O, granted, ingested, listed } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { cachedRecord, idOf, madeKey } from './support.ts'

type Request = readonly [method: string, path: string, body?: unknown]

const send = (key: string, [method, path, body]: Request) => api(path, { key, method, body })

async function created(key: string, path: string, body: unknown, id: string): Promise<string> {
  return textField(await jsonOf(await api(path, { key, body })), id)
}

async function setStatus(customer_id: string, status: string): Promise<void> {
  const path = `/v1/admin/customers/${customer_id}`
  const response = await api(path, { key: OPERATOR_TOKEN, method: 'PATCH', body: { status } })
  if (response.status !== 200) throw new Error(`not set: ${await response.text()}`)
}

const TABLE = { name: 'Flat', rules: [{ match: {}, method: 'flat', amount: 1 }] }
const ENTITLEMENT = { feature_id: 'export', limit_type: 'NONE' }
const HOLD = { feature_id: 'chat', credits: 5 }

/**
 * Returns one request of each kind that changes the ledger. Each of them would succeed for an active customer.
 */
async function writesOf(key: string): Promise<Request[]> {
  await granted(key, { user_id: 'zoe', amount: 100 })
  const event = textField(await ingested(key, GPT_4O), 'id')
  const purchase = await created(key, '/v1/credits/purchase', { amount: 10, price_usd: 1 }, 'transaction_id')
  const recurring = { amount: 1, recurring: { every: 'day' } }
  const grant = await created(key, '/v1/credits/grant', recurring, 'recurring_grant_id')
  const lot = await created(key, '/v1/credits/grant', { amount: 1 }, 'lot_id')
  const hold = await created(key, '/v1/holds', HOLD, 'hold_id')
  const entitlement = await created(key, '/v1/entitlements', { ...ENTITLEMENT, feature_id: 'search' }, 'id')
  const table = await created(key, '/v1/burn-tables', TABLE, 'id')
  return [
    ['POST', '/v1/events/ingest', GPT_4O],
    ['POST', '/v1/events/ingest', { events: [GPT_4O] }],
    ['POST', `/v1/events/${event}/void`, {}],
    ['POST', '/v1/credits/grant', { amount: 1 }],
    ['POST', '/v1/credits/purchase', { amount: 1, price_usd: 1 }],
    ['POST', '/v1/credits/refund', { transaction_id: purchase }],
    ['POST', '/v1/credits/transfer', { from: {}, to: { user_id: 'zoe' }, amount: 1 }],
    ['POST', `/v1/credits/lots/${lot}/revoke`, { reason: 'x' }],
    ['POST', '/v1/credits/adjust', { amount: -1, reason: 'x' }],
    ['PATCH', '/v1/credits/wallets', { overdraft_limit: 5 }],
    ['DELETE', `/v1/credits/recurring-grants/${grant}`],
    ['POST', '/v1/holds', HOLD],
    ['POST', `/v1/holds/${hold}/capture`, { credits: 1 }],
    ['POST', `/v1/holds/${hold}/extend`, { expires_in_seconds: 60 }],
    ['POST', `/v1/holds/${hold}/release`, {}],
    ['POST', '/v1/entitlements', ENTITLEMENT],
    ['PUT', `/v1/entitlements/${entitlement}`, { ...ENTITLEMENT, feature_id: 'search', enabled: false }],
    ['DELETE', `/v1/entitlements/${entitlement}`],
    ['POST', '/v1/entitlements/check', { feature_id: 'chat', action: { type: 'custom' }, hold: true }],
    ['POST', '/v1/burn-tables', TABLE],
    ['PATCH', `/v1/burn-tables/${table}`, { name: 'New' }],
    ['DELETE', `/v1/burn-tables/${table}`],
    ['DELETE', '/v1/users/zoe'],
    // The Worker checks the requests below in D1, not in the ledger.
    ['POST', '/v1/api-keys', { name: 'x' }],
    ['POST', `/v1/api-keys/${idOf(key)}/rotate`, {}],
    ['DELETE', `/v1/api-keys/${idOf(key)}`],
  ]
}

const READS: Request[] = [
  ['GET', '/v1/customers/me'],
  ['GET', '/v1/api-keys'],
  ['GET', '/v1/credits/balance'],
  ['GET', '/v1/credits/lots'],
  ['GET', '/v1/credits/transactions'],
  ['GET', '/v1/credits/recurring-grants'],
  ['GET', '/v1/events'],
  ['GET', '/v1/holds'],
  ['GET', '/v1/users'],
  ['GET', '/v1/burn-tables'],
  ['GET', '/v1/entitlements'],
  ['POST', '/v1/entitlements/check', { feature_id: 'chat' }],
  ['POST', '/v1/rating/calculate', { provider: 'OPENAI', model: 'gpt-4o', input_tokens: 1 }],
]

describe.each(['SUSPENDED', 'CLOSED'])('a customer that is %s', (status) => {
  it('can only read, from the moment of the change and with any caches; everything works again afterwards', async () => {
    const { customer_id, api_key } = await createCustomer()
    const writes = await writesOf(api_key)
    const stale = await cachedRecord(api_key)
    const before = [await balanceOf(api_key), await listed(api_key, '/v1/credits/transactions')]
    await setStatus(customer_id, status)
    await stale.restore()
    for (const write of writes) {
      const response = await send(api_key, write)
      expect([...write.slice(0, 2), response.status]).toEqual([...write.slice(0, 2), 403])
      await expectRefused(response, 403, 'customer_suspended')
    }
    for (const read of READS) {
      expect([...read.slice(0, 2), (await send(api_key, read)).status]).toEqual([...read.slice(0, 2), 200])
    }
    expect([await balanceOf(api_key), await listed(api_key, '/v1/credits/transactions')]).toEqual(before)
    await setStatus(customer_id, 'ACTIVE')
    // Leaves out the last two requests, which would end the key too early.
    for (const write of writes.slice(0, -2)) {
      expect([...write.slice(0, 2), (await send(api_key, write)).ok]).toEqual([...write.slice(0, 2), true])
    }
  })

  it('is refused by every route that writes, before the body is read, once the caches have the change', async () => {
    const { customer_id, api_key } = await createCustomer()
    const test = await madeKey(api_key, { mode: 'test' })
    await setStatus(customer_id, status)
    const routes = writingRoutes()
    expect(routes.length).toBeGreaterThan(20)
    for (const [method, path] of routes) {
      for (const key of [api_key, test.api_key]) {
        const response = await api(path, { key, method, body: method === 'DELETE' ? undefined : '{"broken' })
        expect([method, path, response.status]).toEqual([method, path, 403])
        await expectRefused(response, 403, 'customer_suspended')
      }
    }
  })
})

/** Returns the method and the path of every API route that requires a write scope, except GET routes. */
function writingRoutes(): [method: string, path: string][] {
  return createApp().openAPIRegistry.definitions.flatMap((definition): [string, string][] => {
    if (definition.type !== 'route') return []
    const { method, path, 'x-required-scope': scope } = definition.route
    if (method === 'get' || scope === undefined || String(scope).endsWith(':read')) return []
    return [[method.toUpperCase(), path.replaceAll(/\{[^}]+\}/g, 'x')]]
  })
}
