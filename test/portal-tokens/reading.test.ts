import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { revokeApiKey } from '../../src/api-keys/revocation.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { settle } from '../support/belongings.ts'
import {
  expectInvalid,
  GPT_4O,
  granted,
  ingested,
  type Json,
  objects,
  purchased,
  read,
} from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, type TestCustomer } from '../support/customers.ts'
import { deployed } from '../support/deployment.ts'
import { createKey } from '../support/keys.ts'
import { ledgerOf, runAlarm } from '../support/ledgers.ts'
import { expectProblem } from '../support/problems.ts'
import { BALANCE, make, portalToken, TRANSACTIONS, USAGE } from './support.ts'

let customer: TestCustomer
let ann: string
let red: string
beforeAll(async () => {
  customer = await createCustomer()
  const key = customer.api_key
  const metadata = { note: 'internal' }
  await purchased(key, { user_id: 'ann', amount: 100, price_usd: 1, payment_reference: 'pi_1', metadata })
  await granted(key, { team_id: 'red', amount: 70 })
  await granted(key, { user_id: 'bob', amount: 5, reason: 'For Bob' })
  await ingested(key, { ...GPT_4O, user_id: 'ann', metadata })
  await ingested(key, { ...GPT_4O, user_id: 'bob', team_id: 'red', feature_id: 'search' })
  await settle(customer.customer_id)
  ann = await portalToken(key, { user_id: 'ann' })
  red = await portalToken(key, { team_id: 'red' })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('a portal token', () => {
  it('reads the balance of its own wallet, which it need not name', async () => {
    expect(await read(ann, BALANCE)).toMatchObject({ balance: 85, available_balance: 85 })
    expect(await read(ann, `${BALANCE}?user_id=ann`)).toMatchObject({ balance: 85 })
    expect(await read(red, BALANCE)).toMatchObject({ balance: 55 })
  })

  it('is sent like an API key', async () => {
    const response = await api(BALANCE, { headers: { 'X-API-Key': ann } })
    expect(await jsonOf(response)).toMatchObject({ balance: 85 })
  })

  it('reads the transactions of its own wallet, without metadata and payment references', async () => {
    const rows = objects((await read(ann, TRANSACTIONS)).data)
    expect(rows.map(({ type, amount }) => [type, amount])).toEqual([
      ['BURN', -15],
      ['PURCHASE', 100],
    ])
    expect(JSON.stringify(rows)).not.toMatch(/internal|pi_1|metadata|payment_reference/)
    const of_key = objects((await read(customer.api_key, `${TRANSACTIONS}?user_id=ann`)).data)
    expect(of_key.map(withoutNotes)).toEqual(rows)
    expect(objects((await read(red, TRANSACTIONS)).data)).toHaveLength(2)
  })

  it('reads its transactions a page at a time, in every format', async () => {
    const headers = { Accept: 'text/csv' }
    const csv = await (await api(`${TRANSACTIONS}?limit=1`, { key: ann, headers })).text()
    expect(csv.split('\r\n')[0]).toBe(
      'id,type,wallet_id,amount,balance_before,balance_after,description,event_id,price_usd,lots,created_at',
    )
    const all = await api(TRANSACTIONS, { key: ann, headers: { Accept: 'application/x-ndjson' } })
    expect((await all.text()).trim().split('\n')).toHaveLength(2)
  })

  it('reads the usage of its user or team, without the cost of providers', async () => {
    const usage = await read(ann, `${USAGE}?group_by=feature,model`)
    expect(usage.totals).toEqual({
      events: 1,
      units: { input_tokens: 1000, output_tokens: 500 },
      credits: 15,
    })
    expect(usage.data).toMatchObject([{ group: { feature: 'chat', model: 'gpt-4o' }, credits: 15 }])
    expect(JSON.stringify(usage)).not.toContain('usd')
    expect((await read(red, `${USAGE}?group_by=feature`)).data).toMatchObject([
      { group: { feature: 'search' }, events: 1 },
    ])
    const of_key = await read(customer.api_key, USAGE)
    expect(of_key.totals).toMatchObject({ events: 2, provider_cost_usd: 0.015 })
  })

  it('gets 404 for a user without a wallet', async () => {
    const key = await portalToken(customer.api_key, { user_id: 'nobody yet' })
    await expectProblem(await api(BALANCE, { key }), 404, 'not_found')
    expect(await read(key, TRANSACTIONS)).toMatchObject({ data: [] })
    expect(await read(key, USAGE)).toMatchObject({ totals: { events: 0 } })
  })

  it('accepts an id of any characters', async () => {
    const user_id = 'zoë/"<script>&user_id=bob#%00 🦊'
    await granted(customer.api_key, { user_id, amount: 3 })
    const key = await portalToken(customer.api_key, { user_id })
    expect(await read(key, BALANCE)).toMatchObject({ balance: 3 })
    expect(objects((await read(key, TRANSACTIONS)).data)).toHaveLength(1)
  })

  it('of a test key reads the test ledger', async () => {
    const body = { name: 'CI', mode: 'test' }
    const made = await jsonOf(await api('/v1/api-keys', { key: customer.api_key, body }))
    const test_key = textField(made, 'api_key')
    await granted(test_key, { user_id: 'ann', amount: 7 })
    const key = await portalToken(test_key, { user_id: 'ann' })
    expect(await read(key, BALANCE)).toMatchObject({ balance: 7 })
    expect(await read(ann, BALANCE)).toMatchObject({ balance: 85 })
  })

  it('writes no row when it is made or used', async () => {
    const rows = async () => {
      const { results } = await env.DB.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_cf_*'",
      ).all()
      const counts = results.map(({ name }) => env.DB.prepare(`SELECT count(*) AS rows FROM "${name}"`))
      return (await env.DB.batch(counts)).map((count) => count.results)
    }
    const before = await rows()
    const key = await portalToken(customer.api_key, { user_id: 'ann' })
    for (const path of [BALANCE, USAGE, TRANSACTIONS]) await read(key, path)
    expect(await rows()).toEqual(before)
  })
})

describe('a portal token ends', () => {
  it('at its time, to the millisecond', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const now_ms = Date.now()
    const response = await make(customer.api_key, { user_id: 'ann', expires_in_seconds: 60 })
    const { token, expires_at } = await jsonOf(response)
    expect(expires_at).toBe(new Date(now_ms + 60_000).toISOString())
    vi.setSystemTime(now_ms + 59_999)
    expect((await api(BALANCE, { key: String(token) })).status).toBe(200)
    vi.setSystemTime(now_ms + 60_000)
    await expectProblem(await api(BALANCE, { key: String(token) }), 401, 'expired_api_key')
  })

  it('no later than the key that makes it', async () => {
    const expires_at_ms = Date.now() + 30_000
    const { api_key } = await createKey(customer.customer_id, { expires_at_ms })
    const { expires_at } = await jsonOf(await make(api_key, { user_id: 'ann', expires_in_seconds: 3600 }))
    expect(expires_at).toBe(new Date(expires_at_ms).toISOString())
  })

  it.each([BALANCE, USAGE, TRANSACTIONS])(
    'at once when the key that made it is deleted, for %s',
    async (path) => {
      const { api_key, key_id } = await createKey(customer.customer_id, { scopes: ['portal:write'] })
      const key = await portalToken(api_key, { user_id: 'ann' })
      expect((await api(path, { key })).status).toBe(200)
      await revokeApiKey(env, customer.customer_id, key_id, Date.now())
      const { detail } = await expectProblem(await api(path, { key }), 401, 'revoked_api_key')
      expect(detail).toContain('This portal token has ended with the API key that created it.')
    },
  )

  it('with the overlap of a rotated key', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const { api_key, key_id } = await createKey(customer.customer_id)
    const earlier = await portalToken(api_key, { user_id: 'ann', expires_in_seconds: 3600 })
    const body = { overlap_seconds: 600 }
    await api(`/v1/api-keys/${key_id}/rotate`, { key: customer.api_key, body })
    const ends = new Date(Date.now() + 600_000).toISOString()
    const later = await jsonOf(await make(api_key, { user_id: 'ann', expires_in_seconds: 3600 }))
    expect(later.expires_at).toBe(ends)
    vi.setSystemTime(Date.now() + 599_000)
    expect((await api(BALANCE, { key: earlier })).status).toBe(200)
    vi.setSystemTime(Date.now() + 1_000)
    await expectProblem(await api(BALANCE, { key: earlier }), 401, 'revoked_api_key')
  })

  it.each([BALANCE, USAGE, TRANSACTIONS])('at once when its customer is suspended, for %s', async (path) => {
    const { api_key, customer_id } = await createCustomer()
    await granted(api_key, { user_id: 'ann', amount: 1 })
    const key = await portalToken(api_key, { user_id: 'ann' })
    const change = (status: string) =>
      api(`/v1/admin/customers/${customer_id}`, { key: OPERATOR_TOKEN, method: 'PATCH', body: { status } })
    await change('SUSPENDED')
    await expectProblem(await api(path, { key }), 403, 'customer_suspended')
    expect((await api(path, { key: api_key })).status).toBe(200)
    await change('ACTIVE')
    expect((await api(path, { key })).status).toBe(200)
  })
})

