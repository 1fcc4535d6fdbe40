import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { openLedger } from '../../src/ledger/client/client.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { GPT_4O, granted, ingested, type Json, objects, purchased } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, type TestCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { ACCOUNT, ledgerOf, runAlarm } from '../support/ledgers.ts'

/**
 * Tests that each kind of change in a ledger writes exactly one audit record. The record has the caller, the IP
 * address, and the values before and after the change.
 */

const FROM = { 'CF-Connecting-IP': '2001:db8::7', 'X-Request-Id': 'req-of-the-test' }

interface Case {
  /**
   * Prepares the change. The test ignores the records of the preparation, and compares only the record of the change.
   */
  readonly prepare?: (key: string) => Promise<Json>
  readonly change: (key: string, prepared: Json) => Promise<Response>
  readonly record: Json
}

const post = (key: string, path: string, body: unknown, method = 'POST') =>
  api(path, { key, body, method, headers: FROM })

const ID = (prefix: string) => expect.stringMatching(new RegExp(`^${prefix}_`))
const LIMIT = { feature_id: 'chat', limit_type: 'HARD', limit_value: 10, unit: 'events', period: 'DAILY' }
const TABLE = { name: 'Mine', rules: [{ match: {}, method: 'cost_plus', markup_percent: 50 }] }
const RULES = { feature_id: 'chat', level: 'customer', limit_type: 'HARD', unit: 'events', period: 'DAILY' }

