import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  NO_PLATFORM_USAGE,
  type PlatformUsage,
  PRICES_AS_OF,
  platformCost,
  platformCosts,
} from '../../src/admin/stats/platform-cost.ts'
import { cpuMs } from '../process.ts'
import { bundle, PROJECT } from '../raw-workerd.ts'
import { Connection, requestText } from '../throughput/connection.ts'
import { SCENARIOS, type ScenarioName } from '../throughput/scenarios.ts'
import { type Server, startOurs } from '../throughput/servers.ts'
import type { Counts } from './counting-worker.ts'

/**
 * `npm run cost`: computes the cost of a million events or requests in USD. Counts the platform operations of this
 * Worker while it handles the same requests every 5 s, flushes every 5 s and consumes its queue. The CPU time is that
 * of the whole local runtime. The free allowances of the Cloudflare plan are not deducted.
 *
 * Environment variables: JSON is the file that the results are written to. ONLY selects the cases whose title contains
 * this text.
 */

interface Case {
  readonly title: string
  readonly scenario: ScenarioName
  /** The number of steps between two flushes. They run sequentially, so they share no commit. */
  readonly steps: number
  readonly goal_usd?: number
}

const CASES: readonly Case[] = [
  { title: 'batches of 100, one key, 10 in 5 s', scenario: 'batch100_key_c10', steps: 10, goal_usd: 0.1 },
  { title: 'batches of 100, own keys, 10 in 5 s', scenario: 'batch100_c10', steps: 10, goal_usd: 0.15 },
  { title: 'batches of 1,000, own keys, 5 in 5 s', scenario: 'batch1000_c10', steps: 5, goal_usd: 0.15 },
  { title: 'one by one, 50 in 5 s', scenario: 'single_c1', steps: 50, goal_usd: 3 },
  { title: 'one by one, 5 in 5 s', scenario: 'single_c1', steps: 5 },
  { title: 'hold and capture, 50 pairs in 5 s', scenario: 'hold_capture_c50', steps: 50 },
  { title: 'balance, 50 in 5 s', scenario: 'balance_c50', steps: 50 },
]

const FLUSH_MS = 5000
const FLUSHES = 3
/**
 * The time without a change before the counts are read. It is longer than the time that the queue waits for a full
 * batch.
 */
const SETTLED_MS = 7000
/** The time that a commit blocks an object in production. Commits take 8 to 13 ms, and this is the upper end. */
const COMMIT_MS = 13

interface Measured {
  /** The platform usage of one unit of work, as the `units` of a scenario count them. */
  readonly usage: PlatformUsage
  readonly object_bytes: number
  readonly d1_bytes: number
}

async function readCounts(server: Server): Promise<Counts> {
  return (await fetch(`${server.url}/counts`)).json()
}

/** Waits until the counts no longer change, and returns them. */
async function settled(server: Server): Promise<Counts> {
  let counts = await readCounts(server)
  for (let quiet_ms = 0; quiet_ms < SETTLED_MS; quiet_ms += 500) {
    await sleep(500)
    const now = await readCounts(server)
    // Reading the counts runs one D1 statement, which is not counted.
    if (JSON.stringify(now) !== JSON.stringify(counts)) quiet_ms = 0
    counts = now
  }
  return counts
}

