import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import { expectRefused } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { brokenD1, d1Double, d1FailingAt } from '../support/d1.ts'
import { deployed } from '../support/deployment.ts'
import {
  ask,
  freshLedger,
  inStore,
  journalEntries,
  ledgerOf,
  runAlarm,
  storedBalances,
  storedPages,
  type TestLedger,
  watermark,
  withD1,
} from '../support/ledgers.ts'
import { batch, eventItem, grant, single } from '../support/messages.ts'
import { alarmOf } from './injection.ts'

vi.setConfig({ testTimeout: 30_000 })

/**
 * Tests faults during a flush: an outage of D1, a lost request, a lost response, and an alarm that the platform
 * delivers twice. After each fault, no page is missing or written twice, and the alarm is set again.
 */

const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)

function logged(): string {
  return String(log.mock.lastCall?.[0])
}

async function busyLedger(): Promise<TestLedger> {
  const ledger = await freshLedger(1_000_000)
  await ask(ledger.stub, 'credit', grant(1000, { owner: { kind: 'user', id: 'ann' } }))
  await use(ledger, 10)
  return ledger
}

function use(ledger: TestLedger, events: number): Promise<unknown> {
  const items = Array.from({ length: events }, (_, i) => eventItem(1, i % 2 ? { user_id: 'ann' } : {}))
  return ingest(env, ledger.name, batch(items))
}

/**
 * Checks that D1 has each journal entry once, and that each page of a wallet starts with the balance after the wallet's
 * previous page.
 */
async function expectComplete(ledger: TestLedger): Promise<void> {
  const pages = await storedPages(ledger)
  const numbers = pages.flatMap((page) => page.entries.map((entry) => entry.number)).sort((a, b) => a - b)
  expect(numbers).toEqual((await journalEntries(ledger)).map((entry) => entry.number))
  const balances = new Map<number, number>()
  for (const page of pages) {
    expect(page.balance_before_micro).toBe(balances.get(page.wallet_number) ?? 0)
    balances.set(page.wallet_number, page.balance_after_micro)
  }
  expect((await watermark(ledger))?.flushed_entry).toBe(numbers.at(-1))
  expect(await inStore(ledger, (store) => store.journal.isDirty)).toBe(false)
}

// A flush of entries with user ids sends two batches to D1. The first assigns numbers to the users, and the second
// writes the pages.
const USERS = 1
const PAGES = 2

describe.each([
  { what: 'the users', statement: USERS },
  { what: 'the pages', statement: PAGES },
])('D1 fails while a flush writes $what', ({ statement }) => {
  it.each(['before its effect', 'after its effect'] as const)(
    '%s: the next flush completes it',
    async (effect) => {
      const ledger = await busyLedger()
      await withD1(ledger, d1FailingAt(statement, effect), () => runAlarm(ledger))
      expect(await inStore(ledger, (store) => store.journal.isDirty)).toBe(true)
      await runAlarm(ledger)
      await expectComplete(ledger)
    },
  )

  it.each(['before its effect', 'after its effect'] as const)(
    '%s, and more events arrive before the next flush: nothing is written twice',
    async (effect) => {
      const ledger = await busyLedger()
      await withD1(ledger, d1FailingAt(statement, effect), () => runAlarm(ledger))
      await use(ledger, 7)
      await runAlarm(ledger)
      await runAlarm(ledger)
      await expectComplete(ledger)
    },
  )

  it.each(['before its effect', 'after its effect'] as const)(
    '%s, and the object restarts before the next flush: nothing is missing',
    async (effect) => {
      const ledger = await busyLedger()
      await withD1(ledger, d1FailingAt(statement, effect), () => runAlarm(ledger))
      await evictDurableObject(ledger.stub)
      await use(ledger, 3)
      await runAlarm(ledger)
      await expectComplete(ledger)
    },
  )
})

describe('while D1 is down', () => {
  it('the alarm never throws, logs the fault, and is armed again each time', async () => {
    const ledger = await busyLedger()
    await withD1(ledger, brokenD1(), async () => {
      for (let failures = 1; failures <= 12; failures++) {
        await runInDurableObject(ledger.stub, (_, { storage }) => storage.deleteAlarm())
        await runAlarm(ledger)
        expect(await alarmOf(ledger)).toBeGreaterThan(Date.now())
        expect(JSON.parse(logged())).toMatchObject({ event: 'ledger_alarm_failed', failures })
      }
    })
    await runAlarm(ledger)
    await expectComplete(ledger)
  })

  it('events are burned as usual', async () => {
    const ledger = await busyLedger()
    await withD1(ledger, brokenD1(), async () => {
      await runAlarm(ledger)
      const result = await ingest(env, ledger.name, single(eventItem(995)))
      expect(result).toMatchObject({ kind: 'done', answer: { balance_after: 999_000 } })
    })
  })
})

