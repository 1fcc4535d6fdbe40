import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { pastEntry } from '../../src/ledger/burns/reversal.ts'
import { moveCredits, openLedger } from '../../src/ledger/client/client.ts'
import { unpackRow } from '../../src/ledger/journal/packing.ts'
import { idOf } from '../customers/support.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import {
  balanceOf,
  expectRefused,
  GPT_4O,
  granted,
  ingest,
  ingested,
  type Json,
  listed,
  purchased,
  read,
} from '../support/client.ts'
import { createCustomer, unique } from '../support/customers.ts'
import { d1Double } from '../support/d1.ts'
import { createKey } from '../support/keys.ts'
import {
  ACCOUNT,
  inStore,
  ledgerOf,
  runAlarm,
  storedPages,
  type TestLedger,
  withD1,
} from '../support/ledgers.ts'
import { CALLER } from '../support/messages.ts'
import { booksOf, d1RowsWith, erased, objectRowsWith, teamPath, userPath } from '../support/subjects.ts'

let key: string
let ledger: TestLedger
/**
 * The id of the user or team that is erased. It occurs in no other row, and has characters that are special in JSON and
 * SQL.
 */
let name: string

beforeEach(async () => {
  const customer = await createCustomer()
  key = customer.api_key
  ledger = ledgerOf(customer.customer_id)
  name = `${unique('ann')}/"é🚀%`
})

const RESOURCES = [
  { kind: 'user', field: 'user_id', one: userPath },
  { kind: 'team', field: 'team_id', one: teamPath },
] as const

/**
 * Creates data of every kind for a user or a team: a profile, credits, and events on its own wallet and on other
 * wallets. Also creates data of others.
 */
async function live(field: 'user_id' | 'team_id', id: string, call: string): Promise<Json[]> {
  const other = field === 'user_id' ? { team_id: 'payers' } : { user_id: 'payer' }
  const secret = { secret: `secret of ${id}` }
  const bodies: Json[] = []
  await granted(key, { ...other, amount: 500, metadata: { of: 'the payers' } })
  await granted(key, { [field]: id, amount: 100, metadata: secret })
  await purchased(key, {
    [field]: id,
    amount: 50,
    price_usd: 5,
    payment_reference: `in of ${call}`,
    metadata: secret,
  })
  const keyed = { ...GPT_4O, [field]: id, metadata: secret, idempotency_key: `${call}-1` }
  bodies.push(keyed)
  await ingested(key, keyed)
  await ingested(key, { ...GPT_4O, ...other, [field]: id, metadata: secret })
  await ingested(key, {
    events: [
      { ...GPT_4O, metadata: { of: 'nobody' } },
      { ...GPT_4O, [field]: id, metadata: secret },
      { ...GPT_4O, ...other, metadata: { of: 'the payers' } },
      { ...GPT_4O, [field]: `${id}x`, metadata: { of: 'a longer name' } },
    ],
  })
  const { id: voided } = await ingested(key, { ...GPT_4O, ...other, [field]: id, metadata: secret })
  await posted(`/v1/events/${String(voided)}/void`, {})
  const hold = await posted('/v1/holds', { feature_id: 'agent', credits: 3, [field]: id })
  await posted(`/v1/holds/${String(hold.hold_id)}/capture`, { credits: 2, final: true })
  return bodies
}

async function posted(path: string, body: object): Promise<Json> {
  const response = await api(path, { key, body })
  expect(response.status).toBeLessThan(300)
  return jsonOf(response)
}

function withoutSubject(rows: readonly Json[]): Json[] {
  return rows.map(({ user_id: _, team_id: __, metadata: ___, ...row }) => row)
}

