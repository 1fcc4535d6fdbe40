import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Bindings } from '../bindings.ts'
import { ledgerName } from '../db/ledger-db.ts'
import type { Mode } from '../db/schema.ts'
import type { AppEnv } from '../http/env.ts'
import { JSON_TYPE, rawBody } from '../http/middleware/body.ts'
import { admitsStranger, tooManyRequests } from '../http/middleware/platform-limits.ts'
import { jsonResponse } from '../http/output/json.ts'
import { problem, refusalResponse, serviceUnavailable, unsupportedMediaType } from '../http/output/problem.ts'
import { createRouter, json, OPEN, route } from '../http/route.ts'
import { checkPayment } from '../ledger/client/client.ts'
import { paymentNumberOf } from '../ledger/model/ledger-ids.ts'
import { detailOf } from '../ledger/model/refusal.ts'
import { logInfo } from '../logging/log.ts'
import { stripeOf, webhookSecretsOf } from '../stripe/account.ts'
import { isSignedBy } from '../stripe/signature.ts'

const MEDIA_TYPE = 'application/json'

const webhookRoute = route({
  method: 'post',
  path: '/webhook',
  summary: "Receive Stripe's webhooks",
  description:
    'Stripe signs each event with the secret of the webhook endpoint. The API takes only the payment from the event, and reads the state of the payment from Stripe. Events can therefore arrive late, in any order, and more than once.',
  // Accepts any content type. The handler checks the content type after the signature.
  middleware: [rawBody(undefined, MEDIA_TYPE)],
  security: OPEN,
  request: {
    // Accepts any query parameters, because the operator might have registered the URL with a query.
    query: z.looseObject({}),
    headers: z.object({ 'Stripe-Signature': z.string().optional() }),
    body: {
      required: true,
      content: { [MEDIA_TYPE]: { schema: { type: 'object', additionalProperties: true } } },
    },
  },
  answers: { 200: json('The event was processed.', z.object({ received: z.literal(true) })) },
  problems: ['invalid_json', 'invalid_signature', 'overloaded', 'unavailable', 'payments_not_configured'],
})

/** The route that receives Stripe's webhooks. It is mounted before `authenticate`, because Stripe has no API key. */
export const stripeWebhookRoutes = createRouter()

stripeWebhookRoutes.openapi(webhookRoute, async (c) => {
  const mode = await signedFor(c)
  if (mode instanceof Response) return mode
  if (!JSON_TYPE.test(c.req.header('Content-Type') ?? '')) return unsupportedMediaType(c)
  const event = eventSchema.safeParse(parseJson(c.get('body_bytes')))
  if (!event.success)
    return problem(c, { code: 'invalid_json', detail: 'The body is not an event of Stripe.' })
  try {
    const named = await namedPayment(c.env, mode, event.data.data.object)
    if (named === 'unknown') return unavailable(c)
    const result = named && (await checkPayment(c.env, named.ledger, named))
    logInfo('stripe_event_received', { type: event.data.type, payment: named !== undefined })
    // If the ledger does not have the payment, the event is accepted: a retry by Stripe would not find the payment
    // either.
    if (result?.kind === 'refused' && result.refusal.code !== 'not_found') {
      return refusalResponse(c, result.refusal)
    }
    return jsonResponse(c, { received: true })
  } catch (error) {
    return serviceUnavailable(c, 'stripe_event_not_processed', error)
  }
})

/**
 * Returns the mode whose webhook secret signed the request. If no secret signed it, returns the response that refuses
 * the request.
 */
async function signedFor(c: Context<AppEnv>): Promise<Mode | Response> {
  const secrets = webhookSecretsOf(c.env)
  if (secrets.length === 0) {
    const detail = detailOf({ code: 'payments_not_configured' })
    return problem(c, { code: 'payments_not_configured', detail })
  }
  const header = c.req.header('Stripe-Signature') ?? ''
  const signed = { body: c.get('body_bytes') ?? new Uint8Array(), header, now_ms: Date.now() }
  for (const { mode, secret } of secrets) if (await isSignedBy(secret, signed)) return mode
  if (!(await admitsStranger(c))) return tooManyRequests(c, 'address')
  const detail =
    'The header Stripe-Signature is missing, has a time more than five minutes before or after the current time, or was not made with the webhook secret of this deployment.'
  return problem(c, { code: 'invalid_signature', detail })
}

const objectSchema = z.object({
  metadata: z.record(z.string(), z.unknown()).nullish(),
  id: z.string(),
  object: z.string(),
  payment_intent: z.unknown().optional(),
})

const eventSchema = z.object({ type: z.string(), data: z.object({ object: objectSchema }) })

interface NamedPayment {
  readonly ledger: { readonly customer_id: string; readonly mode: Mode }
  readonly number: number
  readonly reference: string
}

/**
 * Returns the payment to which a Stripe object belongs. The metadata of the object contains the id of the payment. A
 * dispute or a refund refers to a payment intent whose metadata contains the id. Returns undefined if the object
 * belongs to no payment of this deployment, for example because another system uses the same Stripe account. Returns
 * `unknown` if the payment intent could not be read, except if Stripe refused the request.
 */
async function namedPayment(
  env: Bindings,
  mode: Mode,
  object: z.infer<typeof objectSchema>,
): Promise<NamedPayment | undefined | 'unknown'> {
  const { id, metadata, payment_intent } = object
  const named = await fromMetadata(env, mode, id, metadata)
  if (named || typeof payment_intent !== 'string') return named
  const result = await stripeOf(env, mode)?.paymentIntent(payment_intent)
  if (result?.kind === 'ok') return fromMetadata(env, mode, payment_intent, result.value.metadata)
  return result?.kind === 'refused' ? undefined : 'unknown'
}

async function fromMetadata(
  env: Bindings,
  mode: Mode,
  reference: string,
  metadata: Readonly<Record<string, unknown>> | null | undefined,
): Promise<NamedPayment | undefined> {
  const { payment_id, ledger: key } = metadata ?? {}
  if (typeof payment_id !== 'string' || typeof key !== 'string') return undefined
  const ledger = ledgerName(key)
  const number = paymentNumberOf(payment_id, ledger)
  if (number === undefined || ledger.mode !== mode) return undefined
  // Ignores an unknown customer, because another deployment might use the same Stripe account. This deployment must not
  // create a ledger for a customer of the other deployment.
  const known = await env.DB.prepare(CUSTOMER).bind(ledger.customer_id).first()
  return known ? { ledger, number, reference } : undefined
}

const CUSTOMER = 'SELECT 1 FROM customers WHERE customer_id = ?'

function parseJson(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

function unavailable(c: Context<AppEnv>): Response {
  return problem(c, {
    code: 'unavailable',
    detail: 'The payment intent could not be read from Stripe. Deliver the event again later.',
  })
}
