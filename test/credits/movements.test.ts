import { describe, expect, it } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

/** An event of gpt-4o that costs 15 credits. */
const EVENT = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1000,
  output_tokens: 500,
}

async function post(key: string, path: string, body: unknown, headers = {}) {
  return api(path, { key, body, headers })
}

async function ok(key: string, path: string, body: unknown) {
  const response = await post(key, path, body)
  const text = await jsonOf(response)
  expect({ status: response.status, text }).toMatchObject({
    status: path.endsWith('grant') || path.endsWith('purchase') ? 201 : 200,
  })
  return text
}

async function balance(key: string, query = '') {
  return (await jsonOf(await api(`/v1/credits/balance${query}`, { key }))).balance
}

async function booksBalance(key: string, query = '') {
  const { data } = await jsonOf(await api(`/v1/credits/transactions?limit=100${query}`, { key }))
  if (!Array.isArray(data)) throw new Error('no transactions')
  let sum = 0
  for (const { amount, balance_before, balance_after, lots } of data) {
    sum += amount
    expect(balance_before + amount).toBeCloseTo(balance_after, 6)
    expect(lots.reduce((total: number, lot: { amount: number }) => total + lot.amount, 0)).toBeCloseTo(
      amount,
      6,
    )
  }
  return sum
}

describe('void', () => {
  it('gives an event its credits back, to the same lots, once', async () => {
    const { api_key: key } = await createCustomer()
    const { id } = await ok(key, '/v1/events/ingest', EVENT)
    expect(await balance(key)).toBe(9985)
    const voided = await ok(key, `/v1/events/${id}/void`, {})
    expect(voided).toMatchObject({ amount: 15, balance_after: 10000 })
    await expectProblem(await post(key, `/v1/events/${id}/void`, {}), 409, 'already_voided')
    expect(await balance(key)).toBe(10000)
    expect(await booksBalance(key)).toBe(10000)
  })

  it('opens a lot again that the event had used up', async () => {
    const { api_key: key } = await createCustomer()
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 10, priority: 1 })
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 10, priority: 2 })
    const { id } = await ok(key, '/v1/events/ingest', { ...EVENT, user_id: 'u' })
    expect(await balance(key, '?user_id=u')).toBe(5)
    await ok(key, `/v1/events/${id}/void`, {})
    const { data } = await jsonOf(await api('/v1/credits/lots?user_id=u', { key }))
    expect(data).toMatchObject([
      { priority: 1, remaining: 10 },
      { priority: 2, remaining: 10 },
    ])
  })

  it("does not find another customer's event", async () => {
    const [{ api_key: key }, other] = await Promise.all([createCustomer(), createCustomer()])
    const { id } = await ok(other.api_key, '/v1/events/ingest', EVENT)
    await expectProblem(await post(key, `/v1/events/${id}/void`, {}), 404, 'not_found')
    expect(await balance(other.api_key)).toBe(9985)
  })
})

describe('refund', () => {
  it('gives a burn back in parts, never more than was burned, together with a void', async () => {
    const { api_key: key } = await createCustomer()
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 10, priority: 1 })
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 10, priority: 2 })
    const { id } = await ok(key, '/v1/events/ingest', { ...EVENT, user_id: 'u' })
    const transaction_id = String(id).replace('evt_', 'txn_')
    await ok(key, '/v1/credits/refund', { transaction_id, amount: 7 })
    const { data } = await jsonOf(await api('/v1/credits/lots?user_id=u', { key }))
    // The burn took 10 credits from the first lot and 5 from the second. A refund returns them in the reverse order.
    expect(data).toMatchObject([
      { priority: 1, remaining: 2 },
      { priority: 2, remaining: 10 },
    ])
    await expectProblem(
      await post(key, '/v1/credits/refund', { transaction_id, amount: 8.000001 }),
      409,
      'conflict',
    )
    expect(await ok(key, `/v1/events/${id}/void`, {})).toMatchObject({ amount: 8, balance_after: 20 })
    await expectProblem(await post(key, '/v1/credits/refund', { transaction_id }), 409, 'conflict')
    expect(await booksBalance(key, '&user_id=u')).toBe(20)
  })

  it('of a purchase takes the rest of its lot', async () => {
    const { api_key: key } = await createCustomer()
    const bought = await ok(key, '/v1/credits/purchase', { user_id: 'u', amount: 20, price_usd: 2 })
    await ok(key, '/v1/events/ingest', { ...EVENT, user_id: 'u' })
    const transaction_id = textField(bought, 'transaction_id')
    await expectProblem(await post(key, '/v1/credits/refund', { transaction_id, amount: 6 }), 409, 'conflict')
    expect(await ok(key, '/v1/credits/refund', { transaction_id })).toMatchObject({
      amount: -5,
      balance_after: 0,
    })
    const again = await post(key, '/v1/credits/refund', { transaction_id })
    await expectProblem(again, 409, 'conflict')
  })

  it('of a grant or of a refund is a conflict, of an unknown transaction a 404', async () => {
    const { api_key: key } = await createCustomer()
    const grant = await ok(key, '/v1/credits/grant', { amount: 20 })
    const refund = (transaction_id: unknown) => post(key, '/v1/credits/refund', { transaction_id })
    await expectProblem(await refund(grant.transaction_id), 409, 'conflict')
    const bought = await ok(key, '/v1/credits/purchase', { amount: 20, price_usd: 2 })
    const { transaction_id } = await ok(key, '/v1/credits/refund', { transaction_id: bought.transaction_id })
    await expectProblem(await refund(transaction_id), 409, 'conflict')
    await expectProblem(await refund('txn_00000000000000000000000000'), 404, 'not_found')
  })
})

