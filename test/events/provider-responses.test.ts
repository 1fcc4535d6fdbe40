import { beforeAll, describe, expect, it } from 'vitest'
import anthropicMessages from '../../examples/anthropic-messages.json' with { type: 'json' }
import geminiGenerateContent from '../../examples/gemini-generate-content.json' with { type: 'json' }
import openaiChat from '../../examples/openai-chat.json' with { type: 'json' }
import openaiResponses from '../../examples/openai-responses.json' with { type: 'json' }
import { api, textField } from '../support/api.ts'
import {
  expectInvalid,
  expectNothingMoved,
  expectRefused,
  granted,
  ingest,
  ingested,
  type Json,
  read,
} from '../support/client.ts'
import { createCustomer } from '../support/customers.ts'

let key: string
beforeAll(async () => {
  key = (await createCustomer()).api_key
  await granted(key, { amount: 1_000_000 })
})

function eventOf(provider: string, provider_response: object, more: object = {}): object {
  return { event_type: 'TOKEN_USAGE', feature_id: 'chat', provider, provider_response, ...more }
}

interface Expected {
  readonly model: string
  readonly usage: Json
  readonly provider_cost_usd: number
  readonly credits_burned: number
}

async function expectBurned(
  event: object,
  { credits_burned, provider_cost_usd, ...recorded }: Expected,
): Promise<void> {
  const answer = await ingested(key, event)
  expect(answer).toMatchObject({ credits_burned, provider_cost_usd })
  expect(answer).not.toHaveProperty('warnings')
  expect(answer).not.toHaveProperty('unrated')
  expect(await read(key, `/v1/events/${textField(answer, 'id')}`)).toMatchObject({
    ...recorded,
    credits_burned,
    provider_cost_usd,
  })
}

