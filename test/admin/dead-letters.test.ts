import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest } from '../../src/ledger/client/client.ts'
import { api, jsonOf } from '../support/api.ts'
import { expectInvalid, expectRefused, type Json, objects } from '../support/client.ts'
import { runJob } from '../support/cron.ts'
import { createCustomer, OPERATOR_TOKEN } from '../support/customers.ts'
import { brokenD1 } from '../support/d1.ts'
import { freshLedger, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { batch, eventItem } from '../support/messages.ts'
import { acks, captureUsage, deliverDead, expectRolledUp } from '../support/usage.ts'

/** Tests dead letters: messages that cannot be consumed are stored, and the operator can list and replay them. */

const PATH = '/v1/admin/dead-letters'
const log = vi.spyOn(console, 'error').mockImplementation(() => undefined)

beforeEach(async () => {
  await env.DB.prepare('DELETE FROM dead_letters').run()
})

afterEach(() => {
  log.mockClear()
  vi.useRealTimers()
})

async function list(query = ''): Promise<Json[]> {
  const response = await api(`${PATH}${query}`, { key: OPERATOR_TOKEN })
  expect(response.status).toBe(200)
  return objects((await jsonOf(response)).data)
}

async function replay(body: unknown = {}, headers = {}): Promise<Json> {
  const response = await api(`${PATH}/replay`, { key: OPERATOR_TOKEN, body, headers })
  expect(response.status).toBe(200)
  return jsonOf(response)
}

/**
 * Creates a ledger and the queue message of its first flush. The message cannot be consumed until the test calls
 * `flush`, which records the flush in D1.
 */
async function early(): Promise<{ ledger: TestLedger; body: unknown; flush: () => Promise<void> }> {
  const ledger = await freshLedger(1_000_000)
  const sent = await captureUsage(ledger)
  await ingest(env, ledger.name, batch([eventItem(5), eventItem(6)]))
  await runAlarm(ledger)
  const ledger_id = ledgerKey(ledger.name)
  const known = await env.DB.prepare('SELECT * FROM ledgers WHERE ledger_id = ?').bind(ledger_id).first()
  await env.DB.prepare('UPDATE ledgers SET flushed_entry = 0 WHERE ledger_id = ?').bind(ledger_id).run()
  const flush = async () => {
    const query = 'UPDATE ledgers SET flushed_entry = ? WHERE ledger_id = ?'
    await env.DB.prepare(query)
      .bind(known?.flushed_entry ?? 0, ledger_id)
      .run()
  }
  return { ledger, body: sent[0], flush }
}

describe('a message that was given up', () => {
  it('is kept with its reason and its body', async () => {
    expect(await deliverDead([{ v: 7 }])).toEqual(acks(1))
    expect(await list()).toEqual([
      {
        dead_letter_id: expect.stringMatching(/^dl_[0-9a-z]{26}$/),
        state: 'open',
        reason: 'version 7 is unknown',
        attempts: 1,
        sent_at: expect.any(String),
        failed_at: expect.any(String),
        replayed_at: null,
        body: '{"v":7}',
      },
    ])
  })

  it('is tried once more, and is no dead letter if it can be consumed by then', async () => {
    const { ledger, body, flush } = await early()
    await flush()
    expect(await deliverDead([body])).toEqual(acks(1))
    expect(await list()).toEqual([])
    await expectRolledUp(ledger, { events: 2 })
  })

  it('is kept once when it is delivered twice', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await deliverDead([{ v: 7 }])
    await deliverDead([{ v: 7 }])
    expect(await list()).toMatchObject([{ attempts: 2 }])
  })

  it.each([
    ['no JSON', 12n],
    ['nothing', undefined],
    ['as large as a queue takes', { v: 9, x: 'é'.repeat(60_000) }],
    ['larger', { v: 9, x: 'é'.repeat(150_000) }],
  ])('is kept when it is %s', async (_, body) => {
    expect(await deliverDead([body])).toEqual(acks(1))
    expect(await list()).toHaveLength(1)
    expect(await replay()).toMatchObject({ replayed: 0, failed: 1 })
  })

  it('is retried and logged when it cannot be stored', async () => {
    const answers = await deliverDead([{ v: 7, secret: 'om_live_abcdefghijklmnop' }], {
      bindings: { ...env, DB: brokenD1() },
    })
    expect(answers).toEqual(['retry'])
    const lines = log.mock.calls.map(([line]) => JSON.parse(String(line)))
    const lost = lines.find(({ event }) => event === 'dead_letter_lost')
    expect(lost.body).toContain('"v":7')
    expect(lost.body).not.toContain('abcdefghijklmnop')
  })
})

