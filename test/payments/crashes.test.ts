import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { checkPayment, openCheckout, readPayments, setTopUp } from '../../src/ledger/client/client.ts'
import type { PaymentAnswer } from '../../src/ledger/model/messages/payments.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { DAY_MS, HOUR_MS } from '../../src/time/durations.ts'
import { ask, freshLedger, runAlarm, storedBalances, storeOf, type TestLedger } from '../support/ledgers.ts'
import { CALLER } from '../support/messages.ts'
import { withReversals } from '../support/reversals.ts'
import { type CardBehaviour, type Fault, ScriptedStripe } from '../support/stripe.ts'
import { later } from './support.ts'

/**
 * Tests payments whose ledger object stops at any point: before and after each call to Stripe, and inside and after
 * each transaction. Every scenario runs once for each of these points. The outcome must always be the same as without a
 * stop: one charge, one credit and one reversal.
 */

const CREDITS = 1_000_000_000
const OWNER = { kind: 'customer' } as const

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 400 * DAY_MS })
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/**
 * A step of a payment: a call to Stripe, or a transaction (`tx`). If the object stops before the end of a transaction,
 * the transaction is rolled back. After the end, its changes are on disk.
 */
type Step = 'call' | 'tx'
type Moment = `${'before' | 'after'} ${Step}`

/** Stops the object at point number `at` of its work. */
class Cut {
  /** The points that the object has passed so far. */
  readonly passed: Moment[] = []
  private readonly at: number
  private readonly ledger: TestLedger

  constructor(ledger: TestLedger, at: number) {
    this.ledger = ledger
    this.at = at
  }

  get happened(): boolean {
    return this.passed.length === this.at
  }

  async begin(stripe: ScriptedStripe): Promise<void> {
    stripe.fault = () => this.fate()
    await runInDurableObject(this.ledger.stub, (instance, state) => {
      const store = storeOf(instance)
      const stop = (): never => {
        state.abort('stopped')
        throw new Error('stopped')
      }
      const [write, publish] = [store.write.bind(store), store.publish.bind(store)]
      store.write = (...args) => {
        const written = write(...args)
        return this.isNow('before tx') ? stop() : written
      }
      store.publish = (...args) => {
        publish(...args)
        if (this.isNow('after tx')) stop()
      }
    })
  }

  private fate(): Fault | undefined {
    const before = this.isNow('before call')
    if (!before && !this.isNow('after call')) return undefined
    void runInDurableObject(this.ledger.stub, (_, state) => state.abort('stopped')).catch(() => undefined)
    return before ? 'hangs' : 'done, hangs'
  }

  private isNow(moment: Moment): boolean {
    if (this.happened) return false
    this.passed.push(moment)
    return this.happened
  }
}

interface Scene {
  readonly ledger: TestLedger
  readonly stripe: ScriptedStripe
}

/** A scenario. `begin` runs without a stop. The object can stop during `play`. */
interface Story {
  readonly begin: (scene: Scene) => Promise<void>
  readonly play: (scene: Scene) => Promise<void>
  readonly steps: readonly Step[]
  /** The time for which the object does not run after the stop. By default, it restarts at once. */
  readonly down_ms?: number
  /** The expected outcome, which is the same for a stop at any point. */
  readonly end: {
    /**
     * The number of charges. Null if the stop can prevent the delivery of the payment page. The page can then be paid
     * or unpaid, and every payment must be credited.
     */
    readonly charges: number | null
    readonly balance?: number
    readonly statuses?: readonly string[]
  }
}

async function quietly(work: Promise<unknown>): Promise<void> {
  await work.catch(() => undefined)
}

const ring = ({ ledger }: Scene) => quietly(runAlarm(ledger))

async function openPage({ ledger }: Scene): Promise<void> {
  await quietly(
    openCheckout(env, ledger.name, {
      ...{ caller: CALLER, owner: OWNER, credits: microCredits(CREDITS), price_cents: 1000 },
      ...{ product: '1,000 credits', urls: { success: 'https://a.test/', cancel: 'https://a.test/' } },
      saves_card: true,
      as_guest: false,
    }),
  )
}

function payPage({ stripe }: Scene, behaviour: CardBehaviour = 'good'): void {
  const session = [...stripe.sessions.values()].findLast((one) => stripe.isOpen(one))
  if (session) stripe.pay(session.id, stripe.newCard(behaviour))
}

async function hint({ ledger, stripe }: Scene, number: number): Promise<void> {
  const payments = await paymentsOf({ ledger, stripe })
  const id = payments.find((payment) => payment.number === number)?.payment_id
  const intent = [...stripe.intents.values()].findLast(({ metadata }) => metadata.payment_id === id)
  await quietly(checkPayment(env, ledger.name, { number, ...(intent && { reference: intent.id }) }))
}

async function paymentsOf({ ledger }: Scene): Promise<readonly PaymentAnswer[]> {
  for (let tries = 0; tries < 5; tries++) {
    const result = await readPayments(env, ledger.name, { caller: CALLER, before: null, limit: 100 })
    if (result.kind === 'done') return result.answer.payments
  }
  throw new Error('the payments could not be read')
}

async function spend({ ledger }: Scene, amount: number): Promise<void> {
  const movement = { type: 'ADJUSTMENT', owner: OWNER, amount: microCredits(-amount), reason: 'use' } as const
  const result = await ask(ledger.stub, 'move', { movement })
  if (result.kind === 'refused') throw new Error(JSON.stringify(result))
}

