import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { cpuUs } from '../process.ts'
import { bundle, ROOT } from '../raw-workerd.ts'
import { Load } from './load.ts'
import { quantile } from './report.ts'
import { isScenarioName, type ScenarioName } from './scenarios.ts'
import { type Server, startOurs } from './servers.ts'

/**
 * `npm run bench:against -- COMMIT`: the CPU time of a request in this work tree, and in an earlier commit. Both bundles
 * run side by side, and short rounds alternate between them. CPU time is compared and not throughput, because other load
 * on the machine takes away time but hardly adds any work. The earlier commit runs with the packages that are installed here.
 */
const HELP = `npm run bench:against -- COMMIT [options]
  --only A,B       scenarios (single_c1,single_c50,batch100_c10)
  --rounds N       pairs of rounds for each scenario (40)
  --ms N           length of a round (500)
  --flush N        milliseconds between flushes, which then are in the CPU time (none)`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: 'single_c1,single_c50,batch100_c10' },
    rounds: { type: 'string', default: '40' },
    ms: { type: 'string', default: '500' },
    flush: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const [commit] = positionals
const duration_ms = Number(values.ms)

/** The files of a commit, with the packages that are installed here. */
function checkOut(ref: string, folder: string): void {
  mkdirSync(folder)
  const archive = execFileSync('git', ['archive', ref], { cwd: ROOT, maxBuffer: MAX_ARCHIVE_BYTES })
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
}

const MAX_ARCHIVE_BYTES = 256 * 1024 * 1024

let orders = 0

/** CPU time for a unit of work, in us. */
async function cpuPerUnit(load: Load, scenario: ScenarioName, server: Server, ms: number): Promise<number> {
  const keys = await server.keysOf(1)
  const before = cpuUs(server.pids())
  const order = { scenario, url: server.url, keys, duration_ms: ms, name: `${scenario}-${++orders}` }
  const { units, failures, first_failure } = await load.run(order)
  if (Object.keys(failures).length > 0) throw new Error(`${scenario} failed: ${first_failure}`)
  return (cpuUs(server.pids()) - before) / units
}

async function compare(load: Load, scenario: ScenarioName, now: Server, then: Server): Promise<string> {
  for (const server of [now, then]) await cpuPerUnit(load, scenario, server, 4 * duration_ms)
  const pairs: { readonly now: number; readonly then: number }[] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    // Each side is first in every other pair.
    const measured = { now: 0, then: 0 }
    for (const side of round % 2 === 0 ? (['now', 'then'] as const) : (['then', 'now'] as const)) {
      measured[side] = await cpuPerUnit(load, scenario, side === 'now' ? now : then, duration_ms)
    }
    pairs.push(measured)
  }
  const at = (share: number, of: (pair: (typeof pairs)[number]) => number) => quantile(pairs.map(of), share)
  const speed = (pair: (typeof pairs)[number]) => pair.then / pair.now
  const us = (side: 'now' | 'then') => at(0.5, (pair) => pair[side]).toFixed(1)
  return `${scenario}: ${at(0.5, speed).toFixed(3)} of the speed before (quartiles ${at(0.25, speed).toFixed(3)} to ${at(0.75, speed).toFixed(3)}); ${us('now')} us of CPU time for a unit, ${us('then')} before`
}

async function run(ref: string): Promise<void> {
  const scenarios = values.only.split(',').map((name) => {
    if (!isScenarioName(name)) throw new Error(`${name} is no scenario`)
    return name
  })
  const state = mkdtempSync(path.join(tmpdir(), 'against-'))
  const tree = path.join(state, 'tree')
  const load = new Load()
  const servers: Server[] = []
  checkOut(ref, tree)
  try {
    const start = async (root: string, name: string) => {
      const script = bundle(path.join(root, 'wrangler.toml'), path.join(state, `${name}-script`))
      const flush = values.flush === undefined ? {} : { flush_delay_ms: values.flush }
      const server = await startOurs(script, path.join(state, name), { root, ...flush })
      servers.push(server)
      return server
    }
    const now = await start(ROOT, 'now')
    const then = await start(tree, 'then')
    for (const scenario of scenarios) console.log(await compare(load, scenario, now, then))
  } finally {
    load.stop()
    for (const server of servers) await server.stop()
    rmSync(state, { recursive: true, force: true })
  }
}

if (values.help || commit === undefined) console.log(HELP)
else await run(commit)
