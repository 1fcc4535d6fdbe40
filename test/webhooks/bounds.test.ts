import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Bindings } from '../../src/bindings.ts'
import { runJobs } from '../../src/cron/run-jobs.ts'
import { MINUTE_JOBS } from '../../src/cron.ts'
import { DELETED_AT_ONCE } from '../../src/db/retention.ts'
import { firstIdAt } from '../../src/ids.ts'
import { DAY_MS } from '../../src/time/durations.ts'
import { consumeHints } from '../../src/webhooks/queue/fan-out.ts'
import { listenToConsole } from '../support/console.ts'
import { countingD1 } from '../support/d1.ts'

/**
 * Tests that the scheduled jobs and the consumer of hints make a limited number of calls and read a limited number of
 * rows, for any amount of waiting work.
 */

const NOW_MS = Date.now()
/** The platform's maximum number of subrequests in one invocation. */
const MAX_CALLS = 1_000
const OLD_MS = NOW_MS - 31 * DAY_MS

const TABLES = ['webhook_deliveries', 'webhook_endpoints', 'notifications', 'sweeps']
async function clear(): Promise<void> {
  await env.DB.batch([
    ...TABLES.map((table) => env.DB.prepare(`DELETE FROM ${table}`)),
    env.DB.prepare("DELETE FROM ledgers WHERE ledger_id LIKE 'cust_bound%'"),
  ])
}
beforeEach(async () => {
  listenToConsole()
  await clear()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await clear()
})

const COUNT = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)'
const NAME = "printf('cust_bound%05d', l.i)"

/**
 * Creates ledgers with webhook endpoints for all types of notifications. Their notifications are in D1, but their
 * deliveries are not queued yet.
 */
async function ledgersWith(ledgers: number, endpoints: number, notifications: number): Promise<void> {
  const of = (count: number) => `${COUNT}, l (i) AS (SELECT i FROM n LIMIT ${count})`
  await env.DB.batch([
    env.DB.prepare(
      `${of(ledgers)} INSERT INTO ledgers (ledger_id, flushed_row, flushed_entry, flushed_at_ms,
         last_notification, handed_notification)
       SELECT ${NAME}, 0, 0, 0, ?2, 0 FROM l`,
    ).bind(ledgers, notifications),
    env.DB.prepare(
      `${of(ledgers)} INSERT INTO webhook_endpoints (owner, webhook_endpoint_id, url, own_origin, types, enabled,
         created_at_ms, updated_at_ms, sealed)
       SELECT ${NAME}, printf('we_%05d_%d', l.i, n.i), 'https://receiver.example', '', '["*"]', 1, 0, 0, ''
       FROM l JOIN n ON n.i <= ?2`,
    ).bind(Math.max(ledgers, endpoints), endpoints),
    env.DB.prepare(
      `${of(ledgers)} INSERT INTO notifications (ledger_id, sequence, type, at_ms, data)
       SELECT ${NAME}, n.i, 'credits.low', ?2, '{}' FROM l JOIN n ON n.i <= ?3`,
    ).bind(Math.max(ledgers, notifications), NOW_MS, notifications),
  ])
}

/** Returns bindings that count their calls. Each statement in a D1 batch counts as one call. */
function counting() {
  const { db, counts } = countingD1()
  const sent: string[] = []
  let sends = 0
  const WEBHOOKS: Queue = Object.create(env.WEBHOOKS, {
    sendBatch: {
      value: async (messages: readonly { readonly body: object }[]) => {
        sends++
        for (const { body } of messages) {
          sent.push(`${Reflect.get(body, 'webhook_endpoint_id')} ${Reflect.get(body, 'sequence')}`)
        }
      },
    },
  })
  const bindings: Bindings = { ...env, DB: db, WEBHOOKS }
  return { bindings, sent, counts, calls: () => counts.statements + sends }
}

const left = () =>
  env.DB.prepare(
    'SELECT count(*) AS n FROM ledgers WHERE handed_notification < last_notification',
  ).first<number>('n')

describe('notifications that wait for many endpoints', () => {
  it('are all queued by the jobs of the next minutes, each within the calls of an invocation', async () => {
    await ledgersWith(60, 20, 150)
    const all = new Set<string>()
    let runs = 0
    for (; runs < 20 && (await left()); runs++) {
      const { bindings, sent, calls } = counting()
      await runJobs(bindings, MINUTE_JOBS, NOW_MS, runs)
      expect(calls()).toBeLessThanOrEqual(MAX_CALLS)
      for (const one of sent) all.add(one)
    }
    expect(await left()).toBe(0)
    expect(all.size).toBe(60 * 20 * 150)
  })

  it('are queued by the consumer of hints within the calls of an invocation, and the rest by its retries', async () => {
    await ledgersWith(100, 20, 60)
    const all: string[] = []
    let hints = Array.from({ length: 100 }, (_, i) => `cust_bound${String(i + 1).padStart(5, '0')}`)
    for (let runs = 0; hints.length > 0; runs++) {
      expect(runs).toBeLessThan(10)
      const { bindings, sent, calls } = counting()
      const again: string[] = []
      await consumeHints(batchOf(hints, again), bindings)
      expect(calls()).toBeLessThanOrEqual(MAX_CALLS)
      hints = again
      all.push(...sent)
    }
    expect(await left()).toBe(0)
    expect(new Set(all).size).toBe(100 * 20 * 60)
    expect(all).toHaveLength(100 * 20 * 60)
  })
})

