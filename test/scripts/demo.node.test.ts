import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freePort, isAnswering } from '../../scripts/local-server.ts'

const ROOT = path.join(import.meta.dirname, '..', '..')

interface Ended {
  readonly code: number | null
  readonly said: string
}

function demo(url: string): Promise<Ended> {
  const child = spawn(process.execPath, ['scripts/demo.ts'], {
    cwd: ROOT,
    env: { ...process.env, BASE_URL: url, OPERATOR_TOKEN: 'dev-operator-token' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, said }))
  })
}

describe('npm run demo', () => {
  const state = mkdtempSync(path.join(tmpdir(), 'openmonetize-demo-'))
  let server: ChildProcess
  let url: string
  const others: Server[] = []

  /** Something else that listens. */
  async function serve(listener: RequestListener): Promise<string> {
    const port = await freePort()
    const other = createServer(listener)
    others.push(other)
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
    return `http://127.0.0.1:${port}`
  }

  beforeAll(async () => {
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    server = spawn(process.execPath, ['scripts/start.ts'], {
      cwd: ROOT,
      env: { ...process.env, PORT: String(port), STATE_DIR: state },
      stdio: 'ignore',
    })
    if (!(await isAnswering(url, 60_000))) throw new Error('npm start does not answer')
  }, 90_000)

  afterEach(() => {
    for (const other of others.splice(0)) other.close()
  })

  afterAll(async () => {
    const ended = new Promise((resolve) => server.on('exit', resolve))
    server.kill('SIGTERM')
    await ended
    rmSync(state, { recursive: true, force: true })
  })

  it('tells the whole story and finds everything as expected', { timeout: 60_000 }, async () => {
    const { code, said } = await demo(url)
    expect(said).toContain('Everything was as expected.')
    expect(said).toMatch(/OpenAI chat +gpt-4o-2024-08-06 +2,006 +300 +\$0\.005615 +11\.23 +10,488\.77\n/)
    expect(said).toMatch(/Anthropic messages +claude-sonnet-4-5-20250929 +19,557 +393 +\$0\.01827 +36\.54 /)
    expect(said).toContain('"code": "insufficient_credits"')
    expect(said).not.toContain('FAILED')
    expect(code).toBe(0)
  })

  it('ends with 1 when an event is charged twice', { timeout: 60_000 }, async () => {
    const forgetful = await serve(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(Buffer.from(chunk))
      const body = Buffer.concat(chunks)
        .toString()
        .replace(/,"idempotency_key":"[^"]+"/, '')
      const answer = await fetch(`${url}${request.url}`, {
        method: request.method ?? 'GET',
        headers: { Authorization: request.headers.authorization ?? '', 'Content-Type': 'application/json' },
        ...(body !== '' && { body }),
      })
      response.writeHead(answer.status, { 'Content-Type': 'application/json' })
      response.end(await answer.text())
    })
    const { code, said } = await demo(forgetful)
    expect(said).toMatch(/FAILED: nothing was charged twice/)
    expect(code).toBe(1)
  })

  it('says what to do when nothing answers', async () => {
    const { code, said } = await demo(`http://127.0.0.1:${await freePort()}`)
    expect(said).toMatch(/Nothing answers on http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/)
    expect(said).toContain('npm start')
    expect(said).not.toContain('    at ')
    expect(code).toBe(1)
  })

  it('says so when something else answers', async () => {
    const website = await serve((_, response) => response.end('<h1>It works!</h1>'))
    const { code, said } = await demo(website)
    expect(said).toContain('does not answer like OpenMonetize Edge')
    expect(code).toBe(1)
  })
})
