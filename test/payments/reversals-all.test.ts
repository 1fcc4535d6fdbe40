import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { openCall } from '../../src/ledger/client/client.ts'
import { DAY_MS } from '../../src/time/durations.ts'
import {
  answered,
  balanceOf,
  expectRefused,
  GPT_4O,
  granted,
  ingest,
  listed,
  read,
} from '../support/client.ts'
import { createCustomer, type TestCustomer, unique } from '../support/customers.ts'
import { CALLER, eventItem } from '../support/messages.ts'
import { withReversals } from '../support/reversals.ts'
import {
  burn,
  checkout,
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
 * Tests the operator's policy `PAYMENT_REVERSALS=all`: refunds and disputes also take back credits that are already
 * spent, so the balance can become negative.
 */

const stripe = withStripe()
const { tell } = stripe
beforeEach(() => withReversals('all'))

type Paid = TestCustomer & { readonly id: string; readonly intent: Intent }

/** Creates a customer with a paid checkout of 1,000 credits for $10, and burns all other credits of the wallet. */
async function paid(): Promise<Paid> {
  const customer = await createCustomer()
  const { payment_id: id, url } = await checkout(customer.api_key)
  const intent = stripe.current().pay(url)
  await tell('payment_intent.succeeded', intent)
  await burn(customer.api_key, 10_000)
  return { ...customer, id, intent }
}

async function refund({ intent }: Paid, cents: number, times = 1): Promise<void> {
  stripe.current().refund(intent, cents)
  for (let delivered = 0; delivered < times; delivered++) await tell('charge.refunded', intent)
}

async function dispute({ intent }: Paid, status: string): Promise<void> {
  stripe.current().dispute(intent, status)
  await tell('charge.dispute.updated', intent)
}

async function newest(key: string, count: number) {
  return (await listed(key, '/v1/credits/transactions')).slice(0, count)
}

describe('a refund', () => {
  it('takes the rest of the lot once, and the spent credits below zero', async () => {
    const payment = await paid()
    const { api_key: key, id } = payment
    await burn(key, 700)
    await refund(payment, 1000, 3)
    expect(await balanceOf(key)).toBe(-700)
    expect(await paymentOf(key, id)).toMatchObject({ status: 'refunded', credits_taken_back: 1000 })
    expect(await newest(key, 3)).toMatchObject([
      { type: 'ADJUSTMENT', amount: -700, description: `Refund of ${id}: spent credits` },
      { type: 'REFUND', amount: -300, description: `Refund of ${id}` },
      { type: 'ADJUSTMENT', amount: -700 },
    ])
  })

  it('takes spent credits out of other lots before it goes below zero', async () => {
    const payment = await paid()
    const { api_key: key } = payment
    await burn(key, 1000)
    await granted(key, { amount: 400, kind: 'promo' })
    await refund(payment, 1000)
    expect(await balanceOf(key)).toBe(-600)
    expect(await listed(key, '/v1/credits/lots', '')).toEqual([])
  })

  it('of parts takes the same parts, exactly, and has no effect when repeated', async () => {
    const payment = await paid()
    const { api_key: key, id } = payment
    await burn(key, 1000)
    for (const [cents, balance] of [
      [333, -333],
      [333, -666],
      [334, -1000],
    ] as const) {
      await refund(payment, cents, 2)
      expect(await balanceOf(key)).toBe(balance)
    }
    expect(await paymentOf(key, id)).toMatchObject({ status: 'refunded', credits_taken_back: 1000 })
  })

  it('refuses no use that costs nothing', async () => {
    const payment = await paid()
    const { api_key: key, customer_id } = payment
    await burn(key, 1000)
    await refund(payment, 1000)
    const rules = [{ match: { feature: 'free' }, method: 'flat', amount: '0' }]
    await answered(key, '/v1/burn-tables', { name: 'free', credits_per_usd: 1000, rules }, 201)
    const unrated = { ...GPT_4O, model: unique('model') }
    for (const event of [unrated, { ...GPT_4O, feature_id: 'free' }]) {
      expect(await answered(key, '/v1/events/ingest', event)).toMatchObject({
        credits_burned: 0,
        balance_after: -1000,
      })
    }
    const action = { type: 'token_usage', provider: 'openai', model: 'gpt-4o', estimated_input_tokens: 1000 }
    const check = (feature_id: string) => answered(key, '/v1/entitlements/check', { feature_id, action })
    expect(await check('free')).toMatchObject({ allowed: true, estimated_cost_credits: 0 })
    expect(await check('chat')).toMatchObject({ allowed: false, reason: 'insufficient_credits' })
    await expectRefused(await ingest(key, GPT_4O), 402, 'insufficient_credits')
    const { event: most } = eventItem(0, { feature_id: 'free' })
    if (!most) throw new Error('an item without an event')
    const opening = { caller: CALLER, feature_id: 'free', lifetime_ms: 1000, most }
    const opened = await openCall(env, { customer_id, mode: 'live' }, opening)
    expect(opened).toMatchObject({ answer: { credits: 0 } })
  })

  it('leaves a wallet that cannot burn until new credits have repaid the debt', async () => {
    const payment = await paid()
    const { api_key: key } = payment
    await answered(key, '/v1/credits/wallets', { overdraft_limit: 50 }, 200, 'PATCH')
    await burn(key, 1000)
    await refund(payment, 1000)
    await expectRefused(await ingest(key, GPT_4O), 402, 'insufficient_credits')
    // The overdraft limit applies only to burns. A debt from a refund does not use up the limit, and the limit can be
    // changed in spite of the debt.
    await answered(key, '/v1/credits/wallets', { overdraft_limit: 10 }, 200, 'PATCH')
    await granted(key, { amount: 1000 })
    expect(await balanceOf(key)).toBe(0)
    await expectRefused(await ingest(key, GPT_4O), 402, 'insufficient_credits')
    await granted(key, { amount: 5 })
    expect((await ingest(key, GPT_4O)).status).toBe(200)
    expect(await balanceOf(key)).toBe(-10)
  })

  it('leaves held credits to their hold', async () => {
    const payment = await paid()
    const { api_key: key } = payment
    const hold = await answered(key, '/v1/holds', { feature_id: 'chat', credits: 600 }, 201)
    await refund(payment, 1000)
    expect(await read(key, '/v1/credits/balance')).toMatchObject({
      balance: 0,
      reserved_balance: 600,
      available_balance: -600,
    })
    await answered(key, `/v1/holds/${hold.hold_id}/capture`, { credits: 600, final: true })
    expect(await balanceOf(key)).toBe(-600)
  })
})

describe('a dispute', () => {
  it('that is won returns the spent credits first, and then those of the lot', async () => {
    const payment = await paid()
    const { api_key: key, id } = payment
    await burn(key, 700)
    const lots = await listed(key, '/v1/credits/lots', '')
    for (let times = 0; times < 2; times++) {
      await dispute(payment, 'needs_response')
      expect(await balanceOf(key)).toBe(-700)
      await dispute(payment, 'won')
      expect(await balanceOf(key)).toBe(300)
      expect(await listed(key, '/v1/credits/lots', '')).toEqual(lots)
    }
    expect(await paymentOf(key, id)).toMatchObject({ status: 'succeeded', credits_taken_back: 0 })
  })

  it('that is won returns credits to the same lots that they were taken from', async () => {
    const payment = await paid()
    const { api_key: key } = payment
    await burn(key, 1000)
    const expires_at = new Date(Date.now() + 30 * DAY_MS).toISOString()
    await granted(key, { amount: 100, expires_at })
    await answered(key, '/v1/credits/purchase', { amount: 500, price_usd: 5 }, 201)
    const lots = await listed(key, '/v1/credits/lots', '')
    await dispute(payment, 'needs_response')
    expect(await balanceOf(key)).toBe(-400)
    await dispute(payment, 'won')
    expect(await listed(key, '/v1/credits/lots', '')).toEqual(lots)
    expect(await balanceOf(key)).toBe(600)
  })

  it('that is won after new credits repaid the wallet creates a new lot', async () => {
    const payment = await paid()
    const { api_key: key } = payment
    await burn(key, 1000)
    await dispute(payment, 'needs_response')
    await granted(key, { amount: 1500 })
    expect(await balanceOf(key)).toBe(500)
    await dispute(payment, 'won')
    expect(await balanceOf(key)).toBe(1500)
    expect(await listed(key, '/v1/credits/lots', '')).toMatchObject([
      { kind: 'promo', remaining: 500 },
      { kind: 'paid', remaining: 1000 },
    ])
  })

  it('that is won returns credits of a lot that expired meanwhile as expired', async () => {
    const payment = await paid()
    const { api_key: key } = payment
    await burn(key, 1000)
    await granted(key, { amount: 1000, expires_at: new Date(Date.now() + DAY_MS).toISOString() })
    await dispute(payment, 'needs_response')
    expect(await balanceOf(key)).toBe(0)
    later(2 * DAY_MS)
    await dispute(payment, 'won')
    expect(await balanceOf(key)).toBe(0)
    expect(await newest(key, 2)).toMatchObject([
      { type: 'EXPIRATION', amount: -1000 },
      { type: 'ADJUSTMENT', amount: 1000 },
    ])
  })
})

describe('a change of the policy', () => {
  it('applies to later refunds only', async () => {
    const payment = await paid()
    const { api_key: key } = payment
    await burn(key, 1000)
    await withReversals('remaining')
    await refund(payment, 500)
    await withReversals('all')
    await tell('charge.refunded', payment.intent)
    expect(await balanceOf(key)).toBe(0)
    await refund(payment, 500)
    expect(await balanceOf(key)).toBe(-500)
  })
})

it('a wallet below zero is topped up as any wallet below its rule', async () => {
  const customer = await withCard(stripe.current())
  const { api_key: key } = customer
  const [first] = stripe.current().succeeded()
  if (!first) throw new Error('nothing was paid')
  await burn(key, 11_000)
  await setTopUp(key, { below: 1 })
  stripe.current().refund(first, 1000)
  await tell('charge.refunded', first)
  expect(await balanceOf(key)).toBe(-1000)
  for (let rings = 0; rings < 3; rings++) await ring(customer)
  expect(await balanceOf(key)).toBe(1000)
  expect(await topUpOf(key)).toMatchObject({ spent_usd_this_month: 20 })
})
