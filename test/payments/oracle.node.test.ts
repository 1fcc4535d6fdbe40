import StripePackage from 'stripe'
import { describe, expect, it } from 'vitest'
import { STRIPE_VERSION, Stripe } from '../../src/stripe/client.ts'
import { isSignedBy } from '../../src/stripe/signature.ts'
import { signedEvent } from '../support/stripe.ts'

/**
 * Compares our code with Stripe's official package. Our code must verify the webhooks that the package signs. The
 * package must verify the webhooks that the simulated Stripe of the tests signs. Both must send the same requests.
 */

const official = new StripePackage('sk_test_1')
const SECRET = 'whsec_development'

describe('the signature of a webhook', () => {
  const payload = JSON.stringify({ id: 'evt_1', object: 'event', text: 'ü 🎉' })
  const now_ms = 1_795_900_000_000
  const verify = (header: string, body = payload, secret = SECRET) =>
    isSignedBy(secret, { body: Buffer.from(body), header, now_ms })
  const headerAt = (timestamp: number, secret = SECRET) =>
    official.webhooks.generateTestHeaderString({ payload, secret, timestamp })

  it.each([-300, -299, 0, 300])('of the package is accepted %i s later', async (seconds) => {
    expect(await verify(headerAt(now_ms / 1_000 + seconds))).toBe(true)
  })

  it('of the package is refused when it is older or newer, of another secret or of another body', async () => {
    const now_s = now_ms / 1_000
    expect(await verify(headerAt(now_s - 301))).toBe(false)
    expect(await verify(headerAt(now_s + 301))).toBe(false)
    expect(await verify(headerAt(now_s, 'whsec_other'))).toBe(false)
    expect(await verify(headerAt(now_s), `${payload} `)).toBe(false)
  })

  it('is refused in any other form', async () => {
    const good = headerAt(now_ms / 1_000)
    const [time = '', v1 = ''] = good.split(',')
    const wrong = ['', 't=', time, v1, `${time},v0=${v1.slice(3)}`, `${time},${time},${v1}`]
    for (const header of [...wrong, good.toUpperCase(), `${good}0`, `t=1e9,${v1}`, `${good},`.repeat(50)]) {
      expect(await verify(header), header).toBe(false)
    }
    expect(await verify(`${time},v1=${'0'.repeat(64)},${v1}`)).toBe(true)
  })

  it('of the double is accepted by the package', async () => {
    const { body, headers } = signedEvent('ping', { id: 'x', object: 'ping' }, SECRET)
    const event = await official.webhooks.constructEventAsync(body, headers['Stripe-Signature'] ?? '', SECRET)
    expect(event.type).toBe('ping')
  })
})

interface Sent {
  readonly method: string
  readonly url: string
  readonly body: string
  readonly version: string | null
  readonly key: string | null
}

/** Returns a fetch function that records each request and responds with 400. */
function recorder() {
  const sent: Sent[] = []
  const record = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers)
    const url = new URL(String(input))
    const body = new URLSearchParams(init.method === 'POST' ? String(init.body ?? '') : url.search)
    body.sort()
    const [version, key] = [headers.get('Stripe-Version'), headers.get('Idempotency-Key')]
    sent.push({
      method: init.method ?? 'GET',
      url: url.origin + url.pathname,
      body: String(body),
      version,
      key,
    })
    return Response.json({ error: { type: 'invalid_request_error', message: 'no' } }, { status: 400 })
  }
  return { sent, record }
}

