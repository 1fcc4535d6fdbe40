import type { Context } from 'hono'
import { scoped, scopedOrPortal } from '../api-keys/authentication/authenticate.ts'
import { ledgerKey } from '../db/ledger-db.ts'
import { callerOf, ledgerOf } from '../http/caller.ts'
import { type AppEnv, guard } from '../http/env.ts'
import { ownerOf } from '../http/input/identifiers.ts'
import { nextCursor } from '../http/input/pagination.ts'
import { jsonResponse } from '../http/output/json.ts'
import { answerResult, noSuch, refusalResponse, serviceUnavailable } from '../http/output/problem.ts'
import { type Answer, answerOnce, type KeepAnswer, writeKept } from '../http/output/stored-answers.ts'
import { createRouter, json, jsonRequest, route } from '../http/route.ts'
import { openCheckout, readPayments } from '../ledger/client/client.ts'
import { paymentNumberOf } from '../ledger/model/ledger-ids.ts'
import type { CheckoutMessage } from '../ledger/model/messages/payments.ts'
import { formatCredits, type MicroCredits, microCredits } from '../pricing/money.ts'
import { stripeOf } from '../stripe/account.ts'
import { findPack } from './packs/store.ts'
import { renderPayment } from './render.ts'
import {
  checkoutAnswerSchema,
  checkoutSchema,
  paymentPath,
  paymentSchema,
  paymentsQuery,
  paymentsSchema,
} from './schema.ts'

/** Refuses requests about payments if Stripe is not set up for the mode of the key. */
export const requirePayments = guard((c) =>
  stripeOf(c.env, ledgerOf(c).mode) ? undefined : refusalResponse(c, { code: 'payments_not_configured' }),
)

const checkoutRoute = route({
  method: 'post',
  path: '/checkout',
  summary: 'Open a checkout: a Stripe page on which a buyer pays for credits',
  description:
    'Opens a checkout of a credit pack, or of `credits` at `price_usd`. The credits are added exactly once, after Stripe has confirmed the payment. A wallet can have at most 10 unpaid checkouts. With a portal token, a checkout is possible only for the wallet of the token and for one of its credit packs, and the return URLs must be on the origins of the token.',
  ...scopedOrPortal('credits:write', requirePayments),
  request: { body: jsonRequest(checkoutSchema) },
  answers: { 201: json('The id of the payment, and the URL of the Stripe page.', checkoutAnswerSchema) },
  problems: [
    'overloaded',
    'not_found',
    'conflict',
    'too_many_open',
    'idempotency_mismatch',
    'payments_not_configured',
  ],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List payments, newest first',
  description:
    'A failed payment is deleted 90 days after its creation, if Stripe then confirms that it was not paid. If Stripe does not confirm it, the payment is checked again for about a week and then deleted. All other payments are kept.',
  ...scoped('credits:read', requirePayments),
  request: { query: paymentsQuery },
  answers: { 200: json('A page of payments.', paymentsSchema) },
  problems: ['overloaded', 'payments_not_configured'],
})

const getRoute = route({
  method: 'get',
  path: '/{id}',
  summary: 'Get a payment',
  ...scoped('credits:read', requirePayments),
  request: { params: paymentPath },
  answers: { 200: json('The payment.', paymentSchema) },
  problems: ['overloaded', 'not_found', 'payments_not_configured'],
})

export const paymentsRoutes = createRouter()

paymentsRoutes.openapi(checkoutRoute, async (c) => {
  const { credit_pack_id, credits, price_usd, success_url, cancel_url, save_payment_method, ...owned } =
    c.req.valid('json')
  const message = {
    owner: ownerOf(owned),
    urls: { success: success_url, cancel: cancel_url },
    saves_card: save_payment_method,
    // With a portal token, the checkout does not identify the payer to Stripe. Otherwise, the page would show the email
    // address and the saved card of the payer to the end user.
    as_guest: c.get('portal') !== undefined,
  }
  const once = { owner: ledgerKey(ledgerOf(c)), operation: 'POST /v1/payments/checkout' }
  try {
    return await answerOnce(c, once, async (keep) => {
      const product = await productOf(c, { credit_pack_id, credits, price_usd })
      return product instanceof Response ? product : open(c, { ...message, ...product }, keep)
    })
  } catch (error) {
    return serviceUnavailable(c, 'checkout_not_opened', error)
  }
})

paymentsRoutes.openapi(listRoute, async (c) => {
  const { cursor, limit } = c.req.valid('query')
  const question = { caller: callerOf(c), before: cursor ?? null, limit }
  const result = await readPayments(c.env, ledgerOf(c), question)
  return answerResult(c, result, ({ payments, before }) => ({
    data: payments.map(renderPayment),
    next_cursor: nextCursor(before),
  }))
})

paymentsRoutes.openapi(getRoute, async (c) => {
  const { id } = c.req.valid('param')
  const number = paymentNumberOf(id, ledgerOf(c))
  if (number === undefined) return noSuch(c, 'payment', id)
  const result = await readPayments(c.env, ledgerOf(c), { caller: callerOf(c), number })
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  const payment = result.answer.payments.find(({ payment_id }) => payment_id === id)
  return payment ? jsonResponse(c, renderPayment(payment)) : noSuch(c, 'payment', id)
})

type Product = Pick<
  CheckoutMessage,
  'credits' | 'price_cents' | 'product' | 'expires_in_days' | 'credit_pack_id'
>

interface Chosen {
  readonly credit_pack_id: string | undefined
  readonly credits: MicroCredits | undefined
  readonly price_usd: number | undefined
}

/**
 * Returns the product of a checkout: the credits and the price in the request, or the credit pack. Returns the 404
 * response if the credit pack does not exist. The schema ensures that the request contains either a credit pack or
 * credits with a price.
 */
async function productOf(
  c: Context<AppEnv>,
  { credit_pack_id, credits, price_usd }: Chosen,
): Promise<Product | Response> {
  if (credits !== undefined && price_usd !== undefined) {
    return { credits, price_cents: price_usd, product: `${formatCredits(credits)} credits` }
  }
  const id = credit_pack_id ?? ''
  const pack = await findPack(c.env, ledgerKey(ledgerOf(c)), id)
  if (!pack) return noSuch(c, 'credit pack', id)
  const { name, credits_micro, price_cents, expires_in_days } = pack
  return {
    credits: microCredits(credits_micro),
    price_cents,
    product: name,
    credit_pack_id: id,
    ...(expires_in_days !== null && { expires_in_days }),
  }
}

async function open(
  c: Context<AppEnv>,
  message: CheckoutMessage,
  keep: KeepAnswer,
): Promise<Answer | Response> {
  const result = await openCheckout(c.env, ledgerOf(c), { caller: callerOf(c), ...message })
  if (result.kind === 'refused') return refusalResponse(c, result.refusal)
  const answer = { status: 201 as const, body: result.answer }
  await writeKept(c.env, keep(answer))
  return answer
}
