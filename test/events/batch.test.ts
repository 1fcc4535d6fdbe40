import { describe, expect, it } from 'vitest'
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
  type Json,
  listed,
  objects,
  purchased,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

/** An event that costs 5,000,000 credits, which is more than any customer in these tests has. */
const UNAFFORDABLE = { ...GPT_4O, input_tokens: 1_000_000_000, output_tokens: 0 }

function events(count: number, event: (index: number) => object = () => GPT_4O): { events: object[] } {
  return { events: Array.from({ length: count }, (_, index) => event(index)) }
}

function keyed(idempotency_key: string, change: object = {}): object {
  return { ...GPT_4O, idempotency_key, ...change }
}

function withKey(key: string): Record<string, string> {
  return { 'Idempotency-Key': key }
}

describe('a batch of 1,000 mixed events', () => {
  it('counts and explains each of them, in order', async () => {
    const { api_key } = await createCustomer()
    // These 100 earlier events cost 1,500 of the customer's 10,000 credits.
    const earlier = await ingested(
      api_key,
      events(100, (i) => keyed(`earlier-${i}`)),
    )
    expect(earlier).toMatchObject({ accepted: 100, credits_burned: 1500, balance_after: 8500 })
    const earlierIds = objects(earlier.results).map(({ id }) => id)

    // Every ten events of the batch consist of five new events, a repeat of an event in the batch, a repeat of an
    // earlier event, and three invalid events.
    const wrong = (index: number): [event: object, code: string, detail: RegExp] => {
      const cases: [object, string, RegExp][] = [
        [
          keyed(`wrong-${index}`, { input_tokens: -1 }),
          'invalid_request',
          /\/input_tokens: must not be negative/,
        ],
        [keyed(`wrong-${index}`, { provider: 'OPENIA' }), 'unknown_provider', /"OPENIA".*openai/],
        [keyed(`wrong-${index}`, { customer_id: 'cust_other' }), 'customer_mismatch', /customer_id/],
        [
          { ...UNAFFORDABLE, idempotency_key: `wrong-${index}` },
          'insufficient_credits',
          /has \d+ credits available, and the request needs 5000000\.$/,
        ],
        [
          keyed(`new-${index - (index % 10)}`, { feature_id: 'other' }),
          'idempotency_mismatch',
          /another request/,
        ],
        [keyed(`wrong-${index}`, { colour: 'red' }), 'invalid_request', /\/colour: unknown field/],
        [keyed(`wrong-${index}`, { timestamp: '1970-01-01T00:00:00Z' }), 'invalid_request', /\/timestamp/],
      ]
      const found = cases[index % cases.length]
      if (!found) throw new Error('no case')
      return found
    }
    const mixed = events(1000, (index) => {
      const place = index % 10
      if (place < 5) return keyed(`new-${index}`)
      if (place === 5) return keyed(`new-${index - 5}`)
      if (place === 6) return keyed(`earlier-${Math.floor(index / 10)}`)
      return wrong(index)[0]
    })
    const answer = await ingested(api_key, mixed)
    expect(answer).toMatchObject({
      batch_id: expect.stringMatching(/^batch_[0-9a-z]{26}$/),
      accepted: 500,
      duplicates: 200,
      rejected: 300,
      credits_burned: 7500,
      balance_after: 1000,
    })

    const results = objects(answer.results)
    expect(results).toHaveLength(1000)
    let balance = 8500
    for (const [index, result] of results.entries()) {
      const place = index % 10
      if (place < 5) {
        balance -= 15
        expect(result).toEqual({
          index,
          id: expect.stringMatching(/^evt_/),
          status: 'accepted',
          credits_burned: 15,
          balance_after: balance,
        })
      } else if (place === 5) {
        expect(result).toEqual({ ...results[index - 5], index, status: 'duplicate' })
      } else if (place === 6) {
        const number = Math.floor(index / 10)
        expect(result).toEqual({
          index,
          id: earlierIds[number],
          status: 'duplicate',
          credits_burned: 15,
          balance_after: 9985 - 15 * number,
        })
      } else {
        const [, code, detail] = wrong(index)
        expect(result).toEqual({
          index,
          id: null,
          status: 'rejected',
          credits_burned: 0,
          balance_after: null,
          error: { code, detail: expect.stringMatching(detail) },
        })
      }
    }
    expect(new Set(results.flatMap(({ id, status }) => (status === 'accepted' ? [id] : []))).size).toBe(500)

    expect(await balanceOf(api_key)).toBe(1000)
    const burns = await listed(api_key, '/v1/credits/transactions', '?type=BURN&limit=100')
    expect(burns).toHaveLength(600)
    expect(burns.reduce((sum, { amount }) => sum + Number(amount), 0)).toBe(-9000)

    // A rejected event does not use up its idempotency key, so a valid event can use the key.
    for (const index of [7, 8, 9, 17]) {
      const response = await ingest(api_key, keyed(`wrong-${index}`))
      expect(response.headers.get('Idempotency-Replayed')).toBeNull()
      expect(response.status).toBe(200)
    }
  })
})

