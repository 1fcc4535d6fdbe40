import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { PaymentProvider } from '../../src/ledger/payments/provider.ts'
import { acceptsLivemode } from '../../src/stripe/account.ts'
import { Stripe } from '../../src/stripe/client.ts'
import { createCustomer } from '../support/customers.ts'
import { inStore, ledgerOf } from '../support/ledgers.ts'
import { STRIPE } from '../support/stripe.ts'
import { checkout, withStripe } from './support.ts'

const stripe = withStripe()

it('a live ledger takes only live payments outside of development, and a test ledger only test payments', () => {
  for (const ENVIRONMENT of ['production', 'staging', 'development']) {
    const accepts = (mode: 'live' | 'test', livemode: boolean) =>
      acceptsLivemode({ ...env, ENVIRONMENT }, mode, livemode)
    expect(accepts('live', true)).toBe(true)
    expect(accepts('live', false)).toBe(ENVIRONMENT === 'development')
    expect(accepts('test', false)).toBe(true)
    expect(accepts('test', true)).toBe(false)
  }
})

it('a payment of the other mode is logged and not reported as paid', async () => {
  const { payment, intent_id, payment_id, providerOf } = await paid()
  const { provider, logged } = providerOf('production', payment_id)
  expect(await provider.ask(payment)).toEqual({ kind: 'not_accepted', intent_id, is_refunded: false })
  expect(logged).toEqual([['payment_not_accepted', { payment_id, reason: 'livemode' }]])
  stripe.current().livemode = true
  expect(await provider.ask(payment)).toMatchObject({ kind: 'paid', intent_id })
})

it('an object of another payment is logged, and does not change this one', async () => {
  const { payment, intent_id, providerOf } = await paid()
  const { provider, logged } = providerOf('development', 'pay_other')
  const { session_id = '', ...unknown } = payment
  for (const reference of [session_id, intent_id]) {
    expect(await provider.ask(unknown, reference)).toMatchObject({ kind: 'unknown' })
  }
  const refused = ['payment_not_accepted', { payment_id: 'pay_other', reason: 'metadata' }]
  expect(logged).toEqual([refused, refused])
})

/**
 * Creates a paid checkout. Returns a function that creates a payment provider for an environment, to query Stripe about
 * the checkout.
 */
async function paid() {
  const { api_key, customer_id } = await createCustomer()
  const { payment_id, url } = await checkout(api_key)
  const { id: intent_id } = stripe.current().pay(url)
  const payment = await inStore(ledgerOf(customer_id), ({ paymentIntents }) => paymentIntents.get(1))
  if (!payment) throw new Error('the checkout has no row')
  const providerOf = (ENVIRONMENT: string, id: string) => {
    const logged: unknown[] = []
    const provider = new PaymentProvider({
      stripe: new Stripe({ api_url: STRIPE, secret_key: 'sk_live_1' }),
      ledger: customer_id,
      idOf: () => id,
      acceptsLivemode: (livemode) => acceptsLivemode({ ...env, ENVIRONMENT }, 'live', livemode),
      now: Date.now,
      log: (event, fields) => logged.push([event, fields]),
    })
    return { provider, logged }
  }
  return { payment, payment_id, intent_id, providerOf }
}