describe.each(RESOURCES)('erasing a $kind', ({ field, one }) => {
  describe.each(['before its events reach D1', 'after its events reached D1', 'with a part of them in D1'])(
    '%s',
    (when) => {
      it('removes every name and all metadata, and keeps every amount', async () => {
        await api(field === 'user_id' ? '/v1/users' : '/v1/teams', {
          key,
          body: { [field]: name, metadata: { secret: `secret of ${name}` } },
          headers: { 'Idempotency-Key': unique('create') },
        })
        await live(field, name, unique('call'))
        if (when !== 'before its events reach D1') await runAlarm(ledger)
        if (when === 'with a part of them in D1') await live(field, name, unique('call'))
        const [events, transactions] = [
          await listed(key, '/v1/events'),
          await listed(key, '/v1/credits/transactions'),
        ]
        const balance = await balanceOf(key, `?${field}=${encodeURIComponent(name)}`)
        const lots = await listed(key, '/v1/credits/lots', `?${field}=${encodeURIComponent(name)}`)

        const alias = await erased(key, one(name))

        // The API still returns every event and transaction with the same amounts, but with the alias and without
        // metadata.
        const eventsAfter = await listed(key, '/v1/events')
        expect(withoutSubject(eventsAfter)).toEqual(withoutSubject(events))
        eventsAfter.forEach((row, i) => {
          const hers = events[i]?.[field] === name
          expect(row[field]).toBe(hers ? alias : events[i]?.[field])
          expect(row.metadata).toEqual(hers ? {} : events[i]?.metadata)
        })
        const transactionsAfter = await listed(key, '/v1/credits/transactions')
        expect(withoutSubject(transactionsAfter)).toEqual(withoutSubject(transactions))
        expect(await balanceOf(key, `?${field}=${alias}`)).toBe(balance)
        expect(await listed(key, '/v1/credits/lots', `?${field}=${alias}`)).toEqual(lots)

        await runAlarm(ledger)
        expect(await namesLeft(name)).toEqual([])
        expect(withoutSubject(await listed(key, '/v1/events'))).toEqual(withoutSubject(events))
        expect(withoutSubject(await listed(key, '/v1/credits/transactions'))).toEqual(
          withoutSubject(transactions),
        )
        expect(JSON.stringify(await listed(key, '/v1/events'))).not.toContain(`"secret of ${name}"`)
      })
    },
  )

  it('changes no byte of the stored amounts and numbers', async () => {
    await live(field, name, unique('call'))
    await runAlarm(ledger)
    await live(field, name, unique('call'))
    await runAlarm(ledger)
    const before = await booksOf(ledger)
    const alias = await erased(key, one(name))
    const after = await booksOf(ledger)
    expect(JSON.parse(JSON.stringify(after).replaceAll(alias, ''))).toEqual(before)
  })

  it('replays keyed events as before, byte for byte, and a keyed batch', async () => {
    const [call, batch] = [unique('call'), unique('batch')]
    const event = { ...GPT_4O, [field]: name, metadata: { a: 1 }, idempotency_key: call }
    const events = { events: [{ ...GPT_4O, [field]: name, metadata: { a: 1 } }] }
    const headers = { 'Idempotency-Key': batch }
    const grant = { [field]: name, amount: 5, metadata: { a: 1 } }
    const granting = { 'Idempotency-Key': unique('grant') }
    const requests = [
      () => ingest(key, event),
      () => ingest(key, events, headers),
      () => api('/v1/credits/grant', { key, body: grant, headers: granting }),
    ]
    const first: string[] = []
    for (const request of requests) first.push(await (await request()).text())
    for (const flushed of [false, true]) {
      if (flushed) await runAlarm(ledger)
      else await erased(key, one(name))
      for (const [i, request] of requests.entries()) {
        const again = await request()
        expect(again.headers.get('Idempotency-Replayed')).toBe('true')
        expect(await again.text()).toBe(first[i])
      }
    }
    expect(await namesLeft(name)).toEqual([])
  })

  it('makes the next use of the id a new person, without a wallet and a history', async () => {
    const query = `?${field}=${encodeURIComponent(name)}`
    await live(field, name, unique('call'))
    await runAlarm(ledger)
    const old = await read(key, one(name))
    const balance = await balanceOf(key, query)
    const alias = await erased(key, one(name))
    expect(await listed(key, '/v1/events', query)).toEqual([])
    expect(await listed(key, '/v1/credits/transactions', query)).toEqual([])
    await expectRefused(await api(`/v1/credits/balance${query}`, { key }), 404, 'not_found')

    const { wallet_id } = await read(key, '/v1/credits/balance')
    const event = await ingested(key, { ...GPT_4O, [field]: name, metadata: { a: 1 } })
    expect(event).toMatchObject({ wallet_id })
    for (const flushed of [false, true]) {
      if (flushed) await runAlarm(ledger)
      const mine = await listed(key, '/v1/events', query)
      expect(mine.map(({ id, metadata }) => ({ id, metadata }))).toEqual([
        { id: event.id, metadata: { a: 1 } },
      ])
      expect(await listed(key, '/v1/events', `?${field}=${alias}`)).toHaveLength(4)
    }
    const next = await read(key, one(name))
    expect(Date.parse(String(next.created_at))).toBeGreaterThanOrEqual(Date.parse(String(old.created_at)))
    await granted(key, { [field]: name, amount: 7 })
    expect(await balanceOf(key, query)).toBe(7)
    expect(await balanceOf(key, `?${field}=${alias}`)).toBe(balance)

    // The same id now belongs to a new user or team, which can also be erased and gets another alias.
    const second = await erased(key, one(name))
    expect(second).not.toBe(alias)
    expect(await balanceOf(key, `?${field}=${second}`)).toBe(7)
    expect(await namesLeft(name)).toEqual([])
  })

  it('leaves the credits under the alias, from which they can be transferred', async () => {
    await granted(key, { [field]: name, amount: 100 })
    const alias = await erased(key, one(name))
    const body = { from: { [field]: alias }, to: {}, amount: 100 }
    expect((await api('/v1/credits/transfer', { key, body })).status).toBe(200)
    expect(await balanceOf(key)).toBe(10_100)
    await expectRefused(await api(one(alias), { key }), 404, 'not_found')
    await expectRefused(await api(one(alias), { key, method: 'DELETE' }), 404, 'not_found')
    expect((await listed(key, field === 'user_id' ? '/v1/users' : '/v1/teams')).length).toBe(0)
  })
})

