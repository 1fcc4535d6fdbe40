import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest, openLedger } from '../../src/ledger/client/client.ts'
import { readRollup } from '../../src/usage/rollups/read.ts'
import { continueRebuild, rebuildLedger } from '../../src/usage/rollups/rebuild.ts'
import { api, jsonOf } from '../support/api.ts'
import { expectInvalid, expectRefused } from '../support/client.ts'
import { runJob } from '../support/cron.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { ACCOUNT, freshLedger, ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { batch, eventItem } from '../support/messages.ts'
import { captureUsage, deliver, expectRolledUp, rollupRows } from '../support/usage.ts'

/** Tests the rebuild of rollups from pages. The existing rollups must remain usable during a rebuild. */

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * Burns events whose times go back from now in steps of two hours. 30 events go back 58 hours, so they always include
 * the day before yesterday.
 */
async function use(ledger: TestLedger, events: number, now_ms = Date.now()): Promise<void> {
  const items = Array.from({ length: events }, (_, i) =>
    eventItem(1000 + i, {
      timestamp_ms: now_ms - (i % 50) * 2 * HOUR_MS,
      feature_id: `feature ${i % 3}`,
      user_id: `user ${i % 11}`,
      ...(i % 2 && { team_id: `team ${i % 3}` }),
    }),
  )
  await ingest(env, ledger.name, batch(items))
  await runAlarm(ledger)
}

async function rolledUp(
  flushes = 4,
  now_ms = Date.now(),
): Promise<{ ledger: TestLedger; ledger_id: string; sent: unknown[] }> {
  const ledger = await freshLedger(1_000_000_000)
  const sent = await captureUsage(ledger)
  for (let i = 0; i < flushes; i++) await use(ledger, 30 + i, now_ms)
  await deliver(sent)
  return { ledger, ledger_id: ledgerKey(ledger.name), sent }
}

function generationOf(ledger_id: string): Promise<number | undefined> {
  return readRollup(env.DB, ledger_id).then((rollup) => rollup?.generation)
}

