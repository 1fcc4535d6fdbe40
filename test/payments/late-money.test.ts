import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/time/durations.ts'
import { api } from '../support/api.ts'
import { answered, balanceOf, granted, listed } from '../support/client.ts'
import { createCustomer, type TestCustomer } from '../support/customers.ts'
import { ask, inStore, ledgerOf, storedBalances } from '../support/ledgers.ts'
import { grant } from '../support/messages.ts'
import {
  burn,
  checkout,
  deliver,
  type Intent,
  later,
  paymentOf,
  ring,
  setTopUp,
  topUpOf,
  withCard,
  withStripe,
} from './support.ts'

/**
 * Tests payments that Stripe receives late or in an unusual way. Such a payment must be credited once. If it is not
 * credited, a log line and the payment must state the reason.
 */

const stripe = withStripe()
const { tell } = stripe

const SIGN_UP = 10_000
/**
 * The credits of the wallet at the start: 10,000 sign-up credits, and 1,000 credits from the checkout that saved the
 * card.
 */
const START = 11_000
const KEPT_MS = 90 * DAY_MS

/** Adds the maximum number of lots to the customer's wallet. They expire after a day. */
async function fill({ customer_id }: TestCustomer): Promise<void> {
  const { stub } = ledgerOf(customer_id)
  const expires_at_ms = Date.now() + DAY_MS
  for (;;) {
    const result = await ask(stub, 'credit', grant(1_000_000, { expires_at_ms }))
    if (result.kind === 'refused') return expect(result.refusal).toMatchObject({ code: 'too_many_open' })
  }
}

/** Creates a checkout that has expired in the ledger while Stripe was still processing the buyer's payment. */
async function expired(body = {}): Promise<TestCustomer & { readonly id: string; readonly intent: Intent }> {
  const customer = await createCustomer()
  const { payment_id: id, url } = await checkout(customer.api_key, body)
  later(DAY_MS + HOUR_MS)
  await ring(customer)
  expect(await paymentOf(customer.api_key, id)).toMatchObject({ failure: { code: 'expired' } })
  return { ...customer, id, intent: stripe.current().payLate(url) }
}

/**
 * Creates a checkout, and pays it with a payment intent that has the fields of `wrong` in place of the requested ones.
 */
async function paidWrongly(
  wrong: object,
): Promise<TestCustomer & { readonly id: string; readonly intent: Intent }> {
  const customer = await createCustomer()
  const { payment_id: id, url } = await checkout(customer.api_key)
  const intent = stripe.current().pay(url)
  const event = stripe.current().event('payment_intent.succeeded', intent)
  Object.assign(intent, wrong)
  expect((await deliver(event)).status).toBe(200)
  return { ...customer, id, intent }
}

/** Creates a top-up whose charge was declined. */
async function declined(): Promise<TestCustomer & { readonly id: string; readonly intent: Intent }> {
  const customer = await withCard(stripe.current(), { behaviour: 'declined' })
  const { api_key: key } = customer
  await setTopUp(key)
  await burn(key, START)
  await ring(customer)
  await setTopUp(key, { enabled: false })
  const [payment] = await listed(key, '/v1/payments')
  expect(payment).toMatchObject({ type: 'top_up', status: 'failed' })
  const intent = [...stripe.current().intents.values()].at(-1)
  if (!intent) throw new Error('nothing was charged')
  return { ...customer, id: String(payment?.payment_id), intent }
}

