import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { setLedgerAccount } from '../../src/ledger/client/client.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { balanceOf, GPT_4O, ingest, ingested, type Json, objects } from '../support/client.ts'
import { createCustomer, type TestCustomer, unique } from '../support/customers.ts'
import { ledgerOf, type TestLedger } from '../support/ledgers.ts'
import { limitTier, rateHeaders } from '../support/limits.ts'
import { expectProblem } from '../support/problems.ts'

/** An event without a cost, so that only the quota can refuse it. */
const FREE = { event_type: 'API_CALL', feature_id: 'search' }

afterEach(() => {
  vi.useRealTimers()
})

function batch(count: number, event: object = FREE): Json {
  return { events: Array.from({ length: count }, () => event) }
}

/** Creates a customer with a monthly quota of `events_a_month` events. */
async function customerWithQuota(
  events_a_month: number,
): Promise<TestCustomer & { readonly ledger: TestLedger }> {
  const customer = await createCustomer({ tier: 'GROWTH' })
  const ledger = ledgerOf(customer.customer_id)
  await limitTier(ledger, 'GROWTH', { events_a_month })
  return { ...customer, ledger }
}

function countedInJournal(ledger: TestLedger): Promise<number> {
  return runInDurableObject(ledger.stub, (_, { storage }) =>
    Number(
      storage.sql.exec('SELECT month_events FROM journal ORDER BY row_id DESC LIMIT 1').one().month_events,
    ),
  )
}