describe('a request to Stripe', () => {
  it('equals the request of Stripe’s package, in the version of the package', async () => {
    const [ours, theirs] = [recorder(), recorder()]
    const client = new Stripe({
      api_url: 'https://api.stripe.com',
      secret_key: 'sk_test_1',
      fetcher: ours.record,
    })
    const judge = new StripePackage('sk_test_1', {
      httpClient: StripePackage.createFetchHttpClient(theirs.record),
      maxNetworkRetries: 0,
    })
    const expand = ['latest_charge', 'payment_method']
    const charge = {
      amount: 1050,
      currency: 'usd',
      customer: 'cus_1',
      payment_method: 'pm_1',
      off_session: true,
      confirm: true,
      description: '1,000 credits & more',
      metadata: { payment_id: 'pay_1', ledger: 'cust_1:test' },
    }
    const session = {
      mode: 'payment' as const,
      client_reference_id: 'pay_1',
      payment_method_types: ['card' as const],
      line_items: [
        {
          quantity: 1,
          price_data: { currency: 'usd', unit_amount: 1050, product_data: { name: 'ü + "x"' } },
        },
      ],
      success_url: 'https://a.test/?x={CHECKOUT_SESSION_ID}',
      cancel_url: 'https://a.test/',
      customer_creation: 'always' as const,
      metadata: charge.metadata,
      payment_intent_data: { setup_future_usage: 'off_session' as const, metadata: charge.metadata },
    }
    const created = { gte: 1_795_900_000, lte: 1_795_990_000 }
    await client.createPaymentIntent(charge, 'pay_1')
    await client.createSession(session, 'pay_2')
    await client.paymentIntent('pi_1')
    await client.cancelPaymentIntent('pi_1', 'pay_1-cancel')
    await client.session('cs_1')
    await client.paymentIntentsOf('cus_1', created, 'pi_9')
    await client.cardsOf('cus_1')
    await client.disputesOf('pi_1')
    const all = [
      judge.paymentIntents.create({ ...charge, expand }, { idempotencyKey: 'pay_1' }),
      judge.checkout.sessions.create(session, { idempotencyKey: 'pay_2' }),
      judge.paymentIntents.retrieve('pi_1', { expand }),
      judge.paymentIntents.cancel(
        'pi_1',
        { cancellation_reason: 'abandoned', expand },
        { idempotencyKey: 'pay_1-cancel' },
      ),
      judge.checkout.sessions.retrieve('cs_1', {
        expand: ['payment_intent.latest_charge', 'payment_intent.payment_method'],
      }),
      judge.paymentIntents.list({
        customer: 'cus_1',
        created,
        starting_after: 'pi_9',
        limit: 100,
        expand: ['data.latest_charge', 'data.payment_method'],
      }),
      judge.customers.listPaymentMethods('cus_1', { type: 'card', limit: 1 }),
      judge.disputes.list({ payment_intent: 'pi_1', limit: 100 }),
    ]
    await Promise.allSettled(all)
    const byUrl = (a: Sent, b: Sent) => (a.method + a.url < b.method + b.url ? -1 : 1)
    expect(ours.sent.sort(byUrl)).toEqual(theirs.sent.sort(byUrl))
    expect(ours.sent[0]?.version).toBe(STRIPE_VERSION)
  })
})

describe('a response from Stripe', () => {
  const ask = (respond: () => Response | Promise<Response>) =>
    new Stripe({
      api_url: 'https://api.stripe.com',
      secret_key: 'sk_test_1',
      timeout_ms: 50,
      fetcher: async () => respond(),
    }).paymentIntent('pi_1')
  const error = (type: string, more: object = {}) => ({ error: { type, message: 'no', ...more } })

  it.each([
    [200, { object: 'payment_intent' }, { kind: 'unknown' }],
    [200, 'not JSON', { kind: 'unknown' }],
    [302, '', { kind: 'unknown' }],
    [
      400,
      error('invalid_request_error', { code: 'resource_missing' }),
      { kind: 'refused', code: 'resource_missing' },
    ],
    [400, error('idempotency_error'), { kind: 'unknown' }],
    [400, 'not JSON', { kind: 'unknown' }],
    [401, error('invalid_request_error'), { kind: 'unauthorized' }],
    [
      402,
      error('card_error', { code: 'card_declined', decline_code: 'lost_card' }),
      { kind: 'declined', code: 'lost_card' },
    ],
    [409, error('invalid_request_error'), { kind: 'unknown' }],
    [429, error('rate_limit_error'), { kind: 'unknown' }],
    [500, error('api_error'), { kind: 'unknown' }],
  ])('of status %i %j gives %j', async (status, body, expected) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    expect(await ask(() => new Response(text, { status }))).toMatchObject(expected)
  })

  it('that is too long, broken off or late is unknown', async () => {
    const long = new Response('x'.repeat(600_000))
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) })
    expect(await ask(() => long)).toMatchObject({ kind: 'unknown' })
    expect(await ask(() => new Response(broken))).toMatchObject({ kind: 'unknown' })
    expect(await ask(() => new Promise<Response>(() => {}))).toEqual({ kind: 'unknown', reason: 'timeout' })
  })

  it('has its wait in milliseconds, at most an hour', async () => {
    const headers = { 'Retry-After': '86400' }
    const result = await ask(() => new Response('{}', { status: 429, headers }))
    expect(result).toMatchObject({ kind: 'unknown', retry_after_ms: 3_600_000 })
  })
})