describe('a raw response', () => {
  // The calculations below use prices in USD per million tokens. The default burn table charges 2,000 credits per USD
  // of provider cost.
  const examples: [what: string, provider: string, response: object, expected: Expected][] = [
    [
      // 86 input x 2.50 + 1,920 cached x 1.25 + 300 output x 10 = 5,615 millionths of a USD.
      'of OpenAI chat: cached tokens are inside prompt_tokens',
      'OPENAI',
      openaiChat,
      {
        model: 'gpt-4o-2024-08-06',
        usage: { input_tokens: 2006, cache_read_tokens: 1920, output_tokens: 300 },
        provider_cost_usd: 0.005615,
        credits_burned: 11.23,
      },
    ],
    [
      // 512 input x 1.25 + 1,024 cached x 0.125 + 1,210 output x 10 + 10,000 for the search = 22,868 millionths of a
      // USD.
      'of OpenAI responses: reasoning is inside output_tokens, and a web search has its own price',
      'OPENAI',
      openaiResponses,
      {
        model: 'gpt-5-2025-08-07',
        usage: {
          input_tokens: 1536,
          cache_read_tokens: 1024,
          output_tokens: 1210,
          output_reasoning_tokens: 896,
          web_searches: 1,
        },
        provider_cost_usd: 0.022868,
        credits_burned: 45.736,
      },
    ],
    [
      // 21 input x 3 + 1,024 five-minute writes x 3.75 + 512 one-hour writes x 6 + 18,000 cached x 0.30 + 393 output x
      // 15 = 18,270 millionths of a USD.
      'of Anthropic: cache reads and writes are beside input_tokens',
      'ANTHROPIC',
      anthropicMessages,
      {
        model: 'claude-sonnet-4-5-20250929',
        usage: {
          input_tokens: 19557,
          cache_read_tokens: 18000,
          cache_write_tokens: 1536,
          cache_write_5m_tokens: 1024,
          cache_write_1h_tokens: 512,
          output_tokens: 393,
        },
        provider_cost_usd: 0.01827,
        credits_burned: 36.54,
      },
    ],
    [
      // 400 input x 1.25 + 800 cached x 0.125 + (350 output + 800 thoughts) x 10 = 12,100 millionths of a USD.
      'of Gemini: thoughts are beside the candidates',
      'GOOGLE',
      geminiGenerateContent,
      {
        model: 'gemini-2.5-pro',
        usage: {
          input_tokens: 1200,
          input_text_tokens: 1200,
          cache_read_tokens: 800,
          cache_text_read_tokens: 800,
          output_tokens: 1150,
          output_reasoning_tokens: 800,
        },
        provider_cost_usd: 0.0121,
        credits_burned: 24.2,
      },
    ],
  ]
  it.each(examples)('%s', async (_, provider, response, expected) => {
    await expectBurned(eventOf(provider, response), expected)
  })

  it.each(examples)('%s: calculate returns the same', async (_, provider, provider_response, expected) => {
    const response = await api('/v1/rating/calculate', { key, body: { provider, provider_response } })
    expect(await response.json()).toMatchObject({
      credits: expected.credits_burned,
      provider_cost_usd: expected.provider_cost_usd,
      usage: expected.usage,
    })
  })

  const apis: [api: string, provider: string, response: object, credits: number][] = [
    ['chat', 'OPENAI', openaiChat, 11.23],
    ['responses', 'OPENAI', openaiResponses, 45.736],
    ['default', 'ANTHROPIC', anthropicMessages, 36.54],
    ['anthropic', 'ANTHROPIC', anthropicMessages, 36.54],
    ['default', 'GOOGLE', geminiGenerateContent, 24.2],
  ]
  it.each(apis)(
    'is read as %s of %s when the event names them',
    async (provider_api, provider, response, credits) => {
      expect(await ingested(key, eventOf(provider, response, { provider_api }))).toMatchObject({
        credits_burned: credits,
      })
    },
  )

  const parts: [what: string, provider: string, response: object, model: string, credits: number][] = [
    ['OpenAI chat', 'OPENAI', openaiChat.usage, 'gpt-4o', 11.23],
    // The usage part alone does not show the web search, so the cost is only 12,868 millionths of a USD.
    ['OpenAI responses', 'OPENAI', openaiResponses.usage, 'gpt-5', 25.736],
    ['Anthropic', 'ANTHROPIC', anthropicMessages.usage, 'claude-sonnet-4-5', 36.54],
    ['Gemini', 'GOOGLE', geminiGenerateContent.usageMetadata, 'gemini-2.5-pro', 24.2],
  ]
  it.each(parts)('may be its usage part alone: %s', async (_, provider, response, model, credits) => {
    expect(await ingested(key, eventOf(provider, response, { model }))).toMatchObject({
      credits_burned: credits,
    })
  })

  it('may contain fields that the provider adds later', async () => {
    const response = {
      ...openaiChat,
      brand_new: [{ deep: [1, null] }],
      usage: { ...openaiChat.usage, energy: 5 },
    }
    expect(await ingested(key, eventOf('OPENAI', response))).toMatchObject({ credits_burned: 11.23 })
  })
})

describe('an explicit field', () => {
  const wins: [what: string, more: object, credits: number][] = [
    // 86 input x 0.15 + 1,920 cached x 0.075 + 300 output x 0.60 = 336.9 millionths of a USD.
    ['the model', { model: 'gpt-4o-mini' }, 0.6738],
    // 86 input x 2.50 + 1,920 cached x 1.25 = 2,615 millionths of a USD.
    ['the output', { output_tokens: 0 }, 5.23],
    // 5,615 as above + 3,000 more input tokens x 2.50 = 13,115 millionths of a USD.
    ['the input', { input_tokens: 5006 }, 26.23],
    ['the cached part', { usage: { cache_read_tokens: 0 } }, 16.03],
    ['the service tier', { service_tier: 'batch' }, 5.615],
  ]
  it.each(wins)('takes precedence over the response: %s', async (_, more, credits) => {
    expect(await ingested(key, eventOf('OPENAI', openaiChat, more))).toMatchObject({
      credits_burned: credits,
    })
  })
})

describe('a response that names a service tier', () => {
  it('has the price of the tier', async () => {
    // The flex tier halves the token prices of gpt-5, but not the price of the web search.
    const answer = await ingested(key, eventOf('OPENAI', { ...openaiResponses, service_tier: 'flex' }))
    expect(answer).toMatchObject({ provider_cost_usd: 0.016434, credits_burned: 32.868 })
  })
})

