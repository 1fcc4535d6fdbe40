import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { verifyWebhook } from '../../sdk/src/webhooks.ts'
import { ROOT } from '../support/npm-start.ts'
import { useRealTime } from '../support/real-time.ts'
import { sharedServer } from '../support/shared-server.ts'

useRealTime()

/**
 * Runs the unchanged code blocks of docs/alerts-and-webhooks.md. They use the server of `npm start` and a receiver for
 * its notifications.
 */

const PAGE = readFileSync(path.join(ROOT, 'docs', 'alerts-and-webhooks.md'), 'utf8')
const WORK = mkdtempSync(path.join(tmpdir(), 'openmonetize-webhooks-'))

interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

let URL = ''
let KEY = ''
let message: Message
let SECRET = ''

beforeAll(async () => {
  URL = await sharedServer()
  const email = `${randomUUID()}@webhooks.example`
  KEY = String((await post('/v1/customers/register', 'dev-operator-token', { name: 'docs', email })).api_key)
  let received = (_: Message) => {}
  const arrived = new Promise<Message>((resolve) => {
    received = resolve
  })
  const receiver = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      response.end()
      const headers = Object.fromEntries(Object.entries(request.headers).map(([k, v]) => [k, String(v)]))
      received({ headers, body: Buffer.concat(parts).toString() })
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const address = receiver.address()
  if (typeof address !== 'object' || !address) throw new Error('the receiver has no address')
  const url = `http://127.0.0.1:${address.port}/`
  const endpoint = await post('/v1/webhook-endpoints', KEY, { url, types: ['*'] })
  SECRET = String(endpoint.secret)
  await post(`/v1/webhook-endpoints/${String(endpoint.id)}/test`, KEY, {})
  message = await arrived
  receiver.close()
  writeFileSync(path.join(WORK, 'body.json'), message.body)
}, 120_000)

afterAll(() => {
  rmSync(WORK, { recursive: true, force: true })
})

async function post(target: string, key: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${URL}${target}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${target} returned ${response.status}: ${await response.text()}`)
  return { ...Object(await response.json()) }
}

function blocks(language: string): string[] {
  return [...PAGE.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, block = '']) => block)
}

function blockWith(language: string, text: string): string {
  const [found, ...more] = blocks(language).filter((block) => block.includes(text))
  if (found === undefined || more.length > 0) throw new Error(`one block should have ${text}`)
  return found
}

function bash(script: string): string {
  const { 'webhook-id': ID, 'webhook-timestamp': TIMESTAMP } = message.headers
  return execFileSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: WORK,
    env: { ...process.env, URL, KEY, SECRET, ID, TIMESTAMP },
    encoding: 'utf8',
  })
}

/** Runs the code of a module. `names` has the values for its imports and for its global names. */
async function run(code: string, names: Readonly<Record<string, unknown>>): Promise<unknown> {
  const [imports = '', ...lines] = code.split('\n')
  expect(imports).toMatch(/^import \{ \w+ \} from '@openmonetize\/edge\/\w+'$/)
  const AsyncFunction: FunctionConstructor = Object.getPrototypeOf(async () => {}).constructor
  return AsyncFunction(...Object.keys(names), lines.join('\n'))(...Object.values(names))
}

it('the page has only the blocks that run here', () => {
  expect(['sh', 'ts', 'python'].map((language) => blocks(language).length)).toEqual([4, 2, 1])
})

it.each(['/v1/alerts', '/v1/webhook-endpoints', '/v1/webhook-deliveries'])(
  'its curl line of %s gets the documented response',
  (target) => {
    const script = blockWith('sh', target)
    const promised = /# \d{3} (.*)/.exec(script)?.[1] ?? ''
    const expected = JSON.parse(promised, (_, value: unknown) =>
      typeof value === 'string' && value.endsWith('…') ? expect.stringContaining(value.slice(0, -1)) : value,
    )
    expect(JSON.parse(bash(script))).toMatchObject(expected)
  },
)

it('its line with openssl makes the signature of a message', () => {
  const signatures = String(message.headers['webhook-signature']).split(' ')
  expect(signatures).toContain(`v1,${bash(blockWith('sh', 'openssl')).trim()}`)
})

it('its TypeScript verifies a message', async () => {
  const block = blockWith('ts', 'verifyWebhook')
  const request = new Request('https://receiver.example', { method: 'POST', ...message })
  const process_ = { env: { WEBHOOK_SECRET: SECRET } }
  const verified = run(`${block}\nreturn notification`, { verifyWebhook, request, process: process_ })
  expect(await verified).toEqual(JSON.parse(message.body))
})

it('its TypeScript streams notifications', async () => {
  const block = blockWith('ts', 'stream(')
  // Imports the SDK by a computed URL, because the SDK is compiled separately, with its own types.
  const { stream } = await import(pathToFileURL(path.join(ROOT, 'sdk', 'src', 'stream.ts')).href)
  const logged: unknown[][] = []
  const ended = new Error('enough')
  const log = (...parts: unknown[]) => {
    logged.push(parts)
    throw ended
  }
  const names = { stream, process: { env: { KEY, URL } }, console: { log } }
  const running = run(block, names)
  // The stream delivers only notifications that are created after it opens, so the test creates some.
  const granting = setInterval(() => void post('/v1/credits/grant', KEY, { amount: 1 }), 500)
  try {
    await expect(running).rejects.toBe(ended)
  } finally {
    clearInterval(granting)
  }
  expect(logged).toEqual([[expect.any(Number), 'credits.granted']])
})

it('its Python verifies a message', () => {
  const given = ['import json, sys', 'body, headers, secret = json.loads(sys.argv[1])']
  const script = [...given, blockWith('python', 'verify_webhook'), 'print(json.dumps(notification))'].join(
    '\n',
  )
  const args = JSON.stringify([message.body, message.headers, SECRET])
  const printed = execFileSync('python3', ['-c', script, args], {
    env: { ...process.env, PYTHONPATH: path.join(ROOT, 'sdk-python'), PYTHONDONTWRITEBYTECODE: '1' },
    encoding: 'utf8',
  })
  expect(JSON.parse(printed)).toEqual(JSON.parse(message.body))
})
