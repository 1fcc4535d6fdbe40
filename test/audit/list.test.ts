import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { type AuditQuery, listAudit, MAX_EXAMINED } from '../../src/audit/list-audit.ts'
import type { AuditAction } from '../../src/audit/record.ts'
import { auditStatement } from '../../src/ledger/flush/audit-log.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { expectInvalid, expectRefused, type Json, objects } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { countingD1 } from '../support/d1.ts'

/**
 * Tests the operator's list of audit records, and its filters by customer, actor, action, target and time. Each request
 * must read only a limited number of rows.
 */

const NOON_MS = Date.UTC(2031, 4, 17, 12)

interface Change {
  readonly scope: string | null
  readonly at_ms?: number
  readonly actor?: string
  readonly action?: AuditAction
  readonly target?: string
}

function statement({ scope, at_ms = NOON_MS, actor = 'operator', ...change }: Change): D1PreparedStatement {
  const { action = 'customers.change', target = 'cust_x' } = change
  const record = { actor, action, target, before: null, after: { tier: 'GROWTH' } }
  return auditStatement(env.DB, { customer_id: scope, mode: null }, record, at_ms)
}

async function recorded(...changes: readonly Change[]): Promise<void> {
  await env.DB.batch(changes.map(statement))
}

async function page(query: string): Promise<Json> {
  const response = await api(`/v1/admin/audit${query}`, { key: OPERATOR_TOKEN })
  expect(response.status).toBe(200)
  return jsonOf(response)
}

async function all(query: string): Promise<Json[]> {
  const records: Json[] = []
  let cursor = ''
  for (let pages = 0; pages < 20; pages++) {
    const { data, next_cursor } = await page(`${query}${cursor}`)
    records.push(...objects(data))
    if (next_cursor === null) return records
    cursor = `&cursor=${next_cursor}`
  }
  throw new Error('a list without an end')
}

describe('GET /v1/admin/audit', () => {
  it('lists newest first, page by page, and each record once', async () => {
    const scope = unique('cust')
    await recorded(...[1, 2, 3, 4, 5].map((n) => ({ scope, at_ms: NOON_MS + n, target: `t${n}` })))
    const targets = (await all(`?limit=2&customer_id=${scope}`)).map(({ target }) => target)
    expect(targets).toEqual(['t5', 't4', 't3', 't2', 't1'])
  })

  it('filters by author, action, object and time; `to` is exclusive', async () => {
    const scope = unique('cust')
    await recorded(
      { scope, at_ms: NOON_MS, actor: 'key_a', target: 'one' },
      { scope, at_ms: NOON_MS + 1, action: 'api_keys.delete', target: 'two' },
      { scope, at_ms: NOON_MS + 2, actor: 'key_a', action: 'api_keys.delete', target: 'three' },
    )
    const targets = async (query: string) =>
      (await all(`?customer_id=${scope}${query}`)).map(({ target }) => target)
    expect(await targets('&actor=key_a')).toEqual(['three', 'one'])
    expect(await targets('&action=api_keys.delete')).toEqual(['three', 'two'])
    expect(await targets('&actor=key_a&action=api_keys.delete')).toEqual(['three'])
    expect(await targets('&target=two')).toEqual(['two'])
    expect(await targets('&from=2031-05-17T12:00:00.001Z')).toEqual(['three', 'two'])
    expect(await targets('&to=2031-05-17T12:00:00.002Z')).toEqual(['two', 'one'])
    expect(await targets('&from=2031-05-17T12:00:00.001Z&to=2031-05-17T12:00:00.002Z')).toEqual(['two'])
  })

  it("keeps customers apart, and the operator's own from both; without a customer it lists all in order", async () => {
    const [a, b] = [unique('cust'), unique('cust')]
    const at_ms = Date.UTC(2032, 0, 1)
    await recorded(
      { scope: a, at_ms, target: 'of a' },
      { scope: null, at_ms: at_ms + 1, action: 'provider_costs.create', target: 'of none' },
      { scope: b, at_ms: at_ms + 2, target: 'of b' },
    )
    const fields = (records: readonly Json[]) =>
      records.map(({ customer_id, target }) => [customer_id, target])
    const day = '&from=2032-01-01T00:00:00Z&to=2032-01-02T00:00:00Z'
    expect(fields(await all(`?customer_id=${a}${day}`))).toEqual([[a, 'of a']])
    expect(fields(await all(`?customer_id=${b}${day}`))).toEqual([[b, 'of b']])
    expect(fields(await all(`?customer_id=operator${day}`))).toEqual([[null, 'of none']])
    expect(fields(await all(`?limit=1${day}`))).toEqual([
      [b, 'of b'],
      [null, 'of none'],
      [a, 'of a'],
    ])
    expect(await all(`?customer_id=${unique('cust')}`)).toEqual([])
  })

  it.each([
    ['?actor=', '/actor'],
    ['?action=credits.steal', '/action'],
    ['?target=%00', '/target'],
    ['?customer_id=%0A', '/customer_id'],
    ['?from=yesterday', '/from'],
    ['?to=2031-02-30T00:00:00Z', '/to'],
    ['?from=2031-01-02T00:00:00Z&to=2031-01-01T00:00:00Z', '/to'],
    ['?limit=0', '/limit'],
    ['?limit=101', '/limit'],
    ['?cursor=c1', '/cursor'],
    ["?cursor=aud_' OR 1=1 --", '/cursor'],
    ['?user=zoe', '/user'],
  ])('refuses %s and names the fault', async (query, path) => {
    await expectInvalid(await api(`/v1/admin/audit${query}`, { key: OPERATOR_TOKEN }), path)
  })

  it('matches a filter literally', async () => {
    const scope = unique('cust')
    await recorded({ scope })
    for (const text of ["' OR '1'='1", '%', '*', 'x'.repeat(255)]) {
      expect(await all(`?customer_id=${scope}&actor=${encodeURIComponent(text)}`)).toEqual([])
      expect(await all(`?customer_id=${encodeURIComponent(text)}`)).toEqual([])
    }
  })

  it("is the operator's alone", async () => {
    const { api_key } = await createCustomer()
    await expectRefused(await api('/v1/admin/audit', { key: api_key }), 403, 'insufficient_scope')
    await expectRefused(await api('/v1/admin/audit'), 401, 'missing_api_key')
    await expectRefused(await api('/v1/admin/audit', { key: 'om_live_none' }), 401, 'invalid_api_key')
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const response = await api('/v1/admin/audit', { key: OPERATOR_TOKEN, method })
      expect(response.status).toBe(405)
    }
  })
})

