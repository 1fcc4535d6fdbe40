import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { credit, ingest } from '../../src/ledger/client/client.ts'
import type { Books } from '../../src/ledger/model/messages/ledger.ts'
import { checkPages, NOTHING_CHECKED } from '../../src/projection/reconcile/check-pages.ts'
import { type Reconciliation, reconcileLedger } from '../../src/projection/reconcile/reconcile.ts'
import { reconcileDue } from '../../src/projection/reconcile/reconcile-all.ts'
import { NO_USAGE, packTotals } from '../../src/usage/cells/cells.ts'
import { readRollup } from '../../src/usage/rollups/read.ts'
import { unique } from '../support/customers.ts'
import { freshLedger, inStore, runAlarm, storedPages, type TestLedger } from '../support/ledgers.ts'
import { batch, eventItem, grant } from '../support/messages.ts'
import { captureUsage, deliver, rollupRows } from '../support/usage.ts'

/** Creates a ledger with three wallets and three flushes. The rollups include all three flushes. */
async function usedLedger(): Promise<TestLedger> {
  const ledger = await freshLedger(1_000_000_000)
  const sent = await captureUsage(ledger)
  for (const id of ['ann', 'bob'])
    await credit(env, ledger.name, grant(5_000_000, { owner: { kind: 'user', id } }))
  for (let flush = 0; flush < 3; flush++) {
    const items = Array.from({ length: 20 }, (_, i) =>
      eventItem(1000 + i, { ...(i % 3 > 0 && { user_id: ['ann', 'bob'][i % 2] ?? '' }) }),
    )
    await ingest(env, ledger.name, batch(items))
    await runAlarm(ledger)
  }
  await deliver(sent)
  return ledger
}

async function reconcile(ledger: TestLedger, full = true): Promise<Reconciliation> {
  const result = await reconcileLedger(env, ledger.name, { full, now_ms: Date.now() })
  if (result.kind !== 'done') throw new Error('the ledger did not respond')
  return result
}

const run = (ledger: TestLedger, query: string, ...values: (string | number)[]) =>
  env.DB.prepare(query)
    .bind(ledgerKey(ledger.name), ...values)
    .run()

/** Returns the ledger's pages and rollups, which are all data that a reconciliation could change. */
async function books(ledger: TestLedger): Promise<object> {
  const { results } = await env.DB.prepare(
    'SELECT * FROM ledger_pages WHERE ledger_id = ? ORDER BY flush_entry, wallet_number',
  )
    .bind(ledgerKey(ledger.name))
    .all()
  return { pages: results, rollups: await rollupRows(ledger) }
}

describe('equal books', () => {
  it('are not changed', async () => {
    const ledger = await usedLedger()
    const before = await books(ledger)
    expect(await reconcile(ledger)).toMatchObject({ status: 'OK', checked_entry: 63, differences: [] })
    expect(await books(ledger)).toEqual(before)
  })

  it('are checked from where the last check ended', async () => {
    const ledger = await usedLedger()
    await reconcile(ledger)
    await ingest(env, ledger.name, batch([eventItem(7)]))
    // Damages a page of the first flush, which was already checked, so only a full check finds the damage.
    await run(
      ledger,
      'UPDATE ledger_pages SET events = events + 1 WHERE ledger_id = ? AND flush_entry = ?',
      1,
    )
    expect(await reconcile(ledger, false)).toMatchObject({ status: 'OK', checked_entry: 64 })
    expect(await reconcile(ledger)).toMatchObject({ status: 'REPAIRED' })
  })

  it('agree when messages are late: pages replace them, and the messages change nothing when they arrive', async () => {
    const ledger = await freshLedger(1_000_000_000)
    const sent = await captureUsage(ledger)
    await ingest(env, ledger.name, batch([eventItem(1000), eventItem(2000)]))
    expect(await reconcile(ledger)).toMatchObject({ status: 'OK' })
    expect(sent).not.toEqual([])
    const before = await books(ledger)
    await deliver(sent)
    expect(await books(ledger)).toEqual(before)
  })

  it('of a ledger in which nothing happened agree', async () => {
    const ledger = await freshLedger(0)
    expect(await reconcile(ledger)).toMatchObject({ status: 'OK', checked_entry: 0 })
  })
})

