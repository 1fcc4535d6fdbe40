import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { OpenMonetize } from '../../src/index.ts'
import { OPERATOR_TOKEN } from '../support/server.ts'
import { json, type Script, startUpstream, type Upstream } from '../support/upstream.ts'
import { AGENTS, type Agent } from './agents.ts'
import { type GatewayCustomer, gatewayCustomer, PROVIDER_KEY, startGateway } from './gateway.ts'

/**
 * Tests of the calls of coding agents. The requests and responses have the form of the agents' and their providers'
 * messages.
 */

const gateway = inject('server')
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

/** Returns a stream that pauses after `after` events until `go` is called. */
function pausing({ events, answerHeaders }: Agent, after: number) {
  const { promise, resolve: go } = Promise.withResolvers<void>()
  const script: Script = async (response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', ...answerHeaders })
    response.write(events.slice(0, after).join(''))
    await promise
    response.end(events.slice(after).join(''))
  }
  return { script, go }
}

/**
 * Returns a stream whose model continues to think after `after` events. From then on, the stream has only comments,
 * until the client disconnects.
 */
function endless({ events }: Agent, after: number) {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  const script: Script = (response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write(events.slice(0, after).join(''))
    const timer = setInterval(() => response.write(': keep-alive\n\n'), 20)
    response.on('close', () => {
      clearInterval(timer)
      resolve()
    })
  }
  return { script, closed }
}

const streaming = (agent: Agent): Script => {
  const { script, go } = pausing(agent, 0)
  go()
  return script
}

