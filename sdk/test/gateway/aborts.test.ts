import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { micro } from '../support/metered.ts'
import { type Gateway, gatewayCustomer, post, startGateway } from './gateway.ts'
import { type PacedProvider, startPacedProvider } from './paced-provider.ts'
import * as scripts from './scripts.ts'
import {
  ABORTS_TIMEOUT_MS,
  chatBody,
  DIALECTS,
  inputOf,
  leaveAfter,
  leaveAt,
  placesToLeave,
  sse,
  UNPRICED_DIALECTS,
} from './streams.ts'

/** Tests of the table in `docs/gateway.md`, which has the charge for each way in which a call can end. */

let provider: PacedProvider
let gateway: Gateway
beforeAll(async () => {
  provider = await startPacedProvider()
  gateway = await startGateway({
    GATEWAY_FIRST_CHUNK_TIMEOUT_MS: '2000',
    GATEWAY_IDLE_TIMEOUT_MS: '1500',
    GATEWAY_HEADERS_TIMEOUT_MS: '2500',
  })
})
afterAll(async () => {
  await gateway.stop()
  await provider.stop()
})

describe.each(DIALECTS)('a stream of $name', (dialect) => {
  const { target, body, head, output, tail, charge, whole } = dialect

  it('whose client disconnects is stopped within three chunks, and charged for the delivered part', {
    timeout: ABORTS_TIMEOUT_MS,
  }, async () => {
    await leaveAt(gateway, provider, dialect, placesToLeave())
  })

  it('that the provider breaks off is charged for the delivered part, and breaks off for its client', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    provider.play({ chunks: [...head, ...output.slice(0, 10)], end: 'cut' })
    const response = await post(gateway, customer, target, body)
    await expect(response.text()).rejects.toThrow()
    expect(await customer.burned(1)).toBe(await charge(10, customer))
    expect((await customer.events(1))[0]?.warnings).toEqual(
      expect.arrayContaining(['estimated', 'provider_failed']),
    )
  })

  it('that sends nothing more is charged for the delivered part, and its provider is stopped', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    provider.play({ chunks: [...head, ...output.slice(0, 5)], end: 'hang' })
    const response = await post(gateway, customer, target, body)
    await expect(response.text()).rejects.toThrow()
    expect(await customer.burned(1)).toBe(await charge(5, customer))
    expect((await customer.events(1))[0]?.warnings).toEqual(
      expect.arrayContaining(['estimated', 'idle_timeout']),
    )
    await expect.poll(() => provider.calls[0]?.closed, { timeout: 5_000 }).toBe(true)
  })

  it('that ends without a report is charged for the delivered part', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    provider.play({ chunks: [...head, ...output.slice(0, 8), 'data: {"broken\n\n'] })
    const response = await post(gateway, customer, target, body)
    expect(await response.text()).toContain('{"broken')
    expect(await customer.burned(1)).toBe(await charge(8, customer))
    expect((await customer.events(1))[0]?.warnings).toEqual(expect.arrayContaining(['estimated', 'no_usage']))
  })

  it('that breaks off after its report is charged exactly the report', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    provider.play({ chunks: [...head, ...output.slice(0, 8), ...tail], end: 'cut' })
    const response = await post(gateway, customer, target, body)
    await response.text().catch(() => undefined)
    expect(await customer.burned(1)).toBe(await customer.price(whole))
  })

  it('is read to its end after its client disconnects, if the caller requests it', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    provider.play({ chunks: [...head, ...output, ...tail] })
    const leave = new AbortController()
    const response = await post(gateway, customer, target, body, {
      signal: leave.signal,
      'X-Meter-On-Abort': 'drain',
    })
    await leaveAfter(response, head.length + 3, leave)
    expect(await customer.burned(1)).toBe(await customer.price(whole))
    expect(provider.calls[0]?.closed).toBe(false)
  })

  it('relays every byte of the provider', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    const chunks = [...head, ...output, ...tail]
    // Cuts the stream into pieces that end in the middle of events.
    const pieces = chunks.join('').match(/[\s\S]{1,97}/g) ?? []
    provider.play({ chunks: pieces, pause_ms: 0 })
    const response = await post(gateway, customer, target, body)
    const expected = chunks.filter((chunk) => chunk !== sse(scripts.CHAT_REPORT)).join('')
    expect(await response.text()).toBe(expected)
    expect(await customer.burned(1)).toBe(await customer.price(whole))
  })
})

