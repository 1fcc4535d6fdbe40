import { createHmac } from 'node:crypto'
import { vi } from 'vitest'
import { STRIPE_VERSION } from '../../src/stripe/client.ts'

/**
 * Simulates Stripe in place of the network, with the endpoints that payments use. A repeated idempotency key gets the
 * earlier response. A test can make calls fail before or after their effect.
 */

export const STRIPE = 'https://api.stripe.com'
export const WEBHOOK_SECRETS = { live: 'whsec_development', test: 'whsec_test_development' } as const

/**
 * The fault of a call. With `lost`, the call takes effect, but its response is lost. With `down`, the call fails before
 * its effect. With `busy` and `broken`, Stripe returns an error (429 and 500). With `hangs` and `done, hangs`, the call
 * never ends, before or after its effect.
 */
export type Fault = 'lost' | 'down' | 'busy' | 'broken' | 'hangs' | 'done, hangs'

/**
 * The result of a charge of the card without the card's owner. `needs_owner` means that the owner must confirm the
 * charge.
 */
export type CardBehaviour = 'good' | 'declined' | 'needs_owner'

export interface Call {
  readonly method: string
  readonly path: string
  readonly key: string | null
  readonly fields: URLSearchParams
  readonly authorization: string | null
  readonly version: string | null
}

interface Card {
  readonly id: string
  readonly fingerprint: string
  readonly behaviour: CardBehaviour
}

interface Charge {
  amount_refunded: number
  disputes: { id: string; status: string; amount: number }[]
}

interface Intent {
  readonly id: string
  readonly amount: number
  readonly currency: string
  readonly created: number
  readonly customer: string | null
  readonly metadata: Record<string, string>
  status: string
  card: Card | null
  error: { code: string; decline_code?: string; message: string } | null
  charge: Charge | null
}

interface Session {
  readonly id: string
  readonly amount: number
  readonly customer: string | null
  readonly saves: boolean
  readonly metadata: Record<string, string>
  readonly created: number
  status: 'open' | 'complete' | 'expired'
  intent: Intent | null
}

interface Kept {
  readonly at_s: number
  readonly request: string
  readonly status: number
  readonly body: string
}

const DAY_S = 86_400

/** A webhook request of Stripe: its body and its signature. */
export interface SignedEvent {
  readonly body: string
  readonly headers: Record<string, string>
}

export class ScriptedStripe {
  readonly calls: Call[] = []
  readonly intents = new Map<string, Intent>()
  readonly sessions = new Map<string, Session>()
  /** The cards of each customer, oldest first. */
  readonly cards = new Map<string, Card[]>()
  /** Returns the fault of a call; undefined for a call that works. Tests replace this function. */
  fault: (call: Call) => Fault | undefined = () => undefined
  livemode = false
  /** Whether the simulated Stripe refuses the secret key. */
  unauthorized = false
  private readonly kept = new Map<string, Kept>()

  /** Replaces Stripe for the whole test file. A test can still replace `fetch` with a mock. */
  static serve(): void {
    const stripe = new ScriptedStripe()
    const network = globalThis.fetch
    globalThis.fetch = (input, init) => {
      const url = input instanceof Request ? input.url : String(input)
      return url.startsWith(`${STRIPE}/`) ? stripe.fetch(input, init) : network(input, init)
    }
  }