describe('rows that the journal still has are written again', () => {
  it.each([
    [
      'a page of one wallet is gone',
      'DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry = 24 AND wallet_number = 2',
      'pages_missing',
    ],
    [
      'all pages of a flush are gone',
      'DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry = 24',
      'pages_missing',
    ],
    [
      'the first pages are gone',
      'DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry < 24',
      'pages_missing',
    ],
    [
      'the last pages are gone',
      'DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry > 24',
      'pages_missing',
    ],
    ['all pages are gone', 'DELETE FROM ledger_pages WHERE ledger_id = ?', 'pages_missing'],
    [
      'a page says that it has more events',
      'UPDATE ledger_pages SET events = events + 1 WHERE ledger_id = ? AND flush_entry = 24',
      'page_sums',
    ],
    [
      'a page says that it cost less',
      'UPDATE ledger_pages SET cost_pico = cost_pico - 1 WHERE ledger_id = ? AND flush_entry = 24 AND wallet_number = 1',
      'page_sums',
    ],
    [
      'a page begins elsewhere',
      'UPDATE ledger_pages SET balance_before_micro = 7 WHERE ledger_id = ? AND flush_entry = 24 AND wallet_number = 3',
      'wallet_chain',
    ],
    [
      'a page ends elsewhere',
      'UPDATE ledger_pages SET balance_after_micro = 7 WHERE ledger_id = ? AND flush_entry = 24 AND wallet_number = 3',
      'wallet_chain',
    ],
  ])('when %s', async (_, damage, kind) => {
    const ledger = await usedLedger()
    const before = await storedPages(ledger)
    await run(ledger, damage)
    const { status, differences } = await reconcile(ledger)
    expect({ status, kinds: differences.map((difference) => difference.kind) }).toMatchObject({
      status: 'REPAIRED',
      kinds: expect.arrayContaining([kind]),
    })
    const entries = (pages: Awaited<ReturnType<typeof storedPages>>) =>
      pages.flatMap((page) => page.entries).sort((a, b) => a.number - b.number)
    expect(entries(await storedPages(ledger))).toEqual(entries(before))
    expect(await reconcile(ledger)).toMatchObject({ status: 'OK', differences: [] })
  })

  it('differences name their place', async () => {
    const ledger = await usedLedger()
    await run(
      ledger,
      'DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry = 24 AND wallet_number = 2',
    )
    const { differences } = await reconcile(ledger)
    expect(differences[0]).toMatchObject({
      kind: 'pages_missing',
      from_entry: 24,
      to_entry: 43,
      expected: '20 entries',
    })
  })
})

describe('rollups are rebuilt from pages', () => {
  it.each([
    ['a day is gone', 'DELETE FROM rollup_days WHERE ledger_id = ?', 'usage_of_days'],
    [
      'the sums are wrong',
      `UPDATE rollup_watermarks SET totals = replace(totals, '"events":60', '"events":61') WHERE ledger_id = ?`,
      'usage_of_rollups',
    ],
  ])('when %s', async (_, damage, kind) => {
    const ledger = await usedLedger()
    const before = await rollupRows(ledger)
    await run(ledger, damage)
    expect(await reconcile(ledger)).toMatchObject({ status: 'REPAIRED', differences: [{ kind }] })
    expect(await rollupRows(ledger)).toEqual(before)
    expect(await reconcile(ledger)).toMatchObject({ status: 'OK' })
  })

  it('when they were never made', async () => {
    const ledger = await usedLedger()
    for (const table of ['rollup_watermarks', 'rollup_days', 'rollup_users']) {
      await run(ledger, `DELETE FROM ${table} WHERE ledger_id = ?`)
    }
    expect(await reconcile(ledger)).toMatchObject({ status: 'OK' })
    expect(await readRollup(env.DB, ledgerKey(ledger.name))).toMatchObject({ rolled_entry: 63 })
  })
})

describe('differences that cannot be repaired', () => {
  it('is reported at every check until it is repaired', async () => {
    const ledger = await usedLedger()
    const [first] = await storedPages(ledger)
    // Frees the journal rows, so that the damaged page is older than the oldest row and cannot be rewritten.
    await inStore(ledger, (store) => void store.journal.forgetBefore(Date.now() + 1_000_000))
    await run(
      ledger,
      'DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry = ?',
      first?.flush_entry ?? 0,
    )
    for (let check = 0; check < 2; check++) {
      const { status, differences } = await reconcile(ledger, false)
      expect(status).toBe('DIFFERENT')
      expect(differences).toContainEqual(expect.objectContaining({ kind: 'pages_missing', from_entry: 1 }))
    }
  })

  it('does not delay the check of other ledgers', async () => {
    const broken = await usedLedger()
    const whole = await usedLedger()
    await inStore(broken, (store) => void store.journal.forgetBefore(Date.now() + 1_000_000))
    await run(broken, 'DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry < 24')
    const looked = new Map<string, string>()
    for (let more = true; more; ) {
      const now_ms = Date.now()
      const { results, more: there_is } = await reconcileDue(env, {
        since_ms: now_ms - 60_000,
        full: false,
        now_ms,
      })
      for (const result of results) if (result.kind === 'done') looked.set(result.ledger_id, result.status)
      more = there_is
    }
    expect(looked.get(ledgerKey(broken.name))).toBe('DIFFERENT')
    expect(looked.get(ledgerKey(whole.name))).toBe('OK')
  })
})