async function measure(server: Server, key: string, { scenario, steps }: Case): Promise<Measured> {
  const { step, units } = SCENARIOS[scenario]
  const url = new URL(server.url)
  let connection = await Connection.open(url)
  let requests = 0
  const send: Parameters<typeof step>[0] = async (request) => {
    requests++
    const answer = await connection.send(requestText(url, { ...request, key }))
    if (answer.status >= 300) throw new Error(`${request.path} returned ${answer.status}: ${answer.body}`)
    return answer
  }
  await step(send, `${scenario}-${steps}-first`)
  const before = await settled(server)
  const cpu_before = cpuMs(server.pids())
  requests = 0
  for (let flush = 0; flush < FLUSHES; flush++) {
    const began = performance.now()
    connection.close()
    connection = await Connection.open(url)
    for (let i = 0; i < steps; i++) await step(send, `${scenario}-${steps}-${flush}-${i}`)
    await sleep(began + FLUSH_MS - performance.now())
  }
  const after = await settled(server)
  connection.close()
  const done = FLUSHES * steps * units
  const each = (name: keyof Counts) => (after[name] - before[name]) / done
  const writes = scenario === 'balance_c50' ? 0 : requests
  return {
    usage: {
      ...NO_PLATFORM_USAGE,
      worker_requests: each('worker_requests'),
      worker_cpu_ms: (cpuMs(server.pids()) - cpu_before) / done,
      object_requests: each('object_requests'),
      object_ms: (cpuMs(server.pids()) - cpu_before + writes * COMMIT_MS) / done,
      object_rows_written: each('object_rows_written'),
      object_rows_read: each('object_rows_read'),
      d1_rows_written: each('d1_rows_written'),
      d1_rows_read: each('d1_rows_read'),
      queue_operations: each('queue_operations'),
      kv_reads: each('kv_reads'),
      kv_writes: each('kv_writes'),
    },
    object_bytes: each('object_bytes'),
    d1_bytes: each('d1_bytes'),
  }
}

const MILLION = 1_000_000

function ofMillion(usage: PlatformUsage): PlatformUsage {
  const million = { ...NO_PLATFORM_USAGE }
  for (const name of namesOf(usage)) Object.assign(million, { [name]: usage[name] * MILLION })
  return million
}

function namesOf(usage: PlatformUsage): (keyof PlatformUsage)[] {
  return Object.keys(usage).filter((name): name is keyof PlatformUsage => name in NO_PLATFORM_USAGE)
}

const usd = (pico: bigint) => Number(pico) / 1e12

function row({ title, goal_usd }: Case, { usage, object_bytes, d1_bytes }: Measured): string {
  const million = ofMillion(usage)
  const costs = platformCosts(million)
  const part = (...names: readonly (keyof PlatformUsage)[]) =>
    names.reduce((sum, name) => sum + usd(costs[name]), 0).toFixed(3)
  const cells = [
    title,
    part('worker_requests', 'object_requests'),
    part('worker_cpu_ms', 'object_ms'),
    part('object_rows_written', 'object_rows_read'),
    part('d1_rows_written', 'd1_rows_read'),
    part('queue_operations', 'kv_reads', 'kv_writes'),
    usd(platformCost(million)).toFixed(3),
    goal_usd === undefined ? '' : goal_usd.toFixed(2),
    `${Math.round(object_bytes)} / ${Math.round(d1_bytes)}`,
  ]
  return `| ${cells.join(' | ')} |`
}

const state = mkdtempSync(path.join(tmpdir(), 'cost-'))
try {
  const script = bundle(
    PROJECT,
    path.join(state, 'script'),
    path.join(import.meta.dirname, 'counting-worker.ts'),
  )
  const server = await startOurs(script, path.join(state, 'objects'), { flush_delay_ms: String(FLUSH_MS) })
  try {
    const keys = await server.keysOf(CASES.length)
    console.log(`Dollars for a million units at Cloudflare's prices of ${PRICES_AS_OF}\n
| a million of | requests | CPU and duration | object rows | D1 rows | queue, KV | sum | goal | bytes in object / D1 |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |`)
    const figures: Record<string, object> = {}
    for (const [i, one] of CASES.entries()) {
      if (!one.title.includes(process.env.ONLY ?? '')) continue
      const measured = await measure(server, keys[i] ?? '', one)
      console.log(row(one, measured))
      const cost_usd = usd(platformCost(ofMillion(measured.usage)))
      figures[one.title] = { ...measured, usd_per_million: cost_usd }
      if (one.goal_usd !== undefined && cost_usd > one.goal_usd) process.exitCode = 1
    }
    if (process.env.JSON !== undefined) {
      writeFileSync(process.env.JSON, `${JSON.stringify({ prices_as_of: PRICES_AS_OF, figures }, null, 2)}\n`)
    }
  } finally {
    await server.stop()
  }
} finally {
  rmSync(state, { recursive: true, force: true })
}
