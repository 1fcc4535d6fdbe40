import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { json, type Script, startUpstream, type Upstream } from '../support/upstream.ts'
import { type GatewayCustomer, gatewayCustomer } from './gateway.ts'

/** Tests of audio uploads: how they are relayed, refused and charged. */

const gateway = inject('server')
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

const TARGET = '/gateway/openai/v1/audio/transcriptions'
const TYPE = 'multipart/form-data; boundary=XX'
const END = '\r\n--XX--\r\n'

const field = (name: string, value: string) =>
  `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
const FILE = '--XX\r\nContent-Disposition: form-data; name="file"; filename="speech.mp3"\r\n\r\n'

const plain =
  (text: string): Script =>
  (response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain' }).end(text)
  }

/** Returns a form with `bytes` bytes of audio. */
function form(bytes: number, format = 'text'): FormData {
  const data = new FormData()
  data.append('file', new File([new Uint8Array(bytes)], 'speech.mp3', { type: 'audio/mpeg' }))
  data.append('model', 'whisper-1')
  data.append('response_format', format)
  return data
}

/** Sends an upload. A list of pieces is sent without a length. */
function upload(
  { apiKey }: GatewayCustomer,
  body: FormData | string | Iterable<string>,
  type = TYPE,
): Promise<Response> {
  const sent = { method: 'POST', headers: { Authorization: `Bearer ${apiKey}` } }
  if (body instanceof FormData) return fetch(gateway.url + TARGET, { ...sent, body })
  const headers = { ...sent.headers, 'Content-Type': type }
  if (typeof body === 'string') return fetch(gateway.url + TARGET, { ...sent, headers, body })
  const pieces = body[Symbol.iterator]()
  const stream = new ReadableStream({
    pull(controller) {
      const { done, value } = pieces.next()
      if (done) controller.close()
      else controller.enqueue(Buffer.from(value, 'latin1'))
    },
  })
  // The types of `fetch` do not have `duplex` yet.
  const streamed = { ...sent, headers, body: stream, duplex: 'half' }
  return fetch(gateway.url + TARGET, streamed)
}

/** Sends the headers of an upload on a connection of its own. */
function opened({ apiKey }: GatewayCustomer, header: string): Socket {
  const { hostname, port } = new URL(gateway.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  const headers = `Host: x\r\nAuthorization: Bearer ${apiKey}\r\nContent-Type: ${TYPE}\r\n${header}`
  socket.write(`POST ${TARGET} HTTP/1.1\r\n${headers}\r\n\r\n`)
  return socket
}

/** Returns the next bytes that a connection receives. */
const received = async (socket: Socket) =>
  String(await new Promise((resolve) => socket.once('data', resolve)))

/** Starts an upload on a connection, and resets the connection when the hold is placed. */
async function resetDuring(customer: GatewayCustomer, header: string, start: Buffer): Promise<void> {
  const socket = opened(customer, header)
  socket.write(start)
  await expect.poll(customer.held, { timeout: 15_000 }).toBeGreaterThan(0)
  socket.resetAndDestroy()
}

/** Waits until the customer has no open hold, and expects that no call was charged or reached the provider. */
async function expectNothing(customer: GatewayCustomer): Promise<void> {
  await expect.poll(customer.held, { timeout: 15_000 }).toBe(0)
  expect((await customer.om.events.list()).data).toEqual([])
  expect(upstream.requests).toHaveLength(0)
}

describe('an upload', () => {
  it('of 20 MB arrives byte by byte, and its response without usage is charged by its length', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(plain('Hello'))
    const bytes = 20_000_000
    expect(await (await upload(customer, form(bytes))).text()).toBe('Hello')
    const { text, headers } = upstream.requests[0] ?? {}
    expect(Number(headers?.['content-length'])).toBe(text?.length)
    expect(text?.length).toBeGreaterThan(bytes)
    const [event] = await customer.events(1)
    // One second of audio that is not measured has 2,000 bytes.
    expect(event?.usage).toEqual({ audio_seconds: 10_000 })
    expect(event?.warnings).toEqual(['estimated', 'no_usage'])
  })

  it('larger than 25 MB is refused, and so is one that no wallet can pay', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json({}))
    const socket = opened(customer, `Content-Length: ${25 * 1024 * 1024 + 1}`)
    expect(await received(socket)).toMatch(/^HTTP\/1.1 413 /)
    socket.destroy()
    await customer.om.credits.adjust({ amount: -9_999.999, reason: 'poor' })
    expect((await upload(customer, form(1_000_000))).status).toBe(402)
    expect(upstream.requests).toHaveLength(0)
  })
})

/** The response to 600 seconds of audio. */
const TEN_MINUTES = json({ text: 'Hello', usage: { type: 'duration', seconds: 600 } })

it('an upload is charged for its field model, and not for a text that looks like one', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  upstream.play(TEN_MINUTES)
  const decoy = field('prompt', 'Hello name="model"\r\n\r\ngpt-4o-mini-transcribe\r\n')
  const sent = decoy + field('model', 'whisper-1') + FILE + 'a'.repeat(2_000) + END
  expect((await upload(customer, sent)).status).toBe(200)
  const usage = { provider: 'OPENAI', model: 'whisper-1', usage: { audio_seconds: 600 } } as const
  expect(await customer.burned(1)).toBe(await customer.price(usage))
})

it('an upload with two models is refused, even if the second one arrives after the file', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  upstream.play(TEN_MINUTES)
  const [first, second] = [field('model', 'no-such-model'), field('model', 'whisper-1')]
  const message = 'The body is invalid: /model must be sent only once.'
  for (const audio of ['a'.repeat(2_000), 'a'.repeat(2_000_000)]) {
    const pieces = [first, FILE, audio, '\r\n', second, END]
    for (const sent of [pieces, pieces.join('')]) {
      const response = await upload(customer, sent)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        error: { type: 'invalid_request_error', code: 'invalid_request', message },
      })
    }
  }
  await expectNothing(customer)
})

it('the response to a refused upload waits for its end, but at most a second', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const models = field('model', 'no-such-model') + field('model', 'whisper-1')
  const chunk = `${models.length.toString(16)}\r\n${models}\r\n`
  for (const ends of [true, false]) {
    const socket = opened(customer, 'Transfer-Encoding: chunked')
    socket.write(chunk)
    const response = received(socket)
    const pause = new Promise((resolve) => setTimeout(resolve, 200, 'no response'))
    expect(await Promise.race([response, pause])).toBe('no response')
    if (ends) socket.write('0\r\n\r\n')
    expect(await response).toMatch(/^HTTP\/1.1 400 /)
    socket.destroy()
  }
})

it('an upload without a valid boundary is refused', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  upstream.play(TEN_MINUTES)
  for (const type of ['multipart/form-data', `${TYPE}; boundary=YY`]) {
    const response = await upload(customer, field('model', 'whisper-1') + END, type)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: { message: 'The body must have one valid boundary in its Content-Type.' },
    })
  }
  await expectNothing(customer)
})

describe('an upload without a length', () => {
  it('is charged by the bytes that were relayed', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(plain('Hello'))
    const fields = field('model', 'whisper-1') + field('response_format', 'text')
    const response = await upload(customer, [fields, FILE, '\0'.repeat(32_000), END])
    expect(await response.text()).toBe('Hello')
    expect((await customer.events(1))[0]?.usage).toEqual({ audio_seconds: 16 })
  })

  it('larger than 25 MB is refused and costs nothing, and the provider gets no complete request', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json({ text: 'Hello', usage: { type: 'duration', seconds: 3 } }))
    const audio = Array.from({ length: 30 }, () => '\0'.repeat(1_000_000))
    const response = await upload(customer, [field('model', 'whisper-1'), FILE, ...audio, END])
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({
      error: { type: 'invalid_request_error', code: 'body_too_large' },
    })
    await expectNothing(customer)
  })
})

it.each(['Content-Length: 20000000', 'Transfer-Encoding: chunked'])(
  'an upload with %s whose client disconnects costs nothing',
  async (header) => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json({ text: 'Hello', usage: { type: 'duration', seconds: 3 } }))
    const start = field('model', 'whisper-1') + FILE + '\0'.repeat(200_000)
    const chunk = header.startsWith('T') ? `${start.length.toString(16)}\r\n${start}\r\n` : start
    await resetDuring(customer, header, Buffer.from(chunk, 'latin1'))
    await expectNothing(customer)
  },
)

describe('a transcription without a usage report', () => {
  const charged = async (audio: Uint8Array<ArrayBuffer>, format: string, answer: string) => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(plain(answer))
    const body = form(0, format)
    body.set('file', new File([audio], 'speech'))
    await (await upload(customer, body)).text()
    return (await customer.events(1))[0]
  }

  it.each(['srt', 'vtt'])('is charged to the end of the last subtitle in %s', async (format) => {
    const cues = '1\n00:00:00,000 --> 00:09:00,000\nHello\n\n2\n00:09:00,000 --> 00:09:59,500\nWorld\n'
    const answer = format === 'srt' ? cues : `WEBVTT\n\n${cues.replaceAll('00:0', '0').replaceAll(',', '.')}`
    const event = await charged(new Uint8Array(600_000), format, answer)
    expect(event).toMatchObject({ usage: { audio_seconds: 600 }, warnings: ['estimated', 'no_usage'] })
  })

  it('is charged as the largest upload if the form names the audio by URL', async () => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(plain('Hello'))
    const sent = field('model', 'whisper-1') + field('url', 'https://example.com/speech.mp3') + END
    await (await upload(customer, sent)).text()
    expect((await customer.events(1))[0]?.usage).toEqual({ audio_seconds: 13_108 })
  })

  it('is not charged by a text that looks like a subtitle', async () => {
    const event = await charged(new Uint8Array(600_000), 'text', '00:00:00,000 --> 00:00:01,000')
    expect(event?.usage).toEqual({ audio_seconds: 300 })
  })

  it('is charged by the measured duration, even if the bit rate is low', async () => {
    // Frames of MPEG-2 Layer III with 8 kbit/s at 24 kHz have 24 bytes and 24 ms.
    const frame = [0xff, 0xf3, 0x14, 0xc4, ...new Uint8Array(20)]
    const audio = new Uint8Array(25_000 * frame.length).map((_, index) => frame[index % frame.length] ?? 0)
    const event = await charged(audio, 'text', 'Hello')
    expect(event).toMatchObject({ usage: { audio_seconds: 600 }, warnings: ['estimated', 'no_usage'] })
  })
})

it.each([
  [
    'gpt-4o-mini-transcribe',
    { type: 'duration', seconds: 60 },
    { input_tokens: 600, input_audio_tokens: 600, output_tokens: 240 },
  ],
  [
    'whisper-1',
    { type: 'tokens', input_tokens: 600, output_tokens: 100, total_tokens: 700 },
    { audio_seconds: 60 },
  ],
] as const)(
  'a transcription of %s with another unit than its price is charged',
  async (model, reported, usage) => {
    const customer = await gatewayCustomer(gateway.url, upstream.url)
    upstream.play(json({ text: 'Hello', usage: reported }))
    const sent = field('model', model) + FILE + 'a'.repeat(120_000) + END
    expect((await upload(customer, sent)).status).toBe(200)
    const [event] = await customer.events(1)
    expect(event).toMatchObject({ usage, warnings: ['estimated', 'other_unit'] })
    expect(await customer.burned(1)).toBe(await customer.price({ provider: 'OPENAI', model, usage }))
  },
)
