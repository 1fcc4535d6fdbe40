import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest } from '../../src/ledger/client/client.ts'
import { jsonTextOf } from '../../src/ledger/model/json.ts'
import { LedgerIds, tagOf } from '../../src/ledger/model/ledger-ids.ts'
import { microCredits } from '../../src/pricing/money.ts'
import { d1Double } from '../support/d1.ts'
import {
  ask,
  freshLedger,
  inStore,
  journalEntries,
  runAlarm,
  type StoredPage,
  storedPages,
  type TestLedger,
  watermark,
  withD1,
} from '../support/ledgers.ts'
import { batch, eventItem, grant, metadataOf } from '../support/messages.ts'

vi.setConfig({ testTimeout: 30_000 })

const CREDITS = 1_000_000_000

function send(ledger: TestLedger, items: Parameters<typeof batch>[0]): Promise<unknown> {
  return ingest(env, ledger.name, batch(items))
}

function giveWallet(ledger: TestLedger, kind: 'user' | 'team', id: string): Promise<unknown> {
  return ask(ledger.stub, 'credit', grant(1000, { owner: { kind, id } }))
}

/** Returns the entries of all pages, sorted by number. Entries in pages have no idempotency key and no owner. */
function entriesOf(pages: readonly StoredPage[]) {
  return pages.flatMap((page) => page.entries).sort((a, b) => a.number - b.number)
}

async function expectSameAsJournal(ledger: TestLedger): Promise<void> {
  const journal = await journalEntries(ledger)
  const expected = journal.map(({ owner: _, idempotency: __, salt: ___, ...entry }) => entry)
  expect(entriesOf(await storedPages(ledger))).toStrictEqual(expected)
}

interface SubjectRow {
  readonly kind: string
  readonly number: number
  readonly external_id: string
}

async function subjects(ledger: TestLedger): Promise<SubjectRow[]> {
  const { results } = await env.DB.prepare(
    'SELECT kind, number, external_id FROM subjects WHERE ledger_id = ? ORDER BY kind, number',
  )
    .bind(ledgerKey(ledger.name))
    .all<SubjectRow>()
  return results
}

/** The maximum size of a parameter or a row in D1, in bytes. The local D1 does not enforce it. */
const D1_MAX_BYTES = 2_000_000

/** Returns a D1 database that records the length of the longest parameter of its statements, in bytes. */
function measuredD1(): { readonly db: D1Database; readonly longest: () => number } {
  let longest = 0
  const prepare = (query: string) => ({
    bind: (...values: unknown[]) => {
      for (const value of values) {
        if (typeof value === 'string') longest = Math.max(longest, new TextEncoder().encode(value).length)
      }
      return env.DB.prepare(query).bind(...values)
    },
  })
  const batch = (statements: D1PreparedStatement[]) => env.DB.batch(statements)
  const db = d1Double({ prepare, batch })
  return { db, longest: () => longest }
}

