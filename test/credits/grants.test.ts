import { beforeAll, describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import {
  balanceOf,
  expectInvalid,
  expectNothingMoved,
  expectRefused,
  GPT_4O,
  granted,
  ingested,
  listed,
  purchased,
  read,
} from '../support/client.ts'
import { createCustomer, type TestCustomer, unique } from '../support/customers.ts'

const GRANT = '/v1/credits/grant'
const PURCHASE = '/v1/credits/purchase'
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()

let key: string
let customer: TestCustomer
beforeAll(async () => {
  customer = await createCustomer()
  key = customer.api_key
})

/** Returns a valid JSON body for the route, in which the text `raw` replaces the value of one field. */
function withRaw(path: string, field: string, raw: string): string {
  const body: Record<string, unknown> = {
    user_id: 'zoe',
    amount: 1,
    ...(path === PURCHASE && { price_usd: 1 }),
  }
  const others = Object.fromEntries(Object.entries(body).filter(([name]) => name !== field))
  return `${JSON.stringify(others).slice(0, -1)},${JSON.stringify(field)}:${raw}}`
}

async function expectBothRefuse(
  field: string,
  raw: string,
  message: RegExp,
  pointer = `/${field}`,
): Promise<void> {
  for (const path of [GRANT, PURCHASE]) {
    const response = await expectNothingMoved(key, () => api(path, { key, body: withRaw(path, field, raw) }))
    await expectInvalid(response, pointer, message)
  }
}

describe('a grant', () => {
  const owners: [whose: string, subject: object, query: string][] = [
    ['the customer', {}, ''],
    ['a user', { user_id: 'grant-user' }, '?user_id=grant-user'],
    ['a team', { team_id: 'grant-team' }, '?team_id=grant-team'],
    ['a team that is named like a user', { team_id: 'grant-user' }, '?team_id=grant-user'],
    ['a user with an emoji', { user_id: '🦊' }, '?user_id=%F0%9F%A6%8A'],
  ]
  it.each(owners)('gives credits to %s', async (_, subject, query) => {
    const before = query === '' ? 10000 : 0
    const answer = await granted(key, {
      ...subject,
      amount: 12.5,
      reason: 'Welcome back',
      metadata: { campaign: 7 },
    })
    expect(answer).toEqual({
      transaction_id: expect.stringMatching(/^txn_[0-9a-z]{26}$/),
      wallet_id: expect.stringMatching(/^wal_[0-9a-z]{26}$/),
      lot_id: expect.stringMatching(/^lot_[0-9a-z]{26}$/),
      amount: 12.5,
      balance_after: before + 12.5,
    })
    expect(await read(key, `/v1/credits/balance${query}`)).toEqual({
      customer_id: customer.customer_id,
      wallet_id: answer.wallet_id,
      balance: before + 12.5,
      reserved_balance: 0,
      available_balance: before + 12.5,
      currency: 'credits',
      overdraft_limit: 0,
      expiring_next: null,
    })
    const [transaction] = await listed(
      key,
      '/v1/credits/transactions',
      `${query || '?'}${query && '&'}limit=1&type=GRANT`,
    )
    expect(transaction).toEqual({
      id: answer.transaction_id,
      type: 'GRANT',
      wallet_id: answer.wallet_id,
      amount: 12.5,
      balance_before: before,
      balance_after: before + 12.5,
      description: 'Welcome back',
      lots: [{ lot_id: answer.lot_id, amount: 12.5 }],
      metadata: { campaign: 7 },
      created_at: expect.stringMatching(/Z$/),
    })
  })

  it('creates a lot with the given fields', async () => {
    const user_id = unique('lot')
    const expires_at = inSeconds(3600)
    await granted(key, { user_id, amount: 1 })
    await granted(key, { user_id, amount: 2, kind: 'paid', priority: 0 })
    await granted(key, { user_id, amount: 3, kind: 'promo', priority: 100, expires_at })
    const lots = await listed(key, '/v1/credits/lots', `?user_id=${user_id}`)
    const lot = {
      lot_id: expect.stringMatching(/^lot_/),
      reserved: 0,
      created_at: expect.stringMatching(/Z$/),
    }
    expect(lots).toEqual([
      { ...lot, kind: 'paid', amount: 2, remaining: 2, priority: 0, expires_at: null },
      { ...lot, kind: 'promo', amount: 1, remaining: 1, priority: 50, expires_at: null },
      { ...lot, kind: 'promo', amount: 3, remaining: 3, priority: 100, expires_at },
    ])
  })

  it('that expires is the next expiry', async () => {
    const user_id = unique('expiring')
    const [soon, later] = [inSeconds(3600), inSeconds(7200)]
    await granted(key, { user_id, amount: 5, expires_at: later })
    await granted(key, { user_id, amount: 20, expires_at: soon })
    await granted(key, { user_id, amount: 0.5, expires_at: soon.replace('Z', '+00:00') })
    await granted(key, { user_id, amount: 100 })
    const balance = await read(key, `/v1/credits/balance?user_id=${user_id}`)
    expect(balance).toMatchObject({ balance: 125.5, expiring_next: { amount: 20.5, at: soon } })
    await ingested(key, { ...GPT_4O, user_id })
    expect(await read(key, `/v1/credits/balance?user_id=${user_id}`)).toMatchObject({
      expiring_next: { amount: 5.5, at: soon },
    })
    await ingested(key, { ...GPT_4O, user_id })
    expect(await read(key, `/v1/credits/balance?user_id=${user_id}`)).toMatchObject({
      balance: 95.5,
      expiring_next: null,
    })
  })
})

describe('a purchase', () => {
  it('records the price and the payment reference', async () => {
    const user_id = unique('buyer')
    const expires_at = inSeconds(86_400)
    const answer = await purchased(key, {
      user_id,
      amount: '2500.000001',
      price_usd: '19.990000000001',
      payment_reference: 'pi_3PqL8e2eZvKYlo2C',
      expires_at,
      priority: 10,
      metadata: { invoice: 'INV-1' },
    })
    expect(answer).toEqual({
      transaction_id: expect.stringMatching(/^txn_/),
      wallet_id: expect.stringMatching(/^wal_/),
      lot_id: expect.stringMatching(/^lot_/),
      amount: 2500.000001,
      balance_after: 2500.000001,
    })
    const [transaction] = await listed(key, '/v1/credits/transactions', `?user_id=${user_id}`)
    expect(transaction).toMatchObject({
      id: answer.transaction_id,
      type: 'PURCHASE',
      amount: 2500.000001,
      balance_before: 0,
      payment_reference: 'pi_3PqL8e2eZvKYlo2C',
      metadata: { invoice: 'INV-1' },
    })
    const text = await (await api(`/v1/credits/transactions?user_id=${user_id}`, { key })).text()
    expect(text).toContain('"price_usd":19.990000000001')
    expect(await listed(key, '/v1/credits/lots', `?user_id=${user_id}`)).toMatchObject([
      { kind: 'paid', priority: 10, expires_at },
    ])
  })

  const prices: [price: unknown, written: string][] = [
    [0, '0'],
    ['0.000000000001', '0.000000000001'],
    [1e-12, '0.000000000001'],
    [8_000_000_000, '8000000000'],
    ['7999999999.999999999999', '7999999999.999999999999'],
  ]
  it.each(prices)('may cost %j dollars', async (price_usd, written) => {
    const user_id = unique('price')
    await purchased(key, { user_id, amount: 1, price_usd })
    const text = await (await api(`/v1/credits/transactions?user_id=${user_id}`, { key })).text()
    expect(text).toContain(`"price_usd":${written},`)
  })

  const badPrices: [what: string, raw: string, message: RegExp][] = [
    ['negative', '-0.01', /negative/],
    ['with 13 decimals', '"0.0000000000001"', /12 decimals/],
    ['above 8e9', '8000000001', /8000000000/],
    ['an exponent in text', '"1e3"', /decimal/],
    ['null', 'null', /decimal/],
    ['NaN in text', '"NaN"', /decimal/],
  ]
  it.each(badPrices)('may not cost %s', async (_, raw, message) => {
    const response = await expectNothingMoved(key, () =>
      api(PURCHASE, { key, body: withRaw(PURCHASE, 'price_usd', raw) }),
    )
    await expectInvalid(response, '/price_usd', message)
  })

  it('needs a price', async () => {
    const response = await expectNothingMoved(key, () => api(PURCHASE, { key, body: { amount: 1 } }))
    await expectInvalid(response, '/price_usd', /required/)
  })
})

describe('an amount', () => {
  const good: [raw: string, written: string][] = [
    ['0.000001', '0.000001'],
    ['"0.000001"', '0.000001'],
    ['1e-6', '0.000001'],
    ['1e5', '100000'],
    ['1.50', '1.5'],
    ['"1.50"', '1.5'],
    ['8000000000', '8000000000'],
    ['"8000000000.000000"', '8000000000'],
    ['7999999999.999999', '7999999999.999999'],
  ]
  it.each(good)('may be %s', async (raw, written) => {
    for (const path of [GRANT, PURCHASE]) {
      const user_id = unique('amount')
      const body = withRaw(path, 'amount', raw).replace('"zoe"', JSON.stringify(user_id))
      const text = await (await api(path, { key, body })).text()
      expect(text).toMatch(new RegExp(`"amount":${written},"balance_after":${written}}$`))
      const balance = await (await api(`/v1/credits/balance?user_id=${user_id}`, { key })).text()
      expect(balance).toContain(`"balance":${written},"reserved_balance":0,"available_balance":${written},`)
    }
  })

  const bad: [raw: string, message: RegExp][] = [
    ['0', /above 0/],
    ['-0', /above 0/],
    ['"0.000000"', /above 0/],
    ['-1', /above 0/],
    ['"-1"', /above 0/],
    ['0.0000001', /6 decimals/],
    ['"0.0000001"', /6 decimals/],
    ['1.1234567', /6 decimals/],
    ['8000000000.000001', /at most 8000000000/],
    ['8000000001', /at most 8000000000/],
    ['"8000000000.000001"', /at most 8000000000/],
    ['1e300', /at most 8000000000/],
    ['1e999', /number/],
    ['"1e5"', /plain decimal/],
    ['"Infinity"', /plain decimal/],
    ['"-Infinity"', /plain decimal/],
    ['"NaN"', /plain decimal/],
    ['""', /plain decimal/],
    ['" 1"', /plain decimal/],
    ['"1 "', /plain decimal/],
    ['"1,000"', /plain decimal/],
    ['"1_000"', /plain decimal/],
    ['"0x10"', /plain decimal/],
    ['".5"', /plain decimal/],
    ['"5."', /plain decimal/],
    ['"+5"', /plain decimal/],
    ['"--5"', /plain decimal/],
    ['"٣"', /plain decimal/],
    [`"${'9'.repeat(100_000)}"`, /plain decimal/],
    ['true', /plain decimal/],
    ['null', /plain decimal/],
    ['[]', /plain decimal/],
    ['[1]', /plain decimal/],
    ['{}', /plain decimal/],
  ]
  it.each(bad.map(([raw, message]) => [raw.slice(0, 30), raw, message] as const))(
    'may not be %s',
    async (_, raw, message) => {
      await expectBothRefuse('amount', raw, message)
    },
  )

  it('is required', async () => {
    for (const [path, body] of [
      [GRANT, {}],
      [PURCHASE, { price_usd: 1 }],
    ] as const) {
      await expectInvalid(
        await expectNothingMoved(key, () => api(path, { key, body })),
        '/amount',
        /required/,
      )
    }
  })

  it('cannot raise a wallet above 8e9 credits', async () => {
    const user_id = unique('full')
    await granted(key, { user_id, amount: 8_000_000_000 })
    for (const [path, body] of [
      [GRANT, { user_id, amount: 0.000001 }],
      [PURCHASE, { user_id, amount: 1, price_usd: 1 }],
    ] as const) {
      await expectRefused(await expectNothingMoved(key, () => api(path, { key, body })), 409, 'conflict')
    }
    expect(await balanceOf(key, `?user_id=${user_id}`)).toBe(8_000_000_000)
    expect(await ingested(key, { ...GPT_4O, user_id })).toMatchObject({ balance_after: 7_999_999_985 })
    await granted(key, { user_id, amount: 15 })
  })
})

describe('a grant or a purchase is refused', () => {
  const bad: [what: string, field: string, raw: string, message: RegExp][] = [
    ['a priority of -1', 'priority', '-1', /./],
    ['a priority of 101', 'priority', '101', /./],
    ['half a priority', 'priority', '1.5', /./],
    ['a priority in text', 'priority', '"5"', /./],
    ['an expiry in the past', 'expires_at', '"2020-01-01T00:00:00Z"', /future/],
    [
      'an expiry a second ago',
      'expires_at',
      JSON.stringify(new Date(Date.now() - 1000).toISOString()),
      /future/,
    ],
    ['an expiry without an offset', 'expires_at', '"2099-01-01T00:00:00"', /RFC 3339/],
    ['an expiry as a number', 'expires_at', '4102444800', /./],
    ['a user of 300 characters', 'user_id', JSON.stringify('x'.repeat(300)), /255/],
    ['a user with NUL', 'user_id', '"a\\u0000"', /control/],
    ['a user that is a number', 'user_id', '5', /string/],
    ['metadata that is a list', 'metadata', '[]', /object/],
    ['metadata of more than 16 KB', 'metadata', JSON.stringify({ text: 'x'.repeat(17_000) }), /16384/],
    ['an unknown field', 'currency', '"EUR"', /unknown field/],
    ['a prototype key', '__proto__', '{"amount":5}', /unknown field/],
    ['a constructor', 'constructor', '{}', /unknown field/],
  ]
  it.each(bad)('for %s', async (_, field, raw, message) => {
    await expectBothRefuse(field, raw, message)
  })

  it('for a user and a team at once', async () => {
    await expectBothRefuse('team_id', '"red"', /cannot be combined with user_id/)
  })

  it('for an unknown kind, and for a field of the other kind', async () => {
    for (const [path, body, pointer] of [
      [GRANT, { amount: 1, kind: 'free' }, '/kind'],
      [GRANT, { amount: 1, price_usd: 1 }, '/price_usd'],
      [GRANT, { amount: 1, reason: '' }, '/reason'],
      [PURCHASE, { amount: 1, price_usd: 1, kind: 'paid' }, '/kind'],
      [PURCHASE, { amount: 1, price_usd: 1, payment_reference: 'x'.repeat(256) }, '/payment_reference'],
    ] as const) {
      await expectInvalid(await expectNothingMoved(key, () => api(path, { key, body })), pointer)
    }
  })

  it.each(['[]', '5', '"x"', 'null'])('for the body %s', async (body) => {
    for (const path of [GRANT, PURCHASE]) {
      await expectInvalid(await expectNothingMoved(key, () => api(path, { key, body })), '')
    }
  })

  it('and creates no wallet', async () => {
    const user_id = unique('nobody')
    await api(GRANT, { key, body: { user_id, amount: 0 } })
    await api(GRANT, { key, body: { user_id, amount: 1, expires_at: '2020-01-01T00:00:00Z' } })
    await expectRefused(await api(`/v1/credits/balance?user_id=${user_id}`, { key }), 404, 'not_found')
  })
})

describe('a grant or a purchase with a key', () => {
  const operations: [path: string, body: object][] = [
    [GRANT, { user_id: 'twice', amount: 1.25, metadata: { b: 1, a: [2] } }],
    [PURCHASE, { user_id: 'twice', amount: 1.25, price_usd: 3, metadata: { b: 1, a: [2] } }],
  ]
  it.each(operations)('POST %s is done once, and its repeat gets the same bytes', async (path, body) => {
    const headers = { 'Idempotency-Key': unique('credit') }
    const first = await api(path, { key, body, headers })
    expect(first.status).toBe(201)
    expect(first.headers.get('Idempotency-Replayed')).toBeNull()
    const reordered = Object.fromEntries(Object.entries(body).toReversed())
    const again = await expectNothingMoved(key, () => api(path, { key, body: reordered, headers }))
    expect(again.status).toBe(201)
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(await first.text())
  })

  it.each(operations)('POST %s is a 422 with another body', async (path, body) => {
    const headers = { 'Idempotency-Key': unique('credit') }
    await api(path, { key, body, headers })
    for (const change of [{ amount: 1.26 }, { user_id: 'other' }, { priority: 50 }, { amount: '1.25' }]) {
      const response = await expectNothingMoved(key, () =>
        api(path, { key, body: { ...body, ...change }, headers }),
      )
      await expectRefused(response, 422, 'idempotency_mismatch')
    }
  })

  it('is done once when it is sent 20 times at once', async () => {
    const user_id = unique('at-once')
    const send = () =>
      api(GRANT, { key, body: { user_id, amount: 3 }, headers: { 'Idempotency-Key': user_id } })
    const answers = await Promise.all(Array.from({ length: 20 }, send))
    expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1)
    expect(await balanceOf(key, `?user_id=${user_id}`)).toBe(3)
  })

  it('is done twice without one', async () => {
    const user_id = unique('no-key')
    await granted(key, { user_id, amount: 3 })
    await granted(key, { user_id, amount: 3 })
    expect(await balanceOf(key, `?user_id=${user_id}`)).toBe(6)
  })
})

