import { expect, it } from 'vitest'
import { FAILED_KEPT_MS } from '../../src/ledger/payments/settlement.ts'
import { DAY_MS, MINUTE_MS } from '../../src/time/durations.ts'
import { answered, granted, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { inStore, ledgerOf, storedBalances } from '../support/ledgers.ts'
import { checkout, deliver, later, ring, setTopUp, withStripe } from './support.ts'

const stripe = withStripe()

it("an erased user is no longer charged, and a late payment credits the user's alias", async () => {
  const customer = await createCustomer()
  const { api_key: key, customer_id } = customer
  await granted(key, { user_id: 'zoe', amount: 10 })
  const { url } = await checkout(key, { user_id: 'zoe', save_payment_method: true })
  const paid = stripe.current().pay(url)
  await deliver(stripe.current().event('payment_intent.succeeded', paid))
  await setTopUp(key, {}, '?user_id=zoe')
  const later = await checkout(key, { user_id: 'zoe' })
  await ring(customer)
  await answered(key, '/v1/users/zoe', undefined, 200, 'DELETE')

  const ledger = ledgerOf(customer_id)
  expect(await inStore(ledger, ({ paymentIntents }) => paymentIntents.payer('user:zoe'))).toBeUndefined()
  const payments = await listed(key, '/v1/payments')
  expect(JSON.stringify(payments)).not.toContain('zoe')
  expect(payments.map(({ user_id }) => user_id)).toEqual([
    expect.stringMatching(/^erased_/),
    expect.stringMatching(/^erased_/),
  ])

  await deliver(stripe.current().event('payment_intent.succeeded', stripe.current().pay(later.url)))
  await ring(customer)
  const { customer: own, ...others } = await storedBalances(ledger)
  expect(own).toBe(10_000_000_000)
  expect(Object.entries(others)).toEqual([[expect.stringMatching(/^user:erased_/), 2_010_000_000]])
  expect(stripe.current().succeeded()).toHaveLength(2)
})

it('a charge that fails after the erasure keeps no id of the customer and the card', async () => {
  const customer = await createCustomer()
  const { api_key: key, customer_id } = customer
  const ledger = ledgerOf(customer_id)
  const { url } = await checkout(key, { user_id: 'zoe', save_payment_method: true })
  const paid = stripe.current().pay(url)
  await deliver(stripe.current().event('payment_intent.succeeded', paid))
  await setTopUp(key, { below: 2000 }, '?user_id=zoe')
  stripe.current().fault = ({ method, path }) =>
    method === 'POST' && path === '/v1/payment_intents' ? 'down' : undefined
  await ring(customer)
  const topUp = () => inStore(ledger, ({ paymentIntents }) => paymentIntents.get(2))
  const { customer: payer = '', card } = (await topUp()) ?? {}
  expect(await topUp()).toMatchObject({ type: 'top_up', status: 'pending', customer: paid.customer })
  await answered(key, '/v1/users/zoe', undefined, 200, 'DELETE')
  // A charge without an outcome keeps both, because its checks with Stripe need them.
  expect(await topUp()).toMatchObject({ customer: payer, card })

  // Stripe refuses the charge without a payment intent.
  stripe.current().fault = () => undefined
  stripe.current().cards.delete(payer)
  later(2 * MINUTE_MS)
  await ring(customer)
  expect(await topUp()).toMatchObject({ status: 'failed', owner: { id: expect.stringMatching(/^erased_/) } })
  expect(JSON.stringify(await topUp())).not.toMatch(
    new RegExp(`${payer}|${card?.id}|${card?.fingerprint}|"card"|"customer"`),
  )
  expect(stripe.current().succeeded()).toHaveLength(1)

  // It is deleted after the same time as other failed payments.
  later(FAILED_KEPT_MS + DAY_MS)
  await ring(customer)
  expect(await topUp()).toBeUndefined()
})
