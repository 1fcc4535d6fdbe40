import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { revokeLedgerKey, setLedgerAccount } from '../../src/ledger/client/client.ts'
import { api } from '../support/api.ts'
import { balanceOf, expectNothingMoved, GPT_4O, granted, ingest, ingested } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, type TestCustomer, unique } from '../support/customers.ts'
import { deployed } from '../support/deployment.ts'
import { createKey } from '../support/keys.ts'
import { ledgerOf } from '../support/ledgers.ts'
import { limitTier, rateHeaders } from '../support/limits.ts'
import { expectProblem } from '../support/problems.ts'

/** The number of requests per minute that the STARTER tier allows. */
const STARTER = 100
const POLICY = `"default";q=${STARTER};w=60`
const NOON = Date.UTC(2026, 10, 23, 12)

const BALANCE = '/v1/credits/balance'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOON })
})
afterEach(() => {
  vi.useRealTimers()
})

async function starter(): Promise<TestCustomer> {
  return createCustomer({ tier: 'STARTER' })
}

function balance(key: string): Promise<Response> {
  return api(BALANCE, { key })
}

/** Sends `requests` concurrent requests. Returns the number of requests that the rate limit did not refuse. */
async function passed(requests: number, send: (index: number) => Promise<Response>): Promise<number> {
  const responses = await Promise.all(Array.from({ length: requests }, (_, index) => send(index)))
  return responses.filter(({ status }) => status !== 429).length
}

describe('the requests of a customer in a minute', () => {
  it('are limited exactly to those of its tier, for any number of concurrent requests', async () => {
    const { api_key } = await starter()
    const sends = [
      () => balance(api_key),
      () => ingest(api_key, GPT_4O),
      // The rate limit also counts requests that the ledger refuses for another reason.
      () => api(`${BALANCE}?user_id=nobody`, { key: api_key }),
      () => api('/v1/credits/grant', { key: api_key, body: { amount: 1 } }),
    ]
    const send = (index: number) => sends[index % sends.length]?.() ?? balance(api_key)
    expect(await passed(STARTER + 40, send)).toBe(STARTER)
    expect(await passed(10, send)).toBe(0)
  })

  it('are counted down in the headers of every response, and refused with the time to wait', async () => {
    const { api_key } = await starter()
    expect(rateHeaders(await balance(api_key))).toEqual({
      policy: POLICY,
      rate: '"default";r=99;t=60',
      retry_after: null,
    })
    vi.setSystemTime(NOON + 15_001)
    const unknown = await api(`${BALANCE}?user_id=nobody`, { key: api_key })
    expect(unknown.status).toBe(404)
    expect(rateHeaders(unknown)).toMatchObject({ policy: POLICY, rate: '"default";r=98;t=45' })
    const poor = await ingest(api_key, { ...GPT_4O, input_tokens: 1_000_000_000 })
    expect(poor.status).toBe(402)
    expect(rateHeaders(poor)).toMatchObject({ rate: '"default";r=97;t=45' })
    expect(await passed(STARTER - 4, () => balance(api_key))).toBe(STARTER - 4)

    vi.setSystemTime(NOON + 59_999)
    expect(rateHeaders(await balance(api_key))).toMatchObject({ rate: '"default";r=0;t=1' })
    const refused = await balance(api_key)
    expect(rateHeaders(refused)).toEqual({ policy: POLICY, rate: '"default";r=0;t=1', retry_after: '1' })
    await expectProblem(refused, 429, 'rate_limited')
  })

  it('start again with each minute: two requests around its start belong to different minutes', async () => {
    const { api_key } = await starter()
    vi.setSystemTime(NOON + 59_999)
    expect(await passed(STARTER - 1, () => balance(api_key))).toBe(STARTER - 1)
    expect(rateHeaders(await balance(api_key)).rate).toBe('"default";r=0;t=1')
    expect((await balance(api_key)).status).toBe(429)
    vi.setSystemTime(NOON + 60_000)
    expect(rateHeaders(await balance(api_key)).rate).toBe('"default";r=99;t=60')
    expect(await passed(STARTER, () => balance(api_key))).toBe(STARTER - 1)
  })

  it('do not affect other customers', async () => {
    const [first, second] = await Promise.all([starter(), starter()])
    expect(await passed(STARTER + 20, () => balance(first.api_key))).toBe(STARTER)
    expect(rateHeaders(await balance(second.api_key)).rate).toBe('"default";r=99;t=60')
  })

  it('are those of all its live keys together; test keys count separately, even for shared definitions', async () => {
    const { api_key, customer_id } = await starter()
    const other = await createKey(customer_id)
    const test = await createKey(customer_id, { mode: 'test' })
    const keys = [api_key, other.api_key]
    expect(await passed(STARTER + 20, (index) => balance(keys[index % 2] ?? api_key))).toBe(STARTER)
    expect((await api('/v1/burn-tables', { key: api_key })).status).toBe(429)
    const shared = await api('/v1/burn-tables', { key: test.api_key })
    expect(shared.status).toBe(200)
    expect(rateHeaders(shared).rate).toBe('"default";r=99;t=60')
  })

  it('follow a changed tier at once, with the earlier counts', async () => {
    const { api_key, customer_id } = await starter()
    const { name } = ledgerOf(customer_id)
    expect(await passed(STARTER + 1, () => balance(api_key))).toBe(STARTER)
    await setLedgerAccount(env, name, { tier: 'GROWTH', status: 'ACTIVE', revision: 100 })
    const response = await balance(api_key)
    expect(rateHeaders(response)).toMatchObject({
      policy: '"default";q=1000;w=60',
      rate: `"default";r=${1000 - STARTER - 2};t=60`,
    })
    await setLedgerAccount(env, name, { tier: 'STARTER', status: 'ACTIVE', revision: 101 })
    expect((await balance(api_key)).status).toBe(429)
  })

  it('are counted for a suspended customer, too', async () => {
    const { api_key, customer_id } = await starter()
    await setLedgerAccount(env, ledgerOf(customer_id).name, {
      tier: 'STARTER',
      status: 'SUSPENDED',
      revision: 100,
    })
    const refused = await ingest(api_key, GPT_4O)
    expect(refused.status).toBe(403)
    expect(rateHeaders(refused).rate).toBe('"default";r=99;t=60')
  })
})