describe('a request that needs D1 while D1 is down', () => {
  const down = (message: string): D1Database => {
    const fail = () => Promise.reject(new Error(message))
    const statement = { bind: () => statement, all: fail, first: fail, run: fail }
    return d1Double({ prepare: () => statement, batch: fail })
  }
  const paths = [
    '/v1/analytics/usage',
    '/v1/analytics/costs?user=ann',
    '/v1/analytics/burn-rate',
    '/v1/credits/transactions',
    '/v1/events',
  ]

  it.each(paths)('%s returns 503', async (path) => {
    const { api_key: key, customer_id } = await createCustomer()
    await runAlarm(ledgerOf(customer_id))
    expect((await deployed({}, path, { key })).status).toBe(200)
    const response = await deployed({ DB: down('D1_ERROR: Network connection lost.') }, path, { key })
    await expectRefused(response, 503, 'unavailable')
    expect(log.mock.calls.map(String)).toContainEqual(expect.stringContaining('database_unavailable'))
  })

  it('an error of SQLite is a bug, and no outage', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    await runAlarm(ledgerOf(customer_id))
    const message = 'D1_ERROR: no such column: colour at offset 7: SQLITE_ERROR'
    await expectRefused(await deployed({ DB: down(message) }, '/v1/events', { key }), 500, 'internal_error')
  })
})

describe('a ledger whose D1 is', () => {
  const READS = /^\s*(?:SELECT|WITH)/
  const statementOf = (db: D1Database, before: (query: string) => Promise<void>, query: string): object => {
    const wrap = (statement: D1PreparedStatement): object => ({
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all: () => before(query).then(() => statement.all()),
      run: () => before(query).then(() => statement.run()),
      first: () => before(query).then(() => statement.first()),
      statement,
      query,
    })
    return wrap(db.prepare(query))
  }
  /** Returns a D1 database that calls `before` with each statement before it runs the statement. */
  const d1With = (before: (query: string) => Promise<void>): D1Database =>
    Object.create(env.DB, {
      prepare: { value: (query: string) => statementOf(env.DB, before, query) },
      batch: {
        value: async (statements: readonly object[]) => {
          for (const statement of statements) await before(String(Reflect.get(statement, 'query')))
          return env.DB.batch(statements.map((statement) => Reflect.get(statement, 'statement')))
        },
      },
    })
  const refuse = (message: string) => Promise.reject(new Error(message))
  const states: [string, D1Database][] = [
    ['removed', d1With((query) => refuse(`D1_ERROR: no such table: ${query.length}: SQLITE_ERROR`))],
    [
      'read-only',
      d1With((query) =>
        READS.test(query)
          ? Promise.resolve()
          : refuse('D1_ERROR: attempt to write a readonly database: SQLITE_READONLY'),
      ),
    ],
  ]

  it.each(states)(
    '%s while it is in use continues to burn, and flushes everything once D1 is back',
    async (_, db) => {
      const ledger = await busyLedger()
      await withD1(ledger, db, async () => {
        for (let round = 1; round <= 3; round++) {
          await runAlarm(ledger)
          expect(await alarmOf(ledger)).toBeGreaterThan(Date.now())
          await use(ledger, 2)
        }
      })
      await runAlarm(ledger)
      await expectComplete(ledger)
    },
  )

  it('slow burns while the flush waits, and every page is written once', async () => {
    const ledger = await busyLedger()
    const done: string[] = []
    await withD1(
      ledger,
      d1With(() => scheduler.wait(100)),
      async () => {
        const flush = runAlarm(ledger).then(() => done.push('flush'))
        await use(ledger, 2)
        done.push('burn')
        await flush
      },
    )
    expect(done).toEqual(['burn', 'flush'])
    await runAlarm(ledger)
    await expectComplete(ledger)
  })
})

describe('an alarm that the platform delivers twice', () => {
  it('at once writes every page once', async () => {
    const ledger = await busyLedger()
    await runInDurableObject(ledger.stub, (instance) => Promise.all([instance.alarm(), instance.alarm()]))
    await expectComplete(ledger)
  })

  it('while events arrive writes every page once', async () => {
    const ledger = await busyLedger()
    for (let round = 0; round < 5; round++) {
      await Promise.all([use(ledger, 3), runAlarm(ledger), use(ledger, 2), runAlarm(ledger)])
    }
    await runAlarm(ledger)
    await expectComplete(ledger)
  })
})

describe('a wallet that is broken at rest', () => {
  async function breakWallet(ledger: TestLedger): Promise<void> {
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      const query =
        "UPDATE wallets SET balance_micro = balance_micro + 1, due_at_ms = 1 WHERE wallet_key = 'user:ann'"
      storage.sql.exec(query)
    })
    await evictDurableObject(ledger.stub)
  }

  it('is found when it is read back, and burns nothing', async () => {
    const ledger = await busyLedger()
    await breakWallet(ledger)
    const before = await storedBalances(ledger)
    const event = single(eventItem(1, { user_id: 'ann' }))
    await expect(ingest(env, ledger.name, event)).rejects.toThrow(/wallet 2 is broken/)
    expect(await storedBalances(ledger)).toEqual(before)
  })

  it('does not keep the entries of other wallets from D1', async () => {
    const ledger = await busyLedger()
    await breakWallet(ledger)
    await runAlarm(ledger)
    await expectComplete(ledger)
    expect(await alarmOf(ledger)).toBeGreaterThan(Date.now())
  })
})