/**
 * Returns the rows of the object and of D1 that contain the id. A row that contains only a longer id with this
 * beginning is not returned, because it belongs to another user.
 */
async function namesLeft(id: string): Promise<string[]> {
  const rows = [...(await objectRowsWith(ledger, id)), ...(await d1RowsWith(id))]
  const escaped = (text: string, times: number): string =>
    times === 0 ? text : escaped(JSON.stringify(text).slice(1, -1), times - 1)
  return rows.filter((row) => {
    const rest = [0, 1, 2, 3].reduce((text, times) => text.replaceAll(escaped(`${id}x`, times), ''), row)
    return [0, 1, 2, 3].some((times) => rest.includes(escaped(id, times)))
  })
}

describe('other data that names a user', () => {
  const one = userPath
  const query = () => `?user_id=${encodeURIComponent(name)}`
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await api(path, { key, body, headers })
    expect(response.status).toBeLessThan(300)
    return jsonOf(response)
  }

  it('open and closed holds continue under the alias, and end as usual', async () => {
    await granted(key, { user_id: name, amount: 100 })
    const hold = { feature_id: 'chat', user_id: name, credits: 20 }
    const closed = await post('/v1/holds', hold)
    await post(`/v1/holds/${textField(closed, 'hold_id')}/release`, {})
    await runAlarm(ledger)
    const open = await post('/v1/holds', hold)
    const late = await post('/v1/holds', hold)
    await post(`/v1/holds/${textField(late, 'hold_id')}/release`, {})
    const others = await post('/v1/holds', { ...hold, user_id: undefined })
    const alias = await erased(key, one(name))
    expect(await read(key, `/v1/credits/balance?user_id=${alias}`)).toMatchObject({
      balance: 100,
      reserved_balance: 20,
    })
    const captured = await post(`/v1/holds/${textField(open, 'hold_id')}/capture`, {
      credits: 5,
      final: true,
    })
    expect(captured).toMatchObject({ captured: 5, balance_after: 95 })
    await post(`/v1/holds/${textField(others, 'hold_id')}/release`, {})
    await runAlarm(ledger)
    for (const { hold_id } of [open, closed, late]) {
      expect(await read(key, `/v1/holds/${String(hold_id)}`)).toMatchObject({ user_id: alias })
    }
    expect(await namesLeft(name)).toEqual([])
  })

  it('events without a price lose the name and the metadata, too', async () => {
    const event = { ...GPT_4O, model: 'nobody-knows-this', user_id: name, metadata: { secret: name } }
    expect(await ingested(key, event)).toMatchObject({ unrated: true })
    await erased(key, one(name))
    await runAlarm(ledger)
    expect(await namesLeft(name)).toEqual([])
    expect(await listed(key, '/v1/events', '?unrated=true')).toHaveLength(1)
  })

  it('entitlements are deleted, also from the test ledger, and do not apply to a new person', async () => {
    const customer_id = ledger.name.customer_id
    const test: TestLedger['name'] = { customer_id, mode: 'test' }
    await openLedger(env, { ledger: test, signup_grant_micro: 1_000_000_000, account: ACCOUNT })
    const test_key = (await createKey(customer_id, { mode: 'test' })).api_key
    const limit = {
      feature_id: 'chat',
      user_id: name,
      limit_type: 'HARD',
      limit_value: 1,
      unit: 'events',
      period: 'TOTAL',
      metadata: { why: name },
    }
    await post('/v1/entitlements', limit, { 'Idempotency-Key': unique('limit') })
    await ingested(key, { ...GPT_4O, user_id: name })
    await ingested(test_key, { ...GPT_4O, user_id: 'somebody else' })
    await expectRefused(await ingest(key, { ...GPT_4O, user_id: name }), 402, 'limit_reached')
    await erased(key, one(name))
    expect(await listed(key, '/v1/entitlements')).toEqual([])
    expect(await listed(test_key, '/v1/entitlements')).toEqual([])
    await runAlarm(ledger)
    expect(await namesLeft(name)).toEqual([])
    const inTest = { name: test, stub: env.LEDGER.get(env.LEDGER.idFromName(`${customer_id}:test`)) }
    expect(await objectRowsWith(inTest, name)).toEqual([])
    for (let i = 0; i < 2; i++) await ingested(key, { ...GPT_4O, user_id: name })
  })

  it('entitlements are deleted from the test ledger, too, if the alarm completes the erasure', async () => {
    const customer_id = ledger.name.customer_id
    const test: TestLedger['name'] = { customer_id, mode: 'test' }
    await openLedger(env, { ledger: test, signup_grant_micro: 1_000_000_000, account: ACCOUNT })
    await createKey(customer_id, { mode: 'test' })
    const limit = { feature_id: 'chat', user_id: name, limit_type: 'HARD', limit_value: 1, unit: 'events' }
    await post('/v1/entitlements', { ...limit, period: 'TOTAL' })
    await ingested(key, { ...GPT_4O, user_id: name })
    const inTest = { name: test, stub: env.LEDGER.get(env.LEDGER.idFromName(`${customer_id}:test`)) }
    expect(await objectRowsWith(inTest, name)).toHaveLength(1)
    await runAlarm(ledger)
    const prepare = (sql: string) => {
      if (sql.includes("mode = 'test'")) throw new Error('D1 is gone')
      return env.DB.prepare(sql)
    }
    for (let i = 0; i < 2; i++) {
      const remove = () => api(userPath(name), { key, method: 'DELETE' })
      await expectRefused(await withD1(ledger, d1Double({ prepare }), remove), 503, 'unavailable')
    }
    expect(await objectRowsWith(inTest, name)).toHaveLength(1)
    await runAlarm(ledger)
    expect(await objectRowsWith(inTest, name)).toEqual([])
    expect(await namesLeft(name)).toEqual([])
  })

  it('recurring grants to the wallet end', async () => {
    await post('/v1/credits/grant', { user_id: name, amount: 10, recurring: { every: 'month' } })
    expect(await listed(key, '/v1/credits/recurring-grants', query())).toHaveLength(1)
    const alias = await erased(key, one(name))
    expect(await listed(key, '/v1/credits/recurring-grants', `?user_id=${alias}`)).toEqual([])
    expect(await balanceOf(key, `?user_id=${alias}`)).toBe(10)
    expect(await namesLeft(name)).toEqual([])
  })
})

