import type { PaymentReversals } from '../../config.ts'
import { DAY_MS, HOUR_MS } from '../../time/durations.ts'
import type { Commits } from '../commit/commits.ts'
import type { Draft } from '../commit/draft.ts'
import type { LedgerStore } from '../commit/store.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { CheckoutAnswer, CheckoutMessage, PaymentsResult } from '../model/messages/payments.ts'
import { newPayer, type Payment, type PaymentFigures } from '../model/payments.ts'
import { invalidField, notFound, type Refused, refused } from '../model/refusal.ts'
import { fullRefusal, walletKey } from '../model/wallet.ts'
import { settle } from '../wallets/settle.ts'
import type { PaymentProvider } from './provider.ts'
import type { Report } from './report.ts'
import { applyReport, FAILED_KEPT_MS, FIRST_ASK_MS, LAST_ASKS, newPayment } from './settlement.ts'
import { decide, openTopUp, putOff } from './top-up.ts'

export const MAX_OPEN_CHECKOUTS = 10
/** The maximum number of payments without an outcome in a ledger. At this number, new checkouts are refused. */
export const MAX_OPEN_PAYMENTS = 10_000
/**
 * The maximum number of payments, and the maximum number of top-ups, that one alarm processes. It keeps alarms short
 * even if Stripe does not respond.
 */
const MAX_AN_ALARM = 20
/**
 * The maximum number of checks and top-ups that an alarm runs at a time. Cloudflare allows six concurrent connections.
 */
const AT_ONCE = 4
/** The maximum number of steps of one check. A charge that the card's owner must confirm takes two steps. */
const MAX_STEPS = 3
/** The wait before the next try if payments are not set up or the customer is not active. */
const NOT_NOW_MS = HOUR_MS

interface Options {
  readonly storage: DurableObjectStorage
  readonly store: LedgerStore
  readonly commits: Commits
  /** Returns the payment provider; undefined if payments are not set up. */
  readonly provider: () => PaymentProvider | undefined
  readonly ids: () => LedgerIds
  /** The operator's policy for refunds and disputes. */
  readonly reversals: () => PaymentReversals
  /** Writes the figures to D1. */
  readonly report: (figures: PaymentFigures) => Promise<void>
  readonly log: (event: string, error: unknown) => void
}

/**
 * The options of a check. `open` opens a checkout instead of reading the state of the payment from Stripe. `reference`
 * is an id from a webhook.
 */
interface How {
  readonly open?: (payment: Payment) => Promise<Report>
  readonly reference?: string | undefined
}

/**
 * Runs the payments of a ledger. A payment's row is durable before Stripe is called, and `applyReport` applies the
 * reports of Stripe. If a report is lost, the next check updates the row from Stripe. A repeated report is harmless.
 */
export class LedgerPayments {
  private readonly options: Options
  private readonly running = new Map<number, Promise<Payment | Refused>>()
  /** The figures that were last written to D1, as JSON; undefined after a start of the object. */
  private reported: string | undefined
  /** Whether a write of changed figures to D1 was started and has not succeeded yet. */
  private unreported = false
  private readonly waiting = new Map<number, { how: How; readonly checked: Promise<Payment | Refused> }>()

  constructor(options: Options) {
    this.options = options
  }

  /**
   * Opens a checkout and returns the address of its page. Refuses if payments are not set up, if a maximum is reached,
   * or if Stripe does not open the checkout.
   */
  async checkout(message: CheckoutMessage): Promise<PaymentsResult<CheckoutAnswer>> {
    const { commits, storage, provider, ids } = this.options
    const stripe = provider()
    if (!stripe) return refused({ code: 'payments_not_configured' })
    const opened = commits.commit((draft) =>
      commits.rejectIfFull(draft, () => openCheckout(draft, message, this.options.store)),
    )
    if ('kind' in opened) return opened
    await storage.sync()
    const { number } = opened
    let report: Report = { kind: 'unknown', reason: 'not asked' }
    const open = async (current: Payment): Promise<Report> => {
      report = await stripe.open(current)
      // Without a response, the address of the page is unknown. The checkout ends as failed, and the buyer can start
      // another checkout.
      return report.kind === 'unknown' ? NOT_OPENED : report
    }
    const payment = await this.check(number, { open })
    if ('kind' in payment) return payment
    if (payment.url === undefined) return notOpened(report)
    return { kind: 'done', answer: { payment_id: ids().payment(payment), url: payment.url } }
  }

