import { createOpenAI } from '@ai-sdk/openai'
import {
  embed,
  generateImage,
  generateText,
  streamText,
  wrapEmbeddingModel,
  wrapImageModel,
  wrapLanguageModel,
} from 'ai'
import * as previous from 'ai-previous'
import { createOpenAI as createOpenAIPrevious } from 'ai-sdk-openai-previous'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Metering, meterMiddleware } from '../../src/ai.ts'
import { InsufficientCreditsError } from '../../src/index.ts'
import { newMetered } from '../support/metered.ts'
import { json, type Script, sse, startUpstream, type Upstream } from '../support/upstream.ts'

const { url } = inject('server')
const MODEL = 'gpt-4o-2024-08-06'
const USAGE = {
  prompt_tokens: 2006,
  completion_tokens: 300,
  total_tokens: 2306,
  prompt_tokens_details: { cached_tokens: 1920 },
  completion_tokens_details: { reasoning_tokens: 128 },
}
const chunk = (delta: object, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: MODEL,
  choices: [{ index: 0, delta, finish_reason: null }],
  ...more,
})
const words = ['You ', 'may ', 'return ', 'them.'].map((content) => chunk({ content }))
const stop = chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
const last = chunk({}, { choices: [], usage: USAGE })
const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: MODEL,
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Yes.' } }],
  usage: USAGE,
}
const DONE = 'data: [DONE]\n\n'

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

/** The calls that each of the two major versions makes with a wrapped model. */
const MAJORS = [
  {
    major: 'newest',
    model: (baseURL: string, middleware: ReturnType<typeof meterMiddleware<'v4'>>) => {
      const model = wrapLanguageModel({
        model: createOpenAI({ apiKey: 'k', baseURL }).chat(MODEL),
        middleware,
      })
      return {
        generate: (maxOutputTokens?: number) =>
          generateText({
            model,
            prompt: 'Hello',
            maxRetries: 1,
            ...(maxOutputTokens !== undefined && { maxOutputTokens }),
          }),
        stream: (abortSignal?: AbortSignal) =>
          streamText({
            model,
            prompt: 'Hello',
            onError: () => undefined,
            ...(abortSignal && { abortSignal }),
          }).textStream,
      }
    },
  },
  {
    major: 'previous',
    model: (baseURL: string, middleware: ReturnType<typeof meterMiddleware<'v4'>>) => {
      const provider = createOpenAIPrevious({ apiKey: 'k', baseURL })
      const model = previous.wrapLanguageModel({
        model: provider.chat(MODEL),
        middleware: { ...middleware, specificationVersion: 'v3' },
      })
      return {
        generate: (maxOutputTokens?: number) =>
          previous.generateText({
            model,
            prompt: 'Hello',
            maxRetries: 1,
            ...(maxOutputTokens !== undefined && { maxOutputTokens }),
          }),
        stream: (abortSignal?: AbortSignal) =>
          previous.streamText({
            model,
            prompt: 'Hello',
            onError: () => undefined,
            ...(abortSignal && { abortSignal }),
          }).textStream,
      }
    },
  },
]

describe.each(MAJORS)('the $major major of ai', ({ model }) => {
  async function wrapped(script: Script[], options: Metering = {}) {
    upstream.play(...script)
    const customer = await newMetered(url)
    const wrapped = model(`${upstream.url}/v1`, meterMiddleware(customer.om, options))
    const chat = await customer.price({
      provider: 'OPENAI',
      provider_api: 'chat',
      provider_response: { model: MODEL, usage: USAGE },
    })
    return { ...customer, ...wrapped, chat }
  }

  it('burns the cost of a completion, from the raw usage of the provider', async () => {
    const { generate, burned, chat } = await wrapped([json(completion)])
    expect((await generate()).text).toBe('Yes.')
    expect(await burned()).toBe(chat)
  })

  it('burns the cost of a stream', async () => {
    const { stream, burned, chat } = await wrapped([sse([...words, stop, last], { tail: DONE })])
    let text = ''
    for await (const part of stream()) text += part
    expect(text).toBe('You may return them.')
    expect(await burned()).toBe(chat)
  })

  it('bills the delivered output when the caller aborts, which no usage reports', async () => {
    const { stream, burned, metadata } = await wrapped([sse(words, { hang: true })])
    const abort = new AbortController()
    const reads = async () => {
      let count = 0
      for await (const _ of stream(abort.signal)) if (++count === 2) abort.abort()
    }
    await reads().catch(() => undefined)
    await expect.poll(burned).toBeGreaterThan(0)
    expect(await metadata()).toEqual({ estimated: true })
  })

  it('burns once for a call that is repeated after a 429', async () => {
    const busy = json({ error: { message: 'slow down' } }, 429, { 'retry-after-ms': '1' })
    const { generate, burned, chat } = await wrapped([busy, json(completion)])
    await generate()
    expect(await burned()).toBe(chat)
  })

  it('with hold throws a typed error before the provider is called, and clips', async () => {
    const { generate, om } = await wrapped([json(completion)], { hold: true, clip: true, user_id: 'ada' })
    await om.credits.grant({ user_id: 'ada', amount: 0.001 })
    await expect(generate()).rejects.toBeInstanceOf(InsufficientCreditsError)
    expect(upstream.requests).toHaveLength(0)
    await om.credits.grant({ user_id: 'ada', amount: 10 })
    await generate(4000)
    const { max_tokens } = upstream.requests[0]?.body ?? {}
    expect(max_tokens).toBeGreaterThan(480)
    expect(max_tokens).toBeLessThanOrEqual(501)
  })
})

describe('embeddings and images of the newest major', () => {
  it('burns their usage', async () => {
    const { om, burned, price } = await newMetered(url)
    const openai = createOpenAI({ apiKey: 'k', baseURL: `${upstream.url}/v1` })
    const usage = { prompt_tokens: 8, total_tokens: 8 }
    const data = [{ object: 'embedding', index: 0, embedding: [1] }]
    upstream.play(json({ object: 'list', data, model: 'text-embedding-3-small', usage }))
    const model = wrapEmbeddingModel({
      model: openai.embedding('text-embedding-3-small'),
      middleware: meterMiddleware(om),
    })
    await embed({ model, value: 'Hello' })
    const first = await price({ provider: 'OPENAI', model: 'text-embedding-3-small', input_tokens: 8 })
    expect(await burned()).toBe(first)
    upstream.play(json({ created: 1, data: [{ b64_json: 'eA==' }] }))
    const image = wrapImageModel({ model: openai.image('dall-e-3'), middleware: meterMiddleware(om) })
    await generateImage({ model: image, prompt: 'A shoe' })
    const second = await price({ provider: 'OPENAI', model: 'dall-e-3', image_count: 1 })
    expect(await burned()).toBe(first + second)
  })
})

describe('usage of a model of specification v2', () => {
  it('is read as the AI SDK writes it', async () => {
    const { om, burned, price } = await newMetered(url)
    const { wrapGenerate } = meterMiddleware(om)
    const usage = { inputTokens: 1000, outputTokens: 500, totalTokens: 1500, cachedInputTokens: 200 }
    await wrapGenerate({
      params: { prompt: [] },
      model: { provider: 'openai.chat', modelId: MODEL },
      doGenerate: async () => ({ content: [], usage }),
    })
    const whole = { input_tokens: 1000, output_tokens: 500, cache_read_tokens: 200 }
    expect(await burned()).toBe(await price({ provider: 'OPENAI', model: MODEL, usage: whole }))
  })
})
