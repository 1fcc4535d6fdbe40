import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { verifyExport } from '../../verify/verify.js'

/** A request that changes the ledger. `answer` is null while the outcome is unknown. */
export interface Sent {
  readonly route: string
  readonly body: object
  readonly key: string
  /** The numbers of the request's events, which are in their metadata; empty for a request without events. */
  readonly numbers: readonly number[]
  /** The number of the event that the request voids. */
  readonly voids?: number
  answer: string | null
}

interface Listed {
  readonly id: string
  readonly feature_id: string
  readonly credits_burned: number
  readonly metadata: { readonly n?: number }
}

interface Transaction {
  readonly id: string
  readonly wallet_id: string
  readonly amount: number
  readonly balance_before: number
  readonly balance_after: number
}

interface ExportLine {
  readonly entry?: { readonly e?: { readonly rr?: unknown } }
  /** The personal data of the entry. `mt` is the metadata as JSON text. */
  readonly personal?: { readonly mt?: string }
}

const OPERATOR_TOKEN = 'dev-operator-token'
const GRANTED = 1_000_000
const ANALYTICS_WITHIN_MS = 60_000

/** A client that records its requests and their responses across crashes of the server. */
export class Client {
  readonly sent: Sent[] = []
  private readonly url: string
  private readonly key: string
  private readonly customer_id: string
  private running = false
  private next = 0
  /** The ids of acknowledged holds that no request has ended yet. */
  private readonly openHolds: string[] = []
  private readonly voidable: { readonly id: string; readonly n: number }[] = []
  /**
   * The number of events that were sent for users who can be erased. An erasure removes the metadata with the event's
   * number, so these events are only counted.
   */
  private ghosts = 0
  private ghostsFound: Listed[] = []
  private table_id = ''
  /** The hashes of the stored checkpoints, by the number of the last entry that they cover. */
  private readonly checkpoints = new Map<number, string>()

  private constructor(url: string, key: string, customer_id: string) {
    this.url = url
    this.key = key
    this.customer_id = customer_id
  }