  /**
   * Asks Stripe about a payment, applies the response, and returns the payment. Refuses if the payment does not exist
   * or payments are not set up. Only one check of a payment runs at a time, so responses are applied in the order in
   * which Stripe sent them. A check that is requested while another check runs starts after the running check, because
   * the payment can change in the meantime. All checks that wait for the running check become one check.
   */
  check(number: number, how: How = {}): Promise<Payment | Refused> {
    const waiting = this.waiting.get(number)
    if (waiting) {
      waiting.how = { ...waiting.how, ...how }
      return waiting.checked
    }
    const before = this.running.get(number)
    if (!before) return this.begin(number, how)
    const checked = before.then(noop, noop).then(() => {
      const latest = this.waiting.get(number)?.how ?? how
      this.waiting.delete(number)
      return this.begin(number, latest)
    })
    this.waiting.set(number, { how, checked })
    return checked
  }

  /**
   * Processes the due top-ups and the payments whose check with Stripe is due, and reports the figures. Throws if any
   * of them failed.
   */
  async work(now_ms: number): Promise<void> {
    const { paymentIntents } = this.options.store
    const due = paymentIntents.due(now_ms, MAX_AN_ALARM).map((key) => () => this.topUp(key))
    const asked = paymentIntents.toAsk(now_ms, MAX_AN_ALARM).map((number) => () => this.check(number))
    const failed = await runAll([...due, ...asked])
    await this.reportFigures(now_ms)
    for (const error of failed.slice(0, 3)) this.options.log('payment_not_processed', error)
    if (failed.length > 0)
      throw new Error(`${failed.length} of ${due.length + asked.length} payments and top-ups failed`)
  }

  /** Returns the time of the alarm's next task for payments; null if there is none. */
  nextAt(now_ms: number): number | null {
    return this.unreported ? now_ms : this.options.store.paymentIntents.nextAt()
  }

  /** Writes changed figures to D1. Throws if the write fails. */
  private async reportFigures(now_ms: number): Promise<void> {
    const figures = this.options.store.paymentIntents.figures(now_ms)
    const text = JSON.stringify(figures)
    if (!figures || text === this.reported) return
    this.unreported = true
    await this.options.report(figures)
    this.unreported = false
    this.reported = text
  }

  private begin(number: number, how: How): Promise<Payment | Refused> {
    const work = this.ask(number, how).finally(() => this.running.delete(number))
    this.running.set(number, work)
    return work
  }

  private async ask(number: number, { open, reference }: How): Promise<Payment | Refused> {
    const { commits, store, provider, ids } = this.options
    const stripe = provider()
    for (let step = 1; ; step++) {
      const payment = store.paymentIntents.get(number)
      if (!payment) return notFound('Payment')
      const is_old = payment.status === 'failed' && payment.created_at_ms + FAILED_KEPT_MS <= commits.now_ms
      const is_last_ask = is_old && payment.asked >= LAST_ASKS
      if (!stripe) {
        if (is_last_ask) return this.forget(number)
        this.postpone(payment)
        return refused({ code: 'payments_not_configured' })
      }
      const report = await (open ? open(payment) : stripe.ask(payment, reference))
      if (is_old && (isUnpaid(report) || (is_last_ask && report.kind !== 'paid'))) return this.forget(number)
      // The commit reads the payment again, because its owner might have been erased in the meantime.
      const after = commits.commit((draft) => {
        const current = draft.paymentIntent(number)
        const how = { ids: ids(), policy: this.options.reversals() }
        return current ? applyReport(draft, current, report, how) : notFound('Payment')
      })
      if (report.kind === 'unknown') this.options.log('payment_unanswered', report.reason)
      if (report.kind !== 'needs_action' || step === MAX_STEPS) return after
    }
  }

