import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { runCron } from '../../src/cron.ts'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest as ingestInto } from '../../src/ledger/client/client.ts'
import { forgetFlushFailures } from '../../src/ledger/flush/flush-failures.ts'
import { countOutcome, forgetOutcomes, hourOf, writeOutcomes } from '../../src/logging/outcomes.ts'
import { api } from '../support/api.ts'
import { expectRefused, GPT_4O, ingest, ingested, type Json, read } from '../support/client.ts'
import { listenToConsole } from '../support/console.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { brokenD1, d1Double } from '../support/d1.ts'
import { deployed } from '../support/deployment.ts'
import { freshLedger, runAlarm, withD1 } from '../support/ledgers.ts'
import { batch, eventItem } from '../support/messages.ts'

const HOUR_MS = 3_600_000
const output = listenToConsole()

const stats = () => read(OPERATOR_TOKEN, '/v1/admin/stats')
const part = (of: Json, name: string): Json => {
  const value = of[name]
  if (typeof value !== 'object' || value === null) throw new Error(`no ${name} in ${JSON.stringify(of)}`)
  return { ...value }
}
const numbers = (of: Json): Record<string, number> =>
  Object.fromEntries(
    Object.entries(of).flatMap(([name, value]) => (typeof value === 'number' ? [[name, value]] : [])),
  )