describe('a flush', () => {
  it('writes a page of each wallet and moves the watermark', async () => {
    const ledger = await freshLedger(1000)
    await giveWallet(ledger, 'user', 'ann')
    await send(ledger, [eventItem(1), eventItem(2, { user_id: 'ann' }), eventItem(3)])
    await runAlarm(ledger)
    expect(await storedPages(ledger)).toMatchObject([
      {
        flush_entry: 1,
        wallet_number: 1,
        first_entry: 1,
        last_entry: 5,
        entry_count: 3,
        balance_before_micro: 0,
        balance_after_micro: 996,
      },
      {
        flush_entry: 1,
        wallet_number: 2,
        first_entry: 2,
        last_entry: 4,
        entry_count: 2,
        balance_before_micro: 0,
        balance_after_micro: 998,
      },
    ])
    expect(await watermark(ledger)).toEqual({ flushed_row: 3, flushed_entry: 5 })
    await expectSameAsJournal(ledger)
  })

  it('after a flush writes nothing, and the next entries go into pages of their own', async () => {
    const ledger = await freshLedger(1000)
    await runAlarm(ledger)
    const first = await storedPages(ledger)
    await runAlarm(ledger)
    expect(await storedPages(ledger)).toEqual(first)
    await send(ledger, [eventItem(1)])
    await runAlarm(ledger)
    expect((await storedPages(ledger)).map((page) => page.flush_entry)).toEqual([1, 2])
  })

  it('makes pages that each begin with the final balance of the previous page', async () => {
    const ledger = await freshLedger(CREDITS)
    for (const id of ['ann', 'bob']) await giveWallet(ledger, 'user', id)
    for (let round = 0; round < 6; round++) {
      await send(ledger, [eventItem(round + 1), eventItem(7, { user_id: round % 2 ? 'ann' : 'bob' })])
      await runAlarm(ledger)
    }
    const balances = new Map<number, number>()
    for (const page of await storedPages(ledger)) {
      expect(page.balance_before_micro).toBe(balances.get(page.wallet_number) ?? 0)
      expect(page.balance_before_micro + page.entries.reduce((sum, { amount }) => sum + amount, 0)).toBe(
        page.balance_after_micro,
      )
      balances.set(page.wallet_number, page.balance_after_micro)
    }
    expect([...balances]).toEqual([
      [1, CREDITS - 21],
      [2, 1000 - 21],
      [3, 1000 - 21],
    ])
  })

  it('takes 3,000 events in several journal rows and in several steps, whole and in order', async () => {
    const ledger = await freshLedger(CREDITS)
    const note = 'x'.repeat(1000)
    for (let i = 0; i < 3; i++) {
      await send(
        ledger,
        Array.from({ length: 1000 }, (_, n) =>
          eventItem(1, { key: `${i}-${n}`, metadata: metadataOf({ n, note }) }),
        ),
      )
    }
    expect((await inStore(ledger, (store) => [...store.journal.rowsAfter(0)])).length).toBeGreaterThan(3)
    await runAlarm(ledger)
    const pages = await storedPages(ledger)
    expect(pages.length).toBeGreaterThan(1)
    expect(entriesOf(pages).map((entry) => entry.number)).toEqual(
      Array.from({ length: 3001 }, (_, i) => i + 1),
    )
    expect(await watermark(ledger)).toMatchObject({ flushed_entry: 3001 })
    await expectSameAsJournal(ledger)
  })

  it('stores the largest content: text of three bytes a character, and text that consists of quotes', async () => {
    const ledger = await freshLedger(CREDITS)
    for (const character of ['語', '"', '\\', '\u0001', '\ud800']) {
      const metadata = metadataOf({ note: character.repeat(1300) })
      await send(
        ledger,
        Array.from({ length: 250 }, () => eventItem(1, { metadata })),
      )
    }
    const { db, longest } = measuredD1()
    // Runs several alarms, because one alarm flushes only a limited number of rows.
    for (let i = 0; i < 3; i++) await withD1(ledger, db, () => runAlarm(ledger))
    expect(longest()).toBeLessThan(D1_MAX_BYTES)
    await expectSameAsJournal(ledger)
    const { results } = await env.DB.prepare(
      'SELECT length(CAST(body AS BLOB)) AS bytes FROM ledger_pages WHERE ledger_id = ?',
    )
      .bind(ledgerKey(ledger.name))
      .all<{ bytes: number }>()
    for (const { bytes } of results) expect(bytes).toBeLessThan(D1_MAX_BYTES)
  })

  it('moves the watermark over rows that hold results and no entries', async () => {
    const ledger = await freshLedger(1000)
    await runAlarm(ledger)
    const refused = batch([eventItem(5000)], { key: 'batch', fingerprint: 'f' })
    await ingest(env, ledger.name, refused)
    await runAlarm(ledger)
    expect(await watermark(ledger)).toEqual({ flushed_row: 2, flushed_entry: 1 })
    expect(await storedPages(ledger)).toHaveLength(1)
    expect(await inStore(ledger, (store) => store.journal.isDirty)).toBe(false)
  })

  it('names the owner of each wallet', async () => {
    const ledger = await freshLedger(0)
    await giveWallet(ledger, 'team', 'red')
    await giveWallet(ledger, 'user', 'ann')
    await runAlarm(ledger)
    const opened_at_ms = await inStore(ledger, (store) => store.identity?.opened_at_ms ?? 0)
    const ids = new LedgerIds(tagOf(ledger.name), opened_at_ms)
    const { results } = await env.DB.prepare(
      'SELECT wallet_number, wallet_id, owner_kind, owner_number FROM wallets WHERE ledger_id = ? ORDER BY wallet_number',
    )
      .bind(ledgerKey(ledger.name))
      .all()
    expect(results).toEqual([
      { wallet_number: 1, wallet_id: ids.wallet(1), owner_kind: 'customer', owner_number: null },
      { wallet_number: 2, wallet_id: ids.wallet(2), owner_kind: 'team', owner_number: 1 },
      { wallet_number: 3, wallet_id: ids.wallet(3), owner_kind: 'user', owner_number: 1 },
    ])
  })

  it('keeps metadata with any keys unchanged', async () => {
    const ledger = await freshLedger(1000)
    const metadata = jsonTextOf(
      '{"__proto__":{"a":1},"":0,"constructor":null,"1":1,"0":2,"💸":"\\u2028","null":null,"deep":[[{"x":1e21}]]}',
    )
    await send(ledger, [eventItem(1, { metadata })])
    await runAlarm(ledger)
    const [, event] = entriesOf(await storedPages(ledger))
    expect(event?.metadata).toBe(metadata)
  })
})

