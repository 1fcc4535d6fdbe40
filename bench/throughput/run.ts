import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { cpuMs } from '../process.ts'
import { bundle } from '../raw-workerd.ts'
import { checkOut } from './check-out.ts'
import { measureFlush } from './flush.ts'
import { Load } from './load.ts'
import { startPostgres } from './postgres.ts'
import { profileOf } from './profile.ts'
import { type Round, reportJson, type ScenarioReport, type Side, scenarioReport, table } from './report.ts'
import { isScenarioName, SCENARIOS, type ScenarioName } from './scenarios.ts'
import { bundleBoth, type Server, startLimit, startOurs } from './servers.ts'

/**
 * The name of the measurement that compares a ledger that flushes with a ledger that does not flush. It does not use
 * the limit Worker.
 */
const FLUSH = 'flush'

/**
 * `npm run bench`: compares the production bundle in raw workerd with a limit Worker (limit-worker.ts), under the same
 * load from a separate process. Rounds alternate between the two, so that other load on the machine affects both
 * equally. Absolute rates depend on the machine, so compare only ratios. The rate limiters of the platform are left
 * out, because each of them costs an object call and a write in the local runtime.
 */
const HELP = `npm run bench -- [options]
  --quick          the scenarios of the CI guard, within 50 s
  --only A,B       only these of: ${[...Object.keys(SCENARIOS), FLUSH].join(', ')}
  --postgres       also a meter on Debian's PostgreSQL, if it is installed
  --before COMMIT  also an earlier commit of this project, with the packages that are installed here
  --storage WHERE  disk (the default), memory (/dev/shm), or a folder
  --rounds N       rounds for each scenario (5; quick: 3)
  --ms N           length of a round (2000; quick: at most 600)
  --json FILE      also writes the report as JSON
  --profile        lists the functions that use the most CPU time in each scenario, and compares nothing`

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    postgres: { type: 'boolean', default: false },
    before: { type: 'string' },
    storage: { type: 'string', default: 'disk' },
    rounds: { type: 'string' },
    ms: { type: 'string' },
    json: { type: 'string' },
    profile: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds ?? (options.quick ? 3 : 5))
const longest_round_ms = Number(options.ms ?? (options.quick ? 600 : 2000))

/**
 * The intended maximum duration of `npm run bench -- --quick`. On a slow machine, the rounds are shortened, but not
 * below `SHORTEST_ROUND_MS`.
 */
const QUICK_MS = 44_000
const SHORTEST_ROUND_MS = 200
const WARM_UP_ROUNDS = 0.5

function scenarioNames(): ScenarioName[] {
  const names = Object.keys(SCENARIOS).filter(isScenarioName)
  if (options.only === undefined) return names.filter((name) => !options.quick || SCENARIOS[name].quick)
  return only().flatMap((name) => {
    if (name === FLUSH) return []
    if (!isScenarioName(name)) throw new Error(`${name} is not a scenario. Scenarios: ${names.join(', ')}`)
    return [name]
  })
}

function only(): string[] {
  return options.only?.split(',') ?? []
}

function stateFolder(): string {
  const homes: Readonly<Record<string, string>> = { disk: tmpdir(), memory: '/dev/shm' }
  const home = homes[options.storage] ?? path.resolve(options.storage)
  mkdirSync(home, { recursive: true })
  return mkdtempSync(path.join(home, 'bench-'))
}

let orders = 0

async function measure(load: Load, name: ScenarioName, server: Server, duration_ms: number): Promise<Round> {
  const keys = await server.keysOf(SCENARIOS[name].customers)
  const before = cpuMs(server.pids())
  const order = { scenario: name, url: server.url, keys, duration_ms, name: `${name}-${++orders}` }
  const measured = await load.run(order)
  return { ...measured, cpu_ms: cpuMs(server.pids()) - before }
}

/**
 * Returns the duration in ms of each round of the next scenario. `left` is the number of scenarios that still have to
 * run.
 */
function roundMs(left: number, sides: number): number {
  if (!options.quick) return longest_round_ms
  const each_ms = (QUICK_MS - performance.now()) / (left * sides * (rounds + WARM_UP_ROUNDS))
  return Math.min(longest_round_ms, Math.max(SHORTEST_ROUND_MS, each_ms))
}