/** Prepares a wallet without credits, with a saved card and a top-up rule. */
async function withRule(scene: Scene, behaviour: CardBehaviour): Promise<void> {
  await openPage(scene)
  payPage(scene, behaviour)
  await hint(scene, 1)
  await spend(scene, CREDITS)
  const rule = {
    ...{ below: microCredits(1), credits: microCredits(CREDITS), price_cents: 1000 },
    ...{ max_cents_a_month: 10_000, max_a_day: null, enabled: true },
  }
  await setTopUp(env, scene.ledger.name, { caller: CALLER, owner: OWNER, rule })
}

async function paidPage(scene: Scene): Promise<void> {
  await openPage(scene)
  payPage(scene)
  await hint(scene, 1)
  await spend(scene, 700_000_000)
}

function reversed(how: (scene: Scene) => void): (scene: Scene) => Promise<void> {
  return async (scene) => {
    how(scene)
    await hint(scene, 1)
  }
}

const firstOf = ({ stripe }: Scene) => stripe.succeeded()[0]
const refund = (scene: Scene) => {
  const intent = firstOf(scene)
  if (intent) scene.stripe.refund(intent, 1000)
}
const dispute = (status: string) => (scene: Scene) => {
  const intent = firstOf(scene)
  if (intent) scene.stripe.dispute(intent, status)
}

const STORIES: Readonly<Record<string, Story>> = {
  'a checkout that is opened': {
    begin: async () => {},
    play: openPage,
    steps: ['tx', 'call', 'tx'],
    end: { charges: null },
  },
  'a checkout that is paid': {
    begin: async (scene) => {
      await openPage(scene)
      payPage(scene)
    },
    play: (scene) => hint(scene, 1),
    steps: ['call', 'tx'],
    end: { charges: 1, balance: CREDITS, statuses: ['succeeded'] },
  },
  'an automatic top-up': {
    begin: (scene) => withRule(scene, 'good'),
    play: ring,
    // The steps are: look up the card, write the row of the payment, charge the card, and add the credits.
    steps: ['call', 'tx', 'call', 'tx'],
    end: { charges: 2, balance: CREDITS, statuses: ['succeeded', 'succeeded'] },
  },
  'an automatic top-up, after which the object does not run for two days': {
    begin: (scene) => withRule(scene, 'good'),
    play: ring,
    steps: ['call', 'tx', 'call', 'tx'],
    // Stripe has forgotten the idempotency key. If it made no charge, the payment fails, and a second one follows.
    down_ms: 2 * DAY_MS,
    end: { charges: 2, balance: CREDITS },
  },
  'a top-up that its owner confirms': {
    begin: (scene) => withRule(scene, 'needs_owner'),
    play: async (scene) => {
      await ring(scene)
      payPage(scene)
      await hint(scene, 2)
    },
    // The first steps are: look up the card, write the row of the payment, and try to charge the card, which its owner
    // must confirm. The ledger then cancels the charge and creates a payment page, which the owner pays.
    steps: ['call', 'tx', 'call', 'tx', 'call', 'call', 'tx', 'call', 'tx'],
    end: { charges: 2, balance: CREDITS, statuses: ['succeeded', 'succeeded'] },
  },
  'a refund': {
    begin: paidPage,
    play: reversed(refund),
    steps: ['call', 'tx'],
    end: { charges: 1, balance: -700_000_000, statuses: ['refunded'] },
  },
  'a dispute that is won': {
    begin: async (scene) => {
      await paidPage(scene)
      await reversed(dispute('needs_response'))(scene)
    },
    play: reversed(dispute('won')),
    steps: ['call', 'call', 'tx'],
    end: { charges: 1, balance: 300_000_000, statuses: ['succeeded'] },
  },
}

it.each(Object.entries(STORIES))(
  '%s has the same outcome at every point at which the object may stop',
  async (_, story) => {
    await withReversals('all')
    let stops = 0
    for (;;) {
      const scene = { ledger: await freshLedger(), stripe: new ScriptedStripe() }
      scene.stripe.install()
      await story.begin(scene)
      const cut = new Cut(scene.ledger, stops + 1)
      await cut.begin(scene.stripe)
      await story.play(scene)
      const stopped = cut.happened
      if (!stopped)
        expect(cut.passed).toEqual(story.steps.flatMap((step) => [`before ${step}`, `after ${step}`]))
      scene.stripe.fault = () => undefined
      later(story.down_ms ?? 0)
      await recover(scene)
      const payments = await paymentsOf(scene)
      const { charges, balance, statuses } = story.end
      const paid = scene.stripe.succeeded().length
      if (charges !== null) expect(paid).toBe(charges)
      const { customer = 0 } = await storedBalances(scene.ledger)
      expect(customer, `${cut.passed}`).toBe(balance ?? paid * CREDITS)
      const known = payments.map(({ status }) => status)
      if (statuses) expect(known).toEqual(statuses)
      else
        expect(known.filter((status) => status !== 'failed')).toEqual(
          Array.from({ length: paid }, () => 'succeeded'),
        )
      vi.restoreAllMocks()
      if (!stopped) console.log('PASSED', JSON.stringify(cut.passed))
      if (!stopped) break
      stops++
    }
  },
  300_000,
)

/**
 * Restarts the object, runs its alarms, delivers the webhooks that Stripe repeats, and lets the card's owner pay an
 * open page.
 */
async function recover(scene: Scene): Promise<void> {
  for (let rings = 0; rings < 4; rings++) {
    await ring(scene)
    payPage(scene)
    for (const { number } of await paymentsOf(scene)) await hint(scene, number)
    later(HOUR_MS)
  }
}
