import { beforeAll, describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import {
  balanceOf,
  expectInvalid,
  expectNothingMoved,
  expectRefused,
  GPT_4O,
  granted,
  ingest,
  ingested,
  listed,
  objects,
  purchased,
} from '../support/client.ts'
import { createCustomer, unique } from '../support/customers.ts'

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
})

/** Sends a request twice, and expects one burn and two byte-identical responses. */
async function expectReplay(first: () => Promise<Response>, second: () => Promise<Response>): Promise<void> {
  const answer = await first()
  expect(answer.status).toBe(200)
  expect(answer.headers.get('Idempotency-Replayed')).toBeNull()
  const again = await expectNothingMoved(key, second)
  expect(again.status).toBe(200)
  expect(again.headers.get('Idempotency-Replayed')).toBe('true')
  expect(await again.text()).toBe(await answer.text())
}

describe('the same event again', () => {
  const header = (idempotency_key: string) => ({ 'Idempotency-Key': idempotency_key })
  type Send = (idempotency_key: string) => Promise<Response>
  const inBody: Send = (idempotency_key) => ingest(key, { ...GPT_4O, idempotency_key })
  const inHeader: Send = (idempotency_key) => ingest(key, GPT_4O, header(idempotency_key))
  const inBoth: Send = (idempotency_key) =>
    ingest(key, { ...GPT_4O, idempotency_key }, header(idempotency_key))
  const ways: [what: string, first: Send, second: Send][] = [
    ['with its key in the body', inBody, inBody],
    ['with its key in the header', inHeader, inHeader],
    ['first in the header, then in the body', inHeader, inBody],
    ['first in the body, then in both', inBody, inBoth],
    [
      'by X-API-Key',
      inBody,
      (k) =>
        api('/v1/events/ingest', { body: { ...GPT_4O, idempotency_key: k }, headers: { 'X-API-Key': key } }),
    ],
  ]
  it.each(ways)('burns once: %s', async (_, first, second) => {
    const idempotency_key = unique('twice')
    await expectReplay(
      () => first(idempotency_key),
      () => second(idempotency_key),
    )
  })

  it('burns once, for any order of its fields', async () => {
    const idempotency_key = unique('order')
    const event = { ...GPT_4O, idempotency_key, metadata: { a: 1, b: { c: 2, d: [3, { e: 4, f: 5 }] } } }
    const other = `{"metadata":{"b":{"d":[3,{"f":5,"e":4}],"c":2},"a":1},"output_tokens":5e2,"input_tokens":1000.0,
      "idempotency_key":"${idempotency_key}","model":"gpt-4o","provider":"OPENAI","feature_id":"chat","event_type":"TOKEN_USAGE"}`
    await expectReplay(
      () => ingest(key, event),
      () => ingest(key, other),
    )
  })

  it('burns once when it is sent 50 times at once', async () => {
    const event = { ...GPT_4O, idempotency_key: unique('at-once') }
    const before = Number(await balanceOf(key))
    const answers = await Promise.all(Array.from({ length: 50 }, () => ingest(key, event)))
    const texts = await Promise.all(answers.map((answer) => answer.text()))
    expect(new Set(texts).size).toBe(1)
    expect(answers.filter((answer) => answer.headers.get('Idempotency-Replayed') === null)).toHaveLength(1)
    expect(await balanceOf(key)).toBe(before - 15)
  })

  it('is the same request alone and in a batch', async () => {
    const alone_first = { ...GPT_4O, idempotency_key: unique('alone-first') }
    const single = await ingested(key, alone_first)
    const batch = await expectNothingMoved(key, () => ingested(key, { events: [alone_first] }))
    expect(batch).toMatchObject({
      accepted: 0,
      duplicates: 1,
      rejected: 0,
      credits_burned: 0,
      balance_after: null,
    })
    expect(batch.results).toEqual([
      {
        index: 0,
        status: 'duplicate',
        id: single.id,
        credits_burned: 15,
        balance_after: single.balance_after,
      },
    ])

    const batch_first = { ...GPT_4O, idempotency_key: unique('batch-first') }
    const [accepted] = objects((await ingested(key, { events: [batch_first] })).results)
    const answer = await expectNothingMoved(key, () => ingest(key, batch_first))
    expect(answer.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await answer.json()).toMatchObject({
      id: accepted?.id,
      credits_burned: 15,
      balance_after: accepted?.balance_after,
    })
  })

  it('is burned again without a key, because a repeat cannot be recognised', async () => {
    const before = Number(await balanceOf(key))
    await ingested(key, GPT_4O)
    await ingested(key, GPT_4O)
    expect(await balanceOf(key)).toBe(before - 30)
  })
})

