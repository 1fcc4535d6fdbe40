import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { post } from '../post.ts'
import { cpuMs } from '../process.ts'
import { bundle, migrateD1, PROJECT, type RawWorkerd, startWorkerd } from '../raw-workerd.ts'
import { Connection, type RequestParts, requestText } from '../throughput/connection.ts'
import { profileOf } from '../throughput/profile.ts'
import { median } from '../throughput/report.ts'

/**
 * `npm run bench:gateway`: compares the gateway in raw workerd with a proxy that only relays, and with a simple proxy
 * that also holds and settles in an object. The rounds of the three alternate. Compare only numbers of the same run.
 *
 * The added latency is measured with a provider that responds after `DELAYS_MS`, which is faster than most models. The
 * delays differ and the callers start one after the other, because calls that are sent together wait for each other.
 * The rate is measured with a provider that responds immediately. Ten callers then keep the only thread of the runtime
 * busy, and a call mostly waits for other calls.
 */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '3000' },
    callers: { type: 'string', default: '10' },
    /** Whether to print the functions of the gateway that use the most CPU time. */
    profile: { type: 'boolean', default: false },
  },
})
const ROUNDS = Number(options.rounds)
const ROUND_MS = Number(options.ms)
const CALLERS = Number(options.callers)
/**
 * The duration of the calls before each measurement. While the other servers are measured, the runtime can stop an idle
 * object, and the first calls then wait for its start.
 */
const WARM_UP_MS = 500
/** The number of chunks in each stream of the CPU time measurement. */
const CHUNKS = 3_000

/** The delays of successive calls, from 80 to 120 ms in a mixed order. 17 and 41 are coprime. */
const DELAYS_MS = Array.from({ length: 41 }, (_, i) => 80 + ((i * 17) % 41))

const TOKEN = 'bench-operator-token'
const BODY = {
  model: 'gpt-4o',
  max_tokens: 200,
  messages: [{ role: 'user', content: 'Hello, how are you? '.repeat(20) }],
}

interface Side {
  readonly name: 'null' | 'naive' | 'gateway'
  readonly url: URL
  readonly path: string
  readonly key: string
  readonly pid: number
}

interface Round {
  readonly rate: number
  readonly p50: number
  readonly p99: number
  /** The CPU time of workerd for one call, in µs. */
  readonly cpu_us: number
}

/** A request, and the time that the provider takes for it. */
interface Timed {
  readonly body: object
  readonly delay_ms: number
}

const AT_ONCE: readonly Timed[] = [{ body: BODY, delay_ms: 0 }]
const DELAYED: readonly Timed[] = DELAYS_MS.map((delay_ms) => ({
  body: { ...BODY, metadata: { delay_ms: String(delay_ms) } },
  delay_ms,
}))

/** Measures calls for some time. The latencies are without the delay of the provider. */
async function measure(side: Side, duration_ms: number, timed = AT_ONCE): Promise<Round> {
  const connections = await Promise.all(Array.from({ length: CALLERS }, () => Connection.open(side.url)))
  const requests = timed.map(({ body, delay_ms }) => ({ request: requestOf(side, body), delay_ms }))
  let sent = 0
  const next = () => {
    const request = requests[sent++ % requests.length]
    if (!request) throw new Error('the list of requests is empty')
    return request
  }
  const times: number[] = []
  const until = performance.now() + duration_ms
  const began = performance.now()
  const cpu_before = cpuMs([side.pid])
  await Promise.all(
    connections.map(async (connection, caller) => {
      await setTimeout((caller * (timed[0]?.delay_ms ?? 0)) / CALLERS)
      while (performance.now() < until) {
        const { request, delay_ms } = next()
        const start = performance.now()
        const { status, body } = await connection.send(request)
        times.push(performance.now() - start - delay_ms)
        if (status !== 200) throw new Error(`${side.name} returned ${status}: ${body}`)
      }
    }),
  )
  const seconds = (performance.now() - began) / 1000
  const cpu_us = ((cpuMs([side.pid]) - cpu_before) * 1000) / times.length
  for (const connection of connections) connection.close()
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(share * times.length)] ?? 0
  return { rate: times.length / seconds, p50: at(0.5), p99: at(0.99), cpu_us }
}

/** Returns the CPU time of workerd for one chunk of a stream, in µs. */
async function chunkCost(side: Side): Promise<number> {
  const connection = await Connection.open(side.url)
  const request = requestOf(side, { ...BODY, stream: true, seed: CHUNKS })
  await connection.send(request)
  const before = cpuMs([side.pid])
  for (let i = 0; i < 3; i++) await connection.send(request)
  const cost = ((cpuMs([side.pid]) - before) * 1000) / (3 * CHUNKS)
  connection.close()
  return cost
}

function requestOf({ url, path: target, key }: Side, body: object): string {
  const parts: RequestParts = { method: 'POST', path: target, key, body: JSON.stringify(body) }
  return requestText(url, parts)
}

