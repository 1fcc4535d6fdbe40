import Anthropic from '@anthropic-ai/sdk'
import AnthropicPrevious from 'anthropic-previous'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Metering, meter } from '../../src/anthropic.ts'
import { InsufficientCreditsError } from '../../src/index.ts'
import { newMetered } from '../support/metered.ts'
import { json, type Script, sse, startUpstream, type Upstream } from '../support/upstream.ts'

const { url } = inject('server')
const MODEL = 'claude-sonnet-4-6'
const REQUEST = {
  model: MODEL,
  max_tokens: 1024,
  messages: [{ role: 'user' as const, content: 'May I cancel?' }],
}
const USAGE = {
  input_tokens: 21,
  cache_creation_input_tokens: 1536,
  cache_read_input_tokens: 18000,
  cache_creation: { ephemeral_5m_input_tokens: 1024, ephemeral_1h_input_tokens: 512 },
  output_tokens: 393,
  service_tier: 'standard',
}
const MESSAGE = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: MODEL,
  content: [{ type: 'text', text: 'Yes, with three months of notice.' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: USAGE,
}
const start = {
  type: 'message_start',
  message: { ...MESSAGE, content: [], stop_reason: null, usage: { ...USAGE, output_tokens: 1 } },
}
const opened = { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }
const words = ['Yes, ', 'with ', 'three ', 'months ', 'of ', 'notice.'].map((text) => ({
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text },
}))
const closed = { type: 'content_block_stop', index: 0 }
const delta = {
  type: 'message_delta',
  delta: { stop_reason: 'end_turn', stop_sequence: null },
  usage: { output_tokens: 393 },
}
const stop = { type: 'message_stop' }
const whole = [start, opened, ...words, closed, delta, stop]

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream.stop())

describe.each([
  ['newest', Anthropic],
  ['previous', AnthropicPrevious],
])('the %s major of @anthropic-ai/sdk', (_name, Client) => {
  async function wrapped(script: Script[], options: Metering = {}) {
    upstream.play(...script)
    const customer = await newMetered(url)
    const client = new Client({ apiKey: 'sk-test', baseURL: upstream.url, maxRetries: 2 })
    // The methods that this test calls are the same in both major versions, so the type of the newest version is used.
    const anthropic: Anthropic = Object(meter(client, customer.om, options))
    const message = await customer.price({
      provider: 'ANTHROPIC',
      provider_api: 'anthropic',
      provider_response: { model: MODEL, usage: USAGE },
    })
    return { ...customer, anthropic, message }
  }

  it('burns a message with cache reads and both kinds of writes', async () => {
    const { anthropic, burned, message } = await wrapped([json(MESSAGE)])
    expect((await anthropic.messages.create(REQUEST)).content).toEqual(MESSAGE.content)
    expect(await burned()).toBe(message)
  })

  it('burns the last numbers of a stream and not their sum', async () => {
    const { anthropic, burned, message } = await wrapped([sse(whole, { named: true })])
    const types: string[] = []
    for await (const event of await anthropic.messages.create({ ...REQUEST, stream: true }))
      types.push(event.type)
    expect(types).toEqual(whole.map(({ type }) => type))
    expect(await burned()).toBe(message)
  })

  it('meters the stream helper, and the output of tools and thinking', async () => {
    const thinking = {
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'thinking_delta', thinking: 'Hm.' },
    }
    const { anthropic, burned, message } = await wrapped([
      sse(
        [
          start,
          { ...opened, content_block: { type: 'thinking', thinking: '', signature: '' } },
          thinking,
          closed,
          delta,
          stop,
        ],
        {
          named: true,
        },
      ),
    ])
    expect((await anthropic.messages.stream(REQUEST).finalMessage()).usage.output_tokens).toBe(393)
    expect(await burned()).toBe(message)
  })

  it.each([1, 3, 6])(
    'bills the exact input and the delivered output of a stream that is left at part %i',
    async (k) => {
      // Sends no part after the last one that the caller reads, because a further part could arrive in the same read
      // and count as delivered.
      const { anthropic, burned, price, metadata } = await wrapped([
        sse([start, opened, ...words.slice(0, k)], { named: true, hang: true }),
      ])
      let text = ''
      let count = 0
      for await (const event of await anthropic.messages.create({ ...REQUEST, stream: true })) {
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
          text += event.delta.text
          if (++count === k) break
        }
      }
      const output_tokens = Math.ceil(text.length / 4)
      const expected = await price({
        provider: 'ANTHROPIC',
        provider_api: 'anthropic',
        provider_response: { model: MODEL, usage: { ...USAGE, output_tokens } },
      })
      expect(await burned()).toBe(expected)
      expect(await metadata()).toEqual({ estimated: true })
    },
  )

  it.each<[string, Script]>([
    ['breaks off', sse([start, opened, ...words.slice(0, 3)], { named: true, cut: true })],
    [
      'reports an error',
      sse(
        [
          start,
          opened,
          ...words.slice(0, 3),
          { type: 'error', error: { type: 'overloaded_error', message: 'x' } },
        ],
        {
          named: true,
        },
      ),
    ],
    [
      'has a line that is not JSON',
      sse([start, opened, ...words.slice(0, 3)], {
        named: true,
        tail: 'event: content_block_delta\ndata: {"ty\n\n',
      }),
    ],
  ])('bills a stream that %s after 3 parts, and gives the error to the caller', async (_case, script) => {
    const { anthropic, burned, message, metadata } = await wrapped([script])
    const reads = async () => {
      for await (const _ of await anthropic.messages.create({ ...REQUEST, stream: true }));
    }
    await expect(reads()).rejects.toThrow()
    const billed = await burned()
    expect(billed).toBeGreaterThan(0)
    expect(billed).toBeLessThan(message)
    expect(await metadata()).toEqual({ estimated: true })
  })

  it('burns once for a call that is repeated after a 429', async () => {
    const busy = json({ type: 'error', error: { type: 'rate_limit_error', message: 'x' } }, 429, {
      'retry-after-ms': '1',
    })
    const { anthropic, burned, message } = await wrapped([busy, json(MESSAGE)])
    await anthropic.messages.create(REQUEST)
    expect(upstream.requests).toHaveLength(2)
    expect(await burned()).toBe(message)
  })

  it('with hold throws a typed error before the provider is called, and settles the usage', async () => {
    const { anthropic, om, burned, message } = await wrapped([json(MESSAGE)], {
      hold: true,
      clip: true,
      user_id: 'ada',
    })
    await om.credits.grant({ user_id: 'ada', amount: 0.01 })
    await expect(anthropic.messages.create(REQUEST)).rejects.toBeInstanceOf(InsufficientCreditsError)
    expect(upstream.requests).toHaveLength(0)
    await om.credits.grant({ user_id: 'ada', amount: 20 })
    await anthropic.messages.create(REQUEST)
    // 20.01 credits pay for 667 tokens of output.
    expect(upstream.requests[0]?.body.max_tokens).toBeLessThanOrEqual(667)
    expect(upstream.requests[0]?.body.max_tokens).toBeGreaterThan(650)
    expect(await burned()).toBe(Math.min(message, 20_010_000))
  })
})
