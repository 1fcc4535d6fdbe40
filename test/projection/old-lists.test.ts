import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ingest } from '../../src/ledger/client/client.ts'
import type { Entry } from '../../src/ledger/model/journal.ts'
import type { EntryFilter } from '../../src/ledger/model/messages/ledger.ts'
import { listEntries } from '../../src/projection/read/list-entries.ts'
import { countingD1 } from '../support/d1.ts'
import { ask, freshLedger, inStore, journalEntries, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { batch, CALLER, type EventOptions, eventItem, grant } from '../support/messages.ts'

vi.setConfig({ testTimeout: 120_000 })

/**
 * Tests lists of a period that ended long ago. They must not read all newer pages, but must include entries that arrive
 * late. Entries that the ledger object has freed are read from D1.
 */

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const FLUSHES = 200

let now_ms: number

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  now_ms = Date.now()
})
afterEach(() => {
  vi.useRealTimers()
})

async function use(ledger: TestLedger, events: number, options: EventOptions = {}): Promise<void> {
  const items = Array.from({ length: events }, (_, i) =>
    eventItem(1, { timestamp_ms: now_ms - i, ...(i % 2 && { user_id: 'ann' }), ...options }),
  )
  await ingest(env, ledger.name, batch(items))
}

/** Creates a ledger with two wallets that is used and flushed every six hours for fifty days. */
async function longLife(): Promise<TestLedger> {
  const ledger = await freshLedger(1_000_000)
  await ask(ledger.stub, 'credit', grant(100_000, { owner: { kind: 'user', id: 'ann' } }))
  for (let i = 0; i < FLUSHES; i++) {
    now_ms += 6 * HOUR_MS
    vi.setSystemTime(now_ms)
    await use(ledger, 4)
    await runAlarm(ledger)
  }
  return ledger
}

interface Listed {
  readonly entries: Entry[]
  readonly rows: number
  readonly answers: number
}

/** Reads a whole list page by page, and counts the rows that D1 reads. */
async function list(ledger: TestLedger, filter: EntryFilter, limit = 50): Promise<Listed> {
  const { db, counts } = countingD1()
  const entries: Entry[] = []
  let before_entry: number | null = null
  for (let answers = 1; ; answers++) {
    const query = { ledger: ledger.name, caller: CALLER, filter, before_entry, limit }
    const page = await listEntries({ ...env, DB: db }, query)
    if (page.kind === 'refused') throw new Error('refused')
    entries.push(...page.entries)
    before_entry = page.next_before_entry
    if (before_entry === null) return { entries, rows: counts.rows_read, answers }
    expect(answers).toBeLessThan(500)
  }
}

function shown(entries: readonly Entry[], filter: EntryFilter): number[] {
  const { from_ms = 0, to_ms = Number.POSITIVE_INFINITY, event, owner } = filter
  return entries
    .filter((entry) => {
      if (event && !entry.event) return false
      if (owner?.kind === 'user' && entry.wallet !== 2) return false
      const at_ms = event && entry.event ? entry.event.timestamp_ms : (entry.effective_at_ms ?? entry.at_ms)
      return at_ms >= from_ms && at_ms < to_ms
    })
    .map(({ number }) => number)
    .sort((a, b) => b - a)
}

describe('a list with an old `to`', () => {
  it('begins there, without reading hundreds of newer pages', async () => {
    const ledger = await longLife()
    const all = (await list(ledger, {})).entries
    const to_ms = now_ms - 45 * DAY_MS
    for (const event of [undefined, {}]) {
      for (const owner of [undefined, { kind: 'user', id: 'ann' } as const]) {
        const filter = {
          to_ms,
          from_ms: to_ms - 2 * DAY_MS,
          ...(event && { event }),
          ...(owner && { owner }),
        }
        const { entries, rows } = await list(ledger, filter)
        expect(entries.map(({ number }) => number)).toEqual(shown(all, filter))
        expect(entries.length).toBeGreaterThan(10)
        // Finding the first page takes about forty rows. After that, the list reads only the pages of two days.
        expect(rows).toBeLessThan(110)
      }
    }
  })

  it('still shows late events, out of D1 and out of the object', async () => {
    const ledger = await longLife()
    const old_ms = now_ms - 20 * DAY_MS
    await use(ledger, 3, { timestamp_ms: old_ms })
    await runAlarm(ledger)
    now_ms += 6 * HOUR_MS
    vi.setSystemTime(now_ms)
    await use(ledger, 2)
    await runAlarm(ledger)
    await use(ledger, 2, { timestamp_ms: old_ms - 5 })
    const all = (await list(ledger, {})).entries
    for (const filter of [
      { event: {}, to_ms: old_ms + 1, from_ms: old_ms - DAY_MS },
      { event: {}, to_ms: old_ms, from_ms: old_ms - DAY_MS },
      { event: {}, to_ms: old_ms + 1 },
      { to_ms: old_ms + 1 },
    ]) {
      for (const limit of [1, 7, 50]) {
        const { entries } = await list(ledger, filter, limit)
        expect(entries.map(({ number }) => number)).toEqual(shown(all, filter))
      }
    }
    const { entries, rows } = await list(ledger, { event: {}, to_ms: old_ms + 1, from_ms: old_ms })
    expect(entries.length).toBeGreaterThanOrEqual(3)
    expect(rows).toBeLessThan(150)
  })
})

describe('an entry that the object has freed', () => {
  it('is read from D1: the list is complete, and the object holds only its window', async () => {
    const ledger = await longLife()
    await runAlarm(ledger)
    const kept = await journalEntries(ledger)
    const { rows, entry } = await inStore(ledger, ({ journal, counters }) => ({
      rows: journal.lastRow - journal.oldestRow() + 1,
      entry: counters.entry,
    }))
    // The object keeps the rows of seven of the fifty days. Each day has four rows, one for each flush.
    expect(rows).toBeLessThan(40)
    expect(kept.length).toBeLessThan(entry / 4)
    const { entries } = await list(ledger, {})
    expect(entries.map(({ number }) => number)).toEqual(Array.from({ length: entry }, (_, i) => entry - i))
  })
})
