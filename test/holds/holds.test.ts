import { runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf, textField } from '../support/api.ts'
import { answered as ok } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { expectProblem } from '../support/problems.ts'

/** An event of gpt-4o that costs 15 credits. */
const EVENT = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1000,
  output_tokens: 500,
}

const post = (key: string, path: string, body: unknown, headers = {}) => api(path, { key, body, headers })

async function hold(
  key: string,
  body: object,
): Promise<Readonly<Record<string, unknown>> & { readonly id: string }> {
  const answer = await ok(key, '/v1/holds', { feature_id: 'chat', ...body }, 201)
  return { ...answer, id: textField(answer, 'hold_id') }
}

const balance = async (key: string, query = '') => jsonOf(await api(`/v1/credits/balance${query}`, { key }))

const amounts = ({ balance, reserved_balance, available_balance }: Record<string, unknown>) => [
  balance,
  reserved_balance,
  available_balance,
]

/** Creates a customer, and grants `credits` to the wallet of user `u`. Returns the API key. */
async function walletOf(credits: number) {
  const { api_key: key } = await createCustomer()
  await ok(key, '/v1/credits/grant', { user_id: 'u', amount: credits }, 201)
  return key
}

describe('a hold', () => {
  it('reserves credits, is captured in parts, and frees the rest when it is final', async () => {
    const key = await walletOf(100)
    const { id, ...opened } = await hold(key, { user_id: 'u', credits: 40 })
    expect(opened).toMatchObject({ status: 'open', credits: 40, remaining: 40, available_balance: 60 })
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([100, 40, 60])
    expect(await ok(key, `/v1/holds/${id}/capture`, { credits: 10 })).toMatchObject({
      captured: 10,
      shortfall: 0,
      remaining: 30,
      balance_after: 90,
    })
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([90, 30, 60])
    const last = await ok(key, `/v1/holds/${id}/capture`, { credits: 5, final: true })
    expect(last).toMatchObject({ captured: 5, remaining: 0, balance_after: 85 })
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([85, 0, 85])
    await expectProblem(await post(key, `/v1/holds/${id}/capture`, { credits: 1 }), 409, 'hold_not_open')
  })

  it('keeps events from using its reservation', async () => {
    const key = await walletOf(20)
    await hold(key, { user_id: 'u', credits: 10 })
    const refused = await expectProblem(
      await post(key, '/v1/events/ingest', { ...EVENT, user_id: 'u' }),
      402,
      'insufficient_credits',
    )
    expect(refused).toMatchObject({ balance: 20, available_balance: 10, required: 15 })
  })

  it('takes at most 8e9 credits in all its parts, and reports the rest as shortfall', async () => {
    const { api_key: key } = await createCustomer()
    await ok(key, '/v1/credits/wallets', { overdraft_limit: 8e9 }, 200, 'PATCH')
    const { id } = await hold(key, { credits: 1 })
    const path = `/v1/holds/${id}/capture`
    expect(await ok(key, path, { credits: 8e9 })).toMatchObject({ captured: 8e9, shortfall: 0 })
    await ok(key, '/v1/credits/grant', { amount: 5 }, 201)
    expect(await ok(key, path, { credits: 1 })).toMatchObject({ captured: 0, shortfall: 1 })
  })

  it('takes free credits above its own amount, and reports the shortfall', async () => {
    const key = await walletOf(50)
    const { id } = await hold(key, { user_id: 'u', credits: 20 })
    await hold(key, { user_id: 'u', credits: 10 })
    expect(await ok(key, `/v1/holds/${id}/capture`, { credits: 60 })).toMatchObject({
      captured: 40,
      shortfall: 20,
      remaining: 0,
      balance_after: 10,
    })
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([10, 10, 0])
  })

  it('succeeds six times out of twenty when 500 credits are requested in parts of 75 at once', async () => {
    const key = await walletOf(500)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        post(key, '/v1/holds', { feature_id: 'f', user_id: 'u', credits: 75 }),
      ),
    )
    const statuses = await Promise.all(answers.map(async (answer) => (await answer.text()) && answer.status))
    expect(statuses.filter((status) => status === 201)).toHaveLength(6)
    expect(statuses.filter((status) => status === 402)).toHaveLength(14)
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([500, 450, 50])
  })

  it('is released, and not twice', async () => {
    const key = await walletOf(50)
    const { id } = await hold(key, { user_id: 'u', credits: 20 })
    expect(await ok(key, `/v1/holds/${id}/release`, {})).toMatchObject({ status: 'released', remaining: 0 })
    await expectProblem(await post(key, `/v1/holds/${id}/release`, {}), 409, 'hold_not_open')
    await expectProblem(await post(key, `/v1/holds/${id}/capture`, { credits: 1 }), 409, 'hold_not_open')
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([50, 0, 50])
  })

  it('replays under its key, and a capture too', async () => {
    const key = await walletOf(50)
    const open = () =>
      post(key, '/v1/holds', { feature_id: 'f', user_id: 'u', credits: 20 }, { 'Idempotency-Key': 'h' })
    const first = await (await open()).text()
    const again = await open()
    expect(again.headers.get('Idempotency-Replayed')).toBe('true')
    expect(again.status).toBe(201)
    expect(await again.text()).toBe(first)
    const { hold_id } = JSON.parse(first)
    const capture = () =>
      post(key, `/v1/holds/${hold_id}/capture`, { credits: 5 }, { 'Idempotency-Key': 'c' })
    const captured = await (await capture()).text()
    expect(await (await capture()).text()).toBe(captured)
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([45, 15, 30])
  })

  it('is listed while it is open, and read by its id', async () => {
    const key = await walletOf(50)
    const one = await hold(key, { user_id: 'u', credits: 1 })
    const two = await hold(key, { credits: 2 })
    const ids = async (query: string) => {
      const { data } = await jsonOf(await api(`/v1/holds${query}`, { key }))
      return Array.isArray(data) ? data.map(({ hold_id }) => hold_id) : data
    }
    expect(await ids('')).toEqual([two.id, one.id])
    expect(await ids('?user_id=u')).toEqual([one.id])
    expect(await ids('?limit=1')).toEqual([two.id])
    expect(await jsonOf(await api(`/v1/holds/${one.id}`, { key }))).toMatchObject({
      status: 'open',
      credits: 1,
    })
  })

  it('of another customer is not found', async () => {
    const [mine, theirs] = await Promise.all([walletOf(50), walletOf(50)])
    const { id } = await hold(theirs, { user_id: 'u', credits: 20 })
    for (const action of ['capture', 'release', 'extend']) {
      const body = { capture: { credits: 1 }, extend: { expires_in_seconds: 5 } }[action] ?? {}
      await expectProblem(await post(mine, `/v1/holds/${id}/${action}`, body), 404, 'not_found')
    }
    await expectProblem(await api(`/v1/holds/${id}`, { key: mine }), 404, 'not_found')
  })
})

