import { DurableObject } from 'cloudflare:workers'

interface Env {
  readonly NAIVE: DurableObjectNamespace<NaiveLedger>
  readonly UPSTREAM: string
}

/**
 * A balance that a hold lowers and a settlement corrects. It has no lots, limits, idempotency keys, prices or journal.
 */
export class NaiveLedger extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS wallet (id INTEGER PRIMARY KEY, balance INTEGER)')
    ctx.storage.sql.exec('INSERT OR IGNORE INTO wallet VALUES (1, 1000000000000)')
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS burns (id INTEGER PRIMARY KEY, amount INTEGER)')
  }

  async hold(amount: number): Promise<boolean> {
    const { sql } = this.ctx.storage
    return sql.exec('UPDATE wallet SET balance = balance - ?1 WHERE balance >= ?1', amount).rowsWritten > 0
  }

  async settle(held: number, amount: number): Promise<void> {
    const { sql } = this.ctx.storage
    sql.exec('UPDATE wallet SET balance = balance + ?', held - amount)
    sql.exec('INSERT INTO burns (amount) VALUES (?)', amount)
  }
}

const HELD = 1_000

export default {
  async fetch(request, env): Promise<Response> {
    const { pathname } = new URL(request.url)
    const naive = pathname.startsWith('/naive/')
    const target = env.UPSTREAM + pathname.replace(/^\/(?:naive|null)/, '')
    const body = await request.text()
    if (!naive) return relay(target, body)
    const ledger = env.NAIVE.get(env.NAIVE.idFromName('bench'))
    if (!(await ledger.hold(HELD))) return new Response(null, { status: 402 })
    const answer = await relay(target, body)
    const text = await answer.text()
    const { usage }: { readonly usage: { readonly total_tokens: number } } = JSON.parse(text)
    await ledger.settle(HELD, usage.total_tokens)
    return new Response(text, answer)
  },
} satisfies ExportedHandler<Env>

function relay(target: string, body: string): Promise<Response> {
  return fetch(target, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
}