describe('the list', () => {
  it('is newest first, page by page', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(1000)
      await deliverDead([{ v: 100 + i }])
    }
    const first = await jsonOf(await api(`${PATH}?limit=3`, { key: OPERATOR_TOKEN }))
    expect(objects(first.data).map(({ body }) => body)).toEqual(['{"v":104}', '{"v":103}', '{"v":102}'])
    const second = await list(`?limit=3&cursor=${first.next_cursor}`)
    expect(second.map(({ body }) => body)).toEqual(['{"v":101}', '{"v":100}'])
  })

  it.each([
    ['?limit=0', '/limit'],
    ['?cursor=x', '/cursor'],
    ['?cursor=dl_%27%20OR%201%3D1', '/cursor'],
    ['?state=lost', '/state'],
  ])('refuses %s', async (query, path) => {
    await expectInvalid(await api(`${PATH}${query}`, { key: OPERATOR_TOKEN }), path)
  })
})

describe('a replay', () => {
  it('consumes messages that can be consumed now, and reports the others', async () => {
    const { ledger, body, flush } = await early()
    await deliverDead([body, { v: 7 }])
    expect(await list()).toHaveLength(2)
    await flush()
    expect(await replay()).toEqual({ replayed: 1, failed: 1, not_found: 0, more: false })
    await expectRolledUp(ledger, { events: 2 })
    expect(await list()).toMatchObject([{ body: '{"v":7}', attempts: 2, state: 'open' }])
    expect(await list('?state=replayed')).toMatchObject([
      {
        state: 'replayed',
        replayed_at: expect.any(String),
        reason: expect.stringContaining('D1 has the entries of the ledger up to'),
      },
    ])
  })

  it('of messages that were counted meanwhile changes nothing', async () => {
    const { ledger, body, flush } = await early()
    await deliverDead([body])
    await flush()
    await deliverDead([body])
    expect(await replay()).toMatchObject({ replayed: 1 })
    await expectRolledUp(ledger, { events: 2 })
  })

  it('replays the named ones, and only if they are open', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    await deliverDead([{ v: 7 }])
    vi.advanceTimersByTime(10)
    await deliverDead([{ v: 8 }])
    const [newest, oldest] = await list()
    const unknown = `dl_${'0'.repeat(26)}`
    const ids = [newest?.dead_letter_id, unknown, newest?.dead_letter_id]
    expect(await replay({ dead_letter_ids: ids })).toEqual({
      replayed: 0,
      failed: 1,
      not_found: 1,
      more: false,
    })
    expect(await list()).toMatchObject([
      { attempts: 2 },
      { attempts: 1, dead_letter_id: oldest?.dead_letter_id },
    ])
  })

  it('replays 100 at a time, the oldest failure first, so that a failing one does not delay the others', async () => {
    await deliverDead(Array.from({ length: 100 }, (_, i) => ({ v: 100 + i })))
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.advanceTimersByTime(60_000)
    await deliverDead([{ v: 500 }])
    vi.advanceTimersByTime(60_000)
    expect(await replay()).toEqual({ replayed: 0, failed: 100, not_found: 0, more: true })
    expect((await list('?limit=1'))[0]).toMatchObject({ body: '{"v":500}', attempts: 1 })
    vi.advanceTimersByTime(60_000)
    expect(await replay()).toMatchObject({ failed: 100, more: true })
    expect((await list('?limit=1'))[0]).toMatchObject({ body: '{"v":500}', attempts: 2 })
  })

  it('gives a repeat of its key the same response, and does nothing', async () => {
    await deliverDead([{ v: 7 }])
    const headers = { 'Idempotency-Key': crypto.randomUUID() }
    const first = await replay({}, headers)
    expect(await replay({}, headers)).toEqual(first)
    expect(await list()).toMatchObject([{ attempts: 2 }])
  })

  it.each([
    [{ dead_letter_ids: [] }, '/dead_letter_ids'],
    [{ dead_letter_ids: ['x'] }, '/dead_letter_ids/0'],
    [{ dead_letter_ids: Array.from({ length: 101 }, () => `dl_${'0'.repeat(26)}`) }, '/dead_letter_ids'],
    [{ all: true }, '/all'],
  ])('refuses %j', async (body, path) => {
    await expectInvalid(await api(`${PATH}/replay`, { key: OPERATOR_TOKEN, body }), path)
  })
})

describe('dead letters', () => {
  it('are the operator’s', async () => {
    const { api_key } = await createCustomer()
    await expectRefused(await api(PATH, { key: api_key }), 403, 'insufficient_scope')
    await expectRefused(await api(`${PATH}/replay`, { key: api_key, body: {} }), 403, 'insufficient_scope')
    await expectRefused(await api(PATH), 401, 'missing_api_key')
  })

  it('that were replayed are deleted after 30 days, and open ones never', async () => {
    const { body, flush } = await early()
    await deliverDead([body, { v: 7 }])
    await flush()
    await replay()
    const DAY_MS = 86_400_000
    await runJob('dead_letters', env, Date.now() + 29 * DAY_MS)
    expect(await list('?state=replayed')).toHaveLength(1)
    await runJob('dead_letters', env, Date.now() + 31 * DAY_MS)
    expect(await list('?state=replayed')).toEqual([])
    expect(await list()).toHaveLength(1)
  })
})
