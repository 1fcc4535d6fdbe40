import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { generateText, streamText } from 'ai'
import * as aiPrevious from 'ai-previous'
import { createOpenAI as createOpenAIPrevious } from 'ai-sdk-openai-previous'
import AnthropicPrevious from 'anthropic-previous'
import { GoogleGenAI as GoogleGenAIPrevious } from 'genai-previous'
import OpenAI from 'openai'
import OpenAIPrevious from 'openai-previous'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { json, type Script, sse, startUpstream, type Upstream } from '../support/upstream.ts'
import { gatewayCustomer, PROVIDER_KEY } from './gateway.ts'
import * as scripts from './scripts.ts'

/** Tests with the providers' SDKs. Only the base URL and the key of each SDK are changed. */

const gateway = inject('server')
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

async function customerOf(...script: Script[]) {
  upstream.play(...script)
  return gatewayCustomer(gateway.url, upstream.url)
}

const MESSAGES = [{ role: 'user' as const, content: 'How may I return my shoes?' }]
const REFUSED = {
  error: { type: 'rate_limit_error', message: 'slow down', code: 429, status: 'RESOURCE_EXHAUSTED' },
}
const chatStream = sse([...scripts.CHAT_WORDS, scripts.CHAT_STOP, scripts.CHAT_REPORT], {
  tail: scripts.DONE,
})
const TEXT = 'You may return them within 30 days, äöü 漢字.'

