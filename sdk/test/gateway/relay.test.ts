import { request } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { micro } from '../support/metered.ts'
import { json, sse, startUpstream, type Upstream } from '../support/upstream.ts'
import { gatewayCustomer, post } from './gateway.ts'
import * as scripts from './scripts.ts'

/** Tests of unusual requests and responses: large, compressed, broken, refused or clipped ones. */

const gateway = inject('server')
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

const CHAT = 'openai/v1/chat/completions'
const body = (content = 'Hello', more: object = {}) => ({
  model: scripts.CHAT_MODEL,
  max_tokens: 1000,
  messages: [{ role: 'user', content }],
  ...more,
})
const stream = sse([...scripts.CHAT_WORDS, scripts.CHAT_STOP, scripts.CHAT_REPORT], { tail: scripts.DONE })

/** Returns the status of a request that announces a body but sends no byte of it. */
function statusOf(apiKey: string, target: string, type: string, length: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const announced = request(`${gateway.url}/gateway/${target}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': type, 'Content-Length': length },
    })
    announced.on('response', (response) => {
      resolve(response.statusCode)
      announced.destroy()
    })
    announced.on('error', reject)
    announced.flushHeaders()
  })
}

describe('a response', () => {
  it('of 10 MB arrives byte by byte, after a request of 10 MB', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    const large = { ...scripts.CHAT_COMPLETION, filler: 'ä漢'.repeat(2_000_000) }
    upstream.play(json(large))
    const image = `data:image/png;base64,${'A'.repeat(10_000_000)}`
    const content = [{ type: 'image_url', image_url: { url: image } }]
    const response = await post(gateway, customer, CHAT, { ...body(), messages: [{ role: 'user', content }] })
    expect(await response.text()).toBe(JSON.stringify(large))
    expect(JSON.stringify(upstream.requests[0]?.body).length).toBeGreaterThan(10_000_000)
    expect(await customer.burned(1)).toBe(await customer.price(scripts.CHAT_PRICE))
  })

  it('of 10,000 chunks arrives byte by byte', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    const chunk = `data: ${JSON.stringify(scripts.chatChunk({ content: 'word ' }))}\n\n`
    const end = [scripts.CHAT_STOP, scripts.CHAT_REPORT].map((event) => `data: ${JSON.stringify(event)}\n\n`)
    upstream.play((response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      for (let i = 0; i < 10_000; i++) response.write(chunk)
      response.end(end.join('') + scripts.DONE)
    })
    const response = await post(gateway, customer, CHAT, body('Hello', { stream: true }))
    expect(await response.text()).toBe(chunk.repeat(10_000) + end[0] + scripts.DONE)
    expect(await customer.burned(1)).toBe(await customer.price(scripts.CHAT_PRICE))
  })

  it('that is compressed without a request for it is read and relayed decoded', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    const bytes = gzipSync(JSON.stringify(scripts.CHAT_COMPLETION))
    upstream.play((response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }).end(bytes)
    })
    const response = await post(gateway, customer, CHAT, body())
    expect(await response.json()).toEqual(scripts.CHAT_COMPLETION)
    expect(await customer.burned(1)).toBe(await customer.price(scripts.CHAT_PRICE))
    expect(upstream.requests[0]?.headers['accept-encoding']).toBe('identity')
  })

  it.each([301, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529])(
    'of status %i is relayed unchanged and costs nothing',
    async (status) => {
      const customer = await gatewayCustomer(gateway.url, upstream.url)
      const refusal = { error: { message: 'no', type: 'x' } }
      upstream.play(json(refusal, status, { 'x-request-id': 'req_of_the_provider', 'retry-after-ms': '7' }))
      const response = await post(gateway, customer, CHAT, body())
      expect(response.status).toBe(status)
      expect(await response.json()).toEqual(refusal)
      expect(response.headers.get('X-Provider-Request-Id')).toBe('req_of_the_provider')
      expect(response.headers.get('retry-after-ms')).toBe('7')
      await expect.poll(customer.held).toBe(0)
      expect((await customer.om.events.list()).data).toEqual([])
    },
  )

  it('of HTML is not from the provider, and costs nothing', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play((response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Sign in</h1>')
    })
    const response = await post(gateway, customer, CHAT, body())
    expect(await response.text()).toBe('<h1>Sign in</h1>')
    await expect.poll(customer.held).toBe(0)
  })

  it('without usage is charged by its text', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    const { usage: _, ...silent } = scripts.CHAT_COMPLETION
    upstream.play(json(silent))
    await (await post(gateway, customer, CHAT, body())).text()
    const [event] = await customer.events(1)
    // The text "Within 30 days." has 15 bytes.
    expect(event?.usage).toMatchObject({ output_tokens: 4 })
    expect(event?.warnings).toEqual(['estimated', 'no_usage'])
  })

  it('that breaks off before its end is 502 and costs nothing', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play((response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '1000' })
      response.write('{"id":')
      setTimeout(() => response.destroy(), 20)
    })
    const response = await post(gateway, customer, CHAT, body())
    expect(response.status).toBe(502)
    const message =
      'The provider could not be reached, or its response could not be read completely. Nothing is charged here, but the provider might charge for the call.'
    expect(await response.json()).toMatchObject({ error: { code: 'provider_unreachable', message } })
    await expect.poll(customer.held).toBe(0)
    expect((await customer.om.events.list()).data).toEqual([])
  })

  it('that is an array of Gemini is relayed unchanged, and is charged its last numbers', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    const text = `[${scripts.GEMINI_CHUNKS.map((chunk) => JSON.stringify(chunk, null, 2)).join('\n,\r\n')}\n]`
    upstream.play((response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' })
      for (const piece of text.match(/[\s\S]{1,80}/g) ?? []) response.write(piece)
      response.end()
    })
    const target = `google/v1beta/models/${scripts.GEMINI_MODEL}:streamGenerateContent`
    const response = await post(gateway, customer, target, { contents: [] })
    expect(await response.text()).toBe(text)
    expect(await customer.burned(1)).toBe(await customer.price(scripts.GEMINI_PRICE))
  })
})

describe('a request', () => {
  it('keeps every byte, including numbers and the order of keys', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    let sent = ''
    const exact =
      '{ "model":"gpt-4o",\n"max_tokens" : 12345678.0e-5, "seed":12345678901234567890, "messages":[] , "b":1,"a":2}'
    upstream.play((response, request) => {
      sent = request.text
      response
        .writeHead(200, { 'Content-Type': 'application/json' })
        .end(JSON.stringify(scripts.CHAT_COMPLETION))
    })
    await (await post(gateway, customer, CHAT, exact)).text()
    expect(sent).toBe(exact)
    const streamed = exact.replace('{', '{"stream": true, "stream_options":{"x":1.0 },')
    await (await post(gateway, customer, CHAT, streamed)).text()
    expect(sent).toBe(streamed.replace('{"x":1.0 }', '{"x":1.0 ,"include_usage":true}'))
  })

  it.each([
    ['a conversation as text', 1, { conversation: 'conv_1' }],
    ['a conversation as an object', 1, { conversation: { id: 'conv_1' } }],
    [
      'a stored prompt and a file',
      2,
      {
        prompt: { id: 'pmpt_1', version: '2' },
        input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'file_1' }] }],
      },
    ],
    [
      'fields of a tool with these names',
      0,
      {
        tools: [
          { type: 'function', name: 'f', parameters: { properties: { prompt: { id: { type: 'string' } } } } },
        ],
      },
    ],
  ])('holds 16,000 tokens for each reference: %s', async (_, references, more) => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    const draft = { model: 'gpt-5', max_output_tokens: 1000, input: 'Hello', ...more }
    let held = 0
    upstream.play(async (response, request) => {
      held = await customer.held()
      await json(scripts.RESPONSE)(response, request)
    })
    expect((await post(gateway, customer, 'openai/v1/responses', draft)).status).toBe(200)
    const input_tokens = Math.ceil(JSON.stringify(draft).length / 3) + references * 16_000
    const usage = { input_tokens, output_tokens: 1000 }
    expect(micro(held)).toBe(await customer.price({ provider: 'OPENAI', model: 'gpt-5', usage }))
  })

  it('is clipped to the output that its wallet can pay, if it requests that', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    await customer.om.credits.grant({ user_id: 'ada', amount: 5 })
    upstream.play(json(scripts.CHAT_COMPLETION))
    const user = { 'X-Meter-User': 'ada' }
    const large = body('Hello', { max_tokens: 4000 })
    const refused = await post(gateway, customer, CHAT, large, user)
    expect(refused.status).toBe(402)
    await (await post(gateway, customer, CHAT, large, { ...user, 'X-Meter-Clip': 'true' })).text()
    // 5 credits pay for 250 tokens of output, less the price of the input.
    const { max_tokens } = upstream.requests[0]?.body ?? {}
    expect(max_tokens).toSatisfy((tokens) => Number(tokens) > 235 && Number(tokens) < 250)
    await customer.events(1)
  })

  it('without a limit may use all credits of the wallet, and is refused for an empty one', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    await customer.om.credits.grant({ user_id: 'ada', amount: 1 })
    const { max_tokens: _, ...open } = body()
    upstream.play(json(scripts.CHAT_COMPLETION))
    const user = { 'X-Meter-User': 'ada' }
    const first = await post(gateway, customer, CHAT, open, user)
    expect(first.status).toBe(200)
    expect(upstream.requests[0]?.body).toEqual(open)
    // The call uses more credits than the wallet has.
    expect(first.headers.get('X-Meter-Balance')).toBe('0')
    expect((await customer.events(1))[0]?.warnings?.[0]).toMatch(/^shortfall of /)
    expect((await post(gateway, customer, CHAT, open, user)).status).toBe(402)
  })

  it('names its user, team, feature and metadata', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json(scripts.CHAT_COMPLETION))
    await (
      await post(gateway, customer, CHAT, body(), {
        'X-Meter-User': Buffer.from('zoë').toString('latin1'),
        'X-Meter-Team': 'red',
        'X-Meter-Feature': 'chat',
        'X-Meter-Metadata': '{"route":"r"}',
      })
    ).text()
    expect((await customer.events(1))[0]).toMatchObject({
      user_id: 'zoë',
      team_id: 'red',
      feature_id: 'chat',
      metadata: { route: 'r' },
    })
  })

  it.each([
    ['X-Meter-Metadata', '[1]'],
    ['X-Meter-Metadata', '{'],
    ['X-Meter-Feature', '..'],
    ['X-Meter-On-Abort', 'free'],
    ['X-Meter-Clip', 'maybe'],
    ['X-Meter-Trailer', 'maybe'],
    ['Idempotency-Key', 'x'.repeat(256)],
  ])('with a wrong header %s: %s is refused', async (name, value) => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json({}))
    const response = await post(gateway, customer, CHAT, body(), { [name]: value })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: { code: 'invalid_request', message: expect.stringContaining(name) },
    })
    expect(upstream.requests).toHaveLength(0)
  })

  it.each([
    ['openai', 'v1/chat/completions', {}, 'Send an API key as Authorization: Bearer KEY.'],
    ['anthropic', 'v1/messages', {}, 'x-api-key: KEY or as Authorization: Bearer KEY'],
    ['google', 'v1beta/models/m:generateContent', {}, 'x-goog-api-key: KEY or in the query as ?key=KEY'],
    [
      'google',
      'v1beta/models/m:generateContent?key=a',
      { 'x-goog-api-key': 'b' },
      'x-goog-api-key and the parameter key contain two different keys. Send only one.',
    ],
  ])('of %s without one key names the places of its SDK: %s', async (dialect, path, headers, text) => {
    const response = await fetch(`${gateway.url}/gateway/${dialect}/${path}`, {
      method: 'POST',
      headers: new Headers(headers),
      body: '{}',
    })
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ error: { message: expect.stringContaining(text) } })
  })

  it.each([
    ['not JSON', '{', 400, 'invalid_json'],
    ['no object', '[]', 400, 'invalid_request'],
    ['no model', '{}', 400, 'invalid_request'],
    ['a background response', '{"model":"gpt-5","background":true}', 400, 'invalid_request'],
  ])('with %s is refused', async (_, sent, status, code) => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json({}))
    const response = await post(gateway, customer, 'openai/v1/responses', sent)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ error: { code } })
  })

  it('larger than 16 MB is refused before it is read', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json({}))
    expect(await statusOf(customer.apiKey, CHAT, 'application/json', 16 * 1024 * 1024 + 1)).toBe(413)
    expect(upstream.requests).toHaveLength(0)
  })

  it.each([
    'openai/v1/files',
    'openai/v1/responses/resp_1/cancel',
    'openai/v2/chat/completions',
    'anthropic/v1/messages/batches',
    'google/v1beta/models/gemini-2.5-pro:batchGenerateContent',
    'google/v1beta/files',
  ])('to %s, which cannot be charged, is 404', async (target) => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json({}))
    expect((await post(gateway, customer, target, body())).status).toBe(404)
    expect(upstream.requests).toHaveLength(0)
  })

  it('with a wrong method is 405 and names the right one', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    const response = await fetch(`${gateway.url}/gateway/${CHAT}`, {
      headers: { Authorization: `Bearer ${customer.apiKey}` },
    })
    expect([response.status, response.headers.get('Allow')]).toEqual([405, 'POST'])
    expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } })
  })

  it('needs the scope gateway:use', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json({}))
    const { api_key } = await customer.om.apiKeys.create({ name: 'reader', scopes: ['credits:read'] })
    const response = await post(gateway, { ...customer, apiKey: String(api_key) }, CHAT, body())
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ error: { code: 'insufficient_scope' } })
  })
})

describe('the key of a call', () => {
  it('is refused while the call runs and afterwards, so one of five concurrent calls is charged', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(stream)
    const key = { 'Idempotency-Key': 'k1' }
    const responses = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const response = await post(gateway, customer, CHAT, body('Hello', { stream: true }), key)
        return { status: response.status, text: await response.text() }
      }),
    )
    expect(responses.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409, 409])
    const [event] = await customer.events(1)
    expect(micro(event?.credits_burned ?? 0)).toBe(await customer.price(scripts.CHAT_PRICE))
    const again = await post(gateway, customer, CHAT, body('Hello', { stream: true }), key)
    expect(await again.json()).toMatchObject({ error: { code: 'already_processed', event_id: event?.id } })
    const other = await post(gateway, customer, CHAT, body('Bye', { stream: true }), key)
    expect(await other.json()).toMatchObject({ error: { code: 'idempotency_mismatch' } })
    expect(upstream.requests).toHaveLength(1)
  })
})

it('the trailer of a stream is the charge of its event', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  upstream.play(stream)
  const response = await post(gateway, customer, CHAT, body('Hello', { stream: true }), {
    'X-Meter-Trailer': 'true',
  })
  const text = await response.text()
  const [event] = await customer.events(1)
  const credits = String(event?.credits_burned)
  const comments = [
    `: X-Meter-Event-Id: ${event?.id}\n`,
    `: X-Meter-Credits-Burned: ${credits}\n`,
    `: X-Meter-Balance: ${String(event?.balance_after)}\n`,
  ]
  expect(text.endsWith(`${scripts.DONE}${comments.join('')}\n`)).toBe(true)
})

it('speech is charged by its characters, exactly, and images by their number or tokens', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const audio = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 256))
  upstream.play((response) => {
    response.writeHead(200, { 'Content-Type': 'audio/mpeg' }).end(audio)
  })
  const spoken = await post(gateway, customer, 'openai/v1/audio/speech', {
    model: 'tts-1',
    voice: 'alloy',
    input: 'Hello 漢字',
  })
  expect(Buffer.from(await spoken.arrayBuffer()).equals(audio)).toBe(true)
  const [speech] = await customer.events(1)
  expect(speech?.usage).toEqual({ input_characters: 8 })
  const drawn = { model: 'dall-e-3', prompt: 'A shoe', size: '1792x1024', quality: 'hd' }
  upstream.play(json({ created: 1, data: [{ url: 'https://example.com/1.png' }] }))
  await (await post(gateway, customer, 'openai/v1/images/generations', drawn)).text()
  const [image] = await customer.events(2)
  expect(micro(image?.credits_burned ?? 0)).toBe(
    await customer.price({
      provider: 'OPENAI',
      model: 'dall-e-3',
      image_count: 1,
      image_size: '1792x1024',
      quality: 'hd',
    }),
  )
  expect(image?.event_type).toBe('IMAGE_GENERATION')
})
