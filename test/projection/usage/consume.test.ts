import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { ledgerKey } from '../../../src/db/ledger-db.ts'
import { ingest } from '../../../src/ledger/client/client.ts'
import type { UsageDelta } from '../../../src/usage/cells/delta.ts'
import { usageMessages } from '../../../src/usage/queue/message.ts'
import { readRollup } from '../../../src/usage/rollups/read.ts'
import { unique } from '../../support/customers.ts'
import { countingD1, d1Double } from '../../support/d1.ts'
import { freshLedger, runAlarm, type TestLedger } from '../../support/ledgers.ts'
import { batch, eventItem } from '../../support/messages.ts'
import {
  acks,
  captureUsage,
  deliver,
  deliverDead,
  expectRolledUp,
  knownLedger,
  rollupRows,
} from '../../support/usage.ts'

/** Tests the consumer of the usage queue, from the messages of a ledger object to the rows that analytics read. */

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/**
 * The time from which all event times are derived. It is constant, so that the ledgers that a test compares have events
 * in the same hours.
 */
const NOW_MS = Date.now()

async function busyLedger(): Promise<{ ledger: TestLedger; sent: unknown[] }> {
  const ledger = await freshLedger(1_000_000_000)
  const sent = await captureUsage(ledger)
  return { ledger, sent }
}

/** Sends events of several users, teams, models and hours, and flushes them. The flush sends one queue message. */
async function use(ledger: TestLedger, events: number, salt = 0): Promise<void> {
  const items = Array.from({ length: events }, (_, i) =>
    eventItem(1000 + i, {
      timestamp_ms: NOW_MS - ((i + salt) % 30) * HOUR_MS,
      feature_id: ['chat', 'search'][i % 2] ?? '',
      model: ['gpt-4o', 'o3', 'gpt-4o-mini'][(i + salt) % 3] ?? '',
      ...(i % 3 > 0 && { user_id: `user ${(i + salt) % 7}` }),
      ...(i % 4 > 1 && { team_id: `team ${i % 5}` }),
    }),
  )
  await ingest(env, ledger.name, batch(items))
  await runAlarm(ledger)
}

async function useNow(ledger: TestLedger): Promise<void> {
  const item = eventItem(1000, { timestamp_ms: NOW_MS, user_id: 'ann' })
  await ingest(env, ledger.name, batch([item, item]))
  await runAlarm(ledger)
}

describe('a message', () => {
  it('is folded into days, hours, teams and users', async () => {
    const { ledger, sent } = await busyLedger()
    await use(ledger, 50)
    expect(sent).toHaveLength(1)
    expect(await deliver(sent)).toEqual(acks(1))
    await expectRolledUp(ledger, { events: 50 })
  })

  it('records the progress of the rollups, and the time up to which they are complete', async () => {
    const { ledger, sent } = await busyLedger()
    await use(ledger, 3)
    await deliver(sent)
    const rollup = await readRollup(env.DB, ledgerKey(ledger.name))
    expect(rollup).toMatchObject({ generation: 1, rolled_entry: 4 })
    expect(rollup?.as_of_ms).toBeGreaterThan(Date.now() - 60_000)
    expect(rollup?.as_of_ms).toBeLessThanOrEqual(Date.now())
  })

  it('of a flush without usage moves the watermark, and nothing else', async () => {
    const { ledger, sent } = await busyLedger()
    await runAlarm(ledger)
    expect(await deliver(sent)).toEqual(acks(1))
    expect(await readRollup(env.DB, ledgerKey(ledger.name))).toMatchObject({ rolled_entry: 1 })
    expect(await rollupRows(ledger)).toEqual({ days: [], users: [] })
  })
})

describe('messages of many ledgers in one batch', () => {
  it('are folded each into its own', async () => {
    const ledgers = await Promise.all(Array.from({ length: 10 }, () => busyLedger()))
    for (const [i, { ledger }] of ledgers.entries()) {
      await use(ledger, 3 + i)
      await use(ledger, 2, i)
    }
    const all = ledgers.flatMap(({ sent }) => sent)
    expect(await deliver(all)).toEqual(acks(all.length))
    for (const [i, { ledger }] of ledgers.entries()) await expectRolledUp(ledger, { events: 5 + i })
  })
})

