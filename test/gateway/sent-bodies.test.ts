import { afterEach, expect, it, vi } from 'vitest'
import { answered, listed } from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'
import { call } from './provider.ts'
import { word } from './support.ts'

/** Tests which changes of a body reach a provider. */

afterEach(() => {
  vi.restoreAllMocks()
})

const usage = { prompt_tokens: 8, completion_tokens: 100, total_tokens: 108 }
const END = `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage })}\n\n`

it.each([
  ['mistral', 'mistral-large-latest', undefined],
  ['deepseek', 'deepseek-chat', { include_usage: true }],
])(
  'the usage of a stream is requested from %s if the provider accepts that',
  async (provider, model, asked) => {
    const { api_key: key } = await createCustomer()
    await answered(key, '/v1/provider-keys', { provider, name: provider, key: 'canary-12345' }, 201)
    const sent: unknown[] = []
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
      sent.push(await new Response(init?.body).json())
      return new Response(word('Hi.') + END, { headers: { 'Content-Type': 'text/event-stream' } })
    })
    const body = { model, messages: [], stream: true }
    const headers = { 'X-Meter-Provider-Key': provider }
    const response = await call('openai/v1/chat/completions', { key, body, headers })
    expect(await response.text()).toBe(word('Hi.') + END)
    expect(sent).toEqual([{ ...body, ...(asked && { stream_options: asked }) }])
    await vi.waitFor(async () => expect(await listed(key, '/v1/events')).toHaveLength(1))
    const [event] = await listed(key, '/v1/events')
    expect(event?.usage).toMatchObject({ input_tokens: 8, output_tokens: 100 })
  },
)