describe('the envelope of a batch', () => {
  const wrong: [what: string, body: unknown, path: string, message: RegExp][] = [
    ['1,001 events', events(1001), '/events', /at most 1000/],
    ['no events', events(0), '/events', /at least one/],
    ['null for events and no event', { events: null }, '/event_type', /required/],
    ['one event for events', { events: GPT_4O }, '/events', /array/],
    ['a field that it does not have', { ...events(1), mode: 'fast' }, '/mode', /unknown field/],
    ['fields of an event beside its events', { ...GPT_4O, ...events(1) }, '/feature_id', /unknown field/],
    ['a key in the body', { ...events(1), idempotency_key: 'a' }, '/idempotency_key', /unknown field/],
    [
      'a prototype key',
      `{"events":[${JSON.stringify(GPT_4O)}],"__proto__":{"a":1}}`,
      '/__proto__',
      /unknown field/,
    ],
    ['a list of events', [GPT_4O], '', /object/],
  ]
  it.each(wrong)('is refused as a whole: %s', async (_, body, path, message) => {
    const { api_key } = await createCustomer()
    const response = await expectNothingMoved(api_key, () => ingest(api_key, body))
    await expectInvalid(response, path, message)
  })

  it('holds up to 1,000 events, each of which may be any JSON', async () => {
    const { api_key } = await createCustomer()
    const anything = [null, 5, 'text', [], true, {}, { events: [GPT_4O] }]
    const answer = await ingested(api_key, { events: [...anything, GPT_4O] })
    expect(answer).toMatchObject({
      accepted: 1,
      rejected: anything.length,
      credits_burned: 15,
      balance_after: 9985,
    })
    for (const result of objects(answer.results).slice(0, -1)) {
      expect(result).toMatchObject({
        status: 'rejected',
        error: { code: 'invalid_request', detail: expect.stringMatching(/^The request is invalid: [^:]/) },
      })
    }
  })
})

