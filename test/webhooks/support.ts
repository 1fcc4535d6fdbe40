import { env } from 'cloudflare:workers'
import type { Bindings } from '../../src/bindings.ts'
import { deliverBatch } from '../../src/webhooks/delivery/deliver.ts'
import { handOn } from '../../src/webhooks/queue/fan-out.ts'
import { sweepDeliveries } from '../../src/webhooks/queue/sweep.ts'
import { type Delivery, findDelivery } from '../../src/webhooks/records/deliveries.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import type { Json } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

/** A webhook message that a simulated receiver has received. */
export interface Received {
  readonly url: string
  readonly headers: Headers
  readonly body: string
  readonly at_ms: number
}

/** A function that returns a simulated receiver's response to message number `n`, counted from 0. */
export type Script = (n: number, received: Received, signal: AbortSignal) => Response | Promise<Response>

/** A script for a receiver that never responds. */
export const hang: Script = (_n, _received, signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))

/** A script for a receiver whose connection fails, for example because of a wrong certificate. */
export const refuse: Script = () => Promise.reject(new TypeError('TLS handshake failed'))

export const status = (code: number, headers: Record<string, string> = {}): Script => {
  return () => new Response(null, { status: code, headers })
}

/**
 * A simulation of webhook deliveries: a queue and a clock that the test controls, receivers by host, and a DNS resolver
 * that resolves every name.
 */
export class Simulation {
  now_ms: number
  readonly received: Received[] = []
  /** The highest number of concurrent attempts that has occurred, by host. */
  readonly most_at_once = new Map<string, number>()
  env: Bindings
  /** The time limit of an attempt, in ms. */
  timeout_ms = 60
  /** The number of fetch calls so far, for attempts and for DNS queries. */
  fetches = 0
  resolver: (url: string) => Response = dnsAnswer
  private waiting: { body: unknown; at_ms: number; attempts: number }[] = []
  private readonly scripts = new Map<string, Script>()
  private readonly counts = new Map<string, number>()
  private readonly running = new Map<string, number>()
  private deferred: Promise<void>[] = []

  constructor(bindings: Partial<Bindings> = {}, now_ms = Date.now()) {
    this.now_ms = now_ms
    const WEBHOOKS: Queue = Object.create(env.WEBHOOKS, {
      send: {
        value: async (body: unknown, { delaySeconds = 0 } = {}) => this.put(body, delaySeconds),
      },
      sendBatch: {
        value: async (messages: readonly { readonly body: unknown }[]) => {
          for (const { body } of messages) this.put(body, 0)
        },
      },
    })
    this.env = { ...env, WEBHOOKS, ...bindings }
  }

  receiver(host: string, script: Script): void {
    this.scripts.set(host, script)
  }

  put(body: unknown, delay_s: number): void {
    const copy: unknown = JSON.parse(JSON.stringify(body))
    this.waiting.push({ body: copy, at_ms: this.now_ms + delay_s * 1_000, attempts: 0 })
  }

  get queued(): number {
    return this.waiting.length
  }

  /** Deletes the messages in the queue, as if the queue had lost them. */
  loseQueue(): void {
    this.waiting = []
  }

  receivedBy(host: string): Received[] {
    return this.received.filter(({ url }) => new URL(url).host === host)
  }

  /**
   * Delivers one batch of due messages, and returns their number. With `settle`, also waits for work that continues
   * after the batch.
   */
  async deliver({ settle = true } = {}): Promise<number> {
    const due = this.waiting.filter(({ at_ms }) => at_ms <= this.now_ms).slice(0, 10)
    this.waiting = this.waiting.filter((one) => !due.includes(one))
    const messages = due.map((one) => {
      const attempts = one.attempts + 1
      const retry = ({ delaySeconds = 0 } = {}) => {
        this.waiting.push({ body: one.body, at_ms: this.now_ms + delaySeconds * 1_000, attempts })
      }
      let settled = false
      const once = (act: () => void) => () => {
        if (!settled) act()
        settled = true
      }
      return {
        id: crypto.randomUUID(),
        timestamp: new Date(this.now_ms),
        body: one.body,
        attempts,
        ack: once(() => undefined),
        retry: (options?: QueueRetryOptions) => once(() => retry(options))(),
      }
    })
    const batch: MessageBatch = {
      queue: 'webhooks',
      messages,
      metadata: { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: new Date() } },
      ackAll: () => undefined,
      retryAll: () => undefined,
    }
    await deliverBatch(batch, this.env, {
      fetcher: (url, init) => this.fetch(url, init),
      now: () => this.now_ms,
      timeout_ms: this.timeout_ms,
      patience_ms: 20,
      defer: (work) => this.deferred.push(work),
    })
    if (settle) await this.settle()
    return due.length
  }

  /** Waits for attempts that continue after a run of the consumer. */
  async settle(): Promise<void> {
    while (this.deferred.length > 0) await this.deferred.pop()
  }

  /** Delivers batches until no message is due now. */
  async drain(): Promise<void> {
    while ((await this.deliver()) > 0);
  }

  /**
   * Advances the clock and delivers messages, until no delivery is pending in the queue or in D1, or until `end_ms`.
   * Runs the sweep in each minute that has work.
   */
  async runUntil(end_ms: number): Promise<void> {
    for (;;) {
      await this.drain()
      const next_message = Math.min(...this.waiting.map(({ at_ms }) => at_ms))
      const due = await env.DB.prepare(
        "SELECT min(due_at_ms) AS due FROM webhook_deliveries WHERE status = 'pending'",
      ).first<number>('due')
      const next_sweep = due === null ? Infinity : minuteAfter(Math.max(due + 30_000, this.now_ms))
      const next = Math.min(next_message, next_sweep)
      if (next > end_ms) return
      this.now_ms = next
      if (next === next_sweep) await this.sweep()
    }
  }

  async sweep(): Promise<void> {
    await sweepDeliveries({ env: this.env, now_ms: this.now_ms, after: '', reach: () => undefined })
  }

  private async fetch(url: string, init: RequestInit): Promise<Response> {
    const { host } = new URL(url)
    this.fetches++
    if (host === 'cloudflare-dns.com') return this.resolver(url)
    const received = {
      url,
      headers: new Headers(init.headers),
      body: String(init.body),
      at_ms: this.now_ms,
    }
    this.received.push(received)
    const script = this.scripts.get(host)
    if (!script) throw new Error(`no receiver ${host}`)
    const n = this.counts.get(host) ?? 0
    this.counts.set(host, n + 1)
    const at_once = (this.running.get(host) ?? 0) + 1
    this.running.set(host, at_once)
    this.most_at_once.set(host, Math.max(at_once, this.most_at_once.get(host) ?? 0))
    try {
      return await script(n, received, init.signal ?? new AbortController().signal)
    } finally {
      this.running.set(host, (this.running.get(host) ?? 1) - 1)
    }
  }
}

