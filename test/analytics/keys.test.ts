import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { rebuildLedger } from '../../src/usage/rollups/rebuild.ts'
import { api, textField } from '../support/api.ts'
import { answered, expectInvalid, GPT_4O, ingested, listed, read } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { createKey, type TestKey } from '../support/keys.ts'
import { ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { acks, captureUsage, deliver, expectRolledUp, rollupRows } from '../support/usage.ts'

/** Tests usage by API key, from the ingested event to the analytics routes. */

const usage = (key: string, query: string) => read(key, `/v1/analytics/usage${query}`)

/** Returns the id of a customer's first key. */
async function keyId(key: string): Promise<string> {
  const [only] = await listed(key, '/v1/api-keys')
  if (!only) throw new Error('the customer has no key')
  return textField(only, 'key_id')
}

describe('usage per API key', () => {
  let key: string
  let own: string
  let other: TestKey
  let ledger: TestLedger
  let customer_id: string
  let sent: unknown[]

  beforeAll(async () => {
    const customer = await createCustomer()
    key = customer.api_key
    customer_id = customer.customer_id
    own = await keyId(key)
    other = await createKey(customer_id)
    ledger = ledgerOf(customer_id)
    sent = await captureUsage(ledger)
    const model = unique('model')
    await ingested(key, GPT_4O)
    await ingested(key, { ...GPT_4O, user_id: 'mia', team_id: 'red' })
    await ingested(other.api_key, { events: [GPT_4O, { ...GPT_4O, feature_id: 'search', user_id: 'mia' }] })
    const { id } = await ingested(other.api_key, GPT_4O)
    await answered(key, `/v1/events/${String(id)}/void`, {})
    // A capture counts as usage of the key that opened the hold, not of the key that captures it.
    const hold = await answered(other.api_key, '/v1/holds', { feature_id: 'chat', credits: 20 }, 201)
    const hold_id = textField(hold, 'hold_id')
    await answered(key, `/v1/holds/${hold_id}/capture`, { credits: 5 })
    await answered(key, `/v1/holds/${hold_id}/capture`, { event: GPT_4O, final: true })
    await ingested(other.api_key, { ...GPT_4O, model, input_tokens: 1500, output_tokens: 0 })
    const prices = { input_tokens: { amount: '5', per: 1_000_000 } }
    const effective_from = new Date(Date.now() - 3_600_000).toISOString()
    const price = { provider: 'OPENAI', model, effective_from, prices }
    await answered(OPERATOR_TOKEN, '/v1/admin/provider-costs', price, 201)
    await answered(OPERATOR_TOKEN, '/v1/admin/rerate', { customer_id })
    await runAlarm(ledger)
    await deliver(sent)
  })

  it('has a row for each key, with voids, captures and late prices at the key of the event', async () => {
    const { data, totals } = await usage(key, '?group_by=key')
    const rows = [
      { group: { key: own }, events: 2, credits: 30 },
      { group: { key: other.key_id }, events: 4, credits: 65 },
    ]
    expect(data).toHaveLength(2)
    expect(data).toEqual(expect.arrayContaining(rows.map((row) => expect.objectContaining(row))))
    expect(totals).toMatchObject({ events: 6, credits: 95 })
  })

  it('is grouped with features, models and windows, and filtered', async () => {
    expect((await usage(key, `?group_by=key,feature&key=${other.key_id}`)).data).toMatchObject([
      { group: { key: other.key_id, feature: 'chat' }, events: 3 },
      { group: { key: other.key_id, feature: 'search' }, events: 1 },
    ])
    expect((await usage(key, `?group_by=hour&key_id=${own}`)).data).toMatchObject([{ events: 2 }])
    expect((await usage(key, `?key=${own}&key_id=${other.key_id}`)).totals).toMatchObject({ events: 6 })
    expect((await usage(key, '?key=key_of_nobody')).totals).toMatchObject({ events: 0 })
    const costs = await read(key, `/v1/analytics/costs?group_by=day,key&key=${own}`)
    expect(costs.data).toMatchObject([{ group: { key: own }, provider_cost_usd: 0.015 }])
  })

  it.each([
    ['?group_by=key,user', '/group_by'],
    ['?group_by=team,key', '/group_by'],
    ['?group_by=key&user=mia', '/group_by'],
    ['?group_by=user&key=key_1', '/key'],
    ['?team=red&key_id=key_1', '/key'],
  ])('is not combined with users and teams: %s', async (query, path) => {
    await expectInvalid(await api(`/v1/analytics/usage${query}`, { key }), path, /user or team/)
  })

  it('is in the events, which are filtered by it', async () => {
    const events = await listed(key, '/v1/events', `?key_id=${other.key_id}`)
    expect(events.map(({ key_id }) => key_id)).toEqual(Array(5).fill(other.key_id))
    expect(await listed(key, '/v1/events', `?key_id=${own}`)).toHaveLength(2)
    expect(await listed(key, '/v1/events', '?key_id=key_of_nobody')).toHaveLength(0)
  })

  it('is rolled up, reconciled and rebuilt to the same bytes', async () => {
    await expectRolledUp(ledger)
    const before = await rollupRows(ledger)
    expect(await rebuildLedger(env.DB, ledgerKey(ledger.name))).toMatchObject({ done: true })
    expect(await rollupRows(ledger)).toEqual(before)
    const reconciled = await answered(OPERATOR_TOKEN, '/v1/admin/reconcile', { customer_id, full: true })
    expect(reconciled).toMatchObject({ ledgers: [{ status: 'OK', differences: [] }] })
  })

  it('takes part in the view of entries for operators', async () => {
    const { results } = await env.DB.prepare(
      "SELECT key_id, count(*) AS n FROM ledger_entries WHERE ledger_id = ? AND type = 'BURN' GROUP BY key_id",
    )
      .bind(ledgerKey(ledger.name))
      .all<{ key_id: string; n: number }>()
    expect(Object.fromEntries(results.map(({ key_id, n }) => [key_id, n]))).toEqual({
      [own]: 2,
      [other.key_id]: 7,
    })
  })
})

describe('usage that was recorded before usage had keys', () => {
  it('has no key, beside usage that has one', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const ledger = ledgerOf(customer_id)
    const sent = await captureUsage(ledger)
    await ingested(key, GPT_4O)
    await runAlarm(ledger)
    const bodies = sent.splice(0)
    expect(bodies).toMatchObject([{ v: 2 }])
    await deliver(bodies)
    // Imitates pages and rollup rows of an earlier version, which do not record the API key.
    const ledger_id = ledgerKey(ledger.name)
    await env.DB.batch([
      env.DB.prepare(
        `UPDATE ledger_pages SET body = (SELECT json_group_array(json_remove(value, '$.p.e.ki')) FROM json_each(body))
         WHERE ledger_id = ?`,
      ).bind(ledger_id),
      env.DB.prepare('UPDATE rollup_days SET by_key = NULL WHERE ledger_id = ?').bind(ledger_id),
    ])
    const old = await rollupRows(ledger)
    expect(await rebuildLedger(env.DB, ledger_id)).toMatchObject({ done: true })
    expect(await rollupRows(ledger)).toEqual(old)
    expect((await usage(key, '?group_by=key')).data).toMatchObject([{ group: { key: null }, events: 1 }])
    expect(await listed(key, '/v1/events')).toMatchObject([{ key_id: null }])

    await ingested(key, GPT_4O)
    await runAlarm(ledger)
    expect(await deliver(sent.splice(0))).toEqual(acks(1))
    expect((await usage(key, '?group_by=key')).data).toMatchObject([
      { group: { key: await keyId(key) }, events: 1 },
      { group: { key: null }, events: 1 },
    ])
    await expectRolledUp(ledger)
    const mixed = await rollupRows(ledger)
    expect(await rebuildLedger(env.DB, ledger_id)).toMatchObject({ done: true })
    expect(await rollupRows(ledger)).toEqual(mixed)
  })
})
