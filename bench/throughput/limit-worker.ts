import { DurableObject } from 'cloudflare:workers'

interface Env {
  readonly LIMIT: DurableObjectNamespace<LimitLedger>
}

interface LimitEvent {
  readonly input_tokens: number
  readonly output_tokens: number
  readonly idempotency_key?: string
}

const MAX_KEYS = 500_000

/**
 * A minimal ledger, whose throughput is the upper bound for a service that commits durably. It checks idempotency keys,
 * charges a flat price and appends one packed row. It has no request validation, price list, lots, limits, replays or
 * projection.
 */
export class LimitLedger extends DurableObject<Env> {
  private readonly keys = new Set<string>()
  private balance = 8e15
  private entry = 0

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    ctx.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS journal (row INTEGER PRIMARY KEY, entries TEXT NOT NULL)',
    )
  }

  ingest(message: string, batch_key: string | null): string {
    const events: LimitEvent[] = JSON.parse(message)
    if (batch_key !== null) this.remember(batch_key)
    const results = events.map(({ input_tokens, output_tokens, idempotency_key }, index) => {
      const duplicate = idempotency_key !== undefined && !this.remember(idempotency_key)
      const credits = duplicate ? 0 : input_tokens * 5000 + output_tokens * 20_000
      this.balance -= credits
      const id = `evt_${++this.entry}`
      return { index, id, key: idempotency_key, duplicate, credits, balance_after: this.balance }
    })
    this.append(results)
    return JSON.stringify({ results })
  }

  read(): string {
    return JSON.stringify({ balance: this.balance, entry: this.entry })
  }

  hold(): string {
    this.append({ hold: ++this.entry })
    return JSON.stringify({ hold_id: `hold_${this.entry}` })
  }

  private append(entries: unknown): void {
    this.ctx.storage.sql.exec('INSERT INTO journal (entries) VALUES (?)', JSON.stringify(entries))
  }

  /**
   * Records a key, and returns false if the key is known. Forgets all keys when the limit is reached, which is safe
   * because a run never repeats a key.
   */
  private remember(key: string): boolean {
    if (this.keys.has(key)) return false
    if (this.keys.size >= MAX_KEYS) this.keys.clear()
    this.keys.add(key)
    return true
  }
}

/**
 * Serves the routes of the scenarios. Each request with events and each request for a hold makes one commit. Reads call
 * the object without a commit. Calculations return a constant response.
 */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url)
    const key = request.headers.get('Authorization') ?? ''
    if (!key.startsWith('Bearer limit-')) return new Response('unknown key', { status: 401 })
    if (url.pathname === '/v1/rating/calculate') return json('{"hello":"world"}')
    const ledger = env.LIMIT.get(env.LIMIT.idFromName(key))
    if (url.pathname === '/v1/events/ingest') {
      const body: LimitEvent | { readonly events: readonly LimitEvent[] } = await request.json()
      const events = 'events' in body ? body.events : [body]
      return json(await ledger.ingest(JSON.stringify(events), request.headers.get('Idempotency-Key')))
    }
    return json(await (url.pathname.startsWith('/v1/holds') ? ledger.hold() : ledger.read()))
  },
} satisfies ExportedHandler<Env>

function json(text: string): Response {
  return new Response(text, { headers: { 'Content-Type': 'application/json' } })
}
