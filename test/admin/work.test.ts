import { listDurableObjectIds } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { expectProblem } from '../support/problems.ts'

/** Tests the work that the operator can start on a customer's ledgers: late rating, reconciliation and rebuilding. */

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
  it('is done once per idempotency key, and its repeat answered the same', async () => {
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