  /** Replaces `fetch` with this simulated Stripe, until the test restores its mocks. */
  install() {
    return vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => this.fetch(input, init))
  }

  /** The sum of the succeeded payments minus the refunds, in cents. */
  get received(): number {
    return [...this.intents.values()]
      .filter(({ status }) => status === 'succeeded')
      .reduce((sum, { amount, charge }) => sum + amount - (charge?.amount_refunded ?? 0), 0)
  }

  succeeded(): Intent[] {
    return [...this.intents.values()].filter(({ status }) => status === 'succeeded')
  }

  /** Pays a checkout on its page, as the buyer would. Returns the payment intent. */
  pay(url: string, card: Partial<Card> = {}): Intent {
    const session = this.sessionAt(url)
    if (!this.isOpen(session)) throw new Error(`the session at ${url} is not open`)
    return this.complete(session, card)
  }

  /** Completes a payment after its page has expired. The buyer has started it before the expiry. */
  payLate(url: string): Intent {
    const session = this.sessionAt(url)
    const intent = this.complete(session, {})
    session.status = 'expired'
    return intent
  }

  /**
   * Changes a paid checkout into one whose payment the bank is still processing. `status` is the new status of its
   * page.
   */
  process(intent: Intent, status: Session['status']): void {
    const session = [...this.sessions.values()].find((one) => one.intent === intent)
    if (!session) throw new Error('not made on a page')
    session.status = status
    intent.status = 'processing'
    intent.charge = null
  }

  /** Makes an open payment intent succeed, as a slow bank or a confirmation in the Stripe dashboard does. */
  succeed(intent: Intent): Intent {
    intent.status = 'succeeded'
    intent.error = null
    intent.charge = { amount_refunded: 0, disputes: [] }
    return intent
  }

  /** Adds a payment of the customer for another product. */
  sellOther(customer: string): void {
    this.newIntent(100, customer, {})
  }

  /** Reports whether a page can still be paid. Pages expire after a day. */
  isOpen(session: Session): boolean {
    if (session.status === 'open' && nowS() - session.created > DAY_S) session.status = 'expired'
    return session.status === 'open'
  }

  newCard(behaviour: CardBehaviour = 'good'): Card {
    return { id: this.id('pm'), fingerprint: this.id('fp'), behaviour }
  }

  addCard(customer: string, card: Card): void {
    this.cards.set(customer, [...(this.cards.get(customer) ?? []), card])
  }

  refund(intent: Intent, cents: number): void {
    if (!intent.charge) throw new Error('nothing was charged')
    intent.charge.amount_refunded += cents
  }

  dispute(intent: Intent, status: string, amount = intent.amount): void {
    if (!intent.charge) throw new Error('nothing was charged')
    intent.charge.disputes = [{ id: 'dp_1', status, amount }]
  }

  /** Returns a signed webhook request for an event about `object`. */
  event(
    type: string,
    object: Intent | Session,
    { secret = WEBHOOK_SECRETS.live, at_ms = Date.now() }: { secret?: string; at_ms?: number } = {},
  ): SignedEvent {
    const is_dispute = type.startsWith('charge.dispute')
    const data =
      'intent' in object
        ? this.sessionJson(object, false)
        : is_dispute
          ? { id: 'dp_1', object: 'dispute', payment_intent: object.id }
          : this.intentJson(object, false)
    return signedEvent(type, data, secret, at_ms)
  }

  private sessionAt(url: string): Session {
    const session = this.sessions.get(url.split('/').at(-1) ?? '')
    if (!session) throw new Error(`no session at ${url}`)
    return session
  }

  private complete(session: Session, card: Partial<Card>): Intent {
    const paid: Card = { ...this.newCard(), ...card }
    const customer = session.customer ?? (session.saves ? this.id('cus') : null)
    session.intent = this.succeed(this.newIntent(session.amount, customer, session.metadata))
    session.intent.card = paid
    session.status = 'complete'
    if (customer && session.saves) this.addCard(customer, paid)
    return session.intent
  }

  async fetch(input: unknown, init: RequestInit = {}): Promise<Response> {
    const url = new URL(input instanceof Request ? input.url : String(input))
    if (url.origin !== STRIPE) throw new TypeError('Network connection lost.')
    const headers = new Headers(init.headers)
    const call: Call = {
      method: init.method ?? 'GET',
      path: url.pathname,
      key: headers.get('Idempotency-Key'),
      fields: init.method === 'POST' ? new URLSearchParams(String(init.body)) : url.searchParams,
      authorization: headers.get('Authorization'),
      version: headers.get('Stripe-Version'),
    }
    this.calls.push(call)
    if (this.unauthorized) return answer(401, errorOf('invalid_request_error', 'Invalid API Key.'))
    const fault = this.fault(call)
    if (fault === 'down') throw new TypeError('Network connection lost.')
    if (fault === 'hangs') return new Promise(() => {})
    if (fault === 'busy') {
      return answer(429, errorOf('rate_limit', 'Too many requests.'), { 'Retry-After': '3' })
    }
    if (fault === 'broken') return answer(500, errorOf('api_error', 'An error.'))
    const response = this.once(call)
    if (fault === 'done, hangs') return new Promise(() => {})
    if (fault === 'lost') throw new TypeError('Network connection lost.')
    return response
  }

  /**
   * Handles a call once for each idempotency key, and repeats its response for a day. After a day, the key counts as
   * new.
   */
  private once(call: Call): Response {
    if (call.key === null) return respond(this.handle(call))
    const request = `${call.path}?${call.fields}`
    const known = this.kept.get(call.key)
    const kept = known && nowS() - known.at_s < DAY_S ? known : undefined
    if (kept && kept.request !== request) {
      return answer(400, errorOf('idempotency_error', 'Keys can only be used with the same parameters.'))
    }
    const { status, body } = kept ?? this.handle(call)
    this.kept.set(call.key, kept ?? { at_s: nowS(), request, status, body })
    return respond({ status, body })
  }

  private handle({ method, path, fields }: Call): { status: number; body: string } {
    const [, , resource = '', id = '', action = ''] = path.split('/')
    const route = `${method} ${resource}${resource === 'checkout' ? '/sessions' : ''}`
    switch (route) {
      case 'POST checkout/sessions':
        return ok(this.createSession(fields))
      case 'GET checkout/sessions': {
        const session = this.sessions.get(action)
        return session ? ok(this.sessionJson(session, true)) : missing
      }
      case 'POST payment_intents':
        return action === 'cancel' ? this.cancel(id) : this.createIntent(fields)
      case 'GET payment_intents': {
        if (id === '') return ok(this.pageOfIntents(fields))
        const intent = this.intents.get(id)
        return intent ? ok(this.intentJson(intent, true)) : missing
      }
      case 'GET customers': {
        const cards = this.cards.get(id) ?? []
        return ok({ data: cards.toReversed().slice(0, 1).map(cardJson) })
      }
      case 'GET disputes': {
        const intent = this.intents.get(fields.get('payment_intent') ?? '')
        return ok({ data: intent?.charge?.disputes ?? [] })
      }
      default:
        return missing
    }
  }

  private createSession(fields: URLSearchParams): object {
    const session: Session = {
      id: this.id('cs'),
      amount: Number(fields.get('line_items[0][price_data][unit_amount]')),
      customer: fields.get('customer'),
      saves: fields.get('payment_intent_data[setup_future_usage]') === 'off_session',
      metadata: metadataOf(fields, 'payment_intent_data[metadata]'),
      created: nowS(),
      status: 'open',
      intent: null,
    }
    this.sessions.set(session.id, session)
    return this.sessionJson(session, false)
  }

  private createIntent(fields: URLSearchParams): { status: number; body: string } {
    const customer = fields.get('customer')
    const card = this.cards.get(customer ?? '')?.find(({ id }) => id === fields.get('payment_method'))
    if (!card) return { status: 400, body: errorOf('invalid_request_error', 'No such payment method.') }
    const intent = this.newIntent(Number(fields.get('amount')), customer, metadataOf(fields, 'metadata'))
    intent.card = card
    if (card.behaviour === 'good') {
      intent.status = 'succeeded'
      intent.charge = { amount_refunded: 0, disputes: [] }
      return ok(this.intentJson(intent, true))
    }
    intent.error =
      card.behaviour === 'declined'
        ? { code: 'card_declined', decline_code: 'insufficient_funds', message: 'Your card was declined.' }
        : { code: 'authentication_required', message: 'The card needs its owner.' }
    const error = { type: 'card_error', ...intent.error, payment_intent: this.intentJson(intent, false) }
    return { status: 402, body: JSON.stringify({ error }) }
  }

  private cancel(id: string): { status: number; body: string } {
    const intent = this.intents.get(id)
    if (!intent) return missing
    if (intent.status === 'succeeded') {
      return { status: 400, body: errorOf('invalid_request_error', 'It cannot be cancelled.') }
    }
    intent.status = 'canceled'
    return ok(this.intentJson(intent, true))
  }

  /** Returns a page of payment intents, newest first, as Stripe does. */
  private pageOfIntents(fields: URLSearchParams): object {
    const limit = Number(fields.get('limit') ?? 10)
    const matching = [...this.intents.values()]
      .filter(
        ({ customer, created }) =>
          customer === fields.get('customer') &&
          created >= Number(fields.get('created[gte]')) &&
          created <= Number(fields.get('created[lte]') ?? Number.POSITIVE_INFINITY),
      )
      .toReversed()
    const from = matching.findIndex(({ id }) => id === fields.get('starting_after')) + 1
    const page = matching.slice(from, from + limit)
    return {
      data: page.map((one) => this.intentJson(one, true)),
      has_more: from + limit < matching.length,
    }
  }

  private newIntent(amount: number, customer: string | null, metadata: Record<string, string>): Intent {
    const intent: Intent = {
      ...{ id: this.id('pi'), amount, currency: 'usd', created: nowS(), customer, metadata },
      ...{ status: 'requires_payment_method', card: null, error: null, charge: null },
    }
    this.intents.set(intent.id, intent)
    return intent
  }

  private intentJson(intent: Intent, expanded: boolean): object {
    const { id, amount, currency, status, customer, metadata, card, error, charge } = intent
    const charged = charge && {
      id: `ch_${id}`,
      object: 'charge',
      amount_refunded: charge.amount_refunded,
      disputed: charge.disputes.length > 0,
      receipt_url: `https://pay.stripe.com/receipts/${id}`,
    }
    return {
      ...{ id, object: 'payment_intent', amount, currency, status, customer, metadata },
      livemode: this.livemode,
      amount_received: status === 'succeeded' ? amount : 0,
      payment_method: expanded && card ? cardJson(card) : (card?.id ?? null),
      latest_charge: expanded ? charged : (charged?.id ?? null),
      last_payment_error: error,
    }
  }

  private sessionJson(session: Session, expanded: boolean): object {
    const { id, metadata, intent } = session
    const is_open = this.isOpen(session)
    return {
      ...{ id, object: 'checkout.session', metadata, status: session.status, livemode: this.livemode },
      url: is_open ? `https://checkout.stripe.com/c/pay/${id}` : null,
      payment_intent: intent && (expanded ? this.intentJson(intent, true) : intent.id),
    }
  }

  private id(prefix: string): string {
    return `${prefix}_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`
  }
}

