import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/time/durations.ts'
import { api } from '../support/api.ts'
import {
  answered,
  balanceOf,
  expectInvalid,
  expectRefused,
  GPT_4O,
  ingested,
  listed,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { ledgerOf, rowsWrittenBy } from '../support/ledgers.ts'
import {
  burn,
  checkout,
  deliver,
  later,
  paymentOf,
  RULE,
  ring,
  setTopUp,
  topUpOf,
  withCard,
  withStripe,
} from './support.ts'

const stripe = withStripe()

/**
 * The credits of the wallet at the start: 10,000 sign-up credits, and 1,000 credits from the checkout that saved the
 * card.
 */
const START = 11_000

describe('an automatic top-up', () => {
  it('charges the saved card when the wallet falls below its threshold, and the burn does not wait for the charge', async () => {
    const customer = await withCard(stripe.current())
    const { api_key: key } = customer
    expect(await setTopUp(key)).toMatchObject({ ...RULE, paused_reason: null, spent_usd_this_month: 0 })
    await burn(key, START - 500)
    await ring(customer)
    expect(await balanceOf(key)).toBe(500)
    const calls = stripe.current().calls.length
    await burn(key, 1)
    expect(stripe.current().calls.length).toBe(calls)
    await ring(customer)
    expect(await balanceOf(key)).toBe(1499)
    const state = await topUpOf(key)
    expect(state).toMatchObject({ spent_usd_this_month: 10, last_attempt: { status: 'succeeded' } })
    const [payment] = await listed(key, '/v1/payments')
    expect(payment).toMatchObject({ type: 'top_up', status: 'succeeded', price_usd: 10, credits: 1000 })
  })

  it('charges again at once while the wallet is still below', async () => {
    const customer = await withCard(stripe.current())
    await setTopUp(customer.api_key, { below: 2500 })
    await burn(customer.api_key, START)
    for (let rings = 0; rings < 5; rings++) await ring(customer)
    expect(await balanceOf(customer.api_key)).toBe(3000)
    expect(stripe.current().received).toBe(4000)
  })

  it('charges at once when it is set for a wallet that is low', async () => {
    const customer = await withCard(stripe.current())
    await burn(customer.api_key, START)
    await ring(customer)
    await setTopUp(customer.api_key)
    await ring(customer)
    expect(await balanceOf(customer.api_key)).toBe(1000)
  })

  it('charges once for a charge whose response is lost', async () => {
    const customer = await withCard(stripe.current())
    const { api_key: key } = customer
    await setTopUp(key)
    await burn(key, START)
    stripe.current().fault = ({ method }) => (method === 'POST' ? 'lost' : undefined)
    await ring(customer)
    expect(await balanceOf(key)).toBe(0)
    expect(await topUpOf(key)).toMatchObject({
      last_attempt: { status: 'pending' },
      spent_usd_this_month: 10,
    })
    // These calls must not start another charge, because the first charge has no outcome yet.
    await burn(key, 0.000001).catch(() => undefined)
    await ring(customer)
    stripe.current().fault = () => undefined
    later(MINUTE_MS)
    await ring(customer)
    expect(await balanceOf(key)).toBe(1000)
    expect(stripe.current().succeeded()).toHaveLength(2)
  })

  it('finds a charge a day later, when Stripe has forgotten its key', async () => {
    const customer = await withCard(stripe.current())
    await setTopUp(customer.api_key)
    await burn(customer.api_key, START)
    stripe.current().fault = ({ method }) => (method === 'POST' ? 'lost' : undefined)
    await ring(customer)
    stripe.current().fault = () => undefined
    later(2 * DAY_MS)
    await ring(customer)
    expect(await balanceOf(customer.api_key)).toBe(1000)
    expect(stripe.current().succeeded()).toHaveLength(2)
  })

  it('abandons a charge that Stripe never received, and no longer counts it', async () => {
    const customer = await withCard(stripe.current())
    const { api_key: key } = customer
    await setTopUp(key)
    await burn(key, START)
    stripe.current().fault = ({ method }) => (method === 'POST' ? 'down' : undefined)
    await ring(customer)
    stripe.current().fault = () => undefined
    later(2 * DAY_MS)
    await ring(customer)
    expect(await topUpOf(key)).toMatchObject({
      last_attempt: { status: 'failed', failure: { code: 'not_charged' } },
      spent_usd_this_month: 0,
    })
    later(HOUR_MS)
    await ring(customer)
    expect(await balanceOf(key)).toBe(1000)
  })

  it('never exceeds the monthly cap, and continues in the next month', async () => {
    const customer = await withCard(stripe.current())
    const { api_key: key } = customer
    await setTopUp(key, { below: 100_000, max_usd_per_month: 39.99 })
    for (let rings = 0; rings < 6; rings++) await ring(customer)
    expect(stripe.current().received).toBe(1000 + 3000)
    expect(await topUpOf(key)).toMatchObject({ paused_reason: 'monthly_limit', spent_usd_this_month: 30 })
    later(32 * DAY_MS)
    expect(await topUpOf(key)).toMatchObject({ paused_reason: null, spent_usd_this_month: 0 })
    await ring(customer)
    expect(stripe.current().received).toBe(5000)
  })

  it('keeps the spent amount when its rule is ended and set again', async () => {
    const customer = await withCard(stripe.current())
    const { api_key: key } = customer
    const rule = { below: 100_000, max_usd_per_month: 10 }
    await setTopUp(key, rule)
    await ring(customer)
    await answered(key, '/v1/credits/auto-top-up', undefined, 200, 'DELETE')
    await expectRefused(await api('/v1/credits/auto-top-up', { key }), 404, 'not_found')
    await setTopUp(key, rule)
    await ring(customer)
    expect(stripe.current().received).toBe(2000)
  })

  it('charges at most as often as its daily limit', async () => {
    const customer = await withCard(stripe.current())
    await setTopUp(customer.api_key, { below: 100_000, max_per_day: 2 })
    for (let rings = 0; rings < 5; rings++) await ring(customer)
    expect(stripe.current().received).toBe(3000)
    later(DAY_MS)
    await ring(customer)
    expect(stripe.current().received).toBe(4000)
  })

  it('pauses after three declined charges, with waits between, until there is another card', async () => {
    const customer = await withCard(stripe.current(), { behaviour: 'declined' })
    const { api_key: key, payer } = customer
    await setTopUp(key)
    await burn(key, START)
    const charges = () => stripe.current().intents.size - 1
    await ring(customer)
    await ring(customer)
    expect(charges()).toBe(1)
    expect(await topUpOf(key)).toMatchObject({
      last_attempt: { status: 'failed', failure: { code: 'insufficient_funds' } },
      paused_reason: null,
      spent_usd_this_month: 0,
    })
    later(HOUR_MS)
    await ring(customer)
    expect(charges()).toBe(2)
    later(6 * HOUR_MS)
    await ring(customer)
    expect(charges()).toBe(3)
    expect(await topUpOf(key)).toMatchObject({ paused_reason: 'declined' })
    for (let days = 0; days < 3; days++) {
      later(DAY_MS)
      await ring(customer)
    }
    expect(charges()).toBe(3)
    stripe.current().addCard(payer, stripe.current().newCard())
    later(DAY_MS)
    await ring(customer)
    expect(charges()).toBe(4)
    expect(await balanceOf(key)).toBe(1000)
    expect(await topUpOf(key)).toMatchObject({ paused_reason: null })
  })

  it('does not charge a declined card again after a limit that was reached during the pause', async () => {
    const customer = await withCard(stripe.current(), { behaviour: 'declined' })
    const { api_key: key } = customer
    await setTopUp(key, { max_usd_per_month: 10 })
    await burn(key, START)
    for (const wait of [0, HOUR_MS, 6 * HOUR_MS]) {
      later(wait)
      await ring(customer)
    }
    const charges = stripe.current().intents.size
    const intent = [...stripe.current().intents.values()].at(-1)
    if (!intent) throw new Error('the card was not charged')
    await deliver(stripe.current().event('payment_intent.succeeded', stripe.current().succeed(intent)))
    expect(await balanceOf(key)).toBe(1000)
    await burn(key, 1000)
    later(DAY_MS)
    await ring(customer)
    expect(await topUpOf(key)).toMatchObject({ paused_reason: 'monthly_limit' })
    later(32 * DAY_MS)
    await ring(customer)
    expect(stripe.current().intents.size).toBe(charges)
    expect(await topUpOf(key)).toMatchObject({ paused_reason: 'declined' })
  })

  it('continues at once after a pause when a checkout saves another card, or a person sets it', async () => {
    const customer = await withCard(stripe.current(), { behaviour: 'declined' })
    const { api_key: key } = customer
    await setTopUp(key)
    await burn(key, START)
    for (const wait of [0, HOUR_MS, 6 * HOUR_MS]) {
      later(wait)
      await ring(customer)
    }
    const before = stripe.current().intents.size
    await setTopUp(key)
    await ring(customer)
    expect(stripe.current().intents.size).toBe(before + 1)
    for (const wait of [HOUR_MS, 6 * HOUR_MS]) {
      later(wait)
      await ring(customer)
    }
    expect(await topUpOf(key)).toMatchObject({ paused_reason: 'declined' })
    const { url } = await checkout(key, { credits: 1, save_payment_method: true })
    const intent = stripe.current().pay(url)
    await deliver(stripe.current().event('payment_intent.succeeded', intent))
    await ring(customer)
    expect(await balanceOf(key)).toBe(1001)
  })

  it('asks the owner of the card to confirm, with a page, and charges once', async () => {
    const customer = await withCard(stripe.current(), { behaviour: 'needs_owner' })
    const { api_key: key } = customer
    await setTopUp(key)
    await burn(key, START)
    await ring(customer)
    const [payment] = await listed(key, '/v1/payments')
    expect(payment).toMatchObject({ type: 'top_up', status: 'action_required' })
    expect(await topUpOf(key)).toMatchObject({
      last_attempt: { status: 'action_required', url: payment?.url },
    })
    later(HOUR_MS)
    await ring(customer)
    expect([...stripe.current().intents.values()].map(({ status }) => status)).toEqual([
      'succeeded',
      'canceled',
    ])
    const intent = stripe.current().pay(String(payment?.url))
    await deliver(stripe.current().event('payment_intent.succeeded', intent))
    expect(await paymentOf(key, String(payment?.payment_id))).toMatchObject({ status: 'succeeded' })
    expect(await balanceOf(key)).toBe(1000)
  })

  it('counts a charge without confirmation within a day as declined', async () => {
    const customer = await withCard(stripe.current(), { behaviour: 'needs_owner' })
    await setTopUp(customer.api_key)
    await burn(customer.api_key, START)
    await ring(customer)
    later(DAY_MS + HOUR_MS)
    await ring(customer)
    expect(await topUpOf(customer.api_key)).toMatchObject({
      last_attempt: { status: 'failed', failure: { code: 'authentication_required' } },
    })
  })

  it('reports that a wallet has no saved card, and continues when it has one', async () => {
    const customer = await createCustomer()
    const { api_key: key } = customer
    expect(await setTopUp(key, { below: 10_500 })).toMatchObject({ paused_reason: 'no_payment_method' })
    await ring(customer)
    expect(stripe.current().calls).toEqual([])
    const { url } = await checkout(key, { credits: 100, save_payment_method: true })
    stripe.current().pay(url)
    later(MINUTE_MS)
    await ring(customer)
    await ring(customer)
    expect(await balanceOf(key)).toBe(11_100)
  })

  it('waits while the customer is suspended', async () => {
    const customer = await withCard(stripe.current())
    await setTopUp(customer.api_key)
    await burn(customer.api_key, START)
    const path = `/v1/admin/customers/${customer.customer_id}`
    await answered('dev-operator-token', path, { status: 'SUSPENDED' }, 200, 'PATCH')
    await ring(customer)
    expect(stripe.current().received).toBe(1000)
    await answered('dev-operator-token', path, { status: 'ACTIVE' }, 200, 'PATCH')
    later(HOUR_MS)
    await ring(customer)
    expect(stripe.current().received).toBe(2000)
  })

  it('refuses a cap below its price and a wallet that does not exist', async () => {
    const { api_key: key } = await createCustomer()
    const put = (body: object, query = '') =>
      api(`/v1/credits/auto-top-up${query}`, { key, method: 'PUT', body })
    await expectInvalid(await put({ ...RULE, max_usd_per_month: 9.99 }), '/max_usd_per_month')
    await expectInvalid(await put({ ...RULE, price_usd: 0.001 }), '/price_usd')
    await expectRefused(await put(RULE, '?user_id=nobody'), 404, 'not_found')
  })
})

describe('the rows of a burn', () => {
  it('are the same with a top-up that does not become due, and two more when it becomes due', async () => {
    const customer = await withCard(stripe.current())
    const { api_key: key, customer_id } = customer
    const ledger = ledgerOf(customer_id)
    const rows = () => rowsWrittenBy(ledger, () => ingested(key, GPT_4O))
    const before = await rows()
    await setTopUp(key)
    expect(await rows()).toBe(before)
    await burn(key, 10_466)
    // This event reduces the balance from 504 to 489 credits, which is below the threshold. The two additional rows are
    // the row of the payer and its index entry.
    expect(await rows()).toBe(before + 2)
    expect(await rows()).toBe(before)
  })
})
