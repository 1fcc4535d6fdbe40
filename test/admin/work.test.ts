import { listDurableObjectIds } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { openLedger } from '../../src/ledger/client/client.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { d1Double } from '../support/d1.ts'
import { deployed } from '../support/deployment.ts'
import { createKey } from '../support/keys.ts'
import { ACCOUNT, ledgerOf, runAlarm } from '../support/ledgers.ts'
import { expectProblem } from '../support/problems.ts'

/** Tests the operator routes that start work on a customer's ledgers: late rating, reconciliation and rebuilding. */

const WORKS = [
  ['/v1/admin/rerate', 'admin.rerate', (customer_id: string) => ({ customer_id })],
  ['/v1/admin/reconcile', 'admin.reconcile', (customer_id: string) => ({ customer_id })],
] as const

function operator(path: string, body: object, key?: string): Promise<Response> {
  return api(path, {
    key: OPERATOR_TOKEN,
    body,
    ...(key !== undefined && { headers: { 'Idempotency-Key': key } }),
  })
}

/** Creates a customer whose ledger has been flushed to D1. */
async function flushedCustomer(): Promise<string> {
  const { customer_id } = await createCustomer()
  await runAlarm(ledgerOf(customer_id))
  return customer_id
}

async function recordsOf(customer_id: string, action: string): Promise<unknown> {
  const path = `/v1/admin/audit?customer_id=${customer_id}&action=${action}`
  return (await jsonOf(await api(path, { key: OPERATOR_TOKEN }))).data
}

async function hasObject(customer_id: string, mode: 'live' | 'test'): Promise<boolean> {
  const id = env.LEDGER.idFromName(ledgerKey({ customer_id, mode }))
  return (await listDurableObjectIds(env.LEDGER)).some((known) => known.equals(id))
}

describe.each(WORKS)('POST %s', (path, action, bodyOf) => {
  it('is done once per idempotency key, and a repeat gets the same response', async () => {
    const customer_id = await flushedCustomer()
    const key = unique('work')
    const first = await operator(path, bodyOf(customer_id), key)
    expect(first.status).toBe(200)
    const again = await operator(path, bodyOf(customer_id), key)
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await again.text()).toBe(await first.text())
    expect(await recordsOf(customer_id, action)).toHaveLength(1)
    const other = bodyOf(await flushedCustomer())
    await expectProblem(await operator(path, other, key), 422, 'idempotency_mismatch')
  })

  it('is a 404 for an unknown customer, and creates no ledger of that name', async () => {
    const customer_id = unique('cust_none')
    await expectProblem(await operator(path, bodyOf(customer_id)), 404, 'not_found')
    expect(await hasObject(customer_id, 'live')).toBe(false)
    expect(await recordsOf(customer_id, action)).toEqual([])
  })
})

describe('POST /v1/admin/rerate', () => {
  it('does not call an unopened test ledger, which would be created near the operator', async () => {
    const { customer_id } = await createCustomer()
    expect((await operator('/v1/admin/rerate', { customer_id })).status).toBe(200)
    expect(await hasObject(customer_id, 'test')).toBe(false)
    await createKey(customer_id, { mode: 'test' })
    await runAlarm(ledgerOf(customer_id, 'test'))
    expect(await hasObject(customer_id, 'test')).toBe(true)
    expect((await operator('/v1/admin/rerate', { customer_id })).status).toBe(200)
  })
})

describe('POST /v1/admin/reconcile', () => {
  it('reads the result of the last check of each ledger once, also at the first check', async () => {
    const customer_id = await flushedCustomer()
    await createKey(customer_id, { mode: 'test' })
    await openLedger(env, {
      ledger: { customer_id, mode: 'test' },
      signup_grant_micro: 1_000_000,
      account: ACCOUNT,
    })
    await runAlarm(ledgerOf(customer_id, 'test'))
    for (const full of [false, false, true]) {
      let reads = 0
      const prepare = (sql: string) => {
        if (sql.includes('FROM reconciliations WHERE ledger_id')) reads++
        return env.DB.prepare(sql)
      }
      const body = { customer_id, full }
      const response = await deployed({ DB: d1Double({ prepare }) }, '/v1/admin/reconcile', {
        key: OPERATOR_TOKEN,
        body,
      })
      expect((await jsonOf(response)).ledgers).toHaveLength(2)
      expect(reads).toBe(2)
    }
  })
})

