import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { micro } from '../support/metered.ts'
import { type Gateway, type GatewayCustomer, gatewayCustomer, post, startGateway } from './gateway.ts'
import { type PacedProvider, startPacedProvider } from './paced-provider.ts'
import * as scripts from './scripts.ts'

/** The table of `docs/gateway.md`: how a call can end, and what it is charged then. */

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

const CHUNKS = 60
const sse = (event: object) => `data: ${JSON.stringify(event)}\n\n`
const named = (event: { readonly type: string }) => `event: ${event.type}\n${sse(event)}`
const many = <T>(make: (index: number) => T) => Array.from({ length: CHUNKS }, (_, index) => make(index))

/** Eight characters: two tokens a chunk. */
const TEXT = 'eight ch'
const INPUT_TEXT = 'How may I return my shoes?'

interface Dialect {
  readonly name: string
  readonly target: string
  readonly body: object
  /** The chunks before output, with output, and at the end. */
  readonly head: readonly string[]
  readonly output: readonly string[]
  readonly tail: readonly string[]
  /** The price of a call that delivered `k` chunks with output, by the table. */
  readonly charge: (k: number, customer: GatewayCustomer) => Promise<number>
  readonly whole: Parameters<GatewayCustomer['price']>[0]
}

/** The estimate of the input: a token for four characters of the body. */
const inputOf = (body: object) => Math.ceil(JSON.stringify(body).length / 4)

const chatBody = {
  model: scripts.CHAT_MODEL,
  stream: true,
  max_tokens: 4000,
  messages: [{ role: 'user', content: INPUT_TEXT }],
}
const responsesBody = { model: 'gpt-5', stream: true, max_output_tokens: 4000, input: INPUT_TEXT }
const messagesBody = {
  model: scripts.CLAUDE_MODEL,
  stream: true,
  max_tokens: 4000,
  messages: [{ role: 'user', content: INPUT_TEXT }],
}
const geminiBody = {
  contents: [{ parts: [{ text: INPUT_TEXT }] }],
  generationConfig: { maxOutputTokens: 4000 },
}

const DIALECTS: readonly Dialect[] = [
  {
    name: 'chat completions',
    target: 'openai/v1/chat/completions',
    body: chatBody,
    head: [],
    output: many(() => sse(scripts.chatChunk({ content: TEXT }))),
    tail: [sse(scripts.CHAT_STOP), sse(scripts.CHAT_REPORT), scripts.DONE],
    charge: (k, { price }) =>
      price({
        provider: 'OPENAI',
        model: scripts.CHAT_MODEL,
        input_tokens: inputOf(chatBody),
        output_tokens: 2 * k,
      }),
    whole: scripts.CHAT_PRICE,
  },
  {
    name: 'responses',
    target: 'openai/v1/responses',
    body: responsesBody,
    head: [named(scripts.responseEvents('')[0] ?? { type: '' })],
    output: many((index) =>
      named({ type: 'response.output_text.delta', ...{ sequence_number: index, delta: TEXT, item_id: 'm' } }),
    ),
    tail: [named({ type: 'response.completed', ...{ sequence_number: 99, response: scripts.RESPONSE } })],
    charge: (k, { price }) =>
      price({
        provider: 'OPENAI',
        model: 'gpt-5',
        input_tokens: inputOf(responsesBody),
        output_tokens: 2 * k,
      }),
    whole: scripts.RESPONSE_PRICE,
  },
  {
    name: 'messages',
    target: 'anthropic/v1/messages',
    body: messagesBody,
    head: [named(scripts.MESSAGE_START)],
    output: many(() =>
      named({
        type: 'content_block_delta',
        ...{ index: 0, delta: { type: 'text_delta', text: TEXT } },
      }),
    ),
    tail: scripts.MESSAGE_EVENTS.slice(-3).map(named),
    charge: (k, { price }) =>
      price({
        ...scripts.MESSAGE_PRICE,
        provider_response: {
          model: scripts.CLAUDE_MODEL,
          usage: { ...scripts.CLAUDE_USAGE, output_tokens: 2 * k },
        },
      }),
    whole: scripts.MESSAGE_PRICE,
  },
  {
    name: 'generateContent',
    target: `google/v1beta/models/${scripts.GEMINI_MODEL}:streamGenerateContent?alt=sse`,
    body: geminiBody,
    head: [],
    output: many((index) =>
      sse(
        scripts.geminiChunk(TEXT, {
          promptTokenCount: 1200,
          candidatesTokenCount: 7 * (index + 1),
          totalTokenCount: 1200 + 7 * (index + 1),
        }),
      ),
    ),
    tail: [sse(scripts.geminiChunk('', scripts.GEMINI_USAGE, 'STOP'))],
    charge: (k, { price }) =>
      price({
        ...scripts.GEMINI_PRICE,
        provider_response: {
          modelVersion: scripts.GEMINI_MODEL,
          usageMetadata: {
            promptTokenCount: 1200,
            candidatesTokenCount: 7 * k,
            totalTokenCount: 1200 + 7 * k,
          },
        },
      }),
    whole: scripts.GEMINI_PRICE,
  },
]

