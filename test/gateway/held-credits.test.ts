import { afterEach, describe, expect, it, vi } from 'vitest'
import { answered, granted, type Json, listed, read } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { call } from './provider.ts'

/** Tests the hold of a call whose wallet cannot pay for the largest expected use. */

afterEach(() => {
  vi.restoreAllMocks()
})

const USER = { 'X-Meter-User': 'ada' }
const CLIP = { ...USER, 'X-Meter-Clip': 'true' }

/** Creates a customer whose user `ada` has some credits. Returns the key of the customer. */
async function keyWith(amount: number): Promise<string> {
  const { api_key } = await createCustomer()
  await granted(api_key, { user_id: 'ada', amount })
  return api_key
}

/** A request that the provider received, and the credits that were held at that time. */
interface Received {
  readonly text: string
  readonly held: unknown
}

/** Replaces `fetch` with a provider that refuses every call. Returns the requests that it received. */
function providerRefusing(key: string): Received[] {
  const received: Received[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
    const text = await new Response(init?.body).text()
    const { reserved_balance: held } = await read(key, '/v1/credits/balance?user_id=ada')
    received.push({ text, held })
    return Response.json({ error: { message: 'no' } }, { status: 400 })
  })
  return received
}

/** Sends a form with a file of `bytes` bytes, and with its model after the file. */
async function transcribe(key: string, { model, bytes }: Form, headers: Headers = {}): Promise<Response> {
  const form = new FormData()
  form.append('file', new File([new Uint8Array(bytes)], 'speech.m4a'))
  form.append('model', model)
  const encoded = new Response(form)
  const type = encoded.headers.get('Content-Type') ?? ''
  const body = new Uint8Array(await encoded.arrayBuffer())
  return call('openai/v1/audio/transcriptions', {
    key,
    body,
    headers: { 'Content-Type': type, ...USER, ...headers },
  })
}

interface Form {
  readonly model: string
  readonly bytes: number
}

type Headers = Readonly<Record<string, string>>

it.each([
  // An upload of 61 KB has 31 seconds at a low bit rate, and 4 seconds at the usual one. A second costs 0.2 credits.
  [10, 6.2],
  [2, 2],
  [0.9, 0.9],
])('a wallet of %s credits holds as many seconds of audio as it can pay', async (amount, most) => {
  const key = await keyWith(amount)
  const received = providerRefusing(key)
  expect((await transcribe(key, { model: 'whisper-1', bytes: 60_000 })).status).toBe(400)
  const held = Number(received[0]?.held)
  expect(held).toBeLessThanOrEqual(most)
  expect(held).toBeGreaterThan(most * 0.98)
})

it('a wallet that cannot pay for the usual bit rate does not get a transcription', async () => {
  const key = await keyWith(0.79)
  const received = providerRefusing(key)
  expect((await transcribe(key, { model: 'whisper-1', bytes: 60_000 })).status).toBe(402)
  expect(received).toEqual([])
})

describe('an upload with its model after the file', () => {
  /** Replaces `fetch` with a provider that transcribes ten minutes. Returns the sizes of the received uploads. */
  function transcriber(): number[] {
    const received: number[] = []
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
      const { promise: aborted, reject } = Promise.withResolvers<never>()
      init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))
      const { byteLength } = await Promise.race([new Response(init?.body).arrayBuffer(), aborted])
      received.push(byteLength)
      return Response.json({ text: 'Hello', usage: { type: 'duration', seconds: 600 } })
    })
    return received
  }

  const LONG: Form = { model: 'whisper-1', bytes: 200_000 }

  it('has the limits of its model', async () => {
    const key = await keyWith(1_000)
    const limit = { feature_id: 'gateway', model: 'whisper-1', unit: 'credits', period: 'DAILY' }
    await answered(key, '/v1/entitlements', { ...limit, limit_type: 'HARD', limit_value: 121 }, 201)
    const received = transcriber()
    expect((await transcribe(key, LONG)).status).toBe(200)
    const refused = await transcribe(key, LONG)
    expect([refused.status, await refused.text()]).toEqual([402, expect.stringContaining('limit_reached')])
    expect(received).toHaveLength(1)
    const { reserved_balance, balance } = await read(key, '/v1/credits/balance?user_id=ada')
    expect([reserved_balance, balance]).toEqual([0, 880])
  })

  it('does not get a model that is switched off', async () => {
    const key = await keyWith(1_000)
    await answered(
      key,
      '/v1/entitlements',
      { feature_id: 'gateway', model: 'whisper-1', limit_type: 'NONE', enabled: false },
      201,
    )
    const received = transcriber()
    const refused = await transcribe(key, LONG)
    expect([refused.status, await refused.text()]).toEqual([
      403,
      expect.stringContaining('feature_not_allowed'),
    ])
    expect([received, await listed(key, '/v1/events')]).toEqual([[], []])
  })

  it.each([
    ['groq', 'whisper-large-v3'],
    ['mistral', 'voxtral-mini-latest'],
  ])('needs the credits for a model of %s', async (provider, model) => {
    const key = await keyWith(0.01)
    await answered(key, '/v1/provider-keys', { provider, name: provider, key: 'canary-12345' }, 201)
    const received = transcriber()
    const refused = await transcribe(key, { ...LONG, model }, { 'X-Meter-Provider-Key': provider })
    expect([refused.status, received]).toEqual([402, []])
  })

  it('is charged once with an idempotency key, at the price of its model', async () => {
    const key = await keyWith(1_000)
    const received = transcriber()
    const headers = { 'Idempotency-Key': 'once' }
    const response = await transcribe(key, LONG, headers)
    expect([response.status, response.headers.get('X-Meter-Credits-Burned')]).toEqual([200, '120'])
    expect([409, 422]).toContain((await transcribe(key, LONG, headers)).status)
    expect(received).toHaveLength(1)
  })
})

