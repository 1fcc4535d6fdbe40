import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from '../support/npm-start.ts'
import { sharedServer } from '../support/shared-server.ts'

/** Runs the commands of docs/proof.md in a shell, and the verifier in a browser. */

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const PAGE = readFileSync(path.join(ROOT, 'docs/proof.md'), 'utf8')
const scratch = mkdtempSync(path.join(tmpdir(), 'openmonetize-proof-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

let meter = ''
let key = ''
let event_id = ''

/** Sends a request with the customer's API key. Before the customer is created, uses the operator token. */
async function post(route: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${meter}${route}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${key || 'dev-operator-token'}` },
    body: JSON.stringify(body),
  })
  expect(response.status).toBeLessThan(300)
  return Object(await response.json())
}

function shell(script: string) {
  const env = { ...process.env, URL: meter, KEY: key, ID: event_id }
  return promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd: scratch, env })
}

beforeAll(async () => {
  meter = await sharedServer()
  const registered = await post('/v1/customers/register', {
    name: 'Proof',
    email: `${randomUUID()}@example.com`,
    tier: 'STARTER',
  })
  key = String(registered.api_key)
  await post('/v1/credits/grant', { user_id: 'ada', amount: 50 })
  const model = { provider: 'openai', model: 'gpt-4o', usage: { input_tokens: 1000, output_tokens: 500 } }
  const event = { event_type: 'TOKEN_USAGE', feature_id: 'chat', user_id: 'ada', ...model }
  const burned = await post('/v1/events/ingest', event)
  event_id = String(burned.id)
  // With this link, `npx` uses the package of this repository. Without it, `npx` would download the published package.
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(scratch, 'node_modules'))
})

describe('the commands of docs/proof.md', () => {
  it('get an export and a receipt, and verify them', { timeout: 60_000 }, async () => {
    const [, block = ''] = /```sh\n(.*?)```/s.exec(PAGE) ?? []
    const { stdout } = await shell(block)
    expect(stdout).toMatch(/entries 1 to 3 are valid, checkpoints: 1\n.*receipt of entry 3/)
  })

  it("verify them with Python's standard library", async () => {
    const [, command = ''] = /`(python3 docs\/proof\/verify\.py [^`]+)`/.exec(PAGE) ?? []
    await shell('curl -s "$URL/.well-known/openmonetize-keys.json" > keys.json')
    const { stdout } = await shell(command.replace('docs/', `${ROOT}/docs/`))
    expect(stdout).toBe('3 entries are valid\nreceipt of entry 3\n')
  })
})

describe.skipIf(!existsSync(CHROMIUM))('the verifier in Chromium', () => {
  it('accepts the export and the receipt, and names the first entry that was changed', async () => {
    const text = readFileSync(path.join(scratch, 'export.jsonl'), 'utf8')
    writeFileSync(path.join(scratch, 'changed.jsonl'), text.replace('"a":50000000', '"a":50000001'))
    const [server, address] = await serve()
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu'],
    })
    try {
      const page = await browser.newPage()
      await page.goto(address)
      const result = await page.evaluate(`(async () => {
        const { verifyExport, verifyReceipt } = await import('/verify.js')
        const { keys } = await (await fetch('/keys.json')).json()
        const streamed = async (name) => verifyExport((await fetch(name)).body, keys)
        const receipt = (await (await fetch('/receipt.jws')).text()).trim()
        return [await streamed('/export.jsonl'), await streamed('/changed.jsonl'), await verifyReceipt(receipt, keys)]
      })()`)
      expect(result).toEqual([
        expect.objectContaining({ ok: true }),
        expect.objectContaining({ ok: false, entry: 2, line: 3 }),
        expect.objectContaining({ ok: true }),
      ])
    } finally {
      await browser.close()
      server.close()
    }
  })
})

/** Starts a web server for the verifier and for the files that the commands have written. */
async function serve() {
  const files = new Map([['/verify.js', path.join(ROOT, 'verify/verify.js')]])
  for (const name of ['keys.json', 'export.jsonl', 'changed.jsonl', 'receipt.jws']) {
    files.set(`/${name}`, path.join(scratch, name))
  }
  const server = createServer(({ url = '' }, response) => {
    const file = files.get(url)
    const type = url.endsWith('.js') ? 'text/javascript' : 'text/html'
    response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': "default-src 'self'" })
    response.end(file === undefined ? '<!doctype html>' : readFileSync(file))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return [server, `http://127.0.0.1:${port}/`] as const
}
