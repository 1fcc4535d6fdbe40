import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { readPaymentFigures } from '../../src/ledger/payments/figures.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/time/durations.ts'
import { read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, type TestCustomer } from '../support/customers.ts'
import { brokenD1 } from '../support/d1.ts'
import { inStore, ledgerOf, rowsWrittenBy, runAlarm, withD1 } from '../support/ledgers.ts'
import { burn, checkout, deliver, later, ring, setTopUp, withCard, withStripe } from './support.ts'

const stripe = withStripe()

/** Returns the numbers of payments that D1 has for a ledger. */
function reported({ customer_id }: TestCustomer) {
  return env.DB.prepare('SELECT * FROM payment_figures WHERE ledger_id = ?').bind(customer_id).first()
}

const NONE = { pending: 0, succeeded: 0, failed: 0, action_required: 0, refunded: 0, disputed: 0 }

it('counts the payments of a ledger by status, with the oldest one without an outcome', async () => {
  const customer = await createCustomer()
  const { api_key: key } = customer
  const began_at_ms = Date.now()
  const pages = []
  for (let opened = 0; opened < 4; opened++) {
    pages.push(await checkout(key))
    later(1000)
  }
  await ring(customer)
  expect(await reported(customer)).toMatchObject({ ...NONE, pending: 4, oldest_open_at_ms: began_at_ms })
  const [refunded, disputed] = pages.slice(2).map(({ url }) => stripe.current().pay(url))
  if (!refunded || !disputed) throw new Error('nothing was paid')
  stripe.current().refund(refunded, 1000)
  stripe.current().dispute(disputed, 'needs_response')
  stripe.current().pay(String(pages[1]?.url))
  later(10 * HOUR_MS)
  await ring(customer)
  expect(await reported(customer)).toMatchObject({
    ...{ ...NONE, pending: 1, succeeded: 1, refunded: 1, disputed: 1 },
    oldest_open_at_ms: began_at_ms,
  })
  later(20 * HOUR_MS)
  await ring(customer)
  expect(await reported(customer)).toMatchObject({ pending: 0, failed: 1, oldest_open_at_ms: null })
})

it('no longer counts a failed payment that was deleted', async () => {
  const customer = await createCustomer()
  await checkout(customer.api_key)
  for (let days = 0; days < 2; days++) {
    later(100 * 24 * HOUR_MS)
    await ring(customer)
    await ring(customer)
  }
  expect(await reported(customer)).toMatchObject(NONE)
})

it('counts a paused top-up', async () => {
  const customer = await withCard(stripe.current(), { behaviour: 'declined' })
  await setTopUp(customer.api_key)
  await burn(customer.api_key, 11_000)
  for (const wait of [0, HOUR_MS, 6 * HOUR_MS]) {
    later(wait)
    await ring(customer)
  }
  expect(await reported(customer)).toMatchObject({ ...NONE, succeeded: 1, failed: 3, top_ups_paused: 1 })
})

it('is reported within a minute, and again while D1 does not respond', async () => {
  const customer = await createCustomer()
  const ledger = ledgerOf(customer.customer_id)
  const { url } = await checkout(customer.api_key)
  const alarmAt = () => runInDurableObject(ledger.stub, (_, { storage }) => storage.getAlarm())
  expect(await alarmAt()).toBeLessThanOrEqual(Date.now() + MINUTE_MS)
  await withD1(ledger, brokenD1(), () => runAlarm(ledger))
  expect(await reported(customer)).toBeNull()
  // This event gives the payment its outcome. No further check with Stripe is scheduled, so the alarm is only for the
  // report to D1.
  await deliver(stripe.current().event('payment_intent.succeeded', stripe.current().pay(url)))
  expect(await alarmAt()).toBeLessThanOrEqual(Date.now() + MINUTE_MS)
  await ring(customer)
  expect(await reported(customer)).toMatchObject({ pending: 0, succeeded: 1 })
})

it('writes nothing without a change, and counts the payments of an earlier version once', async () => {
  const customer = await withCard(stripe.current())
  const ledger = ledgerOf(customer.customer_id)
  await ring(customer)
  await env.DB.prepare('DELETE FROM payment_figures WHERE ledger_id = ?').bind(customer.customer_id).run()
  expect(await rowsWrittenBy(ledger, () => ring(customer))).toBe(0)
  expect(await reported(customer)).toBeNull()
  await runInDurableObject(ledger.stub, (_, { storage }) => {
    storage.sql.exec("DELETE FROM meta WHERE key = 'payment_counts'")
  })
  await checkout(customer.api_key)
  expect(await inStore(ledger, (store) => store.paymentIntents.counts())).toEqual({
    ...NONE,
    pending: 1,
    succeeded: 1,
  })
})

it('is part of the figures for operators: live ledgers, in one row read each', async () => {
  const before = await readPaymentFigures(env)
  const customer = await createCustomer()
  await checkout(customer.api_key)
  await ring(customer)
  await env.DB.prepare(
    "INSERT INTO payment_figures SELECT 'test', 'cust_of_the_test:test', 1000, 0, 0, 0, 0, 0, 1, 1000",
  ).run()
  const stats = await read(OPERATOR_TOKEN, '/v1/admin/stats')
  expect(stats.payments).toMatchObject({
    by_status: { pending: before.pending + 1, succeeded: before.succeeded, failed: before.failed },
    top_ups_paused: before.top_ups_paused,
    complete: true,
  })
})
