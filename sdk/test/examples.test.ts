import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest'
import type { OpenMonetize } from '../src/index.ts'
import { newCustomer } from './support/server.ts'
import { json, sse, startUpstream, type Upstream } from './support/upstream.ts'

/**
 * The URL of the server. The tests run the unchanged examples against the real Worker and test doubles of the
 * providers.
 */
const { url } = inject('server')
const ROOT = path.join(import.meta.dirname, '..', '..')
const EXAMPLES = path.join(ROOT, 'examples')
const directory = mkdtempSync(path.join(tmpdir(), 'openmonetize-examples-'))
const answer = (name: string): unknown => JSON.parse(readFileSync(path.join(EXAMPLES, name), 'utf8'))

let upstream: Upstream
let om: OpenMonetize
let apiKey: string

beforeAll(async () => {
  upstream = await startUpstream()
  const customer = await newCustomer(url)
  om = customer.om
  apiKey = customer.apiKey
  Object.assign(process.env, {
    OPENMONETIZE_URL: url,
    OPENMONETIZE_KEY: apiKey,
    USAGE_FILE: path.join(directory, 'usage.ndjson'),
    OPENAI_API_KEY: 'sk-test',
    OPENAI_BASE_URL: `${upstream.url}/v1`,
    ANTHROPIC_API_KEY: 'sk-test',
    ANTHROPIC_BASE_URL: upstream.url,
    GEMINI_API_KEY: 'test',
    GEMINI_URL: upstream.url,
  })
})
beforeEach(() => upstream.play(json({})))
afterAll(async () => {
  await upstream.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function lastCredits(): Promise<number | undefined> {
  return (await om.events.list({ limit: 1 })).data[0]?.credits_burned
}

it('script.ts', async () => {
  const { main } = await import('../../examples/sdk/script.ts')
  upstream.play(json(answer('openai-chat.json')))
  expect(await main()).toContain('You can return the shoes')
  expect(await lastCredits()).toBe(11.23)
})

it('worker.ts', async () => {
  const { default: worker } = await import('../../examples/sdk/worker.ts')
  const work: Promise<unknown>[] = []
  const ctx = { waitUntil: (promise: Promise<unknown>) => work.push(promise) }
  const env = { OPENMONETIZE_KEY: apiKey, OPENMONETIZE_URL: url }
  const response = await worker.fetch(new Request('https://example.com/?user=ada'), env, ctx)
  expect(response.status).toBe(200)
  await Promise.all(work)
  expect((await om.events.list({ feature_id: 'search' })).data).toHaveLength(1)
  await om.entitlements.create({
    feature_id: 'search',
    limit_type: 'HARD',
    limit_value: 0,
    unit: 'events',
    period: 'DAILY',
  })
  expect((await worker.fetch(new Request('https://example.com/?user=ada'), env, ctx)).status).toBe(402)
})

it('next-route.ts', async () => {
  const { POST } = await import('../../examples/sdk/next-route.ts')
  const { afterwards } = await import('./support/next-server.ts')
  upstream.play(json(answer('anthropic-messages.json')))
  const body = JSON.stringify({ user_id: 'bob', question: 'May I cancel?' })
  const response = await POST(new Request('https://example.com/api/chat', { method: 'POST', body }))
  expect(await response.json()).toMatchObject({ text: expect.stringContaining('notice') })
  await Promise.all(afterwards)
  expect(await lastCredits()).toBe(36.54)
})

it('hono-app.ts', async () => {
  const { app } = await import('../../examples/sdk/hono-app.ts')
  const ask = (user_id: string) =>
    app.request('/ask', {
      method: 'POST',
      body: JSON.stringify({ user_id, question: 'How was the quarter?' }),
    })
  upstream.play(json(answer('gemini-generate-content.json')))
  expect(await (await ask('cleo')).json()).toMatchObject({ text: expect.stringContaining('Revenue grew') })
  await expect.poll(lastCredits, { timeout: 10_000 }).toBe(24.2)
  await om.credits.grant({ user_id: 'poor', amount: 1 })
  const refused = await ask('poor')
  expect([refused.status, await refused.json()]).toMatchObject([
    402,
    { message: 'Not enough credits. Buy credits to continue.' },
  ])
})

it('chat.ts', async () => {
  const { chat, close } = await import('../../examples/sdk/chat.ts')
  const words = ['Within ', '30 ', 'days.'].map((content) => ({
    object: 'chat.completion.chunk',
    model: 'gpt-4o',
    choices: [{ index: 0, delta: { content } }],
  }))
  const usage = { prompt_tokens: 100, completion_tokens: 50 }
  const last = { object: 'chat.completion.chunk', model: 'gpt-4o', choices: [], usage }
  upstream.play(sse([...words, last], { tail: 'data: [DONE]\n\n' }))
  await om.credits.grant({ user_id: 'dora', amount: 2 })
  let text = ''
  for await (const part of chat('dora', 'May I return them?')) text += part
  expect(text).toBe('Within 30 days.')
  // 2 credits pay for 100 tokens of output.
  expect(upstream.requests[0]?.body.max_completion_tokens).toBeLessThanOrEqual(100)
  await close()
  expect(await om.credits.balance({ user_id: 'dora' })).toMatchObject({ balance: 0.5, reserved_balance: 0 })
})

it('backfill.ts', async () => {
  const { backfill } = await import('../../examples/sdk/backfill.ts')
  const yesterday = new Date(Date.now() - 86_400_000).toISOString()
  const rows = [
    `b-1,${yesterday},eve,gpt-4o,1000,500`,
    `b-2,${yesterday},eve,gpt-4o,1000,-5`,
    `b-3,${yesterday},eve,gpt-4o,200,0`,
  ]
  const file = path.join(directory, 'usage.csv')
  writeFileSync(file, `id,time,user,model,input,output\n${rows.join('\n')}\n`)
  for (const _ of ['first', 'again']) {
    expect(await backfill(file)).toEqual({ sent: 2, rejected: [expect.stringContaining('b-2')] })
  }
  const { data } = await om.events.list({ user_id: 'eve' })
  expect(data.map(({ credits_burned }) => credits_burned)).toEqual([1, 15])
})

it('script.py', async ({ skip }) => {
  const file = path.join(EXAMPLES, 'sdk', 'script.py')
  const env = {
    ...process.env,
    PYTHONPATH: path.join(ROOT, 'sdk-python'),
    USAGE_FILE: path.join(directory, 'python.ndjson'),
  }
  const run = promisify(execFile)('python3', [file], { env })
  const { stdout } = await run.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') skip('There is no python3.')
    throw error
  })
  expect(stdout).toMatch(/^burned \d+/)
  expect(stdout).toContain("{'queued': 0, 'sent': 100, 'dropped': 0, 'rejected': 0}")
})

it('the guide shows the examples as they are', () => {
  const guide = readFileSync(path.join(ROOT, 'docs', 'integration.md'), 'utf8')
  const shown = [...guide.matchAll(/```(?:ts|python)\n(?:\/\/|#) (examples\/sdk\/[\w.-]+)\n(.*?)```/gs)]
  expect(shown.length).toBeGreaterThan(3)
  for (const [, file = '', code = ''] of shown) {
    expect(unindented(readFileSync(path.join(ROOT, file), 'utf8')), file).toContain(unindented(code))
  }
})

/** Removes the indentation, because the guide shows parts of functions without it. */
function unindented(text: string): string {
  return text.trim().replace(/^ +/gm, '')
}
