import { describe, expect, it } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { balanceOf } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

/** Tests that a purchase with a payment reference is credited only once, even if it is reported several times. */

const PURCHASE = { user_id: 'w', amount: 100, price_usd: 10, payment_reference: 'pi_1' }

function purchase(key: string, body: object, idempotencyKey?: string) {
  return api('/v1/credits/purchase', {
    key,
    method: 'POST',
    body,
    ...(idempotencyKey !== undefined && { headers: { 'Idempotency-Key': idempotencyKey } }),
  })
}

describe('a purchase with a payment_reference that was used before', () => {
  it('returns 200 with the first purchase and adds nothing, at any later balance', async () => {
    const { api_key: key } = await createCustomer()
    const first = await purchase(key, PURCHASE)
    expect(first.status).toBe(201)
    const recorded = await jsonOf(first)
    await api('/v1/credits/adjust', { key, method: 'POST', body: { user_id: 'w', amount: -30, reason: 'x' } })
    for (const idempotencyKey of [undefined, 'a key', 'another key']) {
      const again = await purchase(key, PURCHASE, idempotencyKey)
      expect(again.status).toBe(200)
      expect(await jsonOf(again)).toEqual({ ...recorded, already_recorded: true })
    }
    expect(await balanceOf(key, '?user_id=w')).toBe(70)
  })

  it('credits once when five notices arrive at once', async () => {
    const { api_key: key } = await createCustomer()
    const answers = await Promise.all(Array.from({ length: 5 }, () => purchase(key, PURCHASE)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 201])
    const ids = await Promise.all(answers.map(async (answer) => (await jsonOf(answer)).transaction_id))
    expect(new Set(ids).size).toBe(1)
    expect(await balanceOf(key, '?user_id=w')).toBe(100)
  })

  it.each([
    ['another amount', { ...PURCHASE, amount: 101 }],
    ['another price', { ...PURCHASE, price_usd: 10.01 }],
    ['another user', { ...PURCHASE, user_id: 'v' }],
    ["the customer's own wallet", { amount: 100, price_usd: 10, payment_reference: 'pi_1' }],
    ['a team', { team_id: 'w', amount: 100, price_usd: 10, payment_reference: 'pi_1' }],
  ])('is a conflict for %s, and leaves its key unused', async (_, body) => {
    const { api_key: key } = await createCustomer()
    await purchase(key, PURCHASE)
    const problem = await expectProblem(await purchase(key, body, 'k'), 409, 'conflict')
    expect(problem.detail).toContain('"pi_1"')
    expect(await balanceOf(key, '?user_id=w')).toBe(100)
    expect((await purchase(key, { ...PURCHASE, payment_reference: 'pi_2' }, 'k')).status).toBe(201)
  })

  it('replays a keyed response byte for byte, and refuses its key for another payload', async () => {
    const { api_key: key } = await createCustomer()
    await purchase(key, PURCHASE)
    const again = await purchase(key, PURCHASE, 'k')
    const replay = await purchase(key, PURCHASE, 'k')
    expect([replay.status, replay.headers.get('Idempotency-Replayed')]).toEqual([200, 'true'])
    expect(await replay.text()).toBe(await again.text())
    await expectProblem(await purchase(key, { ...PURCHASE, amount: 5 }, 'k'), 422, 'idempotency_mismatch')
  })

  it('belongs to only one customer and ledger', async () => {
    const [one, other] = [await createCustomer(), await createCustomer()]
    expect((await purchase(one.api_key, PURCHASE)).status).toBe(201)
    expect((await purchase(other.api_key, PURCHASE)).status).toBe(201)
  })
})
