import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { ingest, readBalance } from '../../src/ledger/client/client.ts'
import type { IngestResult } from '../../src/ledger/model/messages/events.ts'
import { alarmOf } from '../faults/injection.ts'
import { runJob } from '../support/cron.ts'
import { brokenD1 } from '../support/d1.ts'
import {
  ask,
  freshLedger,
  inStore,
  journalEntries,
  runAlarm,
  storedBalances,
  storedPages,
  type TestLedger,
  watermark,
  withD1,
} from '../support/ledgers.ts'
import { batch, CALLER, eventItem, grant, single } from '../support/messages.ts'

vi.setConfig({ testTimeout: 30_000 })

/** Tests how long the ledger keeps idempotency keys and the journal rows that contain them. */

const WINDOW_MS = readConfig(env).idempotency_window_ms
const START_MS = Date.now() + 365 * 86_400_000
const CREDITS = 1_000_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START_MS })
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

function burn(ledger: TestLedger, key: string, amount = 1): Promise<IngestResult> {
  return ingest(env, ledger.name, single(eventItem(amount, { key })))
}

/** Adds a customer to D1 for each ledger, because the sweep finds ledgers by their customers. */
async function registerCustomers(ledgers: readonly TestLedger[]): Promise<void> {
  const insert = env.DB.prepare(`
    INSERT INTO customers (customer_id, name, email, email_key, tier, status, created_at_ms)
    VALUES (?1, 'n', ?1, ?1, 'STARTER', 'ACTIVE', 1)`)
  await env.DB.batch(ledgers.map(({ name }) => insert.bind(name.customer_id)))
}

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

function rowsOf(ledger: TestLedger): Promise<number[]> {
  return inStore(ledger, (store) => [...store.journal.rowsAfter(0)].map((row) => row.row_id))
}

/** Returns those of the given idempotency keys that the object still has, in memory or on disk. */
function remembered(ledger: TestLedger, keys: readonly string[]): Promise<string[]> {
  const asked = keys.map((key) => ({ key, fingerprint: '' }))
  return inStore(ledger, (store) => [...store.usedKeys(asked).keys()].sort())
}

describe('a key', () => {
  it('is remembered for its whole window: a repeat at the last moment is a replay', async () => {
    const ledger = await freshLedger(CREDITS)
    const first = await burn(ledger, 'k')
    await burn(ledger, 'newest')
    await runAlarm(ledger)
    later(WINDOW_MS)
    await runAlarm(ledger)
    expect(await burn(ledger, 'k')).toEqual({ ...first, kind: 'replayed' })
    expect(await burn(ledger, 'k', 2)).toMatchObject({ refusal: { code: 'idempotency_mismatch' } })
  })

  it('is free again once it is forgotten, for the same event and for another one', async () => {
    const ledger = await freshLedger(CREDITS)
    await burn(ledger, 'same')
    await burn(ledger, 'other')
    await burn(ledger, 'newest')
    await runAlarm(ledger)
    later(WINDOW_MS + 1)
    await runAlarm(ledger)
    expect(await remembered(ledger, ['same', 'other', 'newest'])).toEqual(['newest'])
    expect(await burn(ledger, 'same')).toMatchObject({ kind: 'done' })
    expect(await burn(ledger, 'other', 2)).toMatchObject({ kind: 'done' })
    expect(await storedBalances(ledger)).toEqual({ customer: CREDITS - 6 })
  })

  it('of a batch and of its events are forgotten together with their row', async () => {
    const ledger = await freshLedger(CREDITS)
    const items = [eventItem(1, { key: 'a' }), eventItem(1, { key: 'b' })]
    await ingest(env, ledger.name, batch(items, { key: 'whole', fingerprint: 'f' }))
    await burn(ledger, 'newest')
    await runAlarm(ledger)
    expect(await remembered(ledger, ['a', 'b', 'whole'])).toEqual(['a', 'b', 'whole'])
    later(WINDOW_MS + 1)
    await runAlarm(ledger)
    expect(await remembered(ledger, ['a', 'b', 'whole'])).toEqual([])
  })

  it('is remembered as long as D1 does not have its row', async () => {
    const ledger = await freshLedger(CREDITS)
    await burn(ledger, 'k')
    await burn(ledger, 'newest')
    later(10 * WINDOW_MS)
    await withD1(ledger, brokenD1(), () => runAlarm(ledger))
    expect(await burn(ledger, 'k')).toMatchObject({ kind: 'replayed' })
    await runAlarm(ledger)
    expect(await remembered(ledger, ['k', 'newest'])).toEqual(['newest'])
    expect((await storedPages(ledger)).flatMap((page) => page.entries)).toHaveLength(3)
  })

  it('is remembered when D1 has only the rows before its own', async () => {
    const ledger = await freshLedger(CREDITS)
    await burn(ledger, 'in D1')
    await burn(ledger, 'last in D1')
    await runAlarm(ledger)
    await burn(ledger, 'not in D1')
    await burn(ledger, 'newest')
    later(WINDOW_MS + 1)
    await withD1(ledger, brokenD1(), () => runAlarm(ledger))
    const keys = await remembered(ledger, ['in D1', 'last in D1', 'not in D1', 'newest'])
    // The next flush needs the last row that D1 has, so the ledger keeps this row until it has flushed another one.
    expect(keys).toEqual(['last in D1', 'newest', 'not in D1'])
    await runAlarm(ledger)
    expect((await storedPages(ledger)).flatMap((page) => page.entries)).toHaveLength(5)
  })
})

