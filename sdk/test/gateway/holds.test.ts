import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { micro } from '../support/metered.ts'
import { json, startUpstream, type Upstream } from '../support/upstream.ts'
import { gatewayCustomer, post } from './gateway.ts'
import * as scripts from './scripts.ts'

/** Tests of the size of holds. `docs/gateway.md` has the rules. */

const gateway = inject('server')
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

/** Sends a call, and returns the micro-credits that are held while it runs. */
async function heldFor(target: string, body: object): Promise<number> {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  let held = 0
  upstream.play(async (response, request) => {
    held = await customer.held()
    await json({ error: { message: 'no' } }, 400)(response, request)
  })
  expect((await post(gateway, customer, target, body)).status).toBe(400)
  return micro(held)
}

const CHAT = 'openai/v1/chat/completions'
const chat = (content: unknown) => ({
  model: scripts.CHAT_MODEL,
  max_tokens: 100,
  messages: [{ role: 'user', content }],
})

it('a message that looks like a data URL is held as text, and a poor wallet does not get the call', async () => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const text = 'word '.repeat(80_000)
  const plain = await heldFor(CHAT, chat(text))
  expect(await heldFor(CHAT, chat(`data:image/ ${text}`))).toBeGreaterThan(plain)
  const image = [{ type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(400_000)}` } }]
  expect(await heldFor(CHAT, chat(image))).toBeLessThan(plain / 20)

  await customer.om.credits.grant({ user_id: 'ada', amount: 20 })
  upstream.play(json(scripts.CHAT_COMPLETION))
  const response = await post(gateway, customer, CHAT, chat(`data:image/ ${text}`), { 'X-Meter-User': 'ada' })
  expect(response.status).toBe(402)
  expect(upstream.requests).toHaveLength(0)
})

it.each([
  ['openai/v1/chat/completions', { model: 'gpt-of-tomorrow', max_tokens: 100, messages: [] }],
  ['openai/v1/responses', { model: 'gpt-of-tomorrow', input: 'Hello' }],
  ['anthropic/v1/messages', { model: 'claude-of-tomorrow', max_tokens: 100, messages: [] }],
  ['google/v1beta/models/gemini-of-tomorrow:generateContent', { contents: [] }],
])('a wallet that can spend nothing does not get a call without a price: %s', async (target, body) => {
  const customer = await gatewayCustomer(gateway.url, upstream.url)
  const user = { 'X-Meter-User': 'ada' }
  await customer.om.credits.grant({ user_id: 'ada', amount: 0.000001 })
  upstream.play(json({ error: { message: 'no' } }, 400))
  expect((await post(gateway, customer, target, body, user)).status).toBe(400)
  await expect.poll(customer.held).toBe(0)

  await customer.om.credits.adjust({ user_id: 'ada', amount: -0.000001, reason: 'empty' })
  const refused = await post(gateway, customer, target, body, user)
  expect(refused.status).toBe(402)
  const text = await refused.text()
  expect(text).toContain('insufficient_credits')
  expect(text).toContain('0.000001')
  expect(upstream.requests).toHaveLength(1)
})

const GEMINI = `google/v1beta/models/${scripts.GEMINI_MODEL}:generateContent`
const contents = [{ parts: [{ text: 'Hello' }] }]
const claude = {
  model: 'claude-opus-4-8',
  max_tokens: 10_000,
  messages: [{ role: 'user', content: 'Hello' }],
}
const opus = { provider: 'ANTHROPIC', model: 'claude-opus-4-8' }

it.each([
  [
    'eight candidates of Gemini in snake case and as strings',
    GEMINI,
    { contents, generation_config: { max_output_tokens: '1000', candidate_count: '8' } },
    { provider: 'GOOGLE', model: scripts.GEMINI_MODEL },
    { output_tokens: 8_000 },
  ],
  [
    "Anthropic's fast mode",
    'anthropic/v1/messages',
    { ...claude, speed: 'fast' },
    { ...opus, service_tier: 'fast' },
    { output_tokens: 10_000 },
  ],
  [
    'a region of Anthropic',
    'anthropic/v1/messages',
    { ...claude, inference_geo: 'us' },
    { ...opus, region: 'us' },
    { output_tokens: 10_000 },
  ],
  [
    'searches in files',
    'openai/v1/responses',
    { model: 'gpt-5', input: 'Hello', max_output_tokens: 1000, tools: [{ type: 'file_search' }] },
    { provider: 'OPENAI', model: 'gpt-5' },
    { output_tokens: 1000, storage_searches: 5 },
  ],
  [
    'the cache writes of OpenAI',
    'openai/v1/responses',
    { model: 'gpt-5.6-sol', input: 'Hello '.repeat(1_000), max_output_tokens: 100 },
    { provider: 'OPENAI', model: 'gpt-5.6-sol' },
    { output_tokens: 100, cache_write_tokens: 2_020 },
  ],
])('a hold covers %s', async (_, target, body, priced, output) => {
  const { price } = await gatewayCustomer(gateway.url, upstream.url)
  const usage = { input_tokens: Math.ceil(JSON.stringify(body).length / 3), ...output }
  expect(await heldFor(target, body)).toBe(await price({ ...priced, usage }))
})
