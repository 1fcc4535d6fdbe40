import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import type { Bindings } from '../../src/bindings.ts'
import { MAX_PARAMETER_BYTES } from '../../src/db/json-parameters.ts'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest } from '../../src/ledger/client/client.ts'
import { LedgerIds, tagOf } from '../../src/ledger/model/ledger-ids.ts'
import type { EntryFilter } from '../../src/ledger/model/messages/ledger.ts'
import { findEntry, listEntries } from '../../src/projection/read/list-entries.ts'
import { d1Double } from '../support/d1.ts'
import {
  freshLedger,
  inStore,
  journalEntries,
  runAlarm,
  storedPages,
  type TestLedger,
  watermark,
  withD1,
} from '../support/ledgers.ts'
import { batch, CALLER, eventItem, metadataOf, single } from '../support/messages.ts'

/**
 * Tests that the queries of the projection stay within the limits of D1, and do not read more rows when the ledger has
 * more data that they do not need.
 */

const CREDITS = 1_000_000_000
const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)

interface Asked {
  statements: number
  rows: number
  longest_parameter: number
}

/** Returns a D1 database that counts its statements and their rows, and records the length of the longest parameter. */
function watched(): { readonly db: D1Database; readonly asked: Asked } {
  const asked: Asked = { statements: 0, rows: 0, longest_parameter: 0 }
  const watch = (statement: D1PreparedStatement): D1PreparedStatement =>
    Object.create(statement, {
      bind: {
        value: (...values: unknown[]) => {
          for (const value of values) {
            if (typeof value !== 'string') continue
            asked.longest_parameter = Math.max(
              asked.longest_parameter,
              new TextEncoder().encode(value).length,
            )
          }
          return bound(statement.bind(...values))
        },
      },
    })
  const bound = (statement: D1PreparedStatement): D1PreparedStatement => {
    const all = async () => {
      const result = await statement.all()
      asked.statements++
      asked.rows += result.results.length
      return result
    }
    return new Proxy(statement, { get: (target, name) => (name === 'all' ? all : Reflect.get(target, name)) })
  }
  const db = d1Double({ prepare: (query: string) => watch(env.DB.prepare(query)) })
  return { db, asked }
}

async function flushedOften(times: number): Promise<TestLedger> {
  const ledger = await freshLedger(CREDITS)
  for (let i = 0; i < times; i++) {
    await ingest(env, ledger.name, batch([eventItem(1), eventItem(2)]))
    await runAlarm(ledger)
  }
  return ledger
}

describe('one entry that D1 has', () => {
  it('is read from one page, for any number of pages', async () => {
    const ledger = await flushedOften(20)
    const opened_at_ms = await inStore(ledger, ({ identity }) => identity?.opened_at_ms ?? 0)
    const ids = new LedgerIds(tagOf(ledger.name), opened_at_ms)
    for (const entry of (await journalEntries(ledger)).slice(-12)) {
      const { db, asked } = watched()
      const bindings: Bindings = { ...env, DB: db }
      const { customer_id, mode } = ledger.name
      const query = { ledger: { customer_id, mode }, caller: CALLER }
      const found = await findEntry(bindings, query, 'evt', ids.event(entry))
      expect(found).toMatchObject({ kind: 'found', entry: { number: entry.number } })
      expect(asked).toMatchObject({ statements: 1, rows: 1 })
    }
  })
})

