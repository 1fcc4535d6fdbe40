import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../scripts/local-server.ts'
import type { Tier } from '../../src/db/schema.ts'
import { ROOT } from '../support/npm-start.ts'
import { sharedServer } from '../support/shared-server.ts'

/**
 * Saves and runs the modules of the guides in the same way as a reader would. A module is a JavaScript block whose
 * first line names its file. The tests use the server of `npm start` and simulated providers.
 */

const WORK = mkdtempSync(path.join(tmpdir(), 'openmonetize-guides-'))
const PAGES = [
  'integration.md',
  'migrate-from-openmonetize.md',
  'migrate-from-stripe-meters.md',
  'migrate-from-postgres.md',
]

let providers: Server | undefined
let meter_url = ''
/** The requests that the simulated providers have received. */
const asked: unknown[] = []

beforeAll(async () => {
  const providers_port = await freePort()
  providers = await startProviders(providers_port)
  meter_url = await sharedServer()
  const providers_url = `http://127.0.0.1:${providers_port}`
  Object.assign(process.env, {
    METER_URL: meter_url,
    METER_KEY: await registerCustomer(),
    OPENAI_BASE_URL: `${providers_url}/openai`,
    ANTHROPIC_BASE_URL: `${providers_url}/anthropic`,
    GEMINI_BASE_URL: `${providers_url}/gemini`,
  })
  for (const [file, code] of PAGES.flatMap(modulesOf)) writeFileSync(path.join(WORK, file), code)
  writeFileSync(path.join(WORK, 'package.json'), '{"type":"module"}')
}, 120_000)

afterAll(() => {
  providers?.close()
  rmSync(WORK, { recursive: true, force: true })
})

describe('docs/integration.md', () => {
  it.each([
    ['openai.js', 'askOpenAI', [{ role: 'user', content: 'Hello' }], 0.005615, 11.23],
    ['anthropic.js', 'askAnthropic', [{ role: 'user', content: 'Hello' }], 0.01827, 36.54],
    ['gemini.js', 'askGemini', 'Hello', 0.0121, 24.2],
  ])(
    '%s meters a call once, even if it is reported several times',
    async (file, name, prompt, cost, credits) => {
      const ask = await exported(file, name)
      const first = await ask('ada', prompt)
      expect(first).toMatchObject({
        text: expect.stringMatching(/\w/),
        metered: { status: 200, body: { provider_cost_usd: cost, credits_burned: credits } },
      })
      // The simulated provider returns the same id again, as in a retry, so the event is not charged twice.
      expect(await ask('ada', prompt)).toEqual(first)
    },
  )

  it('may.js returns whether a user may use a feature, and why not', async () => {
    const may = await exported('may.js', 'may')
    const call = { model: 'gpt-4o', input_tokens: 1000, output_tokens: 500 }
    expect(await may('ada', call)).toEqual({ allowed: true, reason: null, credits: 15 })
    await grant('poor', 1)
    expect(await may('poor', call)).toEqual({ allowed: false, reason: 'insufficient_credits', credits: 15 })
  })

  it('stream.js holds before it streams, limits the output at the provider, and burns the used amount', async () => {
    await grant('bea', 50)
    const stream = await exported('stream.js', 'streamOpenAI')
    const written: string[] = []
    const write = (text: string) => void written.push(text)
    const size = { input_tokens: 1000, max_output_tokens: 2000 }
    const result = await stream('bea', [{ role: 'user', content: 'Hello' }], write, size)
    expect(written.join('')).toBe('Hello, Bea!')
    expect(asked.at(-1)).toMatchObject({ stream: true, max_completion_tokens: expect.any(Number) })
    expect(result).toMatchObject({
      metered: { status: 200, body: { credits_burned: 15, balance_after: 35 } },
    })
    expect(await balance('bea')).toMatchObject({ balance: 35, reserved_balance: 0 })
  })

  it('stream.js does not call the provider when the credits cannot be held', async () => {
    await grant('cleo', 1)
    const stream = await exported('stream.js', 'streamOpenAI')
    const before = asked.length
    const size = { input_tokens: 1000, max_output_tokens: 2000 }
    expect(await stream('cleo', [], () => {}, size)).toMatchObject({
      refused: { code: 'insufficient_credits' },
    })
    expect(asked).toHaveLength(before)
  })

  it('stream.js burns an estimate when the reader leaves in the middle', async () => {
    await grant('dan', 50)
    const stream = await exported('stream.js', 'streamOpenAI')
    const gone = () => {
      throw new Error('the reader has gone')
    }
    const size = { input_tokens: 1000, max_output_tokens: 2000 }
    const result = await stream('dan', [], gone, size)
    // The charge is for 1,000 input tokens and for 2 output tokens. The 2 tokens are the estimate for the 7 characters
    // that arrived.
    expect(result).toMatchObject({ metered: { status: 200, body: { credits_burned: 5.04 } } })
    expect(await balance('dan')).toMatchObject({ balance: 44.96, reserved_balance: 0 })
  })

  it('backfill.js can send events repeatedly and names the rejected ones', async () => {
    const backfill = await exported('backfill.js', 'backfill')
    const events = Array.from({ length: 1001 }, (_, index) => ({
      event_type: 'API_CALL',
      feature_id: 'export',
      unit: 'rows',
      quantity: 1,
      idempotency_key: `row-${index}`,
      timestamp: index === 7 ? '2020-01-01T00:00:00Z' : new Date().toISOString(),
    }))
    const rejected = [{ event: events[7], error: { code: 'invalid_request' } }]
    expect(await backfill(events)).toMatchObject(rejected)
    expect(await backfill(events)).toMatchObject(rejected)
  })
})