it('a gap is reported as whole flushes, wherever a read of a thousand ends', async () => {
  const ledger_id = unique('long')
  // Each flush has one entry in each of two wallets. In one flush, the page of the second wallet is missing.
  const insert = `
    INSERT INTO ledger_pages (ledger_id, flush_entry, wallet_number, format, first_entry, last_entry, entry_count, first_at_ms,
      last_at_ms, balance_before_micro, balance_after_micro, oldest_ms, events, burned_micro, cost_micro, cost_pico, price_micro,
      price_pico, paid_micro, paid_pico, body)
    WITH RECURSIVE flush(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM flush WHERE n < 1001)
    SELECT ?1, 2 * n + 1, wallet.value, 1, 2 * n + wallet.value, 2 * n + wallet.value, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, '[]'
    FROM flush, json_each('[1,2]') AS wallet WHERE NOT (n = ?2 AND wallet.value = 2)`
  const usage = packTotals(NO_USAGE)
  const full: Books = { flushed_entry: 2004, balance_micro: '0', usage, hash: null }
  for (const n of [998, 999, 1000, 1001]) {
    await env.DB.prepare('DELETE FROM ledger_pages WHERE ledger_id = ?').bind(ledger_id).run()
    await env.DB.prepare(insert).bind(ledger_id, n).run()
    const { differences } = await checkPages(env.DB, ledger_id, full, NOTHING_CHECKED)
    expect(differences).toMatchObject([
      { kind: 'pages_missing', from_entry: 2 * n + 1, to_entry: 2 * n + 2, found: '1 entries' },
    ])
  }
})

it('a flush whose sums pass 2^63 is compared to the last digit', async () => {
  const ledger_id = unique('rich')
  // One flush has a page for each of three wallets, with the largest or smallest possible values in the columns. Each
  // value is valid, but a sum of the pages in SQLite overflows.
  const insert = `
    INSERT INTO ledger_pages (ledger_id, flush_entry, wallet_number, format, first_entry, last_entry, entry_count, first_at_ms,
      last_at_ms, balance_before_micro, balance_after_micro, oldest_ms, events, burned_micro, cost_micro, cost_pico, price_micro,
      price_pico, paid_micro, paid_pico, body)
    SELECT ?1, 1, value, 1, value, value, 1, 1, 1, 0, 0, 1, 1, 9223372036854775807, 9223372036854775807, 999999,
      -9223372036854775807, -999999, 9223372036854775806, 1, '[]' FROM json_each('[1,2,3]')`
  await env.DB.prepare(insert).bind(ledger_id).run()
  const most = 3n * (2n ** 63n - 1n)
  const usage = packTotals({
    events: 3n,
    credits_micro: most,
    cost_pico: most * 1_000_000n + 2_999_997n,
    price_pico: -most * 1_000_000n - 2_999_997n,
    paid_pico: (most - 3n) * 1_000_000n + 3n,
  })
  const agreeing: Books = { flushed_entry: 3, balance_micro: '0', usage, hash: null }
  const { checked, differences } = await checkPages(env.DB, ledger_id, agreeing, NOTHING_CHECKED)
  expect(differences).toEqual([])
  expect(packTotals(checked.usage)).toBe(usage)
})

it('a busy ledger is compared up to the last entry in D1', async () => {
  const ledger = await usedLedger()
  const [result] = await Promise.all([
    reconcile(ledger),
    ...Array.from({ length: 20 }, () => ingest(env, ledger.name, batch([eventItem(1000)]))),
  ])
  expect(result).toMatchObject({ status: 'OK', differences: [] })
  expect(await reconcile(ledger)).toMatchObject({ status: 'OK', checked_entry: 83 })
})
