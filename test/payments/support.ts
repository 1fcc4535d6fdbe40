import { afterEach, beforeEach, expect, vi } from 'vitest'
import { DAY_MS, MINUTE_MS } from '../../src/time/durations.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { answered, type Json, read } from '../support/client.ts'
import { createCustomer, type TestCustomer } from '../support/customers.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { ScriptedStripe, type SignedEvent } from '../support/stripe.ts'

export type Intent = ReturnType<ScriptedStripe['pay']>

/** Sets up a new simulated Stripe and a simulated clock before each test. */
export function withStripe(): {
  readonly current: () => ScriptedStripe
  /** Delivers a signed event about a payment intent, and checks that it is accepted. */
  readonly tell: (type: string, intent: Intent) => Promise<void>
} {
  let stripe = new ScriptedStripe()
  beforeEach(() => {
    // The clock is a day ahead, so that the platform does not run the alarms before the tests do.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + DAY_MS })
    stripe = new ScriptedStripe()
    stripe.install()
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
  return {
    current: () => stripe,
    async tell(type, intent) {
      expect((await deliver(stripe.event(type, intent))).status).toBe(200)
    },
  }
}

export function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

export const URLS = { success_url: 'https://shop.test/ok', cancel_url: 'https://shop.test/no' }

export interface Opened {
  readonly payment_id: string
  readonly url: string
}

export async function checkout(key: string, body: object = {}): Promise<Opened> {
  const sent = { credits: 1000, price_usd: 10, ...URLS, ...body }
  const answer = await answered(key, '/v1/payments/checkout', sent, 201)
  return { payment_id: textField(answer, 'payment_id'), url: textField(answer, 'url') }
}

export function paymentOf(key: string, id: string): Promise<Json> {
  return read(key, `/v1/payments/${id}`)
}

export function ring({ customer_id }: TestCustomer): Promise<void> {
  return runAlarm(ledgerOf(customer_id))
}

export async function deliver(event: SignedEvent): Promise<Response> {
  return api('/v1/payments/stripe/webhook', { method: 'POST', ...event })
}

export const RULE = { below: 500, credits: 1000, price_usd: 10, max_usd_per_month: 100 }

export async function setTopUp(key: string, rule: object = {}, query = ''): Promise<Json> {
  const response = await api(`/v1/credits/auto-top-up${query}`, {
    key,
    method: 'PUT',
    body: { ...RULE, ...rule },
  })
  const body = await jsonOf(response)
  if (response.status !== 200) throw new Error(JSON.stringify(body))
  return body
}

export const topUpOf = (key: string, query = '') => read(key, `/v1/credits/auto-top-up${query}`)

export function burn(key: string, credits: number): Promise<Json> {
  return answered(key, '/v1/credits/adjust', { amount: -credits, reason: 'use' })
}

/**
 * Creates a customer with 10,000 sign-up credits, and saves a card with a paid checkout of 1,000 credits. `payer` is
 * the id of the customer at Stripe.
 */
export async function withCard(
  stripe: ScriptedStripe,
  card: Parameters<ScriptedStripe['pay']>[1] = {},
): Promise<TestCustomer & { readonly payer: string }> {
  const customer = await createCustomer()
  const { url } = await checkout(customer.api_key, { save_payment_method: true })
  const intent = stripe.pay(url, card)
  later(2 * MINUTE_MS)
  await ring(customer)
  return { ...customer, payer: intent.customer ?? '' }
}