describe('the events of a batch', () => {
  it('are applied in order and separately: a cheap one is paid after one that the wallet cannot pay', async () => {
    const { api_key } = await createCustomer()
    const large = { ...GPT_4O, input_tokens: 1_998_000, output_tokens: 0 }
    const answer = await ingested(api_key, {
      events: [UNAFFORDABLE, large, GPT_4O, { ...GPT_4O, output_tokens: 0 }, large],
    })
    expect(objects(answer.results).map(({ status, balance_after }) => [status, balance_after])).toEqual([
      ['rejected', null],
      ['accepted', 10],
      ['rejected', null],
      ['accepted', 5],
      ['rejected', null],
    ])
    expect(answer).toMatchObject({ credits_burned: 9995, balance_after: 5 })
  })

  it('may burn several wallets: the response has the balance of the last wallet that burned', async () => {
    const { api_key } = await createCustomer()
    await granted(api_key, { user_id: 'zoe', amount: 100 })
    const answer = await ingested(api_key, {
      events: [GPT_4O, { ...GPT_4O, user_id: 'zoe' }, { ...UNAFFORDABLE }],
    })
    expect(answer).toMatchObject({ accepted: 2, rejected: 1, credits_burned: 30, balance_after: 85 })
  })

  it('may all be wrong: nothing is burned and no balance is returned', async () => {
    const { api_key } = await createCustomer()
    const answer = await expectNothingMoved(api_key, () =>
      ingested(
        api_key,
        events(3, () => UNAFFORDABLE),
      ),
    )
    expect(answer).toMatchObject({
      accepted: 0,
      duplicates: 0,
      rejected: 3,
      credits_burned: 0,
      balance_after: null,
    })
  })

  it('with the same key: equal ones are one, different ones are refused', async () => {
    const { api_key } = await createCustomer()
    const answer = await ingested(api_key, {
      events: [
        keyed('a'),
        keyed('a'),
        keyed('a', { input_tokens: 7 }),
        keyed('b', { input_tokens: -1 }),
        keyed('b'),
      ],
    })
    expect(objects(answer.results).map(({ status, error }) => [status, error])).toEqual([
      ['accepted', undefined],
      ['duplicate', undefined],
      ['rejected', { code: 'idempotency_mismatch', detail: expect.any(String) }],
      ['rejected', { code: 'invalid_request', detail: expect.any(String) }],
      ['accepted', undefined],
    ])
    expect(answer).toMatchObject({ credits_burned: 30, balance_after: 9970 })
  })

  it('are burned once when two batches contain them, one after the other or at once', async () => {
    const { api_key } = await createCustomer()
    const batch = events(50, (i) => keyed(`shared-${i}`))
    const [first, second] = await Promise.all([
      ingested(api_key, batch, withKey('one')),
      ingested(api_key, batch, withKey('two')),
    ])
    const third = await ingested(api_key, batch)
    const sums = [first, second, third].map((answer) => [
      answer.accepted,
      answer.duplicates,
      answer.credits_burned,
    ])
    expect(sums.toSorted((a, b) => Number(a[0]) - Number(b[0]))).toEqual([
      [0, 50, 0],
      [0, 50, 0],
      [50, 0, 750],
    ])
    const outcomes = ({ results }: Json) =>
      objects(results).map(({ id, credits_burned, balance_after }) => [id, credits_burned, balance_after])
    expect(outcomes(second)).toEqual(outcomes(first))
    expect(outcomes(third)).toEqual(outcomes(first))
    expect(await balanceOf(api_key)).toBe(9250)
  })
})

