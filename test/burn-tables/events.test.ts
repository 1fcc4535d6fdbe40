import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { openLedger } from '../../src/ledger/client/client.ts'
import { api } from '../support/api.ts'
import {
  balanceOf,
  expectRefused,
  GPT_4O,
  granted,
  ingest,
  ingested,
  type Json,
  objects,
  read,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { createKey } from '../support/keys.ts'
import { ACCOUNT, ask, inStore, ledgerOf, rowsWrittenBy, type TestLedger } from '../support/ledgers.ts'
import { deleted, edited, flat, fromNow, HOUR_MS, saved } from './support.ts'

const CALL = { event_type: 'API_CALL', feature_id: 'api', unit: 'calls', quantity: 1 }
const calls = (quantity: number, fields: Json = {}) => ({ ...CALL, quantity, ...fields })

/**
 * A burn rule with three steps: 2 free calls a month, then 3 calls at 10 credits each, then all further calls at 1
 * credit each. The first call in the last tier costs 100 credits more.
 */
const TIERED = {
  method: 'tiered',
  mode: 'graduated',
  unit: 'calls',
  free: 2,
  tiers: [
    { up_to: 3, unit_amount: 10 },
    { up_to: null, unit_amount: 1, flat_amount: 100 },
  ],
}

async function burned(
  key: string,
  event: Json,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  return (await ingested(key, event, headers)).credits_burned
}

describe('a table rates the very next event', () => {
  it('after it was saved, edited and deleted', async () => {
    const { api_key } = await createCustomer()
    expect(await ingested(api_key, GPT_4O)).toMatchObject({ credits_burned: 15, burn_table_version: 1 })
    const { id } = await saved(api_key, { rules: [flat(3)] })
    expect(await ingested(api_key, GPT_4O)).toMatchObject({ credits_burned: 3, burn_table_version: 2 })
    await edited(api_key, id, { rules: [flat(4)] })
    expect(await ingested(api_key, GPT_4O)).toMatchObject({ credits_burned: 4, burn_table_version: 3 })
    await deleted(api_key, id)
    expect(await ingested(api_key, GPT_4O)).toMatchObject({ credits_burned: 15, burn_table_version: 1 })
  })

  it('by the most specific rule, and events that match no rule at the default markup and the table’s credits per USD', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, {
      credits_per_usd: 100,
      rules: [flat(1, { feature: 'chat*' }), flat(2, { feature: 'chat' }), flat(3, { provider: 'openai' })],
    })
    expect(await burned(api_key, GPT_4O)).toBe(2)
    expect(await burned(api_key, { ...GPT_4O, feature_id: 'chat-2' })).toBe(1)
    expect(await burned(api_key, { ...GPT_4O, feature_id: 'mail' })).toBe(3)
    const claude = { ...GPT_4O, feature_id: 'mail', provider: 'ANTHROPIC', model: 'claude-haiku-4-5' }
    const answer = await ingested(api_key, claude)
    expect(answer.credits_burned).toBeCloseTo(Number(answer.provider_cost_usd) * 200, 6)
  })
})

describe('a table edited at noon', () => {
  it('does not change the morning’s events, even if they arrive later', async () => {
    const { api_key } = await createCustomer()
    const { id } = await saved(api_key, { rules: [flat(3)], effective_from: fromNow(-3 * HOUR_MS) })
    const morning = { ...GPT_4O, timestamp: fromNow(-HOUR_MS) }
    const before = await ingested(api_key, { ...morning, idempotency_key: 'early' })
    await edited(api_key, id, { rules: [flat(4)] })
    expect(await ingested(api_key, morning)).toMatchObject({ credits_burned: 3, burn_table_version: 2 })
    expect(await ingested(api_key, GPT_4O)).toMatchObject({ credits_burned: 4, burn_table_version: 3 })
    expect(await ingested(api_key, { ...GPT_4O, timestamp: fromNow(-4 * HOUR_MS) })).toMatchObject({
      credits_burned: 15,
      burn_table_version: 1,
    })
    expect(await ingested(api_key, { ...morning, idempotency_key: 'early' })).toEqual(before)
    expect(await read(api_key, `/v1/events/${before.id}`)).toMatchObject({
      credits_burned: 3,
      burn_table_version: 2,
    })
    await deleted(api_key, id)
    expect(await burned(api_key, morning)).toBe(3)
    expect(await burned(api_key, GPT_4O)).toBe(15)
  })

  it('applies from its own time on if it names one', async () => {
    const { api_key } = await createCustomer()
    const { id } = await saved(api_key, { rules: [flat(3)] })
    await edited(api_key, id, { rules: [flat(4)], effective_from: fromNow(60_000) })
    expect(await burned(api_key, GPT_4O)).toBe(3)
    expect(await burned(api_key, { ...GPT_4O, timestamp: fromNow(120_000) })).toBe(4)
  })

  it('ends with its effective_to, and an earlier version does not apply again', async () => {
    const { api_key } = await createCustomer()
    const { id } = await saved(api_key, { rules: [flat(3)] })
    await edited(api_key, id, { rules: [flat(4)], effective_to: fromNow(60_000) })
    expect(await burned(api_key, GPT_4O)).toBe(4)
    expect(await burned(api_key, { ...GPT_4O, timestamp: fromNow(120_000) })).toBe(15)
  })
})

