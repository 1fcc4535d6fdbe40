import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { runJobs } from '../../src/cron/run-jobs.ts'
import { MINUTE_JOBS } from '../../src/cron.ts'
import { OPERATOR_TYPES, type OperatorType } from '../../src/webhooks/types.ts'
import { api, jsonOf } from '../support/api.ts'
import { listenToConsole } from '../support/console.ts'
import { OPERATOR_TOKEN } from '../support/customers.ts'
import { dnsAnswer, idOf, Simulation, status } from './support.ts'

/** Tests the notifications of the operator about conditions that the scheduled job finds. */

beforeEach(() => {
  listenToConsole()
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) =>
    dnsAnswer(input instanceof Request ? input.url : String(input)),
  )
})
afterEach(async () => {
  vi.restoreAllMocks()
  await env.DB.batch(
    ['flush_failures', 'dead_letters', 'reconciliations', 'price_feeds', 'webhook_deliveries', 'sweeps'].map(
      (table) => env.DB.prepare(`DELETE FROM ${table}`),
    ),
  )
})

const HOUR_MS = 3_600_000

interface Condition {
  readonly begin: string
  readonly end: string
  readonly data: object
}

/**
 * The SQL statements that cause and end each condition, and the data of its notification. `?1` is the current time in
 * ms.
 */
const CONDITIONS: Readonly<Record<OperatorType, Condition>> = {
  'ops.flush_behind': {
    begin: `INSERT INTO flush_failures (ledger_id, unflushed_since_ms, failures, failed_at_ms)
      VALUES ('cust_behind', ?1 - ${HOUR_MS}, 5, ?1)`,
    end: 'DELETE FROM flush_failures WHERE ?1 > 0',
    data: { ledgers: 1, lag_seconds: 3_600 },
  },
  'ops.dead_letters': {
    begin: `INSERT INTO dead_letters (dead_letter_id, state, reason, attempts, sent_at_ms, failed_at_ms, truncated, body)
      VALUES ('dl_1', 'open', '', 1, ?1, ?1, 0, '{}')`,
    end: "UPDATE dead_letters SET state = 'replayed' WHERE ?1 > 0",
    data: { open: 1 },
  },
  'ops.reconcile_difference': {
    begin: `INSERT INTO reconciliations (ledger_id, status, checked_at_ms, full_at_ms, checked_entry, usage, differences)
      VALUES ('cust_different', 'DIFFERENT', ?1, ?1, 1, '{}', '[]')`,
    end: "UPDATE reconciliations SET status = 'MATCHED' WHERE ?1 > 0",
    data: { ledgers: 1 },
  },
  'ops.price_feed_refused': {
    begin: `INSERT INTO price_feeds (feed_id, content_hash, status, version, reasons, changes, first_read_at_ms, last_read_at_ms)
      VALUES ('feed_1', 'a', 'REFUSED', 7, '["old"]', '{}', ?1, ?1)`,
    end: `INSERT INTO price_feeds (feed_id, content_hash, status, version, reasons, changes, first_read_at_ms, last_read_at_ms)
      VALUES ('feed_2', 'b', 'APPLIED', 8, '[]', '{}', ?1 + 1, ?1 + 1)`,
    data: { version: 7 },
  },
}

it.each(OPERATOR_TYPES)(
  '%s is sent once when its condition begins, and again when the condition begins again',
  async (type) => {
    const { begin, end, data } = CONDITIONS[type]
    const simulation = new Simulation()
    simulation.receiver('ops.example', status(200))
    const body = { url: 'https://ops.example/hook', types: [type] }
    const created = await jsonOf(await api('/v1/admin/webhook-endpoints', { key: OPERATOR_TOKEN, body }))
    const jobs = MINUTE_JOBS.filter(({ name }) => name === 'operator_notifications')
    const run = async () => {
      await runJobs(simulation.env, jobs, simulation.now_ms)
      await simulation.drain()
      return simulation.received.map((one) => JSON.parse(one.body))
    }
    const change = (sql: string) => env.DB.prepare(sql).bind(simulation.now_ms).run()
    try {
      expect(await run()).toEqual([])
      await change(begin)
      expect(await run()).toMatchObject([{ type, customer_id: null, mode: null, data }])
      expect(await run()).toHaveLength(1)
      await change(end)
      expect(await run()).toHaveLength(1)
      await env.DB.batch(
        ['flush_failures', 'dead_letters', 'reconciliations', 'price_feeds'].map((table) =>
          env.DB.prepare(`DELETE FROM ${table}`),
        ),
      )
      await change(begin)
      expect(await run()).toHaveLength(2)
    } finally {
      const path = `/v1/admin/webhook-endpoints/${idOf(created)}`
      await api(path, { key: OPERATOR_TOKEN, method: 'DELETE' })
      await env.DB.prepare("DELETE FROM notifications WHERE ledger_id = 'operator'").run()
    }
  },
)
