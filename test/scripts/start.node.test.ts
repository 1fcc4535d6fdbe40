import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { freePort } from '../../scripts/local-server.ts'

/** What somebody meets who has just cloned the repository: `npm start`, its three curl lines, Ctrl-C, `npm start`. */

const ROOT = path.join(import.meta.dirname, '..', '..')
const STATE_DIR = mkdtempSync(path.join(tmpdir(), 'openmonetize-'))

interface Running {
  readonly child: ChildProcess
  readonly said: string
  readonly answering_after_ms: number
}

/** Whatever a failed test left running. */
const started: ChildProcess[] = []

async function start(port: number): Promise<Running> {
  const began_ms = Date.now()
  const child = spawn(process.execPath, ['scripts/start.ts'], {
    cwd: ROOT,
    env: { ...process.env, PORT: String(port), STATE_DIR },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  let said = ''
  return new Promise((resolve, reject) => {
    const listen = (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('/v1/rating/calculate'))
        resolve({ child, said, answering_after_ms: Date.now() - began_ms })
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.on('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${said}`)))
  })
}

function stop(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.removeAllListeners('exit')
    child.on('exit', resolve)
    child.kill('SIGINT')
  })
}

/** Does what a printed curl line says. */
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

const curlLines = (said: string) => said.split('\n').filter((line) => line.startsWith('curl '))

describe('npm start', () => {
  afterAll(() => {
    for (const child of started) child.kill('SIGTERM')
    rmSync(STATE_DIR, { recursive: true, force: true })
  })

  it('sets up what is missing, prints three curl lines that work, and keeps its state', {
    timeout: 120_000,
  }, async () => {
    const port = await freePort()
    const first = await start(port)
    // Told, not asserted: how long it takes is of the machine and of what else it does.
    console.log(`npm start answered after ${first.answering_after_ms} ms`)
    const [balance = '', ingest = '', calculate = '', ...more] = curlLines(first.said)
    expect(more).toEqual([])
    expect(await curl(balance)).toMatchObject({ balance: 10_000 })
    expect(await curl(ingest)).toMatchObject({
      credits_burned: 15,
      balance_after: 9_985,
      provider_cost_usd: 0.0075,
    })
    expect(await curl(calculate)).toMatchObject({ credits: 15, margin_percent: 50 })
    expect(await stop(first.child)).toBe(0)

    const second = await start(port)
    expect(second.said).not.toMatch(/Migrated|Seeded|Wrote/)
    expect(await curl(balance)).toMatchObject({ balance: 9_985 })
    expect(await stop(second.child)).toBe(0)
  })
})

describe('npm run db:seed', () => {
  const seed = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['scripts/seed.ts', ...args], { cwd: ROOT })

  it.each(['https://api.example.com', 'http://10.0.0.7:8787', 'http://127.0.0.1.example.com', '--remote'])(
    'refuses %s',
    async (target) => {
      await expect(seed(target)).rejects.toThrow(/local/)
    },
  )
})