describe('tiers and allowances', () => {
  it('depend on the earlier use of the wallet', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, { rules: [TIERED] })
    // Event 1 has a free call. Event 2 has 1 free call and 2 calls at 10 credits. Event 3 has 1 call at 10 credits, 3
    // calls at 1 credit, and 100 credits for the last tier. Event 4 has 1 call at 1 credit.
    const charges = []
    for (const quantity of [1, 3, 4, 1]) charges.push(await burned(api_key, calls(quantity)))
    expect(charges).toEqual([0, 20, 113, 1])
  })

  it('within a batch too, where a rejected event counts nothing', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, { rules: [TIERED] })
    const events = [calls(2), { ...CALL, quantity: -1 }, calls(3), calls(100_000), calls(1)]
    const answer = await ingested(api_key, { events })
    expect(objects(answer.results).map(({ credits_burned, status }) => [status, credits_burned])).toEqual([
      ['accepted', 0],
      ['rejected', 0],
      ['accepted', 30],
      ['rejected', 0],
      ['accepted', 101],
    ])
  })

  it('are counted separately for each wallet', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, { rules: [TIERED] })
    await granted(api_key, { user_id: 'zoe', amount: 1000 })
    expect(await burned(api_key, calls(4))).toBe(20)
    expect(await burned(api_key, calls(4, { user_id: 'zoe' }))).toBe(20)
    expect(await burned(api_key, calls(1, { user_id: 'without a wallet' }))).toBe(10)
  })

  it('are not advanced by repeats and refusals', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, { rules: [TIERED] })
    const first = { ...calls(2), idempotency_key: 'once' }
    expect(await burned(api_key, first)).toBe(0)
    expect(await burned(api_key, first)).toBe(0)
    await expectRefused(await ingest(api_key, { ...first, quantity: 3 }), 422, 'idempotency_mismatch')
    await expectRefused(await ingest(api_key, calls(1_000_000)), 402, 'insufficient_credits')
    await expectRefused(await ingest(api_key, { ...calls(1), feature_id: '' }), 400, 'invalid_request')
    expect(await burned(api_key, calls(1))).toBe(10)
  })

  it('count on under an edited price', async () => {
    const { api_key } = await createCustomer()
    const { id } = await saved(api_key, { rules: [TIERED] })
    expect(await burned(api_key, calls(2))).toBe(0)
    await edited(api_key, id, { rules: [{ ...TIERED, tiers: [{ up_to: null, unit_amount: 7 }] }] })
    expect(await burned(api_key, calls(2))).toBe(14)
  })

  it('are those of the period in which an event arrives, regardless of its own time', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, { rules: [TIERED], effective_from: fromNow(-40 * 24 * HOUR_MS) })
    const lastMonth = fromNow(-34 * 24 * HOUR_MS)
    expect(await burned(api_key, calls(2, { timestamp: lastMonth }))).toBe(0)
    expect(await burned(api_key, calls(1))).toBe(10)
  })

  it('cost no row: a keyed event writes two rows, with or without tiers', async () => {
    const { api_key, customer_id } = await createCustomer()
    const ledger = ledgerOf(customer_id)
    await ingested(api_key, { ...calls(1), idempotency_key: 'warm-up' })
    const plain = await rowsWrittenBy(ledger, () => ingested(api_key, { ...calls(1), idempotency_key: 'a' }))
    await saved(api_key, { rules: [TIERED] })
    const tiered = await rowsWrittenBy(ledger, () => ingested(api_key, { ...calls(1), idempotency_key: 'b' }))
    expect({ plain, tiered }).toEqual({ plain: 2, tiered: 2 })
  })

  it('survive a restart with the wallet', async () => {
    const { api_key, customer_id } = await createCustomer()
    await saved(api_key, { rules: [TIERED] })
    await burned(api_key, calls(2))
    await inStore(ledgerOf(customer_id), (store) => store.load())
    expect(await burned(api_key, calls(1))).toBe(10)
  })
})

describe('a wallet that was written before there were counters', () => {
  it('is read as a wallet without use', async () => {
    const { api_key, customer_id } = await createCustomer()
    const { stub } = ledgerOf(customer_id)
    const stored = await runInDurableObject(stub, (_, { storage }) =>
      String(
        storage.sql.exec<{ state: string }>("SELECT state FROM wallets WHERE wallet_key = 'customer'").one()
          .state,
      ),
    )
    expect(stored).not.toContain('counters')
    await saved(api_key, { rules: [TIERED] })
    expect(await burned(api_key, calls(3))).toBe(10)
  })
})

