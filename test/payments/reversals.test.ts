import { describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../src/time/durations.ts'
import { balanceOf, listed, read } from '../support/client.ts'
import { createCustomer, type TestCustomer } from '../support/customers.ts'
import { burn, checkout, type Intent, later, paymentOf, ring, withStripe } from './support.ts'

const stripe = withStripe()
const { tell } = stripe

/** Creates a paid checkout of 1,000 credits for $10. */
async function paid(): Promise<TestCustomer & { readonly id: string; readonly intent: Intent }> {
  const customer = await createCustomer()
  const { payment_id: id, url } = await checkout(customer.api_key)
  const intent = stripe.current().pay(url)
  await tell('payment_intent.succeeded', intent)
  return { ...customer, id, intent }
}

/** The number of sign-up credits. They are in a separate lot, which is burned before the lot of the payment. */
const SIGN_UP = 10_000

describe('a refund', () => {
  it('takes the credits of the lot back once', async () => {
    const { api_key: key, id, intent } = await paid()
    stripe.current().refund(intent, 1000)
    for (let times = 0; times < 3; times++) await tell('charge.refunded', intent)
    expect(await paymentOf(key, id)).toMatchObject({
      status: 'refunded',
      refunded_usd: 10,
      credits_taken_back: 1000,
    })
    expect(await balanceOf(key)).toBe(SIGN_UP)
    const [entry] = await listed(key, '/v1/credits/transactions')
    expect(entry).toMatchObject({ type: 'REFUND', amount: -1000, description: `Refund of ${id}` })
  })

  it('takes back the rest of the lot and nothing else', async () => {
    const { api_key: key, id, intent } = await paid()
    await burn(key, SIGN_UP + 700)
    stripe.current().refund(intent, 1000)
    await tell('charge.refunded', intent)
    expect(await paymentOf(key, id)).toMatchObject({ status: 'refunded', credits_taken_back: 300 })
    expect(await balanceOf(key)).toBe(0)
  })

  it('of a part takes the same part, exactly', async () => {
    const { api_key: key, id, intent } = await paid()
    for (const [cents, balance] of [
      [333, 667],
      [333, 334],
      [334, 0],
    ] as const) {
      stripe.current().refund(intent, cents)
      await tell('charge.refunded', intent)
      expect(await balanceOf(key)).toBe(SIGN_UP + balance)
    }
    expect(await paymentOf(key, id)).toMatchObject({ status: 'refunded', refunded_usd: 10 })
  })

  it('that is reported before the payment leaves no credits', async () => {
    const { api_key: key } = await createCustomer()
    const { payment_id, url } = await checkout(key)
    const intent = stripe.current().pay(url)
    stripe.current().refund(intent, 1000)
    await tell('charge.refunded', intent)
    await tell('payment_intent.succeeded', intent)
    expect(await balanceOf(key)).toBe(SIGN_UP)
    expect(await paymentOf(key, payment_id)).toMatchObject({ status: 'refunded' })
  })

  it('is found by the sweep when Stripe did not respond after its webhook', async () => {
    const customer = await paid()
    stripe.current().refund(customer.intent, 1000)
    stripe.current().fault = () => 'down'
    await tell('charge.refunded', customer.intent)
    stripe.current().fault = () => undefined
    later(MINUTE_MS)
    await ring(customer)
    expect(await balanceOf(customer.api_key)).toBe(SIGN_UP)
  })
})

describe('a dispute', () => {
  it('takes the credits back when it opens, and returns them to the lot when it is won', async () => {
    const { api_key: key, id, intent } = await paid()
    await burn(key, SIGN_UP + 400)
    const [lot] = await listed(key, '/v1/credits/lots', '')
    stripe.current().dispute(intent, 'needs_response')
    await tell('charge.dispute.created', intent)
    expect(await paymentOf(key, id)).toMatchObject({ status: 'disputed', disputed_usd: 10 })
    expect(await balanceOf(key)).toBe(0)
    stripe.current().dispute(intent, 'won')
    await tell('charge.dispute.closed', intent)
    expect(await paymentOf(key, id)).toMatchObject({
      status: 'succeeded',
      disputed_usd: 0,
      credits_taken_back: 0,
    })
    expect(await listed(key, '/v1/credits/lots', '')).toEqual([lot])
  })

  it('that is lost keeps the credits taken', async () => {
    const { api_key: key, id, intent } = await paid()
    for (const status of ['under_review', 'lost']) {
      stripe.current().dispute(intent, status)
      await tell('charge.dispute.updated', intent)
    }
    expect(await paymentOf(key, id)).toMatchObject({ status: 'disputed', credits_taken_back: 1000 })
    expect(await read(key, '/v1/credits/balance')).toMatchObject({ balance: SIGN_UP })
  })

  it('that is only an inquiry takes nothing', async () => {
    const { api_key: key, id, intent } = await paid()
    stripe.current().dispute(intent, 'warning_needs_response')
    await tell('charge.dispute.created', intent)
    expect(await paymentOf(key, id)).toMatchObject({ status: 'succeeded' })
  })
})
