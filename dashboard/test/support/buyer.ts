import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { CardBehaviour, ScriptedStripe, SignedEvent } from '../../../test/support/stripe.ts'

/**
 * The result of a buyer's visit to Stripe: the return URLs, and the webhook event of the payment. The event is not sent
 * yet.
 */
export interface Visit {
  readonly success_url: string
  readonly cancel_url: string
  /** The webhook event of the payment; null if the buyer does not pay. */
  readonly event: SignedEvent | null
}

/** The action of a buyer on a page of Stripe. */
export interface Wish {
  readonly url: string
  readonly pays: boolean
  /** The outcome of later charges of the saved card, if the card is saved. */
  readonly card?: CardBehaviour
}

/**
 * Starts a server that acts as a buyer of the scripted Stripe. Tests in other processes tell the server what to buy.
 */
export async function serveBuyer(stripe: ScriptedStripe) {
  const server = createServer(async (request, response) => {
    response.end(JSON.stringify(visit(stripe, (await json(request)) as Wish)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

function visit(stripe: ScriptedStripe, { url, pays, card: behaviour = 'good' }: Wish): Visit {
  const id = url.split('/').at(-1) ?? ''
  const payment_id = stripe.sessions.get(id)?.metadata.payment_id
  const opened = stripe.calls.find(
    ({ path, fields }) =>
      path === '/v1/checkout/sessions' && fields.get('metadata[payment_id]') === payment_id,
  )
  return {
    success_url: opened?.fields.get('success_url') ?? '',
    cancel_url: opened?.fields.get('cancel_url') ?? '',
    event: pays ? stripe.event('payment_intent.succeeded', stripe.pay(url, { behaviour })) : null,
  }
}