/** Returns a queue batch with a hint for each ledger. Adds the hints that the consumer retries to `again`. */
function batchOf(ledger_ids: readonly string[], again: string[]): MessageBatch {
  const messages = ledger_ids.map((ledger_id) => ({
    id: ledger_id,
    timestamp: new Date(NOW_MS),
    body: { v: 1, ledger_id },
    attempts: 1,
    ack: () => undefined,
    retry: () => {
      again.push(ledger_id)
    },
  }))
  return {
    queue: 'notifications',
    messages,
    metadata: { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: new Date() } },
    ackAll: () => undefined,
    retryAll: () => undefined,
  }
}

/**
 * Creates `rows` expired deliveries and `rows` expired notifications for each owner, and one delivery and one
 * notification that have not expired.
 */
async function oldRows(owners: number, rows: number, first = 1): Promise<void> {
  const delivery = (at_ms: number, id: string) => `
    INSERT INTO webhook_deliveries (owner, delivery_id, webhook_endpoint_id, notification_id, sequence, type, at_ms,
      status, made, in_flight, attempts)
    SELECT ${NAME}, '${firstIdAt('dlv', at_ms)}' || ${id}, 'we_1', 'ntf_1', 1, 'credits.low', ${at_ms}, 'succeeded', 1, 0,
      '[]' FROM l`
  const notification = (at_ms: number, sequence: string) => `
    INSERT INTO notifications (ledger_id, sequence, type, at_ms, data)
    SELECT ${NAME}, ${sequence}, 'credits.low', ${at_ms}, '{}' FROM l`
  const names = `${COUNT}, l (i) AS (SELECT i + ${first - 1} FROM n LIMIT ${owners})`
  const of = (sql: string) => env.DB.prepare(`${names} ${sql}`).bind(Math.max(owners, rows))
  const each = 'JOIN n ON n.i <= '
  await env.DB.batch([
    of(`${delivery(OLD_MS, "printf('%07d', n.i)")} ${each} ${rows}`),
    of(delivery(NOW_MS, "'x'")),
    of(`${notification(OLD_MS, 'n.i')} ${each} ${rows}`),
    of(notification(NOW_MS, `${rows + 1}`)),
  ])
}

describe('the clean-up of deliveries and notifications', () => {
  const jobs = MINUTE_JOBS.filter(({ name }) => ['webhook_log', 'notification_retention'].includes(name))
  const rowsLeft = async (where = '') => {
    const of = (table: string, column: string) =>
      env.DB.prepare(
        `SELECT count(*) AS n FROM ${table} WHERE ${column} LIKE 'cust_bound%' AND at_ms = ?1 ${where}`,
      )
        .bind(OLD_MS)
        .first<number>('n')
    return [await of('webhook_deliveries', 'owner'), await of('notifications', 'ledger_id')]
  }

  it('keeps pace with 2,500 busy owners, within limits in each minute', async () => {
    await oldRows(2_500, 4)
    let runs = 0
    for (; (await rowsLeft()).some((rows) => rows !== 0); runs++) {
      expect(runs).toBeLessThan(3)
      const { bindings, calls, counts } = counting()
      await runJobs(bindings, jobs, NOW_MS)
      expect(calls()).toBeLessThanOrEqual(50)
      // Two jobs run for 1,000 owners each. The number of rows that they read does not depend on the number of rows
      // that are kept.
      expect(counts.rows_read).toBeLessThanOrEqual(2 * 1_000 * 30)
    }
    expect(runs).toBe(3)
    const kept = await env.DB.prepare('SELECT count(*) AS n FROM notifications').first<number>('n')
    expect(kept).toBe(2_500)
  })

  it('reaches every owner within two minutes, even if one has a long list, and finishes that list', async () => {
    await oldRows(1, 25 * DELETED_AT_ONCE)
    await oldRows(5, 3, 2)
    await runJobs(env, jobs, NOW_MS)
    expect(await rowsLeft()).toEqual([5 * DELETED_AT_ONCE + 15, 5 * DELETED_AT_ONCE + 15])
    await runJobs(env, jobs, NOW_MS)
    expect(await rowsLeft()).toEqual([5 * DELETED_AT_ONCE, 5 * DELETED_AT_ONCE])
    await runJobs(env, jobs, NOW_MS)
    expect(await rowsLeft()).toEqual([0, 0])
  })
})
