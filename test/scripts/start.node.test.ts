import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { freePort } from '../../scripts/local-server.ts'
import { npmStart, ROOT, runScript, type StartedServer } from '../support/npm-start.ts'

/**
 * Tests a first session in a new clone: `npm start`, the three curl commands that it prints, Ctrl-C, and `npm start`
 * again.
 */

const FOLDER = mkdtempSync(path.join(tmpdir(), 'openmonetize-'))
const STATE_DIR = path.join(FOLDER, 'state')
const UNSET = { BASE_URL: undefined, PORT: undefined }

/** The servers that the tests have started. They are stopped at the end, even after a failed test. */
const servers: StartedServer[] = []

afterAll(async () => {
  for (const server of servers) await server.kill()
  rmSync(FOLDER, { recursive: true, force: true })
})

async function start(port?: number) {
  const server = await npmStart({ state: STATE_DIR, detached: true, ...(port !== undefined && { port }) })
  servers.push(server)
  return server
}

/** Returns the output of `wrangler d1 migrations list`, which lists the pending migrations of the local D1 database. */
function pendingMigrations(): string {
  const wrangler = path.join(ROOT, 'node_modules/wrangler/bin/wrangler.js')
  const args = ['d1', 'migrations', 'list', 'DB', '-c', 'wrangler.toml', '--local', '--persist-to', STATE_DIR]
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' }
  return spawnSync(process.execPath, [wrangler, ...args], { cwd: ROOT, env, encoding: 'utf8' }).stdout
}

/** Sends the request of a printed curl command, and returns the body of the response. */
async function curl(line: string): Promise<unknown> {
  const url = /^curl (\S+)/.exec(line)?.[1]
  if (!url) throw new Error(`not a curl line: ${line}`)
  const headers = [...line.matchAll(/-H '([^:]+): ([^']+)'/g)].map(
    ([, name = '', value = '']): [string, string] => [name, value],
  )
  const body = / -d '([^']+)'/.exec(line)?.[1]
  const response = await fetch(url, body === undefined ? { headers } : { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`${line}\n${response.status} ${await response.text()}`)
  return response.json()
}

const curlLines = (output: string) => output.split('\n').filter((line) => line.startsWith('curl '))