describe.each([
  ['newest', OpenAI],
  ['previous', OpenAIPrevious],
])('the %s major of openai', (_name, Client) => {
  async function client(...script: Script[]) {
    const customer = await customerOf(...script)
    const baseURL = `${gateway.url}/gateway/openai/v1`
    const made = new Client({
      apiKey: customer.apiKey,
      baseURL,
      maxRetries: 2,
    })
    // The methods that this test calls are the same in both major versions, so the type of the newest version is used.
    const openai: OpenAI = Object(made)
    return { ...customer, openai }
  }
  const chat = { model: scripts.CHAT_MODEL, messages: MESSAGES }

  it("gets the provider's response, and the charge of exactly its usage", async () => {
    const { openai, burned, price } = await client(json(scripts.CHAT_COMPLETION))
    const { data, response } = await openai.chat.completions.create(chat).withResponse()
    expect(data).toMatchObject(scripts.CHAT_COMPLETION)
    const charged = await burned(1)
    expect(charged).toBe(await price(scripts.CHAT_PRICE))
    expect(Math.round(Number(response.headers.get('X-Meter-Credits-Burned')) * 1e6)).toBe(charged)
  })

  it('streams without the report that only the gateway requests', async () => {
    const { openai, burned, price } = await client(chatStream)
    const chunks: unknown[] = []
    for await (const chunk of await openai.chat.completions.create({ ...chat, stream: true }))
      chunks.push(chunk)
    expect(chunks).toEqual([...scripts.CHAT_WORDS, scripts.CHAT_STOP])
    expect(upstream.requests[0]?.body.stream_options).toEqual({ include_usage: true })
    expect(await burned(1)).toBe(await price(scripts.CHAT_PRICE))
  })

  it('streams with the report that it requests itself', async () => {
    const { openai, burned, price } = await client(chatStream)
    const stream = openai.chat.completions.stream({ ...chat, stream_options: { include_usage: true } })
    expect((await stream.finalChatCompletion()).usage?.completion_tokens).toBe(300)
    expect(await burned(1)).toBe(await price(scripts.CHAT_PRICE))
  })

  it('is charged each call of a tool loop', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'days', arguments: '{}' } }
    const asks = { role: 'assistant', content: null, tool_calls: [call] }
    const first = {
      ...scripts.CHAT_COMPLETION,
      choices: [{ index: 0, finish_reason: 'tool_calls', message: asks }],
    }
    const { openai, burned, price } = await client(json(first), json(scripts.CHAT_COMPLETION))
    const tool = { name: 'days', description: 'x', parameters: {}, parse: JSON.parse, function: () => '30' }
    const runner = openai.chat.completions.runTools({
      ...chat,
      tools: [{ type: 'function', function: tool }],
    })
    expect(await runner.finalContent()).toBe('Within 30 days.')
    expect(await burned(2)).toBe(2 * (await price(scripts.CHAT_PRICE)))
  })

  it('pays for a response with its searches', async () => {
    const { openai, burned, price } = await client(json(scripts.RESPONSE))
    const response = await openai.responses.create({ model: 'gpt-5', input: 'Hello' })
    expect(response.output_text).toBe('Yes.')
    expect(await burned(1)).toBe(await price(scripts.RESPONSE_PRICE))
  })

  it.each(['response.completed', 'response.incomplete', 'response.failed'])(
    'pays for a stream that ends with %s',
    async (end) => {
      const { openai, burned, price } = await client(sse(scripts.responseEvents(end), { named: true }))
      const types: string[] = []
      const stream = await openai.responses.create({ model: 'gpt-5', input: 'Hello', stream: true })
      for await (const { type } of stream) types.push(type)
      expect(types).toHaveLength(3)
      expect(await burned(1)).toBe(await price(scripts.RESPONSE_PRICE))
    },
  )

  it('is charged embeddings', async () => {
    const usage = { prompt_tokens: 9, total_tokens: 9 }
    const body = { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.5] }], usage }
    const answer = { ...body, model: 'text-embedding-3-small' }
    const { openai, burned, price } = await client(json(answer))
    await openai.embeddings.create({
      model: 'text-embedding-3-small',
      input: 'Hello',
      encoding_format: 'float',
    })
    expect(await burned(1)).toBe(await price({ provider: 'OPENAI', provider_response: answer }))
  })

  it('is charged for transcriptions as reported, with the model before the file and after it', async () => {
    const answer = { text: 'Hello', usage: { type: 'duration', seconds: 7 } }
    const { openai, burned, price } = await client(json(answer))
    const file = new File([new Uint8Array(200_000)], 'speech.mp3', { type: 'audio/mpeg' })
    const first = await openai.audio.transcriptions.create({ model: 'whisper-1', file })
    const second = await openai.audio.transcriptions.create({ file, model: 'gpt-transcribe' })
    expect([first.text, second.text]).toEqual(['Hello', 'Hello'])
    expect(upstream.requests[1]?.text).toContain('gpt-transcribe')
    const seconds = (model: string) => price({ provider: 'OPENAI', model, usage: { audio_seconds: 7 } })
    expect(await burned(2)).toBe((await seconds('whisper-1')) + (await seconds('gpt-transcribe')))
  })

  it('repeats a call that the provider refused, and pays for one', async () => {
    const { openai, burned, price } = await client(
      json(REFUSED, 429, { 'Retry-After': '0' }),
      json(scripts.CHAT_COMPLETION),
    )
    await openai.chat.completions.create(chat, { headers: { 'Idempotency-Key': 'k1' } })
    expect(upstream.requests).toHaveLength(2)
    expect(await burned(1)).toBe(await price(scripts.CHAT_PRICE))
  })

  it('raises its own errors: no credits, a wrong key, a key that was used, a refusal of the provider', async () => {
    const { openai, om, apiKey } = await client(json(scripts.CHAT_COMPLETION))
    await om.credits.grant({ user_id: 'ada', amount: 0.000001 })
    const poor = openai.chat.completions.create(
      { ...chat, max_tokens: 10 },
      { headers: { 'X-Meter-User': 'ada' } },
    )
    const error: unknown = await poor.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Client.APIError)
    expect(error).toMatchObject({ status: 402, code: 'insufficient_credits', type: 'insufficient_quota' })
    expect(upstream.requests).toHaveLength(0)
    const baseURL = `${gateway.url}/gateway/openai/v1`
    const stranger = new Client({ apiKey: `${apiKey}x`, baseURL })
    await expect(Object(stranger).chat.completions.create(chat)).rejects.toBeInstanceOf(
      Client.AuthenticationError,
    )
    await openai.chat.completions.create(chat, { headers: { 'Idempotency-Key': 'k2' } })
    const repeated = openai.chat.completions.create(chat, { headers: { 'Idempotency-Key': 'k2' } })
    await expect(repeated).rejects.toBeInstanceOf(Client.ConflictError)
    expect(upstream.requests).toHaveLength(1)
    upstream.play(json({ error: { message: 'no such model', type: 'invalid_request_error' } }, 400))
    await expect(openai.chat.completions.create(chat)).rejects.toBeInstanceOf(Client.BadRequestError)
  })

  it('lists models without a charge', async () => {
    const { openai, om } = await client(json({ object: 'list', data: [{ id: 'gpt-4o', object: 'model' }] }))
    expect((await openai.models.list()).data).toHaveLength(1)
    expect(upstream.requests[0]?.path).toBe('/openai/models')
    expect((await om.events.list()).data).toEqual([])
  })
})