describe('a response that cannot be read', () => {
  const unreadable: [what: string, provider: string, response: unknown, more: object][] = [
    ['a body of another API than the one that is named', 'OPENAI', openaiChat, { provider_api: 'responses' }],
    [
      'an error of the provider',
      'OPENAI',
      { error: { message: 'quota', type: 'insufficient_quota' } },
      { model: 'gpt-4o' },
    ],
    ['nothing', 'ANTHROPIC', {}, { model: 'claude-sonnet-4-5' }],
    ['negative tokens', 'OPENAI', { ...openaiChat, usage: { prompt_tokens: -5, completion_tokens: 1 } }, {}],
    ['half a token', 'OPENAI', { ...openaiChat, usage: { prompt_tokens: 1.5, completion_tokens: 1 } }, {}],
    ['1e300 tokens', 'OPENAI', { ...openaiChat, usage: { prompt_tokens: 1e300, completion_tokens: 1 } }, {}],
    [
      'tokens as text',
      'OPENAI',
      { ...openaiChat, usage: { prompt_tokens: '1000', completion_tokens: '500' } },
      {},
    ],
    ['a list', 'OPENAI', [openaiChat], {}],
    ['text', 'OPENAI', JSON.stringify(openaiChat), {}],
    [
      'usage in a prototype',
      'OPENAI',
      JSON.parse('{"model":"gpt-4o","__proto__":{"usage":{"prompt_tokens":1,"completion_tokens":1}}}'),
      {},
    ],
  ]
  it.each(unreadable)('is a 400: %s', async (_, provider, response, more) => {
    const event = {
      event_type: 'TOKEN_USAGE',
      feature_id: 'chat',
      provider,
      provider_response: response,
      ...more,
    }
    await expectInvalid(await expectNothingMoved(key, () => ingest(key, event)), '/provider_response')
  })

  it('is a 400: an unknown API', async () => {
    const event = { event_type: 'TOKEN_USAGE', feature_id: 'chat', provider: 'OPENAI' }
    const body = { ...event, provider_response: openaiChat, provider_api: 'telepathy' }
    await expectInvalid(await expectNothingMoved(key, () => ingest(key, body)), '/provider_api')
  })

  const unfit: [what: string, response: object, message: RegExp][] = [
    [
      'a model of three million characters',
      { ...openaiChat, model: 'x'.repeat(3_000_000) },
      /its model must have 1 to 255/,
    ],
    [
      'a model with NUL',
      { ...openaiChat, model: 'gpt-4o\u0000' },
      /its model must not have control characters/,
    ],
    [
      'a model with half an emoji',
      { ...openaiChat, model: 'gpt-\ud83e' },
      /its model must not have .* surrogates/,
    ],
    [
      'a service tier with a line break',
      { ...openaiChat, service_tier: 'a\nb' },
      /its service_tier must not have control/,
    ],
  ]
  it.each(unfit)('is a 400: %s', async (_, provider_response, message) => {
    const send = () => ingest(key, eventOf('OPENAI', provider_response))
    await expectInvalid(await expectNothingMoved(key, send), '/provider_response', message)
  })

  it('names no model, and the event does', async () => {
    for (const response of [
      { ...openaiChat, model: '' },
      { ...openaiChat, model: null },
      { ...openaiChat, model: 'x'.repeat(300) },
    ]) {
      expect(await ingested(key, eventOf('OPENAI', response, { model: 'gpt-4o' }))).toMatchObject({
        credits_burned: 11.23,
      })
    }
    await expectInvalid(
      await ingest(key, eventOf('OPENAI', { ...openaiChat, model: '' })),
      '/model',
      /required/,
    )
  })

  it('is a 400 without a model', async () => {
    const response = await ingest(key, eventOf('OPENAI', openaiChat.usage))
    await expectInvalid(response, '/model', /required/)
  })

  it('is refused for an unknown provider before it is read', async () => {
    await expectRefused(await ingest(key, eventOf('NOBODY', openaiChat)), 422, 'unknown_provider')
  })
})