describe('a key with another request', () => {
  const changes: [what: string, change: object][] = [
    ['other tokens', { input_tokens: 1001 }],
    ['another feature', { feature_id: 'search' }],
    ['a user', { user_id: 'zoe' }],
    ['metadata', { metadata: {} }],
    ['a time, even if it is the one that was taken', { timestamp: new Date().toISOString() }],
    ['the same tokens given twice', { usage: { input_tokens: 1000 } }],
    ['the provider in lower case', { provider: 'openai' }],
  ]
  it.each(changes)('is refused: %s', async (_, change) => {
    const event = { ...GPT_4O, idempotency_key: unique('mismatch') }
    await ingested(key, event)
    const response = await expectNothingMoved(key, () => ingest(key, { ...event, ...change }))
    await expectRefused(response, 422, 'idempotency_mismatch')
    const again = await ingest(key, event)
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
  })

  it('is refused across operations, because all operations of a ledger share their keys', async () => {
    const headers = { 'Idempotency-Key': unique('across') }
    const operations = {
      event: () => ingest(key, GPT_4O, headers),
      batch: () => ingest(key, { events: [GPT_4O] }, headers),
      grant: () => api('/v1/credits/grant', { key, headers, body: { amount: 1 } }),
      purchase: () => api('/v1/credits/purchase', { key, headers, body: { amount: 1, price_usd: 1 } }),
    }
    expect((await operations.grant()).status).toBe(201)
    for (const send of [operations.event, operations.batch, operations.purchase]) {
      const response = await expectNothingMoved(key, send)
      await expectRefused(response, 422, 'idempotency_mismatch')
    }
    expect((await operations.grant()).headers.get('Idempotency-Replayed')).toBe('true')
  })

  it('in the header and another in the body is a 400', async () => {
    const idempotency_key = unique('body')
    const send = () => ingest(key, { ...GPT_4O, idempotency_key }, { 'Idempotency-Key': unique('header') })
    await expectInvalid(await expectNothingMoved(key, send), '/idempotency_key', /must be equal/)
    expect((await ingest(key, { ...GPT_4O, idempotency_key })).headers.get('Idempotency-Replayed')).toBeNull()
  })
})

describe('a refused request', () => {
  const refused: [what: string, wrong: object, status: number, code: string][] = [
    ['invalid tokens', { input_tokens: -1 }, 400, 'invalid_request'],
    ['a time that is too old', { timestamp: '2020-01-01T00:00:00Z' }, 400, 'invalid_request'],
    ['half a thing', { unit: 'pages' }, 400, 'invalid_request'],
    ['an unknown provider', { provider: 'NOBODY' }, 422, 'unknown_provider'],
    ['another customer', { customer_id: 'cust_other' }, 403, 'customer_mismatch'],
    ['more than the wallet has', { input_tokens: 1e12 }, 402, 'insufficient_credits'],
  ]
  it.each(refused)('leaves its key unused: %s', async (_, wrong, status, code) => {
    const idempotency_key = unique('refused')
    const send = () => ingest(key, { ...GPT_4O, idempotency_key, ...wrong })
    await expectRefused(await expectNothingMoved(key, send), status, code)
    await expectRefused(await send(), status, code)
    const corrected = await ingest(key, { ...GPT_4O, idempotency_key })
    expect(corrected.status).toBe(200)
    expect(corrected.headers.get('Idempotency-Replayed')).toBeNull()
  })

  it('succeeds with the same key once the wallet has the credits', async () => {
    const { api_key } = await createCustomer()
    const event = { ...GPT_4O, input_tokens: 4_000_000, output_tokens: 0, idempotency_key: 'big' }
    const problem = await expectRefused(await ingest(api_key, event), 402, 'insufficient_credits')
    expect(problem).toMatchObject({
      balance: 10000,
      available_balance: 10000,
      required: 20000,
      wallet_id: expect.stringMatching(/^wal_/),
    })
    await purchased(api_key, { amount: 10_000, price_usd: 10 })
    const answer = await ingest(api_key, event)
    expect(answer.headers.get('Idempotency-Replayed')).toBeNull()
    expect(await answer.json()).toMatchObject({
      credits_burned: 20000,
      balance_after: 0,
      wallet_id: problem.wallet_id,
    })
    const types = (await listed(api_key, '/v1/credits/transactions')).map(({ type }) => type)
    expect(types).toEqual(['BURN', 'PURCHASE', 'GRANT'])
  })

  it('that was accepted before stays accepted, although the wallet is empty now', async () => {
    const { api_key } = await createCustomer()
    const event = { ...GPT_4O, input_tokens: 2_000_000, output_tokens: 0, idempotency_key: 'all' }
    const first = await ingest(api_key, event)
    await expectRefused(await ingest(api_key, GPT_4O), 402, 'insufficient_credits')
    const again = await ingest(api_key, event)
    expect(again.status).toBe(200)
    expect(await again.text()).toBe(await first.text())
  })
})

describe('an idempotency key', () => {
  const good: [what: string, idempotency_key: () => string][] = [
    ['one character', () => '!'],
    ['255 characters', () => unique('long').padEnd(255, 'x')],
    ['spaces and signs', () => `${unique('signs')} ~"{}[]\\'`],
    ['a name of a prototype', () => '__proto__'],
  ]
  it.each(good)('may be %s', async (_, idempotency_key) => {
    const event = { ...GPT_4O, idempotency_key: idempotency_key() }
    await ingested(key, event)
    expect((await ingest(key, event)).headers.get('Idempotency-Replayed')).toBe('true')
  })

  const bad: [what: string, idempotency_key: unknown][] = [
    ['empty', ''],
    ['256 characters', 'x'.repeat(256)],
    ['a line break', 'a\nb'],
    ['NUL', 'a\u0000b'],
    ['a number', 5],
    ['an object', {}],
  ]
  it.each(bad)('in the body may not be %s', async (_, idempotency_key) => {
    const response = await expectNothingMoved(key, () => ingest(key, { ...GPT_4O, idempotency_key }))
    await expectInvalid(response, '/idempotency_key')
  })

  it('in the header has at most 255 characters', async () => {
    const send = () => ingest(key, GPT_4O, { 'Idempotency-Key': 'x'.repeat(256) })
    await expectInvalid(await expectNothingMoved(key, send), '/Idempotency-Key')
  })

  it('of a refused grant is free for another one', async () => {
    const headers = { 'Idempotency-Key': unique('grant') }
    const refused = await api('/v1/credits/grant', { key, headers, body: { amount: 0 } })
    await expectInvalid(refused, '/amount')
    await granted(key, { amount: 1 }, headers)
  })
})
