import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, inject, it, vi } from 'vitest'
import { ledgerKey } from '../../../src/db/ledger-db.ts'
import { ingest } from '../../../src/ledger/client/client.ts'
import { readRollup } from '../../../src/usage/rollups/read.ts'
import { rebuildLedger } from '../../../src/usage/rollups/rebuild.ts'
import { unique } from '../../support/customers.ts'
import { countingD1 } from '../../support/d1.ts'
import { freshLedger, rowsWrittenBy, runAlarm, type TestLedger } from '../../support/ledgers.ts'
import { batch, eventItem } from '../../support/messages.ts'
import { acks, captureUsage, deliver, foldDeltas, knownLedger, rollupRows } from '../../support/usage.ts'

vi.setConfig({ testTimeout: 600_000 })

/**
 * Tests the cost of a long run of events: the number of queue messages, and the number of rows that are written in the
 * object and in D1. These numbers are the same on every machine. One customer sends 100 events per request. The ledger
 * is flushed after every ten requests, and the consumer runs for each flush. `npm run test:usage` sends 100,000 events.
 * The customer has one wallet. Each additional wallet would add a page, and therefore a row, to each flush.
 */

const EVENTS = inject('usageEvents') ?? 20_000
const EVENTS_A_REQUEST = 100
const REQUESTS_A_FLUSH = 10
/** The number of hours over which the event times are spread. */
const HOURS = 8
// The number of users grows with the number of events, because each new user costs two rows.
const USERS = EVENTS / 200
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'o3', 'claude-sonnet-4-5', 'gemini-2.5-pro']

function request(first: number, keyed: boolean) {
  const items = Array.from({ length: EVENTS_A_REQUEST }, (_, i) => {
    const n = first + i
    return eventItem(1000 + (n % 100), {
      timestamp_ms: NOW_MS - Math.floor(((EVENTS - n) / EVENTS) * HOURS * 3_600_000),
      feature_id: ['chat', 'search', 'summaries'][n % 3] ?? '',
      model: MODELS[n % 5] ?? '',
      user_id: `user ${n % USERS}`,
      ...(n % 4 > 0 && { team_id: `team ${n % 12}` }),
      ...(keyed && { key: `event ${n}` }),
    })
  })
  return batch(items, keyed ? undefined : { key: `request ${first}`, fingerprint: String(first) })
}

const NOW_MS = Date.now()

interface Cost {
  object: number
  d1: number
  consumer_calls: number
  consumer_reads: number
  messages: number
  last: unknown
}

async function run(ledger: TestLedger, keyed: boolean): Promise<Cost> {
  const { db, counts } = countingD1()
  const sent = await captureUsage(ledger)
  await runInDurableObject(ledger.stub, (instance) => {
    Reflect.set(instance, 'env', { ...Reflect.get(instance, 'env'), DB: db })
  })
  let [consumer_calls, consumer_reads] = [0, 0]
  const object = await rowsWrittenBy(ledger, async () => {
    for (let first = 0; first < EVENTS; first += EVENTS_A_REQUEST * REQUESTS_A_FLUSH) {
      for (let i = 0; i < REQUESTS_A_FLUSH; i++) {
        await ingest(env, ledger.name, request(first + i * EVENTS_A_REQUEST, keyed))
      }
      await runAlarm(ledger)
    }
  })
  // Delivers each message in a separate batch. This is the worst case, because the queue waits at most 5 seconds before
  // it delivers a batch.
  for (const body of sent) {
    const before = { ...counts }
    expect(await deliver([body], { bindings: { ...env, DB: db } })).toEqual(acks(1))
    consumer_calls += counts.calls - before.calls
    consumer_reads += counts.rows_read - before.rows_read
  }
  return {
    object,
    d1: counts.rows_written,
    consumer_calls,
    consumer_reads,
    messages: sent.length,
    last: sent.at(-1),
  }
}