describe('transfer', () => {
  it('moves lots with their expiry, kind and priority, atomically', async () => {
    const { api_key: key } = await createCustomer()
    const expires_at = new Date(Date.now() + 86_400_000).toISOString()
    await ok(key, '/v1/credits/grant', { user_id: 'a', amount: 10, expires_at, priority: 3 })
    await ok(key, '/v1/credits/purchase', { user_id: 'a', amount: 10, price_usd: 1 })
    const moved = await ok(key, '/v1/credits/transfer', {
      from: { user_id: 'a' },
      to: { team_id: 't' },
      amount: 12,
    })
    expect(moved).toMatchObject({ amount: 12, balance_after: 8, to: { balance_after: 12 } })
    const { data } = await jsonOf(await api('/v1/credits/lots?team_id=t', { key }))
    expect(data).toMatchObject([
      { kind: 'promo', priority: 3, remaining: 10, expires_at },
      { kind: 'paid', priority: 50, remaining: 2, expires_at: null },
    ])
    expect(await booksBalance(key, '&user_id=a')).toBe(8)
    expect(await booksBalance(key, '&team_id=t')).toBe(12)
  })

  it('is refused without the credits, without the wallet, and to the same wallet', async () => {
    const { api_key: key } = await createCustomer()
    const transfer = (body: object) => post(key, '/v1/credits/transfer', body)
    await expectProblem(
      await transfer({ from: {}, to: { user_id: 'u' }, amount: 10001 }),
      402,
      'insufficient_credits',
    )
    await expectProblem(await transfer({ from: { user_id: 'u' }, to: {}, amount: 1 }), 404, 'not_found')
    await expectProblem(await transfer({ from: {}, to: {}, amount: 1 }), 400, 'invalid_request')
    expect(await balance(key)).toBe(10000)
  })
})

describe('adjustments and overdraft', () => {
  it('let a wallet go below zero down to its limit, and new credits repay the debt first', async () => {
    const { api_key: key } = await createCustomer()
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 10 })
    const patch = (overdraft_limit: number) =>
      api('/v1/credits/wallets', { key, method: 'PATCH', body: { user_id: 'u', overdraft_limit } })
    expect(await jsonOf(await patch(20))).toMatchObject({ balance: 10, overdraft_limit: 20 })
    const { id } = await ok(key, '/v1/events/ingest', { ...EVENT, user_id: 'u' })
    expect(await balance(key, '?user_id=u')).toBe(-5)
    await expectProblem(await patch(4.999999), 409, 'conflict')
    await ok(key, '/v1/events/ingest', { ...EVENT, user_id: 'u' })
    await expectProblem(
      await post(key, '/v1/events/ingest', { ...EVENT, user_id: 'u' }),
      402,
      'insufficient_credits',
    )
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 30 })
    expect(await balance(key, '?user_id=u')).toBe(10)
    const { data } = await jsonOf(await api('/v1/credits/lots?user_id=u', { key }))
    expect(data).toMatchObject([{ amount: 30, remaining: 10 }])
    await ok(key, `/v1/events/${id}/void`, {})
    expect(await balance(key, '?user_id=u')).toBe(25)
    expect(await booksBalance(key, '&user_id=u')).toBe(25)
  })

  it('correct a balance in both directions', async () => {
    const { api_key: key } = await createCustomer()
    expect(await ok(key, '/v1/credits/adjust', { amount: -2.5, reason: 'wrong price' })).toMatchObject({
      balance_after: 9997.5,
    })
    expect(await ok(key, '/v1/credits/adjust', { amount: 0.5, reason: 'goodwill' })).toMatchObject({
      balance_after: 9998,
    })
    const none = await post(key, '/v1/credits/adjust', { amount: 0, reason: 'x' })
    await expectProblem(none, 400, 'invalid_request')
    const much = await post(key, '/v1/credits/adjust', { amount: -9999, reason: 'x' })
    await expectProblem(much, 402, 'insufficient_credits')
    expect(await booksBalance(key)).toBe(9998)
  })

  it('replay byte for byte under their key', async () => {
    const { api_key: key } = await createCustomer()
    const send = (amount: number) =>
      post(key, '/v1/credits/adjust', { amount, reason: 'once' }, { 'Idempotency-Key': 'adjust-1' })
    const first = await (await send(-1)).text()
    const again = await send(-1)
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(first)
    await expectProblem(await send(-2), 422, 'idempotency_mismatch')
    expect(await balance(key)).toBe(9999)
  })
})
