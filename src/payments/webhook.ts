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
    'Stripe signs each event with the secret of the endpoint. An event only names a payment, whose state is then read from Stripe. Events may therefore arrive in any order, late and more than once.',
  // Any content type is accepted here, so that the signature is checked first.
  middleware: [rawBody(undefined, MEDIA_TYPE)],
  security: OPEN,
  request: {
    // The operator may have registered the URL with a query.
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

/** The routes that are mounted before `authenticate`, because Stripe has no API key. */
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
    // A missing payment will not appear later, so Stripe need not send the event again.
    if (result?.kind === 'refused' && result.refusal.code !== 'not_found') {
      return refusalResponse(c, result.refusal)
    }
    return jsonResponse(c, { received: true })
  } catch (error) {
    return serviceUnavailable(c, 'stripe_event_not_processed', error)
  }
})

/** Returns the mode whose secret signed the request, or the answer to a request that no secret signed. */
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
    'The header Stripe-Signature is missing, too old, or not made with the secret of this endpoint.'
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
 * Returns the payment of an object of Stripe. The payment is named in the metadata of the object, or in the metadata
 * of the payment intent that a dispute or a refund refers to. Returns undefined for objects of other systems that
 * share the account, and `unknown` if Stripe did not answer.
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
  // Another deployment may share the Stripe account. Its customers do not exist in this deployment, which must not
  // create ledgers for them.
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
  return problem(c, { code: 'unavailable', detail: 'Stripe did not answer. Deliver the event again later.' })
}