it.each([
  { name: 'one batch key', keyed: false },
  { name: 'a key for each event', keyed: true },
])(`${EVENTS} events, 100 per request, with $name`, async ({ name, keyed }) => {
  const ledger = await freshLedger(1_000_000_000_000)
  const { object, d1, consumer_calls, consumer_reads, messages, last } = await run(ledger, keyed)
  const figures = { object: object / EVENTS, d1: d1 / EVENTS, messages: messages / EVENTS }
  const reads = { calls: consumer_calls / messages, rows_read: consumer_reads / messages }
  console.log(`${name}: per event ${JSON.stringify(figures)}; D1 a message ${JSON.stringify(reads)}`)
  const rollup = await readRollup(env.DB, ledgerKey(ledger.name))
  expect(rollup?.totals.events).toBe(BigInt(EVENTS))
  expect(figures.object).toBeLessThanOrEqual(0.1)
  expect(figures.d1).toBeLessThanOrEqual(0.05)
  expect(figures.messages).toBeLessThanOrEqual(0.02)
  await expectSameRebuilt(ledger)
  await expectMadeUpFor(ledger, last)
})

async function expectSameRebuilt(ledger: TestLedger): Promise<void> {
  const before = await rollupRows(ledger)
  const begun_ms = performance.now()
  let calls = 1
  while (!(await rebuildLedger(env.DB, ledgerKey(ledger.name))).done) calls++
  console.log(`rebuilt in ${calls} calls and ${Math.round(performance.now() - begun_ms)} ms`)
  expect(await rollupRows(ledger)).toEqual(before)
}

/**
 * Deletes all rollups and delivers only the last message, which the consumer retries until it has read all pages.
 * Checks that the rollups are the same as before.
 */
async function expectMadeUpFor(ledger: TestLedger, last: unknown): Promise<void> {
  const before = await rollupRows(ledger)
  for (const table of ['rollup_watermarks', 'rollup_days', 'rollup_users']) {
    await env.DB.prepare(`DELETE FROM ${table} WHERE ledger_id = ?`).bind(ledgerKey(ledger.name)).run()
  }
  let deliveries = 1
  while ((await deliver([last]))[0] === 'retry' && deliveries < 5) deliveries++
  console.log(`${EVENTS} entries are made up for in ${deliveries} deliveries`)
  expect(deliveries).toBeLessThan(5)
  expect(await rollupRows(ledger)).toEqual(before)
}

it.each([
  { users: 1_000, rows_a_flush: 3 },
  { users: 20_000, rows_a_flush: 2 + 20 },
  { users: 1_000_000, rows_a_flush: 2 + 32 },
])(
  'a flush of 1,000 events of $users users: at most $rows_a_flush rows of rollups',
  async ({ users, rows_a_flush }) => {
    const flushes = 20
    const ledger_id = unique('users')
    await knownLedger(ledger_id, flushes * 1_000)
    const { db, counts } = countingD1()
    let messages = 0
    for (let flush = 0; flush < flushes; flush++) {
      const deltas = Array.from({ length: 1_000 }, (_, i) => {
        const entry = flush * 1_000 + i + 1
        const charged = {
          credits_micro: 15_000_000,
          cost_pico: 7_500_000_000n,
          price_pico: 15_000_000_000n,
          paid_pico: 0n,
        }
        const event = {
          event_type: 'TOKEN_USAGE' as const,
          feature_id: 'chat',
          provider: 'OPENAI',
          model: 'gpt-4o',
        }
        const user = ((entry * 7_919) % users) + 1
        return {
          entry,
          timestamp_ms: DAY_MS,
          ...event,
          user,
          events: 1 as const,
          units: { input_tokens: 10n ** 12n },
          ...charged,
        }
      })
      messages += await foldDeltas(ledger_id, deltas, db)
    }
    console.log(
      `${users} users: ${counts.rows_written / flushes} rows and ${messages / flushes} messages a flush`,
    )
    expect(counts.rows_written / flushes).toBeLessThanOrEqual(rows_a_flush + 0.5)
    expect(messages / (flushes * 1_000)).toBeLessThanOrEqual(0.02)
  },
)

const DAY_MS = 20_500 * 86_400_000
