import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { json, sse, startUpstream, type Upstream } from '../support/upstream.ts'
import { gatewayCustomer, post, startGateway } from './gateway.ts'
import * as scripts from './scripts.ts'

/** Tests of the memory that large bodies take. All bodies in an isolate share 5 MB until their responses begin. */

const gateway = inject('server')
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

const CHAT = 'openai/v1/chat/completions'
const MB = 1024 * 1024
/** Returns a body with an image, because the hold of an image is small. */
const body = (bytes: number) => {
  const image_url = { url: `data:image/png;base64,${'A'.repeat(bytes)}` }
  const content = [{ type: 'image_url', image_url }]
  return { model: scripts.CHAT_MODEL, max_tokens: 1, messages: [{ role: 'user', content }] }
}

/** Sends a chunked body, which declares no length. */
function postChunked(apiKey: string, bytes: number): Promise<Response> {
  const init = { body: new Blob([JSON.stringify(body(bytes))]).stream(), duplex: 'half' } as const
  return fetch(`${gateway.url}/gateway/${CHAT}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
    ...init,
  })
}

it('a large body without a declared length waits for memory, and a small one does not', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const first = Promise.withResolvers<void>()
  upstream.play(async (response, request) => {
    if (upstream.requests.length === 1) await first.promise
    await json(scripts.CHAT_COMPLETION)(response, request)
  })
  const responses = [post(gateway, customer, CHAT, body(4 * MB))]
  await expect.poll(() => upstream.requests.length, { timeout: 20_000 }).toBe(1)
  responses.push(postChunked(customer.apiKey, 2 * MB))
  expect((await postChunked(customer.apiKey, 1000)).status).toBe(200)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(upstream.requests).toHaveLength(2)
  first.resolve()
  expect((await Promise.all(responses)).map(({ status }) => status)).toEqual([200, 200])
  expect(upstream.requests.map(({ text }) => text.length > MB)).toEqual([true, false, true])
})

it('a running stream does not keep the body of its request in memory', async () => {
  const server = await startGateway()
  try {
    const customer = await gatewayCustomer(server.url, upstream.url)
    upstream.play(sse([{ choices: [{ index: 0, delta: { content: 'Hello' } }] }], { hang: true }))
    const large = JSON.stringify({ ...body(8 * MB), stream: true })
    const before = server.memory()
    const readers: unknown[] = []
    for (let streams = 0; streams < 30; streams++) {
      const reader = (await post(server, customer, CHAT, large)).body?.getReader()
      expect((await reader?.read())?.done).toBe(false)
      readers.push(reader)
      upstream.requests.length = 0
    }
    // The bodies have 240 MB, and took three times as much with their text and their parsed objects.
    expect(server.memory() - before).toBeLessThan(400 * MB)
  } finally {
    await server.stop()
  }
})

const part = (name: string, content: string) =>
  `--XX\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`

it.each([
  [CHAT, 'application/json', JSON.stringify(body(100_000))],
  [
    'openai/v1/audio/transcriptions',
    'multipart/form-data; boundary=XX',
    `${part('file', 'a'.repeat(100_000))}${part('model', 'whisper-1')}--XX--\r\n`,
  ],
])('a body in chunks of one byte takes little memory: %s', async (target, type, text) => {
  const server = await startGateway()
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  try {
    const { apiKey } = await gatewayCustomer(server.url, upstream.url)
    upstream.play(json(scripts.CHAT_COMPLETION))
    const before = server.memory()
    const headers = `Host: x\r\nAuthorization: Bearer ${apiKey}\r\nContent-Type: ${type}`
    socket.write(`POST /gateway/${target} HTTP/1.1\r\n${headers}\r\nTransfer-Encoding: chunked\r\n\r\n`)
    const chunks = Array.from(text, (byte) => `1\r\n${byte}\r\n`)
    socket.write(`${chunks.join('')}0\r\n\r\n`)
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /)
    // The runtime reads each byte into a buffer of 4 KB, so that all buffers together have up to 400 MB.
    expect(server.memory() - before).toBeLessThan(200 * MB)
  } finally {
    socket.destroy()
    await server.stop()
  }
})