describe('one request', () => {
  it('counts once, for any number of events', async () => {
    const { api_key } = await starter()
    const batch = await ingest(api_key, { events: Array.from({ length: 100 }, () => GPT_4O) })
    expect(batch.status).toBe(200)
    expect(rateHeaders(batch).rate).toBe('"default";r=99;t=60')
  })

  it('counts once, for any number of calls of its ledger', async () => {
    const { api_key } = await starter()
    const { transaction_id } = await granted(api_key, { amount: 10 })
    const { id } = await ingested(api_key, GPT_4O)
    // A refund calls the ledger twice, because it first looks up its transaction. A void also calls it twice, because
    // it first looks up its event. Each request counts only once.
    const refund = await api('/v1/credits/refund', { key: api_key, body: { transaction_id } })
    expect(rateHeaders(refund).rate).toBe('"default";r=97;t=60')
    const voided = await api(`/v1/events/${id}/void`, { key: api_key, method: 'POST' })
    expect(voided.status).toBe(200)
    expect(rateHeaders(voided).rate).toBe('"default";r=96;t=60')
  })

  it('that is the last of the minute is completed, although it calls its ledger twice', async () => {
    const { api_key, customer_id } = await starter()
    const { id } = await ingested(api_key, GPT_4O)
    await limitTier(ledgerOf(customer_id), 'STARTER', { requests_a_minute: 2 })
    const voided = await api(`/v1/events/${id}/void`, { key: api_key, method: 'POST' })
    expect(voided.status).toBe(200)
    expect(rateHeaders(voided).rate).toBe('"default";r=0;t=60')
    expect((await balance(api_key)).status).toBe(429)
  })

  it('whose result was lost is tried again without being counted again, and so replayed', async () => {
    const { api_key, customer_id } = await starter()
    const ledger = ledgerOf(customer_id)
    await limitTier(ledger, 'STARTER', { requests_a_minute: 1 })
    const event = { ...GPT_4O, idempotency_key: unique('key') }
    const response = await deployed({ LEDGER: losingAnswers(1) }, '/v1/events/ingest', {
      key: api_key,
      body: event,
    })
    expect(response.status).toBe(200)
    expect(response.headers.get('Idempotency-Replayed')).toBe('true')
    expect((await balance(api_key)).status).toBe(429)
  })

  it('counts when it is a replay', async () => {
    const { api_key } = await starter()
    const event = { ...GPT_4O, idempotency_key: unique('key') }
    await ingested(api_key, event)
    const replay = await ingest(api_key, event)
    expect(replay.headers.get('Idempotency-Replayed')).toBe('true')
    expect(rateHeaders(replay).rate).toBe('"default";r=98;t=60')
  })

  it('that is refused changes nothing, and passes with its key in the next minute', async () => {
    const { api_key, customer_id } = await starter()
    await limitTier(ledgerOf(customer_id), 'STARTER', { requests_a_minute: 4 })
    const event = { ...GPT_4O, idempotency_key: unique('key') }
    await expectNothingMoved(api_key, async () => {
      // Three reads were already counted, so the next read is the last request that the limit of four allows.
      await balance(api_key)
      const refused = await ingest(api_key, event)
      await expectProblem(refused, 429, 'rate_limited')
      vi.setSystemTime(NOON + 60_000)
    })
    const response = await ingest(api_key, event)
    expect(response.status).toBe(200)
    expect(response.headers.get('Idempotency-Replayed')).toBeNull()
    vi.setSystemTime(NOON + 120_000)
    expect(await balanceOf(api_key)).toBe(9_985)
  })

  it('that the Worker refuses by itself is not counted, and has no exact headers', async () => {
    const { api_key } = await starter()
    const invalid = await ingest(api_key, { event_type: 'NONSENSE' })
    expect(invalid.status).toBe(400)
    expect(rateHeaders(invalid)).toEqual({ policy: null, rate: null, retry_after: null })
    expect(rateHeaders(await balance(api_key)).rate).toBe('"default";r=99;t=60')
  })
})

