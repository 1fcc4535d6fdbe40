import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { bundle, migrateD1, PROJECT, type RawWorkerd, startWorkerd } from './raw-workerd.ts'

/**
 * `npm run bench:growth`: ingests a million events of one customer through this Worker in raw workerd. Each request has
 * 100 events, each with an idempotency key. One run uses keys that sort by time, and another run uses random keys. The
 * bench fails if the last tenth is slower than the first by more than the limit, if an object with all events starts
 * more slowly than a nearly empty one by more than the limit, or if its first keyed event takes longer than 150 ms.
 * Parts of the last tenth alternate with parts of the first tenth of an empty customer, so that other load on the
 * machine affects both rates equally. Absolute times are valid only for one machine.
 *
 * Environment variables: EVENTS is the number of events (default: 1,000,000). STATE_DIR is the folder for the storage
 * of the objects (default: the temporary folder of the system). ORDER is `time` or `random` and selects one of the two
 * runs.
 */

const EVENTS = Number(process.env.EVENTS ?? 1_000_000)
const A_REQUEST = 100
const AT_ONCE = 8
const TURNS = 20
const STARTS = 7
const MAX_START_MS = 150
const MAX_WAKE_RATIO = 1.2

const ORDERS = { time: 0.9, random: 0.8 } as const
type Order = keyof typeof ORDERS

const TOKEN = 'bench-operator-token'
const BINDINGS = {
  OPERATOR_TOKEN: TOKEN,
  RATE_LIMIT_ENTERPRISE: '1000000000',
  LOG_SAMPLE_RATE: '0',
  SLOW_REQUEST_MS: '600000',
}

const failures: string[] = []

function check(what: string, is: number, fine: boolean, wanted: string): void {
  console.log(`  ${fine ? 'ok  ' : 'MISS'} ${what}: ${Number(is.toPrecision(3))} (${wanted})`)
  if (!fine) failures.push(what)
}

