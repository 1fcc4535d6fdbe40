import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { openLedger } from '../../src/ledger/client/client.ts'
import { api, jsonOf } from '../support/api.ts'
import {
  expectInvalid,
  expectRefused,
  GPT_4O,
  granted,
  ingested,
  listed,
  purchased,
  read,
} from '../support/client.ts'
import { createCustomer, type TestCustomer, unique } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { ACCOUNT, ledgerOf, runAlarm } from '../support/ledgers.ts'
import { erased, teamPath, userPath } from '../support/subjects.ts'

let customer: TestCustomer
let key: string
beforeAll(async () => {
  customer = await createCustomer()
  key = customer.api_key
})

const PLACES = [
  { path: '/v1/users', field: 'user_id', one: userPath },
  { path: '/v1/teams', field: 'team_id', one: teamPath },
]

describe.each(PLACES)('$path', ({ path, field, one }) => {
  it('records, shows, changes, lists and erases', async () => {
    const id = unique('life')
    const created = await api(path, { key, body: { [field]: id, metadata: { plan: 'pro' } } })
    expect(created.status).toBe(201)
    const subject = await jsonOf(created)
    expect(subject).toEqual({
      [field]: id,
      metadata: { plan: 'pro' },
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    expect(await read(key, one(id))).toEqual(subject)
    expect((await listed(key, path))[0]).toEqual(subject)

    const changed = await api(one(id), { key, method: 'PATCH', body: { metadata: { seats: 3 } } })
    expect(await jsonOf(changed)).toEqual({ ...subject, metadata: { plan: 'pro', seats: 3 } })
    expect(changed.status).toBe(200)

    const response = await api(one(id), { key, method: 'DELETE' })
    const answer = await jsonOf(response)
    expect({ status: response.status, ...answer }).toEqual({
      status: 200,
      [field]: id,
      deleted: true,
      erased_id: expect.stringMatching(/^erased_[0-9a-z]{26}$/),
    })
    await expectRefused(await api(one(id), { key }), 404, 'not_found')
    expect(await jsonOf(await api(one(id), { key, method: 'DELETE' }))).toEqual(answer)
    await expectRefused(
      await api(one(id), { key, method: 'PATCH', body: { metadata: null } }),
      404,
      'not_found',
    )
    expect((await listed(key, path)).map((row) => row[field])).not.toContain(id)
  })

  it('returns 409 for an existing user, created or only mentioned', async () => {
    const [id, seen] = [unique('twice'), unique('seen')]
    expect((await api(path, { key, body: { [field]: id } })).status).toBe(201)
    await expectRefused(await api(path, { key, body: { [field]: id } }), 409, 'conflict')
    await ingested(key, { ...GPT_4O, [field]: seen })
    await expectRefused(await api(path, { key, body: { [field]: seen } }), 409, 'conflict')
  })

  it('makes no wallet', async () => {
    const id = unique('poor')
    expect((await api(path, { key, body: { [field]: id } })).status).toBe(201)
    await expectRefused(await api(`/v1/credits/balance?${field}=${id}`, { key }), 404, 'not_found')
    expect(await ingested(key, { ...GPT_4O, [field]: id })).toMatchObject({
      wallet_id: (await read(key, '/v1/credits/balance')).wallet_id,
    })
  })

  const unknowns = ['nobody', 'a/b', '%', '.well-known', '👩‍👩‍👧']
  it.each(unknowns)('returns 404 for %s', async (id) => {
    const problem = await expectRefused(await api(one(id), { key }), 404, 'not_found')
    expect(problem.detail).toContain(id)
    await expectRefused(await api(one(id), { key, method: 'DELETE' }), 404, 'not_found')
    await expectRefused(
      await api(one(id), { key, method: 'PATCH', body: { metadata: null } }),
      404,
      'not_found',
    )
  })

  const ids = [
    'org/42/ann',
    'ann%2Fbob',
    '100%',
    '%',
    '%zz',
    'a b+c',
    'zoë 👩‍🚀',
    '"quoted\\"',
    '?a=b&c#d',
    "'; DROP TABLE subjects --",
    '...',
    'ＦＵＬＬ',
    'x'.repeat(255),
    '🚀'.repeat(255),
  ]
  it.each(ids)('finds, changes and erases the id %j', async (id) => {
    const body = { [field]: id, metadata: { of: 'hers' } }
    expect((await api(path, { key, body })).status).toBe(201)
    expect(await read(key, one(id))).toMatchObject(body)
    expect((await listed(key, path)).map((row) => row[field])).toContain(id)
    const patched = await api(one(id), { key, method: 'PATCH', body: { metadata: null } })
    expect(await jsonOf(patched)).not.toHaveProperty('metadata')
    await erased(key, one(id))
    await expectRefused(await api(one(id), { key }), 404, 'not_found')
  })

  const badBodies: [body: unknown, path: string][] = [
    [{}, `/${field}`],
    [{ [field]: '' }, `/${field}`],
    [{ [field]: 'x'.repeat(256) }, `/${field}`],
    [{ [field]: '🚀'.repeat(256) }, `/${field}`],
    [{ [field]: 'a\nb' }, `/${field}`],
    [{ [field]: '\u0000' }, `/${field}`],
    [{ [field]: 'a\u007f' }, `/${field}`],
    [{ [field]: 7 }, `/${field}`],
    [{ [field]: null }, `/${field}`],
    [{ [field]: ['a'] }, `/${field}`],
    [{ [field]: 'a', name: 'Ann' }, '/name'],
    [{ [field]: 'a', created_at: '2026-01-01T00:00:00Z' }, '/created_at'],
    [{ [field]: 'a', metadata: [] }, '/metadata'],
    [{ [field]: 'a', metadata: 'x' }, '/metadata'],
    [{ [field]: 'a', metadata: { blob: 'x'.repeat(17_000) } }, '/metadata'],
    [
      { [field]: 'a', metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [i, i])) },
      '/metadata',
    ],
  ]
  it.each(badBodies)('refuses to create %j', async (body, pointer) => {
    const before = (await listed(key, path)).length
    await expectInvalid(await api(path, { key, body }), pointer)
    expect(await listed(key, path)).toHaveLength(before)
  })

  const badChanges: [body: unknown, path: string][] = [
    [{ [field]: 'other' }, `/${field}`],
    [{ metadata: [] }, '/metadata'],
    [{ metadata: 7 }, '/metadata'],
    [{ created_at: null }, '/created_at'],
    [{ metadata: { blob: 'x'.repeat(17_000) } }, '/metadata'],
  ]
  it.each(badChanges)('refuses the change %j', async (body, pointer) => {
    const id = unique('changed')
    expect((await api(path, { key, body: { [field]: id, metadata: { a: 1 } } })).status).toBe(201)
    const before = await read(key, one(id))
    await expectInvalid(await api(one(id), { key, method: 'PATCH', body }), pointer)
    expect(await read(key, one(id))).toEqual(before)
  })

  it('refuses metadata that exceeds the limit together with the existing metadata', async () => {
    const id = unique('much')
    await api(path, { key, body: { [field]: id, metadata: { a: 'x'.repeat(9000) } } })
    const response = await api(one(id), { key, method: 'PATCH', body: { metadata: { b: 'x'.repeat(9000) } } })
    await expectInvalid(response, '/metadata', /16384 bytes/)
    const swapped = await api(one(id), {
      key,
      method: 'PATCH',
      body: { metadata: { a: null, b: 'x'.repeat(9000) } },
    })
    expect(await jsonOf(swapped)).toMatchObject({ metadata: { b: 'x'.repeat(9000) } })
  })

  it.each(['%0A', '%00', 'x'.repeat(256), '%C2%80'])('refuses the path /%s', async (id) => {
    await expectInvalid(await api(`${path}/${id}`, { key }), `/${field}`)
    await expectInvalid(await api(`${path}/${id}`, { key, method: 'DELETE' }), `/${field}`)
  })

  const badQueries = [
    ['limit=0', '/limit'],
    ['limit=101', '/limit'],
    ['cursor=x', '/cursor'],
    ['cursor=c0000000000', '/cursor'],
    ['email=a@b.c', '/email'],
  ] as const
  it.each(badQueries)('is a 400 with ?%s', async (query, pointer) => {
    await expectInvalid(await api(`${path}?${query}`, { key }), pointer)
  })

  it('lists newest first, page by page, each once, even during creations and erasures', async () => {
    const { api_key } = await createCustomer()
    const ids = Array.from({ length: 7 }, (_, i) => `s${i}`)
    for (const id of ids) await api(path, { key: api_key, body: { [field]: id } })
    const newest = ids.toReversed()
    for (const limit of [1, 2, 3, 6, 7, 8]) {
      const rows = await listed(api_key, path, `?limit=${limit}`)
      expect(rows.map((row) => row[field])).toEqual(newest)
    }
    const first = await read(api_key, `${path}?limit=3`)
    await api(path, { key: api_key, body: { [field]: 'late' } })
    await erased(api_key, one('s2'))
    const rest = await listed(api_key, path, `?limit=100&cursor=${String(first.next_cursor)}`)
    expect(rest.map((row) => row[field])).toEqual(['s3', 's1', 's0'])
    expect((await listed(api_key, path)).map((row) => row[field])).toEqual([
      'late',
      's6',
      's5',
      's4',
      's3',
      's1',
      's0',
    ])
  })

  it('replays a keyed creation, refuses the key for another, and leaves the key of a refused one unused', async () => {
    const id = unique('keyed')
    const headers = { 'Idempotency-Key': unique('key') }
    const body = { [field]: id, metadata: { a: 1 } }
    const first = await api(path, { key, body, headers })
    const text = await first.text()
    await api(one(id), { key, method: 'PATCH', body: { metadata: { a: 2 } } })
    const again = await api(path, { key, body, headers })
    expect(again.status).toBe(201)
    expect(await again.text()).toBe(text)
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    await expectRefused(
      await api(path, { key, body: { [field]: unique('x') }, headers }),
      422,
      'idempotency_mismatch',
    )
    const taken = { 'Idempotency-Key': unique('key') }
    await expectRefused(await api(path, { key, body, headers: taken }), 409, 'conflict')
    expect((await api(path, { key, body: { [field]: unique('free') }, headers: taken })).status).toBe(201)
  })

  it('that two concurrent requests create with one id are one', async () => {
    const id = unique('race')
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, seat) => api(path, { key, body: { [field]: id, metadata: { seat } } })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409])
    expect((await listed(key, path)).filter((row) => row[field] === id)).toHaveLength(1)
  })

  it('keeps concurrent changes separate', async () => {
    const id = unique('merge')
    await api(path, { key, body: { [field]: id } })
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        api(one(id), { key, method: 'PATCH', body: { metadata: { [`k${i}`]: i } } }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect((await read(key, one(id))).metadata).toEqual({ k0: 0, k1: 1, k2: 2, k3: 3, k4: 4 })
  })

  const scopes = [
    { method: 'GET', target: path, scope: 'credits:read' },
    { method: 'GET', target: `${path}/nobody`, scope: 'credits:read' },
    { method: 'POST', target: path, scope: 'credits:write' },
    { method: 'PATCH', target: `${path}/nobody`, scope: 'credits:write' },
    { method: 'DELETE', target: `${path}/nobody`, scope: 'credits:write' },
  ] as const
  it.each(scopes)(
    '$method $target requires a key with the scope $scope',
    async ({ method, target, scope }) => {
      const options = method === 'POST' || method === 'PATCH' ? { method, body: {} } : { method }
      await expectRefused(await api(target, options), 401, 'missing_api_key')
      const other = scope === 'credits:read' ? 'credits:write' : 'credits:read'
      const wrong = await createKey(customer.customer_id, { scopes: [other, 'events:write', 'keys:write'] })
      const refused = await expectRefused(
        await api(target, { ...options, key: wrong.api_key }),
        403,
        'insufficient_scope',
      )
      expect(refused.detail).toContain(scope)
      const right = await createKey(customer.customer_id, { scopes: [scope] })
      expect([200, 400, 404]).toContain((await api(target, { ...options, key: right.api_key })).status)
    },
  )

  it('of another customer are not found, and do not change', async () => {
    const stranger = (await createCustomer()).api_key
    const id = unique('hers')
    await api(path, { key, body: { [field]: id, metadata: { a: 1 } } })
    const before = await read(key, one(id))
    for (const method of ['GET', 'DELETE'])
      await expectRefused(await api(one(id), { key: stranger, method }), 404, 'not_found')
    const body = { metadata: { a: 2 } }
    await expectRefused(await api(one(id), { key: stranger, method: 'PATCH', body }), 404, 'not_found')
    expect(await listed(stranger, path)).toEqual([])
    expect((await api(path, { key: stranger, body: { [field]: id } })).status).toBe(201)
    await erased(stranger, one(id))
    expect(await read(key, one(id))).toEqual(before)
  })

  it('of test keys are those of the test ledger', async () => {
    const { customer_id, api_key } = await createCustomer()
    const ledger = { customer_id, mode: 'test' } as const
    await openLedger(env, { ledger, signup_grant_micro: 1_000_000_000, account: ACCOUNT })
    const test_key = (await createKey(customer_id, { mode: 'test' })).api_key
    await api(path, { key: api_key, body: { [field]: 'zoe', metadata: { of: 'live' } } })
    await ingested(test_key, { ...GPT_4O, [field]: 'zoe' })
    expect(await read(test_key, one('zoe'))).not.toHaveProperty('metadata')
    await erased(test_key, one('zoe'))
    expect(await read(api_key, one('zoe'))).toMatchObject({ metadata: { of: 'live' } })
    await expectRefused(await api(one('zoe'), { key: test_key }), 404, 'not_found')
  })

  it('are recorded at their first mention, before and after the flush', async () => {
    const { api_key, customer_id } = await createCustomer()
    const mentions: [id: string, mention: (id: string) => Promise<unknown>][] = [
      ['by an event', (id) => ingested(api_key, { ...GPT_4O, [field]: id })],
      ['by a batch', (id) => ingested(api_key, { events: [{ ...GPT_4O, [field]: id }] })],
      ['by a grant', (id) => granted(api_key, { [field]: id, amount: 1 })],
      ['by a purchase', (id) => purchased(api_key, { [field]: id, amount: 1, price_usd: 1 })],
      [
        'by a transfer',
        (id) =>
          api('/v1/credits/transfer', { key: api_key, body: { from: {}, to: { [field]: id }, amount: 1 } }),
      ],
      [
        'by an overdraft limit',
        (id) =>
          api('/v1/credits/wallets', {
            key: api_key,
            method: 'PATCH',
            body: { [field]: id, overdraft_limit: 5 },
          }),
      ],
    ]
    for (const [id, mention] of mentions) {
      const before_ms = Date.now()
      await mention(id)
      // The new user or team is immediately the newest one in the list.
      const subject = await read(api_key, one(id))
      expect(subject).toEqual({ [field]: id, created_at: expect.any(String) })
      expect(Date.parse(String(subject.created_at))).toBeGreaterThanOrEqual(before_ms)
      expect((await listed(api_key, path))[0]).toEqual(subject)
    }
    const rows = await listed(api_key, path)
    expect(rows.map((row) => row[field])).toEqual(mentions.map(([id]) => id).reverse())
    await runAlarm(ledgerOf(customer_id))
    expect(await listed(api_key, path)).toEqual(rows)
  })

  it('that many concurrent requests mention first are listed in the order of mention', async () => {
    const { api_key } = await createCustomer()
    const ids = Array.from({ length: 120 }, (_, i) => `many-${i}`)
    await ingested(api_key, {
      events: ids.map((id) => ({ ...GPT_4O, input_tokens: 1, output_tokens: 0, [field]: id })),
    })
    expect((await listed(api_key, path)).map((row) => row[field])).toEqual(ids.toReversed())
    expect((await listed(api_key, path, '?limit=7')).map((row) => row[field])).toEqual(ids.toReversed())
  })

  it('are not recorded if every request that mentions them is refused', async () => {
    const id = unique('refused')
    await granted(key, { [field]: id, amount: 1 })
    const other = unique('never')
    await api('/v1/credits/transfer', {
      key,
      body: { from: { [field]: id }, to: { [field]: other }, amount: 5 },
    })
    await expectRefused(await api(one(other), { key }), 404, 'not_found')
  })
})

