import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import { alarmOf } from '../faults/injection.ts'
import {
  ask,
  freshLedger,
  inStore,
  journalEntries,
  runAlarm,
  storedBalances,
  storedPages,
  type TestLedger,
} from '../support/ledgers.ts'
import { batch, eventItem, grant, metadataOf, single } from '../support/messages.ts'

/**
 * Tests when a ledger sets its alarm, what the alarm does, and what it costs. The platform bills each setting of an
 * alarm as a written row.
 */

const CREDITS = 1_000_000_000
const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 86_400_000

const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)
afterEach(() => {
  vi.useRealTimers()
})

/** Counts how often the object sets its alarm. Returns a function that returns the count. */
async function alarmsSet(ledger: TestLedger): Promise<() => number> {
  let sets = 0
  await runInDurableObject(ledger.stub, (_, { storage }) => {
    const setAlarm = storage.setAlarm.bind(storage)
    Reflect.set(storage, 'setAlarm', (at_ms: number) => {
      sets++
      return setAlarm(at_ms)
    })
  })
  return () => sets
}

function burn(ledger: TestLedger, key: string): Promise<unknown> {
  return ingest(env, ledger.name, single(eventItem(1, { key })))
}

describe('the alarm is set', () => {
  it('once for all commits of one flush', async () => {
    const ledger = await freshLedger(CREDITS)
    await runAlarm(ledger)
    const sets = await alarmsSet(ledger)
    for (let i = 0; i < 20; i++) await burn(ledger, `k${i}`)
    expect(sets()).toBe(1)
  })

  it('once for each event of a rarely used ledger, and not again to forget its keys', async () => {
    const ledger = await freshLedger(CREDITS)
    await runAlarm(ledger)
    const sets = await alarmsSet(ledger)
    for (let i = 0; i < 10; i++) {
      await burn(ledger, `k${i}`)
      await runAlarm(ledger)
    }
    expect(sets()).toBe(10)
  })

  it('a year ahead at most, for a lot that expires in the year 9999', async () => {
    const ledger = await freshLedger(CREDITS)
    await ask(ledger.stub, 'credit', grant(1000, { expires_at_ms: Date.UTC(9999, 11, 31) }))
    await runInDurableObject(ledger.stub, (_, { storage }) => storage.deleteAlarm())
    await runAlarm(ledger)
    const at_ms = await alarmOf(ledger)
    expect(at_ms).toBeGreaterThan(Date.now() + YEAR_MS - 60_000)
    expect(at_ms).toBeLessThanOrEqual(Date.now() + YEAR_MS)
    await burn(ledger, 'k')
    expect(await alarmOf(ledger)).toBeLessThan(Date.now() + 86_400_000)
  })
})

describe('a flush', () => {
  it('again at once if it could not handle all items', async () => {
    const ledger = await freshLedger(CREDITS)
    for (let i = 0; i < 50; i++) await burn(ledger, `k${i}`)
    await inStore(ledger, ({ journal }) => {
      // Makes each flush contain only one row, as if each row were large enough to fill a flush.
      const rowsAfter = journal.rowsAfter.bind(journal)
      journal.rowsAfter = function* (row_id) {
        for (const row of rowsAfter(row_id)) return yield row
      }
    })
    await runAlarm(ledger)
    expect(await inStore(ledger, ({ journal }) => journal.isDirty)).toBe(true)
    expect(await alarmOf(ledger)).toBeLessThanOrEqual(Date.now())
    await runAlarm(ledger)
    expect(await inStore(ledger, ({ journal }) => journal.isDirty)).toBe(false)
  })

  it('handles the items that existed when it began, and writes no page for each later event', async () => {
    const ledger = await freshLedger(CREDITS)
    await burn(ledger, 'first')
    const meanwhile = Array.from({ length: 30 }, (_, i) => burn(ledger, `k${i}`))
    await Promise.all([runAlarm(ledger), ...meanwhile])
    await runAlarm(ledger)
    expect((await storedPages(ledger)).length).toBeLessThanOrEqual(2)
    expect((await storedPages(ledger)).flatMap(({ entries }) => entries)).toHaveLength(32)
  })

  it('handles two full rows at once, for any characters', async () => {
    const ledger = await freshLedger(CREDITS)
    await runAlarm(ledger)
    const metadata = metadataOf({ note: '語'.repeat(1300) })
    const items = Array.from({ length: 300 }, () => eventItem(1, { metadata }))
    await ingest(env, ledger.name, batch(items))
    const rows = await inStore(ledger, ({ journal }) => [...journal.rowsAfter(1)])
    expect(rows).toHaveLength(2)
    await runAlarm(ledger)
    expect((await storedPages(ledger)).slice(1)).toMatchObject([{ entry_count: 300 }])
  })
})

describe('a wallet that is broken', () => {
  it("does not delay the expiry of other wallets' lots, and is named in the log", async () => {
    // The clock is a year ahead, so that the platform does not run the alarm before the test does.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + YEAR_MS })
    const ledger = await freshLedger(CREDITS)
    const expires_at_ms = Date.now() + HOUR_MS
    for (const id of ['ann', 'bob', 'zoe']) {
      await ask(ledger.stub, 'credit', grant(1000, { owner: { kind: 'user', id }, expires_at_ms }))
    }
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE wallets SET balance_micro = balance_micro + 1 WHERE wallet_key = 'user:bob'")
    })
    await evictDurableObject(ledger.stub)
    vi.setSystemTime(expires_at_ms)
    await runAlarm(ledger)
    expect(await storedBalances(ledger)).toEqual({
      customer: CREDITS,
      'user:ann': 0,
      'user:bob': 1001,
      'user:zoe': 0,
    })
    const expired = (await journalEntries(ledger)).filter(({ type }) => type === 'EXPIRATION')
    expect(expired.map(({ wallet }) => wallet)).toEqual([2, 4])
    expect(log.mock.calls.flat().join()).toContain('wallet 3 is broken')
  })

  it('does not delay the alarm for other wallets that become due later', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + YEAR_MS })
    const ledger = await freshLedger(CREDITS)
    const due_at_ms = Date.now() + HOUR_MS
    const creditUntil = (id: string, expires_at_ms: number) =>
      ask(ledger.stub, 'credit', grant(1000, { owner: { kind: 'user', id }, expires_at_ms }))
    await creditUntil('bob', due_at_ms)
    await creditUntil('zoe', due_at_ms + 5_000)
    await runAlarm(ledger)
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE wallets SET balance_micro = balance_micro + 1 WHERE wallet_key = 'user:bob'")
    })
    await evictDurableObject(ledger.stub)
    vi.setSystemTime(due_at_ms)
    // The object restarts with the alarm, so all failures are consecutive. After four failures, the delay is 8 s.
    for (let failure = 0; failure < 4; failure++) await runAlarm(ledger)
    const armed = () => runInDurableObject(ledger.stub, (_, { storage }) => storage.getAlarm())
    expect(await armed()).toBe(due_at_ms + 5_000)
    // A commit also arms the alarm for its own wallet.
    await creditUntil('ann', due_at_ms + 2_000)
    expect(await armed()).toBe(due_at_ms + 2_000)
    vi.setSystemTime(due_at_ms + 5_000)
    await runAlarm(ledger)
    expect(await storedBalances(ledger)).toMatchObject({ 'user:ann': 0, 'user:bob': 1001, 'user:zoe': 0 })
    // Without later due times, the broken wallet waits for its retry delay of 16 s.
    expect(await armed()).toBe(due_at_ms + 5_000 + 16_000)
  })
})