it('a limit that DeepSeek ignores does not make the hold smaller', async () => {
  const key = await keyWith(100)
  await answered(key, '/v1/provider-keys', { provider: 'deepseek', name: 'd', key: 'canary-12345' }, 201)
  const received = providerRefusing(key)
  const headers = { ...USER, 'X-Meter-Provider-Key': 'd' }
  const body = { model: 'deepseek-chat', messages: [] }
  for (const limit of [{}, { max_completion_tokens: 1 }, { max_tokens: 1, max_completion_tokens: 9_000 }]) {
    await call('openai/v1/chat/completions', { key, body: { ...body, ...limit }, headers })
  }
  const [none = 0, ignored, read = 0] = received.map(({ held }) => Number(held))
  expect(ignored).toBeGreaterThanOrEqual(none)
  expect(read).toBeLessThan(none / 100)
})

describe('with X-Meter-Clip', () => {
  it.each([
    ['images', 'images/generations', { model: 'gpt-image-1', prompt: 'A cat' }],
    ['embeddings', 'embeddings', { model: 'text-embedding-3-large', input: 'word '.repeat(20_000) }],
  ])(
    'a call without an output limit is not clipped, and its whole use is held: %s',
    async (_, path, body) => {
      const key = await keyWith(1)
      const received = providerRefusing(key)
      const { status } = await call(`openai/v1/${path}`, { key, body, headers: CLIP })
      expect([status, received]).toEqual([402, []])
    },
  )

  const limits = (...fields: readonly Json[]) => Object.assign({ model: 'gpt-4o', messages: [] }, ...fields)
  const CHAT = 'openai/v1/chat/completions'
  const GEMINI = 'google/v1beta/models/gemini-2.5-pro:generateContent'

  it.each<readonly [string, string, Json, (body: Json) => unknown[]]>([
    [
      'of chat completions',
      CHAT,
      limits({ max_tokens: 10_000, max_completion_tokens: 9_000 }),
      ({ max_tokens, max_completion_tokens }) => [max_tokens, max_completion_tokens],
    ],
    [
      'of Gemini',
      GEMINI,
      { contents: [], generationConfig: { maxOutputTokens: 10_000, max_output_tokens: '9000' } },
      ({ generationConfig }) => Object.values(Object(generationConfig)),
    ],
  ])('every output limit is lowered to the same number: %s', async (_, path, body, limitsOf) => {
    const key = await keyWith(20)
    const received = providerRefusing(key)
    expect((await call(path, { key, body, headers: CLIP })).status).toBe(400)
    const [first, second] = limitsOf(JSON.parse(received[0]?.text ?? ''))
    expect(first).toBeLessThan(9_000)
    expect(second).toBe(first)
  })

  it('a limit that is low enough is not raised', async () => {
    const key = await keyWith(20)
    const received = providerRefusing(key)
    const body = limits({ max_tokens: 10_000, max_completion_tokens: 5 })
    await call(CHAT, { key, body, headers: CLIP })
    expect(JSON.parse(received[0]?.text ?? '')).toMatchObject({ max_completion_tokens: 5 })
  })

  it.each([
    ['deepseek', 'deepseek-chat', 'max_tokens'],
    ['mistral', 'mistral-large-latest', 'max_tokens'],
    ['cerebras', 'gpt-oss-120b', 'max_completion_tokens'],
  ])('%s gets its own name of the limit', async (provider, model, name) => {
    const key = await keyWith(0.1)
    await answered(key, '/v1/provider-keys', { provider, name: provider, key: 'canary-12345' }, 201)
    const received = providerRefusing(key)
    const headers = { ...CLIP, 'X-Meter-Provider-Key': provider }
    expect((await call(CHAT, { key, body: limits({ model }), headers })).status).toBe(400)
    expect(Object.keys(JSON.parse(received[0]?.text ?? ''))).toEqual(['model', 'messages', name])
  })

  it('at least one token of each completion is held', async () => {
    const key = await keyWith(0.5)
    const received = providerRefusing(key)
    const body = limits({ max_tokens: 1_000, n: 100 })
    expect((await call(CHAT, { key, body, headers: CLIP })).status).toBe(402)
    expect(received).toEqual([])
  })
})
