import type { FormFields, Stripe, StripeResult } from '../../stripe/client.ts'
import type { Disputes, PaymentIntent, Session } from '../../stripe/objects.ts'
import { HOUR_MS } from '../../time/durations.ts'
import type { Card, Payment } from '../model/payments.ts'
import type { Paid, Report } from './report.ts'

export interface ProviderOptions {
  readonly stripe: Stripe
  /** The ledger's name in Stripe's metadata. A webhook finds the ledger by this name. */
  readonly ledger: string
  readonly idOf: (payment: Payment) => string
  readonly acceptsLivemode: (livemode: boolean) => boolean
  readonly now: () => number
  readonly log: (event: string, fields: Readonly<Record<string, string | number>>) => void
}

/**
 * The time for which an idempotency key is used at Stripe. It is shorter than the 24 hours for which Stripe stores the
 * response for a key.
 */
const KEY_LIVES_MS = 23 * HOUR_MS
/** The maximum difference between Stripe's clock and the clock of this machine. */
const CLOCKS_DIFFER_S = 600
/**
 * The maximum number of pages that a look-up of payment intents reads. Customers have only a few payment intents a
 * day. A look-up that needs more pages fails.
 */
const MAX_PAGES = 10
/** The states of disputes that took no money, or after which Stripe returned the money. */
const HARMLESS = /^(?:won|prevented|warning_.*)$/

/** Starts payments at Stripe and reads their outcomes. Never throws. All calls can be repeated. */
export class PaymentProvider {
  private readonly options: ProviderOptions

  constructor(options: ProviderOptions) {
    this.options = options
  }

  /** Creates the Stripe page on which the buyer pays a checkout. */
  async open(payment: Payment): Promise<Report> {
    const { customer, saves_card } = payment
    const payer: FormFields = customer
      ? { customer }
      : { customer_creation: saves_card ? 'always' : 'if_required' }
    const result = await this.createSession(payment, payer, this.options.idOf(payment))
    if (result.kind !== 'ok') return this.notOpened(result)
    const { id: session_id, url } = result.value
    return url
      ? { kind: 'open', session_id, url }
      : unknown('Stripe returned a Checkout Session without a URL')
  }

  /**
   * Returns the state of a payment at Stripe, and charges a top-up that was not charged yet. If the card's owner must
   * confirm the charge, creates the page for it. Uses the reference of a webhook if the payment has no session id and
   * no intent id.
   */
  async ask(payment: Payment, reference?: string): Promise<Report> {
    if (payment.session_id !== undefined) return this.readSession(payment, payment.session_id)
    if (payment.needs_action && payment.intent_id !== undefined) {
      return this.requestAction(payment, payment.intent_id)
    }
    if (payment.intent_id !== undefined) return this.readIntent(payment, payment.intent_id)
    if (reference?.startsWith('cs_')) return this.readSession(payment, reference)
    if (reference?.startsWith('pi_')) return this.readIntent(payment, reference)
    if (payment.type === 'top_up') return this.charge(payment)
    // Stripe's response with the page was lost, so the buyer has never received the page.
    return { kind: 'failed', code: 'not_opened', message: 'The checkout was not opened.', declined: false }
  }

  /**
   * Returns the newest card of the customer. Returns null if there is none or Stripe refuses the request, and
   * undefined after any other error.
   */
  async cardOf(customer: string): Promise<Card | null | undefined> {
    const result = await this.options.stripe.cardsOf(customer)
    if (result.kind === 'refused') return null
    if (result.kind !== 'ok') return undefined
    const [newest] = result.value.data
    return newest ? { id: newest.id, fingerprint: newest.card?.fingerprint ?? null } : null
  }

  /**
   * Charges the card of a top-up, at most once. A repeated call first looks for an existing charge. For 23 hours, the
   * idempotency key also prevents a second charge; afterwards, a repeated call charges nothing. A failed payment is
   * never charged again, because it is not counted in the limits.
   */
  private async charge(payment: Payment): Promise<Report> {
    const { stripe, now, idOf } = this.options
    const has_failed = payment.status === 'failed'
    // If the object stopped during the first request, `asked` is 0 although Stripe can have made the charge.
    const is_key_over = now() - payment.created_at_ms > KEY_LIVES_MS
    if (payment.asked > 0 || has_failed || is_key_over) {
      const found = await this.findIntent(payment)
      if (found) return found
      if (has_failed || is_key_over) {
        return { kind: 'failed', code: 'not_charged', message: 'Stripe made no charge.', declined: false }
      }
    }
    const result = await stripe.createPaymentIntent(
      {
        amount: payment.price_cents,
        currency: 'usd',
        customer: payment.customer,
        payment_method: payment.card?.id,
        off_session: true,
        confirm: true,
        description: payment.product,
        metadata: this.metadataOf(payment),
      },
      idOf(payment),
    )
    if (result.kind === 'ok') return this.reportOf(payment, result.value)
    if (result.kind === 'declined') return declined(result)
    if (result.kind === 'refused') return { ...result, kind: 'failed', declined: true }
    return this.unanswered(result)
  }