async function compare(
  load: Load,
  name: ScenarioName,
  round_ms: number,
  servers: Readonly<Partial<Record<Side, Server>>>,
): Promise<ScenarioReport> {
  const sides = Object.entries(servers).map(([side, server]) => ({ side, server, measured: [] as Round[] }))
  for (const { server } of sides) await measure(load, name, server, round_ms * WARM_UP_ROUNDS)
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? sides : sides.toReversed()
    for (const { server, measured } of order) measured.push(await measure(load, name, server, round_ms))
  }
  return scenarioReport(name, Object.fromEntries(sides.map(({ side, measured }) => [side, measured])))
}

async function compareAll(load: Load, state: string): Promise<void> {
  const scripts = bundleBoth(path.join(state, 'scripts'))
  const { storage, json } = options
  const reports = await compareScenarios(load, state, scripts)
  if (Object.keys(reports).length > 0) {
    console.log(`\nstate on ${storage}, ${rounds} rounds\n\n${table(reports)}`)
  }
  const flush =
    only().includes(FLUSH) || (options.only === undefined && !options.quick)
      ? await measureFlush(load, scripts.ours, (name) => path.join(state, name))
      : undefined
  if (flush) {
    const { rate_ratio, slowest_second_ratio, p99_to_p50 } = flush
    console.log(
      `\nwith a flush every 5 s: ${rate_ratio} of the rate without, ${slowest_second_ratio} in the slowest second, p99 ${p99_to_p50} times p50`,
    )
  }
  if (json !== undefined)
    writeFileSync(json, reportJson({ storage, rounds, ...(flush && { flush }) }, reports))
}

async function compareScenarios(
  load: Load,
  state: string,
  scripts: { readonly ours: string; readonly limit: string },
): Promise<Record<string, ScenarioReport>> {
  const reports: Record<string, ScenarioReport> = {}
  const names = scenarioNames()
  const servers: Partial<Record<Side, Server>> = {}
  if (names.length === 0) return reports
  try {
    servers.ours = await startOurs(scripts.ours, path.join(state, 'ours'))
    servers.limit = await startLimit(scripts.limit, path.join(state, 'limit'))
    const postgres = options.postgres ? await startPostgres(path.join(state, 'postgres')) : undefined
    if (options.before !== undefined) servers.before = await startEarlier(options.before, state)
    if (postgres) servers.postgres = postgres
    else if (options.postgres)
      console.log('PostgreSQL is not installed in /usr/lib/postgresql, so it is not measured.')
    for (const [i, name] of names.entries()) {
      const { postgres, ...workers } = servers
      const compared = SCENARIOS[name].postgres ? servers : workers
      const round_ms = roundMs(names.length - i, Object.keys(compared).length)
      const report = await compare(load, name, round_ms, compared)
      reports[name] = report
      console.log(`${name}: ${report.ratio_to_limit} of the limit`)
    }
    return reports
  } finally {
    for (const server of Object.values(servers)) await server.stop()
  }
}

async function startEarlier(commit: string, state: string): Promise<Server> {
  const root = path.join(state, 'before-tree')
  checkOut(commit, root)
  const script = bundle(path.join(root, 'wrangler.toml'), path.join(state, 'before-script'))
  return startOurs(script, path.join(state, 'before'), { root })
}

/** Profiles the scenarios. The inspector slows the Worker down, so a profiled run compares no times. */
async function profileAll(load: Load, state: string): Promise<void> {
  const script = bundleBoth(path.join(state, 'scripts')).ours
  for (const name of scenarioNames()) {
    const server = await startOurs(script, path.join(state, name), { inspected: true })
    try {
      await measure(load, name, server, longest_round_ms)
      const functions = await profileOf(await server.workerd.inspector(), script, () =>
        measure(load, name, server, rounds * longest_round_ms),
      )
      console.log(`${SCENARIOS[name].title}\n${functions}\n`)
    } finally {
      await server.stop()
    }
  }
}

async function run(): Promise<void> {
  const state = stateFolder()
  const load = new Load()
  try {
    await (options.profile ? profileAll : compareAll)(load, state)
  } finally {
    load.stop()
    rmSync(state, { recursive: true, force: true })
  }
}

if (options.help) console.log(HELP)
else await run()