describe('an erasure that is interrupted', () => {
  /** Returns a D1 database in which batch number `first` and all later batches fail, before or after their effect. */
  function failingD1(first: number, after: boolean): D1Database {
    let calls = 0
    return d1Double({
      batch: async (statements: D1PreparedStatement[]) => {
        const fails = ++calls >= first
        if (fails && !after) throw new Error('D1 is gone')
        const results = await env.DB.batch(statements)
        if (fails) throw new Error('D1 did it, but the response was lost')
        return results
      },
    })
  }

  const alarmOf = ({ stub }: TestLedger) => runInDurableObject(stub, (_, { storage }) => storage.getAlarm())

  async function auditedErasures(): Promise<Json[]> {
    await runAlarm(ledger)
    const { results } = await env.DB.prepare(
      "SELECT actor, target FROM audit_log WHERE scope = ? AND action = 'users.erase'",
    )
      .bind(ledger.name.customer_id)
      .all<Json>()
    return results
  }

  const breaks = [1, 2, 3, 4].flatMap((batch) => [
    { batch, after: false },
    { batch, after: true },
  ])
  it.each(breaks)(
    'at D1’s batch $batch (done: $after) is a 503, and a repeat completes it',
    async ({ batch, after }) => {
      const call = unique('call')
      const [keyed] = await live('user_id', name, call)
      await runAlarm(ledger)
      await live('user_id', name, unique('call'))
      const before = await listed(key, '/v1/events')
      const broken = await withD1(ledger, failingD1(batch, after), () =>
        api(userPath(name), { key, method: 'DELETE' }),
      )
      await expectRefused(broken, 503, 'unavailable')
      // A new event arrives while the erasure is incomplete. It belongs to a new user if the old user is already
      // erased.
      await ingested(key, GPT_4O)
      const alias = await erased(key, userPath(name))
      await runAlarm(ledger)
      expect(await namesLeft(name)).toEqual([])
      expect(withoutSubject((await listed(key, '/v1/events')).slice(1))).toEqual(withoutSubject(before))
      expect((await ingest(key, keyed)).headers.get('Idempotency-Replayed')).toBe('true')
      expect(await erased(key, userPath(name))).toBe(alias)
    },
  )

  it.each(breaks)(
    'at D1’s batch $batch (done: $after) is completed by the alarm, too, and a repeat gets its response',
    async ({ batch, after }) => {
      await live('user_id', name, unique('call'))
      const events = await listed(key, '/v1/events')
      await withD1(ledger, failingD1(batch, after), () => api(userPath(name), { key, method: 'DELETE' }))
      expect(await inStore(ledger, (store) => store.erasures.isPending)).toBe(true)
      expect(await alarmOf(ledger)).not.toBeNull()
      await runAlarm(ledger)
      expect(await inStore(ledger, (store) => store.erasures.isPending)).toBe(false)
      expect(await namesLeft(name)).toEqual([])
      const alias = await erased(key, userPath(name))
      const hers = (await listed(key, '/v1/events', `?user_id=${alias}`)).map(({ id }) => id)
      expect(hers).toEqual(events.filter(({ user_id }) => user_id === name).map(({ id }) => id))
      const actions = await auditedErasures()
      expect(actions).toEqual([{ actor: idOf(key), target: alias }])
    },
  )

  it('before it has begun begins in the next object, and needs no further request', async () => {
    await live('user_id', name, unique('call'))
    await withD1(ledger, failingD1(1, false), () => api(userPath(name), { key, method: 'DELETE' }))
    expect(await inStore(ledger, (store) => store.erasures.all())).toEqual([])
    await expect(
      runInDurableObject(ledger.stub, (_, state) => state.abort('the machine has failed')),
    ).rejects.toThrow('the machine has failed')
    const again = ledgerOf(ledger.name.customer_id)
    expect(await alarmOf(again)).not.toBeNull()
    await runAlarm(again)
    ledger = again
    expect(await namesLeft(name)).toEqual([])
  })

  it('is requested once, also if it is repeated while D1 is down, and not for an id without data', async () => {
    await live('user_id', name, unique('call'))
    const remove = () => api(userPath(name), { key, method: 'DELETE' })
    await withD1(ledger, failingD1(1, false), async () => {
      for (let i = 0; i < 3; i++) await expectRefused(await remove(), 503, 'unavailable')
    })
    expect(await inStore(ledger, (store) => store.erasures.requests.all().length)).toBe(1)
    await runAlarm(ledger)
    await expectRefused(await api(userPath('nobody'), { key, method: 'DELETE' }), 404, 'not_found')
    expect(await inStore(ledger, (store) => store.erasures.isPending)).toBe(false)
  })

  it('is refused while a hundred others wait for D1', async () => {
    await live('user_id', name, unique('call'))
    await withD1(ledger, failingD1(1, false), async () => {
      await inStore(ledger, ({ erasures }) => {
        for (let i = 0; i < 100; i++)
          erasures.requests.add({ kind: 'user', id: `waits-${i}`, caller: CALLER })
      })
      await expectRefused(await api(userPath(name), { key, method: 'DELETE' }), 503, 'overloaded')
    })
    await runAlarm(ledger)
    await erased(key, userPath(name))
  })

  it('by the end of the object continues with the next one', async () => {
    await live('user_id', name, unique('call'))
    await withD1(ledger, failingD1(3, false), () => api(userPath(name), { key, method: 'DELETE' }))
    await expect(
      runInDurableObject(ledger.stub, (_, state) => state.abort('the machine has failed')),
    ).rejects.toThrow('the machine has failed')
    const again = ledgerOf(ledger.name.customer_id)
    expect(await alarmOf(again)).not.toBeNull()
    await runAlarm(again)
    ledger = again
    expect(await namesLeft(name)).toEqual([])
  })

  it('keeps the flush from restoring the name: later uses of the id belong to a new person', async () => {
    await live('user_id', name, unique('call'))
    const query = `?user_id=${encodeURIComponent(name)}`
    // Interrupts the erasure: the ledger object has removed the user, but D1 still has the user.
    await withD1(ledger, failingD1(3, false), () => api(userPath(name), { key, method: 'DELETE' }))
    const event = await ingested(key, { ...GPT_4O, user_id: name })
    expect(event.wallet_id).toBe((await read(key, '/v1/credits/balance')).wallet_id)
    await runAlarm(ledger)
    expect((await listed(key, '/v1/events', query)).map(({ id }) => id)).toEqual([event.id])
    await expectRefused(await api(`/v1/credits/balance${query}`, { key }), 404, 'not_found')
  })
})