describe.each([
  ['newest', Anthropic],
  ['previous', AnthropicPrevious],
])('the %s major of @anthropic-ai/sdk', (_name, Client) => {
  async function client(...script: Script[]) {
    const customer = await customerOf(...script)
    const baseURL = `${gateway.url}/gateway/anthropic`
    const made = new Client({ apiKey: customer.apiKey, baseURL })
    const anthropic: Anthropic = Object(made)
    return { ...customer, anthropic }
  }
  const request = { model: scripts.CLAUDE_MODEL, max_tokens: 1024, messages: MESSAGES }

  it('gets the message of the provider, and the charge of exactly its usage', async () => {
    const { anthropic, burned, price } = await client(json(scripts.MESSAGE))
    expect(await anthropic.messages.create(request)).toMatchObject({ content: scripts.MESSAGE.content })
    expect(await burned(1)).toBe(await price(scripts.MESSAGE_PRICE))
  })

  it('streams, and is charged by the last numbers and not by their sum', async () => {
    const { anthropic, burned, price } = await client(sse(scripts.MESSAGE_EVENTS, { named: true }))
    const events: unknown[] = []
    for await (const event of await anthropic.messages.create({ ...request, stream: true }))
      events.push(event)
    expect(events).toEqual(scripts.MESSAGE_EVENTS)
    expect(await burned(1)).toBe(await price(scripts.MESSAGE_PRICE))
  })

  it('counts tokens without a charge', async () => {
    const { anthropic, om } = await client(json({ input_tokens: 12 }))
    const { input_tokens } = await anthropic.messages.countTokens({
      model: scripts.CLAUDE_MODEL,
      messages: MESSAGES,
    })
    expect(input_tokens).toBe(12)
    expect((await om.events.list()).data).toEqual([])
  })

  it('raises its own errors: no credits, a wrong key, a refusal of the provider', async () => {
    const { anthropic, om } = await client(json({ type: 'error', error: REFUSED.error }, 400))
    await om.credits.grant({ user_id: 'ada', amount: 0.000001 })
    const poor = anthropic.messages.create(request, { headers: { 'X-Meter-User': 'ada' } })
    await expect(poor).rejects.toMatchObject({
      status: 402,
      error: { type: 'error', error: { type: 'billing_error', code: 'insufficient_credits' } },
    })
    expect(upstream.requests).toHaveLength(0)
    const baseURL = `${gateway.url}/gateway/anthropic`
    const stranger = new Client({ apiKey: 'om_live_none', baseURL })
    await expect(Object(stranger).messages.create(request)).rejects.toBeInstanceOf(Client.AuthenticationError)
    await expect(anthropic.messages.create(request)).rejects.toBeInstanceOf(Client.BadRequestError)
  })
})

describe.each([
  ['newest', GoogleGenAI],
  ['previous', GoogleGenAIPrevious],
])('the %s major of @google/genai', (_name, Client) => {
  async function client(...script: Script[]) {
    const customer = await customerOf(...script)
    const httpOptions = { baseUrl: `${gateway.url}/gateway/google` }
    const made = new Client({ apiKey: customer.apiKey, httpOptions })
    const ai: GoogleGenAI = Object(made)
    return { ...customer, ai }
  }
  const request = { model: scripts.GEMINI_MODEL, contents: 'How was the third quarter?' }

  it("gets the provider's response, and the charge of exactly its usage", async () => {
    const whole = { ...scripts.geminiChunk('Well.', scripts.GEMINI_USAGE, 'STOP') }
    const { ai, burned, price } = await client(json(whole))
    expect((await ai.models.generateContent(request)).text).toBe('Well.')
    expect(await burned(1)).toBe(await price(scripts.GEMINI_PRICE))
  })

  it('streams, and is charged by the last numbers and not by their sum', async () => {
    const { ai, burned, price } = await client(sse(scripts.GEMINI_CHUNKS))
    let text = ''
    for await (const chunk of await ai.models.generateContentStream(request)) text += chunk.text ?? ''
    expect(text).toBe('Revenue grew by 14 %.')
    expect(await burned(1)).toBe(await price(scripts.GEMINI_PRICE))
  })

  it('is charged embeddings by an estimate, and counts tokens without a charge', async () => {
    const { ai, events } = await client(json({ embedding: { values: [1] }, embeddings: [{ values: [1] }] }))
    await ai.models.embedContent({ model: 'gemini-embedding-001', contents: 'Hello, how are you?' })
    const [event] = await events(1)
    expect(event?.credits_burned).toBeGreaterThan(0)
    expect(event?.warnings).toContain('estimated')
    upstream.play(json({ totalTokens: 5 }))
    expect((await ai.models.countTokens(request)).totalTokens).toBe(5)
    await events(1)
  })

  it('raises its own error when there are no credits', async () => {
    const { ai, om, apiKey } = await client(json({}))
    await om.credits.grant({ user_id: 'ada', amount: 0.000001 })
    const httpOptions = {
      baseUrl: `${gateway.url}/gateway/google`,
      headers: { 'X-Meter-User': 'ada' },
    }
    const poor = new Client({ apiKey, httpOptions })
    await expect(Object(poor).models.generateContent(request)).rejects.toMatchObject({
      name: 'ApiError',
      status: 402,
      message: expect.stringContaining('insufficient_credits'),
    })
    expect(ai).toBeDefined()
    expect(upstream.requests).toHaveLength(0)
  })
})

