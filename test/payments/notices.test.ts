import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { type NotificationView, readNotifications } from '../../src/notifications/store.ts'
import { HOUR_MS } from '../../src/time/durations.ts'
import { listed } from '../support/client.ts'
import type { TestCustomer } from '../support/customers.ts'
import { ledgerOf } from '../support/ledgers.ts'
import { CALLER } from '../support/messages.ts'
import { burn, deliver, later, ring, setTopUp, withCard, withStripe } from './support.ts'

const stripe = withStripe()

/** The amounts in the notification of a top-up without refunds or disputes. */
const NEW = { credits: 1000, price_usd: 10, refunded_usd: 0, disputed_usd: 0, credits_taken_back: 0 }

/**
 * The credits of the wallet at the start: 10,000 sign-up credits, and 1,000 credits from the checkout that saved the
 * card.
 */
const START = 11_000

/** Returns the customer's notifications about payments and top-ups, oldest first. */
async function noticesOf({ customer_id }: TestCustomer): Promise<Pick<NotificationView, 'type' | 'data'>[]> {
  const range = { caller: CALLER, after_sequence: 0, limit: 1000 }
  const read = await readNotifications(env, ledgerOf(customer_id).name, range)
  if (read.kind !== 'done') throw new Error('the notifications were not read')
  return read.notifications
    .filter(({ type }) => /^(?:top_up|payment)\./.test(type))
    .map(({ type, data }) => ({ type, data }))
}

it('a top-up that is paid, refunded and disputed is notified once for each change', async () => {
  const customer = await withCard(stripe.current())
  const { api_key: key } = customer
  expect(await noticesOf(customer)).toEqual([])
  await setTopUp(key)
  await burn(key, START)
  for (let rings = 0; rings < 3; rings++) await ring(customer)
  const [payment] = await listed(key, '/v1/payments')
  const paid = {
    payment_id: payment?.payment_id,
    status: 'succeeded',
    ...NEW,
    transaction_id: payment?.transaction_id,
  }
  expect(await noticesOf(customer)).toEqual([{ type: 'top_up.succeeded', data: paid }])
  const intent = stripe.current().succeeded().at(-1)
  if (!intent) throw new Error('nothing was charged')
  stripe.current().refund(intent, 250)
  for (let times = 0; times < 2; times++) await deliver(stripe.current().event('charge.refunded', intent))
  stripe.current().dispute(intent, 'needs_response', 750)
  for (let times = 0; times < 2; times++) {
    await deliver(stripe.current().event('charge.dispute.created', intent))
  }
  const refunded = { ...paid, refunded_usd: 2.5, credits_taken_back: 250 }
  const disputed = { ...refunded, status: 'disputed', disputed_usd: 7.5, credits_taken_back: 1000 }
  expect((await noticesOf(customer)).slice(1)).toEqual([
    { type: 'payment.refunded', data: refunded },
    { type: 'payment.disputed', data: disputed },
  ])
})

it('each declined top-up is notified, and the pause after the third one', async () => {
  const customer = await withCard(stripe.current(), { behaviour: 'declined' })
  await setTopUp(customer.api_key)
  await burn(customer.api_key, START)
  for (const wait of [0, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS]) {
    later(wait)
    await ring(customer)
  }
  const payments = await listed(customer.api_key, '/v1/payments')
  const failure = { code: 'insufficient_funds', message: 'Your card was declined.' }
  const [third, second, first] = payments.map(({ payment_id }) => ({
    type: 'top_up.failed',
    data: { ...NEW, payment_id, status: 'failed', failure },
  }))
  const paused = { type: 'top_up.paused', data: { reason: 'declined' } }
  expect(await noticesOf(customer)).toEqual([first, second, paused, third])
})

it('a top-up that its owner must confirm is notified with the page', async () => {
  const customer = await withCard(stripe.current(), { behaviour: 'needs_owner' })
  await setTopUp(customer.api_key)
  await burn(customer.api_key, START)
  await ring(customer)
  const [payment] = await listed(customer.api_key, '/v1/payments')
  const { payment_id, url } = payment ?? {}
  expect(url).toMatch(/^https:/)
  expect(await noticesOf(customer)).toEqual([
    { type: 'top_up.action_required', data: { ...NEW, payment_id, status: 'action_required', url } },
  ])
})

it.each([
  [
    'no_payment_method',
    {},
    async ({ payer }: Paused) => {
      stripe.current().cards.set(payer, [])
    },
  ],
  ['monthly_limit', { max_usd_per_month: 10 }, async () => {}],
  ['daily_limit', { max_per_day: 1 }, async () => {}],
] as const)('a pause for %s is notified once, with its reason', async (reason, rule, prepare) => {
  const customer = await withCard(stripe.current())
  await setTopUp(customer.api_key, { below: 100_000, ...rule })
  await prepare(customer)
  for (let rings = 0; rings < 4; rings++) await ring(customer)
  const pauses = (await noticesOf(customer)).filter(({ type }) => type === 'top_up.paused')
  expect(pauses).toEqual([{ type: 'top_up.paused', data: { reason } }])
})

type Paused = Awaited<ReturnType<typeof withCard>>