describe('the monthly quota', () => {
  // The clock is set to the middle of a month, because a test that runs across the end of a month would use two quotas.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 15, 12) })
  })

  it('of the first tier is exactly 10,000 events', async () => {
    const { api_key, customer_id } = await createCustomer({ tier: 'STARTER' })
    for (let sent = 0; sent < 9_000; sent += 1_000) {
      expect(await ingested(api_key, batch(1_000))).toMatchObject({ accepted: 1_000, rejected: 0 })
    }
    await ingested(api_key, batch(999))
    expect(await ingested(api_key, batch(3))).toMatchObject({ accepted: 1, rejected: 2 })
    const problem = await expectProblem(await ingest(api_key, FREE), 429, 'quota_exceeded')
    expect(problem).toMatchObject({ limit: 10_000 })
    expect(await countedInJournal(ledgerOf(customer_id))).toBe(10_000)
  })

  it('rejects in a batch what is above it, and nothing else', async () => {
    const { api_key } = await customerWithQuota(5)
    const invalid = { ...FREE, input_tokens: -1 }
    const { results, ...sums } = await ingested(api_key, {
      events: [FREE, invalid, FREE, FREE, FREE, FREE, FREE, invalid, FREE],
    })
    expect(sums).toMatchObject({ accepted: 5, rejected: 4, duplicates: 0 })
    expect(objects(results).map(({ status }) => status)).toEqual([
      'accepted',
      'rejected',
      'accepted',
      'accepted',
      'accepted',
      'accepted',
      'rejected',
      'rejected',
      'rejected',
    ])
    expect(objects(results)[6]).toMatchObject({
      id: null,
      error: {
        code: 'quota_exceeded',
        detail: expect.stringMatching(
          /^The monthly quota of 5 events .* resets at \d{4}-\d\d-01T00:00:00\.000Z\.$/,
        ),
      },
    })
    // An invalid event gets the error about its invalid field, even if the quota is used up.
    expect(objects(results)[7]).toMatchObject({ error: { code: 'invalid_request' } })
  })

  it('is exact when batches and single events arrive at once', async () => {
    const { api_key, ledger } = await customerWithQuota(50)
    const answers = await Promise.all([
      ...Array.from({ length: 9 }, () => ingest(api_key, batch(7))),
      ...Array.from({ length: 20 }, () => ingest(api_key, FREE)),
    ])
    const accepted = await Promise.all(
      answers.map(async (response) => {
        const body = await jsonOf(response)
        return 'accepted' in body ? Number(body.accepted) : response.status === 200 ? 1 : 0
      }),
    )
    expect(accepted.reduce((sum, count) => sum + count, 0)).toBe(50)
    expect(await countedInJournal(ledger)).toBe(50)
  })

  it('is not used up by replays, and replays still work when it is used up', async () => {
    const { api_key } = await customerWithQuota(2)
    const event = { ...GPT_4O, idempotency_key: unique('key') }
    const first = await ingested(api_key, event)
    for (let count = 0; count < 5; count++) expect(await ingested(api_key, event)).toEqual(first)
    await ingested(api_key, FREE)
    expect(await ingested(api_key, event)).toEqual(first)
    expect(await ingested(api_key, { events: [event, FREE] })).toMatchObject({ duplicates: 1, rejected: 1 })
  })

  it('refuses without burning, and leaves the key unused until the month turns', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 30, 23, 59) })
    const { api_key } = await customerWithQuota(1)
    await ingested(api_key, GPT_4O)
    const event = { ...GPT_4O, idempotency_key: unique('key') }
    const refused = await ingest(api_key, event)
    const problem = await expectProblem(refused, 429, 'quota_exceeded')
    expect(problem).toMatchObject({ limit: 1, resets_at: '2026-12-01T00:00:00.000Z' })
    expect(rateHeaders(refused).retry_after).toBe('60')
    expect(await balanceOf(api_key)).toBe(9_985)

    vi.setSystemTime(Date.UTC(2026, 11, 1))
    // An event whose timestamp is in November but that arrives in December counts towards the quota of December.
    const late = await ingested(api_key, { ...event, timestamp: '2026-11-30T23:59:59Z' })
    expect(late).toMatchObject({ credits_burned: 15 })
    await expectProblem(await ingest(api_key, FREE), 429, 'quota_exceeded')
  })

  it('is not given back by a void', async () => {
    const { api_key } = await customerWithQuota(1)
    const { id } = await ingested(api_key, GPT_4O)
    expect((await api(`/v1/events/${id}/void`, { key: api_key, method: 'POST' })).status).toBe(200)
    await expectProblem(await ingest(api_key, FREE), 429, 'quota_exceeded')
  })

  it('counts everything that creates an event, and nothing else', async () => {
    const { api_key } = await customerWithQuota(1)
    const hold = async () => {
      const response = await api('/v1/holds', { key: api_key, body: { feature_id: 'chat', credits: 100 } })
      return String((await jsonOf(response)).hold_id)
    }
    const [first, second] = [await hold(), await hold()]
    const capture = (id: string, body: object) => api(`/v1/holds/${id}/capture`, { key: api_key, body })
    expect((await capture(first, { event: GPT_4O })).status).toBe(200)
    await expectProblem(await capture(first, { event: GPT_4O }), 429, 'quota_exceeded')
    await expectProblem(await ingest(api_key, { ...GPT_4O, hold_id: second }), 429, 'quota_exceeded')
    expect((await capture(second, { credits: 15, final: true })).status).toBe(200)
    expect((await api('/v1/credits/grant', { key: api_key, body: { amount: 1 } })).status).toBe(201)
    expect(await hold()).toMatch(/^hold_/)
  })

  it('continues its count after a restart', async () => {
    const { api_key, ledger } = await customerWithQuota(3)
    await ingested(api_key, batch(2))
    await evictDurableObject(ledger.stub)
    await limitTier(ledger, 'GROWTH', { events_a_month: 3 })
    expect(await ingested(api_key, batch(2))).toMatchObject({ accepted: 1, rejected: 1 })
    await evictDurableObject(ledger.stub)
    await limitTier(ledger, 'GROWTH', { events_a_month: 3 })
    await expectProblem(await ingest(api_key, FREE), 429, 'quota_exceeded')
  })

  it('follows a changed tier at once', async () => {
    const { api_key, ledger } = await customerWithQuota(1)
    await ingested(api_key, FREE)
    await expectProblem(await ingest(api_key, FREE), 429, 'quota_exceeded')
    await setLedgerAccount(env, ledger.name, { tier: 'ENTERPRISE', status: 'ACTIVE', revision: 100 })
    expect(await ingested(api_key, batch(100))).toMatchObject({ accepted: 100 })
    await setLedgerAccount(env, ledger.name, { tier: 'GROWTH', status: 'ACTIVE', revision: 101 })
    await expectProblem(await ingest(api_key, FREE), 429, 'quota_exceeded')
  })

  it('is separate for each ledger: those of another customer and of the test ledger stay unused', async () => {
    const { api_key } = await customerWithQuota(1)
    const made = await api('/v1/api-keys', { key: api_key, body: { name: 'Test', mode: 'test' } })
    const test_key = textField(await jsonOf(made), 'api_key')
    const other = await createCustomer({ tier: 'GROWTH' })
    await ingested(api_key, FREE)
    await expectProblem(await ingest(api_key, FREE), 429, 'quota_exceeded')
    expect((await ingest(other.api_key, FREE)).status).toBe(200)
    expect((await ingest(test_key, FREE)).status).toBe(200)
  })
})
