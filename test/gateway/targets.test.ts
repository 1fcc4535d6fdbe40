import { afterEach, describe, expect, it, vi } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { call } from './provider.ts'

/** Tests that a call is read for the model of each attempt. */

afterEach(() => {
  vi.restoreAllMocks()
})

interface Seen {
  readonly url: string
  readonly body: Readonly<Record<string, unknown>>
  /** The credits that were held when the provider got the request. */
  readonly held: unknown
}

/** Replaces `fetch` with a provider that gives these answers. Returns the requests that it has received. */
function provider(key: string, ...answers: readonly (() => Response)[]): Seen[] {
  const seen: Seen[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const { reserved_balance: held } = await jsonOf(await api('/v1/credits/balance', { key }))
    const request = new Request(input, init)
    const answer = answers[seen.push({ url: request.url, body: await request.json(), held }) - 1]
    if (!answer) throw new TypeError('Network connection lost.')
    return answer()
  })
  return seen
}

const refused = () => Response.json({ error: {} }, { status: 404 })

const IMAGES = 'openai/v1/images/generations'
const CHAT = 'openai/v1/chat/completions'
const gemini = (model: string) => `google/v1beta/models/${model}:generateContent`
const url = `data:image/png;base64,${'A'.repeat(100)}`

describe('an attempt with another model is held as a separate call with this model', () => {
  it.each([
    [IMAGES, IMAGES, 'dall-e-3', 'gpt-image-1', { prompt: 'A duck' }],
    [
      gemini('gemini-2.5-flash'),
      gemini('gemini-2.5-flash-image'),
      undefined,
      'gemini-2.5-flash-image',
      { contents: [{ parts: [{ text: 'A duck' }] }], generationConfig: { maxOutputTokens: 1_500 } },
    ],
    [
      CHAT,
      CHAT,
      'gpt-4o',
      'gpt-4o-mini',
      {
        max_tokens: 5,
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
      },
    ],
  ])('%s', async (first, separate, model, other, body) => {
    const { api_key: key } = await createCustomer()
    const headers = { 'X-Meter-Fallback': `retry;model="${other}"` }
    const attempts = provider(key, refused, refused)
    await call(first, { key, body: { ...body, model }, headers })
    const alone = provider(key, refused)
    await call(separate, { key, body: { ...body, ...(model && { model: other }) } })
    expect(attempts).toHaveLength(2)
    // The bodies, whose length determines the estimate of the text, contain different names of models.
    expect(attempts[1]?.held).toBeCloseTo(Number(alone[0]?.held), 1)
  })
})

describe('the path of another attempt at Gemini', () => {
  const body = { contents: [{ parts: [{ text: 'Hi' }] }] }

  async function sentTo(model: string): Promise<readonly string[]> {
    const { api_key: key } = await createCustomer()
    const seen = provider(key, refused, refused)
    const headers = { 'X-Meter-Fallback': `retry;model="${model}"` }
    await call(gemini('gemini-2.5-flash'), { key, body, headers })
    return seen.slice(1).map((one) => new URL(one.url).pathname)
  }

  it.each([
    'gemini-2.5-pro?x',
    'gemini-2.5-pro#x',
    'gemini-2.5-pro%3Fx',
    'gemini-2.5-pro;x',
    'x:countTokens',
    'x/gemini-2.5-pro',
    '../gemini-2.5-pro',
  ])('is not called with the model %s, which a call of its own cannot have', async (model) => {
    expect(await sentTo(model)).toEqual([])
  })

  it.each(['gemini-2.5-pro', 'models/gemini-2.5-pro'])('has the model %s', async (model) => {
    expect(await sentTo(model)).toEqual(['/v1beta/models/gemini-2.5-pro:generateContent'])
  })
})
