import { evictDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { textField } from '../support/api.ts'
import { answered, expectRefused, GPT_4O, ingest, ingested, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, type TestCustomer, unique } from '../support/customers.ts'
import { ledgerOf, rowsWrittenBy, runAlarm } from '../support/ledgers.ts'
import { checked, entitled, put } from './support.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/**
 * The start time of the tests. A new minute begins at this time, and rolling windows of one hour count use by minute.
 */
const NOON = Date.UTC(2030, 4, 6, 12)

let customer: TestCustomer
let key: string
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  customer = await createCustomer()
  key = customer.api_key
  vi.setSystemTime(NOON)
})
afterEach(() => {
  vi.useRealTimers()
})

const HOUR = { limit_type: 'HARD', unit: 'events', period: 'ROLLING', rolling: { hours: 1 } }
const at = (ms: number) => new Date(NOON + ms).toISOString()
const later = (ms: number) => vi.setSystemTime(NOON + ms)

async function statuses(count: number, event: object = GPT_4O): Promise<Record<number, number>> {
  const responses = await Promise.all(Array.from({ length: count }, () => ingest(key, event)))
  return Object.fromEntries(
    [...Map.groupBy(responses, ({ status }) => status)].map(([status, same]) => [status, same.length]),
  )
}

describe('a rolling limit', () => {
  it('frees the use of an hour ago, and states the time', async () => {
    const id = await entitled(key, { ...HOUR, limit_value: 3 })
    expect(await read(key, `/v1/entitlements/${id}`)).toMatchObject({
      period: 'ROLLING',
      rolling: { hours: 1 },
    })
    expect(await checked(key)).toMatchObject({ limit: { used: 0, resets_at: null } })
    await ingested(key, GPT_4O)
    later(20 * MINUTE_MS)
    await ingested(key, GPT_4O)
    await ingested(key, GPT_4O)
    later(59 * MINUTE_MS)
    const refused = await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    // The first event leaves the window after an hour and a minute, because use is counted by minute, and the whole
    // minute must leave the window.
    const first_frees = at(61 * MINUTE_MS)
    expect(refused).toMatchObject({ limit: 3, used: 3, resets_at: first_frees })
    expect(refused.detail).toContain(`The oldest use leaves the window at ${first_frees}.`)
    expect(await checked(key)).toMatchObject({
      message:
        "The use would exceed the customer's limit of 3 events in any hour, of which 3 are used or held.",
      limit: { period: 'ROLLING', rolling: { hours: 1 }, used: 3, remaining: 0, resets_at: first_frees },
    })
    later(61 * MINUTE_MS - 1)
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    later(61 * MINUTE_MS)
    await ingested(key, GPT_4O)
    const next = await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    expect(next.resets_at).toBe(at(81 * MINUTE_MS))
  })

  it('of 10 lets exactly 10 of 30 concurrent events pass, and 10 more after these have left the window', async () => {
    await entitled(key, { ...HOUR, limit_value: 10 })
    expect(await statuses(30)).toEqual({ 200: 10, 402: 20 })
    later(60 * MINUTE_MS)
    expect(await statuses(3)).toEqual({ 402: 3 })
    later(61 * MINUTE_MS)
    expect(await statuses(30)).toEqual({ 200: 10, 402: 20 })
  })

  it('knows its parts after a restart, from the journal and from the checkpoint', async () => {
    const ledger = ledgerOf(customer.customer_id)
    await entitled(key, { ...HOUR, limit_value: 4 })
    await ingested(key, GPT_4O)
    later(30 * MINUTE_MS)
    await ingested(key, GPT_4O)
    await evictDurableObject(ledger.stub)
    later(40 * MINUTE_MS)
    await ingested(key, GPT_4O)
    await runAlarm(ledger)
    await evictDurableObject(ledger.stub)
    expect(await checked(key)).toMatchObject({ limit: { used: 3, resets_at: at(61 * MINUTE_MS) } })
    later(61 * MINUTE_MS)
    expect(await checked(key)).toMatchObject({ limit: { used: 2, resets_at: at(91 * MINUTE_MS) } })
    await ingested(key, GPT_4O)
    await ingested(key, GPT_4O)
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
  })

  it('writes no more rows than without one', async () => {
    await entitled(key, { ...HOUR, limit_value: 100 })
    await ingested(key, GPT_4O)
    later(30 * MINUTE_MS)
    const ledger = ledgerOf(customer.customer_id)
    expect(await rowsWrittenBy(ledger, () => ingested(key, { ...GPT_4O, idempotency_key: 'k' }))).toBe(2)
  })

  it('counts a hold until it ends, and a capture at the time of the capture', async () => {
    await entitled(key, { ...HOUR, limit_value: 1 })
    const hold = await answered(
      key,
      '/v1/holds',
      { feature_id: 'chat', credits: 5, expires_in_seconds: 86400 },
      201,
    )
    later(5 * HOUR_MS)
    const refused = await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    expect(refused).toMatchObject({ used: 1, resets_at: null })
    expect(refused.detail).toContain('The limit has no known reset time.')
    await answered(key, `/v1/holds/${textField(hold, 'hold_id')}/capture`, { credits: 5, final: true })
    const next = await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    expect(next.resets_at).toBe(at(5 * HOUR_MS + 61 * MINUTE_MS))
  })

  it('gives a voided use back while its part is in the window', async () => {
    await entitled(key, { ...HOUR, limit_value: 2 })
    const first = await ingested(key, GPT_4O)
    later(30 * MINUTE_MS)
    const second = await ingested(key, GPT_4O)
    await answered(key, `/v1/events/${textField(first, 'id')}/void`, {})
    expect(await checked(key)).toMatchObject({ limit: { used: 1, resets_at: at(91 * MINUTE_MS) } })
    later(95 * MINUTE_MS)
    await ingested(key, GPT_4O)
    await answered(key, `/v1/events/${textField(second, 'id')}/void`, {})
    expect(await checked(key)).toMatchObject({ limit: { used: 1 } })
  })

  it('counts a late price when it burns', async () => {
    vi.setSystemTime(Date.now())
    const model = unique('model')
    await entitled(key, { ...HOUR, unit: 'credits', limit_value: 15 })
    const late = { ...GPT_4O, model, input_tokens: 1500, output_tokens: 0 }
    const { id } = await ingested(key, late)
    later(30 * MINUTE_MS)
    const prices = { input_tokens: { amount: '5', per: 1_000_000 } }
    const price = { provider: 'OPENAI', model, effective_from: at(-HOUR_MS), prices }
    await answered(OPERATOR_TOKEN, '/v1/admin/provider-costs', price, 201)
    const rated = await answered(OPERATOR_TOKEN, '/v1/admin/rerate', { customer_id: customer.customer_id })
    expect(rated).toMatchObject({ rated: 1 })
    expect(await checked(key)).toMatchObject({ limit: { used: 15, resets_at: at(91 * MINUTE_MS) } })
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    await answered(key, `/v1/events/${String(id)}/void`, {})
    expect(await checked(key)).toMatchObject({ limit: { used: 0 } })
  })

  it('of the same length keeps its count when it is replaced, and of another length begins at zero', async () => {
    const id = await entitled(key, { ...HOUR, limit_value: 1, rolling: { hours: 24 } })
    await ingested(key, GPT_4O)
    await put(key, id, { ...HOUR, limit_value: 1, rolling: { days: 1 } })
    await expectRefused(await ingest(key, GPT_4O), 402, 'limit_reached')
    await put(key, id, { ...HOUR, limit_value: 1, rolling: { days: 2 } })
    await ingested(key, GPT_4O)
  })
})
