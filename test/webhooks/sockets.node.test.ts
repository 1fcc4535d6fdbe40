import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createSocketServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { build } from 'esbuild'
// The packages that wrangler depends on, in its versions.
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ROOT } from '../support/npm-start.ts'
import { useRealTime } from '../support/real-time.ts'

useRealTime()

/**
 * Tests `send`, which makes each attempt of a delivery, in workerd with receivers on real sockets. In production, the
 * address is checked before `send`, and loopback addresses are refused. Only this test calls `send` without this check.
 */

const WORKER = `
  import { send, SEND_LIMITS } from './src/webhooks/delivery/send.ts'
  export default {
    async fetch(request) {
      const { url, timeout_ms } = await request.json()
      return Response.json(await send({ url, headers: {}, body: '{"id":"ntf_1"}' }, { ...SEND_LIMITS, timeout_ms }))
    },
  }`
const TIMEOUT_MS = 500

const WORK = mkdtempSync(path.join(tmpdir(), 'openmonetize-sockets-'))
const servers: Server[] = []
const sockets = new Set<Socket>()
let workerd: Miniflare | undefined

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: { contents: WORKER, resolveDir: ROOT, loader: 'ts' },
    ...{ bundle: true, write: false, format: 'esm', platform: 'neutral', external: ['node:*'] },
  })
  workerd = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          modules: [{ type: 'ESModule', path: 'worker.mjs', contents: outputFiles[0]?.text ?? '' }],
          compatibilityDate: '2026-10-01',
          compatibilityFlags: ['nodejs_compat'],
        },
      ],
    }),
  )
  await workerd.ready
}, 120_000)

afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
  await workerd?.dispose()
  rmSync(WORK, { recursive: true, force: true })
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the receiver has no address')
  return address.port
}

const receiver = async (answer: RequestListener) =>
  `http://127.0.0.1:${await listen(createServer(answer))}/hook`
const rawReceiver = async (talk: (socket: Socket) => void) =>
  `http://127.0.0.1:${await listen(createSocketServer(talk))}/hook`

interface Sent {
  readonly attempt: Readonly<Record<string, unknown>>
  readonly retry_after_ms?: number
}

async function send(url: string): Promise<Sent> {
  if (!workerd) throw new Error('workerd has not started')
  const body = JSON.stringify({ url, timeout_ms: TIMEOUT_MS })
  const response = await workerd.dispatchFetch('http://worker/', { method: 'POST', body })
  return { ...Object(await response.json()) }
}

const FAILED = { status_code: null, error: 'connection_failed', answer: '' }
const LATE = { status_code: null, error: 'timeout', answer: '' }

it('refuses a self-signed certificate, and sends no message', async () => {
  const [key, cert] = ['key.pem', 'cert.pem'].map((file) => path.join(WORK, file))
  if (key === undefined || cert === undefined) throw new Error('two files are needed')
  const options = [
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync('openssl', ['req', ...options, ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' })
  let requests = 0
  let handshakes = 0
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => {
    requests++
    response.end()
  })
  server.on('tlsClientError', () => handshakes++)
  const port = await listen(server)
  for (const host of ['127.0.0.1', 'localhost']) {
    expect((await send(`https://${host}:${port}/hook`)).attempt).toMatchObject(FAILED)
  }
  expect(handshakes).toBe(2)
  expect(requests).toBe(0)
})

it('fails where a receiver speaks no TLS, refuses the connection, or resets it', async () => {
  const plain = await receiver((_, response) => response.end())
  expect((await send(plain.replace('http:', 'https:'))).attempt).toMatchObject(FAILED)
  const closed = createServer()
  const port = await listen(closed)
  await new Promise((resolve) => closed.close(resolve))
  expect((await send(`http://127.0.0.1:${port}/hook`)).attempt).toMatchObject(FAILED)
  const resets = await rawReceiver((socket) => socket.on('data', () => socket.resetAndDestroy()))
  expect((await send(resets)).attempt).toMatchObject(FAILED)
})

it('stops waiting for headers that arrive byte by byte or never', async () => {
  const slow = await rawReceiver((socket) => {
    const bytes = 'HTTP/1.1 200 OK\r\nX-Slow: '
    let sent = 0
    const timer = setInterval(() => socket.write(bytes[sent++] ?? 'a'), 20)
    socket.on('close', () => clearInterval(timer))
  })
  const began = performance.now()
  expect((await send(slow)).attempt).toMatchObject(LATE)
  expect((await send(await rawReceiver(() => undefined))).attempt).toMatchObject(LATE)
  expect(performance.now() - began).toBeGreaterThanOrEqual(2 * TIMEOUT_MS)
})

it('keeps the received part of a body that arrives byte by byte: the status decides', async () => {
  const url = await receiver((_, response) => {
    response.writeHead(200)
    response.write('slowl')
  })
  expect((await send(url)).attempt).toMatchObject({ status_code: 200, error: null, answer: 'slowl' })
})

it('reads 1 KB of 10 MB, and closes the connection', async () => {
  const chunk = Buffer.alloc(64 * 1024, 'a')
  const chunks = 160
  let written = 0
  let close = () => {}
  const closed = new Promise<void>((resolve) => {
    close = resolve
  })
  const url = await receiver((request, response) => {
    request.resume()
    const write = () => {
      while (written < chunks) {
        written++
        if (!response.write(chunk)) {
          response.once('drain', write)
          return
        }
      }
      response.end()
    }
    write()
    response.on('close', close)
  })
  expect((await send(url)).attempt).toMatchObject({ status_code: 200, answer: 'a'.repeat(1_024) })
  await closed
  // The receiver must not have written the whole body. The exact number of written chunks depends on the buffers of the
  // sockets.
  expect(written).toBeLessThan(chunks)
})

it.each([301, 302, 307, 308])('does not follow a redirect with %d', async (code) => {
  let followed = 0
  const other = await receiver((_, response) => {
    followed++
    response.end()
  })
  const url = await receiver((_, response) => response.writeHead(code, { Location: other }).end('moved'))
  expect((await send(url)).attempt).toMatchObject({ status_code: code, error: null, answer: 'moved' })
  expect(followed).toBe(0)
})

it('reports 410, and 429 with the time of Retry-After', async () => {
  const gone = await receiver((_, response) => response.writeHead(410).end())
  expect((await send(gone)).attempt).toMatchObject({ status_code: 410, error: null })
  const busy = await receiver((_, response) => response.writeHead(429, { 'Retry-After': '120' }).end('busy'))
  expect(await send(busy)).toMatchObject({
    attempt: { status_code: 429, answer: 'busy' },
    retry_after_ms: 120_000,
  })
})