describe('a hold by model', () => {
  it('reserves the worst case, and returns the number of output tokens that it covers', async () => {
    const key = await walletOf(1000)
    // gpt-4o costs 2.5 USD per million input tokens and 10 USD per million output tokens. At 2,000 credits per USD,
    // 1,000 input tokens cost 5 credits, and 2,000 output tokens cost 40 credits.
    const opened = await hold(key, {
      user_id: 'u',
      provider: 'OPENAI',
      model: 'gpt-4o',
      usage: { input_tokens: 1000 },
      max_output_tokens: 2000,
    })
    expect(opened).toMatchObject({ credits: 45, max_output_tokens: 2000 })
    const captured = await ok(key, `/v1/holds/${opened.id}/capture`, { event: { ...EVENT, user_id: 'u' } })
    expect(captured).toMatchObject({
      captured: 15,
      remaining: 30,
      max_output_tokens: 1500,
      balance_after: 985,
    })
    const event = await jsonOf(await api(`/v1/events/${textField(captured, 'event_id')}`, { key }))
    expect(event).toMatchObject({ credits_burned: 15, user_id: 'u', model: 'gpt-4o' })
  })

  it.each([
    ['openai', 'gpt-4o', { input_tokens: 1000 }, 500],
    ['openai', 'gpt-4o', { input_tokens: 1 }, 1],
    ['openai', 'gpt-4o-mini', { input_tokens: 333, cache_read_tokens: 111 }, 777],
    ['anthropic', 'claude-sonnet-4-5', { input_tokens: 250_000 }, 64_000],
    ['google', 'gemini-2.5-pro', { input_tokens: 199_999 }, 8192],
    ['openai', 'gpt-4o', { input_tokens: 1000 }, 0],
  ])('of %s %s covers its input and the output that it returns', async (provider, model, usage, output) => {
    const { api_key: key } = await createCustomer()
    const sized = { provider, model, usage, max_output_tokens: output }
    const { credits } = await hold(key, { user_id: 'u', ...sized })
    // The wallet of `v` has exactly the credits of the hold, so a charge above the hold would be a shortfall.
    await ok(key, '/v1/credits/grant', { user_id: 'v', amount: credits }, 201)
    const { id, max_output_tokens } = await hold(key, { user_id: 'v', ...sized })
    expect(max_output_tokens).toBeGreaterThanOrEqual(output)
    const event = { event_type: 'TOKEN_USAGE', feature_id: 'chat', provider, model, ...{ usage } }
    const used = { ...event, usage: { ...usage, output_tokens: max_output_tokens } }
    const captured = await ok(key, `/v1/holds/${id}/capture`, { event: used, final: true })
    expect(captured).toMatchObject({ shortfall: 0 })
  })

  it('counts the input of a model with a more expensive cache write as written to the cache', async () => {
    const key = await walletOf(1000)
    // A million tokens of claude-sonnet-4-5 cost 3 USD as input, 6 USD as one-hour cache writes, and 15 USD as output.
    const opened = await hold(key, {
      user_id: 'u',
      provider: 'ANTHROPIC',
      model: 'claude-sonnet-4-5',
      usage: { input_tokens: 10000 },
      max_output_tokens: 1000,
    })
    expect(opened).toMatchObject({ credits: 150 })
  })

  it('of an unknown model or provider is refused', async () => {
    const key = await walletOf(10)
    const body = { feature_id: 'f', provider: 'OPENAI', model: 'gpt-99', usage: { input_tokens: 1 } }
    await expectProblem(await post(key, '/v1/holds', body), 422, 'unpriced_model')
    await expectProblem(
      await post(key, '/v1/holds', { ...body, provider: 'NOBODY' }),
      422,
      'unknown_provider',
    )
  })
})