describe('an erasure beside other work', () => {
  it('and concurrent events of the same user: each event is recorded before or after the erasure, and all are in the books', async () => {
    await granted(key, { user_id: name, amount: 2000 })
    const work = Array.from({ length: 40 }, () => ingested(key, { ...GPT_4O, user_id: name }))
    const erasing = api(userPath(name), { key, method: 'DELETE' })
    const events = await Promise.all([
      ...work,
      ...Array.from({ length: 40 }, () => ingested(key, { ...GPT_4O, user_id: name })),
    ])
    const alias = textField(await jsonOf(await erasing), 'erased_id')
    await runAlarm(ledger)
    const rows = await listed(key, '/v1/events')
    expect(rows).toHaveLength(80)
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set(events.map(({ id }) => id)))
    for (const { user_id } of rows) expect([alias, name]).toContain(user_id)
    const total = Number(await balanceOf(key)) + Number(await balanceOf(key, `?user_id=${alias}`))
    expect(total).toBe(12_000 - 80 * 15)
  })

  it('of two users at once, and of one user twice at once', async () => {
    const [ann, bob] = [unique('ann'), unique('bob')]
    for (const user_id of [ann, bob]) await ingested(key, { ...GPT_4O, user_id, metadata: { user_id } })
    await runAlarm(ledger)
    const answers = await Promise.all(
      [ann, bob, ann].map((id) => api(userPath(id), { key, method: 'DELETE' })),
    )
    const aliases = await Promise.all(answers.map(async (answer) => (await jsonOf(answer)).erased_id))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(aliases[2]).toBe(aliases[0])
    expect([...(await namesLeft(ann)), ...(await namesLeft(bob))]).toEqual([])
  })

  it('during a void that has already read the name: the event is voided under the alias', async () => {
    const { id } = await ingested(key, { ...GPT_4O, user_id: name })
    const entries = await inStore(ledger, ({ journal }) =>
      [...journal.rowsAfter(0)].flatMap(({ format, body }) => unpackRow(format, body)),
    )
    const burned = entries.findLast((record) => record.kind === 'entry' && record.event)
    if (burned?.kind !== 'entry') throw new Error('nothing was burned')
    const alias = await erased(key, userPath(name))
    const movement = { type: 'VOID', past: pastEntry(burned) } as const
    expect(await moveCredits(env, ledger.name, { caller: CALLER, movement })).toMatchObject({ kind: 'done' })
    await runAlarm(ledger)
    expect(await namesLeft(name)).toEqual([])
    expect(await read(key, `/v1/events/${String(id)}`)).toMatchObject({ user_id: alias })
    const [{ entries: last = [] } = {}] = (await storedPages(ledger)).slice(-1)
    expect(last.at(-1)).toMatchObject({ type: 'VOID', reverses: { user_id: alias } })
  })

  it('completes over many calls for a long journal and many pages', async () => {
    for (let i = 0; i < 70; i++) {
      await ingested(key, { ...GPT_4O, user_id: name, metadata: { i } })
      if (i < 60) await runAlarm(ledger)
    }
    await erased(key, userPath(name))
    expect(await namesLeft(name)).toEqual([])
    const { results } = await env.DB.prepare('SELECT body FROM ledger_pages WHERE ledger_id = ?')
      .bind(ledger.name.customer_id)
      .all<{ body: string }>()
    expect(results.filter(({ body }) => body.includes('"md"'))).toEqual([])
    expect(results.length).toBeGreaterThan(60)
  })

  it('writes a row for each journal row and page that names the user, and few further rows', async () => {
    await ingested(key, { ...GPT_4O, user_id: name, metadata: { a: 1 } })
    for (let i = 0; i < 20; i++) await ingested(key, GPT_4O)
    await runAlarm(ledger)
    const before = await inStore(ledger, (store) => store.rowsWritten)
    await erased(key, userPath(name))
    // The request writes two journal rows: one for itself and one for its audit record. It also stores and removes the
    // request. The erasure writes six rows: its start, a journal row, the removal from D1, one round of pages, and two
    // for its end.
    expect(await inStore(ledger, (store) => store.rowsWritten)).toBe(before + 10)
  })
})

