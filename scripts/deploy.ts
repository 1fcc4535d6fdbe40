/**
 * `npm run deploy -- development | staging | production [--dry-run] [--url https://…] [--allow-dirty]`: checks the
 * environment's section of wrangler.toml, builds the Worker, migrates D1, deploys the Worker, and runs the smoke test.
 * docs/deploy.md describes all steps.
 *
 * With OPERATOR_TOKEN or SMOKE_API_KEY, the smoke test also meters an event (`npm run smoke`).
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import type { Checked } from './deploy/checks.ts'
import { ENVIRONMENTS, type EnvironmentName, readSection, WRANGLER_TOML } from './deploy/sections.ts'
import { deploy, type Ran, type Request, type World } from './deploy/steps.ts'
import { ROOT } from './local-state.ts'
import { smoke } from './smoke/run.ts'
import { buildStalePages } from './static-pages.ts'

const USAGE =
  'usage: npm run deploy -- development | staging | production [--dry-run] [--url https://…] [--allow-dirty]'
const WRANGLER = path.join(ROOT, 'node_modules', 'wrangler', 'bin', 'wrangler.js')

function readRequest(): Request {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'dry-run': { type: 'boolean' }, 'allow-dirty': { type: 'boolean' }, url: { type: 'string' } },
  })
  const [name, ...rest] = positionals
  const environment = ENVIRONMENTS.find((known) => known === name)
  if (!environment || rest.length > 0) throw new Error(USAGE)
  return {
    environment,
    dry_run: values['dry-run'] === true,
    allow_dirty: values['allow-dirty'] === true,
    url: values.url,
  }
}

function check(environment: EnvironmentName): Checked {
  const others = ENVIRONMENTS.filter((other) => other !== environment)
  return {
    environment,
    section: readSection(environment),
    tested: readSection(),
    others: others.map((other) => ({ environment: other, section: readSection(other) })),
    operator_token: process.env.OPERATOR_TOKEN,
  }
}

const folder = mkdtempSync(path.join(tmpdir(), 'openmonetize-deploy-'))
const OUTPUT = path.join(folder, 'wrangler.ndjson')

const world: World = {
  wrangler: (args, { show }) =>
    run(process.execPath, [WRANGLER, ...args, '-c', WRANGLER_TOML], show, {
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_OUTPUT_FILE_PATH: OUTPUT,
    }),
  deployedTo: () => (existsSync(OUTPUT) ? readFileSync(OUTPUT, 'utf8').split('\n').flatMap(targetsIn) : []),
  async changedFiles() {
    const { code, output } = await run('git', ['status', '--porcelain'], false)
    return code === 0 ? output.split('\n').filter((line) => line !== '') : undefined
  },
  async commit() {
    const { code, output } = await run('git', ['rev-parse', 'HEAD'], false)
    return code === 0 ? output.trim() : undefined
  },
  smoke: (url) => smoke(url, process.env, console.log),
  say: console.log,
}

const deployEntry = z.object({ type: z.literal('deploy'), targets: z.array(z.string()) })

/**
 * Returns the addresses of the deployed Worker from one line of wrangler's output file; empty for lines about other
 * actions. Each line is JSON.
 */
function targetsIn(line: string): string[] {
  if (line === '') return []
  return deployEntry.safeParse(JSON.parse(line)).data?.targets ?? []
}

function run(
  command: string,
  args: readonly string[],
  show: boolean,
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    // Without a standard input, wrangler asks no questions and uses its defaults for CI.
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const listen = (chunk: Buffer) => {
    output += chunk.toString()
    if (show) process.stdout.write(chunk)
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    // Leaves out output that was already printed, so that a failure does not print it again.
    child.on('close', (code) => resolve({ code: code ?? 1, output: show ? '' : output }))
  })
}

async function main(): Promise<number> {
  try {
    const request = readRequest()
    await buildStalePages()
    return await deploy(request, check(request.environment), world)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