describe('a capture by an event', () => {
  it('counts for the user of the hold if the event names none', async () => {
    const key = await walletOf(100)
    const { id } = await hold(key, { user_id: 'u', credits: 20 })
    const captured = await ok(key, `/v1/holds/${id}/capture`, { event: EVENT })
    const event = await jsonOf(await api(`/v1/events/${textField(captured, 'event_id')}`, { key }))
    expect(event).toMatchObject({ user_id: 'u', credits_burned: 15 })
  })

  it('is refused for a user whose own wallet would pay', async () => {
    const key = await walletOf(100)
    await ok(key, '/v1/credits/grant', { user_id: 'other', amount: 100 }, 201)
    await ok(key, '/v1/credits/grant', { team_id: 'team', amount: 100 }, 201)
    const { id } = await hold(key, { user_id: 'u', credits: 20 })
    for (const subject of [
      { user_id: 'other' },
      { user_id: 'u', team_id: 'team' },
      { user_id: 'walletless' },
    ]) {
      const response = await post(key, `/v1/holds/${id}/capture`, { event: { ...EVENT, ...subject } })
      const path = `/event/${'team_id' in subject ? 'team_id' : 'user_id'}`
      expect(await expectProblem(response, 400, 'invalid_request')).toMatchObject({ errors: [{ path }] })
    }
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([100, 20, 80])
  })
})

describe('a capture that falls short', () => {
  it('earns the part of the price that it took', async () => {
    const key = await walletOf(10)
    const { id } = await hold(key, { user_id: 'u', credits: 10 })
    // The event costs 15 credits, of which the wallet can pay 10. A credit has a price of 0.001 USD.
    const captured = await ok(key, `/v1/holds/${id}/capture`, { event: { ...EVENT, user_id: 'u' } })
    expect(captured).toMatchObject({ captured: 10, shortfall: 5 })
    const event = await jsonOf(await api(`/v1/events/${textField(captured, 'event_id')}`, { key }))
    expect(event).toMatchObject({ credits_burned: 10, customer_price_usd: 0.01, provider_cost_usd: 0.0075 })
  })
})

