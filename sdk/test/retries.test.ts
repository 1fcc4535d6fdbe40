import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import {
  ConnectionError,
  InvalidResponseError,
  OpenMonetize,
  QuotaExceededError,
  ServerError,
  TimeoutError,
} from '../src/index.ts'
import { answer, type LossyProxy, type Plan, startProxy } from './support/proxy.ts'
import { newCustomer } from './support/server.ts'

const { url } = inject('server')
const EVENT = {
  event_type: 'TOKEN_USAGE',
  feature_id: 'chat',
  provider: 'OPENAI',
  model: 'gpt-4o',
  input_tokens: 1000,
} as const
const JSON_TYPE = { 'Content-Type': 'application/json' }
const HTML_TYPE = { 'Content-Type': 'text/html' }

let proxy: LossyProxy | undefined
// A retry waits for a random part of its delay (full jitter). In these tests, the part is small.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0.1))
afterEach(() => proxy?.stop())

/**
 * Creates a client that sends through a proxy. The proxy applies each of the `plans` to one request, and relays all
 * later requests.
 */
async function behind(...plans: Plan[]) {
  proxy = await startProxy(url, (_seen, number) => plans[number - 1] ?? 'pass')
  const { om, apiKey } = await newCustomer(url)
  const client = new OpenMonetize({ apiKey, baseUrl: proxy.url, timeoutMs: 2_000 })
  return { client, direct: om, seen: proxy.seen }
}

describe('a call that is repeated', () => {
  it.each<[string, Plan]>([
    ['a connection that is refused or cut before the server has the request', 'before'],
    ['a connection that is cut after the server has done the work', 'after'],
    ['408', answer(408, '')],
    ['429', answer(429, '{"code":"rate_limited"}', { ...JSON_TYPE, 'Retry-After': '0' })],
    ['500', answer(500, '')],
    ['an HTML page of a gateway with 502', answer(502, '<html>Bad gateway</html>', HTML_TYPE)],
    ['503', answer(503, '{"code":"overloaded"}', { ...JSON_TYPE, 'Retry-After': '0' })],
    ['200 with a body that breaks off', answer(200, '{"id":"evt_', JSON_TYPE)],
  ])('after %s sends the same bytes with the same key, and burns once', async (_name, plan) => {
    const { client, direct, seen } = await behind(plan, plan)
    await client.events.ingest(EVENT)
    expect(seen).toHaveLength(3)
    expect(new Set(seen.map(({ body }) => body)).size).toBe(1)
    expect(new Set(seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
    expect(seen[0]?.headers['idempotency-key']).toMatch(/^\S{16,}$/)
    expect((await direct.credits.balance()).balance).toBe(9995)
  })

  it('waits as long as Retry-After requests', async () => {
    const { client } = await behind(
      answer(503, '{"code":"unavailable"}', { ...JSON_TYPE, 'Retry-After': '1' }),
    )
    const start = Date.now()
    await client.customers.me()
    expect(Date.now() - start).toBeGreaterThanOrEqual(1_000)
  })

  it('waits until the date in Retry-After', async () => {
    const until = new Date(Date.now() + 2_000)
    const { client } = await behind(
      answer(503, '{"code":"unavailable"}', { ...JSON_TYPE, 'Retry-After': until.toUTCString() }),
    )
    await client.customers.me()
    // An HTTP date has no fractions of a second.
    expect(Date.now()).toBeGreaterThanOrEqual(Math.floor(until.getTime() / 1000) * 1000)
  })

  it('has a key from the first attempt of every POST that changes something', async () => {
    const { client, seen } = await behind()
    await client.credits.grant({ amount: 1 })
    const { hold_id } = await client.holds.create({ feature_id: 'chat', credits: 1 })
    await client.holds.release(hold_id)
    await client.credits.adjust({ amount: 1, reason: 'test' })
    expect(seen.every(({ headers }) => headers['idempotency-key'])).toBe(true)
    expect(new Set(seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(4)
  })

  it('uses the key of the event, or of the call', async () => {
    const { client, seen } = await behind()
    await client.events.ingest({ ...EVENT, idempotency_key: 'mine' })
    await client.credits.grant({ amount: 1 }, { idempotencyKey: 'yours' })
    expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual(['mine', 'yours'])
  })
})

describe('a call that is not repeated', () => {
  it('throws the error of the last attempt', async () => {
    const { client, seen } = await behind('before', 'before', 'before')
    await expect(client.customers.me()).rejects.toBeInstanceOf(ConnectionError)
    expect(seen).toHaveLength(3)
    await expect(client.customers.me({ maxRetries: 0 })).resolves.toHaveProperty('customer_id')
  })

  it.each<[string, Plan, unknown]>([
    [
      'a used-up quota',
      answer(429, '{"code":"quota_exceeded"}', { ...JSON_TYPE, 'Retry-After': '0' }),
      QuotaExceededError,
    ],
    [
      'a part that is not configured',
      answer(503, '{"code":"payments_not_configured"}', JSON_TYPE),
      ServerError,
    ],
    [
      'a wait of hours',
      answer(503, '{"code":"unavailable"}', { ...JSON_TYPE, 'Retry-After': '7200' }),
      ServerError,
    ],
    ['an HTML page with 200', answer(200, '<html>Welcome</html>', HTML_TYPE), InvalidResponseError],
    ['a redirect', answer(302, '', { Location: 'https://example.com/' }), InvalidResponseError],
  ])('after %s', async (_name, plan, type) => {
    const { client, seen } = await behind(plan)
    await expect(client.customers.me()).rejects.toBeInstanceOf(type)
    expect(seen).toHaveLength(1)
  })

  it('reports that no response arrived in time', async () => {
    const { client } = await behind(() => undefined)
    const error = await client.customers.me({ timeoutMs: 100, maxRetries: 0 }).catch((caught) => caught)
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ status: 0, code: 'timeout', retryable: true })
  })

  it('names the address that cannot be reached', async () => {
    const client = new OpenMonetize({ apiKey: 'k', baseUrl: 'http://127.0.0.1:1', maxRetries: 0 })
    await expect(client.customers.me()).rejects.toThrow('The request to http://127.0.0.1:1 failed')
  })

  it('stops waiting for the next attempt when its signal ends', async () => {
    const { client } = await behind(
      answer(503, '{"code":"unavailable"}', { ...JSON_TYPE, 'Retry-After': '30' }),
    )
    const started = Date.now()
    await expect(client.customers.me({ signal: AbortSignal.timeout(200) })).rejects.toThrow('timeout')
    expect(Date.now() - started).toBeLessThan(5_000)
  })

  it('reports a body that is too large with the code of the API', async () => {
    const { client } = await behind()
    const metadata = { text: 'x'.repeat(5_000_000) }
    await expect(client.events.ingest({ ...EVENT, metadata })).rejects.toMatchObject({ status: 413 })
  })
})