describe('a wallet', () => {
  it.each(['?user_id=stranger', '?team_id=strangers'])('that does not exist is a 404: %s', async (query) => {
    await ingested(key, { ...GPT_4O, user_id: 'stranger', team_id: 'strangers' })
    for (const path of ['balance', 'lots']) {
      await expectRefused(await api(`/v1/credits/${path}${query}`, { key }), 404, 'not_found')
    }
  })

  const bad: [query: string, path: string][] = [
    ['user_id=a&team_id=b', '/team_id'],
    ['user_id=', '/user_id'],
    ['user_id=a&user_id=b', '/user_id'],
    [`user_id=${'x'.repeat(300)}`, '/user_id'],
    ['user_id=%00', '/user_id'],
    ['customer_id=x', '/customer_id'],
  ]
  it.each(bad)('cannot be read with ?%s', async (query, path) => {
    for (const route of ['balance', 'lots'])
      await expectInvalid(await api(`/v1/credits/${route}?${query}`, { key }), path)
  })

  it('has at most 1,000 open lots', async () => {
    const user_id = unique('lots')
    await Promise.all(Array.from({ length: 1000 }, () => granted(key, { user_id, amount: 1 })))
    const response = await expectNothingMoved(key, () => api(GRANT, { key, body: { user_id, amount: 1 } }))
    await expectRefused(response, 409, 'too_many_open')
    expect(await ingested(key, { ...GPT_4O, user_id })).toMatchObject({
      credits_burned: 15,
      balance_after: 985,
    })
    expect(await granted(key, { user_id, amount: 1 })).toMatchObject({ balance_after: 986 })
  })
})
