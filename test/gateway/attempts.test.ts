import { afterEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { type Answer, CHAT, COMPLETION, chat, json, playProvider, word } from './support.ts'

/** Tests the attempts of a call, with a provider that fails. */

afterEach(() => {
  vi.restoreAllMocks()
})

const lost: Answer = () => Promise.reject(new TypeError('Network connection lost.'))
const AMBIGUOUS = /^attempt 1: ambiguous \(status 504\), at least 0\.0\d+ USD at the provider$/

describe('the attempts of a call that ends without a charge', () => {
  it('are in a header of the response, and in the log if the provider possibly charges for one of them', async () => {
    const { api_key, customer_id } = await createCustomer()
    const log = vi.spyOn(console, 'warn').mockImplementation(() => {})
    playProvider(json({}, 504), json({ error: { message: 'wrong' } }, 400))
    const { response, settled } = await chat(api_key, CHAT, { 'X-Meter-Fallback': 'retry' })
    await settled()
    expect([response.status, await response.json()]).toEqual([400, { error: { message: 'wrong' } }])
    const header = response.headers.get('X-Meter-Attempts') ?? ''
    expect(JSON.parse(header)).toMatch(AMBIGUOUS)
    expect(log.mock.calls.map(([line]) => JSON.parse(String(line)))).toEqual([
      {
        level: 'warn',
        event: 'gateway_attempts_not_charged',
        customer_id,
        mode: 'live',
        request_id: response.headers.get('X-Request-Id'),
        attempts: `${JSON.parse(header)}; attempt 2: accepted (status 400)`,
      },
    ])
  })

  it('are logged with the last attempt, whose response has the error format of the provider', async () => {
    const { api_key } = await createCustomer()
    const errors = vi.spyOn(console, 'error').mockImplementation(() => {})
    const log = vi.spyOn(console, 'warn').mockImplementation(() => {})
    playProvider(json({}, 503), lost)
    const { response, settled } = await chat(api_key, CHAT, { 'X-Meter-Fallback': 'retry' })
    await settled()
    expect(response.status).toBe(502)
    expect(response.headers.get('X-Meter-Attempts')).toBe('"attempt 1: refused (status 503)"')
    expect(errors.mock.calls.map(([line]) => JSON.parse(String(line)))).toContainEqual({
      level: 'error',
      event: 'gateway_provider_unreachable',
      request_id: response.headers.get('X-Request-Id'),
      reason: 'TypeError',
    })
    expect(JSON.parse(String(log.mock.calls[0]?.[0])).attempts).toMatch(
      /^attempt 1: refused \(status 503\); attempt 2: ambiguous \(lost\), at least 0\.0\d+ USD/,
    )
  })

  it('are not logged if the provider refused all of them', async () => {
    const { api_key } = await createCustomer()
    const log = vi.spyOn(console, 'warn').mockImplementation(() => {})
    playProvider(json({}, 503), json({}, 429))
    const { response, settled } = await chat(api_key, CHAT, { 'X-Meter-Fallback': 'retry' })
    await settled()
    expect(response.headers.get('X-Meter-Attempts')).toBe('"attempt 1: refused (status 503)"')
    expect(log).not.toHaveBeenCalled()
  })
})

it('a charged call has its earlier attempts in the header and in its event, and logs none', async () => {
  const { api_key } = await createCustomer()
  const log = vi.spyOn(console, 'warn').mockImplementation(() => {})
  playProvider(json({}, 504), json(COMPLETION))
  const { response, settled } = await chat(api_key, CHAT, { 'X-Meter-Fallback': 'retry' })
  await settled()
  expect(JSON.parse(response.headers.get('X-Meter-Attempts') ?? '')).toMatch(AMBIGUOUS)
  expect(response.headers.get('X-Meter-Event-Id')).toMatch(/^evt_/)
  expect(log).not.toHaveBeenCalled()
  playProvider(json(COMPLETION))
  const single = await chat(api_key, CHAT)
  await single.settled()
  expect(single.response.headers.has('X-Meter-Attempts')).toBe(false)
})

describe('a client that disconnects', () => {
  /** Returns the events of a customer and the credits that are held. */
  async function chargesOf(api_key: string) {
    const { data } = await jsonOf(await api('/v1/events', { key: api_key }))
    const { reserved_balance } = await jsonOf(await api('/v1/credits/balance', { key: api_key }))
    return { events: data, reserved_balance }
  }

  it('in the pause before another attempt is not charged for this attempt, which is not sent', async () => {
    const { api_key } = await createCustomer()
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const leave = new AbortController()
    const requests = playProvider(() => {
      setTimeout(() => leave.abort(), 10)
      return Response.json({}, { status: 503 })
    }, json(COMPLETION))
    const { settled } = await chat(api_key, CHAT, { 'X-Meter-Fallback': 'retry' }, {}, leave.signal)
    await settled()
    expect(requests).toHaveLength(1)
    expect(await chargesOf(api_key)).toEqual({ events: [], reserved_balance: 0 })
  })

  it('with the first chunk of a stream with further attempts is charged, and its hold is closed', async () => {
    const { api_key } = await createCustomer()
    const leave = new AbortController()
    const first = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          controller.enqueue(new TextEncoder().encode(word('Hello')))
          leave.abort()
        },
      },
      { highWaterMark: 0 },
    )
    playProvider(() => new Response(first, { headers: { 'Content-Type': 'text/event-stream' } }))
    const streamed = { ...CHAT, stream: true }
    const { settled } = await chat(api_key, streamed, { 'X-Meter-Fallback': 'retry' }, {}, leave.signal)
    await settled()
    const { events, reserved_balance } = await chargesOf(api_key)
    expect(events).toMatchObject([{ warnings: ['estimated', 'client_gone'] }])
    expect(reserved_balance).toBe(0)
  })
})

describe('the pause before another attempt at the same target', () => {
  it.each([
    ['seconds', () => '60'],
    ['an HTTP date', () => new Date(Date.now() + 60_000).toUTCString()],
    ['an extremely large number', () => '9'.repeat(30)],
  ])('is too long if the provider requests a minute or more: %s', async (_, retry_after) => {
    const { api_key } = await createCustomer()
    const requests = playProvider(json({}, 429, { 'Retry-After': retry_after() }), json(COMPLETION))
    const { response, settled } = await chat(api_key, CHAT, { 'X-Meter-Fallback': 'retry' })
    await settled()
    expect([response.status, requests.length]).toEqual([429, 1])
  })

  it.each(['soon', '-60', new Date(0).toUTCString()])('is short for Retry-After: %s', async (retry_after) => {
    const { api_key } = await createCustomer()
    const requests = playProvider(json({}, 429, { 'Retry-After': retry_after }), json(COMPLETION))
    const { response, settled } = await chat(api_key, CHAT, { 'X-Meter-Fallback': 'retry' })
    await settled()
    expect([response.status, requests.length]).toEqual([200, 2])
  })
})
