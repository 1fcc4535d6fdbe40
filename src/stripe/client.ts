import { z } from 'zod'
import { readUpTo } from '../http/read-up-to.ts'
import { LATE, withDeadline } from '../time/durations.ts'
import {
  disputesSchema,
  type PaymentIntent,
  paymentIntentSchema,
  paymentIntentsSchema,
  paymentMethodsSchema,
  sessionSchema,
} from './objects.ts'

/**
 * The version of Stripe's API whose objects `objects.ts` reads. Stripe responds in this version, even if the account
 * has another default version.
 */
export const STRIPE_VERSION = '2026-10-28.endive'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface StripeOptions {
  readonly api_url: string
  /** The secret key of the Stripe account. Never log it. */
  readonly secret_key: string
  readonly timeout_ms?: number
  readonly fetcher?: Fetch
}

/** A parameter of a request to Stripe. Undefined parameters are left out. */
type FormValue = string | number | boolean | undefined | FormFields | readonly FormValue[]
export interface FormFields {
  readonly [name: string]: FormValue
}

/** The result of a call to Stripe. A call never throws. */
export type StripeResult<T> =
  | { readonly kind: 'ok'; readonly value: T }
  /** Stripe refused the request. Nothing was changed at Stripe. */
  | StripeRefusal
  /**
   * The card was declined, or its owner must confirm the charge. `intent` is the payment intent if Stripe created one.
   */
  | (Omit<StripeRefusal, 'kind'> & { readonly kind: 'declined'; readonly intent: PaymentIntent | undefined })
  /** Stripe does not accept the secret key. */
  | { readonly kind: 'unauthorized' }
  /** It is unknown whether Stripe executed the request. A retry with the same idempotency key is safe. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly retry_after_ms?: number }

export interface StripeRefusal {
  readonly kind: 'refused'
  readonly status: number
  readonly code: string
  /** The error text of Stripe, which can be shown to users. */
  readonly message: string
}

const TIMEOUT_MS = 8_000
const MAX_BYTES = 512 * 1024
const MAX_MESSAGE = 300
const MAX_RETRY_AFTER_S = 3_600
const EXPAND = { expand: ['latest_charge', 'payment_method'] }
const EXPAND_SESSION = { expand: ['payment_intent.latest_charge', 'payment_intent.payment_method'] }

/**
 * A client for the Stripe endpoints that payments use. The time of each call and the size of each response are limited.
 * Each POST has an idempotency key. Stripe stores this key for 24 hours.
 */
export class Stripe {
  private readonly options: StripeOptions

  constructor(options: StripeOptions) {
    this.options = options
  }

  createSession(fields: FormFields, key: string) {
    return this.post('/v1/checkout/sessions', sessionSchema, fields, key)
  }

  session(id: string) {
    return this.get(`/v1/checkout/sessions/${encodeURIComponent(id)}`, sessionSchema, EXPAND_SESSION)
  }

  createPaymentIntent(fields: FormFields, key: string) {
    return this.post('/v1/payment_intents', paymentIntentSchema, { ...fields, ...EXPAND }, key)
  }

  paymentIntent(id: string) {
    return this.get(`/v1/payment_intents/${encodeURIComponent(id)}`, paymentIntentSchema, EXPAND)
  }

  cancelPaymentIntent(id: string, key: string) {
    const fields = { ...EXPAND, cancellation_reason: 'abandoned' }
    return this.post(`/v1/payment_intents/${encodeURIComponent(id)}/cancel`, paymentIntentSchema, fields, key)
  }

  /**
   * Returns a page of the payment intents of a Stripe customer that were created in a period, newest first. The page
   * begins after the payment intent `starting_after`.
   */
  paymentIntentsOf(
    customer: string,
    created: { readonly gte: number; readonly lte: number },
    starting_after?: string,
  ) {
    const fields = {
      customer,
      created,
      starting_after,
      limit: 100,
      expand: ['data.latest_charge', 'data.payment_method'],
    }
    return this.get('/v1/payment_intents', paymentIntentsSchema, fields)
  }

  /** Returns the newest saved card of a Stripe customer, in a list of at most one card. */
  cardsOf(customer: string) {
    const path = `/v1/customers/${encodeURIComponent(customer)}/payment_methods`
    return this.get(path, paymentMethodsSchema, { type: 'card', limit: 1 })
  }

  disputesOf(payment_intent: string) {
    return this.get('/v1/disputes', disputesSchema, { payment_intent, limit: 100 })
  }

  private get<T>(path: string, schema: z.ZodType<T>, fields: FormFields): Promise<StripeResult<T>> {
    return this.call(`${path}?${encodeForm(fields)}`, schema, { method: 'GET' })
  }