describe.each(UNPRICED_DIALECTS)('a stream of $name, for a model without a price', (dialect) => {
  it('is charged for the delivered part at the price of the model that it names', {
    timeout: ABORTS_TIMEOUT_MS,
  }, async () => {
    await leaveAt(gateway, provider, dialect, [1, 30])
  })

  it('is charged at most what the wallet has', async () => {
    const { target, body, head, output } = dialect
    const customer = await gatewayCustomer(gateway.url, provider.url)
    await customer.om.credits.grant({ user_id: 'ada', amount: 0.01 })
    provider.play({ chunks: [...head, ...output], end: 'cut' })
    const response = await post(gateway, customer, target, body, { 'X-Meter-User': 'ada' })
    await expect(response.text()).rejects.toThrow()
    expect(await customer.burned(1)).toBe(10_000)
    expect((await customer.events(1))[0]?.warnings).toEqual(
      expect.arrayContaining(['estimated', 'provider_failed', expect.stringMatching(/^shortfall of /)]),
    )
  })
})

describe('a call without a response', () => {
  it('costs nothing when the provider sends no headers in time', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    provider.play({ chunks: [], mute: true })
    const response = await post(gateway, customer, 'openai/v1/chat/completions', chatBody)
    expect(response.status).toBe(504)
    expect(await response.json()).toMatchObject({ error: { code: 'provider_timeout' } })
    await expect.poll(customer.held).toBe(0)
    expect(micro((await customer.om.credits.balance()).balance)).toBe(10_000_000_000)
  })

  it('costs its input when the provider accepts it and then sends nothing', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    provider.play({ chunks: [], end: 'hang' })
    const response = await post(gateway, customer, 'openai/v1/chat/completions', chatBody)
    await expect(response.text()).rejects.toThrow()
    const input_tokens = inputOf(chatBody)
    expect(await customer.burned(1)).toBe(
      await customer.price({ provider: 'OPENAI', model: scripts.CHAT_MODEL, input_tokens }),
    )
    expect((await customer.events(1))[0]?.warnings).toContain('first_chunk_timeout')
  })

  it.each([true, false])(
    'costs its input when its client disconnects before the response, stream: %s',
    async (stream) => {
      const customer = await gatewayCustomer(gateway.url, provider.url)
      provider.play({ chunks: [], mute: true })
      const body = JSON.stringify({ ...chatBody, stream })
      const { hostname, port } = new URL(gateway.url)
      const socket = connect(Number(port), hostname)
      const lines = [
        'POST /gateway/openai/v1/chat/completions HTTP/1.1',
        `Host: ${hostname}`,
        `Authorization: Bearer ${customer.apiKey}`,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
      ]
      socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`)
      await expect.poll(() => provider.calls.length).toBe(1)
      // The runtime detects a closed connection only when it writes, because a half-closed connection can still be
      // read.
      socket.resetAndDestroy()
      await expect.poll(() => provider.calls[0]?.closed, { timeout: 5_000 }).toBe(true)
      const input_tokens = Math.ceil(body.length / 4)
      expect(await customer.burned(1)).toBe(
        await customer.price({ provider: 'OPENAI', model: scripts.CHAT_MODEL, input_tokens }),
      )
      expect((await customer.events(1))[0]?.warnings).toContain('client_gone')
    },
  )

  it('costs nothing when the provider cannot be reached', async () => {
    const customer = await gatewayCustomer(gateway.url, 'http://127.0.0.1:9')
    const response = await post(gateway, customer, 'openai/v1/chat/completions', chatBody)
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ error: { code: 'provider_unreachable' } })
    await expect.poll(customer.held).toBe(0)
  })
})

it('fifty streams at once on a wallet for exactly seven: seven are served', async () => {
  const customer = await gatewayCustomer(gateway.url, provider.url)
  const [dialect] = DIALECTS
  if (!dialect) throw new Error('no dialect')
  // The hold of one call covers its largest usage. The estimate counts one token for three characters.
  const input_tokens = Math.ceil(JSON.stringify(dialect.body).length / 3)
  const hold = await customer.price({
    provider: 'OPENAI',
    model: scripts.CHAT_MODEL,
    input_tokens,
    output_tokens: 4000,
  })
  await customer.om.credits.grant({ user_id: 'ada', amount: (7 * hold) / 1e6 })
  provider.play({ chunks: [...dialect.output, ...dialect.tail], pause_ms: 20 })
  const statuses = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const response = await post(gateway, customer, dialect.target, dialect.body, { 'X-Meter-User': 'ada' })
      await response.text()
      return response.status
    }),
  )
  expect(statuses.filter((status) => status === 200)).toHaveLength(7)
  expect(statuses.filter((status) => status === 402)).toHaveLength(43)
  expect(provider.calls).toHaveLength(7)
})
