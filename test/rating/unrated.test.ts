import { runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { runCron } from '../../src/cron.ts'
import { ingest, readEntries, readUnrated } from '../../src/ledger/client/client.ts'
import type { Entry } from '../../src/ledger/model/journal.ts'
import type { UnratedAnswer } from '../../src/ledger/model/messages/events.ts'
import type { MessageOf } from '../../src/ledger/rpc.ts'
import { api, jsonOf, textField } from '../support/api.ts'
import { balanceOf, answered as ok } from '../support/client.ts'
import { createCustomer, OPERATOR_TOKEN, unique } from '../support/customers.ts'
import { freshLedger, type TestLedger } from '../support/ledgers.ts'
import { batch, CALLER, eventItem, metadataOf } from '../support/messages.ts'
import { expectProblem } from '../support/problems.ts'

const HOUR_MS = 3_600_000

const event = (model: string, more: object = {}) => ({
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model,
  input_tokens: 1000,
  output_tokens: 500,
  ...more,
})

/**
 * Adds a price of 5 USD per million input tokens and 10 USD per million output tokens, which took effect an hour ago.
 * 1,000 input tokens and 500 output tokens then cost 0.01 USD, which is 20 credits.
 */
const priceComes = (model: string) =>
  ok(
    OPERATOR_TOKEN,
    '/v1/admin/provider-costs',
    {
      provider: 'OPENAI',
      model,
      effective_from: new Date(Date.now() - HOUR_MS).toISOString(),
      prices: {
        input_tokens: { amount: '5', per: 1_000_000 },
        output_tokens: { amount: '20', per: 1_000_000 },
      },
    },
    201,
  )

const rerate = (customer_id: string) => ok(OPERATOR_TOKEN, '/v1/admin/rerate', { customer_id })
const events = async (key: string, query: string) => {
  const { data } = await jsonOf(await api(`/v1/events?${query}`, { key }))
  if (!Array.isArray(data)) throw new Error('no events')
  return data
}
const flush = (customer_id: string) =>
  runDurableObjectAlarm(env.LEDGER.get(env.LEDGER.idFromName(customer_id)))

describe('an event of a model without a price', () => {
  it('is recorded and listed, and burned once at the price of its own time when that is known', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    const recorded = await ok(key, '/v1/events/ingest', event(model))
    expect(recorded).toMatchObject({ credits_burned: 0, balance_after: 10000, unrated: true })
    const id = textField(recorded, 'id')
    expect(await events(key, 'unrated=true')).toMatchObject([{ id, unrated: true }])
    expect(await rerate(customer_id)).toMatchObject({ examined: 1, rated: 0, unpriced: 1 })

    await priceComes(model)
    expect(await rerate(customer_id)).toMatchObject({ examined: 1, rated: 1, unpriced: 0 })
    expect(await balanceOf(key)).toBe(9970)
    expect(await rerate(customer_id)).toMatchObject({ examined: 0, rated: 0 })
    expect(await balanceOf(key)).toBe(9970)

    expect(await events(key, 'unrated=true')).toEqual([])
    const rated = {
      id,
      credits_burned: 30,
      provider_cost_usd: 0.015,
      customer_price_usd: 0.03,
      balance_after: 9970,
    }
    expect(await events(key, '')).toMatchObject([rated])
    for (const flushed of [false, true]) {
      if (flushed) await flush(customer_id)
      const one = await jsonOf(await api(`/v1/events/${id}`, { key }))
      expect(one).toMatchObject(rated)
      expect(one).not.toHaveProperty('unrated')
      expect(await events(key, 'unrated=false')).toMatchObject([rated])
    }
    const { data } = await jsonOf(await api('/v1/credits/transactions?type=BURN', { key }))
    expect(data).toMatchObject([
      { amount: -30, event_id: id, description: 'Rated after its price was known' },
      { amount: 0, event_id: id },
    ])
  })

  it('stays unrated while its wallet cannot pay, and is paid by the next credit', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 29 }, 201)
    await ok(key, '/v1/events/ingest', event(model, { user_id: 'u' }))
    await priceComes(model)
    expect(await rerate(customer_id)).toMatchObject({ rated: 0, unpaid: 1 })
    expect(await balanceOf(key, '?user_id=u')).toBe(29)
    expect(await events(key, 'unrated=true')).toHaveLength(1)
    expect(await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 11 }, 201)).toMatchObject({
      balance_after: 40,
    })
    expect(await balanceOf(key, '?user_id=u')).toBe(10)
    expect(await events(key, 'unrated=true')).toEqual([])
  })

  it('that is voided is never rated', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    const id = textField(await ok(key, '/v1/events/ingest', event(model)), 'id')
    await ok(key, `/v1/events/${id}/void`, {})
    await priceComes(model)
    expect(await rerate(customer_id)).toMatchObject({ examined: 0 })
    expect(await balanceOf(key)).toBe(10000)
  })

  it('gives everything back when it is voided after it was rated', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    const id = textField(await ok(key, '/v1/events/ingest', event(model)), 'id')
    await priceComes(model)
    await rerate(customer_id)
    const { data } = await jsonOf(await api('/v1/credits/transactions?type=BURN&limit=1', { key }))
    const [{ id: transaction_id }] = Array.isArray(data) ? data : [{}]
    const refund = await api('/v1/credits/refund', { key, body: { transaction_id } })
    await expectProblem(refund, 409, 'conflict')
    expect(await ok(key, `/v1/events/${id}/void`, {})).toMatchObject({ amount: 30, balance_after: 10000 })
    await expectProblem(await api(`/v1/events/${id}/void`, { key, body: {} }), 409, 'already_voided')
  })

  it('replays its first response, even after its later rating', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    const body = event(model, { idempotency_key: 'k' })
    const first = await (await api('/v1/events/ingest', { key, body })).text()
    await priceComes(model)
    await rerate(customer_id)
    expect(await (await api('/v1/events/ingest', { key, body })).text()).toBe(first)
    expect(await balanceOf(key)).toBe(9970)
  })

  it('under a ceiling first pays for the most expensive model, and later returns the difference to the same lots', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    await ok(
      key,
      '/v1/burn-tables',
      { name: 'careful', credits_per_usd: 1000, on_unpriced: 'ceiling', rules: [] },
      201,
    )
    const charged = await ok(key, '/v1/events/ingest', event(model))
    expect(charged).toMatchObject({ unrated: true })
    expect(Number(charged.credits_burned)).toBeGreaterThan(30)
    await priceComes(model)
    expect(await rerate(customer_id)).toMatchObject({ rated: 1 })
    expect(await balanceOf(key)).toBe(9970)
    expect(await events(key, '')).toMatchObject([{ credits_burned: 30, provider_cost_usd: 0.015 }])
    const id = textField(charged, 'id')
    expect(await ok(key, `/v1/events/${id}/void`, {})).toMatchObject({ amount: 30, balance_after: 10000 })
  })

  it('under a ceiling returns credits from a repaid overdraft as a lot that its entry describes', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    const table = { name: 'careful', credits_per_usd: 1000, on_unpriced: 'ceiling', rules: [] }
    await ok(key, '/v1/burn-tables', table, 201)
    const limit = { user_id: 'u', overdraft_limit: 10_000 }
    await api('/v1/credits/wallets', { key, method: 'PATCH', body: limit })
    const charged = await ok(key, '/v1/events/ingest', event(model, { user_id: 'u' }))
    const burned = Number(charged.credits_burned)
    expect(await balanceOf(key, '?user_id=u')).toBe(-burned)
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: burned }, 201)
    await priceComes(model)
    expect(await rerate(customer_id)).toMatchObject({ rated: 1 })
    const back = burned - 30
    const { data } = await jsonOf(await api('/v1/credits/lots?user_id=u', { key }))
    expect(data).toMatchObject([{ remaining: back }])
    const ledger = { customer_id, mode: 'live' } as const
    const read = await readEntries(env, ledger, { caller: CALLER, filter: {}, before_entry: null, limit: 1 })
    expect(read).toMatchObject({
      answer: {
        entries: [{ type: 'REFUND', amount: back * 1e6, new_lots: [{ kind: 'paid', expires_at_ms: null }] }],
      },
    })
  })

  it('creates a lot for each use of the repaid overdraft when it is voided, and its entry describes all', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    const table = { name: 'careful', credits_per_usd: 1000, on_unpriced: 'ceiling', rules: [] }
    await ok(key, '/v1/burn-tables', table, 201)
    const limit = { user_id: 'u', overdraft_limit: 1_000_000 }
    await api('/v1/credits/wallets', { key, method: 'PATCH', body: limit })
    const charged = await ok(key, '/v1/events/ingest', event(model, { user_id: 'u' }))
    const first = Number(charged.credits_burned)
    await ok(
      OPERATOR_TOKEN,
      '/v1/admin/provider-costs',
      {
        provider: 'OPENAI',
        model,
        effective_from: new Date(Date.now() - HOUR_MS).toISOString(),
        prices: { input_tokens: { amount: '100', per: 1000 } },
      },
      201,
    )
    expect(await rerate(customer_id)).toMatchObject({ rated: 1 })
    const both = -Number(await balanceOf(key, '?user_id=u'))
    expect(both).toBeGreaterThan(first)
    expect(first).toBeGreaterThan(0)
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: both }, 201)
    await ok(key, `/v1/events/${textField(charged, 'id')}/void`, {})
    const { data } = await jsonOf(await api('/v1/credits/lots?user_id=u', { key }))
    expect(data).toMatchObject([{ remaining: first }, { remaining: both - first }])
    const ledger = { customer_id, mode: 'live' } as const
    const read = await readEntries(env, ledger, { caller: CALLER, filter: {}, before_entry: null, limit: 1 })
    if (!('answer' in read)) throw new Error('the entries cannot be read')
    const [voided] = read.answer.entries
    expect(voided).toMatchObject({ type: 'VOID', amount: both * 1e6 })
    expect(voided?.new_lots?.map(({ number }) => number)).toEqual(voided?.lots.map(([lot]) => lot))
  })

  it.each([
    { calls: 'calls of its own model', own: 100, credits: 80 },
    { calls: 'only calls of another model', own: 0, credits: 60 },
  ])('keeps the searches of a response with $calls, and charges them later', async ({ own, credits }) => {
    const { api_key: key, customer_id } = await createCustomer()
    const [model, other] = [unique('claude-model'), unique('claude-other')]
    const tokens = (input_tokens: number) => ({ input_tokens, output_tokens: 0 })
    const iterations = [
      ...(own > 0 ? [{ type: 'message', ...tokens(own) }] : []),
      { type: 'advisor_message', model: other, ...tokens(5000) },
    ]
    const usage = { ...tokens(own), server_tool_use: { web_search_requests: 3 }, iterations }
    const recorded = await ok(key, '/v1/events/ingest', {
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      provider: 'ANTHROPIC',
      provider_response: { id: 'msg_1', type: 'message', role: 'assistant', model, content: [], usage },
    })
    const warning = expect.stringContaining(`the usage of ${other} is not recorded`)
    expect(recorded).toMatchObject({ unrated: true, credits_burned: 0, warnings: [warning] })
    const read = { ...(own > 0 && { input_tokens: own }), web_searches: 3 }
    expect((await events(key, ''))[0]?.usage).toEqual(read)
    const effective_from = new Date(Date.now() - HOUR_MS).toISOString()
    const prices = { input_tokens: { amount: '0.1', per: 1000 }, web_searches: { amount: '0.01', per: 1 } }
    const price = { provider: 'ANTHROPIC', model, effective_from, prices }
    await ok(OPERATOR_TOKEN, '/v1/admin/provider-costs', price, 201)
    expect(await rerate(customer_id)).toMatchObject({ rated: 1 })
    expect(await balanceOf(key)).toBe(10_000 - credits)
  })

  it('is rated by the cron, for every customer that has such events', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const model = unique('model')
    await ok(key, '/v1/events/ingest', event(model))
    await flush(customer_id)
    await priceComes(model)
    await runCron({ scheduledTime: Date.now(), cron: '', noRetry: () => {} }, env)
    expect(await balanceOf(key)).toBe(9970)
  })

  it("needs the operator's token", async () => {
    const { api_key: key, customer_id } = await createCustomer()
    await expectProblem(
      await api('/v1/admin/rerate', { key, body: { customer_id } }),
      403,
      'insufficient_scope',
    )
    await expectProblem(await api('/v1/admin/rerate', { body: {} }), 401, 'missing_api_key')
    const wrong = await api('/v1/admin/rerate', { key: OPERATOR_TOKEN, body: { customer: 'x' } })
    await expectProblem(wrong, 400, 'invalid_request')
  })
})