describe('email', () => {
  it('is set, changed and cleared', async () => {
    const user_id = unique('mail')
    const created = await api('/v1/users', { key, body: { user_id, email: 'Ann@Example.com' } })
    expect(await jsonOf(created)).toMatchObject({ user_id, email: 'Ann@Example.com' })
    const patch = async (body: unknown) =>
      jsonOf(await api(userPath(user_id), { key, method: 'PATCH', body }))
    expect(await patch({ email: 'b@example.com' })).toMatchObject({ email: 'b@example.com' })
    expect(await patch({ metadata: { a: 1 } })).toMatchObject({ email: 'b@example.com', metadata: { a: 1 } })
    expect(await patch({ email: null })).toEqual({
      user_id,
      metadata: { a: 1 },
      created_at: expect.any(String),
    })
    expect(await patch({ metadata: { a: null } })).toEqual({ user_id, created_at: expect.any(String) })
    expect(await patch({ metadata: {} })).toEqual({ user_id, created_at: expect.any(String) })
  })

  it('may be the same for two users, because it is only stored', async () => {
    for (const user_id of [unique('one'), unique('two')]) {
      const body = { user_id, email: 'shared@example.com' }
      expect((await api('/v1/users', { key, body })).status).toBe(201)
    }
  })

  it.each(['ann', '', 'a@', '@b.c', 7, ['a@b.c'], `${'a'.repeat(250)}@b.co`])('is not %j', async (email) => {
    await expectInvalid(await api('/v1/users', { key, body: { user_id: unique('bad'), email } }), '/email')
    const user_id = unique('bad')
    await api('/v1/users', { key, body: { user_id } })
    await expectInvalid(await api(userPath(user_id), { key, method: 'PATCH', body: { email } }), '/email')
  })

  it('is not for teams', async () => {
    const team_id = unique('team')
    await expectInvalid(await api('/v1/teams', { key, body: { team_id, email: 'a@b.co' } }), '/email')
    await api('/v1/teams', { key, body: { team_id } })
    await expectInvalid(
      await api(teamPath(team_id), { key, method: 'PATCH', body: { email: 'a@b.co' } }),
      '/email',
    )
  })
})

it('a user and a team of one name are two', async () => {
  const name = unique('same')
  await api('/v1/users', { key, body: { user_id: name, metadata: { of: 'user' } } })
  await expectRefused(await api(teamPath(name), { key }), 404, 'not_found')
  await api('/v1/teams', { key, body: { team_id: name, metadata: { of: 'team' } } })
  await erased(key, teamPath(name))
  expect(await read(key, userPath(name))).toMatchObject({ metadata: { of: 'user' } })
})