describe('users and teams in D1', () => {
  it('are numbered once, each kind from 1, for any number of flushes that name them', async () => {
    const ledger = await freshLedger(CREDITS)
    for (let round = 0; round < 3; round++) {
      await send(ledger, [
        eventItem(1, { user_id: 'ann', team_id: 'red' }),
        eventItem(1, { user_id: 'bob' }),
        eventItem(1, { user_id: `new-${round}`, team_id: 'ann' }),
      ])
      await runAlarm(ledger)
    }
    expect(await subjects(ledger)).toEqual([
      { kind: 'team', number: 1, external_id: 'red' },
      { kind: 'team', number: 2, external_id: 'ann' },
      { kind: 'user', number: 1, external_id: 'ann' },
      { kind: 'user', number: 2, external_id: 'bob' },
      { kind: 'user', number: 3, external_id: 'new-0' },
      { kind: 'user', number: 4, external_id: 'new-1' },
      { kind: 'user', number: 5, external_id: 'new-2' },
    ])
    await expectSameAsJournal(ledger)
  })

  it('are numbered by the first entry of a wallet that was flushed without entries', async () => {
    const ledger = await freshLedger(CREDITS)
    const owners = [
      { kind: 'team', id: 'red' },
      { kind: 'user', id: 'ann' },
    ] as const
    for (const owner of owners) {
      const movement = { type: 'OVERDRAFT', owner, limit: microCredits(CREDITS) } as const
      await ask(ledger.stub, 'move', { movement })
      await runAlarm(ledger)
      const adjustment = {
        type: 'ADJUSTMENT',
        owner,
        amount: microCredits(-CREDITS),
        reason: 'by hand',
      } as const
      await ask(ledger.stub, 'move', { movement: adjustment })
      await runAlarm(ledger)
    }
    expect((await watermark(ledger))?.flushed_entry).toBe((await journalEntries(ledger)).length)
    expect(await subjects(ledger)).toMatchObject([{ external_id: 'red' }, { external_id: 'ann' }])
    await expectSameAsJournal(ledger)
  })

  it('keep ids that look like something else apart', async () => {
    const ledger = await freshLedger(CREDITS)
    const ids = ['1', '01', '1.0', 'null', 'true', '[]', '"', "' OR 1=1 --", '🦄', 'A', 'a', ' a', 'a%']
    // Adds two different ids that look the same: a letter in composed form and in decomposed form.
    ids.push('\u00e9', 'e\u0301')
    await send(
      ledger,
      ids.map((user_id) => eventItem(1, { user_id })),
    )
    await runAlarm(ledger)
    expect((await subjects(ledger)).map((row) => row.external_id)).toEqual(ids)
    await expectSameAsJournal(ledger)
  })

  it('are 1,000 in one flush', async () => {
    const ledger = await freshLedger(CREDITS)
    await send(
      ledger,
      Array.from({ length: 1000 }, (_, i) => eventItem(1, { user_id: `user ${i}` })),
    )
    await runAlarm(ledger)
    expect(await subjects(ledger)).toHaveLength(1000)
    await expectSameAsJournal(ledger)
  })

  it('are named by number in pages, so that an erasure changes one row', async () => {
    const ledger = await freshLedger(CREDITS)
    await giveWallet(ledger, 'user', 'ann@example.com')
    await send(ledger, [eventItem(1, { user_id: 'ann@example.com' })])
    await runAlarm(ledger)
    const ledger_id = ledgerKey(ledger.name)
    const { results } = await env.DB.prepare('SELECT body FROM ledger_pages WHERE ledger_id = ?')
      .bind(ledger_id)
      .all()
    expect(JSON.stringify(results)).not.toContain('ann@example.com')
    await env.DB.prepare('DELETE FROM subjects WHERE ledger_id = ?').bind(ledger_id).run()
    const burned = entriesOf(await storedPages(ledger)).at(-1)
    expect(burned?.event?.user_id).toBe('erased-user-1')
  })

  it('of two customers are separate, even with the same ids', async () => {
    const [one, two] = [await freshLedger(CREDITS), await freshLedger(CREDITS)]
    await send(one, [eventItem(1, { user_id: 'x' }), eventItem(1, { user_id: 'ann' })])
    await send(two, [eventItem(2, { user_id: 'ann' })])
    await Promise.all([runAlarm(one), runAlarm(two)])
    expect(await subjects(one)).toMatchObject([{ external_id: 'x' }, { external_id: 'ann', number: 2 }])
    expect(await subjects(two)).toMatchObject([{ external_id: 'ann', number: 1 }])
    await expectSameAsJournal(one)
    await expectSameAsJournal(two)
  })
})
