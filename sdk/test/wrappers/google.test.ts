import { GoogleGenAI } from '@google/genai'
import { GoogleGenAI as GoogleGenAIPrevious } from 'genai-previous'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Metering, meter } from '../../src/google.ts'
import { InsufficientCreditsError } from '../../src/index.ts'
import { newMetered } from '../support/metered.ts'
import { json, type Script, sse, startUpstream, type Upstream } from '../support/upstream.ts'

const { url } = inject('server')
const MODEL = 'gemini-2.5-pro'
const REQUEST = { model: MODEL, contents: 'How was the third quarter?' }
const USAGE = {
  promptTokenCount: 1200,
  candidatesTokenCount: 350,
  totalTokenCount: 2350,
  cachedContentTokenCount: 800,
  promptTokensDetails: [{ modality: 'TEXT', tokenCount: 1200 }],
  cacheTokensDetails: [{ modality: 'TEXT', tokenCount: 800 }],
  thoughtsTokenCount: 800,
}
const answer = (text: string, usageMetadata: object | undefined) => ({
  candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP', index: 0 }],
  ...(usageMetadata && { usageMetadata }),
  modelVersion: MODEL,
  responseId: 'r-1',
})
const chunks = ['Revenue ', 'grew ', 'by ', '14 ', '%.'].map((text, index) =>
  answer(text, { promptTokenCount: 1200, candidatesTokenCount: 10 * (index + 1), totalTokenCount: 1210 }),
)
const last = answer('', USAGE)

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

describe.each([
  ['newest', GoogleGenAI],
  ['previous', GoogleGenAIPrevious],
])('the %s major of @google/genai', (_name, Client) => {
  async function wrapped(script: Script[], options: Metering = {}, vertexai = false) {
    upstream.play(...script)
    const customer = await newMetered(url)
    const client = new Client({ apiKey: 'test', vertexai, httpOptions: { baseUrl: upstream.url } })
    // The methods that this test calls are the same in both major versions, so the type of the newest version is used.
    const ai: GoogleGenAI = Object(meter(client, customer.om, options))
    const priced = (usageMetadata: object) =>
      customer.price({
        provider: 'GOOGLE',
        provider_api: 'gemini',
        provider_response: { modelVersion: MODEL, usageMetadata },
      })
    return { ...customer, ai, client, priced }
  }

  it('burns a response with cache and thoughts', async () => {
    const { ai, client, burned, priced } = await wrapped([json(last)])
    await ai.models.generateContent(REQUEST)
    expect(await burned()).toBe(await priced(USAGE))
    await client.models.generateContent(REQUEST)
    expect(await burned()).toBe(await priced(USAGE))
  })

  it('burns the last numbers of a stream, not their sum', async () => {
    const { ai, burned, priced } = await wrapped([sse([...chunks, last])])
    let text = ''
    for await (const chunk of await ai.models.generateContentStream(REQUEST)) text += chunk.text ?? ''
    expect(text).toBe('Revenue grew by 14 %.')
    expect(await burned()).toBe(await priced(USAGE))
  })

  it('burns each message of a chat', async () => {
    const { ai, burned, priced } = await wrapped([json(answer('Well.', USAGE))])
    const chat = ai.chats.create({ model: MODEL })
    await chat.sendMessage({ message: 'Hello' })
    await chat.sendMessage({ message: 'And now?' })
    expect(await burned()).toBe(2 * (await priced(USAGE)))
  })

  it.each([1, 3, 5])('bills the usage that was reported until a stream is left at chunk %i', async (k) => {
    const { ai, burned, priced, metadata } = await wrapped([sse(chunks, { hang: true })])
    let count = 0
    for await (const _ of await ai.models.generateContentStream(REQUEST)) if (++count === k) break
    const reported = { promptTokenCount: 1200, candidatesTokenCount: 10 * k, totalTokenCount: 1210 }
    expect(await burned()).toBe(await priced(reported))
    expect(await metadata()).toEqual({ estimated: true })
  })

  it('bills the delivered output when a stream breaks off, and gives the error to the caller', async () => {
    const { ai, burned, price, metadata } = await wrapped([
      sse([answer('Revenue grew', undefined)], { cut: true }),
    ])
    const reads = async () => {
      for await (const _ of await ai.models.generateContentStream(REQUEST));
    }
    await expect(reads()).rejects.toThrow()
    const usage = { input_tokens: Math.ceil(REQUEST.contents.length / 4), output_tokens: 3 }
    expect(await burned()).toBe(await price({ provider: 'GOOGLE', model: MODEL, ...usage }))
    expect(await metadata()).toEqual({ estimated: true })
  })

  it('burns nothing for a call that fails', async () => {
    const { ai, om, burned } = await wrapped([json({ error: { code: 400, message: 'no' } }, 400)], {
      hold: true,
    })
    await expect(ai.models.generateContent(REQUEST)).rejects.toThrow()
    expect(await burned()).toBe(0)
    await expect.poll(async () => (await om.credits.balance()).reserved_balance).toBe(0)
  })

  it('burns embeddings without usage by an estimate', async () => {
    const { ai, burned, metadata } = await wrapped([
      json({ embedding: { values: [1] }, embeddings: [{ values: [1] }] }),
    ])
    await ai.models.embedContent({ model: 'gemini-embedding-001', contents: 'Hello, how are you?' })
    expect(await burned()).toBeGreaterThan(0)
    expect(await metadata()).toEqual({ estimated: true })
  })

  it('burns images by their number', async () => {
    const script = json({ predictions: [{ bytesBase64Encoded: 'eA==', mimeType: 'image/png' }] })
    const { ai, burned, price } = await wrapped([script], {}, true)
    const model = 'imagen-4.0-generate-001'
    await ai.models.generateImages({ model, prompt: 'A shoe' })
    expect(await burned()).toBe(await price({ provider: 'GOOGLE', model, image_count: 1 }))
  })

  it('with hold throws a typed error before the provider is called, and clips', async () => {
    const { ai, om } = await wrapped([json(last)], { hold: true, clip: true, user_id: 'ada' })
    await om.credits.grant({ user_id: 'ada', amount: 0.01 })
    await expect(ai.models.generateContent(REQUEST)).rejects.toBeInstanceOf(InsufficientCreditsError)
    expect(upstream.requests).toHaveLength(0)
    await om.credits.grant({ user_id: 'ada', amount: 10 })
    await ai.models.generateContent({ ...REQUEST, config: { maxOutputTokens: 8000 } })
    const { generationConfig } = upstream.requests[0]?.body ?? {}
    // 10 credits pay for 500 tokens of output.
    expect(generationConfig).toMatchObject({
      maxOutputTokens: expect.toSatisfy((n: number) => n > 480 && n <= 501),
    })
  })
})

it('rejects objects that are not clients', async () => {
  const { om } = await newMetered(url)
  expect(() => meter({}, om)).toThrow('@google/genai')
})