  /**
   * Returns the state of the payment intent of a payment; undefined if Stripe has none or refuses the request, or if
   * the payment has no customer at Stripe. Searches only the payment intents from the period in which the charge could
   * have started.
   */
  private async findIntent(payment: Payment): Promise<Report | undefined> {
    const { stripe, idOf } = this.options
    if (payment.customer === undefined) return undefined
    const id = idOf(payment)
    const created = {
      gte: Math.floor(payment.created_at_ms / 1_000) - CLOCKS_DIFFER_S,
      lte: Math.ceil((payment.created_at_ms + KEY_LIVES_MS) / 1_000) + CLOCKS_DIFFER_S,
    }
    let after: string | undefined
    for (let page = 0; page < MAX_PAGES; page++) {
      const result = await stripe.paymentIntentsOf(payment.customer, created, after)
      if (result.kind === 'refused') return undefined
      if (result.kind !== 'ok') return this.unanswered(result)
      const { data, has_more } = result.value
      const found = data.find(({ metadata }) => metadata?.payment_id === id)
      if (found) return this.reportOf(payment, found)
      after = data.at(-1)?.id
      if (!has_more || after === undefined) return undefined
    }
    return unknown('the customer has too many payment intents at Stripe')
  }

  private async readIntent(payment: Payment, id: string): Promise<Report> {
    const result = await this.options.stripe.paymentIntent(id)
    if (result.kind !== 'ok') return this.unanswered(result)
    return this.isOf(payment, result.value) ? this.reportOf(payment, result.value) : this.notOf(payment)
  }

  private async readSession(payment: Payment, id: string): Promise<Report> {
    const result = await this.options.stripe.session(id)
    if (result.kind !== 'ok') return this.unanswered(result)
    if (!this.isOf(payment, result.value)) return this.notOf(payment)
    const { payment_intent: intent, status } = result.value
    if (typeof intent === 'string') return this.readIntent(payment, intent)
    if (intent?.status === 'succeeded') return this.paid(payment, intent)
    // Stripe can still process a payment after the page has expired.
    if (status !== 'expired' || intent?.status === 'processing')
      return intent ? { kind: 'open', intent_id: intent.id } : { kind: 'open' }
    return payment.needs_action
      ? {
          kind: 'failed',
          code: 'authentication_required',
          message: 'The charge was not confirmed in time.',
          declined: true,
        }
      : { kind: 'failed', code: 'expired', message: 'The checkout was not paid in time.', declined: false }
  }

  /**
   * Creates a page on which the card's owner confirms a charge. Cancels the payment intent of the first charge before
   * that, so that only one of the two payment intents can be paid. Each step has its own idempotency key and can be
   * repeated.
   */
  private async requestAction(payment: Payment, intent_id: string): Promise<Report> {
    const { stripe, idOf } = this.options
    const id = idOf(payment)
    const cancelled = await stripe.cancelPaymentIntent(intent_id, `${id}-cancel`)
    const current = cancelled.kind === 'ok' ? cancelled : await stripe.paymentIntent(intent_id)
    if (current.kind !== 'ok') return this.unanswered(current)
    if (current.value.status === 'succeeded') return this.paid(payment, current.value)
    if (current.value.status !== 'canceled') return unknown('the charge was not cancelled')
    const result = await this.createSession(payment, { customer: payment.customer }, `${id}-action`)
    if (result.kind !== 'ok') return this.notOpened(result)
    const { id: session_id, url } = result.value
    return url
      ? { kind: 'action_required', session_id, url }
      : unknown('Stripe returned a Checkout Session without a URL')
  }

  private createSession(payment: Payment, payer: FormFields, key: string): Promise<StripeResult<Session>> {
    const { price_cents: unit_amount, product: name, urls, saves_card, type } = payment
    const metadata = this.metadataOf(payment)
    const saves = saves_card || type === 'top_up'
    return this.options.stripe.createSession(
      {
        mode: 'payment',
        client_reference_id: this.options.idOf(payment),
        // Buyers can pay only with cards, because a payment with another method can take days, or top-ups cannot charge
        // the method.
        payment_method_types: ['card'],
        line_items: [{ quantity: 1, price_data: { currency: 'usd', unit_amount, product_data: { name } } }],
        success_url: urls.success,
        cancel_url: urls.cancel,
        ...payer,
        metadata,
        payment_intent_data: {
          description: name,
          metadata,
          setup_future_usage: saves ? 'off_session' : undefined,
        },
      },
      key,
    )
  }

