import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { TierLimits } from '../../src/config.ts'
import { openLedger } from '../../src/ledger/client/client.ts'
import { api, textField } from '../support/api.ts'
import { answered, balanceOf, expectRefused, GPT_4O, granted, ingested, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { ACCOUNT, inStore, ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { limitTier } from '../support/limits.ts'

/** Tests the quotas that do not count events: the number of changes per month, and the total size of the metadata. */

/** The numbers of the counters of quotas: see `src/ledger/admission/quotas.ts`. */
const CHANGES_COUNTER = 0
const METADATA = -1
/** Metadata whose JSON text has 1,000 bytes. */
const KILOBYTE = { note: 'x'.repeat(989) }

afterEach(() => {
  vi.useRealTimers()
})

async function customerWith(limits: Partial<TierLimits>) {
  const customer = await createCustomer()
  const ledger = ledgerOf(customer.customer_id)
  await limitTier(ledger, 'ENTERPRISE', limits)
  return { ...customer, key: customer.api_key, ledger }
}

/** Restarts the ledger object with other limits for its tier. */
async function restart(ledger: TestLedger, limits: Partial<TierLimits>): Promise<void> {
  await evictDurableObject(ledger.stub)
  await limitTier(ledger, 'ENTERPRISE', limits)
}

const entitlement = (feature_id: string, json: object) => ({
  feature_id,
  limit_type: 'NONE',
  ...json,
})

describe('the metadata of a ledger', () => {
  const THREE_KILOBYTES = { metadata_mb: 0.003 }
  const STORES: Readonly<Record<string, (key: string) => Promise<Response>>> = {
    grant: (key) => api('/v1/credits/grant', { key, body: { amount: 1, metadata: KILOBYTE } }),
    purchase: (key) =>
      api('/v1/credits/purchase', { key, body: { amount: 1, price_usd: 1, metadata: KILOBYTE } }),
    'entitlement with metadata': (key) =>
      api('/v1/entitlements', { key, body: entitlement(crypto.randomUUID(), { metadata: KILOBYTE }) }),
    'entitlement with a value': (key) =>
      api('/v1/entitlements', { key, body: entitlement(crypto.randomUUID(), { value: KILOBYTE }) }),
  }

  it.each(Object.entries(STORES))('has a quota: a %s above it is refused by name', async (_, store) => {
    const { key } = await customerWith(THREE_KILOBYTES)
    for (let i = 0; i < 3; i++) expect((await store(key)).status).toBe(201)
    const { detail } = await expectRefused(await store(key), 409, 'too_many_open')
    expect(detail).toBe(
      "The metadata of the ledger's grants, purchases and entitlements would exceed the tier's limit of 0.003 MB. Send the request without metadata.",
    )
    expect(await granted(key, { amount: 1 })).toMatchObject({ amount: 1 })
  })

  it('is counted in bytes, not in characters', async () => {
    const { key } = await customerWith({ metadata_mb: 0.001 })
    const metadata = { note: '語'.repeat(329) }
    await granted(key, { amount: 1, metadata })
    await expectRefused(
      await api('/v1/credits/grant', { key, body: { amount: 1, metadata: { a: 1 } } }),
      409,
      'too_many_open',
    )
  })

  it('is counted exactly after a flush and a restart, and not for refused or repeated requests', async () => {
    const { key, ledger } = await customerWith(THREE_KILOBYTES)
    const once = { 'Idempotency-Key': 'grant-1' }
    const body = { amount: 1, metadata: KILOBYTE }
    for (let i = 0; i < 3; i++) await granted(key, body, once)
    await expectRefused(
      await api('/v1/credits/grant', { key, body: { ...body, expires_at: '2020-01-01T00:00:00Z' } }),
      400,
      'invalid_request',
    )
    await restart(ledger, THREE_KILOBYTES)
    await granted(key, body)
    await runAlarm(ledger)
    await answered(key, '/v1/entitlements', entitlement('a', {}), 201)
    await runAlarm(ledger)
    await restart(ledger, THREE_KILOBYTES)
    await granted(key, body)
    const full = { 'Idempotency-Key': 'grant-4' }
    await expectRefused(await api('/v1/credits/grant', { key, body, headers: full }), 409, 'too_many_open')
    expect(await granted(key, body, once)).toMatchObject({ amount: 1 })
    await limitTier(ledger, 'ENTERPRISE', { metadata_mb: 1 })
    await granted(key, body, full)
  })

  it('of an entitlement is freed when it is replaced or deleted, and its row keeps none', async () => {
    const { key, ledger } = await customerWith(THREE_KILOBYTES)
    const made = await answered(key, '/v1/entitlements', entitlement('a', { metadata: KILOBYTE }), 201)
    const path = `/v1/entitlements/${textField(made, 'id')}`
    const smaller = { limit_type: 'NONE', metadata: { note: 'x'.repeat(489) }, value: KILOBYTE }
    for (let i = 0; i < 5; i++) await answered(key, path, smaller, 200, 'PUT')
    await granted(key, { amount: 1, metadata: KILOBYTE })
    await expectRefused(
      await api('/v1/credits/grant', { key, body: { amount: 1, metadata: KILOBYTE } }),
      409,
      'too_many_open',
    )
    await expectRefused(
      await api(path, { key, method: 'PUT', body: { ...smaller, metadata: { note: 'x'.repeat(1_000) } } }),
      409,
      'too_many_open',
    )
    expect((await api(path, { key, method: 'DELETE' })).status).toBe(200)
    await granted(key, { amount: 1, metadata: KILOBYTE })
    const [deleted] = await inStore(ledger, (store) => store.entitlements.changedAfter(0, 10))
    expect(deleted).toMatchObject({ deleted: true, feature_id: 'a' })
    expect(JSON.stringify(deleted)).not.toContain('xxx')
  })

  it.each(['user', 'team'])('of the entitlements of a %s is freed by the erasure, once', async (kind) => {
    const { key, ledger, customer_id } = await customerWith(THREE_KILOBYTES)
    const { api_key: test_key } = await createKey(customer_id, { mode: 'test' })
    const test_ledger = ledgerOf(customer_id, 'test')
    await openLedger(env, { ledger: test_ledger.name, signup_grant_micro: 0, account: ACCOUNT })
    const texts = { metadata: KILOBYTE, value: KILOBYTE }
    const erase = (by = key) => api(`/v1/${kind}s/zoe`, { key: by, method: 'DELETE' })
    const used = async (of: TestLedger) =>
      Number((await inStore(of, ({ limits }) => limits.read(METADATA)?.used)) ?? 0)
    const own = await answered(
      key,
      '/v1/entitlements',
      entitlement('a', { [`${kind}_id`]: 'zoe', ...texts }),
      201,
    )
    await answered(key, '/v1/entitlements', entitlement('b', { [`${kind}_id`]: 'zoe' }), 201)
    await granted(key, { [`${kind}_id`]: 'zoe', amount: 1, metadata: KILOBYTE })
    expect(await used(ledger)).toBe(3_000)
    await runAlarm(ledger)
    expect((await erase()).status).toBe(200)
    expect((await api(`/v1/entitlements/${textField(own, 'id')}`, { key })).status).toBe(404)
    // The metadata of the grant still counts.
    expect(await used(ledger)).toBe(1_000)
    await restart(ledger, THREE_KILOBYTES)
    expect(await used(ledger)).toBe(1_000)
    // The next user or team with the id has no entitlements.
    await granted(key, { [`${kind}_id`]: 'zoe', amount: 1 })
    expect((await erase()).status).toBe(200)
    expect(await used(ledger)).toBe(1_000)
    await answered(key, '/v1/entitlements', entitlement('a', { metadata: KILOBYTE }), 201)
    // The copies of the entitlements in the test ledger never counted there.
    await granted(test_key, { [`${kind}_id`]: 'zoe', amount: 1, metadata: KILOBYTE })
    await answered(
      key,
      '/v1/entitlements',
      entitlement('c', { [`${kind}_id`]: 'zoe', metadata: { a: 1 } }),
      201,
    )
    await runAlarm(test_ledger)
    expect((await erase(test_key)).status).toBe(200)
    expect(await used(test_ledger)).toBe(1_000)
  })

  it('of events has no such quota, because the number of events has one', async () => {
    const { key } = await customerWith({ metadata_mb: 0 })
    await ingested(key, { ...GPT_4O, metadata: KILOBYTE })
  })
})

describe('the changes of a month', () => {
  const CHANGES: Readonly<Record<string, (key: string) => Promise<Response>>> = {
    'POST /v1/credits/grant': (key) => api('/v1/credits/grant', { key, body: { amount: 1 } }),
    'POST /v1/credits/purchase': (key) =>
      api('/v1/credits/purchase', { key, body: { amount: 1, price_usd: 1 } }),
    'POST /v1/credits/adjust': (key) => api('/v1/credits/adjust', { key, body: { amount: 1, reason: 'r' } }),
    'POST /v1/credits/transfer': (key) =>
      api('/v1/credits/transfer', { key, body: { from: {}, to: { user_id: 'u' }, amount: 1 } }),
    'PATCH /v1/credits/wallets': (key) =>
      api('/v1/credits/wallets', { key, method: 'PATCH', body: { overdraft_limit: 1 } }),
    'POST /v1/holds': (key) => api('/v1/holds', { key, body: { feature_id: 'f', credits: 1 } }),
    'POST /v1/entitlements': (key) =>
      api('/v1/entitlements', { key, body: entitlement(crypto.randomUUID(), {}) }),
    'POST /v1/entitlements/check': (key) =>
      api('/v1/entitlements/check', { key, body: { ...CHECK, hold: true } }),
  }
  const CHECK = {
    feature_id: 'chat',
    action: {
      type: 'TOKEN_USAGE',
      provider: 'OPENAI',
      model: 'gpt-4o',
      estimated_input_tokens: 10,
      estimated_output_tokens: 10,
    },
  }

  it.each(Object.entries(CHANGES))('have a quota: %s above it is a 429', async (_, change) => {
    const { key } = await customerWith({ changes_a_month: 2 })
    for (let i = 0; i < 2; i++) expect((await change(key)).ok).toBe(true)
    const balance = await balanceOf(key)
    const response = await change(key)
    expect(Number(response.headers.get('Retry-After'))).toBeGreaterThan(0)
    const problem = await expectRefused(response, 429, 'quota_exceeded')
    expect(problem).toMatchObject({
      limit: 2,
      detail: expect.stringMatching(
        /^The monthly quota of 2 changes is used up\. The quota resets at \d{4}-\d\d-01T00:00:00\.000Z\.$/,
      ),
    })
    expect(await balanceOf(key)).toBe(balance)
  })

  it('used up, events are accepted, held credits are captured and released, and events are voided', async () => {
    const { key } = await customerWith({ changes_a_month: 2 })
    const held = await answered(key, '/v1/holds', { feature_id: 'f', credits: 5 }, 201)
    const other = await answered(key, '/v1/holds', { feature_id: 'f', credits: 5 }, 201)
    const path = `/v1/holds/${textField(held, 'hold_id')}`
    await expectRefused(
      await api(`${path}/extend`, { key, body: { expires_in_seconds: 9 } }),
      429,
      'quota_exceeded',
    )
    const event = await ingested(key, GPT_4O)
    await answered(key, `${path}/capture`, { credits: 5, final: true })
    await answered(key, `/v1/holds/${textField(other, 'hold_id')}/release`, {})
    await answered(key, `/v1/events/${textField(event, 'id')}/void`, {})
    const refund = { transaction_id: textField(event, 'id').replace('evt_', 'txn_') }
    await expectRefused(await api('/v1/credits/refund', { key, body: refund }), 429, 'quota_exceeded')
    expect(await read(key, '/v1/credits/balance')).toMatchObject({ balance: 9_995, reserved_balance: 0 })
  })

  it('include voids and cancellations of recurring grants, which are accepted even above the quota', async () => {
    const { key, ledger } = await customerWith({ changes_a_month: 3 })
    const event = await ingested(key, GPT_4O)
    const grant = await granted(key, { amount: 1, recurring: { every: 'month' } })
    await answered(key, `/v1/events/${textField(event, 'id')}/void`, {})
    await granted(key, { amount: 1 })
    await expectRefused(await api('/v1/credits/grant', { key, body: { amount: 1 } }), 429, 'quota_exceeded')
    const path = `/v1/credits/recurring-grants/${textField(grant, 'recurring_grant_id')}`
    expect((await api(path, { key, method: 'DELETE' })).status).toBe(200)
    expect(await inStore(ledger, ({ limits }) => limits.read(CHANGES_COUNTER)?.used)).toBe(4n)
  })

  it('are counted from the start of each month, by arrival', async () => {
    const { key, ledger } = await customerWith({ changes_a_month: 1 })
    await granted(key, { amount: 1 })
    await expectRefused(await api('/v1/credits/grant', { key, body: { amount: 1 } }), 429, 'quota_exceeded')
    vi.useFakeTimers({
      now: Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() + 1),
      toFake: ['Date'],
    })
    await restart(ledger, { changes_a_month: 1 })
    await granted(key, { amount: 1 })
    await expectRefused(await api('/v1/credits/grant', { key, body: { amount: 1 } }), 429, 'quota_exceeded')
  })
})