/**
 * Returns a webhook request that is signed in the same way as by Stripe. `test/payments/oracle.node.test.ts` compares
 * it with Stripe's package.
 */
export function signedEvent(type: string, object: object, secret: string, at_ms = Date.now()): SignedEvent {
  const event = { id: 'evt_1', object: 'event', api_version: STRIPE_VERSION, type, data: { object } }
  const body = JSON.stringify(event)
  const time = Math.floor(at_ms / 1_000)
  const v1 = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')
  const header = `t=${time},v1=${v1}`
  return { body, headers: { 'Stripe-Signature': header, 'Content-Type': 'application/json' } }
}

const missing = { status: 404, body: errorOf('invalid_request_error', 'No such object.') }

function nowS(): number {
  return Math.floor(Date.now() / 1_000)
}

function ok(body: object): { status: number; body: string } {
  return { status: 200, body: JSON.stringify(body) }
}

function respond({ status, body }: { status: number; body: string }): Response {
  return answer(status, body)
}

function answer(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { 'Content-Type': 'application/json', ...headers } })
}

function errorOf(type: string, message: string): string {
  return JSON.stringify({ error: { type, message } })
}

function cardJson({ id, fingerprint }: Card): object {
  return { id, object: 'payment_method', type: 'card', card: { fingerprint } }
}

function metadataOf(fields: URLSearchParams, name: string): Record<string, string> {
  const found = [...fields].filter(([key]) => key.startsWith(`${name}[`))
  return Object.fromEntries(found.map(([key, value]) => [key.slice(name.length + 1, -1), value]))
}
