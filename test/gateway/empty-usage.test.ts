import { afterEach, expect, it, vi } from 'vitest'
import { api, jsonOf } from '../support/api.ts'
import { createCustomer } from '../support/customers.ts'
import { call, providerAnswering } from './provider.ts'
import { type Answer, CHAT, COMPLETION, chat, json, playProvider, stream } from './support.ts'

/** Tests the charge of whole responses whose usage report is empty or cannot be read. Some local servers send them. */

afterEach(() => {
  vi.restoreAllMocks()
})

const TEXT = 'eight ch'.repeat(10)
const ZEROS = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }
const whole = (usage: object, content = TEXT): Answer =>
  json({
    ...COMPLETION,
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }],
    usage,
  })

/** Returns the usage and the warnings of the event of a call. */
async function eventOf(answer: Answer, body: object) {
  const { api_key } = await createCustomer()
  playProvider(answer)
  const { response, settled } = await chat(api_key, body)
  await response.text()
  await settled()
  return onlyEvent(api_key)
}

async function onlyEvent(api_key: string) {
  const { data } = await jsonOf(await api('/v1/events', { key: api_key }))
  if (!Array.isArray(data) || data.length !== 1) throw new Error('not one event')
  const [{ usage, warnings }] = data
  return { usage, warnings }
}

/** The estimate: one token for four bytes of the body, and of the delivered text. */
const estimate = (body: object) => ({
  usage: { input_tokens: Math.ceil(JSON.stringify(body).length / 4), output_tokens: 20 },
  warnings: ['estimated', 'no_usage'],
})

it.each([
  ['only zeros', ZEROS],
  ['no counts', {}],
  ['only the input', { prompt_tokens: 8 }],
  ['only the total', { total_tokens: 108 }],
  ['null', { prompt_tokens: null, completion_tokens: null }],
  ['a negative count', { prompt_tokens: 8, completion_tokens: -1 }],
  ['texts', { prompt_tokens: '8', completion_tokens: '100' }],
])('a response with output whose usage has %s is charged by an estimate', async (_, usage) => {
  expect(await eventOf(whole(usage), CHAT)).toEqual(estimate(CHAT))
})

it('the output is estimated if only the input is above zero', async () => {
  expect(await eventOf(whole({ ...ZEROS, prompt_tokens: 8 }), CHAT)).toEqual({
    usage: { input_tokens: 8, output_tokens: 20 },
    warnings: ['estimated', 'no_usage'],
  })
})

it('a stream with output, each of whose chunks has a usage of zeros, is charged by an estimate', async () => {
  const body = { ...CHAT, stream: true, stream_options: { include_usage: true } }
  const chunk = (choice: object) =>
    `data: ${JSON.stringify({ model: CHAT.model, choices: [{ index: 0, ...choice }], usage: ZEROS })}\n\n`
  const chunks = [chunk({ delta: { content: TEXT } }), chunk({ delta: {}, finish_reason: 'stop' })]
  expect(await eventOf(stream(...chunks), body)).toEqual(estimate(body))
})

it('a response without output whose usage is zero costs nothing', async () => {
  const { usage, warnings } = await eventOf(whole(ZEROS, ''), CHAT)
  expect([usage, warnings]).toEqual([{ output_tokens: 0 }, undefined])
})

it('embeddings whose usage is zero are charged an estimate of the input', async () => {
  const { api_key } = await createCustomer()
  const body = { model: 'text-embedding-3-small', input: TEXT }
  providerAnswering(() => Response.json({ data: [{ embedding: [0.1] }], model: body.model, usage: ZEROS }))
  expect((await call('openai/v1/embeddings', { key: api_key, body })).status).toBe(200)
  const { usage, warnings } = estimate(body)
  expect(await onlyEvent(api_key)).toEqual({ usage: { input_tokens: usage.input_tokens }, warnings })
})

it('embeddings of Gemini whose usage is zero are charged an estimate of the input', async () => {
  const { api_key } = await createCustomer()
  const body = { content: { parts: [{ text: TEXT }] } }
  providerAnswering(() =>
    Response.json({ embedding: { values: [0.1] }, usageMetadata: { promptTokenCount: 0 } }),
  )
  const path = 'google/v1beta/models/gemini-embedding-001:embedContent'
  expect((await call(path, { key: api_key, body })).status).toBe(200)
  const { usage, warnings } = await onlyEvent(api_key)
  expect(usage.input_tokens).toBeGreaterThanOrEqual(20)
  expect(warnings).toEqual(['estimated', 'no_usage'])
})