describe('an event whose model has no price', () => {
  const UNKNOWN = { ...GPT_4O, model: 'gpt-4o-imaginary' }
  const costPlus = { method: 'cost_plus', markup_percent: 50, fixed: 1 }

  it('is recorded unrated at 0 by flag', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, { rules: [costPlus], on_unpriced: 'flag' })
    expect(await ingested(api_key, UNKNOWN)).toMatchObject({
      credits_burned: 0,
      unrated: true,
      burn_table_version: 2,
    })
    expect(await ingested(api_key, GPT_4O)).toMatchObject({ credits_burned: 12.25 })
  })

  it('is refused by reject, with the nearest names, and its key stays unused', async () => {
    const { api_key } = await createCustomer()
    const { id } = await saved(api_key, { rules: [costPlus], on_unpriced: 'reject' })
    const keyed = { ...UNKNOWN, idempotency_key: 'k' }
    const problem = await expectRefused(await ingest(api_key, keyed), 422, 'unpriced_model')
    expect(problem.nearest).toContain('gpt-4o')
    const batch = await ingested(api_key, { events: [keyed, GPT_4O] })
    expect(objects(batch.results)[0]).toMatchObject({ status: 'rejected', error: { code: 'unpriced_model' } })
    await edited(api_key, id, { on_unpriced: 'flag' })
    expect(await ingested(api_key, keyed)).toMatchObject({ credits_burned: 0, unrated: true })
  })

  it('is charged like the most expensive model by ceiling, and stays unrated', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, { rules: [costPlus], on_unpriced: 'ceiling' })
    const answer = await ingested(api_key, UNKNOWN)
    const cost = Number(answer.provider_cost_usd)
    expect(cost).toBeGreaterThan(0.0075)
    expect(answer).toMatchObject({
      unrated: true,
      warnings: [expect.stringContaining('most expensive model')],
    })
    expect(answer.credits_burned).toBeCloseTo(cost * 1500 + 1, 6)
  })

  it('is charged by usage if the rule prices usage', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, {
      rules: [{ method: 'per_unit', rates: { input_tokens: { amount: 2, per: 1000 } } }],
      on_unpriced: 'reject',
    })
    const answer = await ingested(api_key, UNKNOWN)
    expect(answer).toMatchObject({ credits_burned: 2, provider_cost_usd: 0 })
    expect(answer.unrated).toBeUndefined()
    expect(answer.warnings).toEqual([expect.stringContaining('No provider price is known for this event')])
  })
})

describe('a table of very expensive credits', () => {
  it('refuses an event of more USD than an entry can hold', async () => {
    const { api_key } = await createCustomer()
    await saved(api_key, { credits_per_usd: 0.000000000001, rules: [flat(1)] })
    await expectRefused(await ingest(api_key, CALL), 400, 'invalid_request')
    expect(await balanceOf(api_key)).toBe(10_000)
  })
})

describe('test mode', () => {
  it('shares the tables: a test key writes them for both, and its own ledger rates by them', async () => {
    const { api_key, customer_id } = await createCustomer()
    const test = (await createKey(customer_id, { mode: 'test' })).api_key
    await saved(api_key, { rules: [flat(1)] })
    await openLedger(env, {
      ledger: { customer_id, mode: 'test' },
      signup_grant_micro: 100_000_000,
      account: ACCOUNT,
    })

    const { id } = await saved(test, { rules: [flat(2)] })
    expect(await burned(test, CALL)).toBe(2)
    expect(await burned(api_key, CALL)).toBe(2)
    await edited(api_key, id, { rules: [flat(3)] })
    expect(await burned(test, CALL)).toBe(3)
    await deleted(api_key, id)
    expect(await burned(test, CALL)).toBe(1)
    expect(await balanceOf(test)).toBe(100 - 2 - 3 - 1)
  })

  it('ignores a snapshot that arrives late', async () => {
    const { api_key, customer_id } = await createCustomer()
    const test = ledgerOf(customer_id, 'test').stub
    const live = ledgerOf(customer_id).stub
    await openLedger(env, { ledger: { customer_id, mode: 'test' }, signup_grant_micro: 0, account: ACCOUNT })
    const { id } = await saved(api_key, { rules: [flat(1)] })
    const snapshotOf = (stub: TestLedger['stub']) => ask(stub, 'burnTableSnapshot', {})
    const old = await snapshotOf(live)
    await edited(api_key, id, { rules: [flat(2)] })
    const recent = await snapshotOf(live)
    await deleted(api_key, id)
    const last = await snapshotOf(live)
    for (const snapshot of [recent, old, last, recent, old]) await ask(test, 'acceptBurnTables', snapshot)
    expect(JSON.stringify(await snapshotOf(test))).toBe(JSON.stringify(last))
  })

  it('keeps the idempotency keys of the two modes apart', async () => {
    const { api_key, customer_id } = await createCustomer()
    const test = (await createKey(customer_id, { mode: 'test' })).api_key
    const headers = { 'Idempotency-Key': 'same' }
    const post = (key: string, name: string) => api('/v1/burn-tables', { key, body: { name }, headers })
    expect((await post(api_key, 'live')).status).toBe(201)
    expect((await post(test, 'test')).status).toBe(201)
    const again = await post(test, 'test')
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
  })
})
