import { describe, expect, it } from 'vitest'
import { api } from '../support/api.ts'
import { balanceOf, expectRefused } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { deployed } from '../support/deployment.ts'
import { signedEvent, WEBHOOK_SECRETS } from '../support/stripe.ts'
import { checkout, deliver, paymentOf, URLS, withStripe } from './support.ts'

const stripe = withStripe()
const PATH = '/v1/payments/stripe/webhook'

describe('an event of Stripe', () => {
  it('is refused without a signature, with a wrong, an old or another body’s one', async () => {
    const { api_key: key } = await createCustomer()
    const { url } = await checkout(key)
    const intent = stripe.current().pay(url)
    const type = 'payment_intent.succeeded'
    const good = stripe.current().event(type, intent)
    const other = stripe.current().event(type, intent, { secret: 'whsec_other' })
    const old = stripe.current().event(type, intent, { at_ms: Date.now() - 301_000 })
    const early = stripe.current().event(type, intent, { at_ms: Date.now() + 302_000 })
    const none = { ...good, headers: { 'Content-Type': 'application/json' } }
    const tampered = { ...good, body: good.body.replace('succeeded', 'failed') }
    for (const event of [other, old, early, none, tampered]) {
      await expectRefused(await deliver(event), 401, 'invalid_signature')
      const text = { ...event, headers: { ...event.headers, 'Content-Type': 'text/plain' } }
      await expectRefused(await deliver(text), 401, 'invalid_signature')
    }
    const signed = { ...good, headers: { ...good.headers, 'Content-Type': 'text/plain' } }
    await expectRefused(await deliver(signed), 415, 'unsupported_media_type')
    expect(await balanceOf(key)).toBe(10_000)
  })

  it('may have several signatures, of which one must be right', async () => {
    const good = signedEvent('ping', { id: 'x', object: 'ping' }, WEBHOOK_SECRETS.live)
    const header = good.headers['Stripe-Signature']?.replace('v1=', `v1=${'0'.repeat(64)},v0=abc,v1=`) ?? ''
    const headers = { ...good.headers, 'Stripe-Signature': header }
    expect((await deliver({ ...good, headers })).status).toBe(200)
  })

  it('is only a hint: the state at Stripe counts', async () => {
    const { api_key: key } = await createCustomer()
    const { payment_id } = await checkout(key)
    const [session] = stripe.current().sessions.values()
    const lie = {
      id: 'pi_lie',
      object: 'payment_intent',
      status: 'succeeded',
      amount_received: 1_000_000,
      metadata: session?.metadata,
    }
    expect((await deliver(signedEvent('payment_intent.succeeded', lie, WEBHOOK_SECRETS.live))).status).toBe(
      200,
    )
    expect(await balanceOf(key)).toBe(10_000)
    expect(await paymentOf(key, payment_id)).toMatchObject({ status: 'pending' })
  })

  it('of another system in the same account, or of an unknown ledger, changes nothing', async () => {
    const strangers = [
      { id: 'in_1', object: 'invoice' },
      { id: 'pi_1', object: 'payment_intent', metadata: { payment_id: 'pay_1', ledger: 'cust_none' } },
      { id: 'pi_2', object: 'charge', payment_intent: 'pi_unknown' },
    ]
    for (const object of strangers) {
      const response = await deliver(signedEvent('some.event', object, WEBHOOK_SECRETS.live))
      expect([response.status, await response.json()]).toEqual([200, { received: true }])
    }
  })

  it('of the test mode does not reach a live ledger', async () => {
    const { api_key: key } = await createCustomer()
    const { url } = await checkout(key)
    const intent = stripe.current().pay(url)
    const event = stripe.current().event('payment_intent.succeeded', intent, { secret: WEBHOOK_SECRETS.test })
    expect((await deliver(event)).status).toBe(200)
    expect(await balanceOf(key)).toBe(10_000)
  })

  it('gets 503 while Stripe cannot tell the owner of the payment, so that Stripe delivers it again', async () => {
    stripe.current().fault = () => 'down'
    const dispute = { id: 'dp_1', object: 'dispute', payment_intent: 'pi_1' }
    const event = signedEvent('charge.dispute.created', dispute, WEBHOOK_SECRETS.live)
    await expectRefused(await deliver(event), 503, 'unavailable')
  })
})

describe('a deployment without Stripe', () => {
  const NONE = {
    STRIPE_SECRET_KEY: '',
    STRIPE_WEBHOOK_SECRET: '',
    STRIPE_TEST_SECRET_KEY: '',
    STRIPE_TEST_WEBHOOK_SECRET: '',
  }

  it('responds to events with payments_not_configured', async () => {
    const { body, headers } = signedEvent('ping', { id: 'x', object: 'ping' }, WEBHOOK_SECRETS.live)
    const response = await deployed(NONE, PATH, { method: 'POST', body, headers })
    await expectRefused(response, 503, 'payments_not_configured')
    expect(response.headers.get('Retry-After')).toBeNull()
  })

  it.each([
    ['POST', '/v1/payments/checkout'],
    ['GET', '/v1/payments'],
    ['GET', '/v1/payments/pay_1'],
    ['PUT', '/v1/credits/auto-top-up'],
    ['GET', '/v1/credits/auto-top-up'],
    ['DELETE', '/v1/credits/auto-top-up'],
    ['POST', '/v1/credit-packs'],
    ['GET', '/v1/credit-packs'],
    ['GET', '/v1/credit-packs/pack_1'],
    ['PATCH', '/v1/credit-packs/pack_1'],
    ['DELETE', '/v1/credit-packs/pack_1'],
  ])('returns payments_not_configured, after it has checked the key: %s %s', async (method, path) => {
    const { api_key: key } = await createCustomer()
    const request = { method, ...(method.startsWith('P') && { body: {} }) }
    await expectRefused(await deployed(NONE, path, request), 401, 'missing_api_key')
    await expectRefused(await deployed(NONE, path, { ...request, key }), 503, 'payments_not_configured')
  })

  it('records purchases by hand', async () => {
    const { api_key: key } = await createCustomer()
    const body = { amount: 10, price_usd: 1, payment_reference: 'invoice 1' }
    expect((await deployed(NONE, '/v1/credits/purchase', { key, body })).status).toBe(201)
  })

  it('refuses the public development values', async () => {
    const { body, headers } = signedEvent('ping', { id: 'x', object: 'ping' }, WEBHOOK_SECRETS.live)
    const response = await deployed({ ENVIRONMENT: 'production' }, PATH, { method: 'POST', body, headers })
    await expectRefused(response, 503, 'payments_not_configured')
  })
})

describe('a secret key that Stripe refuses', () => {
  it('is payments_not_configured', async () => {
    const { api_key: key } = await createCustomer()
    stripe.current().unauthorized = true
    const body = { credits: 1, price_usd: 1, ...URLS }
    const response = await api('/v1/payments/checkout', { key, body })
    await expectRefused(response, 503, 'payments_not_configured')
  })
})