describe('a payment that failed here and is paid at Stripe later', () => {
  it('is credited by its webhook when its checkout had expired', async () => {
    const { api_key: key, id, intent } = await expired()
    await tell('payment_intent.succeeded', intent)
    const paid = await paymentOf(key, id)
    expect(paid).toMatchObject({ status: 'succeeded', provider_reference: intent.id })
    expect(paid).not.toHaveProperty('failure')
    expect(await balanceOf(key)).toBe(SIGN_UP + 1000)
  })

  it('saves its card for top-ups if its buyer asked for it', async () => {
    const { api_key: key, intent } = await expired({ save_payment_method: true })
    expect(await setTopUp(key)).toMatchObject({ paused_reason: 'no_payment_method' })
    await tell('payment_intent.succeeded', intent)
    expect(await topUpOf(key)).toMatchObject({ paused_reason: null })
  })

  it('is credited by its webhook when the charge of a top-up was declined, and counts in its month', async () => {
    const { api_key: key, id, intent } = await declined()
    stripe.current().succeed(intent)
    await tell('payment_intent.succeeded', intent)
    await tell('payment_intent.succeeded', intent)
    expect(await paymentOf(key, id)).toMatchObject({ status: 'succeeded' })
    expect(await topUpOf(key)).toMatchObject({ spent_usd_this_month: 10 })
    expect(await balanceOf(key)).toBe(1000)
  })

  it.each(['expired', 'declined'] as const)(
    'is credited instead of deleted when no webhook arrived: %s',
    async (how) => {
      const customer = await (how === 'expired' ? expired() : declined())
      if (how === 'declined') stripe.current().succeed(customer.intent)
      const before = await balanceOf(customer.api_key)
      later(KEPT_MS)
      await ring(customer)
      expect(await paymentOf(customer.api_key, customer.id)).toMatchObject({ status: 'succeeded' })
      expect(await balanceOf(customer.api_key)).toBe(Number(before) + 1000)
    },
  )

  it('waits for room in its wallet, is not deleted meanwhile, and is credited then', async () => {
    const customer = await expired()
    const { api_key: key, id, intent } = customer
    later(KEPT_MS - 2 * DAY_MS)
    await fill(customer)
    await tell('payment_intent.succeeded', intent)
    const waiting = await paymentOf(key, id)
    expect(waiting).toMatchObject({ status: 'pending', provider_reference: intent.id })
    expect(waiting).not.toHaveProperty('failure')
    // The wallet is full until its lots expire after a day, so the payment is not credited. Alarms before the next
    // scheduled time do not check with Stripe.
    const asked = () => stripe.current().calls.length
    const before = asked()
    for (let rings = 0; rings < 5; rings++) await ring(customer)
    expect(asked()).toBe(before)
    later(30 * DAY_MS)
    await ring(customer)
    expect(await paymentOf(key, id)).toMatchObject({ status: 'succeeded' })
    expect(await balanceOf(key)).toBe(SIGN_UP + 1000)
  })

  it('is checked again, with waits, while Stripe does not respond', async () => {
    const customer = await expired()
    later(KEPT_MS)
    stripe.current().fault = () => 'down'
    const before = stripe.current().calls.length
    for (let rings = 0; rings < 3; rings++) await ring(customer)
    expect(stripe.current().calls.length).toBe(before + 1)
    const next_at_ms = await inStore(ledgerOf(customer.customer_id), (store) => store.paymentIntents.nextAt())
    expect(next_at_ms).toBeGreaterThan(Date.now())
    stripe.current().fault = () => undefined
    later(HOUR_MS)
    await ring(customer)
    expect(await paymentOf(customer.api_key, customer.id)).toMatchObject({ status: 'succeeded' })
  })
})

it('a failed payment is deleted about a week later if Stripe does not respond', async () => {
  const customer = await createCustomer()
  const { payment_id: id } = await checkout(customer.api_key)
  later(2 * DAY_MS)
  await ring(customer)
  later(KEPT_MS)
  stripe.current().fault = () => 'down'
  const path = `/v1/payments/${id}`
  let days = 0
  while ((await api(path, { key: customer.api_key })).status === 200 && days < 30) {
    for (let hours = 0; hours < 24; hours += 6) {
      await ring(customer)
      later(6 * HOUR_MS)
    }
    days++
  }
  expect(days).toBe(8)
})