  private metadataOf(payment: Payment): FormFields {
    return { payment_id: this.options.idOf(payment), ledger: this.options.ledger }
  }

  private async reportOf(payment: Payment, intent: PaymentIntent): Promise<Report> {
    const { id: intent_id, status, last_payment_error: error } = intent
    if (status === 'succeeded') return this.paid(payment, intent)
    if (status === 'canceled' && !payment.needs_action) {
      return {
        kind: 'failed',
        code: 'canceled',
        message: 'The charge was cancelled.',
        declined: false,
        intent_id,
      }
    }
    if (status !== 'requires_payment_method' && status !== 'requires_action')
      return { kind: 'open', intent_id }
    if (status === 'requires_action' || error?.code === 'authentication_required') {
      return { kind: 'needs_action', intent_id }
    }
    const code = error?.decline_code ?? error?.code ?? 'card_declined'
    const message = error?.message ?? 'The card was declined.'
    return { kind: 'failed', code, message, declined: true, intent_id }
  }

  /**
   * Returns the report of a paid payment intent. Never reports the payment as paid if the payment id, the amount, the
   * currency or the mode of the payment intent differs from the request.
   */
  private async paid(payment: Payment, intent: PaymentIntent): Promise<Report> {
    const { id: intent_id, amount_received, currency, livemode, customer } = intent
    if (!this.isOf(payment, intent)) return this.notOf(payment)
    if (amount_received !== payment.price_cents) return this.notAccepted(payment, intent, 'amount')
    if (currency !== 'usd') return this.notAccepted(payment, intent, 'currency')
    if (!this.options.acceptsLivemode(livemode)) return this.notAccepted(payment, intent, 'livemode')
    const charge = chargeOf(intent)
    const refunded_cents = Math.min(charge?.amount_refunded ?? 0, payment.price_cents)
    let disputed_cents = 0
    if (charge?.disputed) {
      const result = await this.options.stripe.disputesOf(intent_id)
      if (result.kind !== 'ok') return this.unanswered(result)
      disputed_cents = Math.min(amountOf(result.value), payment.price_cents - refunded_cents)
    }
    return {
      kind: 'paid',
      intent_id,
      ...(customer && { customer }),
      ...cardOf(intent),
      ...(charge?.receipt_url && { receipt_url: charge.receipt_url }),
      refunded_cents,
      disputed_cents,
    }
  }

  private isOf(payment: Payment, { metadata }: Pick<PaymentIntent, 'metadata'>): boolean {
    return metadata?.payment_id === this.options.idOf(payment)
  }

  /** Returns an unknown outcome, because the object at Stripe belongs to another payment. Logs the error. */
  private notOf(payment: Payment): Report {
    this.options.log('payment_not_accepted', { payment_id: this.options.idOf(payment), reason: 'metadata' })
    return unknown('the object at Stripe belongs to another payment')
  }

  private notAccepted(
    payment: Payment,
    intent: PaymentIntent,
    reason: 'amount' | 'currency' | 'livemode',
  ): Report {
    this.options.log('payment_not_accepted', { payment_id: this.options.idOf(payment), reason })
    const is_refunded = (chargeOf(intent)?.amount_refunded ?? 0) >= intent.amount_received
    return { kind: 'not_accepted', intent_id: intent.id, is_refunded }
  }

  private notOpened(result: Exclude<StripeResult<Session>, { kind: 'ok' }>): Report {
    return result.kind === 'refused' || result.kind === 'declined'
      ? { kind: 'failed', code: result.code, message: result.message, declined: false }
      : this.unanswered(result)
  }

  private unanswered(result: Exclude<StripeResult<unknown>, { kind: 'ok' }>): Report {
    if (result.kind === 'unknown') return result
    const reason = result.kind === 'unauthorized' ? 'unauthorized' : result.code
    this.options.log('stripe_refused', { reason })
    return unknown(reason)
  }
}

function declined(result: Extract<StripeResult<never>, { kind: 'declined' }>): Report {
  const { code, message, intent } = result
  if (code === 'authentication_required' && intent) return { kind: 'needs_action', intent_id: intent.id }
  return { kind: 'failed', code, message, declined: true, ...(intent && { intent_id: intent.id }) }
}

function chargeOf({ latest_charge: charge }: PaymentIntent) {
  return typeof charge === 'object' && charge ? charge : undefined
}

function amountOf({ data }: Disputes): number {
  return data.filter(({ status }) => !HARMLESS.test(status)).reduce((sum, { amount }) => sum + amount, 0)
}

function cardOf({ payment_method: method }: PaymentIntent): Pick<Paid, 'card'> {
  if (!method) return {}
  if (typeof method === 'string') return { card: { id: method, fingerprint: null } }
  return { card: { id: method.id, fingerprint: method.card?.fingerprint ?? null } }
}

function unknown(reason: string): Report {
  return { kind: 'unknown', reason }
}