describe('meter.js', () => {
  it('returns the 429 response for an exhausted quota, instead of waiting for the next month', async () => {
    const of_others = process.env.METER_KEY
    process.env.METER_KEY = await registerCustomer('STARTER')
    try {
      const meter = await exported('meter.js', 'meter')
      const event = { event_type: 'API_CALL', feature_id: 'export', unit: 'rows', quantity: 1 }
      const events = Array.from({ length: 1000 }, () => event)
      for (let sent = 0; sent < 10_000; sent += 1000) {
        expect(await meter('/v1/events/ingest', { events })).toMatchObject({ body: { accepted: 1000 } })
      }
      expect(await meter('/v1/events/ingest', event)).toMatchObject({
        status: 429,
        body: { code: 'quota_exceeded' },
      })
    } finally {
      process.env.METER_KEY = of_others
    }
  }, 60_000)
})

describe('docs/migrate-from-openmonetize.md', () => {
  it('convertEvent makes an event that is accepted once', async () => {
    const convert = await exported('convert.js', 'convertEvent')
    const old = {
      event_id: randomUUID(),
      customer_id: randomUUID(),
      user_id: randomUUID(),
      event_type: 'TOKEN_USAGE',
      feature_id: 'ai-chat',
      provider: 'OPENAI',
      model: 'gpt-4',
      input_tokens: 1000,
      output_tokens: 500,
      timestamp: new Date().toISOString(),
      metadata: { trace: 1 },
    }
    const first = await post('/v1/events/ingest', await convert(old))
    expect(first).toMatchObject({ status: 200, body: { provider_cost_usd: 0.06 } })
    expect((await post('/v1/events/ingest', await convert(old))).body).toEqual(first.body)
  })

  it.each([
    { 'gpt-4': { input_tokens: 30, output_tokens: 60, per_unit: 1000 }, default: { flat_rate: 5 } },
    { 'gpt-4': { inputTokens: 30, outputTokens: 60, perUnit: 1000 } },
  ])('convertBurnTable makes a table that gives the old credits', async (rules) => {
    const convert = await exported('convert.js', 'convertBurnTable')
    const table = await post('/v1/burn-tables', Object(await convert(`old ${randomUUID()}`, rules)))
    expect(table.status).toBe(201)
    // 1,001 / 1,000 × 30 + 0.5 × 60 = 60.03, which is rounded up.
    const use = { provider: 'OPENAI', model: 'gpt-4', input_tokens: 1001, output_tokens: 500 }
    expect(await post('/v1/rating/calculate', use)).toMatchObject({ status: 200, body: { credits: 61 } })
    expect((await call('DELETE', `/v1/burn-tables/${Object(table.body).id}`)).status).toBe(200)
  })
})

