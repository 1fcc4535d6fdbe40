import { expect } from 'vitest'
import { micro } from '../support/metered.ts'
import { type GatewayCustomer, gatewayCustomer, post } from './gateway.ts'
import type { PacedProvider } from './paced-provider.ts'
import * as scripts from './scripts.ts'

/** Streams in the four dialects of the gateway, and clients that close a stream early. */

/** The number of chunks with output in each stream. */
export const CHUNKS = 60
export const sse = (event: object) => `data: ${JSON.stringify(event)}\n\n`
const named = (event: { readonly type: string }) => `event: ${event.type}\n${sse(event)}`
const many = <T>(make: (index: number) => T) => Array.from({ length: CHUNKS }, (_, index) => make(index))

/** The text of a chunk. Its eight characters are two tokens. */
const TEXT = 'eight ch'
const INPUT_TEXT = 'How may I return my shoes?'

export interface Dialect {
  readonly name: string
  readonly target: string
  readonly body: object
  /** The chunks of the stream: `head` before the output, `output`, and `tail` after the output. */
  readonly head: readonly string[]
  readonly output: readonly string[]
  readonly tail: readonly string[]
  /** Returns the price of a call that delivered `k` chunks with output, by the table in `docs/gateway.md`. */
  readonly charge: (k: number, customer: GatewayCustomer) => Promise<number>
  readonly whole: Parameters<GatewayCustomer['price']>[0]
}

/** Returns the estimate of the input: one token for four characters of the body. */
export const inputOf = (body: object) => Math.ceil(JSON.stringify(body).length / 4)

const chatBodyFor = (model: string) => ({
  model,
  stream: true,
  max_tokens: 4000,
  messages: [{ role: 'user', content: INPUT_TEXT }],
})
export const chatBody = chatBodyFor(scripts.CHAT_MODEL)
const geminiBody = {
  contents: [{ parts: [{ text: INPUT_TEXT }] }],
  generationConfig: { maxOutputTokens: 4000 },
}

/** Returns the four dialects. If `asked` is set, each request names this model, and the responses name their own. */
function dialects(asked?: string): readonly Dialect[] {
  const chatBody = chatBodyFor(asked ?? scripts.CHAT_MODEL)
  const responsesBody = { model: asked ?? 'gpt-5', stream: true, max_output_tokens: 4000, input: INPUT_TEXT }
  const messagesBody = chatBodyFor(asked ?? scripts.CLAUDE_MODEL)
  return [
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
        named({
          type: 'response.output_text.delta',
          ...{ sequence_number: index, delta: TEXT, item_id: 'm' },
        }),
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
      target: `google/v1beta/models/${asked ?? scripts.GEMINI_MODEL}:streamGenerateContent?alt=sse`,
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
}

export const DIALECTS = dialects()
/** The dialects with a model in the request that has no price, such as the name of a deployment at Azure. */
export const UNPRICED_DIALECTS = dialects('my-deployment')

/**
 * Reads a stream until it has received `count` chunks of the provider, then closes the connection. Calls `onChunks`
 * with the number of chunks received so far.
 */
export async function leaveAfter(
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

/**
 * Lets a provider send each chunk after its client has received the previous chunk. After the client has
 * disconnected, a chunk is sent every `pause_ms`.
 */
function inStep(count: number, pause_ms: number) {
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
      if (sent >= count) await new Promise((resolve) => setTimeout(resolve, pause_ms))
    },
  }
}

/**
 * Closes a stream after each of the given numbers of chunks with output. The provider must detect the close after at
 * most three more chunks. The charge must cover exactly the sent chunks.
 */
export async function leaveAt(
  gateway: { readonly url: string },
  provider: PacedProvider,
  { target, body, head, output, tail, charge }: Dialect,
  places: Iterable<number>,
  pause_ms = 150,
): Promise<void> {
  const customer = await gatewayCustomer(gateway.url, provider.url)
  for (const place of places) {
    const step = inStep(head.length + place, pause_ms)
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
}

/**
 * Returns the numbers of chunks after which a client disconnects: all numbers with `GATEWAY_ABORTS=all`, and otherwise
 * some numbers at the beginning, in the middle and at the end.
 */
export function placesToLeave(): readonly number[] {
  const all = Array.from({ length: CHUNKS }, (_, index) => index + 1)
  return process.env.GATEWAY_ABORTS === 'all' ? all : [1, 2, 3, 30, 59, 60]
}

export const ABORTS_TIMEOUT_MS = 60_000 + placesToLeave().length * 5_000
