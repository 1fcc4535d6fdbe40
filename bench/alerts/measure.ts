import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { post } from '../post.ts'

/**
 * The settings of a measurement of alert latency: the time from the commit of a burn that triggers an alert until a
 * receiver gets the alert. The time includes the delays of the flush, the queues and the delivery.
 */
export interface MeasureOptions {
  readonly url: string
  readonly operator_token: string
  readonly ledgers: number
  /** The number of alerts that are measured for each ledger. */
  readonly crossings: number
  /** The longest pause between an alert and the next burn. */
  readonly pause_ms: number
}

export interface Measured {
  /** The time of each alert, in ms, from its commit (`timestamp` of the message) until its arrival. */
  readonly latencies: readonly number[]
  /** The number of deliveries of messages that had already arrived. */
  readonly repeated: number
}

/** The maximum latency of an alert. The measurement fails if an alert takes longer. */
const PATIENCE_MS = 60_000
/**
 * The alert fires when the balance is below this threshold. It can fire again after the balance has risen to `REARM`. A
 * new customer has 10,000 credits, and `BURN` costs 15.
 */
const THRESHOLD = 9_990
const REARM = 9_995
const BURN = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1_000,
  output_tokens: 500,
}

export async function measureAlerts(options: MeasureOptions): Promise<Measured> {
  const receiver = await startReceiver()
  try {
    const ledgers = Array.from({ length: options.ledgers }, () => cross(options, receiver))
    const latencies = (await Promise.all(ledgers)).flat()
    return { latencies, repeated: receiver.repeated() }
  } finally {
    receiver.close()
  }
}

/**
 * Triggers the alert of a new customer repeatedly, and returns the latencies. The first alert is not counted, because
 * the flush uses its normal delay until it has found the endpoint.
 */
async function cross(options: MeasureOptions, receiver: Receiver): Promise<number[]> {
  const { url, operator_token, crossings, pause_ms } = options
  const email = `${randomUUID()}@alerts.example`
  const customer = { name: 'alerts', email, tier: 'ENTERPRISE' }
  const { api_key, customer_id } = await post(`${url}/v1/customers/register`, operator_token, customer)
  const key = String(api_key)
  await post(`${url}/v1/webhook-endpoints`, key, { url: receiver.url, types: ['credits.low'] })
  const rules = { type: 'balance_below', threshold: { credits: THRESHOLD }, rearm_at: REARM }
  await post(`${url}/v1/alerts`, key, rules)
  const latencies: number[] = []
  for (let i = 0; i <= crossings; i++) {
    const [latency] = await Promise.all([
      receiver.next(String(customer_id)),
      post(`${url}/v1/events/ingest`, key, BURN),
    ])
    if (i > 0) latencies.push(latency)
    await post(`${url}/v1/credits/grant`, key, { amount: 15 })
    await new Promise((resolve) => setTimeout(resolve, Math.random() * pause_ms))
  }
  return latencies
}

interface Receiver {
  readonly url: string
  /** Resolves with the latency of the customer's next alert, in ms. */
  readonly next: (customer_id: string) => Promise<number>
  readonly repeated: () => number
  readonly close: () => void
}

async function startReceiver(): Promise<Receiver> {
  const waiting = new Map<string, (latency: number) => void>()
  const seen = new Set<string>()
  let repeated = 0
  const server = createServer((request, response) => {
    const arrived_ms = Date.now()
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      response.end()
      const { id, customer_id, timestamp } = JSON.parse(Buffer.concat(parts).toString())
      if (seen.has(id)) {
        repeated++
        return
      }
      seen.add(id)
      waiting.get(customer_id)?.(arrived_ms - Date.parse(timestamp))
      waiting.delete(customer_id)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the receiver has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    next: (customer_id) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`no alert of ${customer_id} arrived within ${PATIENCE_MS} ms`)),
          PATIENCE_MS,
        )
        waiting.set(customer_id, (latency) => {
          clearTimeout(timer)
          resolve(latency)
        })
      }),
    repeated: () => repeated,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
