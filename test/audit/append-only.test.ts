import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { type AuditRecord, MAX_STATE_LENGTH } from '../../src/audit/record.ts'
import { auditStatement } from '../../src/ledger/flush/audit-log.ts'
import { unique } from '../support/customers.ts'

const RECORD: AuditRecord = {
  actor: 'operator',
  ip: '2001:db8::1',
  request_id: 'req-1',
  action: 'customers.change',
  target: 'cust_x',
  before: { tier: 'STARTER' },
  after: { tier: 'GROWTH' },
}

const AT_MS = Date.UTC(2026, 10, 23, 9)

function statement(scope: string, options: { readonly if_changed?: boolean } = {}): D1PreparedStatement {
  return auditStatement(env.DB, { customer_id: scope, mode: 'live' }, RECORD, AT_MS, options)
}

async function rowsOf(scope: string): Promise<Record<string, unknown>[]> {
  return (await env.DB.prepare('SELECT * FROM audit_log WHERE scope = ?').bind(scope).all()).results
}

describe('the audit log', () => {
  it('records author, action, states before and after, time and origin of a change in one row, in order of time', async () => {
    const scope = unique('cust')
    const { meta } = await statement(scope).run()
    expect(meta.rows_written).toBe(2)
    expect(await rowsOf(scope)).toEqual([
      {
        scope,
        audit_id: expect.stringMatching(/^aud_[0-9a-hjkmnp-tv-z]{26}$/),
        at_ms: AT_MS,
        mode: 'live',
        actor: 'operator',
        action: 'customers.change',
        target: 'cust_x',
        ip: '2001:db8::1',
        request_id: 'req-1',
        state_before: '{"tier":"STARTER"}',
        state_after: '{"tier":"GROWTH"}',
      },
    ])
  })

  it.each([
    ['an UPDATE', "UPDATE audit_log SET actor = 'nobody' WHERE scope = ?1"],
    ['a DELETE', 'DELETE FROM audit_log WHERE scope = ?1'],
    [
      'an INSERT OR REPLACE',
      `INSERT OR REPLACE INTO audit_log SELECT scope, audit_id, at_ms, mode, 'nobody', action, target, ip, request_id,
         state_before, state_after FROM audit_log WHERE scope = ?1`,
    ],
    [
      'an upsert',
      `INSERT INTO audit_log SELECT * FROM audit_log WHERE scope = ?1
         ON CONFLICT (scope, audit_id) DO UPDATE SET actor = 'nobody'`,
    ],
  ])('is append-only: it refuses %s', async (_, sql) => {
    const scope = unique('cust')
    await statement(scope).run()
    const before = await rowsOf(scope)
    await expect(env.DB.prepare(sql).bind(scope).run()).rejects.toThrow('audit_log is append-only')
    expect(await rowsOf(scope)).toEqual(before)
  })

  it('allows old records to be deleted while an operator has removed the trigger', async () => {
    const scope = unique('cust')
    await statement(scope).run()
    const trigger = env.D1_MIGRATIONS.flatMap(({ queries }) => queries).find((query) =>
      query.includes('audit_log_no_delete'),
    )
    if (trigger === undefined) throw new Error('no migration makes the trigger')
    await env.DB.batch([
      env.DB.prepare('DROP TRIGGER audit_log_no_delete'),
      env.DB.prepare('DELETE FROM audit_log WHERE scope = ? AND at_ms < ?').bind(scope, AT_MS + 1),
      env.DB.prepare(trigger),
    ])
    expect(await rowsOf(scope)).toEqual([])
    await statement(scope).run()
    await expect(env.DB.prepare('DELETE FROM audit_log').run()).rejects.toThrow('append-only')
  })

  it('records nothing after a statement that changed nothing, if that is requested', async () => {
    const scope = unique('cust')
    const change = env.DB.prepare('UPDATE customers SET tier = tier WHERE customer_id = ?').bind(scope)
    await env.DB.batch([change, statement(scope, { if_changed: true })])
    expect(await rowsOf(scope)).toEqual([])
    const insert = env.DB.prepare(
      `INSERT INTO stored_answers (owner, idempotency_key, fingerprint, status, body, created_at_ms)
       VALUES (?, 'k', 'f', 200, '{}', 0)`,
    ).bind(scope)
    await env.DB.batch([insert, statement(scope, { if_changed: true })])
    expect(await rowsOf(scope)).toHaveLength(1)
  })

  it('keeps a record whose state is too long, without the state', async () => {
    const scope = unique('cust')
    const after = { name: 'n'.repeat(MAX_STATE_LENGTH) }
    await auditStatement(env.DB, { customer_id: scope, mode: null }, { ...RECORD, after }, AT_MS).run()
    expect(await rowsOf(scope)).toMatchObject([{ state_after: '{"too_long":4011}' }])
  })
})
