import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { hashApiKey } from '../../src/api-keys/authentication/format.ts'
import { forgetCachedKeys } from '../../src/api-keys/authentication/lookup.ts'
import type { Bindings } from '../../src/bindings.ts'
import { cachedRecord, madeBy, madeKey } from '../customers/support.ts'
import { api } from '../support/api.ts'
import { apiWith } from '../support/app.ts'
import { balanceOf, expectRefused, GPT_4O, ingest, listed, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, type TestCustomer } from '../support/customers.ts'
import { brokenKv, d1FailingAt } from '../support/d1.ts'
import { inStore, ledgerOf, ledgersLosing } from '../support/ledgers.ts'

/**
 * Tests failures while a key or a customer is changed. The Worker writes the change to D1, then to the ledgers, and
 * then to KV. The tests interrupt each of the three steps, as a crash of the Worker or a network failure would, and
 * then repeat the request.
 */

let log: ReturnType<typeof vi.spyOn>
beforeEach(() => {
  log = vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => {
  log.mockRestore()
})

const makes = (customer: TestCustomer, bindings: Partial<Bindings>, body = {}, headers = {}) =>
  apiWith(bindings, '/v1/api-keys', { key: customer.api_key, body: { name: 'x', ...body }, headers })
const keysOf = async (customer: TestCustomer) => (await listed(customer.api_key, '/v1/api-keys')).length

describe('making a key', () => {
  it('is a 503 that creates nothing when D1 fails, and the key of the request stays unused', async () => {
    const customer = await createCustomer()
    const headers = { 'Idempotency-Key': 'make' }
    const response = await makes(customer, { DB: d1FailingAt(1, 'before its effect') }, {}, headers)
    expect(response.headers.get('Retry-After')).toBe('1')
    await expectRefused(response, 503, 'unavailable')
    expect(await keysOf(customer)).toBe(1)
    expect((await makes(customer, {}, {}, headers)).status).toBe(201)
    expect(await keysOf(customer)).toBe(2)
  })

  it('returns the key when D1 has made it and only the response is lost, and again for a repeat', async () => {
    const customer = await createCustomer()
    const headers = { 'Idempotency-Key': 'make' }
    const lost = await makes(customer, { DB: d1FailingAt(1, 'after its effect') }, {}, headers)
    const made = await madeBy(lost.clone())
    expect(await balanceOf(made.api_key)).toBe(10_000)
    expect(await (await makes(customer, {}, {}, headers)).text()).toBe(await lost.text())
    expect(await keysOf(customer)).toBe(2)
  })

  it.each(['open', 'burnTableSnapshot', 'acceptBurnTables', 'acceptEntitlements'] as const)(
    'for tests is not made before the test ledger is ready: %s fails',
    async (method) => {
      const customer = await createCustomer()
      const response = await makes(customer, { LEDGER: ledgersLosing(method) }, { mode: 'test' })
      await expectRefused(response, 503, 'unavailable')
      expect(await keysOf(customer)).toBe(1)
      const made = await madeBy(await makes(customer, {}, { mode: 'test' }))
      expect(await balanceOf(made.api_key)).toBe(10_000)
    },
  )

  it('is complete without KV: the key works at once, from D1', async () => {
    const customer = await createCustomer()
    const made = await madeBy(await makes(customer, { API_KEYS: brokenKv() }))
    expect(await env.API_KEYS.get(hashApiKey(made.api_key))).toBeNull()
    expect(await balanceOf(made.api_key)).toBe(10_000)
    expect(String(log.mock.calls)).not.toContain(made.api_key.slice(34))
  })
})

describe('deleting a key', () => {
  const deletes = (customer: TestCustomer, key_id: string, bindings: Partial<Bindings>) =>
    apiWith(bindings, `/v1/api-keys/${key_id}`, { key: customer.api_key, method: 'DELETE' })

  const CUTS: [string, () => Partial<Bindings>][] = [
    ['D1 fails', () => ({ DB: d1FailingAt(1, 'before its effect') })],
    ['the response from D1 is lost', () => ({ DB: d1FailingAt(1, 'after its effect') })],
    ['the ledger is not reached', () => ({ LEDGER: ledgersLosing('revokeKey') })],
    ['KV fails', () => ({ API_KEYS: brokenKv() })],
  ]

  it.each(CUTS)('when %s reports it, and a repeat does the rest', async (_, cut) => {
    const customer = await createCustomer()
    for (const mode of ['live', 'test']) {
      const key = await madeKey(customer.api_key, { mode })
      const stale = await cachedRecord(key.api_key)
      const response = await deletes(customer, key.key_id, cut())
      expect(response.headers.get('Retry-After')).toBe('1')
      await expectRefused(response, 503, 'unavailable')
      expect((await deletes(customer, key.key_id, {})).status).toBe(200)
      forgetCachedKeys()
      await expectRefused(await api('/v1/customers/me', { key: key.api_key }), 401, 'revoked_api_key')
      await stale.restore()
      await expectRefused(await ingest(key.api_key, GPT_4O), 401, 'revoked_api_key')
      await expectRefused(await api('/v1/burn-tables', { key: key.api_key }), 401, 'revoked_api_key')
    }
  })

  it('that reached only D1 is completed when the key itself changes keys', async () => {
    const customer = await createCustomer()
    const key = await madeKey(customer.api_key)
    const stale = await cachedRecord(key.api_key)
    await deletes(customer, key.key_id, { LEDGER: ledgersLosing('revokeKey') })
    await stale.restore()
    expect((await ingest(key.api_key, GPT_4O)).status).toBe(200)
    const response = await api('/v1/api-keys', { key: key.api_key, body: { name: 'x' } })
    await expectRefused(response, 401, 'revoked_api_key')
    await stale.restore()
    await expectRefused(await ingest(key.api_key, GPT_4O), 401, 'revoked_api_key')
  })
})

describe('rotating a key', () => {
  const rotates = (customer: TestCustomer, key_id: string, bindings: Partial<Bindings>, headers = {}) =>
    apiWith(bindings, `/v1/api-keys/${key_id}/rotate`, { key: customer.api_key, body: {}, headers })

  it('does nothing when D1 fails', async () => {
    const customer = await createCustomer()
    const key = await madeKey(customer.api_key)
    const response = await rotates(customer, key.key_id, { DB: d1FailingAt(1, 'before its effect') })
    await expectRefused(response, 503, 'unavailable')
    expect(await balanceOf(key.api_key)).toBe(10_000)
    expect(await keysOf(customer)).toBe(2)
    expect((await rotates(customer, key.key_id, {})).status).toBe(201)
  })

  it('returns the new key when only a response from D1 is lost', async () => {
    const customer = await createCustomer()
    const key = await madeKey(customer.api_key)
    const next = await madeBy(await rotates(customer, key.key_id, { DB: d1FailingAt(1, 'after its effect') }))
    expect(await balanceOf(next.api_key)).toBe(10_000)
    await expectRefused(await ingest(key.api_key, GPT_4O), 401, 'revoked_api_key')
  })

  it('returns the new key when the ledger or KV is unreachable; D1 ends the old key, and a repeat ends it everywhere', async () => {
    for (const cut of [{ LEDGER: ledgersLosing('revokeKey') }, { API_KEYS: brokenKv() }]) {
      const customer = await createCustomer()
      const key = await madeKey(customer.api_key)
      const stale = await cachedRecord(key.api_key)
      const headers = { 'Idempotency-Key': 'rotate' }
      const first = await rotates(customer, key.key_id, cut, headers)
      expect(first.status).toBe(201)
      await env.API_KEYS.delete(hashApiKey(key.api_key))
      forgetCachedKeys()
      await expectRefused(await ingest(key.api_key, GPT_4O), 401, 'revoked_api_key')
      const repeated = await rotates(customer, key.key_id, {}, headers)
      expect(await repeated.text()).toBe(await first.text())
      await stale.restore()
      await expectRefused(await ingest(key.api_key, GPT_4O), 401, 'revoked_api_key')
    }
  })

  it('tries the ledger again automatically, after the response', async () => {
    const customer = await createCustomer()
    const key = await madeKey(customer.api_key)
    const stale = await cachedRecord(key.api_key)
    let calls = 0
    const real = env.LEDGER
    // Loses the first call and its retry.
    const loses_two: Bindings['LEDGER'] = Object.create(real, {
      idFromName: { value: (name: string) => real.idFromName(name) },
      get: {
        value: (id: DurableObjectId) => {
          const losing = ++calls <= 2 ? ledgersLosing('revokeKey') : real
          return losing.get(id)
        },
      },
    })
    expect((await rotates(customer, key.key_id, { LEDGER: loses_two })).status).toBe(201)
    // Two calls are lost, the third revokes the key, and the fourth adds the notification about the new key.
    expect(calls).toBe(4)
    await stale.restore()
    await expectRefused(await ingest(key.api_key, GPT_4O), 401, 'revoked_api_key')
  })
})

describe('suspending a customer', () => {
  const suspends = ({ customer_id }: TestCustomer, bindings: Partial<Bindings>) =>
    apiWith(bindings, `/v1/admin/customers/${customer_id}`, {
      key: OPERATOR_TOKEN,
      method: 'PATCH',
      body: { status: 'SUSPENDED' },
    })

  const CUTS: [string, () => Partial<Bindings>][] = [
    ['D1 fails', () => ({ DB: d1FailingAt(1, 'before its effect') })],
    ['the response from D1 is lost', () => ({ DB: d1FailingAt(1, 'after its effect') })],
    ['the ledgers are not reached', () => ({ LEDGER: ledgersLosing('setAccount') })],
    ['KV fails', () => ({ API_KEYS: brokenKv() })],
  ]

  it.each(CUTS)('when %s reports it, and a repeat does the rest', async (_, cut) => {
    const customer = await createCustomer()
    const test = await madeKey(customer.api_key, { mode: 'test' })
    await expectRefused(await suspends(customer, cut()), 503, 'unavailable')
    expect((await suspends(customer, {})).status).toBe(200)
    for (const mode of ['live', 'test'] as const) {
      const account = await inStore(ledgerOf(customer.customer_id, mode), (store) => store.account.current)
      expect(account.status).toBe('SUSPENDED')
    }
    forgetCachedKeys()
    for (const key of [customer.api_key, test.api_key]) {
      expect(await read(key, '/v1/customers/me')).toMatchObject({ status: 'SUSPENDED' })
      expect(JSON.parse((await env.API_KEYS.get(hashApiKey(key))) ?? '')).toMatchObject({
        customer_status: 'SUSPENDED',
      })
    }
  })

  it('issues a key in spite of a lost response from D1', async () => {
    const { customer_id } = await createCustomer()
    const response = await apiWith(
      { DB: d1FailingAt(1, 'after its effect') },
      `/v1/admin/customers/${customer_id}/api-keys`,
      { key: OPERATOR_TOKEN, body: { name: 'x' } },
    )
    const { api_key } = await madeBy(response)
    expect(await balanceOf(api_key)).toBe(10_000)
  })
})