describe('a paid payment', () => {
  it('of a suspended customer is credited, by its webhook and by the sweep', async () => {
    const customer = await createCustomer()
    const { api_key: key, customer_id } = customer
    const [one, other] = [await checkout(key), await checkout(key)]
    const path = `/v1/admin/customers/${customer_id}`
    await answered('dev-operator-token', path, { status: 'SUSPENDED' }, 200, 'PATCH')
    await tell('payment_intent.succeeded', stripe.current().pay(one.url))
    stripe.current().pay(other.url)
    later(MINUTE_MS)
    await ring(customer)
    expect(await storedBalances(ledgerOf(customer_id))).toEqual({ customer: (SIGN_UP + 2000) * 1_000_000 })
  })

  it('whose response was lost is found for a user who was erased meanwhile', async () => {
    const customer = await createCustomer()
    const { api_key: key, customer_id } = customer
    await granted(key, { user_id: 'zoe', amount: 10 })
    const { url } = await checkout(key, { user_id: 'zoe', save_payment_method: true })
    await tell('payment_intent.succeeded', stripe.current().pay(url))
    await setTopUp(key, { below: 2000 }, '?user_id=zoe')
    stripe.current().fault = ({ method }) => (method === 'POST' ? 'lost' : undefined)
    await ring(customer)
    stripe.current().fault = () => undefined
    expect(stripe.current().succeeded()).toHaveLength(2)
    await answered(key, '/v1/users/zoe', undefined, 200, 'DELETE')
    later(MINUTE_MS)
    await ring(customer)
    const { customer: _, ...others } = await storedBalances(ledgerOf(customer_id))
    expect(Object.values(others)).toEqual([2_010_000_000])
    expect(stripe.current().succeeded()).toHaveLength(2)
    // The payment has an outcome, so the ledger has deleted the ids of its customer and card at Stripe.
    const [top_up] = await inStore(ledgerOf(customer_id), (store) => store.paymentIntents.list(99, 1))
    expect(top_up).toMatchObject({ type: 'top_up', status: 'succeeded' })
    expect(top_up).not.toHaveProperty('customer')
    expect(top_up).not.toHaveProperty('card')
  })

  it('whose response was lost is found among many payments of its customer at Stripe', async () => {
    const customer = await withCard(stripe.current())
    const { api_key: key, payer } = customer
    await setTopUp(key)
    await burn(key, START)
    stripe.current().fault = ({ method }) => (method === 'POST' ? 'lost' : undefined)
    await ring(customer)
    stripe.current().fault = () => undefined
    for (const wait of [HOUR_MS, 2 * DAY_MS]) {
      later(wait)
      for (let others = 0; others < 250; others++) stripe.current().sellOther(payer)
    }
    await ring(customer)
    expect(await balanceOf(key)).toBe(1000)
    expect(stripe.current().succeeded()).toHaveLength(2)
  })

  it('that is processed for days is credited when it succeeds', async () => {
    const customer = await createCustomer()
    const { api_key: key } = customer
    const { payment_id: id, url } = await checkout(key)
    const intent = stripe.current().pay(url)
    for (const session of ['complete', 'expired'] as const) {
      stripe.current().process(intent, session)
      later(5 * DAY_MS)
      await ring(customer)
      expect(await paymentOf(key, id)).toMatchObject({ status: 'pending' })
    }
    stripe.current().succeed(intent)
    later(DAY_MS)
    await ring(customer)
    expect(await paymentOf(key, id)).toMatchObject({ status: 'succeeded' })
    expect(await balanceOf(key)).toBe(SIGN_UP + 1000)
  })

  it.each([
    ['another amount', { amount: 999 }],
    ['another currency', { currency: 'eur' }],
    ['another payment', { metadata: { payment_id: 'pay_other' } }],
  ])('of %s is not credited, but stays visible', async (_, wrong) => {
    const customer = await paidWrongly(wrong)
    const { api_key: key, id } = customer
    for (let rings = 0; rings < 3; rings++) {
      later(100 * DAY_MS)
      await ring(customer)
    }
    expect(await paymentOf(key, id)).toMatchObject({ status: 'pending' })
    expect(await balanceOf(key)).toBe(SIGN_UP)
  })

  it('of another amount has failed once it is refunded in Stripe', async () => {
    const customer = await paidWrongly({ amount: 999 })
    const { api_key: key, id, intent } = customer
    stripe.current().refund(intent, 999)
    await tell('charge.refunded', intent)
    expect(await paymentOf(key, id)).toMatchObject({ status: 'failed', failure: { code: 'not_accepted' } })
    expect(await balanceOf(key)).toBe(SIGN_UP)
    later(KEPT_MS)
    await ring(customer)
    expect(await listed(key, '/v1/payments')).toEqual([])
  })

  it('of another amount has succeeded once it is recorded by hand, and is not credited twice', async () => {
    const customer = await paidWrongly({ amount: 999 })
    const { api_key: key, id, intent } = customer
    const purchase = { amount: 999, price_usd: 9.99, payment_reference: intent.id }
    const { transaction_id } = await answered(key, '/v1/credits/purchase', purchase, 201)
    later(DAY_MS)
    await ring(customer)
    await tell('payment_intent.succeeded', intent)
    expect(await paymentOf(key, id)).toMatchObject({ status: 'succeeded', transaction_id })
    expect(await balanceOf(key)).toBe(SIGN_UP + 999)
  })

  it.each(['refund', 'dispute'] as const)(
    'with a %s before its credit is credited only for the rest',
    async (how) => {
      const { api_key: key } = await createCustomer()
      const { payment_id: id, url } = await checkout(key)
      const intent = stripe.current().pay(url)
      if (how === 'refund') stripe.current().refund(intent, 400)
      else stripe.current().dispute(intent, 'needs_response', 400)
      await tell(how === 'refund' ? 'charge.refunded' : 'charge.dispute.created', intent)
      await tell('payment_intent.succeeded', intent)
      const status = how === 'refund' ? 'succeeded' : 'disputed'
      expect(await paymentOf(key, id)).toMatchObject({ status, credits_taken_back: 400 })
      expect(await balanceOf(key)).toBe(SIGN_UP + 600)
    },
  )
})

