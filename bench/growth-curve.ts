import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chart, type Panel } from './chart.ts'
import { heapUsage } from './heap.ts'
import { Inspector } from './inspector.ts'
import { cpuMs } from './process.ts'
import { bundle, PROJECT } from './raw-workerd.ts'
import { Connection, requestText } from './throughput/connection.ts'
import { startOurs } from './throughput/servers.ts'

/**
 * The second half of `npm run bench:growth`: one object grows to 100,000 wallets and a million events in ten steps.
 * The bench restarts the object after each step. It draws the throughput, the start time and the memory of each step
 * as SVG (docs/growth.svg).
 *
 * Environment variables: EVENTS and WALLETS are the final numbers of events and wallets. STATE_DIR is the folder for
 * the storage of the object. SVG is the path of the drawing.
 */

const EVENTS = Number(process.env.EVENTS ?? 1_000_000)
const WALLETS = Number(process.env.WALLETS ?? 100_000)
const SVG = process.env.SVG ?? path.join(import.meta.dirname, '..', 'docs', 'growth.svg')
const STEPS = 10
const A_REQUEST = 100
/**
 * The interval of user events: every tenth event burns the wallet of a user, and the others burn the wallet of the
 * customer.
 */
const USER_EVENT_EVERY = 10
const INGESTING = 8
const GRANTING = 50
const WARM_UPS = 5

interface Point {
  readonly events: number
  readonly wallets: number
  readonly events_per_second: number
  /** The number of events per second of CPU time, which hardly depends on other load on the machine. */
  readonly events_per_cpu_second: number
  readonly grants_per_second: number
  readonly wake_ms: number
  readonly heap_mb: number
}

/** Sends requests from concurrent callers until `next` returns undefined. Returns the duration in seconds. */
async function sendAll(
  url: URL,
  key: string,
  callers: number,
  next: () => { readonly path: string; readonly body: string } | undefined,
): Promise<number> {
  const began = performance.now()
  const call = async () => {
    const connection = await Connection.open(url)
    for (let request = next(); request; request = next()) {
      const answer = await connection.send(requestText(url, { method: 'POST', key, ...request }))
      if (answer.status >= 300) throw new Error(`${request.path} returned ${answer.status}: ${answer.body}`)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: callers }, call))
  return (performance.now() - began) / 1000
}

/**
 * Returns a function that makes one request for each `size` numbers from `from` to `until`, and then returns undefined.
 */
function batches<T>(
  from: number,
  until: number,
  size: number,
  make: (first: number) => T,
): () => T | undefined {
  let at = from
  return () => {
    if (at >= until) return undefined
    at += size
    return make(at - size)
  }
}

const grant = (user: number) => ({
  path: '/v1/credits/grant',
  body: `{"user_id":"user-${user}","amount":1000000}`,
})

function events(first: number, wallets: number) {
  const each = Array.from({ length: A_REQUEST }, (_, i) => {
    const index = first + i
    // Multiplication by a prime mixes the users. With the default numbers, only every tenth user has events.
    const user = index % USER_EVENT_EVERY === 0 ? `"user_id":"user-${(index * 7919) % wallets}",` : ''
    return `{"event_type":"TOKEN_USAGE","feature_id":"chat",${user}"provider":"OPENAI","model":"gpt-4o","input_tokens":1000,"output_tokens":500,"idempotency_key":"event-${index}"}`
  })
  return { path: '/v1/events/ingest', body: `{"events":[${each.join()}]}` }
}

async function grow(script: string, state: string): Promise<Point[]> {
  let server = await startOurs(script, state, { inspected: true })
  const [key = '', other = ''] = await server.keysOf(2)
  const points: Point[] = []
  for (let step = 1; step <= STEPS; step++) {
    const url = new URL(server.url)
    const [wallets, all] = [(WALLETS * step) / STEPS, (EVENTS * step) / STEPS]
    const granting = await sendAll(url, key, GRANTING, batches(wallets - WALLETS / STEPS, wallets, 1, grant))
    const cpu_before_ms = cpuMs(server.pids())
    const ingesting = await sendAll(
      url,
      key,
      INGESTING,
      batches(all - EVENTS / STEPS, all, A_REQUEST, (first) => events(first, wallets)),
    )
    const cpu_ms = cpuMs(server.pids()) - cpu_before_ms
    await server.stop()
    server = await startOurs(script, state, { inspected: true, restarted: true })
    const wake_ms = await wakeMs(new URL(server.url), key, other)
    const inspector = await Inspector.open(await server.workerd.inspector())
    const heap = await heapUsage(inspector)
    inspector.close()
    points.push({
      events: all,
      wallets,
      events_per_second: EVENTS / STEPS / ingesting,
      events_per_cpu_second: (1000 * EVENTS) / STEPS / cpu_ms,
      grants_per_second: WALLETS / STEPS / granting,
      wake_ms,
      heap_mb: heap.used + heap.outside,
    })
    console.log(
      JSON.stringify(points.at(-1), (_, value) =>
        typeof value === 'number' ? Math.round(value * 10) / 10 : value,
      ),
    )
  }
  await server.stop()
  return points
}

/**
 * Returns the time of a customer's first event after a restart, in ms. Requests of another customer first warm up the
 * process and the route.
 */
async function wakeMs(url: URL, key: string, other: string): Promise<number> {
  const connection = await Connection.open(url)
  const send = (as: string, name: string) =>
    connection.send(
      requestText(url, {
        method: 'POST',
        key: as,
        path: '/v1/events/ingest',
        body: `{"event_type":"CUSTOM","feature_id":"wake","unit":"u","quantity":1,"idempotency_key":"${name}"}`,
      }),
    )
  for (let i = 0; i < WARM_UPS; i++) await send(other, crypto.randomUUID())
  const began = performance.now()
  await send(key, crypto.randomUUID())
  const wake_ms = performance.now() - began
  connection.close()
  return wake_ms
}

function panels(points: readonly Point[]): Panel[] {
  const at = (value: (point: Point) => number) =>
    points.map((point) => ({ x: point.events, y: value(point) }))
  return [
    {
      title: 'events for a second of CPU time, batches of 100',
      points: at(({ events_per_cpu_second }) => events_per_cpu_second),
    },
    { title: 'grants a second, a new wallet each', points: at(({ grants_per_second }) => grants_per_second) },
    { title: 'ms of the first keyed event after a start', points: at(({ wake_ms }) => wake_ms) },
    { title: 'MB of heap then', points: at(({ heap_mb }) => heap_mb) },
  ]
}

const home = path.resolve(process.env.STATE_DIR ?? tmpdir())
mkdirSync(home, { recursive: true })
const state = mkdtempSync(path.join(home, 'bench-growth-curve-'))
try {
  const points = await grow(bundle(PROJECT, path.join(state, 'script')), path.join(state, 'objects'))
  const title = `One object from 0 to ${EVENTS.toLocaleString('en')} events and ${WALLETS.toLocaleString('en')} wallets`
  writeFileSync(SVG, chart(title, 'events', panels(points)))
} finally {
  rmSync(state, { recursive: true, force: true })
}