describe('docs/migrate-from-stripe-meters.md', () => {
  it('a paid session buys credits once, and one that is not paid buys none', async () => {
    const paid = await exported('stripe-webhook.js', 'creditsPaid')
    const session = {
      id: 'cs_1',
      payment_status: 'paid',
      client_reference_id: 'eve',
      amount_total: 1005,
      metadata: { credits: '500' },
    }
    await paid({ data: { object: session } })
    await paid({ data: { object: session } })
    expect(await balance('eve')).toMatchObject({ balance: 500 })
    expect(
      await paid({ data: { object: { ...session, id: 'cs_2', payment_status: 'unpaid' } } }),
    ).toBeUndefined()
    expect(await balance('eve')).toMatchObject({ balance: 500 })
  })
})

describe('docs/migrate-from-postgres.md', () => {
  it('wallets are imported once, even if the import runs several times', async () => {
    const importWallets = await exported('import.js', 'importWallets')
    const wallets = [
      {
        user_id: 'fay',
        lots: [
          { id: '1', credits: '10.000001', expires_at: '2099-01-01T00:00:00Z' },
          { id: '2', credits: '90', paid_usd: '9.00' },
        ],
      },
    ]
    await importWallets(wallets)
    await importWallets(wallets)
    expect(await balance('fay')).toMatchObject({ balance: 100.000001 })
  })
})

function modulesOf(page: string): [file: string, code: string][] {
  const text = readFileSync(path.join(ROOT, 'docs', page), 'utf8')
  return [...text.matchAll(/```js\n\/\/ ([\w-]+\.js)\n(.*?)```/gs)].map(([, file = '', code = '']) => [
    file,
    code,
  ])
}

async function exported(file: string, name: string): Promise<(...args: unknown[]) => Promise<unknown>> {
  const module: unknown = await import(pathToFileURL(path.join(WORK, file)).href)
  const value: unknown = typeof module === 'object' && module !== null ? Reflect.get(module, name) : undefined
  if (typeof value !== 'function') throw new Error(`${file} does not export ${name}`)
  return async (...args) => value(...args)
}

async function registerCustomer(tier: Tier = 'ENTERPRISE'): Promise<string> {
  const response = await fetch(`${meter_url}/v1/customers/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: 'Bearer dev-operator-token' },
    body: JSON.stringify({ name: 'Guides', email: `${randomUUID()}@example.com`, tier }),
  })
  const answer: unknown = await response.json()
  return String(Object(answer).api_key)
}

async function call(
  method: string,
  route: string,
  body?: object,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${meter_url}${route}`, {
    method,
    headers: { Authorization: `Bearer ${process.env.METER_KEY}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}

function post(route: string, body: unknown) {
  return call('POST', route, Object(body))
}

async function grant(user_id: string, amount: number): Promise<void> {
  expect(await post('/v1/credits/grant', { user_id, amount })).toMatchObject({ status: 201 })
}

async function balance(user_id: string): Promise<unknown> {
  return (await call('GET', `/v1/credits/balance?user_id=${user_id}`)).body
}

/** Starts a server that simulates the APIs of the three providers, with the routes that the guides use. */
function startProviders(port: number): Promise<Server> {
  const started = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const question: unknown = JSON.parse(body)
      asked.push(question)
      if (Object(question).stream === true) return streamAnswer(response)
      response.setHeader('Content-Type', 'application/json')
      response.end(readFileSync(path.join(ROOT, 'examples', exampleFor(request.url ?? ''))))
    })
  })
  return new Promise((resolve) => started.listen(port, '127.0.0.1', () => resolve(started)))
}

function exampleFor(url: string): string {
  if (url === '/openai/chat/completions') return 'openai-chat.json'
  if (url === '/anthropic/v1/messages') return 'anthropic-messages.json'
  if (url === '/gemini/models/gemini-2.5-pro:generateContent') return 'gemini-generate-content.json'
  throw new Error(`no provider has ${url}`)
}

function streamAnswer(response: ServerResponse): void {
  const model = 'gpt-4o-2024-08-06'
  const chunks = [
    ...['Hello, ', 'Bea!'].map((content) => ({ model, choices: [{ delta: { content } }] })),
    { model, choices: [], usage: { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 } },
  ]
  response.setHeader('Content-Type', 'text/event-stream')
  for (const chunk of chunks) response.write(`data: ${JSON.stringify(chunk)}\n\n`)
  response.end('data: [DONE]\n\n')
}