describe('a repeated erasure', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('gets the same response for a day, and then a 404; the object keeps only a salted hash of the id', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const DAY_MS = 86_400_000
    await granted(key, { user_id: name, amount: 5 })
    const at_ms = Date.now()
    const alias = await erased(key, userPath(name))
    vi.setSystemTime(at_ms + DAY_MS - 1_000)
    expect(await erased(key, userPath(name))).toBe(alias)
    const rows = await objectRowsWith(ledger, 'erasures_completed')
    expect(rows).toHaveLength(1)
    expect(rows[0]).not.toContain(name)
    vi.setSystemTime(at_ms + DAY_MS + 60_000)
    await expectRefused(await api(userPath(name), { key, method: 'DELETE' }), 404, 'not_found')
    await runAlarm(ledger)
    expect(await objectRowsWith(ledger, 'erasures_completed')).toEqual([])
  })

  it('erases a new user of the id, and keeps teams and users of the same id apart', async () => {
    await granted(key, { user_id: name, amount: 5 })
    const alias = await erased(key, userPath(name))
    await expectRefused(await api(teamPath(name), { key, method: 'DELETE' }), 404, 'not_found')
    await ingested(key, { ...GPT_4O, user_id: name })
    const next = await erased(key, userPath(name))
    expect(next).not.toBe(alias)
    expect(await erased(key, userPath(name))).toBe(next)
  })
})

