import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { micro } from '../support/metered.ts'
import { type GatewayCustomer, gatewayCustomer, post } from './gateway.ts'
import { type PacedProvider, startPacedProvider } from './paced-provider.ts'
import * as scripts from './scripts.ts'
import { CHUNKS, type Dialect, inputOf, leaveAt, sse } from './streams.ts'

/** Tests of streams of audio, images and searches whose clients disconnect, by the rules of `docs/gateway.md`. */

const gateway = inject('server')
let provider: PacedProvider
beforeAll(async () => {
  provider = await startPacedProvider()
})
afterAll(() => provider.stop())

type Price = Parameters<GatewayCustomer['price']>[0]
type Usage = NonNullable<NonNullable<Price>['usage']>

const base64 = (bytes: number) => Buffer.alloc(bytes, 7).toString('base64')
const named = (event: { readonly type: string }) => `event: ${event.type}\n${sse(event)}`
const repeated = (chunk: string) => Array.from({ length: CHUNKS }, () => chunk)

/** Returns a stream of equal chunks, and the usage of `k` of them. */
function stream(
  name: string,
  { target, body, chunk }: { readonly target: string; readonly body: object; readonly chunk: string },
  call: { readonly provider: string; readonly model: string },
  usage: (k: number) => Usage,
): Dialect {
  const priceOf = (k: number): Price => ({ ...call, usage: { input_tokens: inputOf(body), ...usage(k) } })
  return {
    name,
    target,
    body,
    head: [],
    output: repeated(chunk),
    tail: [],
    charge: (k, { price }) => price(priceOf(k)),
    whole: priceOf(CHUNKS),
  }
}

const audio = (tokens: number): Usage => ({ output_tokens: tokens, output_audio_tokens: tokens })
const image = (tokens: number): Usage => ({ output_tokens: tokens, output_image_tokens: tokens })
const gemini = (mimeType: string, bytes: number) =>
  sse({
    candidates: [{ content: { role: 'model', parts: [{ inlineData: { mimeType, data: base64(bytes) } }] } }],
  })

const chatAudio = {
  model: 'gpt-audio',
  stream: true,
  modalities: ['text', 'audio'],
  audio: { voice: 'alloy', format: 'pcm16' },
  messages: [{ role: 'user', content: 'Hello' }],
}
const SECOND_OF_AUDIO = 48_000
const STREAMS: readonly Dialect[] = [
  stream(
    'audio of chat completions',
    {
      target: 'openai/v1/chat/completions',
      body: chatAudio,
      chunk: sse(scripts.chatChunk({ audio: { id: 'audio_1', data: base64(SECOND_OF_AUDIO) } })),
    },
    { provider: 'OPENAI', model: 'gpt-audio' },
    (k) => audio(20 * k),
  ),
  stream(
    'audio of responses',
    {
      target: 'openai/v1/responses',
      body: { model: 'gpt-audio', stream: true, modalities: ['audio'], input: 'Hello' },
      chunk: named({ type: 'response.output_audio.delta', ...{ delta: base64(SECOND_OF_AUDIO) } }),
    },
    { provider: 'OPENAI', model: 'gpt-audio' },
    (k) => audio(20 * k),
  ),
  stream(
    'audio of Gemini',
    {
      target: 'google/v1beta/models/gemini-2.5-flash-preview-tts:streamGenerateContent?alt=sse',
      body: {
        contents: [{ parts: [{ text: 'Hello' }] }],
        generationConfig: { responseModalities: ['AUDIO'] },
      },
      chunk: gemini('audio/L16;codec=pcm;rate=24000', SECOND_OF_AUDIO),
    },
    { provider: 'GOOGLE', model: 'gemini-2.5-flash-preview-tts' },
    (k) => audio(25 * k),
  ),
  stream(
    'images of Gemini',
    {
      target: 'google/v1beta/models/gemini-2.5-flash-image:streamGenerateContent?alt=sse',
      body: { contents: [{ parts: [{ text: 'A shoe' }] }] },
      chunk: gemini('image/png', 60_000),
    },
    { provider: 'GOOGLE', model: 'gemini-2.5-flash-image' },
    (k) => image(1_290 * k),
  ),
  stream(
    'parts of an image',
    {
      target: 'openai/v1/images/generations',
      body: {
        model: 'gpt-image-1',
        prompt: 'A shoe',
        stream: true,
        partial_images: 3,
        quality: 'medium',
        size: '1024x1024',
      },
      chunk: named({ type: 'image_generation.partial_image', ...{ b64_json: base64(60_000) } }),
    },
    { provider: 'OPENAI', model: 'gpt-image-1' },
    (k) => image(1_056 + 100 * k),
  ),
  stream(
    'parts of an image in responses',
    {
      target: 'openai/v1/responses',
      body: {
        model: 'gpt-5',
        stream: true,
        input: 'A shoe',
        tools: [{ type: 'image_generation', quality: 'low', size: '1024x1536', partial_images: 3 }],
      },
      chunk: named({
        type: 'response.image_generation_call.partial_image',
        ...{ partial_image_b64: base64(60_000), partial_image_index: 1 },
      }),
    },
    { provider: 'OPENAI', model: 'gpt-5' },
    (k) => image(408 + 100 * k),
  ),
  stream(
    'searches of responses',
    {
      target: 'openai/v1/responses',
      body: { model: 'gpt-5', stream: true, input: 'News', tools: [{ type: 'web_search' }] },
      chunk: named({ type: 'response.web_search_call.in_progress', ...{ item_id: 'ws_1' } }),
    },
    { provider: 'OPENAI', model: 'gpt-5' },
    (k) => ({ web_searches: k }),
  ),
]

