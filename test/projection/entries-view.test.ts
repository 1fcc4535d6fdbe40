import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { entryNumberOf } from '../../src/ledger/model/ledger-ids.ts'
import { api, jsonOf } from '../support/api.ts'
import { GPT_4O, type Json, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'

/** Compares the SQL view of the pages in D1, which operators read, with the lists of the API. */

interface Row {
  entry: number
  id: string
  event_id: string | null
  type: string
  amount_micro: number
  balance_after_micro: number
  description: string | null
  metadata: string | null
  user_id: string | null
  feature_id: string | null
  model: string | null
  wallet_id: string
}

let key: string
let ledger: TestLedger

beforeEach(async () => {
  const customer = await createCustomer()
  key = customer.api_key
  ledger = ledgerOf(customer.customer_id)
})

async function post(path: string, body: object): Promise<Json> {
  const response = await api(path, { key, body })
  expect(response.status).toBeLessThan(300)
  return jsonOf(response)
}

/** Runs operations that create entries in two wallets, and flushes the ledger three times. */
async function live(): Promise<void> {
  await post('/v1/credits/purchase', { amount: 500, price_usd: 5, payment_reference: 'pi_1' })
  await post('/v1/credits/grant', { amount: 100, user_id: 'zoë', reason: 'welcome', metadata: { a: [1] } })
  const burned = await post('/v1/events/ingest', { ...GPT_4O, user_id: 'zoë', metadata: { run: 7 } })
  await runAlarm(ledger)
  await post('/v1/events/ingest', { events: [GPT_4O, { ...GPT_4O, team_id: 'red' }, GPT_4O] })
  await post(`/v1/events/${String(burned.id)}/void`, {})
  await runAlarm(ledger)
  const hold = await post('/v1/holds', { feature_id: 'agent', credits: 10, user_id: 'zoë' })
  await post(`/v1/holds/${String(hold.hold_id)}/capture`, { credits: 4, final: true })
  await post('/v1/credits/transfer', { from: {}, to: { user_id: 'zoë' }, amount: 3 })
  await post('/v1/credits/adjust', { amount: -2, reason: 'a mistake' })
  await runAlarm(ledger)
}

async function view(where = '', ...bindings: unknown[]): Promise<{ rows: Row[]; rows_read: number }> {
  const { results, meta } = await env.DB.prepare(
    `SELECT * FROM ledger_entries WHERE ledger_id = ?1 ${where} ORDER BY entry DESC`,
  )
    .bind(ledger.name.customer_id, ...bindings)
    .all<Row>()
  return { rows: results, rows_read: meta.rows_read }
}

describe('the view of entries', () => {
  it('has every transaction that the API lists, as it lists it', async () => {
    await live()
    const transactions = await listed(key, '/v1/credits/transactions')
    const { rows } = await view()
    expect(rows.length).toBeGreaterThanOrEqual(11)
    expect(
      rows.map(({ id, type, amount_micro, balance_after_micro, event_id, ...row }) => ({
        id,
        type,
        amount: amount_micro / 1e6,
        balance_after: balance_after_micro / 1e6,
        event_id,
        metadata: JSON.parse(row.metadata ?? '{}'),
      })),
    ).toEqual(
      transactions.map(({ id, type, amount, balance_after, event_id, metadata }) => ({
        id,
        type,
        amount,
        balance_after,
        event_id: event_id ?? null,
        metadata,
      })),
    )
  })

  it('has every event that the API lists, with its usage and subjects', async () => {
    await live()
    const events = await listed(key, '/v1/events')
    const { rows } = await view('AND event_id IS NOT NULL')
    expect(
      rows.map(({ event_id, feature_id, model, user_id }) => [event_id, feature_id, model, user_id]),
    ).toEqual(events.map(({ id, feature_id, model, user_id }) => [id, feature_id, model, user_id ?? null]))
  })

  it('finds an entry that is no burn by its id, with its owner', async () => {
    await live()
    const transactions = await listed(key, '/v1/credits/transactions')
    for (const { id, type } of transactions.filter((transaction) => transaction.type !== 'BURN')) {
      const { rows } = await view('AND id = ?2', id)
      expect(rows.map((row) => [row.id, row.type])).toEqual([[id, type]])
    }
    const { rows } = await view("AND type = 'VOID'")
    expect(rows.map(({ user_id, feature_id, model }) => [user_id, feature_id, model])).toEqual([
      ['zoë', 'chat', 'gpt-4o'],
    ])
  })

  it('reads the pages of one flush when the number of an entry is known, for any number of pages', async () => {
    await live()
    for (let i = 0; i < 20; i++) {
      await post('/v1/events/ingest', GPT_4O)
      await runAlarm(ledger)
    }
    const [newest] = await listed(key, '/v1/credits/transactions', '?type=VOID')
    const entry = entryNumberOf('txn', String(newest?.id), ledger.name)
    const { rows, rows_read } = await view(
      `AND entry = ?2 AND flush_entry =
        (SELECT max(flush_entry) FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry <= ?2)`,
      entry,
    )
    expect(rows.map(({ type }) => type)).toEqual(['VOID'])
    expect(rows_read).toBeLessThan(30)
  })
})