function count(table: string, ledger_id: string): Promise<unknown> {
  return env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE ledger_id = ?`).bind(ledger_id).first('n')
}

async function maintainRollups(bindings: typeof env, now_ms: number): Promise<void> {
  for (const job of ['rebuilds', 'retired_rollups', 'rollup_retention']) await runJob(job, bindings, now_ms)
}

describe('a rebuild', () => {
  it('makes the same bytes as the consumer', async () => {
    const { ledger, ledger_id } = await rolledUp()
    const before = await rollupRows(ledger)
    const state = await readRollup(env.DB, ledger_id)
    expect(await rebuildLedger(env.DB, ledger_id)).toMatchObject({ entries: 127, done: true })
    expect(await rollupRows(ledger)).toEqual(before)
    expect(await readRollup(env.DB, ledger_id)).toEqual({ ...state, generation: 2 })
  })

  it('repairs broken rollups, and no reader sees a part of the repair', async () => {
    const { ledger, ledger_id } = await rolledUp()
    const before = await rollupRows(ledger)
    await env.DB.prepare("UPDATE rollup_days SET by_day = '{}' WHERE ledger_id = ?").bind(ledger_id).run()
    const broken = await rollupRows(ledger)
    expect(await rebuildLedger(env.DB, ledger_id, 40)).toMatchObject({ done: false })
    expect(await rollupRows(ledger)).toEqual(broken)
    expect(await continueRebuild(env.DB, ledger_id)).toMatchObject({ done: true })
    expect(await rollupRows(ledger)).toEqual(before)
  })

  it('continues where an earlier call stopped, until it is complete', async () => {
    const { ledger, ledger_id } = await rolledUp(6)
    const before = await rollupRows(ledger)
    let calls = 1
    while (!(await rebuildLedger(env.DB, ledger_id, 1)).done) calls++
    expect(calls).toBeGreaterThanOrEqual(6)
    expect(await generationOf(ledger_id)).toBe(2)
    expect(await rollupRows(ledger)).toEqual(before)
  })

  it('is finished by the cron, which deletes the replaced rollups once no reader can use them', async () => {
    const { ledger, ledger_id } = await rolledUp()
    const before = await rollupRows(ledger)
    const rows = Number(await count('rollup_days', ledger_id))
    await rebuildLedger(env.DB, ledger_id, 1)
    await maintainRollups(env, Date.now() + 1000)
    expect(await generationOf(ledger_id)).toBe(2)
    expect(await count('rollup_days', ledger_id)).toBe(2 * rows)
    await maintainRollups(env, Date.now() + 16 * 60_000)
    await maintainRollups(env, Date.now() + 32 * 60_000)
    expect(await count('rollup_days', ledger_id)).toBe(rows)
    expect(await count('rollup_watermarks', ledger_id)).toBe(1)
    expect(await rollupRows(ledger)).toEqual(before)
  })

  it('while the consumer runs loses nothing and counts nothing twice', async () => {
    const { ledger, ledger_id, sent } = await rolledUp(1)
    let delivered = sent.length
    for (let round = 0; round < 5; round++) {
      await use(ledger, 20)
      await use(ledger, 10)
      const fresh = sent.slice(delivered)
      delivered = sent.length
      await Promise.all([
        rebuildLedger(env.DB, ledger_id, 25),
        deliver(fresh.slice(0, 1)),
        rebuildLedger(env.DB, ledger_id, 25),
        deliver(fresh),
      ])
    }
    await deliver(sent)
    while (!(await rebuildLedger(env.DB, ledger_id)).done);
    await expectRolledUp(ledger, { events: 180 })
  })

  it('makes rollups where there were none', async () => {
    const ledger = await freshLedger(1_000_000)
    await captureUsage(ledger)
    await use(ledger, 5)
    expect(await rebuildLedger(env.DB, ledgerKey(ledger.name))).toMatchObject({ entries: 6, done: true })
    await expectRolledUp(ledger, { events: 5 })
  })

  it('of pages with a gap throws, and readers keep the old rollups', async () => {
    const { ledger, ledger_id } = await rolledUp()
    const before = await rollupRows(ledger)
    const query =
      'DELETE FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry = (SELECT flush_entry FROM ledger_pages WHERE ledger_id = ?1 ORDER BY flush_entry LIMIT 1 OFFSET 1)'
    await env.DB.prepare(query).bind(ledger_id).run()
    await expect(rebuildLedger(env.DB, ledger_id)).rejects.toThrow(/have a gap/)
    expect(await rollupRows(ledger)).toEqual(before)
  })
})

describe('days that are older than they are kept', () => {
  it('are deleted, and their sums are kept', async () => {
    const now_ms = Date.now()
    const { ledger, ledger_id } = await rolledUp(4, now_ms)
    const before = await readRollup(env.DB, ledger_id)
    const kept = { ...env, ROLLUP_RETENTION_DAYS: '35' }
    await maintainRollups(kept, now_ms + 34 * DAY_MS)
    const cutoff = Math.floor(now_ms / DAY_MS) - 1
    const { days, users } = await rollupRows(ledger)
    expect([...(days ?? []), ...(users ?? [])]).toEqual(
      expect.arrayContaining([expect.objectContaining({ day: cutoff + 1 })]),
    )
    for (const row of [...(days ?? []), ...(users ?? [])]) {
      expect(row).toMatchObject({ day: expect.toSatisfy((day: number) => day >= cutoff) })
    }
    const after = await readRollup(env.DB, ledger_id)
    expect(after?.totals).toEqual(before?.totals)
    expect(after?.expired.events).toBeGreaterThan(0n)
    await maintainRollups(kept, now_ms + 37 * DAY_MS)
    const last = await readRollup(env.DB, ledger_id)
    expect(last?.expired).toEqual(last?.totals)
    expect(await rollupRows(ledger)).toEqual({ days: [], users: [] })
  })
})

describe('POST /v1/admin/customers/:id/rebuild', () => {
  function rebuild(id: string, body: unknown = {}, key = OPERATOR_TOKEN): Promise<Response> {
    return api(`/v1/admin/customers/${id}/rebuild`, { key, body })
  }

  it('rebuilds all ledgers that exist, and reports its work', async () => {
    const { customer_id } = await createCustomer()
    const ledger = ledgerOf(customer_id)
    const sent = await captureUsage(ledger)
    await use(ledger, 12)
    await deliver(sent)
    const response = await rebuild(customer_id)
    expect(response.status).toBe(200)
    expect(await jsonOf(response)).toEqual({
      ledgers: [{ mode: 'live', entries: 13, rows: expect.any(Number), done: true }],
      more: false,
    })
    await expectRolledUp(ledger, { events: 12 })
    expect(await jsonOf(await rebuild(customer_id, { mode: 'test' }))).toEqual({ ledgers: [], more: false })
  })

  it('continues the work of an earlier call, and leaves finished ledgers', async () => {
    const { customer_id } = await createCustomer()
    const ledgers = [ledgerOf(customer_id), ledgerOf(customer_id, 'test')] as const
    await openLedger(env, { ledger: ledgers[1].name, signup_grant_micro: 1_000_000, account: ACCOUNT })
    for (const ledger of ledgers) {
      const sent = await captureUsage(ledger)
      await use(ledger, 5)
      await deliver(sent)
    }
    const [live_id, test_id] = [customer_id, `${customer_id}:test`]
    // Imitates an earlier call that finishes the live ledger but has no time left for the test ledger.
    const now_ms = Date.now()
    await rebuildLedger(env.DB, live_id, 100, now_ms)
    await rebuildLedger(env.DB, test_id, 0, now_ms)
    expect(await jsonOf(await rebuild(customer_id))).toMatchObject({
      ledgers: [{ mode: 'test', done: true }],
      more: false,
    })
    expect([await generationOf(live_id), await generationOf(test_id)]).toEqual([2, 2])
    expect(await jsonOf(await rebuild(customer_id))).toMatchObject({
      ledgers: [
        { mode: 'live', done: true },
        { mode: 'test', done: true },
      ],
      more: false,
    })
    expect([await generationOf(live_id), await generationOf(test_id)]).toEqual([3, 3])
  })

  it('is a 404 for an unknown customer, and only for the operator', async () => {
    const { customer_id, api_key } = await createCustomer()
    await expectRefused(await rebuild('cust_00000000000000000000000000'), 404, 'not_found')
    await expectRefused(await rebuild(customer_id, {}, api_key), 403, 'insufficient_scope')
    await expectInvalid(await rebuild(customer_id, { mode: 'both' }), '/mode')
  })

  it('reports that pages are missing, and changes nothing', async () => {
    const { customer_id } = await createCustomer()
    const ledger = ledgerOf(customer_id)
    const sent = await captureUsage(ledger)
    await use(ledger, 3)
    await deliver(sent)
    const before = await rollupRows(ledger)
    await env.DB.prepare('DELETE FROM ledger_pages WHERE ledger_id = ?').bind(customer_id).run()
    await expectRefused(await rebuild(customer_id), 409, 'conflict')
    expect(await rollupRows(ledger)).toEqual(before)
  })
})
