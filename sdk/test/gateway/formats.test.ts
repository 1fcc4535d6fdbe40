import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { type GatewayCustomer, gatewayCustomer, post } from './gateway.ts'
import * as scripts from './scripts.ts'

/** Tests of responses in a format that the call did not request, or under another content type. */

const gateway = inject('server')
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

interface Call {
  readonly target: string
  readonly body: object
  /** The same response as JSON and as the events of a stream. */
  readonly json: object
  readonly events: readonly object[]
  readonly price: Parameters<GatewayCustomer['price']>[0]
}

const EVENTS = 'text/event-stream'
const messages = [{ role: 'user', content: 'Hello' }]
const CHAT: Call = {
  target: 'openai/v1/chat/completions',
  body: { model: scripts.CHAT_MODEL, max_tokens: 1000, messages },
  json: scripts.CHAT_COMPLETION,
  events: [...scripts.CHAT_WORDS, scripts.CHAT_STOP, scripts.CHAT_REPORT],
  price: scripts.CHAT_PRICE,
}
const RESPONSES: Call = {
  target: 'openai/v1/responses',
  body: { model: 'gpt-5', input: 'Hello' },
  json: scripts.RESPONSE,
  events: scripts.responseEvents('response.completed'),
  price: scripts.RESPONSE_PRICE,
}
const MESSAGES: Call = {
  target: 'anthropic/v1/messages',
  body: { model: scripts.CLAUDE_MODEL, max_tokens: 1000, messages },
  json: scripts.MESSAGE,
  events: scripts.MESSAGE_EVENTS,
  price: scripts.MESSAGE_PRICE,
}

/** Sends a call, and returns the text of the response. The provider sends `text` in two pieces. */
async function answered(
  customer: GatewayCustomer,
  { target, body }: Pick<Call, 'target' | 'body'>,
  { type, text, headers = {} }: { type: string; text: string; headers?: Record<string, string> },
): Promise<string> {
  upstream.play(async (response) => {
    response.writeHead(200, { 'Content-Type': type })
    response.write(text.slice(0, 9))
    await new Promise((resolve) => setTimeout(resolve, 5))
    response.end(text.slice(9))
  })
  return (await post(gateway, customer, target, body, headers)).text()
}

const streamOf = ({ events }: Call) => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')
const removed = `data: ${JSON.stringify(scripts.CHAT_REPORT)}\n\n`

it.each([
  ['chat completions', CHAT],
  ['responses', RESPONSES],
  ['messages', MESSAGES],
])('%s are charged exactly in any format', async (_, call) => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const price = await customer.price(call.price)
  const json = JSON.stringify(call.json)
  const events = streamOf(call)
  const cases = [
    { stream: true, type: 'application/json', text: json },
    { stream: true, type: 'text/event-stream', text: json },
    { stream: true, type: 'text/html; charset=UTF-8', text: json },
    { stream: true, type: 'text/plain', text: events },
    { stream: true, type: 'application/json', text: `\n${events}` },
    { stream: true, type: 'text/event-stream', text: `\ufeff${events}` },
    { stream: true, type: 'application/json', text: `\ufeff${json}` },
    { stream: false, type: 'text/html', text: json },
    { stream: false, type: 'text/plain', text: `\ufeff${json}` },
  ]
  let burned = 0
  for (const [index, { stream, type, text }] of cases.entries()) {
    const received = await answered(customer, { ...call, body: { ...call.body, stream } }, { type, text })
    // `text()` removes the byte order mark.
    expect(received).toBe(text.replace(removed, '').replace('\ufeff', ''))
    const before = burned
    burned = await customer.burned(index + 1)
    expect(burned - before, `${type}: ${text.slice(0, 20)}`).toBe(price)
  }
})

it('events with carriage returns are charged exactly, and a trailer follows an event without a line break', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const headers = { 'X-Meter-Trailer': 'true' }
  const call = { ...CHAT, body: { ...CHAT.body, stream: true, stream_options: { include_usage: true } } }
  const events = streamOf(CHAT)
  for (const [text, missing] of [
    [events.replaceAll('\n', '\r'), ''],
    [events.slice(0, -1), '\n'],
    [events.slice(0, -2), '\n\n'],
  ] as const) {
    const received = await answered(customer, call, { type: EVENTS, text, headers })
    expect(received.startsWith(`${text}${missing}: X-Meter-Event-Id: `)).toBe(true)
  }
  expect(await customer.burned(3)).toBe(3 * (await customer.price(CHAT.price)))
})

