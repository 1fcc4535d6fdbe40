import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { ScriptedStripe, STRIPE } from './stripe.ts'

export interface StripeServer {
  readonly stripe: ScriptedStripe
  /** The URL of the simulated Stripe, for the variable `STRIPE_API_URL` of the Worker. */
  readonly url: string
  close(): void
}

/** Starts a simulated Stripe on a free local port, for a Worker in another process. */
export async function serveStripe(): Promise<StripeServer> {
  const stripe = new ScriptedStripe()
  const server = createServer({ keepAliveTimeout: 0 }, async (request, response) => {
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)])
    const method = request.method ?? 'GET'
    const body = method === 'POST' ? { body: await text(request) } : {}
    const init = { method, headers: Object.fromEntries(headers), ...body }
    const answer = await stripe.fetch(STRIPE + request.url, init)
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return { stripe, url: `http://127.0.0.1:${address.port}`, close: () => server.close() }
}
