import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { cpuUs } from '../process.ts'
import { bundle, ROOT } from '../raw-workerd.ts'
import { checkOut } from './check-out.ts'
import { Load } from './load.ts'
import { quantile } from './report.ts'
import { isScenarioName, type ScenarioName } from './scenarios.ts'
import { type Server, startOurs } from './servers.ts'

/**
 * `npm run bench:against -- COMMIT`: compares the CPU time of a unit of work between this work tree and an earlier
 * commit. Both bundles run at the same time, and short rounds alternate between them. The bench compares CPU time
 * instead of throughput, because other load on the machine hardly changes CPU time. The earlier commit runs with the
 * packages that are installed here.
 */
const HELP = `npm run bench:against -- COMMIT [options]
  --only A,B       scenarios (single_c1,single_c50,batch100_c10)
  --starts N       pairs of servers, one after the other (6)
  --rounds N       pairs of rounds for each scenario and pair of servers (40)
  --ms N           length of a round (100)
  --flush N        milliseconds between flushes, whose CPU time is then included (none)`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: 'single_c1,single_c50,batch100_c10' },
    starts: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '40' },
    ms: { type: 'string', default: '100' },
    flush: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const [commit] = positionals
const starts = Number(values.starts)
const duration_ms = Number(values.ms)

let orders = 0

/** Returns the CPU time of a unit of work, in µs. */
async function cpuPerUnit(load: Load, scenario: ScenarioName, server: Server, ms: number): Promise<number> {
  const keys = await server.keysOf(1)
  const before = cpuUs(server.pids())
  const order = { scenario, url: server.url, keys, duration_ms: ms, name: `${scenario}-${++orders}` }
  const { units, failures, first_failure } = await load.run(order)
  if (Object.keys(failures).length > 0) throw new Error(`${scenario} failed: ${first_failure}`)
  return (cpuUs(server.pids()) - before) / units
}

interface Pair {
  readonly now: number
  readonly before: number
}

const SIDES = ['now', 'before'] as const

async function measurePairs(
  load: Load,
  scenario: ScenarioName,
  servers: Readonly<Record<keyof Pair, Server>>,
  rounds: number,
): Promise<Pair[]> {
  for (const side of SIDES) await cpuPerUnit(load, scenario, servers[side], WARM_UP_MS)
  const pairs: Pair[] = []
  for (let round = 0; round < rounds; round++) {
    const pair = { now: 0, before: 0 }
    // The two sides take turns at being measured first.
    for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) {
      pair[side] = await cpuPerUnit(load, scenario, servers[side], duration_ms)
    }
    pairs.push(pair)
  }
  return pairs
}

function reportOf(scenario: ScenarioName, pairs: readonly Pair[]): string {
  const at = (share: number, of: (pair: Pair) => number) => quantile(pairs.map(of), share)
  const speed = (pair: Pair) => pair.before / pair.now
  const us = (share: number, side: keyof Pair) => at(share, (pair) => pair[side])
  const [ratio, low, high] = [0.5, 0.25, 0.75].map((share) => at(share, speed).toFixed(3))
  const least = (us(LEAST_DISTURBED, 'before') / us(LEAST_DISTURBED, 'now')).toFixed(3)
  return `${scenario}: ${ratio} of the earlier speed (quartiles ${low} to ${high}), ${least} in the least disturbed rounds; ${us(0.5, 'now').toFixed(1)} us of CPU time for a unit, ${us(0.5, 'before').toFixed(1)} before`
}

/**
 * The quantile that represents the least disturbed rounds. Other load on the machine evicts CPU caches, which increases
 * the CPU time.
 */
const LEAST_DISTURBED = 0.1
const WARM_UP_MS = 2000

async function run(ref: string): Promise<void> {
  const scenarios = values.only.split(',').map((name) => {
    if (!isScenarioName(name)) throw new Error(`${name} is not a scenario`)
    return name
  })
  const state = mkdtempSync(path.join(tmpdir(), 'against-'))
  const roots = { now: ROOT, before: path.join(state, 'tree') }
  const load = new Load()
  const servers = new Map<keyof Pair, Server>()
  const pairs = new Map<ScenarioName, Pair[]>(scenarios.map((name) => [name, []]))
  try {
    checkOut(ref, roots.before)
    const bundles = (side: keyof Pair) =>
      bundle(path.join(roots[side], 'wrangler.toml'), path.join(state, `${side}-script`))
    const scripts = { now: bundles('now'), before: bundles('before') }
    const flush = values.flush === undefined ? {} : { flush_delay_ms: values.flush }
    for (let start = 0; start < starts; start++) {
      // The speeds of two processes of the same bundle differ by some percent as long as they run, so several pairs of
      // processes are measured.
      for (const side of start % 2 === 0 ? SIDES : SIDES.toReversed()) {
        const folder = path.join(state, `${side}-${start}`)
        servers.set(side, await startOurs(scripts[side], folder, { root: roots[side], ...flush }))
      }
      const [now, before] = [servers.get('now'), servers.get('before')]
      if (!now || !before) throw new Error('a server did not start')
      for (const [name, measured] of pairs)
        measured.push(...(await measurePairs(load, name, { now, before }, Number(values.rounds))))
      for (const server of servers.values()) await server.stop()
      servers.clear()
    }
    for (const [name, measured] of pairs) console.log(reportOf(name, measured))
  } finally {
    load.stop()
    for (const server of servers.values()) await server.stop()
    rmSync(state, { recursive: true, force: true })
  }
}

if (values.help || commit === undefined) console.log(HELP)
else await run(commit)
