import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, inject, it, vi } from 'vitest'
import { PAYMENT_REVERSALS, type PaymentReversals } from '../../src/config.ts'
import { checkPayment, openCheckout, readPayments, setTopUp } from '../../src/ledger/client/client.ts'
import type { PaymentAnswer } from '../../src/ledger/model/messages/payments.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/time/durations.ts'
import { powerCut } from '../faults/injection.ts'
import {
  ask,
  freshLedger,
  runAlarm,
  storedBalances,
  storedPages,
  type TestLedger,
} from '../support/ledgers.ts'
import { CALLER } from '../support/messages.ts'
import { withReversals } from '../support/reversals.ts'
import { type CardBehaviour, type Fault, ScriptedStripe } from '../support/stripe.ts'
import { later } from './support.ts'

/**
 * Tests random histories of one wallet with a top-up rule. They contain payments, declines, refunds, disputes, lost and
 * repeated webhooks, failures of Stripe, and stops of the object before calls, after calls and in transactions. In
 * every history, the credits equal the paid money, each payment is charged once, the charges stay within the monthly
 * limit, and no charge follows a third decline.
 */

const RULE = {
  below: 500,
  credits: 1_000_000_000,
  price_cents: 1000,
  max_cents_a_month: 5000,
  max_a_day: null,
}
const { seed, runs = 8 } = inject('fuzz')

const behaviour = fc.constantFrom<CardBehaviour>('good', 'good', 'declined', 'needs_owner')
const pick = fc.nat(1_000)
const act = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ op: fc.constant('burn' as const), share: fc.integer({ min: 1, max: 100 }) }),
  },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('ring' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('wait' as const),
      ms: fc.constantFrom(MINUTE_MS, HOUR_MS, 7 * HOUR_MS, DAY_MS, 16 * DAY_MS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('checkout' as const), saves: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('pay' as const), pick, behaviour }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('hint' as const), pick, times: fc.integer({ min: 1, max: 3 }) }),
  },
  // A checkout is paid after it has failed, because the bank is slow.
  { weight: 1, arbitrary: fc.record({ op: fc.constant('pay late' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('card' as const), behaviour }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('set' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('refund' as const),
      pick,
      cents: fc.integer({ min: 1, max: 1000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('dispute' as const),
      pick,
      status: fc.constantFrom('needs_response', 'won', 'lost'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('fault' as const),
      fault: fc.constantFrom<Fault>('lost', 'down', 'busy', 'broken'),
      calls: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('stop' as const),
      at: fc.constantFrom('before a call', 'after a call', 'inside the transaction', 'after the transaction'),
    }),
  },
)
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 400 * DAY_MS })
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

it('the paid money equals the credits, over any history', async () => {
  const history = fc.array(act, { minLength: 15, maxLength: 50 })
  const policy = fc.constantFrom(...PAYMENT_REVERSALS)
  const property = fc.asyncProperty(history, policy, async (acts, reversals) => {
    await withReversals(reversals)
    const life = await Life.begin()
    for (const one of acts) {
      await life.run(one)
      await life.check()
    }
    await life.end(reversals)
  })
  await fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) })
}, 3_600_000)

class Life {
  private readonly ledger: TestLedger
  private readonly stripe = new ScriptedStripe()
  private fault: { fault: Fault; calls: number } | null = null
  private stop: 'before a call' | 'after a call' | null = null
  private burned = 0
  /** The number of declined charges since the last success, the last new card or the last change of the rule. */
  private declines = 0
  private charged = 0

  private constructor(ledger: TestLedger) {
    this.ledger = ledger
  }

  /** Creates a ledger with a saved card and a top-up rule. */
  static async begin(): Promise<Life> {
    const life = new Life(await freshLedger())
    life.stripe.install()
    life.stripe.fault = () => life.fate()
    await life.run({ op: 'checkout', saves: true })
    await life.run({ op: 'pay', pick: 0, behaviour: 'good' })
    await life.run({ op: 'hint', pick: 0, times: 1 })
    await life.run({ op: 'set' })
    return life
  }