/** Reads a stream until it has `count` chunks of the provider, and tells each; then goes away without a word. */
async function leaveAfter(
  response: Response,
  count: number,
  leave: AbortController,
  onChunks: (chunks: number) => void = () => undefined,
): Promise<void> {
  let chunks = 0
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    chunks += decoder.decode(bytes, { stream: true }).split('\n\n').length - 1
    onChunks(chunks)
    if (chunks >= count) break
  }
  leave.abort()
}

/** Lets a provider send each chunk once its client has the one before, and slowly once the client is gone. */
function inStep(count: number) {
  let received = 0
  let wake = () => {}
  return {
    received(chunks: number) {
      received = chunks
      wake()
    },
    async next(sent: number) {
      while (received < Math.min(sent, count)) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      if (sent >= count) await new Promise((resolve) => setTimeout(resolve, 150))
    },
  }
}

describe.each(DIALECTS)('a stream of $name', ({ target, body, head, output, tail, charge, whole }) => {
  it('that its client leaves is stopped within three chunks, and charged what was delivered', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    for (const k of process.env.GATEWAY_ABORTS === 'all' ? output.keys() : [0, 1, 2, 29, 58, 59]) {
      const place = k + 1
      const step = inStep(head.length + place)
      provider.play({ chunks: [...head, ...output, ...tail], end: 'hang', next: step.next })
      const leave = new AbortController()
      const response = await post(gateway, customer, target, body, { signal: leave.signal })
      await leaveAfter(response, head.length + place, leave, step.received)
      const [call] = provider.calls
      await expect.poll(() => call?.closed, { timeout: 5_000, interval: 2 }).toBe(true)
      expect(call?.sent).toBeLessThanOrEqual(head.length + place + 3)
      await expect.poll(customer.held, { timeout: 5_000, interval: 5 }).toBe(0)
      const [event] = (await customer.om.events.list({ limit: 1 })).data
      const prices = await Promise.all([0, 1, 2, 3].map((more) => charge(place + more, customer)))
      if (place + 3 <= CHUNKS) {
        expect(prices, `left at ${place}`).toContain(micro(event?.credits_burned ?? 0))
        expect(event?.warnings).toEqual(expect.arrayContaining(['estimated', 'client_gone']))
      }
      expect(event?.credits_burned).toBeGreaterThan(0)
    }
  })

  it('that the provider breaks off is charged what was delivered, and breaks off for its client', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    provider.play({ chunks: [...head, ...output.slice(0, 10)], end: 'cut' })
    const response = await post(gateway, customer, target, body)
    await expect(response.text()).rejects.toThrow()
    expect(await customer.burned(1)).toBe(await charge(10, customer))
    expect((await customer.events(1))[0]?.warnings).toEqual(
      expect.arrayContaining(['estimated', 'provider_failed']),
    )
  })

  it('that falls silent is charged what was delivered, and its provider is stopped', async () => {
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

  it('that ends without a report is charged what was delivered', async () => {
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

  it('is read to its end for a client who left, if the caller requests it', async () => {
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

  it('passes every byte of the provider', async () => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    const chunks = [...head, ...output, ...tail]
    // Cut into pieces that no event ends with.
    const pieces = chunks.join('').match(/[\s\S]{1,97}/g) ?? []
    provider.play({ chunks: pieces, pause_ms: 0 })
    const response = await post(gateway, customer, target, body)
    const expected = chunks.filter((chunk) => chunk !== sse(scripts.CHAT_REPORT)).join('')
    expect(await response.text()).toBe(expected)
    expect(await customer.burned(1)).toBe(await customer.price(whole))
  })
})

describe('a call without an answer', () => {
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
    'costs its input when its client leaves before the answer, stream: %s',
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
      // A connection that is only closed may still be read from: the runtime notices it when it writes.
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
  // The hold of one call: its largest use. The estimate of a hold counts a token for three characters.
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