it.each(STREAMS)('$name are charged as far as they were delivered', async (dialect) => {
  await leaveAt(gateway, provider, dialect, [1, 5])
})

it.each([
  ['gpt-4o-mini-tts', 'sse', 'text/event-stream', sse({ type: 'speech.audio.delta', audio: base64(9_000) })],
  ['gpt-4o-mini-tts', 'audio', 'audio/mpeg', 'ID3-and-more'],
])(
  'speech of %s as %s is charged for all of its text from its first byte',
  async (model, form, type, chunk) => {
    const customer = await gatewayCustomer(gateway.url, provider.url)
    const input = 'Hello, world. '.repeat(12)
    const body = { model, input, voice: 'alloy', stream_format: form }
    provider.play({ chunks: repeated(chunk), pause_ms: 20, type })
    const leave = new AbortController()
    const response = await post(gateway, customer, 'openai/v1/audio/speech', body, { signal: leave.signal })
    await response.body?.getReader().read()
    leave.abort()
    // 168 characters take 14 seconds with 20 tokens each.
    const usage = { input_tokens: 42, output_tokens: 280 }
    expect(await customer.burned(1)).toBe(await customer.price({ provider: 'OPENAI', model, usage }))
    expect((await customer.events(1))[0]?.warnings).toEqual(['estimated', 'client_gone'])
  },
)

it('no estimate of media exceeds the hold', async () => {
  const customer = await gatewayCustomer(gateway.url, provider.url)
  const body = { ...chatAudio, max_tokens: 30 }
  const chunk = sse(scripts.chatChunk({ audio: { id: 'audio_1', data: base64(SECOND_OF_AUDIO) } }))
  provider.play({ chunks: [chunk, chunk, chunk], end: 'cut' })
  const response = await post(gateway, customer, 'openai/v1/chat/completions', body)
  await expect(response.text()).rejects.toThrow()
  const input_tokens = Math.ceil(JSON.stringify(body).length / 3)
  const hold = await customer.price({
    provider: 'OPENAI',
    model: 'gpt-audio',
    usage: { input_tokens, ...audio(30) },
  })
  expect(await customer.burned(1)).toBe(hold)
  const [event] = await customer.events(1)
  expect(event?.warnings).toEqual(expect.arrayContaining(['estimated', 'provider_failed']))
  expect(micro(event?.credits_burned ?? 0)).toBe(hold)
})

it('a call whose client leaves is not charged searches that its tools allow', async () => {
  const customer = await gatewayCustomer(gateway.url, provider.url)
  const body = { model: 'gpt-5', stream: true, input: 'Hello', tools: [{ type: 'web_search' }] }
  const chunk = named({ type: 'response.output_text.delta', ...{ delta: 'eight ch' } })
  provider.play({ chunks: [chunk], end: 'cut' })
  await expect((await post(gateway, customer, 'openai/v1/responses', body)).text()).rejects.toThrow()
  const usage = { input_tokens: inputOf(body), output_tokens: 2 }
  expect(await customer.burned(1)).toBe(await customer.price({ provider: 'OPENAI', model: 'gpt-5', usage }))
})
