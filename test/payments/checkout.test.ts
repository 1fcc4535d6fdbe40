import { describe, expect, it } from 'vitest'
import { DAY_MS, MINUTE_MS } from '../../src/time/durations.ts'
import { api, jsonOf } from '../support/api.ts'
import { answered, balanceOf, expectInvalid, expectRefused, listed, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { checkout, deliver, later, paymentOf, ring, URLS, withStripe } from './support.ts'

const stripe = withStripe()

describe('a checkout', () => {
  it('is a page of Stripe, and credits once it is paid', async () => {
    const customer = await createCustomer()
    const { api_key: key } = customer
    const { payment_id, url } = await checkout(key)
    expect(await paymentOf(key, payment_id)).toMatchObject({ status: 'pending', url, credits: 1000 })
    const intent = stripe.current().pay(url)
    expect(await balanceOf(key)).toBe(10_000)
    expect((await deliver(stripe.current().event('payment_intent.succeeded', intent))).status).toBe(200)
    expect(await balanceOf(key)).toBe(11_000)
    const paid = await paymentOf(key, payment_id)
    expect(paid).toMatchObject({ status: 'succeeded', price_usd: 10, provider_reference: intent.id })
    const [purchase] = await listed(key, '/v1/credits/transactions')
    expect(purchase).toMatchObject({
      id: paid.transaction_id,
      type: 'PURCHASE',
      amount: 1000,
      payment_reference: intent.id,
      price_usd: 10,
    })
    expect(await read(key, '/v1/payments')).toEqual({ data: [paid], next_cursor: null })
  })

  it('credits once, for any order and number of reports by events and the sweep', async () => {
    const customer = await createCustomer()
    const { api_key: key } = customer
    const { url } = await checkout(key)
    const intent = stripe.current().pay(url)
    const event = stripe.current().event('payment_intent.succeeded', intent)
    await Promise.all([deliver(event), ring(customer), deliver(event), deliver(event)])
    later(MINUTE_MS)
    await ring(customer)
    await deliver(event)
    expect(await balanceOf(key)).toBe(11_000)
  })

  it('is credited by the sweep alone when no event arrives', async () => {
    const customer = await createCustomer()
    const { payment_id, url } = await checkout(customer.api_key)
    stripe.current().pay(url)
    later(MINUTE_MS)
    await ring(customer)
    expect(await paymentOf(customer.api_key, payment_id)).toMatchObject({ status: 'succeeded' })
    expect(await balanceOf(customer.api_key)).toBe(11_000)
  })

  it('fails when it is not paid within a day, and moves nothing', async () => {
    const customer = await createCustomer()
    const { payment_id } = await checkout(customer.api_key)
    later(DAY_MS + MINUTE_MS)
    await ring(customer)
    expect(await paymentOf(customer.api_key, payment_id)).toMatchObject({
      status: 'failed',
      failure: { code: 'expired' },
    })
    expect(await balanceOf(customer.api_key)).toBe(10_000)
  })

  it('sells a pack with the lifetime of its credits, to a user', async () => {
    const customer = await createCustomer()
    const { api_key: key } = customer
    const pack = await answered(
      key,
      '/v1/credit-packs',
      { name: 'Small', credits: 50.5, price_usd: '1.99', expires_in_days: 30 },
      201,
    )
    const body = { credit_pack_id: pack.id, user_id: 'zoe', ...URLS }
    const { url } = await jsonOf(await api('/v1/payments/checkout', { key, body }))
    stripe.current().pay(String(url))
    later(MINUTE_MS)
    await ring(customer)
    const lots = await listed(key, '/v1/credits/lots', '?user_id=zoe')
    const expires_at = new Date(Date.now() + 30 * DAY_MS).toISOString()
    expect(lots).toMatchObject([{ kind: 'paid', amount: 50.5, expires_at }])
    expect(stripe.current().calls[0]?.fields.get('line_items[0][price_data][unit_amount]')).toBe('199')
  })

  it('is the same purchase as the one recorded by hand with its payment intent', async () => {
    const customer = await createCustomer()
    const { api_key: key } = customer
    const { payment_id, url } = await checkout(key)
    const { id } = stripe.current().pay(url)
    const purchase = { amount: 1000, price_usd: 10, payment_reference: id }
    const { transaction_id } = await answered(key, '/v1/credits/purchase', purchase, 201)
    later(MINUTE_MS)
    await ring(customer)
    expect(await paymentOf(key, payment_id)).toMatchObject({ status: 'succeeded', transaction_id })
    expect(await balanceOf(key)).toBe(11_000)
  })

  it('replays its response for its key, and makes one session for it', async () => {
    const { api_key: key } = await createCustomer()
    const request = {
      key,
      body: { credits: 1, price_usd: 1, ...URLS },
      headers: { 'Idempotency-Key': 'k' },
    }
    const first = await (await api('/v1/payments/checkout', request)).text()
    const again = await api('/v1/payments/checkout', request)
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([201, 'true'])
    expect(await again.text()).toBe(first)
    expect(stripe.current().sessions.size).toBe(1)
  })

  it('is one of at most ten unpaid checkouts of a wallet', async () => {
    const { api_key: key } = await createCustomer()
    for (let made = 0; made < 10; made++) await checkout(key)
    const body = { credits: 1, price_usd: 1, ...URLS }
    await expectRefused(await api('/v1/payments/checkout', { key, body }), 409, 'too_many_open')
    await checkout(key, { user_id: 'zoe' })
  })

  it('returns 503 and keeps no open payment when Stripe is down', async () => {
    const { api_key: key } = await createCustomer()
    for (const fault of ['lost', 'down', 'busy', 'broken'] as const) {
      stripe.current().fault = () => fault
      const body = { credits: 1, price_usd: 1, ...URLS }
      const problem = await expectRefused(
        await api('/v1/payments/checkout', { key, body }),
        503,
        'unavailable',
      )
      expect(problem.detail).toMatch(/^Stripe did not respond/)
    }
    const payments = await listed(key, '/v1/payments')
    expect(payments.map(({ status }) => status)).toEqual(['failed', 'failed', 'failed', 'failed'])
  })

  it.each([
    ['0.50', 50],
    [0.5, 50],
    [0.57, 57],
    [19.99, 1999],
    [999_999.99, 99_999_999],
    ['999999.99', 99_999_999],
  ])('charges %s USD as %i cents', async (price_usd, cents) => {
    const { api_key: key } = await createCustomer()
    const { payment_id, url } = await checkout(key, { price_usd })
    const [sent] = stripe.current().calls
    expect(sent?.fields.get('line_items[0][price_data][unit_amount]')).toBe(String(cents))
    expect(sent?.fields.get('line_items[0][price_data][currency]')).toBe('usd')
    await deliver(stripe.current().event('payment_intent.succeeded', stripe.current().pay(url)))
    expect(await paymentOf(key, payment_id)).toMatchObject({
      status: 'succeeded',
      price_usd: Number(price_usd),
    })
  })

  it.each([
    ['/price_usd', { price_usd: 0.49 }],
    ['/price_usd', { price_usd: '0.501' }],
    ['/price_usd', { price_usd: 999_999.999 }],
    ['/price_usd', { price_usd: -10 }],
    ['/price_usd', { price_usd: 0.005 }],
    ['/price_usd', { price_usd: 10.001 }],
    ['/price_usd', { price_usd: '0.49' }],
    ['/price_usd', { price_usd: 1_000_000 }],
    ['/credits', { credits: 0 }],
    ['/credits', { credit_pack_id: 'pack_1' }],
    ['/success_url', { success_url: 'javascript:alert(1)' }],
    ['/cancel_url', { cancel_url: 'https://a:b@shop.test/' }],
    ['/team_id', { user_id: 'a', team_id: 'b' }],
  ])('refuses a wrong %s: %j', async (path, wrong) => {
    const { api_key: key } = await createCustomer()
    const body = { credits: 1, price_usd: 1, ...URLS, ...wrong }
    await expectInvalid(await api('/v1/payments/checkout', { key, body }), path)
    expect(stripe.current().calls).toEqual([])
  })
})

describe('a payment of another customer or ledger', () => {
  it('is not found', async () => {
    const [one, other] = [await createCustomer(), await createCustomer()]
    const { payment_id } = await checkout(one.api_key)
    await expectRefused(await api(`/v1/payments/${payment_id}`, { key: other.api_key }), 404, 'not_found')
    expect(await listed(other.api_key, '/v1/payments')).toEqual([])
  })
})