describe('POST /v1/admin/reconcile with full', () => {
  /** Adds pages after the last flush of a ledger, so many that one request does not read all pages. */
  const lengthen = (ledger_id: string) =>
    env.DB.prepare(
      `INSERT INTO ledger_pages (ledger_id, flush_entry, wallet_number, format, first_entry, last_entry, entry_count,
        first_at_ms, last_at_ms, balance_before_micro, balance_after_micro, oldest_ms, events, burned_micro, cost_micro,
        cost_pico, price_micro, price_pico, paid_micro, paid_pico, body)
      WITH RECURSIVE flush(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM flush WHERE n < 2100)
      SELECT ?1, n, 1, 1, n, n, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, '[]' FROM flush`,
    )
      .bind(ledger_id)
      .run()
  const shorten = (ledger_id: string) =>
    env.DB.prepare('DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry >= 1000')
      .bind(ledger_id)
      .run()
  const damage = (ledger_ids: readonly string[]) =>
    env.DB.batch(
      ledger_ids.map((ledger_id) =>
        env.DB.prepare('UPDATE ledger_pages SET events = 7 WHERE ledger_id = ? AND flush_entry = 1').bind(
          ledger_id,
        ),
      ),
    )

  it.each(['live', 'test'] as const)(
    'continues a check of a long %s ledger until all pages are checked',
    async (long) => {
      const { customer_id, api_key } = await createCustomer()
      const created = await api('/v1/api-keys', { key: api_key, body: { name: 'CI', mode: 'test' } })
      for (const key of [api_key, textField(await jsonOf(created), 'api_key')]) {
        expect((await api('/v1/credits/grant', { key, body: { amount: 1 } })).status).toBe(201)
      }
      const modes = ['live', 'test'] as const
      for (const mode of modes) await runAlarm(ledgerOf(customer_id, mode))
      const ledger_ids = modes.map((mode) => ledgerKey({ customer_id, mode }))
      const long_id = ledgerKey({ customer_id, mode: long })
      const check = async () => jsonOf(await operator('/v1/admin/reconcile', { customer_id, full: true }))
      const statuses = (...of: string[]) => ledger_ids.map((ledger_id, i) => ({ ledger_id, status: of[i] }))
      const checking = long === 'live' ? ['CHECKING', 'OK'] : ['OK', 'CHECKING']

      await lengthen(long_id)
      expect(await check()).toMatchObject({ ledgers: statuses(...checking), more: true })
      // Both first pages were checked. Only a check that begins again finds their damage.
      await damage(ledger_ids)
      expect(await check()).toMatchObject({ ledgers: statuses(...checking), more: true })
      await shorten(long_id)
      expect(await check()).toMatchObject({ ledgers: statuses('OK', 'OK'), more: false })
      expect(await check()).toMatchObject({ ledgers: statuses('REPAIRED', 'REPAIRED'), more: false })
    },
  )

  it('continues after a repair in the first part of a long ledger', async () => {
    const customer_id = await flushedCustomer()
    const ledger_id = ledgerKey({ customer_id, mode: 'live' })
    const body = { customer_id, full: true }
    await lengthen(ledger_id)
    await env.DB.prepare('DELETE FROM ledger_pages WHERE ledger_id = ? AND flush_entry = 1')
      .bind(ledger_id)
      .run()
    const repaired = { ledgers: [{ ledger_id, status: 'REPAIRED' }], more: true }
    expect(await jsonOf(await operator('/v1/admin/reconcile', body))).toMatchObject(repaired)
    await damage([ledger_id])
    await shorten(ledger_id)
    const continued = { ledgers: [{ ledger_id, status: 'OK' }], more: false }
    expect(await jsonOf(await operator('/v1/admin/reconcile', body))).toMatchObject(continued)
  })
})