const folder = mkdtempSync('/dev/shm/bench-gateway-')
const child = fork(path.join(import.meta.dirname, 'provider-process.ts'))
const port = await new Promise((resolve) => child.once('message', resolve))
const upstream = `http://127.0.0.1:${String(port)}`
const running: RawWorkerd[] = []
const started = async (...args: Parameters<typeof startWorkerd>): Promise<RawWorkerd> => {
  const workerd = await startWorkerd(...args)
  running.push(workerd)
  return workerd
}

try {
  const config = path.join(import.meta.dirname, 'proxy.toml')
  const proxy = await started(config, bundle(config, path.join(folder, 'proxy')), path.join(folder, 'p'), {
    UPSTREAM: upstream,
  })
  const script = bundle(PROJECT, path.join(folder, 'ours'))
  const variables = {
    OPERATOR_TOKEN: TOKEN,
    ENCRYPTION_KEY: 'dev-encryption-key',
    RATE_LIMIT_ENTERPRISE: '1000000000',
    LOG_SAMPLE_RATE: '0',
    SLOW_REQUEST_MS: '600000',
    FLUSH_DELAY_MS: '3600000',
  }
  const ours = await started(PROJECT, script, path.join(folder, 'o'), variables, {
    inspected: options.profile,
  })
  await migrateD1(await ours.d1())
  const customer = { name: 'bench', email: 'gateway@bench.example', tier: 'ENTERPRISE' }
  const key = String((await post(`${ours.url}/v1/customers/register`, TOKEN, customer)).api_key)
  await post(`${ours.url}/v1/credits/grant`, key, { amount: 7_000_000_000 })
  const provider = { provider: 'openai', name: 'bench', key: 'sk-bench', base_url: `${upstream}/v1` }
  await post(`${ours.url}/v1/provider-keys`, key, provider)

  const sides: readonly Side[] = [
    { name: 'null', url: new URL(proxy.url), path: '/null/v1/chat/completions', key, pid: proxy.pid },
    { name: 'naive', url: new URL(proxy.url), path: '/naive/v1/chat/completions', key, pid: proxy.pid },
    {
      name: 'gateway',
      url: new URL(ours.url),
      path: '/gateway/openai/v1/chat/completions',
      key,
      pid: ours.pid,
    },
  ]
  const noRounds = () => new Map<Side['name'], Round[]>(sides.map(({ name }) => [name, []]))
  const loads = [
    {
      title: 'a provider that responds after 80 to 120 ms, without this time',
      timed: DELAYED,
      rounds: noRounds(),
    },
    { title: 'a provider that responds at once', timed: AT_ONCE, rounds: noRounds() },
  ]
  for (const side of sides) await measure(side, ROUND_MS / 2)
  if (options.profile) {
    const [, , gateway] = sides
    const work = () => (gateway ? measure(gateway, 2 * ROUND_MS) : Promise.resolve())
    console.log(`${await profileOf(await ours.inspector(), script, work)}\n`)
  }
  // The latency is measured first: the calls at the full rate leave thousands of entries in the object, because this
  // benchmark does not flush them.
  for (const { timed, rounds } of loads) {
    for (let round = 0; round < ROUNDS; round++) {
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        await measure(side, WARM_UP_MS, timed)
        rounds.get(side.name)?.push(await measure(side, ROUND_MS, timed))
      }
    }
  }
  const figures = (name: Side['name'], rounds: ReturnType<typeof noRounds>) => {
    const measured = rounds.get(name) ?? []
    return {
      rate: median(measured.map(({ rate }) => rate)),
      p50: median(measured.map(({ p50 }) => p50)),
      p99: median(measured.map(({ p99 }) => p99)),
      cpu_us: median(measured.map(({ cpu_us }) => cpu_us)),
    }
  }
  console.log(`${CALLERS} callers, ${ROUNDS} rounds of ${ROUND_MS} ms, medians`)
  for (const { title, rounds } of loads) {
    console.log(
      `\n| ${title} | calls/s | p50 ms | p99 ms | CPU µs a call |\n| --- | ---: | ---: | ---: | ---: |`,
    )
    for (const { name } of sides) {
      const { rate, p50, p99, cpu_us } = figures(name, rounds)
      console.log(
        `| ${name} | ${rate.toFixed(0)} | ${p50.toFixed(2)} | ${p99.toFixed(2)} | ${cpu_us.toFixed(0)} |`,
      )
    }
    const [none, naive, gateway] = [
      figures('null', rounds),
      figures('naive', rounds),
      figures('gateway', rounds),
    ]
    const [p50, p99] = [gateway.p50 - none.p50, gateway.p99 - none.p99]
    console.log(
      `\nadded p50 ${p50.toFixed(2)} ms, added p99 ${p99.toFixed(2)} ms (naive: ${(naive.p50 - none.p50).toFixed(2)} and ${(naive.p99 - none.p99).toFixed(2)} ms); ${(gateway.rate / naive.rate).toFixed(2)} times the rate of the naive hold and settle`,
    )
  }
  const costs = []
  for (const side of sides.filter(({ name }) => name !== 'naive')) {
    costs.push(`${side.name} ${(await chunkCost(side)).toFixed(0)} µs`)
  }
  console.log(`CPU time for a chunk of a stream: ${costs.join(', ')}`)
} finally {
  for (const workerd of running) await workerd.stop()
  child.kill()
  rmSync(folder, { recursive: true, force: true })
}