describe('a batch with a message that no ledger sent', () => {
  it('is folded without this message, which becomes a dead letter', async () => {
    const [good, crafted] = await Promise.all([busyLedger(), busyLedger()])
    await use(good.ledger, 3)
    await useNow(crafted.ledger)
    const [message] = crafted.sent
    const cells: { c: unknown[][] } = Reflect.get(Object(message), 'cells')
    const cell = cells.c[0]?.with(5, Number.MAX_SAFE_INTEGER)
    const body = { ...Object(message), cells: { ...cells, c: [cell, cell] } }
    expect(await deliver([body, ...good.sent])).toEqual(['retry', 'ack'])
    await expectRolledUp(good.ledger, { events: 3 })
    expect(await deliverDead([body])).toEqual(acks(1))
    const { results } = await env.DB.prepare('SELECT reason FROM dead_letters WHERE instr(body, ?)')
      .bind(ledgerKey(crafted.ledger.name))
      .all()
    expect(results).toEqual([{ reason: expect.stringContaining('events') }])
  })
})

describe('a batch of 100 messages of 50 ledgers', () => {
  it('is a few statements in three round trips, with the fewest rows', async () => {
    const ledgers = await Promise.all(Array.from({ length: 50 }, () => busyLedger()))
    await Promise.all(
      ledgers.map(async ({ ledger }) => {
        await useNow(ledger)
        await useNow(ledger)
      }),
    )
    const all = ledgers.flatMap(({ sent }) => sent)
    expect(all).toHaveLength(100)
    const { db, counts } = countingD1()
    expect(await deliver(all, { bindings: { ...env, DB: db } })).toEqual(acks(100))
    // The consumer makes three calls to D1. It reads the positions of the ledgers, reads the sizes of their rows, and
    // writes days, users and watermarks. It skips the call that reads rows, because there are none yet.
    expect(counts).toMatchObject({ calls: 3, statements: 6, rows_written: 50 * 3 })
  })
})

describe('the rows of a ledger', () => {
  it('are the same bytes if messages arrive one by one, arrive at once, or are restored from pages', async () => {
    const ways = await Promise.all([busyLedger(), busyLedger(), busyLedger()])
    for (const { ledger } of ways) for (let i = 0; i < 6; i++) await use(ledger, 20, i)
    const [oneByOne, atOnce, fromPages] = ways
    for (const body of oneByOne?.sent ?? []) await deliver([body])
    await deliver(atOnce?.sent ?? [])
    await deliver(fromPages?.sent.slice(-1) ?? [])
    for (const { ledger } of ways) await expectRolledUp(ledger, { events: 120 })
    const [rows, ...others] = await Promise.all(ways.map(({ ledger }) => rollupRows(ledger)))
    for (const other of others) expect(other).toEqual(rows)
  })
})

it('a batch that touches many rows is folded a few messages at a time, so that its rows fit into memory', async () => {
  const ledger_id = unique('backfill')
  const [messages, days] = [12, 30]
  await knownLedger(ledger_id, messages * days)
  // The messages have late events of a whole month. Each message has different users, so each of its days needs a
  // separate row of users.
  const sent = Array.from({ length: messages }, (_, m) =>
    Array.from(
      { length: days },
      (_, d): UsageDelta => ({
        entry: m * days + d + 1,
        timestamp_ms: (20_500 + d) * DAY_MS,
        event_type: 'TOKEN_USAGE',
        feature_id: 'chat',
        user: m * 1024 + 1,
        events: 1,
        units: {},
        credits_micro: 1,
        cost_pico: 1n,
        price_pico: 1n,
        paid_pico: 0n,
      }),
    ),
  ).flatMap((deltas) => {
    const [first, last] = [deltas[0]?.entry ?? 0, deltas.at(-1)?.entry ?? 0]
    return usageMessages({ ledger_id, after_entry: first - 1, to_entry: last, at_ms: 1 }, deltas)
  })
  const rows: number[] = []
  const db = d1Double({
    prepare: (query: string) => {
      const statement = env.DB.prepare(query)
      if (!query.includes('INSERT INTO rollup_users')) return statement
      return {
        bind: (list: string) => {
          rows.push(JSON.parse(list).length)
          return statement.bind(list)
        },
      }
    },
  })
  expect(await deliver(sent, { bindings: { ...env, DB: db } })).toEqual(acks(messages))
  expect(rows.reduce((sum, count) => sum + count)).toBe(messages * days)
  expect(Math.max(...rows)).toBeLessThanOrEqual(128)
  expect(await readRollup(env.DB, ledger_id)).toMatchObject({ totals: { events: BigInt(messages * days) } })
})
