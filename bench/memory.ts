import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { peakHeapOf } from './heap.ts'
import { Inspector } from './inspector.ts'
import { bundle, migrateD1, PROJECT, type RawWorkerd, startWorkerd } from './raw-workerd.ts'

/**
 * `npm run test:memory`: measures the peak heap of the Worker and its objects, which share one isolate here. It
 * measures the requests that need the most memory, alone and four at the same time, and then a flush and list requests.
 * The test fails if the heap reaches 64 MB. An isolate has 128 MB, and several objects may share it.
 *
 * Environment variables: SAMPLE=1 measures only the metadata that needs the most memory when it is parsed. ONLY is the
 * name of the one entry of `BODIES` that is measured.
 */

const MAX_HEAP_MB = 64
const EVENTS = 250
const TOKEN = 'bench-operator-token'
const BINDINGS = {
  OPERATOR_TOKEN: TOKEN,
  RATE_LIMIT_ENTERPRISE: '1000000000',
  LOG_SAMPLE_RATE: '0',
  SLOW_REQUEST_MS: '600000',
  FLUSH_DELAY_MS: '3600000',
}

const event = { event_type: 'CUSTOM', feature_id: 'f', unit: 'u', quantity: 1 }

function events(fields: object, count = EVENTS): string {
  return JSON.stringify({ events: Array.from({ length: count }, () => ({ ...event, ...fields })) })
}

function list<T>(length: number, item: T): T[] {
  return Array.from({ length }, () => item)
}

/** Bodies of up to 4 MB. Each needs the most memory of its kind when its JSON is parsed, escaped or stored. */
const BODIES: Readonly<Record<string, () => string>> = {
  'metadata of {}': () => events({ metadata: { a: list(5_430, {}) } }),
  'metadata of ""': () => events({ metadata: { a: list(5_430, '') } }),
  'metadata of one long text': () => events({ metadata: { a: 'x'.repeat(16_300) } }),
  'metadata in two-byte letters': () => events({ metadata: { a: `語${'x'.repeat(16_000)}` } }),
  'metadata of small values': () => events({ metadata: { a: list(8_100, 0) } }),
  'provider_response of {}': () => events({ provider_response: { output: list(140_000, {}) } }, 1),
  'unknown fields': () =>
    events({ usage: { custom: Object.fromEntries(list(9_000, 0).map((_, i) => [`unit_${i}`, i])) } }, 15),
  'many small events': () => events({ metadata: { id: 1, plan: 'pro' } }, 1_000),
}

const failures: string[] = []

async function call(server: RawWorkerd, key: string, route: string, body?: string): Promise<string> {
  const response = await fetch(`${server.url}${route}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    ...(body !== undefined && { body }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${route} returned ${response.status}: ${text.slice(0, 300)}`)
  return text
}

/** Sends events like a client that retries when the service is busy. */
async function post(server: RawWorkerd, key: string, body: string): Promise<number> {
  let busy = 0
  for (;;) {
    const response = await fetch(`${server.url}/v1/events/ingest`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body,
    })
    const text = await response.text()
    if (response.ok) return busy
    if (response.status !== 503)
      throw new Error(`/v1/events/ingest returned ${response.status}: ${text.slice(0, 300)}`)
    busy++
    await sleep(200)
  }
}

async function register(server: RawWorkerd, name: string): Promise<string> {
  const json = JSON.stringify({ name, email: `${name}@bench.example`, tier: 'ENTERPRISE' })
  const answer: { readonly api_key: string } = JSON.parse(
    await call(server, TOKEN, '/v1/customers/register', json),
  )
  await call(server, answer.api_key, '/v1/credits/grant', '{"amount":1000000000}')
  return answer.api_key
}

/**
 * Flushes the ledger to D1. `GET /v1/users` flushes before it reads. It returns 503 until all entries are flushed, so
 * the request is repeated.
 */
async function flush(server: RawWorkerd, key: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${server.url}/v1/users`, { headers: { Authorization: `Bearer ${key}` } })
    await response.text()
    if (response.ok) return
    if (response.status !== 503) throw new Error(`/v1/users returned ${response.status}`)
    await sleep(500)
  }
}

async function measure(
  start: () => Promise<RawWorkerd>,
  what: string,
  work: (server: RawWorkerd) => Promise<unknown>,
): Promise<void> {
  // Each case uses a new isolate, so that the garbage of other cases is not counted.
  const server = await start()
  const inspector = await Inspector.open(await server.inspector())
  try {
    const { used, outside } = await peakHeapOf(inspector, () => work(server))
    const fine = used < MAX_HEAP_MB
    console.log(`  ${fine ? 'ok  ' : 'MISS'} ${what}: ${used.toFixed(0)} MB, ${outside.toFixed(0)} outside`)
    if (!fine) failures.push(what)
  } finally {
    inspector.close()
    await server.stop()
  }
}

async function measureKind(start: () => Promise<RawWorkerd>, kind: string, body: string): Promise<void> {
  console.log(`${kind} (${(body.length / 1024 / 1024).toFixed(1)} MB)`)
  let key = ''
  await measure(start, 'one request', async (server) => {
    await migrateD1(await server.d1())
    key = await register(server, `customer-${crypto.randomUUID()}`)
    await post(server, key, body)
  })
  await measure(start, 'four at once', async (server) => {
    const busy = await Promise.all(list(4, 0).map(() => post(server, key, body)))
    const refused = busy.reduce((sum, times) => sum + times, 0)
    if (refused > 0) console.log(`       ${refused} of them got 503 first`)
  })
  const lists = { list: '/v1/events?limit=100', 'list that finds none': '/v1/events?feature_id=none' }
  for (const [what, path] of Object.entries(lists)) {
    await measure(start, `a ${what}`, (server) => call(server, key, path))
  }
  await measure(start, 'the flush', (server) => flush(server, key))
  for (const [what, path] of Object.entries(lists)) {
    await measure(start, `a ${what}, out of pages`, (server) => call(server, key, path))
  }
}

const state = mkdtempSync(path.join(tmpdir(), 'memory-'))
try {
  const script = bundle(PROJECT, path.join(state, 'script'))
  const only = process.env.ONLY ?? (process.env.SAMPLE === '1' ? 'metadata of {}' : undefined)
  for (const [kind, body] of Object.entries(BODIES)) {
    if (only !== undefined && only !== kind) continue
    const folder = path.join(state, crypto.randomUUID())
    await measureKind(
      () => startWorkerd(PROJECT, script, folder, BINDINGS, { inspected: true }),
      kind,
      body(),
    )
  }
} finally {
  rmSync(state, { recursive: true, force: true })
}
if (failures.length > 0) {
  console.error(`Peaks of the heap that reach ${MAX_HEAP_MB} MB: ${failures.length}`)
  process.exitCode = 1
}