describe('the key of a batch', () => {
  it('gives the same response again, byte for byte, rejections included', async () => {
    const { api_key } = await createCustomer()
    const batch = {
      events: [
        keyed('paid'),
        { ...UNAFFORDABLE, idempotency_key: 'poor' },
        keyed('bad', { input_tokens: 1.5 }),
        keyed('paid'),
      ],
    }
    const first = await ingest(api_key, batch, withKey('batch'))
    const text = await first.text()
    expect(JSON.parse(text)).toMatchObject({ accepted: 1, duplicates: 1, rejected: 2 })
    expect(first.headers.get('Idempotency-Replayed')).toBeNull()

    // After a purchase, the rejected events succeed if each is sent alone. A repeat of the batch still returns the
    // first response.
    await purchased(api_key, { amount: 6_000_000, price_usd: 6000 })
    for (const event of [{ ...UNAFFORDABLE, idempotency_key: 'poor' }, keyed('bad')]) {
      const alone = await ingest(api_key, event)
      expect(alone.status).toBe(200)
      expect(alone.headers.get('Idempotency-Replayed')).toBeNull()
    }
    const again = await expectNothingMoved(api_key, () => ingest(api_key, batch, withKey('batch')))
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(text)
  })

  it('is refused with another body, even with the same events in another order', async () => {
    const { api_key } = await createCustomer()
    const batch = [keyed('a'), keyed('b', { input_tokens: 5 })]
    await ingested(api_key, { events: batch }, withKey('batch'))
    for (const other of [batch.toReversed(), batch.slice(0, 1), [...batch, keyed('c')]]) {
      const response = await expectNothingMoved(api_key, () =>
        ingest(api_key, { events: other }, withKey('batch')),
      )
      await expectRefused(response, 422, 'idempotency_mismatch')
    }
    const single = await expectNothingMoved(api_key, () => ingest(api_key, GPT_4O, withKey('batch')))
    await expectRefused(single, 422, 'idempotency_mismatch')
  })

  it('is used by a batch whose events are all rejected', async () => {
    const { api_key } = await createCustomer()
    const first = await (
      await ingest(
        api_key,
        events(1, () => UNAFFORDABLE),
        withKey('batch'),
      )
    ).text()
    await purchased(api_key, { amount: 6_000_000, price_usd: 6000 })
    const again = await expectNothingMoved(api_key, () =>
      ingest(
        api_key,
        events(1, () => UNAFFORDABLE),
        withKey('batch'),
      ),
    )
    expect(await again.text()).toBe(first)
  })

  it('is unused after a 400', async () => {
    const { api_key } = await createCustomer()
    await expectInvalid(await ingest(api_key, events(0), withKey('batch')), '/events')
    const response = await ingest(api_key, events(1), withKey('batch'))
    expect(response.headers.get('Idempotency-Replayed')).toBeNull()
    expect(response.status).toBe(200)
  })

  it('burns once when it is sent 20 times at once', async () => {
    const { api_key } = await createCustomer()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ingest(api_key, events(10), withKey('batch'))),
    )
    expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1)
    expect(await balanceOf(api_key)).toBe(9850)
  })

  it('cannot be the key of one of its events: that event is refused, the others are accepted', async () => {
    const { api_key } = await createCustomer()
    const batch = { events: [keyed('mine'), keyed('batch'), GPT_4O] }
    const first = await ingest(api_key, batch, withKey('batch'))
    const text = await first.text()
    expect(JSON.parse(text)).toMatchObject({
      accepted: 2,
      rejected: 1,
      results: [
        { status: 'accepted' },
        { status: 'rejected', error: { code: 'idempotency_mismatch' } },
        { status: 'accepted' },
      ],
    })
    const again = await expectNothingMoved(api_key, () => ingest(api_key, batch, withKey('batch')))
    expect(await again.text()).toBe(text)
  })

  it('keeps the response with the longest refusals that 4 MB can hold', async () => {
    const { api_key } = await createCustomer()
    const long = 'ü'.repeat(1900)
    const batch = events(1000, (i) => ({ event_type: 'CUSTOM', feature_id: 'f', [`${long}${i}`]: 1 }))
    const first = await ingest(api_key, batch, withKey('batch'))
    const text = await first.text()
    expect(first.status).toBe(200)
    const again = await ingest(api_key, batch, withKey('batch'))
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(text)
    const fox = '🦊'.repeat(255)
    const foxes = events(1000, (i) => ({ ...GPT_4O, provider: fox, user_id: `${i}` }))
    const unknown = await ingest(api_key, foxes, withKey('foxes'))
    expect(unknown.status).toBe(200)
    expect(await (await ingest(api_key, foxes, withKey('foxes'))).text()).toBe(await unknown.text())
  })
})

describe('a large batch', () => {
  it('of 200 events with 16 KB of metadata each is burned and can be read back', async () => {
    const { api_key } = await createCustomer()
    const metadata = { text: 'x'.repeat(16_000) }
    const batch = events(200, (i) => keyed(`large-${i}`, { metadata: { ...metadata, i } }))
    expect(await ingested(api_key, batch, withKey('batch'))).toMatchObject({
      accepted: 200,
      credits_burned: 3000,
    })
    const rows = await listed(api_key, '/v1/events')
    expect(rows.map((row) => row.metadata)).toEqual(
      Array.from({ length: 200 }, (_, i) => ({ ...metadata, i: 199 - i })),
    )
    expect(await ingested(api_key, batch)).toMatchObject({ accepted: 0, duplicates: 200 })
  })

  it('of more than 4 MB is a 413', async () => {
    const { api_key } = await createCustomer()
    const batch = events(300, () => ({ ...GPT_4O, metadata: { text: 'x'.repeat(16_000) } }))
    const response = await expectNothingMoved(api_key, () =>
      api('/v1/events/ingest', { key: api_key, body: batch }),
    )
    await expectRefused(response, 413, 'body_too_large')
  })
})