async function call(server: RawWorkerd, key: string, route: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${server.url}${route}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${route} returned ${response.status}: ${await response.text()}`)
  return response.json()
}

/** Registers a customer with more credits than all events cost, and returns its API key. */
async function register(server: RawWorkerd, name: string): Promise<string> {
  const answer = await call(server, TOKEN, '/v1/customers/register', {
    name,
    email: `${name}@bench.example`,
    tier: 'ENTERPRISE',
  })
  const key =
    answer !== null && typeof answer === 'object' && 'api_key' in answer ? String(answer.api_key) : ''
  await call(server, key, '/v1/credits/grant', { amount: 1_000_000_000 })
  return key
}

function event(index: number, order: Order | 'small') {
  const key = order === 'random' ? crypto.randomUUID() : `${order}-${String(index).padStart(12, '0')}`
  return {
    event_type: 'TOKEN_USAGE',
    feature_id: 'chat',
    provider: 'OPENAI',
    model: 'gpt-4o',
    input_tokens: 900 + (index % 200),
    output_tokens: 400 + (index % 100),
    idempotency_key: key,
  }
}

/** Ingests the events from `from` to `until`, and returns the number of events per second. */
async function ingest(
  server: RawWorkerd,
  key: string,
  order: Order,
  from: number,
  until: number,
): Promise<number> {
  const began = performance.now()
  let next = from
  const caller = async () => {
    while (next < until) {
      const first = next
      next += A_REQUEST
      const events = Array.from({ length: A_REQUEST }, (_, i) => event(first + i, order))
      const answer = await call(server, key, '/v1/events/ingest', { events })
      if (!answer || typeof answer !== 'object' || !('accepted' in answer) || answer.accepted !== A_REQUEST) {
        throw new Error(
          `some of ${A_REQUEST} events were not accepted: ${JSON.stringify(answer).slice(0, 500)}`,
        )
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, caller))
  return (until - from) / ((performance.now() - began) / 1000)
}

/** The number of events per second over several intervals. */
class Total {
  private events = 0
  private seconds = 0

  add(events: number, rate: number): void {
    this.events += events
    this.seconds += events / rate
  }

  get rate(): number {
    return this.events / this.seconds
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0)
}

async function grow(script: string, home: string, order: Order): Promise<void> {
  const state = path.join(home, order)
  const start = () => startWorkerd(PROJECT, script, state, BINDINGS)
  let server = await start()
  await migrateD1(await server.d1())
  const large = await register(server, 'large')
  const empty = await register(server, 'empty')
  const small = await register(server, 'small')
  const other = await register(server, 'other')
  await call(server, small, '/v1/events/ingest', event(0, 'small'))
  // Warms up the compiled code and the caches, so that the warm-up does not slow down the first tenth.
  await ingest(server, other, order, 0, Math.min(20_000, EVENTS / 10))
  console.log(`${EVENTS} events with ${order === 'time' ? 'keys that sort by time' : 'random keys'}`)
  const tenth = EVENTS / 10
  const rates: number[] = []
  for (let from = 0; from < EVENTS - tenth; from += tenth) {
    rates.push(await ingest(server, large, order, from, from + tenth))
  }
  // Alternates between parts of the last tenth and parts of the first tenth of an empty customer, so that other load on
  // the machine affects both rates equally.
  const last = new Total()
  const first = new Total()
  for (let part = 0; part < TURNS; part++) {
    const from = (part * tenth) / TURNS
    const until = from + tenth / TURNS
    last.add(tenth / TURNS, await ingest(server, large, order, EVENTS - tenth + from, EVENTS - tenth + until))
    first.add(tenth / TURNS, await ingest(server, empty, order, from, until))
  }
  console.log(
    `  events a second in each tenth: ${[...rates, last.rate].map((rate) => Math.round(rate)).join(' ')}`,
  )
  console.log(
    `  events a second of the first tenth of an empty ledger, alternating with the last tenth: ${Math.round(first.rate)}`,
  )
  const ratio = last.rate / first.rate
  check(
    'the rate of the last tenth, divided by the first',
    ratio,
    ratio >= ORDERS[order],
    `at least ${ORDERS[order]}`,
  )

  const wakes = { large: [] as number[], small: [] as number[] }
  const keyed = { large: [] as number[], small: [] as number[] }
  const read = (key: string) => () => call(server, key, '/v1/credits/balance')
  for (let round = 0; round < STARTS; round++) {
    await server.stop()
    server = await start()
    // The first requests after a start also warm up the process and the route. Another customer sends these requests,
    // so that they are not measured.
    for (let i = 0; i < 5; i++) await read(other)()
    await call(server, other, '/v1/events/ingest', event(EVENTS + round, 'small'))
    const sizes = round % 2 === 0 ? (['large', 'small'] as const) : (['small', 'large'] as const)
    for (const size of sizes) wakes[size].push(await timed(read(size === 'large' ? large : small)))
    for (const size of sizes) {
      const one = event(10 * EVENTS + round, size === 'large' ? order : 'small')
      keyed[size].push(
        await timed(() => call(server, size === 'large' ? large : small, '/v1/events/ingest', one)),
      )
    }
  }
  const [wake_large, wake_small] = [median(wakes.large), median(wakes.small)]
  console.log(
    `  first balance after a start: ${wake_large.toFixed(1)} ms; from a nearly empty object: ${wake_small.toFixed(1)} ms`,
  )
  check(
    'the ratio of these times',
    wake_large / wake_small,
    wake_large <= MAX_WAKE_RATIO * wake_small,
    `at most ${MAX_WAKE_RATIO}`,
  )
  const first_keyed = Math.max(...keyed.large)
  console.log(
    `  then the first keyed event: median ${median(keyed.large).toFixed(1)} ms; in a nearly empty object: ${median(keyed.small).toFixed(1)} ms`,
  )
  check(
    'the slowest first keyed event, in ms',
    first_keyed,
    first_keyed <= MAX_START_MS,
    `at most ${MAX_START_MS}`,
  )
  await server.stop()
  console.log(`  all state on disk: ${Math.round(sizeOf(state) / 1e6)} MB`)
}

function ordersOf(name: string | undefined): readonly Order[] {
  if (name === undefined) return ['time', 'random']
  if (name === 'time' || name === 'random') return [name]
  throw new Error(`ORDER must be time or random, not ${name}`)
}

const parent = path.resolve(process.env.STATE_DIR ?? tmpdir())
mkdirSync(parent, { recursive: true })
const home = mkdtempSync(path.join(parent, 'bench-growth-'))
try {
  const script = bundle(PROJECT, path.join(home, 'dist'))
  for (const order of ordersOf(process.env.ORDER)) {
    await grow(script, home, order)
    rmSync(path.join(home, order), { recursive: true, force: true })
  }
} finally {
  rmSync(home, { recursive: true, force: true })
}
if (failures.length > 0) {
  console.error(`failed checks: ${failures.join('; ')}`)
  process.exit(1)
}