describe('the journal', () => {
  it('keeps rows that are younger than the window, and always keeps the newest one', async () => {
    const ledger = await freshLedger(CREDITS)
    await burn(ledger, 'old')
    later(1000)
    await burn(ledger, 'young')
    await burn(ledger, 'newest')
    await runAlarm(ledger)
    expect(await rowsOf(ledger)).toEqual([1, 2, 3, 4])
    later(WINDOW_MS - 999)
    await runAlarm(ledger)
    expect(await rowsOf(ledger)).toEqual([3, 4])
    later(100 * WINDOW_MS)
    await runAlarm(ledger)
    await runAlarm(ledger)
    expect(await rowsOf(ledger)).toEqual([4])
  })

  it('frees all keys past their window in one alarm, and sets no separate alarm for the others', async () => {
    const ledger = await freshLedger(CREDITS)
    for (let i = 0; i < 120; i++) await burn(ledger, `k${i}`)
    await runAlarm(ledger)
    later(WINDOW_MS + 1)
    await burn(ledger, 'young')
    await runAlarm(ledger)
    expect(await rowsOf(ledger)).toEqual([122])
    await burn(ledger, 'younger')
    await runInDurableObject(ledger.stub, (_, { storage }) => storage.deleteAlarm())
    await runAlarm(ledger)
    expect(await alarmOf(ledger)).toBeNull()
  })

  it('runs again at once when there was more to free than one alarm does', async () => {
    const ledger = await freshLedger(CREDITS)
    for (let i = 0; i < 20; i++) await burn(ledger, `k${i}`)
    await runAlarm(ledger)
    later(WINDOW_MS + 1)
    await inStore(ledger, ({ journal }) => {
      const forgetBefore = journal.forgetBefore.bind(journal)
      // Reports a number of freed rows that is a million times too high, so that one alarm cannot free all rows.
      journal.forgetBefore = (at_ms) => forgetBefore(at_ms) * 1_000_000
    })
    await runAlarm(ledger)
    expect((await rowsOf(ledger)).length).toBeGreaterThan(1)
    expect(await alarmOf(ledger)).toBe(Date.now())
    for (let i = 0; i < 3; i++) await runAlarm(ledger)
    expect(await rowsOf(ledger)).toHaveLength(1)
  })

  it('of a ledger that was unused for the whole window is freed after its next start, for any cause of the start', async () => {
    const ledger = await freshLedger(CREDITS)
    await burn(ledger, 'k')
    await burn(ledger, 'newest')
    await runAlarm(ledger)
    later(WINDOW_MS + 1)
    await evictDurableObject(ledger.stub)
    await readBalance(env, ledger.name, { caller: CALLER, owner: { kind: 'customer' } })
    expect(await alarmOf(ledger)).not.toBeNull()
    await runAlarm(ledger)
    expect(await rowsOf(ledger)).toHaveLength(1)
  })

  it('of an unused ledger is freed by the cron, whether or not the object is running', async () => {
    const [resting, stopped, used] = [await freshLedger(1), await freshLedger(1), await freshLedger(1)]
    for (const ledger of [resting, stopped, used]) {
      await ask(ledger.stub, 'credit', grant(1))
      await runAlarm(ledger)
    }
    later(WINDOW_MS - 60_000)
    await burn(used, 'k')
    await runAlarm(used)
    later(120_000)
    // Deletes the alarm, so that the platform does not run it. Only the test runs it.
    await runInDurableObject(stopped.stub, (_, { storage }) => storage.deleteAlarm())
    await evictDurableObject(stopped.stub)
    await registerCustomers([resting, stopped, used])
    await runJob('ledgers')
    expect([await alarmOf(resting), await alarmOf(stopped)]).toEqual([Date.now(), Date.now()])
    for (const ledger of [resting, stopped]) {
      await runAlarm(ledger)
      expect(await rowsOf(ledger)).toEqual([2])
    }
  })

  it('keeps the numbers of entries, lots and wallets after rows are freed, even over a restart', async () => {
    const ledger = await freshLedger(CREDITS)
    await ask(ledger.stub, 'credit', grant(10, { owner: { kind: 'user', id: 'ann' } }))
    await burn(ledger, 'a')
    await burn(ledger, 'b')
    await runAlarm(ledger)
    later(WINDOW_MS + 1)
    await runAlarm(ledger)
    expect(await rowsOf(ledger)).toHaveLength(1)
    await evictDurableObject(ledger.stub)
    await ask(ledger.stub, 'credit', grant(10, { owner: { kind: 'user', id: 'bob' } }))
    expect((await journalEntries(ledger)).at(-1)).toMatchObject({
      number: 5,
      wallet: 3,
      owner: { kind: 'user', id: 'bob' },
      lots: [[3, 10]],
    })
    await runAlarm(ledger)
    expect(await watermark(ledger)).toMatchObject({ flushed_entry: 5 })
    const numbers = (await storedPages(ledger)).flatMap((page) => page.entries.map((entry) => entry.number))
    expect(numbers.sort()).toEqual([1, 2, 3, 4, 5])
  })

  it('holds exactly the remembered keys', async () => {
    const ledger = await freshLedger(CREDITS)
    for (let i = 0; i < 10; i++) {
      await burn(ledger, `k${i}`)
      later(WINDOW_MS / 6)
      await runAlarm(ledger)
    }
    const held = (await journalEntries(ledger)).flatMap(({ idempotency }) => idempotency?.key ?? [])
    expect(held.length).toBeLessThan(10)
    const all = Array.from({ length: 10 }, (_, i) => `k${i}`)
    expect(await remembered(ledger, all)).toEqual(held.sort())
  })
})