  static async register(url: string): Promise<Client> {
    const response = await fetch(`${url}/v1/customers/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${OPERATOR_TOKEN}` },
      body: JSON.stringify({ name: 'Crashes', email: `${randomUUID()}@example.com`, tier: 'ENTERPRISE' }),
    })
    const answer: { readonly api_key: string; readonly customer_id: string } = await response.json()
    const client = new Client(url, answer.api_key, answer.customer_id)
    for (const body of [{ amount: GRANTED }, { amount: GRANTED, user_id: 'user 1' }]) {
      expect((await client.call('POST', '/v1/credits/grant', body)).status).toBe(201)
    }
    const table = { name: 'table', rules: [client.rule(1)] }
    const created = await client.call('POST', '/v1/burn-tables', table)
    expect(created.status, created.text).toBe(201)
    client.table_id = JSON.parse(created.text).id
    return client
  }

  /** Sends requests from concurrent callers until the server no longer responds. */
  async load(callers: number): Promise<void> {
    this.running = true
    await Promise.all(Array.from({ length: callers }, () => this.callUntilItFails()))
  }

  private async callUntilItFails(): Promise<void> {
    while (this.running) {
      try {
        if (Math.random() < 0.05) await this.changeSomethingUnkeyed()
        const sent = this.nextRequest()
        this.sent.push(sent)
        sent.answer = await this.send(sent)
        this.remember(sent, sent.answer)
      } catch {
        this.running = false
      }
    }
  }

  /** Stores the id of a new hold or event, so that a later request can end the hold or void the event. */
  private remember({ route, numbers: [n] }: Sent, answer: string): void {
    if (route === '/v1/holds') this.openHolds.push(JSON.parse(answer).hold_id)
    if (route !== '/v1/events/ingest') return
    const { id } = JSON.parse(answer)
    if (typeof id === 'string' && n !== undefined) this.voidable.push({ id, n })
  }

  /**
   * Erases a random user, or changes the price of a feature. These requests have no idempotency key, and they neither
   * add nor void events.
   */
  private async changeSomethingUnkeyed(): Promise<void> {
    if (Math.random() < 0.5) {
      await this.call('DELETE', `/v1/users/${encodeURIComponent(`ghost ${Math.floor(Math.random() * 4)}`)}`)
    } else {
      const rules = [this.rule(1 + Math.floor(Math.random() * 5))]
      await this.call('PATCH', `/v1/burn-tables/${this.table_id}`, { rules })
    }
  }

  private rule(amount: number): object {
    return { match: { feature: 'feature 2' }, method: 'flat', amount }
  }

  /** Returns a random request with an idempotency key, so that a repeat shows its outcome. */
  private nextRequest(): Sent {
    const request = (route: string, body: object, more: Partial<Sent> = {}): Sent => ({
      route,
      body,
      key: randomUUID(),
      numbers: [],
      answer: null,
      ...more,
    })
    switch (Math.floor(Math.random() * 20)) {
      case 0:
        return request('/v1/credits/grant', { amount: 0.5 })
      case 1:
        return request('/v1/credits/transfer', { from: {}, to: { user_id: 'user 1' }, amount: 0.25 })
      case 2:
        return request('/v1/holds', { feature_id: 'held', credits: 2, user_id: 'user 1' })
      case 3: {
        const hold = this.openHolds.pop()
        if (hold === undefined) break
        if (Math.random() < 0.3) return request(`/v1/holds/${hold}/release`, {})
        const n = this.next++
        const event = { ...this.event(n), user_id: 'user 1' }
        return request(`/v1/holds/${hold}/capture`, { event, final: true }, { numbers: [n] })
      }
      case 4: {
        const event = this.voidable.splice(Math.floor(Math.random() * this.voidable.length), 1)[0]
        if (event) return request(`/v1/events/${event.id}/void`, {}, { voids: event.n })
        break
      }
      case 5: {
        const user_id = `ghost ${this.ghosts++ % 4}`
        const { metadata: _, ...event } = this.event(0)
        return request('/v1/events/ingest', { ...event, feature_id: 'ghost', user_id })
      }
    }
    return this.events(request)
  }

  private events(request: (route: string, body: object, more: Partial<Sent>) => Sent): Sent {
    const count = Math.random() < 0.6 ? 1 : 1 + Math.floor(Math.random() * 30)
    const numbers = Array.from({ length: count }, () => this.next++)
    const events = numbers.map((n) => this.event(n))
    return request('/v1/events/ingest', count === 1 ? Object(events[0]) : { events }, { numbers })
  }

  private event(n: number): { readonly metadata: object; readonly [field: string]: unknown } {
    return {
      event_type: 'TOKEN_USAGE',
      feature_id: `feature ${n % 3}`,
      provider: 'OPENAI',
      model: 'gpt-4o',
      input_tokens: 1 + (n % 97),
      output_tokens: n % 13,
      metadata: { n },
      ...(n % 4 === 0 && { user_id: `user ${n % 8}` }),
      ...(n % 5 === 0 && { user_id: 'user 1' }),
    }
  }

  /** Sends a request with its idempotency key, and returns the response body. Throws if no response arrives. */
  async send({ route, body, key }: Sent): Promise<string> {
    const { status, text } = await this.call('POST', route, body, key)
    if (status >= 300) throw new Error(`${route} returned ${status}: ${text}`)
    return text
  }

  /** Sends a request again with its idempotency key, and returns the response. */
  async repeat(sent: Sent): Promise<string> {
    sent.answer ??= await this.send(sent)
    return this.send(sent)
  }

  /**
   * Reads all events from the API, and returns them by the number in their metadata. Stores the events
   * of users who can be erased in a separate list.
   */
  async eventsByNumber(): Promise<Map<number, Listed[]>> {
    const found = new Map<number, Listed[]>()
    this.ghostsFound = []
    for await (const event of this.list<Listed>('/v1/events?limit=100')) {
      if (event.feature_id === 'ghost') {
        this.ghostsFound.push(event)
        continue
      }
      const { n } = event.metadata
      if (n === undefined) throw new Error(`an event that was never sent: ${JSON.stringify(event)}`)
      found.set(n, [...(found.get(n) ?? []), event])
    }
    return found
  }

  /**
   * Checks that each transaction starts with the balance after the previous transaction, and that the balance of each
   * wallet is the sum of its transactions.
   */
  async assertBooks(): Promise<void> {
    const byWallet = new Map<string, Transaction[]>()
    const ids = new Set<string>()
    for await (const entry of this.list<Transaction>('/v1/credits/transactions?limit=100')) {
      expect(ids.has(entry.id), `${entry.id} is listed twice`).toBe(false)
      ids.add(entry.id)
      byWallet.set(entry.wallet_id, [...(byWallet.get(entry.wallet_id) ?? []), entry])
    }
    for (const owner of ['', '?user_id=user%201']) {
      const { text } = await this.call('GET', `/v1/credits/balance${owner}`)
      const { balance, wallet_id }: { readonly balance: number; readonly wallet_id: string } =
        JSON.parse(text)
      let after = micro(balance)
      for (const { id, amount, balance_before, balance_after } of byWallet.get(wallet_id) ?? []) {
        expect([micro(balance_after), micro(balance_before) + micro(amount)], id).toEqual([after, after])
        after = micro(balance_before)
      }
      // The list has the newest transactions first, so `after` now has the balance before the wallet's first
      // transaction.
      expect(after).toBe(0)
      byWallet.delete(wallet_id)
    }
    expect([...byWallet.keys()]).toEqual([])
  }

  /**
   * Waits until analytics have processed all events, and checks that they count each event and its credits once and
   * omit voided events.
   */
  async assertAnalytics(found: ReadonlyMap<number, readonly Listed[]>): Promise<void> {
    const voided = new Set(this.sent.flatMap(({ voids }) => voids ?? []))
    const kept = [...found].flatMap(([n, events]) => (voided.has(n) ? [] : events)).concat(this.ghostsFound)
    const credits = kept.reduce((sum, event) => sum + micro(event.credits_burned), 0)
    expect(this.ghostsFound).toHaveLength(this.ghosts)
    const deadline = Date.now() + ANALYTICS_WITHIN_MS
    const asked_at = new Date().toISOString()
    for (;;) {
      const { status, text } = await this.call('GET', '/v1/analytics/usage')
      expect(status, text).toBe(200)
      const answer: {
        readonly as_of: string
        readonly totals: { readonly events: number; readonly credits: number }
      } = JSON.parse(text)
      if (answer.as_of >= asked_at) {
        expect({ events: answer.totals.events, credits: micro(answer.totals.credits) }).toEqual({
          events: kept.length,
          credits,
        })
        return
      }
      if (Date.now() > deadline) throw new Error(`analytics have come to ${answer.as_of} only`)
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }

  /** Stores the current checkpoint, with which later exports must agree. */
  async keepCheckpoint(): Promise<void> {
    const { status, text } = await this.call('GET', '/v1/ledger/checkpoint')
    expect(status, text).toBe(200)
    const { entry_number, hash }: { readonly entry_number: number; readonly hash: string } = JSON.parse(text)
    this.checkpoints.set(entry_number, hash)
  }

  /** Checks that the exported ledger is valid, agrees with the stored checkpoints, and contains each event once. */
  async assertProved(found: ReadonlyMap<number, readonly Listed[]>): Promise<void> {
    const response = await fetch(`${this.url}/.well-known/openmonetize-keys.json`)
    const { keys }: { readonly keys: { readonly kid: string; readonly x: string }[] } = await response.json()
    const parts: string[] = []
    for (let from: number | null = 1; from !== null; ) {
      const { status, text } = await this.call('GET', `/v1/ledger/export?from=${from}`)
      expect(status, text.slice(0, 200)).toBe(200)
      parts.push(text)
      const end: { readonly next: number | null } = JSON.parse(text.trimEnd().split('\n').at(-1) ?? '').end
      from = end.next
    }
    const export_ = parts.join('')
    const result = await verifyExport([new TextEncoder().encode(export_)], keys)
    if (!result.ok) throw new Error(JSON.stringify(result))
    for (const [entry, hash] of this.checkpoints)
      expect(result.hashes.get(entry), `entry ${entry}`).toBe(hash)
    const proved: number[] = []
    for (const line of export_.split('\n')) {
      const { entry, personal }: ExportLine = line === '' ? {} : JSON.parse(line)
      if (entry?.e && !entry.e.rr && personal?.mt) proved.push(JSON.parse(personal.mt).n)
    }
    expect(proved.toSorted((a, b) => a - b)).toEqual([...found.keys()].toSorted((a, b) => a - b))
  }

  /** Checks that the ledger object, the pages in D1 and the rollups have the same sums. */
  async assertReconciled(): Promise<void> {
    const response = await fetch(`${this.url}/v1/admin/reconcile`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${OPERATOR_TOKEN}` },
      body: JSON.stringify({ customer_id: this.customer_id, full: true }),
    })
    const answer: { readonly ledgers: readonly unknown[] } = await response.json()
    expect(answer.ledgers).toMatchObject([{ status: 'OK', differences: [] }])
  }

  private async *list<T>(route: string): AsyncGenerator<T> {
    let cursor: string | null = null
    do {
      const from: string = cursor === null ? '' : `&cursor=${cursor}`
      const { status, text } = await this.call('GET', `${route}${from}`)
      expect(status, text).toBe(200)
      const page: { readonly data: readonly T[]; readonly next_cursor: string | null } = JSON.parse(text)
      yield* page.data
      cursor = page.next_cursor
    } while (cursor !== null)
  }

  private async call(
    method: string,
    route: string,
    body?: object,
    key?: string,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`${this.url}${route}`, {
      method,
      headers: {
        Authorization: `Bearer ${this.key}`,
        ...(body && { 'Content-Type': 'application/json' }),
        ...(key !== undefined && { 'Idempotency-Key': key }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    })
    return { status: response.status, text: await response.text() }
  }
}

/** Converts credits with at most six decimal places to micro-credits. */
function micro(amount: number): number {
  return Math.round(amount * 1e6)
}
