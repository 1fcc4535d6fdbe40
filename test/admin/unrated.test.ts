import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { ledgerKey } from '../../src/db/ledger-db.ts'
import { ingest } from '../../src/ledger/client/client.ts'
import { MAX_UNRATED_COUNTED } from '../../src/ledger/model/unrated.ts'
import { listUnratedModels } from '../../src/rating/late/unrated.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import {
  answered,
  expectInvalid,
  expectRefused,
  granted,
  ingested,
  type Json,
  objects,
} from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { freshLedger, inStore, ledgerOf, runAlarm, type TestLedger } from '../support/ledgers.ts'
import { batch, eventItem } from '../support/messages.ts'
import { PROVIDER_COSTS, perThousand, setPrice } from '../support/prices.ts'

/** Tests the operator's list of models without a price that occur in events. */

const PATH = '/v1/admin/unrated'

beforeEach(async () => {
  await env.DB.prepare('DELETE FROM ledgers').run()
})

async function page(query = ''): Promise<Json> {
  const response = await api(`${PATH}${query}`, { key: OPERATOR_TOKEN })
  expect(response.status).toBe(200)
  return jsonOf(response)
}

const rows = async () => objects((await page()).data)

/** Reads all rows of the list, page by page. */
async function walked(limit: number): Promise<{ rows: Json[]; pages: number }> {
  const all: Json[] = []
  let cursor = ''
  for (let pages = 1; ; pages++) {
    const { data, next_cursor, unavailable } = await page(`?limit=${limit}${cursor}`)
    expect(objects(data).length).toBeLessThanOrEqual(limit)
    expect(unavailable).toEqual([])
    all.push(...objects(data))
    if (next_cursor === null) return { rows: all, pages }
    cursor = `&cursor=${next_cursor}`
  }
}

const event = (model: string, more: object = {}) => ({
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model,
  input_tokens: 1000,
  output_tokens: 500,
  ...more,
})

const priceComes = (model: string) =>
  setPrice(PROVIDER_COSTS, OPERATOR_TOKEN, {
    provider: 'OPENAI',
    model,
    effective_from: new Date(Date.now() - 3_600_000).toISOString(),
    prices: perThousand('0.015'),
  })

async function unpriced(ledger: TestLedger, models: readonly string[]): Promise<void> {
  const items = models.map((model) =>
    eventItem(0, { provider: 'OPENAI', model, charge: { kind: 'unpriced', price_version: 'test' } }),
  )
  await ingest(env, ledger.name, batch(items))
}