interface Call {
  readonly url?: string
  readonly path?: string
  readonly key?: Agent['keys'][number]
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Sends a request as the agent does. */
function send(agent: Agent, { apiKey }: Pick<GatewayCustomer, 'apiKey'>, call: Call = {}) {
  const { url = gateway.url, path = agent.path, key = agent.keys[0], body, headers, signal } = call
  return fetch(`${url}/gateway/${agent.base}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...agent.headers, ...key?.(apiKey), ...headers },
    ...(body !== undefined && { body }),
    ...(signal && { signal }),
  })
}

const customerOf = () => gatewayCustomer(gateway.url, upstream.url)

describe.each(AGENTS)('$name', (agent) => {
  const { body, events } = agent

  it.each(agent.keys.map((key, index) => ({ key, index })))(
    'streams a turn byte by byte, held and then charged exactly, with its key in place $index',
    async ({ key }) => {
      const customer = await customerOf()
      const { script, go } = pausing(agent, 6)
      upstream.play(script)
      const response = await send(agent, customer, { key, body })
      expect(response.status).toBe(200)
      expect(Math.round((await customer.held()) * 1e6)).toBe(await customer.price(agent.largest))
      go()
      expect(await response.text()).toBe(events.join(''))
      expect(await customer.burned(1)).toBe(await customer.price(agent.whole))
      expect((await customer.events(1))[0]?.warnings ?? []).toEqual([])

      const [request] = upstream.requests
      expect(request?.path).toBe(agent.upstreamPath)
      expect(request?.text).toBe(body)
      for (const name of agent.passed) expect(request?.headers[name], name).toBe(agent.headers[name])
      expect(JSON.stringify(request?.headers)).not.toContain(customer.apiKey)
      expect(JSON.stringify(request?.headers)).toContain(PROVIDER_KEY)
      for (const [name, value] of Object.entries(agent.answerHeaders))
        expect(response.headers.get(name)).toBe(value)
    },
  )

  it('is charged what was delivered when it is interrupted, and the provider stops', async () => {
    const customer = await customerOf()
    const { after, charge } = agent.interrupted
    const { script, closed } = endless(agent, after)
    upstream.play(script)
    const leave = new AbortController()
    const response = await send(agent, customer, { body, signal: leave.signal })
    const sent = events.slice(0, after).join('')
    let read = ''
    const decoder = new TextDecoder()
    for await (const bytes of response.body ?? []) {
      read += decoder.decode(bytes, { stream: true })
      if (read.length >= sent.length) break
    }
    expect(read.slice(0, sent.length)).toBe(sent)
    leave.abort()
    await closed
    expect(await customer.burned(1)).toBe(await customer.price(charge))
    expect((await customer.events(1))[0]?.warnings).toEqual(['estimated', 'client_gone'])
  })

  it('repeats a request that the provider refused, and pays once', async () => {
    const customer = await customerOf()
    const { busy, repeated } = agent
    upstream.play(json(busy.body, busy.status, { 'Retry-After': '0' }), streaming(agent))
    const first = await send(agent, customer, { body })
    expect([first.status, await first.json()]).toEqual([busy.status, busy.body])
    expect(first.headers.get('Retry-After')).toBe('0')
    expect(first.headers.get('x-should-retry')).toBeNull()
    const second = await send(agent, customer, { body, headers: repeated })
    expect(await second.text()).toBe(events.join(''))
    expect(upstream.requests.map(({ text }) => text)).toEqual([body, body])
    expect(await customer.burned(1)).toBe(await customer.price(agent.whole))
  })

  it('repeats a stream that broke off, and pays for what each delivered', async () => {
    const customer = await customerOf()
    const { after, charge } = agent.interrupted
    const broken: Script = (response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write(events.slice(0, after).join(''))
      setTimeout(() => response.destroy(), 50)
    }
    upstream.play(broken, streaming(agent))
    const first = await send(agent, customer, { body })
    await expect(first.text()).rejects.toThrow()
    const second = await send(agent, customer, { body, headers: agent.repeated })
    expect(await second.text()).toBe(events.join(''))
    const sum = (await customer.price(charge)) + (await customer.price(agent.whole))
    expect(await customer.burned(2)).toBe(sum)
  })

  it('makes its other calls without a charge', async () => {
    const customer = await customerOf()
    for (const call of agent.free) {
      upstream.play(json(call.answer))
      const response = await send(agent, customer, { path: call.path, ...(call.body && { body: call.body }) })
      expect(await response.json()).toEqual(call.answer)
      expect(upstream.requests[0]?.path).toBe(call.upstreamPath)
      expect(upstream.requests[0]?.text).toBe(call.body ?? '')
      expect(JSON.stringify(upstream.requests[0]?.headers)).not.toContain(customer.apiKey)
    }
    expect(await customer.held()).toBe(0)
    expect((await customer.om.events.list()).data).toEqual([])
  })

  it('gets 402 and 403 as its provider sends errors, and does not repeat them', async () => {
    const customer = await customerOf()
    await customer.om.credits.grant({ user_id: 'ada', amount: 0.000001 })
    await customer.om.entitlements.create({ feature_id: 'agents', limit_type: 'NONE', enabled: false })
    upstream.play(streaming(agent))
    const { error, errorTypes } = agent
    for (const { status, code, headers } of [
      { status: 402 as const, code: 'insufficient_credits', headers: { 'X-Meter-User': 'ada' } },
      { status: 403 as const, code: 'feature_not_allowed', headers: { 'X-Meter-Feature': 'agents' } },
    ]) {
      const response = await send(agent, customer, { body, headers })
      expect(response.status).toBe(status)
      expect(response.headers.get('Content-Type')).toContain('application/json')
      expect(response.headers.get('x-should-retry')).toBe('false')
      expect(await response.json()).toMatchObject(error(code, errorTypes[status]))
    }
    expect(upstream.requests).toHaveLength(0)
  })
})

it('429 has the shape of each provider, and only a rate limit may be repeated', async () => {
  const limited = await startGateway({ RATE_LIMIT_ENTERPRISE: '12' })
  const operator = new OpenMonetize({ apiKey: OPERATOR_TOKEN, baseUrl: gateway.url })
  for (const agent of AGENTS) {
    const { error, errorTypes, body } = agent
    upstream.play(streaming(agent))
    const customer = await gatewayCustomer(limited.url, upstream.url)
    let refused: Response | undefined
    // The limit is per minute, and the minute can end during the test.
    for (let calls = 0; calls < 30 && refused?.status !== 429; calls++) {
      refused = await send(agent, customer, { url: limited.url, body })
      if (refused.status !== 429) await refused.text()
    }
    expect(refused?.headers.get('Retry-After')).toMatch(/^\d+$/)
    expect(refused?.headers.get('x-should-retry')).toBeNull()
    expect(await refused?.json()).toMatchObject(error('rate_limited', errorTypes[429]))

    const email = `${crypto.randomUUID()}@example.com`
    const { api_key } = await operator.customers.register({ name: 'Small', email, tier: 'STARTER' })
    const om = new OpenMonetize({ apiKey: api_key, baseUrl: gateway.url })
    const free = Array.from({ length: 1000 }, () => ({
      event_type: 'API_CALL' as const,
      feature_id: 'search',
    }))
    for (let batches = 0; batches < 10; batches++) await om.events.ingest({ events: free })
    const sent = upstream.requests.length
    const ended = await send(agent, { apiKey: api_key }, { body, headers: { 'X-Provider-Key': 'sk-own' } })
    expect(ended.status).toBe(429)
    expect(ended.headers.get('x-should-retry')).toBe('false')
    expect(await ended.json()).toMatchObject(
      error('quota_exceeded', agent.base === 'anthropic' ? 'rate_limit_error' : 'insufficient_quota'),
    )
    expect(upstream.requests).toHaveLength(sent)
  }
  await limited.stop()
})