describe('reading users', () => {
  it('brings D1 up to date, and writes nothing if D1 is up to date', async () => {
    const user_id = unique('zoe')
    await ingested(key, { ...GPT_4O, user_id })
    await read(key, userPath(user_id))
    expect(await inStore(ledger, (store) => store.journal.isDirty)).toBe(false)
    const rows = await inStore(ledger, (store) => store.rowsWritten)
    await listed(key, '/v1/users')
    await expectRefused(await api(userPath('nobody'), { key }), 404, 'not_found')
    expect(await inStore(ledger, (store) => store.rowsWritten)).toBe(rows)
  })

  it('is a 503 while D1 cannot be brought up to date', async () => {
    await ingested(key, { ...GPT_4O, user_id: name })
    const broken = d1Double({ batch: () => Promise.reject(new Error('D1 is gone')) })
    for (const path of ['/v1/users', userPath(name)]) {
      await expectRefused(await withD1(ledger, broken, () => api(path, { key })), 503, 'unavailable')
    }
    expect(await read(key, userPath(name))).toMatchObject({ user_id: name })
  })

  it('concurrently makes one flush after the other, and each response is complete', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `seen-${i}`)
    await Promise.all(
      ids.map(async (user_id) => {
        await ingested(key, { ...GPT_4O, user_id })
        expect(await read(key, userPath(user_id))).toMatchObject({ user_id })
      }),
    )
    expect((await listed(key, '/v1/users')).map(({ user_id }) => user_id).sort()).toEqual(ids.toSorted())
  })
})

describe('an erasure of a customer that has responses with a secret in D1', () => {
  it('completes, although a sealed response is not JSON and is not searched for a name', async () => {
    await granted(key, { user_id: name, amount: 1 })
    const made = await api('/v1/api-keys', {
      key,
      body: { name: 'Another' },
      headers: { 'Idempotency-Key': unique('key') },
    })
    expect(made.status).toBe(201)
    await erased(key, userPath(name))
    expect((await api(userPath(name), { key })).status).toBe(404)
  })
})