const MINUTE_MS = 60_000
const minuteAfter = (at_ms: number) => Math.ceil(at_ms / MINUTE_MS) * MINUTE_MS

/**
 * Returns the response to a DNS query. Names that start with `private` have an address in a private network, and all
 * other names have a public address.
 */
export function dnsAnswer(url: string): Response {
  const { searchParams } = new URL(url)
  const data = searchParams.get('name')?.startsWith('private') ? '10.0.0.7' : '93.184.216.34'
  const Answer = searchParams.get('type') === 'A' ? [{ type: 1, data }] : []
  return Response.json({ Status: 0, Answer })
}

export interface Owner {
  readonly api_key: string
  readonly customer_id: string
}

/** Creates a customer with a webhook endpoint for each of these hosts. */
export async function ownerWith(
  hosts: readonly string[],
  types: readonly string[] = ['*'],
): Promise<{ readonly owner: Owner; readonly endpoints: readonly Json[] }> {
  const owner = await createCustomer()
  const endpoints: Json[] = []
  for (const host of hosts)
    endpoints.push(await createEndpoint(owner, { url: `https://${host}/hook`, types }))
  return { owner, endpoints }
}

export async function createEndpoint({ api_key }: Owner, body: object): Promise<Json> {
  const response = await api('/v1/webhook-endpoints', { key: api_key, body })
  const answer = await jsonOf(response)
  if (response.status !== 201) throw new Error(JSON.stringify(answer))
  return answer
}

export const idOf = (answer: Json) => textField(answer, 'id')

// The creation of a ledger's first endpoint adds the ledger's row to `ledgers`. Therefore, an UPDATE is sufficient.
const LAST = 'UPDATE ledgers SET last_notification = ?2 WHERE ledger_id = ?1'
// The clock of a simulation can be earlier than the creation of an endpoint, so the time of creation is moved back.
const OLD = 'UPDATE webhook_endpoints SET created_at_ms = min(created_at_ms, ?2) WHERE owner = ?1'
const INSERT = `INSERT INTO notifications (ledger_id, sequence, type, at_ms, data) VALUES (?1, ?2, ?3, ?4, ?5)`

/** Writes notifications of a ledger to D1 and queues their deliveries, as a flush does. */
export async function notifies(
  simulation: Simulation,
  ledger_id: string,
  types: readonly string[],
): Promise<void> {
  const last =
    (await env.DB.prepare('SELECT last_notification AS last FROM ledgers WHERE ledger_id = ?')
      .bind(ledger_id)
      .first<number>('last')) ?? 0
  await env.DB.batch([
    ...types.map((type, i) =>
      env.DB.prepare(INSERT).bind(ledger_id, last + i + 1, type, simulation.now_ms, '{"amount":1}'),
    ),
    env.DB.prepare(LAST).bind(ledger_id, last + types.length),
    env.DB.prepare(OLD).bind(ledger_id, simulation.now_ms),
  ])
  const handed = await handOn(simulation.env, [ledger_id], 100)
  if (handed.get(ledger_id) !== 'whole') throw new Error('the notifications were not handed on')
}

/** Returns all deliveries of a ledger, in the order of their notifications. */
export async function logOf(ledger_id: string): Promise<Delivery[]> {
  const { results } = await env.DB.prepare(
    'SELECT delivery_id FROM webhook_deliveries WHERE owner = ? ORDER BY sequence, delivery_id',
  )
    .bind(ledger_id)
    .all<{ readonly delivery_id: string }>()
  const found = await Promise.all(results.map(({ delivery_id }) => findDelivery(env, ledger_id, delivery_id)))
  return found.flatMap((one) => one ?? [])
}