describe('an event with hold_id', () => {
  it('settles the hold and closes it', async () => {
    const key = await walletOf(30)
    const { id } = await hold(key, { user_id: 'u', credits: 30 })
    const event = { ...EVENT, user_id: 'u', hold_id: id, idempotency_key: 'e' }
    const answer = await ok(key, '/v1/events/ingest', event)
    expect(answer).toMatchObject({ credits_burned: 15, balance_after: 15 })
    expect(answer).not.toHaveProperty('warnings')
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([15, 0, 15])
    expect(await ok(key, '/v1/events/ingest', event)).toEqual(answer)
  })

  it('burns normally, with a warning, when the hold is not open', async () => {
    const key = await walletOf(30)
    const { id } = await hold(key, { user_id: 'u', credits: 30 })
    await ok(key, `/v1/holds/${id}/release`, {})
    expect(await ok(key, '/v1/events/ingest', { ...EVENT, user_id: 'u', hold_id: id })).toMatchObject({
      credits_burned: 15,
      warnings: ['hold_not_open'],
    })
  })

  it('is paid by its hold, also if its user got a wallet since', async () => {
    const { api_key: key } = await createCustomer()
    const [one, other] = [
      await hold(key, { user_id: 'u', credits: 20 }),
      await hold(key, { user_id: 'u', credits: 20 }),
    ]
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 100 }, 201)
    const burned = await ok(key, '/v1/events/ingest', { ...EVENT, user_id: 'u', hold_id: one.id })
    expect(burned).toMatchObject({ credits_burned: 15, balance_after: 9985, wallet_id: one.wallet_id })
    const event = { ...EVENT, user_id: 'u' }
    expect(await ok(key, `/v1/holds/${other.id}/capture`, { event })).toMatchObject({ balance_after: 9970 })
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([100, 0, 100])
  })

  it("refuses another wallet's hold and an unknown one", async () => {
    const key = await walletOf(30)
    const { id } = await hold(key, { user_id: 'u', credits: 30 })
    for (const hold_id of [id, 'hold_nonsense']) {
      await expectProblem(await post(key, '/v1/events/ingest', { ...EVENT, hold_id }), 400, 'invalid_request')
    }
    expect((await balance(key)).balance).toBe(10000)
  })
})

describe('time', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  const pass = (ms: number) => vi.setSystemTime(Date.now() + ms)

  it('frees an expired hold by itself, and then it is not open', async () => {
    const key = await walletOf(30)
    const { id } = await hold(key, { user_id: 'u', credits: 30, expires_in_seconds: 60 })
    pass(59_999)
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([30, 30, 0])
    pass(1)
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([30, 0, 30])
    await expectProblem(await post(key, `/v1/holds/${id}/capture`, { credits: 1 }), 409, 'hold_not_open')
    await expectProblem(
      await post(key, `/v1/holds/${id}/extend`, { expires_in_seconds: 9 }),
      409,
      'hold_not_open',
    )
  })

  it('is given to a hold by extend, counted from now', async () => {
    const key = await walletOf(30)
    const { id } = await hold(key, { user_id: 'u', credits: 30, expires_in_seconds: 60 })
    pass(50_000)
    await ok(key, `/v1/holds/${id}/extend`, { expires_in_seconds: 60 })
    pass(59_000)
    expect(await ok(key, `/v1/holds/${id}/capture`, { credits: 1 })).toMatchObject({ captured: 1 })
  })

  it('keeps a lot from expiring; credits that are freed after its expiry expire', async () => {
    const { api_key: key } = await createCustomer()
    const expires_at = new Date(Date.now() + 60_000).toISOString()
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 100, expires_at }, 201)
    const { id } = await hold(key, { user_id: 'u', credits: 40, expires_in_seconds: 600 })
    pass(60_000)
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([40, 40, 0])
    expect(await ok(key, `/v1/holds/${id}/capture`, { credits: 15 })).toMatchObject({
      captured: 15,
      shortfall: 0,
    })
    await ok(key, `/v1/holds/${id}/release`, {})
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([0, 0, 0])
    const { data } = await jsonOf(await api('/v1/credits/transactions?user_id=u', { key }))
    if (!Array.isArray(data)) throw new Error('no transactions')
    expect(data.map(({ type, amount }) => [type, amount])).toEqual([
      ['EXPIRATION', -25],
      ['BURN', -15],
      ['EXPIRATION', -60],
      ['GRANT', 100],
    ])
  })

  it('ends a hold at 23:59:59 before its lot expires at midnight, even if it is read later', async () => {
    vi.setSystemTime(Date.UTC(2027, 0, 1, 23, 50))
    const { api_key: key } = await createCustomer()
    const midnight = '2027-01-02T00:00:00.000Z'
    await ok(key, '/v1/credits/grant', { user_id: 'u', amount: 100, expires_at: midnight }, 201)
    await hold(key, { user_id: 'u', credits: 40, expires_in_seconds: 599 })
    vi.setSystemTime(Date.UTC(2027, 0, 2, 9))
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([0, 0, 0])
    const { data } = await jsonOf(await api('/v1/credits/transactions?user_id=u&type=EXPIRATION', { key }))
    expect(data).toMatchObject([{ amount: -100, created_at: midnight }])
  })
})