describe('a page of events without a price', () => {
  const large = (ledger: TestLedger, count: number, note: string) =>
    ingest(
      env,
      ledger.name,
      batch(
        Array.from({ length: count }, (_, i) =>
          eventItem(0, {
            provider: 'OPENAI',
            model: `unpriced-${i % 3}`,
            charge: { kind: 'unpriced', price_version: 'test' },
            metadata: metadataOf({ i, note }),
          }),
        ),
      ),
    )
  const page = async (ledger: TestLedger, message: Partial<MessageOf<'unrated'>> = {}) => {
    const all = { caller: CALLER, before_entry: null, limit: 500, amended: [], ...message }
    const result = await readUnrated(env, ledger.name, all)
    if (result.kind === 'refused') throw new Error(result.refusal.code)
    return result.answer
  }
  const lengthOf = (entries: readonly Entry[]) => JSON.stringify(entries).length

  it.each([
    ['one-byte', 'x'.repeat(16_000), 2_100_000],
    ['two-byte', `語${'x'.repeat(15_900)}`, 1_100_000],
  ])(
    'with metadata in %s letters ends at its memory limit, not only at its row limit, and the next page continues',
    async (_, note, most) => {
      const ledger = await freshLedger(1)
      await large(ledger, 200, note)
      const numbers: number[] = []
      let before_entry: number | null = null
      for (let pages = 0; pages < 20; pages++) {
        const answer: UnratedAnswer = await page(ledger, { before_entry })
        expect(lengthOf(answer.events)).toBeLessThan(most)
        numbers.push(...answer.events.map(({ number }) => number))
        before_entry = answer.next_before_entry
        if (before_entry === null) break
      }
      expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => 201 - i))
    },
  )

  it('for rating has no metadata', async () => {
    const ledger = await freshLedger(1)
    await large(ledger, 200, 'x'.repeat(16_000))
    const selection = { after_entry: 0, models: [] }
    for (const message of [{}, { selection }]) {
      const { events, next_before_entry } = await page(ledger, { ...message, without_metadata: true })
      expect([events.length, next_before_entry]).toEqual([200, null])
      expect(lengthOf(events)).toBeLessThan(200_000)
    }
  })
})