describe('npm start', () => {
  it('completes the set-up, prints three curl lines that work, and keeps its state', {
    timeout: 120_000,
  }, async () => {
    const began_ms = Date.now()
    const first = await start()
    // Only prints the duration, because it depends on the machine and its load.
    console.log(`npm start was ready after ${Date.now() - began_ms} ms`)
    const [balance = '', ingest = '', calculate = '', ...more] = curlLines(first.output)
    expect(more).toEqual([])
    expect(await curl(balance)).toMatchObject({ balance: 10_000 })
    expect(await curl(ingest)).toMatchObject({
      credits_burned: 15,
      balance_after: 9_985,
      provider_cost_usd: 0.0075,
    })
    expect(await curl(calculate)).toMatchObject({ credits: 15, margin_percent: 50 })
    expect(await first.stop()).toBe(0)
    expect(pendingMigrations()).toContain('No migrations to apply')

    const second = await start(first.port)
    expect(second.output).not.toMatch(/Migrated|Seeded|Wrote/)
    expect(await curl(balance)).toMatchObject({ balance: 9_985 })
    expect(await second.stop()).toBe(0)
  })

  it('ends with one sentence when another server uses its state, and starts after that one was killed', {
    timeout: 120_000,
  }, async () => {
    const first = await start()
    const port = await freePort()
    const second = await runScript('start.ts', { STATE_DIR, PORT: String(port) })
    expect(second).toEqual({
      code: 1,
      output: expect.stringMatching(
        new RegExp(`^The server on ${first.url} already uses the state in ${STATE_DIR}\\. .+\n$`),
      ),
    })

    // The demo uses only the server of this checkout, which it finds on any port.
    const demo = (env: object) => runScript('demo.ts', { ...UNSET, STATE_DIR, ...env })
    expect(await demo({})).toMatchObject({ code: 0, output: expect.stringContaining(`on ${first.url}\n`) })
    expect(await demo({ PORT: String(first.port) })).toMatchObject({ code: 0 })
    expect(await demo({ PORT: String(port) })).toEqual({
      code: 1,
      output: `\nThe server of this checkout is on ${first.url}, not on port ${port}. Unset PORT, or name a server with BASE_URL.\n\n`,
    })

    // Kills only the process of `npm start`. The server process that it has started still runs and uses the state
    // directory.
    first.child.kill('SIGKILL')
    expect(await runScript('start.ts', { STATE_DIR, PORT: String(port) })).toMatchObject({ code: 1 })

    await first.kill()
    const third = await start(port)
    expect(third.output).not.toContain('Migrated')
    expect(await third.stop()).toBe(0)
    expect(readdirSync(STATE_DIR)).not.toContain('server.json')
    expect(await demo({})).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^\nNo server uses the state/),
    })
  })

  it('ends when npm gets a signal, which its shell does not pass on', { timeout: 60_000 }, async () => {
    const port = await freePort()
    const env = { ...process.env, STATE_DIR, PORT: String(port) }
    const npm = spawn('npm', ['start'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((resolve, reject) => {
      npm.stdout.on('data', (chunk: Buffer) => chunk.includes('/v1/rating/calculate') && resolve())
      npm.on('exit', () => reject(new Error('npm start ended by itself')))
    })
    npm.kill('SIGTERM')
    await expect.poll(() => existsSync(path.join(STATE_DIR, 'server.json')), { timeout: 20_000 }).toBe(false)
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow('fetch failed')
  })

  it('reports a port in use before it sets anything up', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const address = other.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const fresh = path.join(FOLDER, 'fresh')
    expect(await runScript('start.ts', { STATE_DIR: fresh, PORT: String(port) })).toEqual({
      code: 1,
      output: `Port ${port} is taken. Choose another one: PORT=8788 npm start\n`,
    })
    expect(existsSync(fresh)).toBe(false)
    other.close()
  })

  it.each(['abc', '', '0', '-1', '65536', '87.5', '8787x'])('refuses PORT=%s in one line', async (PORT) => {
    expect(await runScript('start.ts', { STATE_DIR: path.join(FOLDER, 'fresh'), PORT })).toEqual({
      code: 1,
      output: `PORT is "${PORT}". It must be a whole number from 1 to 65535.\n`,
    })
  })
})

describe('npm start before it can run', () => {
  const run = (folder: string, user_agent: string) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, ['scripts/run.mjs', 'start'], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, npm_config_user_agent: user_agent, PORT: 'abc' },
    })
    return { code: status, output: stdout + stderr }
  }

  it('asks for an installation in one line', () => {
    const clone = path.join(FOLDER, 'clone')
    cpSync(path.join(ROOT, 'scripts'), path.join(clone, 'scripts'), { recursive: true })
    expect(run(clone, 'npm/11.0.0 node/v24.0.0 linux x64')).toEqual({
      code: 1,
      output: 'The dependencies are not installed. Run "npm ci" first.\n',
    })
  })

  it('refuses an old Node in one line, for any Node that runs the scripts', () => {
    expect(run(ROOT, 'npm/10.8.2 node/v18.20.8 linux x64')).toEqual({
      code: 1,
      output: 'Node 18 is too old: OpenMonetize Edge needs Node 20 or newer.\n',
    })
    expect(run(ROOT, 'npm/10.8.2 node/v20.20.2 linux x64').output).toMatch(/^PORT is "abc"/)
  })
})

describe('npm run db:seed', () => {
  it.each(['https://api.example.com', 'http://10.0.0.7:8787', 'http://127.0.0.1.example.com', '--remote'])(
    'refuses %s',
    async (target) => {
      const { code, output } = await runScript('seed.ts', {}, [target])
      expect(output).toMatch(/local/)
      expect(code).toBe(1)
    },
  )

  it('refuses a server that does not use its state', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    expect(await runScript('seed.ts', { STATE_DIR: path.join(FOLDER, 'fresh') }, [url])).toEqual({
      code: 1,
      output: `No server at ${url} uses the state in ${path.join(FOLDER, 'fresh')}. Omit the URL.\n`,
    })
  })
})
