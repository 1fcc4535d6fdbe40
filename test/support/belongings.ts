import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, vi } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { checkPayment } from '../../src/ledger/client/client.ts'
import type { CustomerLedger } from '../../src/ledger/object.ts'
import { deliveryId, recordOutcomes } from '../../src/webhooks/records/deliveries.ts'
import { api, jsonOf, textField } from './api.ts'
import { GPT_4O, granted, ingested, type Json, objects, read } from './client.ts'
import { createCustomer, type TestCustomer, unique } from './customers.ts'

/** A customer with one object of each kind. The objects have unique names. */
export interface Belongings extends TestCustomer {
  readonly user_id: string
  readonly team_id: string
  readonly feature_id: string
  readonly event_id: string
  readonly transaction_id: string
  readonly hold_id: string
  readonly entitlement_id: string
  readonly burn_table_id: string
  readonly recurring_grant_id: string
  readonly lot_id: string
  readonly key_id: string
  readonly provider_key_id: string
  readonly gateway_route_id: string
  readonly credit_pack_id: string
  readonly payment_id: string
  readonly alert_id: string
  readonly webhook_endpoint_id: string
  readonly webhook_delivery_id: string
  /** The secret of the provider key. No response may contain it, and it is stored only encrypted. */
  readonly provider_key: string
  /** A unique text that all metadata, reasons, names and email addresses of the customer contain. */
  readonly marker: string
}