/**
 * Returns a namespace of ledger objects in which the next `count` ingest calls take effect but fail with a network
 * error.
 */
function losingAnswers(count: number): typeof env.LEDGER {
  let lost = 0
  return Object.create(env.LEDGER, {
    idFromName: { value: (name: string) => env.LEDGER.idFromName(name) },
    get: {
      value: (id: DurableObjectId) => ({
        ingest: async (caller: string, packed: string, texts: readonly string[]) => {
          const answer = await env.LEDGER.get(id).ingest(caller, packed, texts)
          if (lost++ < count) throw Object.assign(new Error('Network connection lost.'), { retryable: true })
          return answer
        },
      }),
    },
  })
}

describe('callers that are not counted', () => {
  it('a deleted key: its holder does not use up the customer’s minute', async () => {
    const { api_key, customer_id } = await starter()
    const leaked = await createKey(customer_id)
    // Revokes the key only in the ledger, so that the caches still accept it.
    expect((await balance(leaked.api_key)).status).toBe(200)
    await revokeLedgerKey(env, ledgerOf(customer_id).name, leaked.key_id, Date.now())
    const refused = await Promise.all(Array.from({ length: STARTER + 20 }, () => balance(leaked.api_key)))
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([401]))
    expect(rateHeaders(await balance(api_key)).rate).toBe('"default";r=98;t=60')
  })

  it('the operator, who works on a ledger whose customer has used up its minute', async () => {
    const { api_key, customer_id } = await starter()
    expect(await passed(STARTER + 1, () => balance(api_key))).toBe(STARTER)
    const response = await api('/v1/admin/rerate', { key: OPERATOR_TOKEN, body: { customer_id } })
    expect(response.status).toBe(200)
    expect(rateHeaders(response)).toEqual({ policy: null, rate: null, retry_after: null })
  })
})
