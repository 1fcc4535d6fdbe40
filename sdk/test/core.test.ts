import { beforeAll, describe, expect, inject, it } from 'vitest'
import {
  ConfigurationError,
  InsufficientCreditsError,
  InvalidRequestError,
  NotFoundError,
  OpenMonetize,
  OpenMonetizeError,
} from '../src/index.ts'
import { newCustomer } from './support/server.ts'

const { url } = inject('server')
const CALL = { event_type: 'TOKEN_USAGE', feature_id: 'chat', provider: 'OPENAI', model: 'gpt-4o' } as const

let om: OpenMonetize

beforeAll(async () => {
  om = (await newCustomer(url)).om
})

describe('a call', () => {
  it('returns the body of the API response', async () => {
    const event = await om.events.ingest({ ...CALL, input_tokens: 1000, output_tokens: 500 })
    expect(event).toMatchObject({ credits_burned: 15, provider_cost_usd: 0.0075 })
    const batch = await om.events.ingest({ events: [{ ...CALL, input_tokens: 1000 }] })
    expect(batch).toMatchObject({ accepted: 1, credits_burned: 5 })
  })

  it('returns the status, the request id and the replay flag with withResponse()', async () => {
    const event = { ...CALL, input_tokens: 10, idempotency_key: 'once' }
    const first = await om.events.ingest(event, { requestId: 'mine-1' }).withResponse()
    expect(first).toMatchObject({ status: 200, requestId: 'mine-1', replayed: false })
    const again = await om.events.ingest(event).withResponse()
    expect(again).toMatchObject({ data: first.data, replayed: true })
  })

  it('throws a typed error with the members of the problem document', async () => {
    await om.credits.grant({ user_id: 'poor', amount: 1 })
    const error = await failure(om.events.ingest({ ...CALL, user_id: 'poor', input_tokens: 1_000_000 }))
    expect(error).toBeInstanceOf(InsufficientCreditsError)
    expect(error).toMatchObject({
      status: 402,
      code: 'insufficient_credits',
      retryable: false,
      requestId: expect.stringMatching(/^req_/),
      balance: 1,
      required: 5000,
    })
    await expect(om.holds.retrieve('hold_none')).rejects.toBeInstanceOf(NotFoundError)
    const invalid = await failure(om.credits.grant({ amount: 0.0000001 }))
    expect(invalid).toBeInstanceOf(InvalidRequestError)
    expect(invalid.problem?.errors?.[0]?.path).toBe('/amount')
  })

  it('registers without the key of a customer', async () => {
    const registration = { name: 'Another', email: `${crypto.randomUUID()}@example.com` }
    expect(await om.customers.register(registration)).toMatchObject({ name: 'Another', tier: 'STARTER' })
  })

  it('ends when its signal aborts, with the reason of the signal', async () => {
    const reason = new Error('enough')
    await expect(om.customers.me({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  it('refuses an id that would lead to another path', () => {
    for (const id of ['', '.', '..']) expect(() => om.users.delete(id)).toThrow(ConfigurationError)
  })
})

describe('a list', () => {
  it('is awaitable for its first page and iterable over all rows', async () => {
    const names = ['u1', 'u2', 'u3', 'u4', 'u5']
    const { om: other } = await newCustomer(url)
    for (const user_id of names) await other.users.create({ user_id })
    const page = await other.users.list({ limit: 2 })
    expect(page.data).toHaveLength(2)
    expect(page.next_cursor).toEqual(expect.any(String))
    const all: string[] = []
    for await (const { user_id } of other.users.list({ limit: 2 })) all.push(user_id)
    expect(all.sort()).toEqual(names)
    let pages = 0
    for await (const { data } of other.users.list({ limit: 2 }).pages()) pages += data.length > 0 ? 1 : 0
    expect(pages).toBe(3)
    expect(other.users.list()).toHaveProperty('then')
  })

  it('has the open lots of a wallet beyond the first page', async () => {
    const { om: other } = await newCustomer(url)
    const amounts = Array.from({ length: 52 }, (_, index) => index + 1)
    for (const amount of amounts) await other.credits.grant({ user_id: 'u', amount })
    const all: number[] = []
    for await (const lot of other.credits.lots({ user_id: 'u' })) all.push(lot.amount)
    expect(all).toEqual(amounts)
  })

  it('returns the three forms of the price list', async () => {
    expect(await om.rating.pricing({ provider: 'OPENAI', model: 'gpt-4o' })).toMatchObject({
      model: 'gpt-4o',
    })
    expect((await om.rating.pricing({ provider: 'OPENAI', limit: 3 })).data).toHaveLength(3)
    expect((await om.rating.pricing()).data[0]).toHaveProperty('name')
  })
})

describe('the constructor', () => {
  it.each([
    [undefined, 'requires an object'],
    [{}, 'apiKey'],
    [{ apiKey: '' }, 'apiKey'],
    [{ apiKey: 'with space' }, 'apiKey'],
    [{ apiKey: undefined }, 'apiKey'],
    [{ apiKey: 'k', baseUrl: 'meter.example.com' }, 'baseUrl'],
    [{ apiKey: 'k', baseUrl: 'ftp://meter.example.com' }, 'baseUrl'],
    [{ apiKey: 'k', baseURL: 'http://localhost' }, 'Unknown option baseURL'],
    [{ apiKey: 'k', timeoutMs: 0 }, 'timeoutMs'],
    [{ apiKey: 'k', timeoutMs: '1' }, 'timeoutMs'],
    [{ apiKey: 'k', maxRetries: -1 }, 'maxRetries'],
    [{ apiKey: 'k', maxRetries: 1.5 }, 'maxRetries'],
    [{ apiKey: 'k', fetch: 'fetch' }, 'fetch'],
    [{ apiKey: 'k', onUnavailable: 'ignore' }, 'onUnavailable'],
    [{ apiKey: 'k', queue: 'memory' }, 'queue'],
    [{ apiKey: 'k', queue: { size: 1 } }, 'Unknown queue option size'],
    [{ apiKey: 'k', queue: { store: {} } }, 'queue.store'],
    [{ apiKey: 'k', queue: { maxBytes: 0 } }, 'queue.maxBytes'],
  ])('rejects %j and names the fault', (options, named) => {
    // Plain JavaScript can pass these values, but the types refuse them.
    const made = () => Reflect.construct(OpenMonetize, [options])
    expect(made).toThrow(ConfigurationError)
    expect(made).toThrow(named)
  })
})

/** Returns the error of a call that must fail. */
async function failure(call: Promise<unknown>): Promise<OpenMonetizeError> {
  const error = await call.then(
    () => undefined,
    (caught: unknown) => caught,
  )
  if (error instanceof OpenMonetizeError) return error
  throw new Error('the call did not fail as it must')
}