describe('a late event', () => {
  it('passes its reference to a check that waits for another one, too', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const { stub } = ledgerOf(customer_id)
    // The object stops while Stripe creates the page, so the payment has no Stripe ids.
    stripe.current().fault = ({ method }) => {
      if (method !== 'POST') return undefined
      void runInDurableObject(stub, (_, state) => state.abort('stopped')).catch(() => undefined)
      return 'done, hangs'
    }
    await checkout(key).catch(() => undefined)
    stripe.current().fault = () => undefined
    const [session] = stripe.current().sessions.values()
    const { id: reference } = stripe.current().pay(session?.id ?? '')
    const { stub: restarted } = ledgerOf(customer_id)
    const hints = [{ number: 1 }, { number: 1 }, { number: 1, reference }]
    await Promise.all(hints.map((hint) => ask(restarted, 'checkPayment', hint)))
    expect(await listed(key, '/v1/payments')).toMatchObject([{ status: 'succeeded' }])
    expect(await balanceOf(key)).toBe(SIGN_UP + 1000)
  })

  it('charges no card again for a top-up that Stripe refused', async () => {
    const customer = await withCard(stripe.current())
    const { api_key: key, customer_id, payer } = customer
    await setTopUp(key)
    await burn(key, START)
    // Detaches the card after the look-up and before the charge.
    stripe.current().fault = ({ path }) => {
      if (path === '/v1/payment_intents') stripe.current().cards.set(payer, [])
      return undefined
    }
    const card = stripe.current().cards.get(payer)?.at(-1)
    if (!card) throw new Error('no card')
    await ring(customer)
    stripe.current().fault = () => undefined
    await setTopUp(key, { enabled: false })
    const [top_up] = await listed(key, '/v1/payments')
    expect(top_up).toMatchObject({ type: 'top_up', status: 'failed' })
    stripe.current().addCard(payer, card)
    later(2 * DAY_MS)
    const ledger = ledgerOf(customer_id)
    await ask(ledger.stub, 'checkPayment', { number: 2 })
    expect(stripe.current().succeeded()).toHaveLength(1)
    expect(await balanceOf(key)).toBe(0)
  })
})