const CASES: Readonly<Record<string, Case>> = {
  'a grant': {
    change: (key) => post(key, '/v1/credits/grant', { amount: 5.25 }),
    record: {
      action: 'credits.grant',
      target: ID('wal'),
      before: { balance: 10_000 },
      after: { balance: 10_005.25, transaction_id: ID('txn'), lot_id: ID('lot') },
    },
  },
  'a grant that makes a wallet and comes again': {
    change: (key) =>
      post(key, '/v1/credits/grant', { user_id: 'zoe', amount: 0.000001, recurring: { every: 'month' } }),
    record: {
      action: 'credits.grant',
      target: ID('wal'),
      before: { balance: 0 },
      after: {
        balance: 0.000001,
        transaction_id: ID('txn'),
        lot_id: ID('lot'),
        recurring_grant_id: ID('rg'),
      },
    },
  },
  'a purchase': {
    change: (key) => post(key, '/v1/credits/purchase', { amount: 100, price_usd: 1 }),
    record: {
      action: 'credits.purchase',
      before: { balance: 10_000 },
      after: expect.objectContaining({ balance: 10_100 }),
    },
  },
  'a refund of a purchase': {
    prepare: (key) => purchased(key, { amount: 100, price_usd: 1 }),
    change: (key, { transaction_id }) => post(key, '/v1/credits/refund', { transaction_id, amount: 40 }),
    record: {
      action: 'credits.refund',
      target: ID('wal'),
      before: { balance: 10_100 },
      after: { balance: 10_060, transaction_id: ID('txn') },
    },
  },
  'a refund of a burn': {
    prepare: async (key) => {
      const { id } = await ingested(key, GPT_4O)
      return { transaction_id: String(id).replace('evt_', 'txn_') }
    },
    change: (key, { transaction_id }) => post(key, '/v1/credits/refund', { transaction_id, amount: 5 }),
    record: {
      action: 'credits.refund',
      before: { balance: 9_985 },
      after: { balance: 9_990, transaction_id: ID('txn') },
    },
  },
  'a void': {
    prepare: (key) => ingested(key, GPT_4O),
    change: (key, { id }) => post(key, `/v1/events/${id}/void`, undefined),
    record: {
      action: 'credits.void',
      before: { balance: 9_985 },
      after: { balance: 10_000, transaction_id: ID('txn') },
    },
  },
  'a transfer': {
    change: (key) => post(key, '/v1/credits/transfer', { from: {}, to: { user_id: 'zoe' }, amount: 100 }),
    record: {
      action: 'credits.transfer',
      target: ID('wal'),
      before: { balance: 10_000 },
      after: {
        balance: 9_900,
        transaction_id: ID('txn'),
        to: { wallet_id: ID('wal'), transaction_id: ID('txn'), balance: 100 },
      },
    },
  },
  'an adjustment': {
    change: (key) => post(key, '/v1/credits/adjust', { amount: -1.5, reason: 'For zoe@example.com' }),
    record: {
      action: 'credits.adjust',
      before: { balance: 10_000 },
      after: { balance: 9_998.5, transaction_id: ID('txn') },
    },
  },
  'the revocation of a lot': {
    prepare: (key) => granted(key, { amount: 7 }),
    change: (key, { lot_id }) =>
      post(key, `/v1/credits/lots/${lot_id}/revoke`, { amount: 2, reason: 'For zoe@example.com' }),
    record: {
      action: 'credits.revoke',
      target: ID('wal'),
      before: { balance: 10_007 },
      after: { balance: 10_005, transaction_id: ID('txn') },
    },
  },
  'an overdraft limit': {
    change: (key) => post(key, '/v1/credits/wallets', { overdraft_limit: 250 }, 'PATCH'),
    record: {
      action: 'credits.set_overdraft',
      target: ID('wal'),
      before: { overdraft_limit: 0 },
      after: { overdraft_limit: 250 },
    },
  },
  'the end of a recurring grant': {
    prepare: (key) => granted(key, { amount: 7, recurring: { every: 'week' } }),
    change: (key, { recurring_grant_id }) =>
      api(`/v1/credits/recurring-grants/${recurring_grant_id}`, { key, method: 'DELETE', headers: FROM }),
    record: {
      action: 'credits.stop_recurring',
      target: ID('rg'),
      before: { wallet_id: ID('wal'), every: 'week', amount: 7 },
      after: null,
    },
  },
  'a new entitlement': {
    change: (key) =>
      post(key, '/v1/entitlements', { ...LIMIT, user_id: 'zoe', metadata: { mail: 'zoe@example.com' } }),
    record: {
      action: 'entitlements.create',
      target: ID('ent'),
      before: null,
      after: { ...RULES, level: 'user', limit_value: 10, anchor: null, enabled: true },
    },
  },
  'another limit': {
    prepare: async (key) => jsonOf(await post(key, '/v1/entitlements', LIMIT)),
    change: (key, { id }) =>
      post(key, `/v1/entitlements/${id}`, { ...LIMIT, limit_value: 20, value: { theme: 'dark' } }, 'PUT'),
    record: {
      action: 'entitlements.replace',
      target: ID('ent'),
      before: { ...RULES, limit_value: 10, anchor: null, enabled: true },
      after: {
        ...RULES,
        limit_value: 20,
        anchor: null,
        enabled: true,
        value_sha256: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    },
  },
  'an entitlement less': {
    prepare: async (key) => jsonOf(await post(key, '/v1/entitlements', LIMIT)),
    change: (key, { id }) => api(`/v1/entitlements/${id}`, { key, method: 'DELETE', headers: FROM }),
    record: {
      action: 'entitlements.delete',
      target: ID('ent'),
      before: expect.objectContaining(RULES),
      after: null,
    },
  },
  'a new burn table': {
    change: (key) => post(key, '/v1/burn-tables', TABLE),
    record: {
      action: 'burn_tables.create',
      target: ID('bt'),
      before: null,
      after: { version: 2, effective_from: expect.any(String), effective_to: null },
    },
  },
  'a new version of a burn table': {
    prepare: async (key) => jsonOf(await post(key, '/v1/burn-tables', TABLE)),
    change: (key, { id }) => post(key, `/v1/burn-tables/${id}`, { name: 'Ours' }, 'PATCH'),
    record: {
      action: 'burn_tables.edit',
      target: ID('bt'),
      before: expect.objectContaining({ version: 2 }),
      after: expect.objectContaining({ version: 3 }),
    },
  },
  'a burn table less': {
    prepare: async (key) => jsonOf(await post(key, '/v1/burn-tables', TABLE)),
    change: (key, { id }) => api(`/v1/burn-tables/${id}`, { key, method: 'DELETE', headers: FROM }),
    record: {
      action: 'burn_tables.delete',
      target: ID('bt'),
      before: expect.objectContaining({ version: 2 }),
      after: null,
    },
  },
  'the erasure of a user': {
    prepare: (key) => ingested(key, { ...GPT_4O, user_id: 'zoe' }),
    change: (key) => api('/v1/users/zoe', { key, method: 'DELETE', headers: FROM }),
    record: { action: 'users.erase', target: ID('erased'), before: null, after: null },
  },
  'the erasure of a team': {
    prepare: (key) => ingested(key, { ...GPT_4O, team_id: 'zoe' }),
    change: (key) => api('/v1/teams/zoe', { key, method: 'DELETE', headers: FROM }),
    record: { action: 'teams.erase', target: ID('erased'), before: null, after: null },
  },
}

/** Flushes the ledger, and returns the customer's audit records except the record of the registration. */
async function recordsOf({ customer_id }: TestCustomer): Promise<Json[]> {
  await runAlarm(ledgerOf(customer_id))
  const page = await jsonOf(
    await api(`/v1/admin/audit?limit=100&customer_id=${customer_id}`, { key: OPERATOR_TOKEN }),
  )
  return objects(page.data).filter(({ action }) => action !== 'customers.register')
}

async function rowsOf(scope: string): Promise<string> {
  const { results } = await env.DB.prepare('SELECT * FROM audit_log WHERE scope = ?').bind(scope).all()
  return JSON.stringify(results)
}

describe.each(Object.entries(CASES))('%s', (_, { prepare, change, record }) => {
  it('leaves one record with author, origin, action, and the states before and after', async () => {
    const customer = await createCustomer()
    const { api_key: key, customer_id } = customer
    const prepared = (await prepare?.(key)) ?? {}
    const earlier = await recordsOf(customer)
    const asked_ms = Date.now()
    const response = await change(key, prepared)
    expect(response.ok, await response.clone().text()).toBe(true)
    const records = await recordsOf(customer)
    expect(records).toHaveLength(earlier.length + 1)
    expect(records[0]).toEqual({
      id: expect.stringMatching(/^aud_[0-9a-hjkmnp-tv-z]{26}$/),
      at: expect.any(String),
      customer_id,
      mode: 'live',
      actor: expect.stringMatching(/^key_/),
      ip: '2001:db8::7',
      request_id: 'req-of-the-test',
      target: expect.any(String),
      ...record,
    })
    expect(key).toContain(String(records[0]?.actor).slice('key_'.length))
    expect(Date.parse(String(records[0]?.at))).toBeGreaterThanOrEqual(asked_ms - 1)
    expect(records.slice(1)).toEqual(earlier)
    // Records must contain no secrets and no personal data. Otherwise, an erasure would have to change them.
    expect(await rowsOf(customer_id)).not.toMatch(/om_live_|om_test_|zoe|@|dark/)
  })
})

describe('what leaves no record', () => {
  it('a replay, a refusal, a read, usage and holds', async () => {
    const customer = await createCustomer()
    const { api_key: key } = customer
    const headers = { 'Idempotency-Key': 'once' }
    await granted(key, { amount: 5 }, headers)
    const { id: table } = await jsonOf(await post(key, '/v1/burn-tables', TABLE))
    await api(`/v1/burn-tables/${table}`, { key, method: 'DELETE' })
    const { id: entitlement } = await jsonOf(await post(key, '/v1/entitlements', LIMIT))
    const before = await recordsOf(customer)
    expect(before).toHaveLength(4)

    const replay = await api('/v1/credits/grant', { key, body: { amount: 5 }, headers })
    expect(replay.headers.get('Idempotency-Replayed')).toBe('true')
    const refused = [
      await api('/v1/credits/grant', { key, body: { amount: 6 }, headers }),
      await api('/v1/credits/grant', { key, body: { amount: 5, expires_at: '2001-01-01T00:00:00Z' } }),
      await post(key, '/v1/credits/adjust', { amount: -1e6, reason: 'too much' }),
      await post(key, '/v1/credits/transfer', { from: { user_id: 'nobody' }, to: {}, amount: 1 }),
      await post(key, '/v1/entitlements', LIMIT),
      await post(key, '/v1/entitlements/ent_none', LIMIT, 'PUT'),
      await post(key, `/v1/burn-tables/${table}`, { name: 'Deleted' }, 'PATCH'),
      await api('/v1/credits/recurring-grants/rg_none', { key, method: 'DELETE' }),
      await api('/v1/users/nobody', { key, method: 'DELETE' }),
    ]
    for (const response of refused) expect(response.status).toBeGreaterThanOrEqual(400)
    // The burn table is already deleted, so this request changes nothing.
    expect((await api(`/v1/burn-tables/${table}`, { key, method: 'DELETE' })).status).toBe(200)
    await ingested(key, GPT_4O)
    await post(key, '/v1/holds', { feature_id: 'chat', credits: 1 })
    await api(`/v1/entitlements/${entitlement}`, { key })
    expect(await recordsOf(customer)).toEqual(before)
  })
})

describe('the owner of a record', () => {
  it('credits of a test key belong to its test ledger, and shared definitions to the live one', async () => {
    const customer = await createCustomer()
    const { customer_id } = customer
    const test = await createKey(customer_id, { mode: 'test' })
    const name = { customer_id, mode: 'test' } as const
    await openLedger(env, { ledger: name, signup_grant_micro: 0, account: ACCOUNT })
    await granted(test.api_key, { amount: 5 })
    await post(test.api_key, '/v1/entitlements', LIMIT)
    await runAlarm({ name, stub: env.LEDGER.getByName(ledgerKey(name)) })
    const records = await recordsOf(customer)
    expect(records.map(({ action, mode, actor }) => ({ action, mode, actor }))).toEqual([
      { action: 'entitlements.create', mode: 'live', actor: test.key_id },
      { action: 'credits.grant', mode: 'test', actor: test.key_id },
    ])
  })

  it('changes of one moment keep their order, over flushes', async () => {
    const customer = await createCustomer()
    for (const limit of [1, 2, 3, 4, 5]) {
      await post(customer.api_key, '/v1/credits/wallets', { overdraft_limit: limit }, 'PATCH')
      if (limit === 3) await runAlarm(ledgerOf(customer.customer_id))
    }
    const steps = (await recordsOf(customer)).map(({ before, after }) => [before, after])
    expect(steps).toEqual(
      [5, 4, 3, 2, 1].map((limit) => [{ overdraft_limit: limit - 1 }, { overdraft_limit: limit }]),
    )
  })
})

describe('texts from the request', () => {
  it('an invalid address is left out, and a request id has at most the length that a request may set', async () => {
    const customer = await createCustomer()
    const headers = { 'CF-Connecting-IP': `${'1'.repeat(500)}`, 'X-Request-Id': 'x'.repeat(65) }
    await granted(customer.api_key, { amount: 1 }, headers)
    const [record] = await recordsOf(customer)
    expect(record?.ip).toBeNull()
    expect(textField(record ?? {}, 'request_id')).toMatch(/^req_/)
  })
})