  async run(one: Act): Promise<void> {
    const { stripe, ledger } = this
    switch (one.op) {
      case 'burn': {
        const { customer: balance = 0 } = await storedBalances(ledger)
        const amount = Math.floor((balance * one.share) / 100)
        if (amount > 0) await this.burn(amount)
        return
      }
      case 'ring':
        await runAlarm(ledger).catch(() => undefined)
        return
      case 'wait':
        later(one.ms)
        return
      case 'checkout':
        await this.checkout(one.saves)
        return
      case 'pay': {
        const open = [...stripe.sessions.values()].filter(({ status }) => status === 'open')
        const session = open[one.pick % Math.max(1, open.length)]
        // A page expires at Stripe after a day. An open page is paid with a new card, and a page that replaces a charge
        // is paid by the card's owner.
        if (session && stripe.isOpen(session)) stripe.pay(session.id, stripe.newCard(one.behaviour))
        return
      }
      case 'pay late': {
        // Selects only checkouts. The list does not have deleted payments. Top-ups are excluded, because their monthly
        // limit applies to charges and not to payments by the card's owner.
        const checkouts = (await this.payments()).filter(({ type }) => type === 'checkout')
        const unpaid = [...stripe.sessions.values()].filter(
          ({ status, intent, metadata }) =>
            status === 'expired' &&
            !intent &&
            checkouts.some(({ payment_id }) => payment_id === metadata.payment_id),
        )
        const session = unpaid[one.pick % Math.max(1, unpaid.length)]
        if (session) stripe.payLate(session.id)
        return
      }
      case 'hint': {
        const payments = await this.payments()
        const payment = payments[one.pick % Math.max(1, payments.length)]
        if (!payment) return
        const hints = Array.from({ length: one.times }, () => this.tell(payment))
        await Promise.allSettled(hints)
        return
      }
      case 'card': {
        const [customer] = stripe.cards.keys()
        if (customer === undefined) return
        stripe.addCard(customer, stripe.newCard(one.behaviour))
        this.declines = 0
        return
      }
      case 'set':
        await setTopUp(env, ledger.name, {
          caller: CALLER,
          owner: { kind: 'customer' },
          rule: {
            ...RULE,
            below: microCredits(RULE.below * 1_000_000),
            credits: microCredits(RULE.credits),
            enabled: true,
          },
        })
        this.declines = 0
        return
      case 'refund':
      case 'dispute': {
        const paid = stripe.succeeded()
        const intent = paid[one.pick % Math.max(1, paid.length)]
        if (!intent) return
        if (one.op === 'dispute') stripe.dispute(intent, one.status)
        else stripe.refund(intent, Math.min(one.cents, intent.amount - (intent.charge?.amount_refunded ?? 0)))
        return
      }
      case 'fault':
        this.fault = { fault: one.fault, calls: one.calls }
        return
      case 'stop':
        if (one.at === 'before a call' || one.at === 'after a call') this.stop = one.at
        else await powerCut(ledger, one.at)
    }
  }

  /** Checks the invariants that hold at any time, also while payments are in progress. */
  async check(): Promise<void> {
    const { stripe } = this
    const paid = stripe.succeeded()
    const ids = paid.map(({ metadata }) => metadata.payment_id)
    expect(new Set(ids).size, 'a payment was charged twice').toBe(ids.length)
    const payments = await this.payments()
    const top_ups = payments.filter(({ type }) => type === 'top_up')
    const in_flight = top_ups.filter(({ status }) => status === 'pending' || status === 'action_required')
    expect(in_flight.length).toBeLessThan(2)
    const by_month = Map.groupBy(top_ups, ({ created_at_ms }) =>
      new Date(created_at_ms).toISOString().slice(0, 7),
    )
    for (const [month, rows] of by_month) {
      const cents = rows.filter(({ payment_id, status }) => status !== 'failed' || ids.includes(payment_id))
      expect(cents.length * RULE.price_cents, month).toBeLessThanOrEqual(RULE.max_cents_a_month)
    }
    this.countDeclines()
  }

