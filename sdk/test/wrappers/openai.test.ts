import OpenAI from 'openai'
import OpenAIPrevious from 'openai-previous'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { InsufficientCreditsError } from '../../src/index.ts'
import { type Metering, meter } from '../../src/openai.ts'
import { type Metered, newMetered } from '../support/metered.ts'
import { json, type Script, sse, startUpstream, type Upstream } from '../support/upstream.ts'

const { url } = inject('server')
const MODEL = 'gpt-4o-2024-08-06'
const MESSAGES = [{ role: 'user' as const, content: 'How may I return my shoes?' }]
const CHAT_USAGE = {
  prompt_tokens: 2006,
  completion_tokens: 300,
  total_tokens: 2306,
  prompt_tokens_details: { cached_tokens: 1920 },
  completion_tokens_details: { reasoning_tokens: 128 },
}
const RESPONSES_USAGE = {
  input_tokens: 1536,
  input_tokens_details: { cached_tokens: 1024 },
  output_tokens: 1210,
  output_tokens_details: { reasoning_tokens: 896 },
  total_tokens: 2746,
}

const chunk = (delta: object, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: MODEL,
  choices: [{ index: 0, delta, finish_reason: null }],
  ...more,
})
const words = ['You ', 'may ', 'return ', 'them ', 'within ', '30 ', 'days.'].map((content) =>
  chunk({ role: 'assistant', content }),
)
const last = chunk({}, { choices: [], usage: CHAT_USAGE })
const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: MODEL,
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Within 30 days.' } }],
  usage: CHAT_USAGE,
}
const search = {
  id: 'ws_1',
  type: 'web_search_call',
  status: 'completed',
  action: { type: 'search', query: 'x' },
}
const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: 'Yes.', annotations: [] }],
}
const answered = {
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status: 'completed',
  model: 'gpt-5-2025-08-07',
  output: [search, message],
  usage: RESPONSES_USAGE,
}

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