export async function customerWithEverything(): Promise<Belongings> {
  const customer = await createCustomer()
  const { api_key } = customer
  const marker = unique('marker')
  const [user_id, team_id, feature_id] = [unique('user'), unique('team'), unique('feature')]
  const post = async (path: string, body: object): Promise<Json> => {
    const response = await api(path, { key: api_key, body })
    const answer = await jsonOf(response)
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`)
    return answer
  }
  const metadata = { marker }
  await post('/v1/users', { user_id, email: `${marker}@example.com`, metadata })
  await post('/v1/teams', { team_id, metadata })
  const grant = await granted(api_key, {
    user_id,
    amount: 1000,
    reason: marker,
    recurring: { every: 'month' },
    metadata,
  })
  await granted(api_key, { team_id, amount: 1000, reason: marker })
  const event = await ingested(api_key, { ...GPT_4O, feature_id, user_id, metadata })
  const hold = await post('/v1/holds', { feature_id, user_id, credits: 10 })
  const entitlement = await post('/v1/entitlements', {
    feature_id,
    user_id,
    limit_type: 'HARD',
    limit_value: 1_000_000,
    period: 'MONTHLY',
    metadata,
  })
  await api('/v1/drop-in/openmeter', {
    key: api_key,
    method: 'PUT',
    body: { mappings: [{ type: marker, feature_id, unit: 'calls', quantity: '/count' }] },
  })
  const table = await post('/v1/burn-tables', { name: marker })
  await post('/v1/rating/price-overrides', { provider: 'OPENAI', model: marker, prices: { multiplier: 0.5 } })
  const provider_key = unique('sk')
  const stored_key = await post('/v1/provider-keys', { provider: 'OPENAI', name: marker, key: provider_key })
  const gateway_route = await post('/v1/gateway-routes', {
    name: marker,
    api: 'openai',
    targets: [{ provider_key: marker }],
  })
  const pack = await post('/v1/credit-packs', { name: marker, credits: 1, price_usd: 1 })
  const page = `https://${marker}.example/`
  const payment = await post('/v1/payments/checkout', {
    credit_pack_id: pack.id,
    success_url: page,
    cancel_url: page,
  })
  await api('/v1/credits/auto-top-up', {
    key: api_key,
    method: 'PUT',
    body: { below: 1, credits: 1, price_usd: 1, max_usd_per_month: 1 },
  })
  const alert = await post('/v1/alerts', { type: 'balance_below', threshold: { credits: 1 }, user_id })
  const [key] = objects((await read(api_key, '/v1/api-keys')).data)
  // The ledger checks an unpaid checkout with Stripe after a minute, and then at increasing intervals. After these four
  // checks, the next one is more than an hour later.
  const ledger = { customer_id: customer.customer_id, mode: 'live' } as const
  for (let asked = 1; asked < 5; asked++) await checkPayment(env, ledger, { number: 1 })
  await settle(customer.customer_id)
  // Creates the endpoint last and subscribes it only to a notification type that never occurs here. Otherwise, the
  // Worker would deliver notifications in the background and write rows during a test.
  const endpoint = await post('/v1/webhook-endpoints', {
    url: `http://127.0.0.1:9/${marker}`,
    types: ['runway.below'],
  })
  const webhook_endpoint_id = textField(endpoint, 'id')
  const delivered = {
    owner: customer.customer_id,
    webhook_endpoint_id,
    notification_id: unique('ntf'),
    sequence: 0,
    type: 'webhook_endpoint.test',
    at_ms: Date.now(),
  }
  const outcome = { ...delivered, status: 'failed', made: 1, in_flight: false, due_at_ms: null } as const
  await recordOutcomes(env, [outcome]).run()
  return {
    ...customer,
    marker,
    user_id,
    team_id,
    feature_id,
    event_id: textField(event, 'id'),
    transaction_id: textField(grant, 'transaction_id'),
    recurring_grant_id: textField(grant, 'recurring_grant_id'),
    lot_id: textField(grant, 'lot_id'),
    hold_id: textField(hold, 'hold_id'),
    entitlement_id: textField(entitlement, 'id'),
    burn_table_id: textField(table, 'id'),
    key_id: textField(key ?? {}, 'key_id'),
    provider_key_id: textField(stored_key, 'id'),
    provider_key,
    gateway_route_id: textField(gateway_route, 'id'),
    credit_pack_id: textField(pack, 'id'),
    payment_id: textField(payment, 'payment_id'),
    alert_id: textField(alert, 'id'),
    webhook_endpoint_id,
    webhook_delivery_id: deliveryId(delivered),
  }
}

/** Returns the customer's ids, secrets and texts that no other customer must receive. */
export function secretsOf(owner: Belongings): string[] {
  const { customer_id, api_key, email, user_id, team_id, feature_id, marker } = owner
  const {
    event_id,
    transaction_id,
    hold_id,
    entitlement_id,
    burn_table_id,
    recurring_grant_id,
    key_id,
    lot_id,
    provider_key_id,
    provider_key,
    gateway_route_id,
    credit_pack_id,
    payment_id,
    alert_id,
    webhook_endpoint_id,
    webhook_delivery_id,
  } = owner
  return [
    ...[customer_id, api_key, email, user_id, team_id, feature_id, marker],
    ...[event_id, transaction_id, hold_id, entitlement_id, burn_table_id, recurring_grant_id, key_id, lot_id],
    ...[provider_key_id, provider_key, gateway_route_id, credit_pack_id, payment_id, alert_id],
    ...[webhook_endpoint_id, webhook_delivery_id],
  ]
}

/**
 * Returns all stored data of a customer as text: each row in D1 that contains its id, and each row in the tables of its
 * two ledger objects. Leaves out the times at which its API keys were last used.
 */
export async function storedOf(customer_id: string, { rollups = true } = {}): Promise<string> {
  // Leaves out the counts of drop-in requests, which also include refused requests.
  const in_d1 = (await storedInD1(customer_id)).filter((row) => !row.startsWith('drop_in_counts: '))
  const rows = rollups ? in_d1 : in_d1.filter((row) => !row.startsWith('rollup_'))
  for (const mode of ['live', 'test'] as const)
    rows.push(...(await storedInLedger(ledgerKey({ customer_id, mode }))))
  return rows.join('\n')
}

/**
 * Flushes the live ledger of a customer to D1 and waits for its rollups, so that nothing is written later without a
 * request.
 */
export async function settle(customer_id: string): Promise<void> {
  const ledger_id = ledgerKey({ customer_id, mode: 'live' })
  const object = env.LEDGER.get(env.LEDGER.idFromName(ledger_id))
  await runInDurableObject(object, (instance: CustomerLedger) => instance.alarm())
  const { flushed_entry } = await entriesIn(
    'SELECT flushed_entry FROM ledgers WHERE ledger_id = ?',
    ledger_id,
  )
  // Waits for the rollups, because the queue delivers messages at times that the test does not control.
  await vi.waitFor(
    async () => {
      const rolled = 'SELECT rolled_entry FROM rollup_watermarks WHERE ledger_id = ?'
      expect((await entriesIn(rolled, ledger_id)).rolled_entry).toBe(flushed_entry)
    },
    { timeout: 30_000, interval: 200 },
  )
}

async function entriesIn(sql: string, ledger_id: string): Promise<Json> {
  return (await env.DB.prepare(sql).bind(ledger_id).first<Json>()) ?? {}
}

interface TableName {
  readonly name: string
}

const TABLES = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%'`

async function storedInD1(customer_id: string): Promise<string[]> {
  const { results: tables } = await env.DB.prepare(TABLES).all<TableName>()
  const answers = await env.DB.batch<Json>(
    tables.map(({ name }) => env.DB.prepare(`SELECT * FROM "${name}"`)),
  )
  return answers.flatMap(({ results }, index) =>
    results
      .map((row) => JSON.stringify({ ...row, last_used_at_ms: undefined }))
      .filter((row) => row.includes(customer_id))
      .map((row) => `${tables[index]?.name}: ${row}`),
  )
}

function storedInLedger(ledger_id: string): Promise<string[]> {
  return runInDurableObject(env.LEDGER.get(env.LEDGER.idFromName(ledger_id)), (_, { storage }) => {
    const tables = storage.sql.exec<Record<string, string>>(TABLES).toArray()
    return tables.flatMap(({ name }) =>
      storage.sql
        .exec(`SELECT * FROM "${name}"`)
        .toArray()
        .map((row) => `${ledger_id} ${name}: ${JSON.stringify(row, blobAsText)}`),
    )
  })
}

function blobAsText(_: string, value: unknown): unknown {
  return value instanceof ArrayBuffer ? [...new Uint8Array(value)].join(' ') : value
}