  /** Ends all faults, delivers all webhooks, and checks that the ledger agrees with Stripe afterwards. */
  async end(reversals: PaymentReversals): Promise<void> {
    this.fault = null
    this.stop = null
    for (let days = 0; days < 4; days++) {
      await runAlarm(this.ledger).catch(() => undefined)
      later(DAY_MS)
    }
    // Removes the top-up rule, so that no further top-up starts, and completes the top-ups that have already started.
    await setTopUp(env, this.ledger.name, { caller: CALLER, owner: { kind: 'customer' }, rule: null })
    for (let days = 0; days < 4; days++) {
      for (const payment of await this.payments()) await this.tell(payment)
      later(DAY_MS)
    }
    const payments = await this.payments()
    expect(payments.filter(({ status }) => status === 'pending' || status === 'action_required')).toEqual([])
    await runAlarm(this.ledger)
    const entries = (await storedPages(this.ledger)).flatMap((page) => page.entries)
    const purchases = entries.filter(({ type }) => type === 'PURCHASE')
    const paid = this.stripe.succeeded()
    expect(purchases.map(({ payment_reference }) => payment_reference).sort()).toEqual(
      paid.map(({ id }) => id).sort(),
    )
    for (const intent of paid) {
      const payment = payments.find(({ intent_id }) => intent_id === intent.id)
      const { amount_refunded = 0, disputes = [] } = intent.charge ?? {}
      const disputed = disputes.some(({ status }) => status !== 'won') ? intent.amount - amount_refunded : 0
      expect(payment).toMatchObject({ refunded_cents: amount_refunded, disputed_cents: disputed })
      if (reversals === 'all') expect(payment?.taken_back).toBe(payment?.asked_back)
      else expect(payment?.taken_back).toBeLessThanOrEqual(payment?.asked_back ?? 0)
      expect(payment?.asked_back).toBe(((amount_refunded + disputed) * RULE.credits) / RULE.price_cents)
    }
    const taken = payments.reduce((sum, { taken_back }) => sum + taken_back, 0)
    const { customer: balance } = await storedBalances(this.ledger)
    expect(balance).toBe(paid.length * RULE.credits - this.burned - taken)
  }

  private async burn(amount: number): Promise<void> {
    const movement = {
      type: 'ADJUSTMENT',
      owner: { kind: 'customer' },
      amount: microCredits(-amount),
      reason: 'use',
    } as const
    const key = crypto.randomUUID()
    const message = { movement, idempotency: { key, fingerprint: key } }
    // Repeats the request with the same idempotency key until it gets a result, as a client does.
    for (let tries = 0; tries < 5; tries++) {
      const result = await ask(this.ledger.stub, 'move', message).catch(() => undefined)
      if (!result) continue
      if (result.kind !== 'refused') this.burned += amount
      return
    }
    throw new Error('the burn got no result')
  }

  /**
   * Delivers the effect of a webhook: makes the ledger check the payment with Stripe, with the id of its latest payment
   * intent.
   */
  private tell({ number, payment_id }: PaymentAnswer): Promise<unknown> {
    const intent = [...this.stripe.intents.values()].findLast(
      ({ metadata }) => metadata.payment_id === payment_id,
    )
    return checkPayment(env, this.ledger.name, { number, ...(intent && { reference: intent.id }) })
  }

  private async checkout(saves_card: boolean): Promise<void> {
    await openCheckout(env, this.ledger.name, {
      caller: CALLER,
      owner: { kind: 'customer' },
      credits: microCredits(RULE.credits),
      price_cents: RULE.price_cents,
      product: '1,000 credits',
      urls: { success: 'https://shop.test/', cancel: 'https://shop.test/' },
      saves_card,
      as_guest: false,
    })
  }

  private async payments(): Promise<readonly PaymentAnswer[]> {
    for (let tries = 0; tries < 5; tries++) {
      const question = { caller: CALLER, before: null, limit: 1_000 }
      const result = await readPayments(env, this.ledger.name, question)
      if (result.kind === 'done') return result.answer.payments
    }
    throw new Error('the payments could not be read')
  }

  /** Counts declined charges. A success, a new card or a change of the rule resets the count. */
  private countDeclines(): void {
    const charges = [...this.stripe.intents.values()].filter(
      ({ card, error }) => card !== null && error?.code !== 'authentication_required',
    )
    for (const { status, card } of charges.slice(this.charged)) {
      if (card?.behaviour === 'declined' && status !== 'succeeded') this.declines += 1
      else this.declines = 0
    }
    this.charged = charges.length
    expect(this.declines).toBeLessThanOrEqual(3)
  }

  private fate(): Fault | undefined {
    if (this.stop === 'before a call') return this.halt('hangs')
    if (this.stop === 'after a call') return this.halt('done, hangs')
    if (!this.fault) return undefined
    const { fault } = this.fault
    this.fault.calls -= 1
    if (this.fault.calls === 0) this.fault = null
    return fault
  }

  /** Stops the object while it waits for Stripe, so that it loses Stripe's response. */
  private halt(fault: Fault): Fault {
    this.stop = null
    void runInDurableObject(this.ledger.stub, (_, state) => state.abort('stopped')).catch(() => undefined)
    return fault
  }
}