describe('POST /v1/portal-tokens', () => {
  it('requires only the scope portal:write', async () => {
    const { api_key } = await createKey(customer.customer_id, { scopes: ['portal:write'] })
    expect(await read(await portalToken(api_key, { user_id: 'ann' }), BALANCE)).toMatchObject({ balance: 85 })
    const other = await createKey(customer.customer_id, { scopes: ['credits:write', 'analytics:read'] })
    await expectProblem(await make(other.api_key, { user_id: 'ann' }), 403, 'insufficient_scope')
  })

  it.each([
    ['no wallet', { user_id: undefined }, '/user_id'],
    ['two wallets', { team_id: 'red' }, '/team_id'],
    ['no origin', { origins: [] }, '/origins'],
    ['too many origins', { origins: Array(11).fill('https://a.example') }, '/origins'],
    ['every origin', { origins: ['*'] }, '/origins/0'],
    ['the origin null', { origins: ['null'] }, '/origins/0'],
    ['a path', { origins: ['https://a.example/'] }, '/origins/0'],
    ['a name and a password', { origins: ['https://a:b@a.example'] }, '/origins/0'],
    ['the port that https has anyway', { origins: ['https://a.example:443'] }, '/origins/0'],
    ['capital letters', { origins: ['https://A.example'] }, '/origins/0'],
    ['http', { origins: ['http://a.example'] }, '/origins/0'],
    ['a wildcard', { origins: ['https://*.a.example'] }, '/origins/0'],
    ['another scheme', { origins: ['javascript:alert(1)'] }, '/origins/0'],
    ['more than an hour', { expires_in_seconds: 3601 }, '/expires_in_seconds'],
    ['no time at all', { expires_in_seconds: 0 }, '/expires_in_seconds'],
    ['an unknown field', { scopes: ['credits:write'] }, '/scopes'],
  ])('refuses %s', async (_, draft, path) => {
    await expectInvalid(await make(customer.api_key, { user_id: 'ann', ...draft }), path)
  })

  it('takes origins of development, and ports', async () => {
    const origins = ['http://localhost:5173', 'http://127.0.0.1:8080', 'https://a.example:8443']
    expect((await make(customer.api_key, { user_id: 'ann', origins })).status).toBe(201)
  })

  it('returns 503 if the deployment has no secret, or a public or short one', async () => {
    const body = { user_id: 'ann', expires_in_seconds: 60, origins: ['https://a.example'] }
    for (const bindings of [
      { PORTAL_TOKEN_SECRET: '' },
      { ENVIRONMENT: 'production' },
      { ENVIRONMENT: 'production', PORTAL_TOKEN_SECRET: 'x'.repeat(31) },
    ]) {
      const response = await deployed(bindings, '/v1/portal-tokens', { key: customer.api_key, body })
      await expectProblem(response, 503, 'portal_tokens_not_configured')
      expect(response.headers.get('Retry-After')).toBeNull()
    }
  })
})

it('a portal token survives the flush of the ledger that it reads', async () => {
  await runAlarm(ledgerOf(customer.customer_id))
  expect(objects((await read(ann, TRANSACTIONS)).data)).toHaveLength(2)
})

function withoutNotes({ metadata: _, payment_reference: __, ...row }: Json): Json {
  return row
}
