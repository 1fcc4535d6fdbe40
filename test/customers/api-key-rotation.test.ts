import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api } from '../support/api.ts'
import { expectInvalid, expectRefused, GPT_4O, ingest, listed, objects, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { cachedRecord, idOf, madeBy, madeKey, remove, rotate, rotated } from './support.ts'

const START = Date.UTC(2026, 10, 1)
const at = (seconds: number) => vi.setSystemTime(START + seconds * 1000)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  at(0)
})
afterEach(() => {
  vi.useRealTimers()
})

describe('rotating a key', () => {
  it('returns one of the same name, mode, scopes and end, and the old key with its last moment', async () => {
    const { api_key } = await createCustomer()
    const expires_at = '2030-01-01T00:00:00.000Z'
    const scopes = ['credits:read', 'keys:write']
    const old = await madeKey(api_key, { name: 'Old', mode: 'test', scopes, expires_at })
    const { answer } = await rotated(api_key, old.key_id, 3600)
    expect(answer).toMatchObject({ name: 'Old', mode: 'test', scopes, expires_at, status: 'active' })
    expect(answer.replaces).toEqual({ key_id: old.key_id, revoked_at: '2026-11-01T01:00:00.000Z' })
    const keys = await listed(api_key, '/v1/api-keys')
    expect(keys.find((key) => key.key_id === old.key_id)).toMatchObject({
      status: 'active',
      revoked_at: '2026-11-01T01:00:00.000Z',
    })
  })

  it('lets both work until the overlap is over, to the millisecond, and then only the new one', async () => {
    const { api_key } = await createCustomer()
    const next = await rotated(api_key, idOf(api_key), 604_800)
    for (const seconds of [0, 300_000, 604_799.999]) {
      at(seconds)
      expect((await ingest(api_key, GPT_4O)).status).toBe(200)
      expect((await ingest(next.api_key, GPT_4O)).status).toBe(200)
    }
    at(604_800)
    await expectRefused(await ingest(api_key, GPT_4O), 401, 'revoked_api_key')
    await expectRefused(await api('/v1/customers/me', { key: api_key }), 401, 'revoked_api_key')
    expect((await ingest(next.api_key, GPT_4O)).status).toBe(200)
  })

  it('without an overlap ends the old key at once, in both modes', async () => {
    const { api_key } = await createCustomer()
    const test = await madeKey(api_key, { mode: 'test' })
    for (const key of [api_key, test.api_key]) {
      expect((await ingest(key, GPT_4O)).status).toBe(200)
      const next = await madeBy(await rotate(key, idOf(key)))
      await expectRefused(await ingest(key, GPT_4O), 401, 'revoked_api_key')
      expect((await ingest(next.api_key, GPT_4O)).status).toBe(200)
    }
  })

  it('is exact in the ledger even if no cache has it', async () => {
    const { api_key } = await createCustomer()
    const old = await madeKey(api_key)
    const stale = await cachedRecord(old.api_key)
    await rotated(api_key, old.key_id, 60)
    await stale.restore()
    expect((await ingest(old.api_key, GPT_4O)).status).toBe(200)
    at(60)
    await expectRefused(await ingest(old.api_key, GPT_4O), 401, 'revoked_api_key')
    await expectRefused(await api('/v1/entitlements', { key: old.api_key }), 401, 'revoked_api_key')
  })

  it('requires no body, and then has no overlap', async () => {
    const { api_key } = await createCustomer()
    const key = await madeKey(api_key)
    const response = await api(`/v1/api-keys/${key.key_id}/rotate`, { key: api_key, method: 'POST' })
    expect((await madeBy(response)).answer.replaces).toEqual({
      key_id: key.key_id,
      revoked_at: '2026-11-01T00:00:00.000Z',
    })
    await expectRefused(await ingest(key.api_key, GPT_4O), 401, 'revoked_api_key')
  })

  it('happens once: a second time it is a 409, and so it is for a key that was deleted or has expired', async () => {
    const { api_key, customer_id } = await createCustomer()
    const [old, deleted] = [await madeKey(api_key), await madeKey(api_key)]
    const expired = await createKey(customer_id, { expires_at_ms: START - 1 })
    await rotated(api_key, old.key_id, 3600)
    await remove(api_key, deleted.key_id)
    for (const { key_id } of [old, deleted, expired]) {
      await expectRefused(await rotate(api_key, key_id), 409, 'conflict')
    }
  })

  it('by ten at once gives one successor, and leaves the idempotency keys of the others unused', async () => {
    const { api_key, customer_id } = await createCustomer()
    const old = await madeKey(api_key)
    const responses = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        rotate(api_key, old.key_id, { overlap_seconds: 60 }, { 'Idempotency-Key': `rotate-${i}` }),
      ),
    )
    expect(responses.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)])
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(3)
    const answers = await env.DB.prepare('SELECT count(*) AS n FROM stored_answers WHERE owner = ?')
      .bind(customer_id)
      .first('n')
    expect(answers).toBe(1)
  })

  it('gets the same response again with its Idempotency-Key', async () => {
    const { api_key } = await createCustomer()
    const old = await madeKey(api_key)
    const post = () => rotate(api_key, old.key_id, { overlap_seconds: 60 }, { 'Idempotency-Key': 'rotate' })
    const [first, second] = [await post(), await post()]
    expect(second.headers.get('Idempotency-Replayed')).toBe('true')
    expect(await second.text()).toBe(await first.text())
    expect(await listed(api_key, '/v1/api-keys')).toHaveLength(3)
  })

  it.each([
    [{ overlap_seconds: -1 }, '/overlap_seconds'],
    [{ overlap_seconds: 604_801 }, '/overlap_seconds'],
    [{ overlap_seconds: 1.5 }, '/overlap_seconds'],
    [{ overlap_seconds: '60' }, '/overlap_seconds'],
    [{ name: 'x' }, '/name'],
  ])('is a 400 with %j', async (body, path) => {
    const { api_key } = await createCustomer()
    await expectInvalid(await rotate(api_key, idOf(api_key), body), path)
    expect((await ingest(api_key, GPT_4O)).status).toBe(200)
  })

  it('is refused for a key with more authority: more scopes, live mode, or a later end', async () => {
    const { api_key } = await createCustomer()
    const strong = await madeKey(api_key)
    const strong_test = await madeKey(api_key, { mode: 'test' })
    const weak = await madeKey(api_key, { scopes: ['keys:write'] })
    const test = await madeKey(api_key, { mode: 'test' })
    const short = await madeKey(api_key, { expires_at: '2026-12-01T00:00:00Z' })
    for (const [maker, target] of [
      [weak, strong],
      [test, strong],
      [short, strong],
      [weak, strong_test],
    ] as const) {
      const response = await rotate(maker.api_key, target.key_id)
      await expectRefused(response, 403, 'insufficient_scope')
    }
    expect((await ingest(strong.api_key, GPT_4O)).status).toBe(200)
    expect((await rotate(short.api_key, short.key_id)).status).toBe(201)
  })

  it('prevents the old key from working after its overlap', async () => {
    const { api_key } = await createCustomer()
    const old = await madeKey(api_key)
    await rotated(api_key, old.key_id, 60)
    await expectRefused(await rotate(old.api_key, idOf(api_key)), 403, 'insufficient_scope')
    const made = await madeKey(old.api_key)
    expect(made.answer.expires_at).toBe('2026-11-01T00:01:00.000Z')
    at(60)
    await expectRefused(await ingest(made.api_key, GPT_4O), 401, 'expired_api_key')
  })

  it('can be cut short: a key that is deleted during its overlap is refused at once', async () => {
    const { api_key } = await createCustomer()
    const old = await madeKey(api_key)
    await rotated(api_key, old.key_id, 3600)
    expect((await ingest(old.api_key, GPT_4O)).status).toBe(200)
    expect((await remove(api_key, old.key_id)).status).toBe(200)
    await expectRefused(await ingest(old.api_key, GPT_4O), 401, 'revoked_api_key')
  })

  it('is in the audit log once, and so is a key that was made or deleted', async () => {
    const { api_key, customer_id } = await createCustomer()
    const old = await madeKey(api_key, { name: 'Old', scopes: ['keys:write'] })
    at(1)
    const next = await rotated(old.api_key, old.key_id, 60)
    await rotate(old.api_key, old.key_id)
    at(2)
    await remove(api_key, next.key_id)
    await remove(api_key, next.key_id)
    const log = await read(OPERATOR_TOKEN, `/v1/admin/audit?customer_id=${customer_id}`)
    const keys = objects(log.data).filter((record) => String(record.action).startsWith('api_keys.'))
    const state = { name: 'Old', mode: 'live', scopes: ['keys:write'], expires_at: null }
    expect(
      keys.map(({ action, actor, target, before, after }) => ({ action, actor, target, before, after })),
    ).toEqual([
      { action: 'api_keys.delete', actor: idOf(api_key), target: next.key_id, before: state, after: null },
      {
        action: 'api_keys.rotate',
        actor: old.key_id,
        target: old.key_id,
        before: { ...state, key_id: old.key_id },
        after: { ...state, key_id: next.key_id, replaced_works_until: '2026-11-01T00:01:01.000Z' },
      },
      { action: 'api_keys.create', actor: idOf(api_key), target: old.key_id, before: null, after: state },
    ])
    expect(JSON.stringify(log)).not.toContain(next.api_key.slice(34))
  })
})