describe('the rows that a list reads', () => {
  const EVERYTHING: AuditQuery = {
    customer_id: undefined,
    actor: undefined,
    action: undefined,
    target: undefined,
    from_ms: undefined,
    to_ms: undefined,
    before_id: undefined,
    limit: 10,
  }

  it('are a range: as many as it returns, and with a filter at most the rows that one page examines', async () => {
    const scope = unique('cust')
    const changes = Array.from({ length: MAX_EXAMINED + 200 }, (_, n) => ({
      scope,
      at_ms: NOON_MS + n,
      actor: n === 0 ? 'key_rare' : 'operator',
    }))
    for (let n = 0; n < changes.length; n += 100) await recorded(...changes.slice(n, n + 100))

    const read = async (query: Partial<AuditQuery>) => {
      const { db, counts } = countingD1()
      const found = await listAudit(db, { ...EVERYTHING, ...query })
      return { found: found.records.length, next: found.next_before_id, rows: counts.rows_read }
    }
    const ofCustomer = await read({ customer_id: scope })
    expect(ofCustomer.found).toBe(10)
    expect(ofCustomer.rows).toBeLessThanOrEqual(11)
    const ofAll = await read({})
    expect(ofAll.found).toBe(10)
    expect(ofAll.rows).toBeLessThanOrEqual(2 * 11)

    const rare = await read({ customer_id: scope, actor: 'key_rare' })
    expect(rare.found).toBe(0)
    expect(rare.rows).toBeLessThanOrEqual(2 * MAX_EXAMINED)
    const rest = await read({ customer_id: scope, actor: 'key_rare', before_id: textField(rare, 'next') })
    expect(rest).toMatchObject({ found: 1, next: null })
    expect(rest.rows).toBeLessThanOrEqual(2 * 201)
    const nobody = await read({ actor: 'key_nobody' })
    expect(nobody.rows).toBeLessThanOrEqual(3 * MAX_EXAMINED)
  })
})
