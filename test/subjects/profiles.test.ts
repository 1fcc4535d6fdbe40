import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { addSubject } from '../../src/subjects/records.ts'
import { apiWith } from '../support/app.ts'
import { expectRefused, GPT_4O, ingested, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { countedD1 } from '../support/d1.ts'
import { ledgerOf } from '../support/ledgers.ts'
import { CALLER } from '../support/messages.ts'

/** Tests the maximum number of profiles, with a maximum of two users and two teams. */

const TWO = { MAX_PROFILES_ENTERPRISE: '2' }
const PLACES = [
  { path: '/v1/users', field: 'user_id' },
  { path: '/v1/teams', field: 'team_id' },
]

describe.each(PLACES)('$path at a tier with two profiles', ({ path, field }) => {
  const create = (key: string, id: string, bindings: object = TWO) =>
    apiWith(bindings, path, { key, body: { [field]: id, metadata: { plan: 'pro' } } })
  const change = (key: string, id: string, metadata: unknown, bindings: object = TWO) =>
    apiWith(bindings, `${path}/${id}`, { key, method: 'PATCH', body: { metadata } })

  it('creates two, refuses the third by name, and creates it at a higher tier', async () => {
    const { api_key: key } = await createCustomer()
    for (const id of ['a', 'b']) expect((await create(key, id)).status).toBe(201)
    const { detail } = await expectRefused(await create(key, 'c'), 409, 'too_many_open')
    expect(detail).toContain('Only the first 2 ')
    expect(await listed(key, path)).toHaveLength(2)
    expect((await create(key, 'c', {})).status).toBe(201)
  })

  it('refuses a value for the third, and always allows to clear and erase', async () => {
    const { api_key: key } = await createCustomer()
    for (const id of ['a', 'b', 'c']) expect((await create(key, id, {})).status).toBe(201)
    await expectRefused(await change(key, 'c', { seats: 1 }), 409, 'too_many_open')
    expect((await change(key, 'a', { seats: 1 })).status).toBe(200)
    expect((await change(key, 'c', null)).status).toBe(200)
    await expectRefused(await change(key, 'c', { seats: 1 }), 409, 'too_many_open')
    expect((await apiWith(TWO, `${path}/c`, { key, method: 'DELETE' })).status).toBe(200)
  })

  it('a refusal leaves the idempotency key unused', async () => {
    const { api_key: key } = await createCustomer()
    for (const id of ['a', 'b']) await create(key, id)
    const options = { key, body: { [field]: 'c' }, headers: { 'Idempotency-Key': 'once' } }
    await expectRefused(await apiWith(TWO, path, options), 409, 'too_many_open')
    expect((await apiWith({}, path, options)).status).toBe(201)
  })

  it('events mention any number of them', async () => {
    const { api_key: key } = await createCustomer()
    await ingested(key, { events: ['a', 'b', 'c', 'd'].map((id) => ({ ...GPT_4O, [field]: id })) })
    expect(await listed(key, path)).toHaveLength(4)
    await expectRefused(await create(key, 'e'), 409, 'too_many_open')
  })
})

it('live and test ledgers, and users and teams, are counted separately', async () => {
  const { api_key: key } = await createCustomer()
  for (const id of ['a', 'b']) {
    for (const { path, field } of PLACES) {
      const created = await apiWith(TWO, path, { key, body: { [field]: id } })
      expect(created.status).toBe(201)
    }
  }
})

it('the limit is checked by one row, for any number of users of a ledger', async () => {
  const { customer_id, api_key: key } = await createCustomer()
  await ingested(key, { events: Array.from({ length: 300 }, (_, i) => ({ ...GPT_4O, user_id: `u${i}` })) })
  expect(await listed(key, '/v1/users')).toHaveLength(300)
  const subjects = {
    ledger: ledgerOf(customer_id).name,
    caller: CALLER,
    kind: 'user',
    max_profiles: 300,
  } as const
  const { result, counts } = await countedD1((DB) =>
    addSubject({ env: { ...env, DB }, ...subjects }, 'new', {}, Date.now(), []),
  )
  expect(result).toEqual({ kind: 'full' })
  expect(counts.rows_read).toBeLessThan(5)
  expect(counts.rows_written).toBe(0)
})
