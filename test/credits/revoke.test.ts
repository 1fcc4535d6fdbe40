import { describe, expect, it } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { GPT_4O, granted, ingested, objects } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

const revoke = (key: string, lot: string, body: object, headers = {}) =>
  api(`/v1/credits/lots/${lot}/revoke`, { key, body, headers })

async function lotsOf(key: string, user_id: string) {
  return (await jsonOf(await api(`/v1/credits/lots?user_id=${user_id}`, { key }))).data
}

describe('POST /v1/credits/lots/{id}/revoke', () => {
  it('removes only the rest of the lot, as an adjustment that names the lot', async () => {
    const { api_key: key } = await createCustomer()
    const lot = textField(await granted(key, { user_id: 'u', amount: 40, priority: 1 }), 'lot_id')
    await granted(key, { user_id: 'u', amount: 100 })
    await ingested(key, { ...GPT_4O, user_id: 'u' })
    const [first] = objects(await lotsOf(key, 'u'))
    const left = Number(first?.remaining)
    expect(left).toBeLessThan(40)
    const response = await revoke(key, lot, { reason: 'by mistake' })
    expect(response.status).toBe(200)
    expect(await jsonOf(response)).toEqual({
      transaction_id: expect.stringMatching(/^txn_/),
      wallet_id: expect.stringMatching(/^wal_/),
      amount: -left,
      balance_after: 100,
    })
    expect(await lotsOf(key, 'u')).toMatchObject([{ amount: 100, remaining: 100 }])
    const { data } = await jsonOf(await api('/v1/credits/transactions?user_id=u&type=ADJUSTMENT', { key }))
    expect(data).toMatchObject([
      { amount: -left, description: 'by mistake', lots: [{ lot_id: lot, amount: -left }] },
    ])
    await expectProblem(await revoke(key, lot, { reason: 'again' }), 409, 'conflict')
  })

  it('removes a part, and never credits that are held', async () => {
    const { api_key: key } = await createCustomer()
    const lot = textField(await granted(key, { user_id: 'u', amount: 40 }), 'lot_id')
    const hold = await jsonOf(
      await api('/v1/holds', { key, body: { feature_id: 'f', user_id: 'u', credits: 15 } }),
    )
    await expectProblem(await revoke(key, lot, { amount: 25.000001, reason: 'x' }), 409, 'conflict')
    const part = await jsonOf(await revoke(key, lot, { amount: 10.5, reason: 'x' }))
    expect(part).toMatchObject({ amount: -10.5, balance_after: 29.5 })
    const rest = await jsonOf(await revoke(key, lot, { reason: 'x' }))
    expect(rest).toMatchObject({ amount: -14.5, balance_after: 15 })
    await expectProblem(await revoke(key, lot, { reason: 'x' }), 409, 'conflict')
    const capture = await api(`/v1/holds/${textField(hold, 'hold_id')}/capture`, {
      key,
      body: { credits: 15 },
    })
    expect(await jsonOf(capture)).toMatchObject({ captured: 15, balance_after: 0 })
  })

  it('gives a repeat of its key the same response, and removes nothing more', async () => {
    const { api_key: key } = await createCustomer()
    const lot = textField(await granted(key, { user_id: 'u', amount: 40 }), 'lot_id')
    const headers = { 'Idempotency-Key': 'once' }
    const first = await revoke(key, lot, { amount: 10, reason: 'x' }, headers)
    const second = await revoke(key, lot, { amount: 10, reason: 'x' }, headers)
    expect(second.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await second.text()).toBe(await first.text())
    expect(await lotsOf(key, 'u')).toMatchObject([{ remaining: 30 }])
    await expectProblem(
      await revoke(key, lot, { amount: 11, reason: 'x' }, headers),
      422,
      'idempotency_mismatch',
    )
  })

  it('finds a lot in any of many wallets, and a lot whose number another lot contains', async () => {
    const { api_key: key } = await createCustomer()
    const lots: string[] = []
    for (let i = 0; i < 12; i++) {
      lots.push(textField(await granted(key, { user_id: `u${i}`, amount: i + 1 }), 'lot_id'))
    }
    for (const [i, lot] of lots.entries()) {
      expect(await jsonOf(await revoke(key, lot, { reason: 'x' }))).toMatchObject({ amount: -(i + 1) })
    }
    expect(await jsonOf(await api('/v1/credits/balance', { key }))).toMatchObject({ balance: 10_000 })
  })

  it('is a conflict for a lot that has expired, and gives a later void its credits back', async () => {
    const { api_key: key } = await createCustomer()
    const soon = new Date(Date.now() + 1000).toISOString()
    const expired = textField(await granted(key, { user_id: 'e', amount: 5, expires_at: soon }), 'lot_id')
    const lot = textField(await granted(key, { user_id: 'u', amount: 40 }), 'lot_id')
    const event = textField(await ingested(key, { ...GPT_4O, user_id: 'u' }), 'id')
    await revoke(key, lot, { reason: 'x' })
    expect(await lotsOf(key, 'u')).toEqual([])
    const voided = await jsonOf(await api(`/v1/events/${event}/void`, { key, body: {} }))
    expect(await lotsOf(key, 'u')).toMatchObject([{ lot_id: lot, remaining: voided.amount }])
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(soon) - Date.now()) + 5))
    await expectProblem(await revoke(key, expired, { reason: 'x' }), 409, 'conflict')
  })

  it("does not find an unknown lot, another customer's or the test ledger's", async () => {
    const [{ api_key: key }, other] = await Promise.all([createCustomer(), createCustomer()])
    const lot = textField(await granted(other.api_key, { user_id: 'u', amount: 40 }), 'lot_id')
    const mine = textField(await granted(key, { user_id: 'u', amount: 40 }), 'lot_id')
    const never = mine.replace(/^(lot_.{10}).{8}/, '$100000zzz')
    const overdraft = mine.replace(/^(lot_.{10}).{8}/, '$100000000')
    for (const id of [lot, never, overdraft, 'lot_0', 'x']) {
      await expectProblem(await revoke(key, id, { reason: 'x' }), 404, 'not_found')
    }
    await expectProblem(await revoke(key, mine, {}), 400, 'invalid_request')
    await expectProblem(await revoke(key, mine, { amount: 0, reason: 'x' }), 400, 'invalid_request')
    expect(await lotsOf(other.api_key, 'u')).toMatchObject([{ remaining: 40 }])
  })
})