describe.each([
  {
    major: 'newest',
    chat: createOpenAI,
    generate: (model: unknown) => generateText({ model: Object(model), prompt: 'Hello', maxRetries: 0 }),
    stream: (model: unknown) => streamText({ model: Object(model), prompt: 'Hello' }).textStream,
  },
  {
    major: 'previous',
    chat: createOpenAIPrevious,
    generate: (model: unknown) =>
      aiPrevious.generateText({ model: Object(model), prompt: 'Hello', maxRetries: 0 }),
    stream: (model: unknown) => aiPrevious.streamText({ model: Object(model), prompt: 'Hello' }).textStream,
  },
])('the $major major of ai', ({ chat, generate, stream }) => {
  async function model(...script: Script[]) {
    const customer = await customerOf(...script)
    const baseURL = `${gateway.url}/gateway/openai/v1`
    const provider = chat({ apiKey: customer.apiKey, baseURL })
    return { ...customer, model: provider.chat(scripts.CHAT_MODEL), responses: provider.responses('gpt-5') }
  }

  it('generates and is charged', async () => {
    const { model: made, burned, price } = await model(json(scripts.CHAT_COMPLETION))
    expect((await generate(made)).text).toBe('Within 30 days.')
    expect(await burned(1)).toBe(await price(scripts.CHAT_PRICE))
  })

  it('generates with the Responses API and is charged', async () => {
    const { responses, burned, price } = await model(json(scripts.RESPONSE))
    expect((await generate(responses)).text).toBe('Yes.')
    expect(await burned(1)).toBe(await price(scripts.RESPONSE_PRICE))
  })

  it('streams and is charged', async () => {
    const { model: made, burned, price } = await model(chatStream)
    let text = ''
    for await (const part of stream(made)) text += part
    expect(text).toBe(TEXT)
    expect(await burned(1)).toBe(await price(scripts.CHAT_PRICE))
  })
})

it("sends the provider's key where the provider expects it, and no header of the gateway", async () => {
  const customer = await customerOf(json(scripts.MESSAGE))
  const anthropic = new Anthropic({
    apiKey: customer.apiKey,
    baseURL: `${gateway.url}/gateway/anthropic`,
    defaultHeaders: { 'X-Meter-User': 'ada', 'Idempotency-Key': 'k' },
  })
  const message = { model: scripts.CLAUDE_MODEL, max_tokens: 9, messages: MESSAGES }
  await anthropic.messages.create(message)
  const { headers } = upstream.requests[0] ?? {}
  expect(headers?.['x-api-key']).toBe(PROVIDER_KEY)
  expect(headers?.['anthropic-version']).toMatch(/^20/)
  expect(JSON.stringify(headers)).not.toMatch(/om_live_|meter|idempotency|x-provider-key/i)
  const own = {
    'X-Provider-Key': 'sk-of-the-request',
    'X-Meter-Provider-Key': 'anthropic',
    'Idempotency-Key': 'k2',
  }
  await anthropic.messages.create(message, { headers: own })
  expect(upstream.requests[1]?.headers['x-api-key']).toBe('sk-of-the-request')
})
