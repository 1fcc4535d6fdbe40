import { expect, it } from 'vitest'
import { answered, granted, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { inStore, ledgerOf, storedBalances } from '../support/ledgers.ts'
import { checkout, deliver, ring, setTopUp, withStripe } from './support.ts'

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
