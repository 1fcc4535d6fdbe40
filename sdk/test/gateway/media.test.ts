import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { micro } from '../support/metered.ts'
import { type GatewayCustomer, gatewayCustomer, post } from './gateway.ts'
import { type PacedProvider, startPacedProvider } from './paced-provider.ts'
import * as scripts from './scripts.ts'
import { CHUNKS, type Dialect, inputOf, leaveAt, sse } from './streams.ts'

/**
 * Tests of the charges for streams with audio, images or searches if the client disconnects, and for images of the
 * Responses API. `docs/gateway.md` has the rules.
 */

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

/** Returns a stream of equal chunks. `usage` returns the output usage of the first `k` chunks. */
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

const DRAWING = {
  model: 'gpt-5',
  input: 'A shoe',
  tools: [{ type: 'image_generation', quality: 'low', size: '1024x1536', partial_images: 3 }],
}
const IMAGE_ITEM = { id: 'ig_1', type: 'image_generation_call', status: 'completed', result: base64(60_000) }

/** Returns a response of the Responses API whose image tool used `tokens` output tokens. */
const drawing = (input_tokens: number, tokens: number) => ({
  object: 'response',
  model: 'gpt-5',
  tools: [{ type: 'image_generation', model: 'gpt-image-1' }],
  output: [IMAGE_ITEM],
  usage: { input_tokens, output_tokens: 0, total_tokens: input_tokens },
  tool_usage: {
    image_gen: {
      input_tokens: 0,
      output_tokens: tokens,
      output_tokens_details: { image_tokens: tokens, text_tokens: 0 },
    },
  },
})

/** Returns a stream of equal events about an image. `tokens` returns the tokens of the image after `k` events. */
function drawn(name: string, type: string, fields: object, tokens: (k: number) => number): Dialect {
  const body = { ...DRAWING, stream: true }
  const chunk = named({ type, ...fields, ...{ partial_image_b64: base64(60_000) } })
  const of_gpt_5 = { provider: 'OPENAI', model: 'gpt-5' }
  return {
    ...stream(name, { target: 'openai/v1/responses', body, chunk }, of_gpt_5, () => ({})),
    charge: (k, { price }) =>
      price({ provider: 'OPENAI', provider_response: drawing(inputOf(body), tokens(k)) }),
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
/** The bytes of a fifth of a second. An event with them is relayed in one piece. */
const AUDIO = 9_600
const STREAMS: readonly Dialect[] = [
  stream(
    'audio of chat completions',
    {
      target: 'openai/v1/chat/completions',
      body: chatAudio,
      chunk: sse(scripts.chatChunk({ audio: { id: 'audio_1', data: base64(AUDIO) } })),
    },
    { provider: 'OPENAI', model: 'gpt-audio' },
    (k) => audio(4 * k),
  ),
  stream(
    'audio of responses',
    {
      target: 'openai/v1/responses',
      body: { model: 'gpt-audio', stream: true, modalities: ['audio'], input: 'Hello' },
      chunk: named({ type: 'response.output_audio.delta', ...{ delta: base64(AUDIO) } }),
    },
    { provider: 'OPENAI', model: 'gpt-audio' },
    (k) => audio(4 * k),
  ),
  stream(
    'audio of Gemini',
    {
      target: 'google/v1beta/models/gemini-2.5-flash-preview-tts:streamGenerateContent?alt=sse',
      body: {
        contents: [{ parts: [{ text: 'Hello' }] }],
        generationConfig: { responseModalities: ['AUDIO'] },
      },
      chunk: gemini('audio/L16;codec=pcm;rate=24000', AUDIO),
    },
    { provider: 'GOOGLE', model: 'gemini-2.5-flash-preview-tts' },
    (k) => audio(5 * k),
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
  drawn(
    'parts of an image in responses',
    'response.image_generation_call.partial_image',
    { partial_image_index: 1 },
    (k) => 408 + 100 * k,
  ),
  drawn('an image of responses without parts', 'response.output_item.done', { item: IMAGE_ITEM }, () => 408),
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
  stream(
    'file searches of responses',
    {
      target: 'openai/v1/responses',
      body: { model: 'gpt-5', stream: true, input: 'News', tools: [{ type: 'file_search' }] },
      chunk: named({ type: 'response.file_search_call.in_progress', ...{ item_id: 'fs_1' } }),
    },
    { provider: 'OPENAI', model: 'gpt-5' },
    (k) => ({ storage_searches: k }),
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
    // 168 characters are 14 seconds of speech, and a second has 20 tokens.
    const usage = { input_tokens: 42, output_tokens: 280 }
    expect(await customer.burned(1)).toBe(await customer.price({ provider: 'OPENAI', model, usage }))
    expect((await customer.events(1))[0]?.warnings).toEqual(['estimated', 'client_gone'])
  },
)

it('no estimate of media exceeds the hold', async () => {
  const customer = await gatewayCustomer(gateway.url, provider.url)
  const body = { ...chatAudio, max_tokens: 30 }
  const chunk = sse(scripts.chatChunk({ audio: { id: 'audio_1', data: base64(5 * AUDIO) } }))
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

it('an image of the Responses API has the price of its image model, and a hold for it', async () => {
  const customer = await gatewayCustomer(gateway.url, provider.url)
  const answer = { ...drawing(50, 4160), usage: { input_tokens: 50, output_tokens: 20, total_tokens: 70 } }
  const body = { ...DRAWING, max_output_tokens: 100 }
  provider.play({ chunks: [JSON.stringify(answer)], type: 'application/json' })
  await (await post(gateway, customer, 'openai/v1/responses', body)).text()
  const text = await customer.price({
    provider: 'OPENAI',
    model: 'gpt-5',
    usage: { input_tokens: 50, output_tokens: 20 },
  })
  const drawn = await customer.price({ provider: 'OPENAI', model: 'gpt-image-1', usage: image(4160) })
  expect(await customer.burned(1)).toBe(text + drawn)
  expect((await customer.events(1))[0]?.warnings).toBeUndefined()

  await customer.om.credits.grant({ user_id: 'ada', amount: 1 })
  provider.play({ chunks: [JSON.stringify(answer)], type: 'application/json' })
  const refused = await post(gateway, customer, 'openai/v1/responses', body, { 'X-Meter-User': 'ada' })
  expect(refused.status).toBe(402)
  expect(await refused.json()).toMatchObject({ error: { code: 'insufficient_credits' } })
  expect(provider.calls).toEqual([])
})
