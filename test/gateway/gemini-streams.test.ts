import { afterEach, expect, it, vi } from 'vitest'
import { listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { call } from './provider.ts'
import { playProvider, stream } from './support.ts'

/** Tests of the charge of streams of Gemini. */

afterEach(() => {
  vi.restoreAllMocks()
})

const MODEL = 'gemini-2.5-flash-image'
const USAGE = { promptTokenCount: 1200, candidatesTokenCount: 400, totalTokenCount: 1600 }
const event = (value: object) => `data: ${JSON.stringify(value)}\n\n`

/** Streams a response of `model`, and returns the event of its charge. The client reads `reads` chunks. */
async function charged(
  model: string,
  chunks: readonly (string | number)[],
  reads = Number.POSITIVE_INFINITY,
) {
  const { api_key: key } = await createCustomer()
  playProvider(stream(...chunks))
  const body = { contents: [{ parts: [{ text: 'Hi' }] }] }
  const target = `google/v1beta/models/${model}:streamGenerateContent?alt=sse`
  const reader = (await call(target, { key, body })).body?.getReader()
  for (let read = 0; read < reads && !(await reader?.read())?.done; read++);
  await reader?.cancel()
  await expect.poll(() => listed(key, '/v1/events')).toHaveLength(1)
  return (await listed(key, '/v1/events'))[0]
}

it('searches are charged in whichever chunk a stream reports them', async () => {
  const model = 'gemini-3-pro-preview'
  const candidate = { content: { parts: [{ text: 'Well.' }] } }
  const searching = (...webSearchQueries: readonly string[]) =>
    event({ candidates: [{ ...candidate, groundingMetadata: { webSearchQueries } }], usageMetadata: USAGE })
  const end = event({ candidates: [{ ...candidate, finishReason: 'STOP' }], usageMetadata: USAGE })
  const usage = { input_tokens: 1200, output_tokens: 400, web_searches: 2 }
  const whole = await charged(model, [searching('a'), searching('a', 'b'), end])
  expect(whole).toMatchObject({ usage })
  expect(whole).not.toHaveProperty('warnings')
  const interrupted = await charged(model, [searching('a'), searching('a', 'b'), 2_000, end], 2)
  expect(interrupted).toMatchObject({ usage, warnings: ['estimated', 'client_gone'] })
})

it('an image is charged if its event is interrupted', async () => {
  const data = 'A'.repeat(100_000)
  const image = event({
    candidates: [
      { content: { parts: [{ inlineData: { mimeType: 'image/png', data } }] }, finishReason: 'STOP' },
    ],
    usageMetadata: USAGE,
  })
  for (const length of [200, 90_000, image.length - 10]) {
    const chunks = [image.slice(0, length), 2_000, image.slice(length)]
    expect(await charged(MODEL, chunks, 1)).toMatchObject({
      usage: { output_image_tokens: 1_290, output_tokens: 1_290 },
      warnings: ['estimated', 'client_gone'],
    })
  }
})