describe('a list', () => {
  it.each<[string, EntryFilter]>([
    ['of transactions', {}],
    ['of events', { event: {} }],
    ["of a wallet's transactions", { owner: { kind: 'customer' } }],
  ])('%s ends at `from`, and does not read older pages', async (_, filter) => {
    const ledger = await flushedOften(60)
    const { db, asked } = watched()
    // The read starts a few minutes before `from`, because an event can arrive five minutes before its timestamp, and
    // clocks can differ by one minute.
    const from_ms = Date.now() + 3_600_000
    const query = { ledger: ledger.name, caller: CALLER, before_entry: null, limit: 50 }
    const page = await listEntries({ ...env, DB: db }, { ...query, filter: { ...filter, from_ms } })
    expect(page).toMatchObject({ kind: 'done', entries: [], next_before_entry: null })
    expect(asked.statements).toBe(1)

    const all = await listEntries(env, { ...query, filter: { ...filter, from_ms: Date.now() - 3_600_000 } })
    expect(all.kind === 'done' && all.entries.length).toBe(50)
  })

  it("ends at `from` among the object's own rows too, and includes events dated before it", async () => {
    const ledger = await freshLedger(CREDITS)
    const ahead_ms = Date.now() + 4 * 60_000
    await ingest(
      env,
      ledger.name,
      batch([eventItem(1), eventItem(2, { timestamp_ms: ahead_ms }), eventItem(3)]),
    )
    const { db, asked } = watched()
    const list = (from_ms: number) =>
      listEntries(
        { ...env, DB: db },
        {
          ledger: ledger.name,
          caller: CALLER,
          before_entry: null,
          limit: 50,
          filter: { event: {}, from_ms },
        },
      )
    expect(await list(ahead_ms)).toMatchObject({ entries: [{ number: 3 }], next_before_entry: null })
    expect(await list(ahead_ms + 3_600_000)).toMatchObject({ entries: [], next_before_entry: null })
    await runAlarm(ledger)
    expect(await list(ahead_ms)).toMatchObject({ entries: [{ number: 3 }], next_before_entry: null })
    expect(asked.statements).toBe(1)
  })
})

describe('a flush', () => {
  it('never sends D1 a parameter that is too large, for any characters', async () => {
    const ledger = await freshLedger(CREDITS)
    for (const character of ['語', '"', '\\', '\u0001', '\ud800', '🦄']) {
      const metadata = metadataOf({ note: character.repeat(1300) })
      await ingest(env, ledger.name, batch(Array.from({ length: 400 }, () => eventItem(1, { metadata }))))
    }
    const { db, asked } = watched()
    await withD1(ledger, db, () => runAlarm(ledger))
    expect(await inStore(ledger, ({ journal }) => journal.isDirty)).toBe(false)
    expect(asked.longest_parameter).toBeGreaterThan(1_000_000)
    expect(asked.longest_parameter).toBeLessThanOrEqual(MAX_PARAMETER_BYTES)
  })
})

describe('an object that was restored to an earlier point in time, with D1 ahead of it', () => {
  async function restored(): Promise<TestLedger> {
    const ledger = await flushedOften(3)
    await runInDurableObject(ledger.stub, (_, { storage }) => {
      storage.sql.exec('DELETE FROM journal WHERE row_id > 2')
      storage.sql.exec("UPDATE meta SET value = json_set(value, '$.row', 2) WHERE key = 'cursor'")
    })
    await evictDurableObject(ledger.stub)
    return ledger
  }

  it('keeps its commits, and logs the reason', async () => {
    const ledger = await restored()
    const before = await watermark(ledger)
    await ingest(env, ledger.name, single(eventItem(1)))
    await runAlarm(ledger)
    expect(await watermark(ledger)).toEqual(before)
    expect(await inStore(ledger, ({ journal }) => journal.isDirty)).toBe(true)
    expect(log.mock.calls.flat().join()).toMatch(/restored from an older state/)
  })

  it("keeps its commits even after it has reached or passed D1's position", async () => {
    const ledger = await restored()
    const pages = await storedPages(ledger)
    await scheduler.wait(5)
    for (let i = 0; i < 4; i++) {
      await ingest(env, ledger.name, batch([eventItem(1), eventItem(2)]))
      await runAlarm(ledger)
    }
    expect(await inStore(ledger, ({ counters }) => counters.entry)).toBeGreaterThan(7)
    expect(await inStore(ledger, ({ journal }) => journal.flushedRow)).toBe(2)
    expect(await storedPages(ledger)).toEqual(pages)
    const known = await env.DB.prepare('SELECT flushed_row FROM ledgers WHERE ledger_id = ?')
      .bind(ledgerKey(ledger.name))
      .first('flushed_row')
    expect(known).toBe(4)
  })
})