describe('bad input', () => {
  it.each([
    ['credits 0', { credits: 0 }],
    ['negative credits', { credits: -1 }],
    ['too many decimals', { credits: 0.0000001 }],
    ['over 8e9 credits', { credits: 9e9 }],
    ['nothing to hold', {}],
    ['credits and a model', { credits: 1, provider: 'OPENAI', model: 'gpt-4o', usage: {} }],
    ['a model without usage', { provider: 'OPENAI', model: 'gpt-4o' }],
    ['more than a day', { credits: 1, expires_in_seconds: 86401 }],
    ['no time at all', { credits: 1, expires_in_seconds: 0 }],
    ['an unknown field', { credits: 1, amount: 1 }],
  ])('to open: %s', async (_, body) => {
    const key = await walletOf(10)
    await expectProblem(await post(key, '/v1/holds', { feature_id: 'f', ...body }), 400, 'invalid_request')
  })

  it.each([
    ['neither credits nor event', {}],
    ['both', { credits: 1, event: EVENT }],
    ['zero', { credits: 0 }],
    ['an event with a key of its own', { event: { ...EVENT, idempotency_key: 'k' } }],
  ])('to capture: %s', async (_, body) => {
    const key = await walletOf(10)
    const { id } = await hold(key, { user_id: 'u', credits: 5 })
    await expectProblem(await post(key, `/v1/holds/${id}/capture`, body), 400, 'invalid_request')
    expect(amounts(await balance(key, '?user_id=u'))).toEqual([10, 5, 5])
  })

  it('is an id that was never given out', async () => {
    const key = await walletOf(10)
    const { id } = await hold(key, { user_id: 'u', credits: 5 })
    for (const wrong of ['hold_x', `${id.slice(0, -1)}!`, id.replace(/.{8}(?=.{16}$)/, 'zzzzzzzz')]) {
      const response = await post(key, `/v1/holds/${encodeURIComponent(wrong)}/release`, {})
      await expectProblem(response, 404, 'not_found')
    }
  })
})

describe('a closed hold', () => {
  it('is read by its id, before and after the flush to D1', async () => {
    const { api_key: key, customer_id } = await createCustomer()
    const { id } = await hold(key, { user_id: 'u', team_id: 't', credits: 5 })
    await ok(key, `/v1/holds/${id}/capture`, { credits: 2, final: true })
    const closed = { status: 'captured', credits: 5, captured: 2, remaining: 0, user_id: 'u', team_id: 't' }
    const before = await jsonOf(await api(`/v1/holds/${id}`, { key }))
    expect(before).toMatchObject(closed)
    expect(await runDurableObjectAlarm(env.LEDGER.get(env.LEDGER.idFromName(customer_id)))).toBe(true)
    expect(await jsonOf(await api(`/v1/holds/${id}`, { key }))).toEqual(before)
  })
})