  private post<T>(
    path: string,
    schema: z.ZodType<T>,
    fields: FormFields,
    key: string,
  ): Promise<StripeResult<T>> {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Idempotency-Key': key }
    return this.call(path, schema, { method: 'POST', headers, body: encodeForm(fields) })
  }

  private async call<T>(path: string, schema: z.ZodType<T>, init: RequestInit): Promise<StripeResult<T>> {
    const { timeout_ms = TIMEOUT_MS } = this.options
    const controller = new AbortController()
    try {
      const answer = await withDeadline(this.send(path, init, controller.signal), timeout_ms)
      if (answer === LATE) return { kind: 'unknown', reason: 'timeout' }
      return readAnswer(answer, schema)
    } catch {
      return { kind: 'unknown', reason: 'unreachable' }
    } finally {
      controller.abort()
    }
  }

  private async send(path: string, init: RequestInit, signal: AbortSignal): Promise<Answer> {
    const { api_url, secret_key, fetcher = (url, sent) => fetch(url, sent) } = this.options
    const response = await fetcher(api_url + path, {
      ...init,
      headers: {
        ...init.headers,
        Accept: 'application/json',
        Authorization: `Bearer ${secret_key}`,
        'Stripe-Version': STRIPE_VERSION,
      },
      redirect: 'manual',
      signal,
    })
    const retry_after = Number(response.headers.get('Retry-After') ?? Number.NaN)
    return { status: response.status, retry_after, text: await boundedText(response) }
  }
}

/** Encodes parameters in the form that Stripe reads: `line_items[0][price_data][currency]=usd`. */
function encodeForm(fields: FormFields): string {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) append(form, name, value)
  return form.toString()
}

function append(form: URLSearchParams, name: string, value: FormValue): void {
  if (value === undefined) return
  if (typeof value !== 'object') {
    form.append(name, String(value))
    return
  }
  for (const [key, item] of Object.entries(value)) append(form, `${name}[${key}]`, item)
}

interface Answer {
  readonly status: number
  /** The header `Retry-After` in seconds; NaN if the header is missing or is not a number. */
  readonly retry_after: number
  readonly text: string
}

const errorSchema = z.object({
  error: z.object({
    type: z.string(),
    code: z.string().optional(),
    decline_code: z.string().optional(),
    message: z.string().optional(),
    payment_intent: z.unknown().optional(),
  }),
})

function readAnswer<T>({ status, retry_after, text }: Answer, schema: z.ZodType<T>): StripeResult<T> {
  if (status >= 200 && status < 300) {
    const value = schema.safeParse(parseJson(text))
    return value.success
      ? { kind: 'ok', value: value.data }
      : { kind: 'unknown', reason: `unexpected response at ${value.error.issues[0]?.path.join('.') ?? ''}` }
  }
  if (status === 401 || status === 403) return { kind: 'unauthorized' }
  const parsed = errorSchema.safeParse(parseJson(text))
  // The outcome is unknown after a 409: another request with the same idempotency key is in progress, or an object is
  // locked. It is also unknown after `idempotency_error`: the key was used with other parameters, and a later look-up
  // finds the payment.
  const is_final = status >= 400 && status < 500 && status !== 409 && status !== 429
  if (!is_final || !parsed.success || parsed.data.error.type === 'idempotency_error') {
    const wait_s = Number.isFinite(retry_after) ? Math.min(Math.max(retry_after, 0), MAX_RETRY_AFTER_S) : null
    const wait = wait_s === null ? {} : { retry_after_ms: wait_s * 1_000 }
    return { kind: 'unknown', reason: `status ${status}`, ...wait }
  }
  const { error } = parsed.data
  const refusal = {
    status,
    code: error.decline_code ?? error.code ?? error.type,
    message: (error.message ?? 'The payment was refused.').slice(0, MAX_MESSAGE),
  }
  if (status !== 402) return { kind: 'refused', ...refusal }
  const intent = paymentIntentSchema.safeParse(error.payment_intent)
  // If the card owner must authenticate, reports `authentication_required` instead of the decline code of the bank.
  const code = error.code === 'authentication_required' ? error.code : refusal.code
  return { kind: 'declined', ...refusal, code, intent: intent.success ? intent.data : undefined }
}

/** Parses JSON. Returns undefined for a text that is not JSON. The schemas refuse undefined. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function boundedText(response: Response): Promise<string> {
  const bytes = await readUpTo(response.body, MAX_BYTES)
  if (!bytes) throw new Error(`the response has more than ${MAX_BYTES} bytes`)
  return new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(bytes)
}