it.each([true, false])('an HTML page costs nothing, stream: %s', async (stream) => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const call = { ...CHAT, body: { ...CHAT.body, stream } }
  for (const text of ['<h1>Sign in</h1>', '\ufeff\n<!DOCTYPE html><p>Sign in</p>', '']) {
    const headers = { 'Idempotency-Key': 'k1', 'X-Meter-Trailer': 'true' }
    expect(await answered(customer, call, { type: 'text/html', text, headers })).toBe(
      text.replace('\ufeff', ''),
    )
    await expect.poll(customer.held).toBe(0)
  }
  expect((await customer.om.events.list()).data).toEqual([])
})

const error = { message: 'Overloaded', type: 'overloaded_error', code: 429 }
const [CREATED] = scripts.responseEvents('')
const FAILED = {
  type: 'response.failed',
  response: { ...scripts.RESPONSE, status: 'failed', error, usage: null, output: [] },
}
const GEMINI = {
  target: `google/v1beta/models/${scripts.GEMINI_MODEL}:streamGenerateContent`,
  body: { contents: [] },
}
const SPEECH = {
  target: 'openai/v1/audio/speech',
  body: { model: 'gpt-4o-mini-tts', input: 'Hello', voice: 'alloy', stream_format: 'sse' },
}
/** Returns the same key for calls with the same body. */
const keyOf = ({ target, body }: Pick<Call, 'target' | 'body'>) => `${target} ${'stream' in body}`
const sse = (...events: readonly object[]) =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')

it('an error before any output and usage is a refusal, which costs nothing and leaves the key unused', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const streamed = { ...CHAT, body: { ...CHAT.body, stream: true } }
  const role = scripts.chatChunk({ role: 'assistant', content: '' })
  const cases = [
    { call: MESSAGES, type: EVENTS, text: sse({ type: 'error', error }) },
    { call: streamed, type: EVENTS, text: `${sse({ error })}${scripts.DONE}` },
    { call: streamed, type: EVENTS, text: `${sse(role, { ...role, error })}${scripts.DONE}` },
    { call: streamed, type: 'application/json', text: JSON.stringify({ error }) },
    { call: CHAT, type: 'application/json', text: JSON.stringify({ error }) },
    { call: RESPONSES, type: EVENTS, text: sse(CREATED ?? {}, FAILED) },
    { call: RESPONSES, type: 'application/json', text: JSON.stringify(FAILED.response) },
    { call: GEMINI, type: 'application/json', text: JSON.stringify([{ error }]) },
    { call: SPEECH, type: EVENTS, text: sse({ type: 'error', error }) },
  ]
  for (const { call, type, text } of cases) {
    const headers = { 'Idempotency-Key': keyOf(call), 'X-Meter-Trailer': 'true' }
    expect(await answered(customer, call, { type, text, headers })).toBe(text)
    await expect.poll(customer.held).toBe(0)
    expect((await customer.om.events.list()).data, text).toEqual([])
  }
  const text = JSON.stringify(scripts.CHAT_COMPLETION)
  const headers = { 'Idempotency-Key': keyOf(CHAT) }
  await answered(customer, CHAT, { type: 'application/json', text, headers })
  expect(await customer.burned(1)).toBe(await customer.price(CHAT.price))
})

it('an error after output or usage does not cancel the charge', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const cases = [
    { call: CHAT, text: sse(scripts.chatChunk({ content: 'eight ch' }), { error }) },
    { call: MESSAGES, text: sse(scripts.MESSAGE_START, { type: 'error', error }) },
    { call: SPEECH, text: sse({ type: 'speech.audio.delta', audio: 'AAAA' }, { type: 'error', error }) },
  ]
  for (const [index, { call, text }] of cases.entries()) {
    await answered(customer, call, { type: EVENTS, text })
    const [event] = await customer.events(index + 1)
    expect(event?.credits_burned).toBeGreaterThan(0)
    expect(event?.warnings).toContain('estimated')
  }
})