describe.each([
  ['newest', OpenAI],
  ['previous', OpenAIPrevious],
])('the %s major of openai', (_name, Client) => {
  async function wrapped(script: Script[], options: Metering = {}, metered?: Metered) {
    upstream.play(...script)
    const customer = metered ?? (await newMetered(url))
    const client = new Client({ apiKey: 'sk-test', baseURL: `${upstream.url}/v1`, maxRetries: 2 })
    // The methods that this test calls are the same in both major versions, so the type of the newest version is used.
    const openai: OpenAI = Object(meter(client, customer.om, options))
    const chat = customer.price({
      provider: 'OPENAI',
      provider_api: 'chat',
      provider_response: { model: MODEL, usage: CHAT_USAGE },
    })
    return { ...customer, openai, chat: await chat }
  }

  it('burns the cost of a completion with cache and reasoning', async () => {
    const { openai, burned, chat, metadata } = await wrapped([json(completion)], { metadata: { route: 'r' } })
    const { choices } = await openai.chat.completions.create({ model: MODEL, messages: MESSAGES })
    expect(choices[0]?.message.content).toBe('Within 30 days.')
    expect(await burned()).toBe(chat)
    expect(await metadata()).toEqual({ route: 'r' })
  })

  it('estimates the usage when a compatible API reports none', async () => {
    const { usage: _, ...silent } = completion
    const { openai, burned, metadata } = await wrapped([json(silent)])
    await openai.chat.completions.create({ model: MODEL, messages: MESSAGES })
    expect(await burned()).toBeGreaterThan(0)
    expect(await metadata()).toEqual({ estimated: true })
  })

  it('keeps withResponse() and asResponse()', async () => {
    const { openai, burned, chat } = await wrapped([json(completion)])
    const { data, response } = await openai.chat.completions
      .create({ model: MODEL, messages: MESSAGES })
      .withResponse()
    expect([data.model, response.status]).toEqual([MODEL, 200])
    const raw = await openai.chat.completions.create({ model: MODEL, messages: MESSAGES }).asResponse()
    expect(await raw.json()).toEqual(completion)
    expect(await burned()).toBe(2 * chat)
  })

  it('burns a service tier and the searches of a response', async () => {
    const { openai, burned, price } = await wrapped([json({ ...answered, service_tier: 'flex' })])
    await openai.responses.create({ model: 'gpt-5', input: 'Hello' })
    const whole = { ...answered, service_tier: 'flex' }
    const expected = await price({ provider: 'OPENAI', provider_api: 'responses', provider_response: whole })
    expect(await burned()).toBe(expected)
    expect(expected).toBeGreaterThan(
      await price({
        provider: 'OPENAI',
        provider_api: 'responses',
        provider_response: { ...whole, output: [] },
      }),
    )
  })

  it('burns the images of a response at the price of their model', async () => {
    const image_gen = { input_tokens: 27, output_tokens: 4160 }
    const tools = [
      { type: 'function', name: 'f' },
      { type: 'image_generation', model: 'gpt-image-2', size: 'auto' },
    ]
    const drawn = { ...answered, tool_usage: { image_gen }, tools }
    const { openai, burned, price } = await wrapped([json(drawn)])
    await openai.responses.create({ model: 'gpt-5', input: 'Draw' })
    const text = await price({ provider: 'OPENAI', provider_response: answered })
    expect(await burned()).toBe(
      text + (await price({ provider: 'OPENAI', model: 'gpt-image-2', usage: image_gen })),
    )
  })

  it('requests the usage of a stream, and hides the chunk that the caller has not requested', async () => {
    const { openai, burned, chat } = await wrapped([sse([...words, last], { tail: 'data: [DONE]\n\n' })])
    const stream = await openai.chat.completions.create({ model: MODEL, messages: MESSAGES, stream: true })
    let text = ''
    for await (const { choices } of stream) text += choices[0]?.delta.content
    expect(text).toBe('You may return them within 30 days.')
    expect(upstream.requests[0]?.body.stream_options).toEqual({ include_usage: true })
    expect(await burned()).toBe(chat)
  })

  it('passes on an event that is too long to be read, and reads the usage after it', async () => {
    const long = chunk({ role: 'assistant', content: 'x'.repeat(33 * 1024 * 1024) })
    const { openai, burned, chat } = await wrapped([
      sse([long, ...words, last], { tail: 'data: [DONE]\n\n' }),
    ])
    const request = { model: MODEL, messages: MESSAGES, stream: true } as const
    const response = await openai.chat.completions.create(request).asResponse()
    const sent = [long, ...words].map((data) => `data: ${JSON.stringify(data)}\n\n`).join('')
    expect((await response.text()) === `${sent}data: [DONE]\n\n`).toBe(true)
    expect(await burned()).toBe(chat)
  })

  it('passes the usage chunk to a caller who requested it, and meters the stream helper', async () => {
    const stop = chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
    const { openai, burned, chat } = await wrapped([
      sse([...words, stop, last], { tail: 'data: [DONE]\n\n' }),
    ])
    const stream = openai.chat.completions.stream({
      model: MODEL,
      messages: MESSAGES,
      stream_options: { include_usage: true },
    })
    expect((await stream.finalChatCompletion()).usage?.completion_tokens).toBe(300)
    expect(await burned()).toBe(chat)
  })

  it('burns each call of a tool loop', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'days', arguments: '{}' } }
    const asks = { role: 'assistant', content: null, tool_calls: [call] }
    const first = { ...completion, choices: [{ index: 0, finish_reason: 'tool_calls', message: asks }] }
    const { openai, burned, chat } = await wrapped([json(first), json(completion)])
    const tool = { name: 'days', description: 'x', parameters: {}, parse: JSON.parse, function: () => '30' }
    const runner = openai.chat.completions.runTools({
      model: MODEL,
      messages: MESSAGES,
      tools: [{ type: 'function', function: tool }],
    })
    expect(await runner.finalContent()).toBe('Within 30 days.')
    expect(await burned()).toBe(2 * chat)
  })

  it.each(['response.completed', 'response.incomplete'])('burns a stream that ends with %s', async (type) => {
    const events = [
      { type: 'response.created', sequence_number: 0, response: { ...answered, usage: null, output: [] } },
      {
        type: 'response.output_text.delta',
        sequence_number: 1,
        delta: 'Yes.',
        item_id: 'msg_1',
        output_index: 1,
      },
      { type, sequence_number: 2, response: answered },
    ]
    const { openai, burned, price } = await wrapped([sse(events, { named: true })])
    const stream = await openai.responses.create({ model: 'gpt-5', input: 'Hello', stream: true })
    const types: string[] = []
    for await (const event of stream) types.push(event.type)
    expect(types).toHaveLength(3)
    expect(await burned()).toBe(
      await price({ provider: 'OPENAI', provider_api: 'responses', provider_response: answered }),
    )
  })

  it('burns embeddings, and images with and without tokens', async () => {
    const embedded = {
      object: 'list',
      data: [],
      model: 'text-embedding-3-small',
      usage: { prompt_tokens: 8, total_tokens: 8 },
    }
    const image = {
      created: 1,
      data: [{ b64_json: 'eA==' }],
      usage: {
        input_tokens: 50,
        input_tokens_details: { text_tokens: 50, image_tokens: 0 },
        output_tokens: 1056,
        total_tokens: 1106,
      },
    }
    const old = {
      created: 1,
      data: [{ url: 'https://example.com/1.png' }, { url: 'https://example.com/2.png' }],
    }
    const { openai, burned, price } = await wrapped([json(embedded), json(image), json(old)])
    await openai.embeddings.create({
      model: 'text-embedding-3-small',
      input: 'Hello',
      encoding_format: 'float',
    })
    const first = await price({ provider: 'OPENAI', provider_api: 'embeddings', provider_response: embedded })
    expect(await burned()).toBe(first)
    await openai.images.generate({ model: 'gpt-image-1', prompt: 'A shoe' })
    const tokens = { model: 'gpt-image-1', provider_response: { usage: image.usage } }
    const second = first + (await price({ provider: 'OPENAI', provider_api: 'images', ...tokens }))
    expect(await burned()).toBe(second)
    await openai.images.generate({ model: 'dall-e-3', prompt: 'A shoe', size: '1024x1024', quality: 'hd' })
    const pictures = { model: 'dall-e-3', image_count: 2, image_size: '1024x1024', quality: 'hd' }
    expect(await burned()).toBe(second + (await price({ provider: 'OPENAI', ...pictures })))
  })

  it.each([1, 3, 6])(
    'bills a stream that is left at chunk %i by its delivered output, marked as estimated',
    async (k) => {
      // Sends no chunk after the last one that the caller reads, because a further chunk could arrive in the same read
      // and count as delivered.
      const { openai, burned, price, metadata } = await wrapped([sse(words.slice(0, k), { hang: true })])
      const stream = await openai.chat.completions.create({ model: MODEL, messages: MESSAGES, stream: true })
      let text = ''
      let count = 0
      for await (const { choices } of stream) {
        text += choices[0]?.delta.content ?? ''
        if (++count === k) break
      }
      const [input, output] = [MESSAGES[0]?.content ?? '', text].map((part) => Math.ceil(part.length / 4))
      const usage = { model: MODEL, input_tokens: input ?? 0, output_tokens: output ?? 0 }
      expect(await burned()).toBe(await price({ provider: 'OPENAI', ...usage }))
      expect(await metadata()).toEqual({ estimated: true })
    },
  )

  it('bills the delivered output when the caller aborts', async () => {
    const { openai, burned, metadata } = await wrapped([sse(words, { hang: true })])
    const abort = new AbortController()
    const reads = async () => {
      const request = { model: MODEL, messages: MESSAGES, stream: true } as const
      const stream = await openai.chat.completions.create(request, { signal: abort.signal })
      let count = 0
      for await (const _ of stream) if (++count === 4) abort.abort()
    }
    await reads().catch(() => undefined)
    expect(await burned()).toBeGreaterThan(0)
    expect(await metadata()).toEqual({ estimated: true })
  })

  it.each<[string, Script]>([
    ['breaks off after 3 chunks', sse(words.slice(0, 3), { cut: true })],
    [
      'reports an error after 3 chunks',
      sse([...words.slice(0, 3), { error: { message: 'overloaded', code: 'x' } }]),
    ],
    ['has a line that is not JSON', sse(words.slice(0, 3), { tail: 'data: {"choices": [{"del\n\n' })],
  ])('bills a stream that %s, and gives the error to the caller', async (_case, script) => {
    const { openai, burned, metadata } = await wrapped([script])
    const stream = await openai.chat.completions.create({ model: MODEL, messages: MESSAGES, stream: true })
    const reads = async () => {
      for await (const _ of stream);
    }
    await expect(reads()).rejects.toThrow()
    expect(await burned()).toBeGreaterThan(0)
    expect(await metadata()).toEqual({ estimated: true })
  })

  it('burns once for a call that is repeated after a 429, and nothing for one that fails', async () => {
    const busy = json({ error: { message: 'slow down' } }, 429, { 'retry-after-ms': '1' })
    const { openai, burned, chat, om } = await wrapped([busy, json(completion)], {
      hold: true,
      user_id: 'ada',
    })
    await om.credits.grant({ user_id: 'ada', amount: 1000 })
    await openai.chat.completions.create({ model: MODEL, messages: MESSAGES })
    expect(await burned()).toBe(chat)
    upstream.play(json({ error: { message: 'no' } }, 400))
    await expect(openai.chat.completions.create({ model: MODEL, messages: MESSAGES })).rejects.toThrow('no')
    expect(await burned()).toBe(chat)
    await expect.poll(async () => (await om.credits.balance({ user_id: 'ada' })).reserved_balance).toBe(0)
  })

  describe('with hold', () => {
    it('throws a typed error before the provider is called, once', async () => {
      const { openai, om } = await wrapped([json(completion)], { hold: true, user_id: 'poor' })
      await om.credits.grant({ user_id: 'poor', amount: 1 })
      for (const stream of [false, true]) {
        const call = openai.chat.completions.create({ model: MODEL, messages: MESSAGES, stream })
        const error = await call.then(
          () => undefined,
          (caught: unknown) => caught,
        )
        expect(error).toBeInstanceOf(InsufficientCreditsError)
      }
      expect(upstream.requests).toHaveLength(0)
    })

    it('settles the hold with the usage', async () => {
      const { openai, om, burned, chat } = await wrapped([json(completion)], { hold: true, user_id: 'ada' })
      await om.credits.grant({ user_id: 'ada', amount: 1000 })
      await openai.chat.completions.create({ model: MODEL, messages: MESSAGES })
      expect(await burned()).toBe(chat)
      expect(await om.credits.balance({ user_id: 'ada' })).toMatchObject({
        reserved_balance: 0,
        balance: 1000 - chat / 1e6,
      })
    })

    it('clip: writes the output that the wallet can pay into the request', async () => {
      const { openai, om } = await wrapped([json(completion)], { hold: true, clip: true, user_id: 'ada' })
      await om.credits.grant({ user_id: 'ada', amount: 10 })
      await openai.chat.completions.create({ model: MODEL, messages: MESSAGES, max_tokens: 4000 })
      const { max_tokens } = upstream.requests[0]?.body ?? {}
      // 10 credits pay for 500 tokens of output, less the price of the input.
      expect(max_tokens).toBeGreaterThan(480)
      expect(max_tokens).toBeLessThanOrEqual(500)
    })
  })

  it('lets calls pass while the meter is unreachable, and refuses them with deny', async () => {
    const away = await newMetered(url)
    const options = { baseUrl: 'http://127.0.0.1:1', maxRetries: 0 }
    const gone = await newMetered(url, options)
    const { openai } = await wrapped([json(completion)], { hold: true }, { ...away, om: gone.om })
    await openai.chat.completions.create({ model: MODEL, messages: MESSAGES })
    expect(gone.om.stats().queued).toBe(1)
    expect(gone.reported[0]).toMatchObject({ code: 'connection_failed' })
    const strict = await newMetered(url, { ...options, onUnavailable: 'deny' })
    const refused = await wrapped([json(completion)], { hold: true }, { ...away, om: strict.om })
    await expect(
      refused.openai.chat.completions.create({ model: MODEL, messages: MESSAGES }),
    ).rejects.toMatchObject({
      code: 'connection_failed',
    })
    expect(upstream.requests).toHaveLength(0)
  })
})

it('rejects objects that are not clients, and unknown options', async () => {
  const { om } = await newMetered(url)
  expect(() => Reflect.apply(meter, undefined, [{}, om])).toThrow('openai')
  expect(() => Reflect.apply(meter, undefined, [new OpenAI({ apiKey: 'k' }), {}])).toThrow('OpenMonetize')
  expect(() => Reflect.apply(meter, undefined, [new OpenAI({ apiKey: 'k' }), om, { userId: 'x' }])).toThrow(
    'userId',
  )
})