describe('GET /v1/admin/unrated', () => {
  it('lists the models without a price of each ledger, until they are rated', async () => {
    const began_ms = Date.now()
    const [one, other] = [await createCustomer(), await createCustomer()]
    const made = await answered(one.api_key, '/v1/api-keys', { name: 'CI', mode: 'test' }, 201)
    const [a, b] = [unique('a-model'), unique('b-model')]
    await ingested(one.api_key, { events: [event(a), event(a), event(b), event('gpt-4o')] })
    await ingested(textField(made, 'api_key'), event(a))
    await ingested(other.api_key, event('gpt-4o'))
    expect(await rows()).toEqual([])
    await runAlarm(ledgerOf(one.customer_id))
    await runAlarm(ledgerOf(one.customer_id, 'test'))
    await runAlarm(ledgerOf(other.customer_id))
    const listed = await rows()
    const { customer_id } = one
    const shared = { customer_id, provider: 'OPENAI', more_events: false, waits_for: 'price' }
    expect(listed).toEqual([
      { ...shared, mode: 'live', model: a, events: 2, oldest_at: expect.any(String) },
      { ...shared, mode: 'live', model: b, events: 1, oldest_at: expect.any(String) },
      { ...shared, mode: 'test', model: a, events: 1, oldest_at: expect.any(String) },
    ])
    for (const { oldest_at } of listed) {
      expect(Date.parse(String(oldest_at))).toBeGreaterThanOrEqual(began_ms)
      expect(Date.parse(String(oldest_at))).toBeLessThanOrEqual(Date.now())
    }

    await priceComes(a)
    await answered(OPERATOR_TOKEN, '/v1/admin/rerate', { customer_id })
    expect(await rows()).toMatchObject([{ mode: 'live', model: b, events: 1 }])
  })

  it('separates events whose wallet could not pay from events that wait for a price', async () => {
    const { api_key, customer_id } = await createCustomer()
    const model = unique('model')
    await granted(api_key, { user_id: 'u', amount: 29 })
    await ingested(api_key, event(model, { user_id: 'u' }))
    await runAlarm(ledgerOf(customer_id))
    expect(await rows()).toMatchObject([{ model, waits_for: 'price' }])
    await priceComes(model)
    await answered(OPERATOR_TOKEN, '/v1/admin/rerate', { customer_id })
    expect(await rows()).toMatchObject([{ model, events: 1, waits_for: 'credits' }])
    await granted(api_key, { user_id: 'u', amount: 11 })
    expect(await rows()).toEqual([])
  })

  it('lists events that name no provider or no model first', async () => {
    const { api_key, customer_id } = await createCustomer()
    const nameless = { event_type: 'API_CALL', feature_id: 'chat', input_tokens: 1000 }
    await ingested(api_key, { events: [event('zzz'), { ...nameless, provider: 'OPENAI' }, nameless] })
    await runAlarm(ledgerOf(customer_id))
    const names = (await walked(1)).rows.map(({ provider, model }) => [provider, model])
    expect(names).toEqual([
      [null, null],
      ['OPENAI', null],
      ['OPENAI', 'zzz'],
    ])
  })

  it('continues within a ledger and over more ledgers than a page asks, with any names', async () => {
    const models = ['"\\', 'a b', 'élan', '模型', `${'x'.repeat(250)}/+?&`]
    const ledgers = await Promise.all(Array.from({ length: 23 }, () => freshLedger(1)))
    for (const ledger of ledgers) {
      await unpriced(ledger, models)
      await runAlarm(ledger)
    }
    const wanted = ledgers
      .map(({ name }) => ledgerKey(name))
      .sort()
      .flatMap((customer_id) => models.map((model) => `${customer_id} ${model}`))
    for (const [limit, pages] of [
      [100, 2],
      [7, 17],
    ] as const) {
      const all = await walked(limit)
      expect(all.rows.map(({ customer_id, model }) => `${customer_id} ${model}`).toSorted()).toEqual(
        wanted.toSorted(),
      )
      expect(all.pages).toBeGreaterThanOrEqual(pages)
    }
  })

  it(`counts at most ${MAX_UNRATED_COUNTED} events of a model`, async () => {
    const ledger = await freshLedger(1)
    for (let i = 0; i < MAX_UNRATED_COUNTED; i += 1_000) await unpriced(ledger, Array(1_000).fill('many'))
    await unpriced(ledger, ['few', 'many'])
    await runAlarm(ledger)
    expect(await rows()).toMatchObject([
      { model: 'few', events: 1, more_events: false },
      { model: 'many', events: MAX_UNRATED_COUNTED, more_events: true },
    ])
    const read = await inStore(ledger, (store) => store.unrated.summaries(null, 100))
    expect(read.map(({ events }) => events)).toEqual([1, MAX_UNRATED_COUNTED])
  })

  it('names the ledgers that do not respond, and lists the others', async () => {
    const [dead, alive] = [await freshLedger(1), await freshLedger(1)].toSorted((a, b) =>
      ledgerKey(a.name) < ledgerKey(b.name) ? -1 : 1,
    )
    if (!dead || !alive) throw new Error('no ledgers')
    for (const ledger of [dead, alive]) {
      await unpriced(ledger, ['model'])
      await runAlarm(ledger)
    }
    const LEDGER: typeof env.LEDGER = Object.create(env.LEDGER, {
      idFromName: { value: (name: string) => env.LEDGER.idFromName(name) },
      get: {
        value: (id: DurableObjectId) => {
          if (id.equals(env.LEDGER.idFromName(ledgerKey(dead.name))))
            throw Object.assign(new Error('unreachable'), { retryable: true })
          return env.LEDGER.get(id)
        },
      },
    })
    const found = await listUnratedModels({ ...env, LEDGER }, { ledger_id: '', after: null }, 50)
    expect(found.unavailable).toEqual([dead.name])
    expect(found.rows).toMatchObject([{ ledger: alive.name, model: 'model', events: 1 }])
    expect(found.next).toBe(null)
  })

  it('refuses a cursor that it did not make, and customers', async () => {
    for (const cursor of ['%25', 'c1', Buffer.from('{}').toString('base64url'), 'x'.repeat(5_000)]) {
      await expectInvalid(await api(`${PATH}?cursor=${cursor}`, { key: OPERATOR_TOKEN }), '/cursor')
    }
    const { api_key } = await createCustomer()
    await expectRefused(await api(PATH, { key: api_key }), 403, 'insufficient_scope')
    await expectRefused(await api(PATH), 401, 'missing_api_key')
  })
})
