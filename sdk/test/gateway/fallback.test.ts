import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { json, sse, startUpstream, type Upstream } from '../support/upstream.ts'
import { type GatewayCustomer, gatewayCustomer, post } from './gateway.ts'
import * as scripts from './scripts.ts'

/** Tests of the further attempts that a header or a stored route requests for a call, and of their cost. */

const gateway = inject('server')
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

const CHAT = 'openai/v1/chat/completions'
const body = (more: object = {}) => ({
  model: scripts.CHAT_MODEL,
  max_tokens: 1000,
  messages: [{ role: 'user', content: 'Hello' }],
  ...more,
})
const refusal = (status: number) => json({ error: { message: `no ${status}` } }, status)
const answer = json(scripts.CHAT_COMPLETION)
const stream = sse([...scripts.CHAT_WORDS, scripts.CHAT_STOP, scripts.CHAT_REPORT], { tail: scripts.DONE })

async function stored({ apiKey }: GatewayCustomer, path: string, draft: object): Promise<void> {
  const response = await fetch(`${gateway.url}/v1/${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(draft),
  })
  expect(response.status, await response.text()).toBe(201)
}

async function customerWithBackup(): Promise<GatewayCustomer> {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const base_url = `${upstream.url}/backup`
  await stored(customer, 'provider-keys', { provider: 'openai', name: 'Backup', key: 'sk-backup', base_url })
  return customer
}

/**
 * The header that selects the provider key `openai`. Without the header, a call uses the newest key, which is the
 * backup.
 */
const OWN = { 'X-Meter-Provider-Key': 'openai' }

describe('a call with further attempts', () => {
  it('is made once more after a refusal, and charged once', async () => {
    const customer = await customerWithBackup()
    upstream.play(refusal(503), answer)
    const response = await post(gateway, customer, CHAT, body(), { ...OWN, 'X-Meter-Fallback': 'retry' })
    expect(await response.json()).toEqual(scripts.CHAT_COMPLETION)
    expect(upstream.requests.map(({ path }) => path)).toEqual(Array(2).fill('/openai/chat/completions'))
    expect(await customer.burned(1)).toBe(await customer.price(scripts.CHAT_PRICE))
    expect((await customer.events(1))[0]?.warnings).toEqual(['attempt 1: refused (status 503)'])
  })

  it('is sent to another key and another model, and is charged at the price of that model', async () => {
    const customer = await customerWithBackup()
    const mini = { ...scripts.CHAT_COMPLETION, model: 'gpt-4o-mini' }
    upstream.play(refusal(401), json(mini))
    const headers = { ...OWN, 'X-Meter-Fallback': 'Backup;model="gpt-4o-mini"' }
    await (await post(gateway, customer, CHAT, body(), headers)).text()
    const [, second] = upstream.requests
    expect(second?.path).toBe('/backup/chat/completions')
    expect(second?.headers.authorization).toBe('Bearer sk-backup')
    expect(second?.body.model).toBe('gpt-4o-mini')
    const provider_response = { model: 'gpt-4o-mini', usage: scripts.CHAT_USAGE }
    expect(await customer.burned(1)).toBe(await customer.price({ ...scripts.CHAT_PRICE, provider_response }))
  })

  it('asks a stream for its usage, but not at Mistral, which refuses that', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    const base_url = `${upstream.url}/mistral`
    const key = { provider: 'mistral', name: 'Mistral', key: 'sk-mistral', base_url }
    await stored(customer, 'provider-keys', key)
    const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
    const model = 'mistral-large-latest'
    const last = { model, choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: 'stop' }], usage }
    upstream.play(refusal(503), sse([last], { tail: scripts.DONE }))
    const headers = { ...OWN, 'X-Meter-Fallback': `Mistral;model=${model}` }
    const response = await post(gateway, customer, CHAT, body({ stream: true }), headers)
    expect(await response.text()).toBe(`data: ${JSON.stringify(last)}\n\n${scripts.DONE}`)
    const [first, second] = upstream.requests.map((request) => request.body)
    expect(first).toEqual(body({ stream: true, stream_options: { include_usage: true } }))
    expect(second).toEqual(body({ stream: true, model }))
    const [event] = await customer.events(1)
    expect(event).toMatchObject({
      provider: 'MISTRAL',
      usage: { input_tokens: 11, output_tokens: 7 },
      warnings: ['attempt 1: refused (status 503)'],
    })
  })

  it('skips a model that is switched off, or that the wallet cannot pay', async () => {
    const customer = await customerWithBackup()
    const off = { model: 'gpt-4o-mini', limit_type: 'NONE', enabled: false }
    await stored(customer, 'entitlements', off)
    upstream.play(refusal(401), answer)
    for (const model of ['gpt-4o-mini', 'o1-pro']) {
      const headers = { ...OWN, 'X-Meter-Fallback': `Backup;model="${model}"` }
      const tokens = body({ max_tokens: 100_000 })
      const response = await post(gateway, customer, CHAT, model === 'o1-pro' ? tokens : body(), headers)
      expect([response.status, await response.json()]).toEqual([401, { error: { message: 'no 401' } }])
      expect(upstream.requests).toHaveLength(1)
      await expect.poll(customer.held).toBe(0)
      upstream.play(refusal(401), answer)
    }
    expect((await customer.om.events.list()).data).toEqual([])
  })

  it('returns the last refusal and costs nothing when all are refused', async () => {
    const customer = await customerWithBackup()
    upstream.play(refusal(429), refusal(500))
    const headers = { ...OWN, 'X-Meter-Fallback': 'Backup' }
    const response = await post(gateway, customer, CHAT, body(), headers)
    expect([response.status, await response.json()]).toEqual([500, { error: { message: 'no 500' } }])
    await expect.poll(customer.held).toBe(0)
    expect((await customer.om.events.list()).data).toEqual([])
  })

  it('returns the last real response, with its headers, if no further attempt can be made', async () => {
    const customer = await customerWithBackup()
    const limited = json({ error: { message: 'slow down' } }, 429, { 'Retry-After': '7' })
    upstream.play(limited, limited)
    const headers = { ...OWN, 'X-Meter-Fallback': 'Backup, Unknown, "Also unknown"' }
    const response = await post(gateway, customer, CHAT, body(), headers)
    expect([response.status, response.headers.get('Retry-After')]).toEqual([429, '7'])
    expect(await response.json()).toEqual({ error: { message: 'slow down' } })
    expect(upstream.requests).toHaveLength(2)
    await expect.poll(customer.held).toBe(0)
    expect((await customer.om.events.list()).data).toEqual([])
  })

  it('is sent to the attempt after a skipped one, and charged once', async () => {
    const customer = await customerWithBackup()
    upstream.play(refusal(429), answer)
    const headers = { ...OWN, 'X-Meter-Fallback': 'Unknown, Backup;model="o1-pro", Backup' }
    const large = body({ max_tokens: 100_000 })
    const response = await post(gateway, customer, CHAT, large, headers)
    expect(await response.json()).toEqual(scripts.CHAT_COMPLETION)
    expect(upstream.requests).toHaveLength(2)
    expect(await customer.burned(1)).toBe(await customer.price(scripts.CHAT_PRICE))
    expect((await customer.events(1))[0]?.warnings).toEqual([
      'attempt 1: refused (status 429)',
      'attempt 2: refused (not_sent)',
      'attempt 3: refused (not_sent)',
    ])
  })

  it('states the possible cost of an attempt whose connection was lost', async () => {
    const customer = await customerWithBackup()
    upstream.play((response) => {
      response.destroy()
    }, answer)
    await (await post(gateway, customer, CHAT, body(), { ...OWN, 'X-Meter-Fallback': 'Backup' })).text()
    expect((await customer.events(1))[0]?.warnings).toEqual([
      expect.stringMatching(/^attempt 1: ambiguous \(lost\), at least 0\.0\d+ USD at the provider$/),
    ])
  })

  it('is not repeated once a part of its response was delivered', async () => {
    const customer = await customerWithBackup()
    upstream.play(sse(scripts.CHAT_WORDS.slice(0, 3), { cut: true }), stream)
    const headers = { ...OWN, 'X-Meter-Fallback': 'Backup' }
    const response = await post(gateway, customer, CHAT, body({ stream: true }), headers)
    await expect(response.text()).rejects.toThrow()
    expect((await customer.events(1))[0]?.warnings).toEqual(['estimated', 'provider_failed'])
    expect(upstream.requests).toHaveLength(1)
  })

  it('is refused with a wrong header', async () => {
    const customer = await customerWithBackup()
    upstream.play(answer)
    const response = await post(gateway, customer, CHAT, body(), { ...OWN, 'X-Meter-Fallback': '=' })
    expect(response.status).toBe(400)
    expect(upstream.requests).toHaveLength(0)
  })
})

describe('a stored route', () => {
  const draft = { name: 'Chat', api: 'openai', model: 'gpt-4o*', targets: [{ provider_key: 'Backup' }] }

  it('continues after a stream that sends nothing in time, byte for byte', async () => {
    const customer = await customerWithBackup()
    await stored(customer, 'gateway-routes', { ...draft, timeouts: { first_chunk_seconds: 1 } })
    upstream.play((response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    }, stream)
    const response = await post(gateway, customer, CHAT, body({ stream: true }), OWN)
    const whole = [...scripts.CHAT_WORDS, scripts.CHAT_STOP].map(
      (chunk) => `data: ${JSON.stringify(chunk)}\n\n`,
    )
    expect(await response.text()).toBe(whole.join('') + scripts.DONE)
    expect(await customer.burned(1)).toBe(await customer.price(scripts.CHAT_PRICE))
    expect(upstream.requests.map(({ path }) => path)).toEqual([
      '/openai/chat/completions',
      '/backup/chat/completions',
    ])
  })

  it('returns the timeout of the last attempt that was sent, if the next one cannot be made', async () => {
    const customer = await customerWithBackup()
    const targets = [{ provider_key: 'Unknown' }]
    await stored(customer, 'gateway-routes', { ...draft, targets, timeouts: { headers_seconds: 1 } })
    upstream.play(() => {})
    const response = await post(gateway, customer, CHAT, body(), OWN)
    expect(response.status).toBe(504)
    expect(await response.text()).toContain('provider_timeout')
    await expect.poll(customer.held).toBe(0)
  })

  it('may end with an attempt whose effect is unknown, and is off for a call that requests it', async () => {
    const customer = await customerWithBackup()
    await stored(customer, 'gateway-routes', { ...draft, on_ambiguous: 'stop' })
    upstream.play((response) => {
      response.destroy()
    }, answer)
    expect((await post(gateway, customer, CHAT, body(), OWN)).status).toBe(502)
    expect(upstream.requests).toHaveLength(1)
    upstream.play(refusal(503), answer)
    const off = { ...OWN, 'X-Meter-Fallback': 'off' }
    expect((await post(gateway, customer, CHAT, body(), off)).status).toBe(503)
    expect(upstream.requests).toHaveLength(1)
  })
})