  /**
   * Charges the saved card of a wallet if a top-up is needed and possible; otherwise records when to decide again.
   * Writes the payment's row before charging the card.
   */
  private async topUp(wallet_key: string): Promise<void> {
    const { commits, storage, store, provider } = this.options
    const stripe = provider()
    if (!stripe || store.account.current.status !== 'ACTIVE') {
      commits.commit((draft) => draft.payersDue.set(wallet_key, draft.at_ms + NOT_NOW_MS))
      return
    }
    const customer = commits.commit((draft) => {
      const payer = draft.payerByKey(wallet_key)
      if (!payer) return undefined
      const decision = decide(draft, payer)
      if (decision.kind === 'charge') return decision.customer
      putOff(draft, payer, decision)
      return undefined
    })
    if (customer === undefined) return
    const card = await stripe.cardOf(customer)
    if (card === undefined) {
      commits.commit((draft) => draft.payersDue.set(wallet_key, draft.at_ms + FIRST_ASK_MS))
      return
    }
    const payment = commits.commit((draft) => openTopUp(draft, wallet_key, card))
    if (!payment) return
    await storage.sync()
    await this.check(payment.number)
  }

  private forget(number: number): Refused {
    this.options.store.paymentIntents.delete(number)
    return notFound('Payment')
  }

  private postpone(payment: Payment): void {
    if (payment.ask_at_ms === null) return
    this.options.commits.commit((draft) => {
      const { asked } = payment
      draft.paymentIntents.set(payment.number, {
        ...payment,
        asked: asked + 1,
        ask_at_ms: draft.at_ms + NOT_NOW_MS,
      })
    })
  }
}

function isUnpaid(report: Report): boolean {
  return report.kind === 'failed' || (report.kind === 'not_accepted' && report.is_refunded)
}

const NOT_OPENED: Report = {
  kind: 'failed',
  code: 'not_opened',
  message: 'Stripe did not respond as expected.',
  declined: false,
}

function openCheckout(draft: Draft, message: CheckoutMessage, store: LedgerStore): Payment | Refused {
  const { owner, credits, price_cents, product, expires_in_days, credit_pack_id, urls } = message
  const { saves_card, as_guest } = message
  const wallet = draft.wallet(owner)
  const full = wallet && fullRefusal(settle(draft, wallet), credits, 1)
  if (full) return refused(full)
  const payer = draft.payer(owner) ?? newPayer(owner)
  if (payer.open.length >= MAX_OPEN_CHECKOUTS) {
    return refused({ code: 'too_many_open', what: 'checkouts', limit: MAX_OPEN_CHECKOUTS })
  }
  if (store.paymentIntents.countOpen(draft.at_ms + DAY_MS, MAX_OPEN_PAYMENTS) >= MAX_OPEN_PAYMENTS) {
    return refused({ code: 'too_many_open', what: 'payments', limit: MAX_OPEN_PAYMENTS })
  }
  const payment = newPayment(draft, {
    ...{ type: 'checkout', owner, credits, price_cents, product, urls },
    ...(expires_in_days !== undefined && { expires_in_days }),
    ...(credit_pack_id !== undefined && { credit_pack_id }),
    ...(saves_card && { saves_card }),
    ...(!as_guest && payer.customer !== undefined && { customer: payer.customer }),
  })
  draft.payers.set(walletKey(owner), { ...payer, open: [...payer.open, payment.number] })
  return payment
}

function notOpened(report: Report): Refused {
  if (report.kind === 'failed') {
    const detail = `Stripe refused this checkout: ${report.message}`
    return invalidField('', `was refused by Stripe: ${report.message}`, detail)
  }
  const is_setup = report.kind === 'unknown' && report.reason === 'unauthorized'
  return refused(is_setup ? { code: 'payments_not_configured' } : { code: 'unavailable', stripe: true })
}

/** Runs all tasks, `AT_ONCE` at a time, and returns their errors. */
async function runAll(tasks: readonly (() => Promise<unknown>)[]): Promise<unknown[]> {
  const failed: unknown[] = []
  for (let first = 0; first < tasks.length; first += AT_ONCE) {
    const results = await Promise.allSettled(tasks.slice(first, first + AT_ONCE).map((task) => task()))
    for (const result of results) if (result.status === 'rejected') failed.push(result.reason)
  }
  return failed
}

function noop(): void {}
