import { expect, it } from 'vitest'
import { DAY_MS } from '../../src/time/durations.ts'
import { api } from '../support/api.ts'
import { expectRefused, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { inStore, ledgerOf } from '../support/ledgers.ts'
import { burn, checkout, later, paymentOf, ring, setTopUp, topUpOf, withCard, withStripe } from './support.ts'

const stripe = withStripe()

it('a failed payment is deleted 90 days after its creation', async () => {
  const customer = await createCustomer()
  const { api_key: key } = customer
  const { payment_id } = await checkout(key)
  later(2 * DAY_MS)
  await ring(customer)
  later(87 * DAY_MS)
  await ring(customer)
  expect(await paymentOf(key, payment_id)).toMatchObject({ status: 'failed' })
  later(DAY_MS)
  await ring(customer)
  await expectRefused(await api(`/v1/payments/${payment_id}`, { key }), 404, 'not_found')
  expect(await listed(key, '/v1/payments')).toEqual([])
})

it('a payment that succeeded is kept', async () => {
  const customer = await withCard(stripe.current())
  later(400 * DAY_MS)
  await ring(customer)
  expect(await listed(customer.api_key, '/v1/payments')).toMatchObject([{ status: 'succeeded' }])
})

it('a deleted top-up is not mistaken for a later payment with its number', async () => {
  const customer = await withCard(stripe.current(), { behaviour: 'declined' })
  const { api_key: key, customer_id } = customer
  await setTopUp(key)
  await burn(key, 11_000)
  await ring(customer)
  await setTopUp(key, { enabled: false })
  expect(await topUpOf(key)).toMatchObject({ last_attempt: { status: 'failed' } })
  later(90 * DAY_MS)
  await ring(customer)
  // Imitates a restart of the object, which then reads the last payment number from the rows.
  await inStore(ledgerOf(customer_id), ({ paymentIntents }) => paymentIntents.forget())
  await checkout(key, { user_id: 'zoe' })
  expect(await topUpOf(key)).toMatchObject({ last_attempt: null })
})