describe('GET /v1/admin/stats', () => {
  it("is the operator's", async () => {
    const { api_key } = await createCustomer()
    await expectRefused(await api('/v1/admin/stats'), 401, 'missing_api_key')
    await expectRefused(await api('/v1/admin/stats', { key: api_key }), 403, 'insufficient_scope')
  })

  it('counts customers by status and tier', async () => {
    const before = part(await stats(), 'customers')
    await createCustomer({ tier: 'GROWTH' })
    await createCustomer({ tier: 'GROWTH' })
    const { customer_id } = await createCustomer({ tier: 'STARTER' })
    await env.DB.prepare("UPDATE customers SET status = 'SUSPENDED' WHERE customer_id = ?")
      .bind(customer_id)
      .run()
    const after = part(await stats(), 'customers')
    expect(after.complete).toBe(true)
    expect(Number(after.total) - Number(before.total)).toBe(3)
    const more = (name: string, of: string) =>
      (numbers(part(after, name))[of] ?? 0) - (numbers(part(before, name))[of] ?? 0)
    expect([more('by_tier', 'GROWTH'), more('by_tier', 'STARTER'), more('by_tier', 'ENTERPRISE')]).toEqual([
      2, 1, 0,
    ])
    expect([more('by_status', 'ACTIVE'), more('by_status', 'SUSPENDED')]).toEqual([2, 1])
  })

  it('reports that it cannot be read while D1 is down', async () => {
    const response = await deployed({ DB: brokenD1() }, '/v1/admin/stats', { key: OPERATOR_TOKEN })
    expect(response.headers.get('Retry-After')).toBe('5')
    await expectRefused(response, 503, 'unavailable')
  })

  it('reads customers, dead letters and outcomes through indexes alone', async () => {
    for (const [sql, index] of [
      ['SELECT status, tier FROM customers', 'customers_status_tier'],
      ["SELECT 1 FROM dead_letters WHERE state = 'open'", 'dead_letters_state'],
      ["SELECT 1 FROM reconciliations WHERE status = 'DIFFERENT'", 'reconciliations_different'],
      ['SELECT * FROM outcome_counts WHERE hour_ms >= 1 ORDER BY hour_ms, outcome', 'PRIMARY KEY'],
    ]) {
      const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`).all<{ detail: string }>()
      expect(results.map(({ detail }) => detail).join()).toContain(index)
    }
  })
})

describe('ledgers that are behind', () => {
  it('are counted from their second failed flush on, until one succeeds', async () => {
    const before = part(await stats(), 'flush')
    const ledger = await freshLedger(1_000_000)
    await ingestInto(env, ledger.name, batch([eventItem(1)]))
    // This D1 refuses batches, such as the batch that writes the ledger's pages, and runs all other statements.
    const refusesPages = d1Double({
      batch: () => Promise.reject(new Error('D1_ERROR: no such table: ledger_pages')),
    })
    await withD1(ledger, refusesPages, async () => {
      await runAlarm(ledger)
      expect(part(await stats(), 'flush').ledgers_behind).toBe(before.ledgers_behind)
      await runAlarm(ledger)
      await runAlarm(ledger)
    })
    const behind = part(await stats(), 'flush')
    expect(behind.ledgers_behind).toBe(Number(before.ledgers_behind) + 1)
    expect(behind.oldest_at).toEqual(expect.any(String))
    const failed = output.records().filter(({ event }) => event === 'ledger_alarm_failed')
    expect(failed.at(-1)).toMatchObject({ work: 'flush', failures: 3, unflushed_seconds: expect.any(Number) })

    await runAlarm(ledger)
    expect(part(await stats(), 'flush')).toMatchObject(before)
    expect(await failureReported(ledgerKey(ledger.name))).toEqual([])
  })

  it('exclude a ledger that only lost a response from D1, although it writes nothing once D1 is back', async () => {
    const ledger = await freshLedger(1_000_000)
    await ingestInto(env, ledger.name, batch([eventItem(1)]))
    const losesAnswers = d1Double({
      batch: async (statements: D1PreparedStatement[]) => {
        await env.DB.batch(statements)
        throw new Error('D1_ERROR: network connection lost')
      },
    })
    await withD1(ledger, losesAnswers, async () => {
      for (let i = 0; i < 3; i++) await runAlarm(ledger)
    })
    expect(await failureReported(ledgerKey(ledger.name))).toHaveLength(1)
    await runAlarm(ledger)
    expect(await failureReported(ledgerKey(ledger.name))).toEqual([])
  })

  it('are deleted by the cron after a flush, or after a day without another report', async () => {
    const now_ms = Date.now()
    const ledger = await freshLedger(1_000_000)
    await ingestInto(env, ledger.name, batch([eventItem(1)]))
    await runAlarm(ledger)
    const [cured, failing, silent] = [ledgerKey(ledger.name), unique('failing'), unique('silent')]
    const say = (ledger_id: string, failed_at_ms: number) =>
      env.DB.prepare('INSERT INTO flush_failures VALUES (?, 1, 2, ?)').bind(ledger_id, failed_at_ms)
    await env.DB.batch([
      say(cured, now_ms - HOUR_MS),
      say(failing, now_ms - 23 * HOUR_MS),
      say(silent, now_ms - 25 * HOUR_MS),
    ])
    await forgetFlushFailures(env, now_ms)
    expect(await failureReported(cured, failing, silent)).toEqual([failing])
    await env.DB.prepare('DELETE FROM flush_failures WHERE ledger_id = ?').bind(failing).run()
  })

  async function failureReported(...ledger_ids: readonly string[]): Promise<string[]> {
    const { results } = await env.DB.prepare(
      'SELECT ledger_id FROM flush_failures WHERE ledger_id IN (SELECT value FROM json_each(?))',
    )
      .bind(JSON.stringify(ledger_ids))
      .all<{ ledger_id: string }>()
    return results.map(({ ledger_id }) => ledger_id)
  }
})

describe('unfinished work of consumers and checks', () => {
  it('is counted: usage that is not in analytics, dead letters, ledgers that differ', async () => {
    const ledger = await freshLedger(1_000_000)
    await ingestInto(env, ledger.name, batch([eventItem(1)]))
    await runAlarm(ledger)
    const ledger_id = ledgerKey(ledger.name)
    const before = await stats()
    expect(Number(part(before, 'rollups').ledgers_behind)).toBeGreaterThan(0)
    expect(part(before, 'rollups').oldest_at).toEqual(expect.any(String))
    expect(Number(part(before, 'reconcile').unchecked)).toBeGreaterThan(0)

    await env.DB.batch([
      env.DB.prepare(
        "INSERT INTO dead_letters VALUES (?, 'open', 'x', 1, 1, 1, null, 0, '{}'), (?, 'replayed', 'x', 1, 1, 1, 1, 0, '{}')",
      ).bind(unique('dl'), unique('dl')),
      env.DB.prepare("INSERT INTO reconciliations VALUES (?, 'DIFFERENT', ?, 1, 1, '{}', '[]')").bind(
        ledger_id,
        Date.parse('2100-01-01'),
      ),
      env.DB.prepare(
        `INSERT INTO rollup_watermarks SELECT ledger_id, 1, 'active', 1, flushed_entry, 1, '{}', '{}', 1 FROM ledgers
         WHERE ledger_id = ?`,
      ).bind(ledger_id),
    ])
    const after = await stats()
    const more = (name: string, of: string) => Number(part(after, name)[of]) - Number(part(before, name)[of])
    expect(more('dead_letters', 'open')).toBe(1)
    expect(more('reconcile', 'different')).toBe(1)
    expect(more('reconcile', 'unchecked')).toBe(-1)
    expect(part(after, 'reconcile').last_run_at).toBe('2100-01-01T00:00:00.000Z')
    expect(more('rollups', 'ledgers_behind')).toBe(-1)
    await env.DB.prepare('DELETE FROM reconciliations WHERE ledger_id = ?').bind(ledger_id).run()
  })
})

describe('outcomes of requests', () => {
  const outcomes = async () => part(await stats(), 'outcomes')

  it('are counted as they happen, and in D1 within a minute', async () => {
    const { api_key } = await createCustomer({ tier: 'STARTER' })
    await writeOutcomes(env)
    const before = await outcomes()
    await ingested(api_key, { ...GPT_4O, idempotency_key: 'a' })
    await ingested(api_key, { ...GPT_4O, idempotency_key: 'a' })
    await ingest(api_key, { ...GPT_4O, input_tokens: 1e12 })
    await ingest(api_key, { ...GPT_4O, user_id: '' })
    await ingested(api_key, {
      events: [GPT_4O, { ...GPT_4O, input_tokens: 1e12 }, { ...GPT_4O, input_tokens: 1e12 }],
    })
    await api('/v1/credits/balance')
    await deployed(
      {
        LEDGER: Object.create(env.LEDGER, {
          get: {
            value: () => {
              throw new Error('a bug')
            },
          },
        }),
      },
      '/v1/credits/balance',
      { key: api_key },
    )
    await writeOutcomes(env)
    const after = await outcomes()
    const more = (name: string) => {
      const was = numbers(part(before, name))
      const is = numbers(part(after, name))
      return Object.fromEntries(
        Object.entries(is).flatMap(([key, n]) => (n > (was[key] ?? 0) ? [[key, n - (was[key] ?? 0)]] : [])),
      )
    }
    expect(more('by_code')).toEqual({
      insufficient_credits: 1,
      invalid_request: 1,
      missing_api_key: 1,
      internal_error: 1,
    })
    expect(more('rejected_events')).toEqual({ insufficient_credits: 2 })
    expect(more('by_status')).toMatchObject({ '4xx': 3, '402': 1, '5xx': 1 })
    expect(Number(after.replayed) - Number(before.replayed)).toBe(1)
    const status = numbers(part(after, 'by_status'))
    expect(after.requests).toBe((status['2xx'] ?? 0) + (status['4xx'] ?? 0) + (status['5xx'] ?? 0))
  })

  it('count changes and events for the estimate of the cost, without reads, refusals and replays', async () => {
    const { api_key } = await createCustomer()
    await writeOutcomes(env)
    const before = numbers(part(await stats(), 'cost'))
    const headers = { 'Idempotency-Key': 'batch' }
    const body = { events: [GPT_4O, GPT_4O, { ...GPT_4O, input_tokens: -1 }] }
    for (let i = 0; i < 2; i++) await deployed({}, '/v1/events/ingest', { key: api_key, headers, body })
    await deployed({}, '/v1/events/ingest', { key: api_key, body: GPT_4O })
    await deployed({}, '/v1/credits/balance', { key: api_key })
    await deployed({}, '/v1/credits/grant', { key: api_key, body: { amount: -1 } })
    await writeOutcomes(env)
    const { cost: after } = await stats()
    const more = (name: string) => Number(Reflect.get(Object(after), name)) - (before[name] ?? 0)
    expect(more('changes')).toBe(2)
    expect(more('events')).toBe(3)
    expect(more('estimated_usd')).toBeGreaterThan(0)
    expect(after).toMatchObject({
      per_million_events_usd: expect.any(Number),
      prices_as_of: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
    })
  })

  it('are written by the requests themselves, at most once a minute', async () => {
    const writes = vi.spyOn(env.DB, 'prepare')
    const written = () =>
      writes.mock.calls.filter(([sql]) => sql.includes('INSERT INTO outcome_counts')).length
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const start_ms = Date.now() + HOUR_MS
      for (const [after_ms, writes_in_all] of [
        [0, 1],
        [59_000, 1],
        [60_000, 2],
        [100_000, 2],
        [500_000, 3],
        // Simulates a clock that is set back to an hour before the start.
        [-HOUR_MS, 4],
      ] as const) {
        vi.setSystemTime(start_ms + after_ms)
        await deployed({}, '/health')
        expect(written(), `after ${after_ms} ms`).toBe(writes_in_all)
      }
    } finally {
      vi.useRealTimers()
      writes.mockRestore()
    }
  })

  it('are kept in memory while D1 is down, and written once when it is back', async () => {
    await writeOutcomes(env)
    const code = `event:${unique('code')}`
    countOutcome(code, Date.now())
    await writeOutcomes({ DB: brokenD1() })
    countOutcome(code, Date.now(), 2)
    await writeOutcomes({ DB: brokenD1() })
    await writeOutcomes(env)
    await writeOutcomes(env)
    expect(numbers(part(await outcomes(), 'rejected_events'))[code.slice(6)]).toBe(3)
  })

  it('are listed by hour for a day, and deleted after 30 days', async () => {
    const now_ms = Date.now()
    const code = unique('hourly')
    const ages = [0, 1, 23, 24, 30 * 24 + 2]
    for (const hours of ages) countOutcome(`event:${code}`, now_ms - hours * HOUR_MS)
    await writeOutcomes(env)
    const { hours, since } = await outcomes()
    expect(since).toBe(new Date(hourOf(now_ms) - 23 * HOUR_MS).toISOString())
    const of_code = Array.isArray(hours)
      ? hours.flatMap((hour: Json) => (numbers(part(hour, 'rejected_events'))[code] ? [hour.hour] : []))
      : []
    expect(of_code).toEqual([23, 1, 0].map((age) => new Date(hourOf(now_ms) - age * HOUR_MS).toISOString()))

    const kept = async () =>
      (
        await env.DB.prepare('SELECT hour_ms FROM outcome_counts WHERE outcome = ?')
          .bind(`event:${code}`)
          .all()
      ).results
    expect(await kept()).toHaveLength(5)
    await forgetOutcomes(env, now_ms)
    expect(await kept()).toHaveLength(4)
  })
})

describe('the cron', () => {
  it('puts the same figures into the log', async () => {
    output.clear()
    await runCron({ cron: '*/15 * * * *', scheduledTime: Date.now(), noRetry: () => {} }, env)
    const line = output.records().find(({ event }) => event === 'figures')
    const { outcomes, dead_letters, flush } = await stats()
    expect(line).toMatchObject({
      level: 'info',
      dead_letters: part({ dead_letters }, 'dead_letters').open,
      flush_ledgers_behind: part({ flush }, 'flush').ledgers_behind,
      requests: part({ outcomes }, 'outcomes').requests,
      status_5xx: part(part({ outcomes }, 'outcomes'), 'by_status')['5xx'],
    })
  })
})
