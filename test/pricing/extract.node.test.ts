import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findProvider } from '../../src/pricing/catalogue/catalogue.ts'
import { extractUsage } from '../../src/pricing/extract/extract.ts'
import { checkUsage, type Usage } from '../../src/pricing/usage.ts'
import { NOT_PRIMITIVE } from '../support/any-json.ts'
import { provider, usd } from './support.ts'

function read(name: string | undefined, api: string | undefined, body: unknown) {
  return extractUsage(name === undefined ? undefined : provider(name), api, body)
}

interface Row {
  readonly what: string
  readonly from?: string
  readonly api?: string
  readonly body: unknown
  readonly usage: Usage
  readonly also?: Readonly<Record<string, unknown>>
}

const ROWS: readonly Row[] = [
  {
    what: 'OpenAI chat: cached and reasoning tokens are inside the totals',
    from: 'openai',
    body: {
      model: 'gpt-4o-2024-08-06',
      service_tier: 'default',
      usage: {
        prompt_tokens: 2006,
        completion_tokens: 300,
        prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 128, accepted_prediction_tokens: 5 },
      },
    },
    usage: { input_tokens: 2006, cache_read_tokens: 1920, output_tokens: 300, output_reasoning_tokens: 128 },
    also: { model: 'gpt-4o-2024-08-06', service_tier: 'default' },
  },
  {
    what: 'OpenAI chat, only its usage part',
    from: 'openai',
    body: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
    usage: { input_tokens: 10, output_tokens: 5 },
  },
  {
    what: 'OpenAI responses with the searches it made',
    from: 'openai',
    body: {
      model: 'gpt-5',
      usage: { input_tokens: 100, output_tokens: 20, input_tokens_details: { cached_tokens: 60 } },
      output: [
        { type: 'web_search_call', action: { type: 'search' } },
        { type: 'web_search_call', action: { type: 'open_page' } },
        { type: 'file_search_call' },
        { type: 'message' },
      ],
    },
    usage: {
      input_tokens: 100,
      cache_read_tokens: 60,
      output_tokens: 20,
      web_searches: 1,
      storage_searches: 1,
    },
  },
  {
    what: 'OpenAI responses, the last event of a stream',
    from: 'openai',
    body: {
      type: 'response.completed',
      response: { model: 'gpt-5', service_tier: 'flex', usage: { input_tokens: 9, output_tokens: 2 } },
    },
    usage: { input_tokens: 9, output_tokens: 2 },
    also: { model: 'gpt-5', service_tier: 'flex' },
  },
  {
    what: 'OpenAI realtime: text, audio and what of each was cached',
    from: 'openai',
    body: {
      type: 'response.done',
      response: {
        usage: {
          input_tokens: 127,
          output_tokens: 148,
          input_token_details: {
            text_tokens: 119,
            audio_tokens: 8,
            cached_tokens: 64,
            cached_tokens_details: { text_tokens: 64, audio_tokens: 0 },
          },
          output_token_details: { text_tokens: 36, audio_tokens: 112 },
        },
      },
    },
    usage: {
      input_tokens: 127,
      input_text_tokens: 119,
      input_audio_tokens: 8,
      cache_read_tokens: 64,
      cache_text_read_tokens: 64,
      output_tokens: 148,
      output_text_tokens: 36,
      output_audio_tokens: 112,
    },
  },
  {
    what: 'OpenAI images',
    from: 'openai',
    body: {
      usage: {
        input_tokens: 50,
        output_tokens: 4160,
        input_tokens_details: { text_tokens: 10, image_tokens: 40 },
      },
    },
    usage: { input_tokens: 50, input_text_tokens: 10, input_image_tokens: 40, output_tokens: 4160 },
  },
  {
    what: 'OpenAI transcription by tokens',
    from: 'openai',
    api: 'audio',
    body: {
      text: 'hi',
      usage: {
        type: 'tokens',
        input_tokens: 14,
        output_tokens: 101,
        input_token_details: { text_tokens: 0, audio_tokens: 14 },
      },
    },
    usage: { input_tokens: 14, input_audio_tokens: 14, output_tokens: 101 },
  },
  {
    what: 'OpenAI transcription by seconds',
    from: 'openai',
    body: { text: 'hi', usage: { type: 'duration', seconds: 12.5 } },
    usage: { audio_seconds: 12.5 },
  },
  {
    what: 'OpenAI embeddings',
    from: 'openai',
    api: 'embeddings',
    body: { model: 'text-embedding-3-small', usage: { prompt_tokens: 8, total_tokens: 8 } },
    usage: { input_tokens: 8 },
  },
  {
    what: 'Anthropic: the cache is beside the input, its lifetimes inside the writes',
    from: 'anthropic',
    body: {
      model: 'claude-sonnet-4-5',
      usage: {
        input_tokens: 100,
        cache_creation_input_tokens: 300,
        cache_read_input_tokens: 500,
        cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
        output_tokens: 50,
        server_tool_use: { web_search_requests: 2 },
        service_tier: 'batch',
        inference_geo: 'us',
      },
    },
    usage: {
      input_tokens: 900,
      cache_read_tokens: 500,
      cache_write_tokens: 300,
      cache_write_5m_tokens: 100,
      cache_write_1h_tokens: 200,
      output_tokens: 50,
      web_searches: 2,
    },
    also: { service_tier: 'batch', region: 'us' },
  },
  {
    what: 'Anthropic, the first event of a stream',
    from: 'anthropic',
    body: {
      type: 'message_start',
      message: { model: 'claude-sonnet-4-5', usage: { input_tokens: 25, output_tokens: 1 } },
    },
    usage: { input_tokens: 25, output_tokens: 1 },
    also: { model: 'claude-sonnet-4-5' },
  },
  {
    what: 'Claude on Vertex: an hour of cache is separate',
    from: 'google',
    api: 'anthropic',
    body: {
      usage: {
        input_tokens: 10,
        cache_creation_input_tokens: 20,
        cache_creation: { ephemeral_5m_input_tokens: 5, ephemeral_1h_input_tokens: 15 },
        output_tokens: 1,
      },
    },
    usage: { input_tokens: 30, cache_write_tokens: 20, cache_write_1h_tokens: 15, output_tokens: 1 },
  },
  {
    what: 'Gemini: thoughts beside the candidates, tool prompts beside the prompt',
    from: 'google',
    body: {
      modelVersion: 'gemini-2.5-pro',
      usageMetadata: {
        promptTokenCount: 100,
        cachedContentTokenCount: 40,
        candidatesTokenCount: 30,
        thoughtsTokenCount: 20,
        toolUsePromptTokenCount: 7,
        promptTokensDetails: [
          { modality: 'TEXT', tokenCount: 60 },
          { modality: 'AUDIO', tokenCount: 30 },
          { modality: 'DOCUMENT', tokenCount: 10 },
        ],
        cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 20 }],
        toolUsePromptTokensDetails: [{ modality: 'TEXT', tokenCount: 7 }],
        trafficType: 'ON_DEMAND',
      },
    },
    usage: {
      input_tokens: 107,
      input_text_tokens: 67,
      input_audio_tokens: 30,
      input_image_tokens: 10,
      cache_read_tokens: 40,
      cache_audio_read_tokens: 20,
      input_tool_tokens: 7,
      input_text_tool_tokens: 7,
      output_tokens: 50,
      output_reasoning_tokens: 20,
    },
    also: { model: 'gemini-2.5-pro', service_tier: 'ON_DEMAND' },
  },
  {
    what: 'Gemini in the spelling of the Python SDK',
    from: 'google',
    body: {
      model_version: 'gemini-2.5-flash',
      usage_metadata: { prompt_token_count: 5, candidates_token_count: 3, thoughts_token_count: 2 },
    },
    usage: { input_tokens: 5, output_tokens: 5, output_reasoning_tokens: 2 },
    also: { model: 'gemini-2.5-flash' },
  },
  {
    what: 'Gemini Live',
    from: 'google',
    body: {
      usageMetadata: {
        promptTokenCount: 5,
        responseTokenCount: 9,
        responseTokensDetails: [{ modality: 'AUDIO', tokenCount: 9 }],
      },
    },
    usage: { input_tokens: 5, output_tokens: 9, output_audio_tokens: 9 },
  },
  {
    what: 'Bedrock Converse: the cache is beside the input',
    from: 'aws',
    body: {
      serviceTier: { type: 'flex' },
      usage: {
        inputTokens: 10,
        outputTokens: 5,
        cacheReadInputTokens: 100,
        cacheWriteInputTokens: 50,
        cacheDetails: [{ ttl: '1h', inputTokens: 50 }],
      },
    },
    usage: {
      input_tokens: 160,
      cache_read_tokens: 100,
      cache_write_tokens: 50,
      cache_write_1h_tokens: 50,
      output_tokens: 5,
    },
    also: { service_tier: 'flex' },
  },
  {
    what: 'Bedrock invocation metrics',
    from: 'bedrock',
    body: { 'amazon-bedrock-invocationMetrics': { inputTokenCount: 3, outputTokenCount: 4 } },
    usage: { input_tokens: 3, output_tokens: 4 },
  },
  {
    what: 'xAI chat: reasoning is beside the completion',
    from: 'xai',
    api: 'chat',
    body: {
      model: 'grok-4',
      usage: {
        prompt_tokens: 32,
        completion_tokens: 9,
        prompt_tokens_details: { cached_tokens: 6 },
        completion_tokens_details: { reasoning_tokens: 94 },
      },
    },
    usage: { input_tokens: 32, cache_read_tokens: 6, output_tokens: 103, output_reasoning_tokens: 94 },
  },
  {
    what: 'xAI responses: reasoning is inside the output',
    from: 'xai',
    body: {
      usage: {
        input_tokens: 32,
        output_tokens: 103,
        output_tokens_details: { reasoning_tokens: 94 },
        server_side_tool_usage_details: { web_search_calls: 2 },
        cost_in_usd_ticks: 12_345_000,
      },
    },
    usage: { input_tokens: 32, output_tokens: 103, output_reasoning_tokens: 94, web_searches: 2 },
    also: { reported_cost_usd: '0.0012345' },
  },
  {
    what: 'DeepSeek, by its own names for what was cached',
    from: 'deepseek',
    body: {
      model: 'deepseek-chat',
      usage: {
        prompt_tokens: 20,
        prompt_cache_hit_tokens: 12,
        prompt_cache_miss_tokens: 8,
        completion_tokens: 5,
      },
    },
    usage: { input_tokens: 20, cache_read_tokens: 12, output_tokens: 5 },
  },
  {
    what: 'Groq, in the last chunk of a stream',
    from: 'groq',
    body: { model: 'openai/gpt-oss-120b', x_groq: { usage: { prompt_tokens: 4, completion_tokens: 6 } } },
    usage: { input_tokens: 4, output_tokens: 6 },
  },
  {
    what: 'Mistral OCR',
    from: 'mistral',
    body: { model: 'mistral-ocr-2512', usage_info: { pages_processed: 29, doc_size_bytes: 1 } },
    usage: { input_document_pages: 29 },
  },
  {
    what: 'Cohere bills other tokens than it counts',
    from: 'cohere',
    body: {
      usage: {
        billed_units: { input_tokens: 17, output_tokens: 12 },
        tokens: { input_tokens: 215, output_tokens: 12 },
      },
    },
    usage: { input_tokens: 17, output_tokens: 12 },
  },
  {
    what: 'Cohere rerank',
    from: 'cohere',
    body: { meta: { billed_units: { search_units: 3 } } },
    usage: { rerank_searches: 3 },
  },
  {
    what: 'Perplexity: reasoning and citations are beside the completion',
    from: 'perplexity',
    body: {
      model: 'sonar-deep-research',
      usage: {
        prompt_tokens: 10,
        completion_tokens: 20,
        reasoning_tokens: 30,
        citation_tokens: 40,
        num_search_queries: 5,
        cost: { total_cost: 0.0253 },
      },
    },
    usage: {
      input_tokens: 10,
      output_tokens: 90,
      output_reasoning_tokens: 30,
      output_citation_tokens: 40,
      web_searches: 5,
    },
    also: { reported_cost_usd: '0.0253' },
  },
  {
    what: 'OpenRouter, with the cost that it reports',
    from: 'openrouter',
    body: { model: 'openai/gpt-4o', usage: { prompt_tokens: 14, completion_tokens: 4, cost: 0.000102 } },
    usage: { input_tokens: 14, output_tokens: 4 },
    also: { reported_cost_usd: '0.000102' },
  },
  {
    what: 'Workers AI over REST',
    from: 'cloudflare',
    body: { success: true, result: { response: 'hi', usage: { prompt_tokens: 3, completion_tokens: 2 } } },
    usage: { input_tokens: 3, output_tokens: 2 },
  },
  {
    what: 'Workers AI from the binding',
    from: 'cloudflare',
    body: { response: 'hi', usage: { prompt_tokens: 3, completion_tokens: 2 } },
    usage: { input_tokens: 3, output_tokens: 2 },
  },
  {
    what: 'Azure: cache writes as OpenAI reports them',
    from: 'azure',
    body: {
      model: 'gpt-4.1',
      usage: {
        prompt_tokens: 30,
        completion_tokens: 2,
        prompt_tokens_details: { cached_tokens: 20, cache_write_tokens: 10 },
      },
    },
    usage: { input_tokens: 30, cache_read_tokens: 20, cache_write_tokens: 10, output_tokens: 2 },
  },
  {
    what: 'Vercel AI SDK 4',
    body: { usage: { promptTokens: 7, completionTokens: 3, totalTokens: 10 } },
    usage: { input_tokens: 7, output_tokens: 3 },
  },
  {
    what: 'Vercel AI SDK 5',
    from: 'openai',
    api: 'ai-sdk',
    body: {
      usage: {
        inputTokens: 70,
        outputTokens: 30,
        totalTokens: 100,
        reasoningTokens: 10,
        cachedInputTokens: 50,
      },
    },
    usage: { input_tokens: 70, cache_read_tokens: 50, output_tokens: 30, output_reasoning_tokens: 10 },
  },
  {
    what: 'Vercel AI SDK 5 with Anthropic, whose input leaves the cache out',
    from: 'anthropic',
    api: 'ai-sdk',
    body: { inputTokens: 70, outputTokens: 30, totalTokens: 100, cachedInputTokens: 500 },
    usage: { input_tokens: 570, cache_read_tokens: 500, output_tokens: 30 },
  },
  {
    what: 'Vercel AI SDK 6',
    from: 'anthropic',
    body: {
      usage: {
        inputTokens: 600,
        inputTokenDetails: { noCacheTokens: 70, cacheReadTokens: 500, cacheWriteTokens: 30 },
        outputTokens: 30,
        outputTokenDetails: { textTokens: 20, reasoningTokens: 10 },
        totalTokens: 630,
      },
    },
    usage: {
      input_tokens: 600,
      cache_read_tokens: 500,
      cache_write_tokens: 30,
      output_tokens: 30,
      output_reasoning_tokens: 10,
    },
  },
  {
    what: 'Vercel AI SDK 7, a provider-level result',
    body: {
      usage: {
        inputTokens: { total: 9, noCache: 5, cacheRead: 4 },
        outputTokens: { total: 3, text: 2, reasoning: 1 },
      },
    },
    usage: { input_tokens: 9, cache_read_tokens: 4, output_tokens: 3, output_reasoning_tokens: 1 },
  },
  {
    what: 'Vercel AI SDK embeddings',
    from: 'openai',
    api: 'ai-sdk',
    body: { usage: { tokens: 12 } },
    usage: { input_tokens: 12 },
  },
  {
    what: 'OpenTelemetry attributes',
    from: 'anthropic',
    api: 'opentelemetry',
    body: {
      'gen_ai.response.model': 'claude-sonnet-4-5',
      'gen_ai.usage.input_tokens': 900,
      'gen_ai.usage.cache_read.input_tokens': 500,
      'gen_ai.usage.output_tokens': 50,
    },
    usage: { input_tokens: 900, cache_read_tokens: 500, output_tokens: 50 },
    also: { model: 'claude-sonnet-4-5' },
  },
  {
    what: 'OpenTelemetry span without a provider',
    body: {
      attributes: {
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.usage.input_tokens': 3,
        'gen_ai.usage.output_tokens': 1,
      },
    },
    usage: { input_tokens: 3, output_tokens: 1 },
    also: { model: 'gpt-4o' },
  },
]

describe('the usage that a response reports', () => {
  it.each(ROWS)('$what', ({ from, api, body, usage, also }) => {
    const extracted = read(from, api, body)
    expect(extracted).toMatchObject({ kind: 'extracted', ...also })
    expect(extracted).toHaveProperty('usage', usage)
    expect(extracted).not.toHaveProperty('warnings')
    expect(checkUsage(usage).problems).toEqual([])
  })

  it('is billed once: an hour of Anthropic’s cache', () => {
    const body = {
      usage: {
        input_tokens: 0,
        cache_creation_input_tokens: 1000,
        cache_creation: { ephemeral_1h_input_tokens: 1000 },
        output_tokens: 0,
      },
    }
    const extracted = read('anthropic', undefined, body)
    expect(extracted.kind === 'extracted' && usd('anthropic', 'claude-sonnet-4-5', extracted.usage)).toBe(
      '0.006',
    )
  })
})

describe('an unreadable response', () => {
  it.each([
    [
      'another api than the body is of',
      'openai',
      'chat',
      { usage: { input_tokens: 1, output_tokens: 2 } },
      /as "chat".*prompt_tokens is missing/,
    ],
    [
      'an unknown api',
      'openai',
      'respones',
      { usage: {} },
      /unknown provider_api: "respones"; nearest: responses/,
    ],
    ['an api like no other', 'openai', 'nope', { usage: {} }, /unknown provider_api: "nope"; known: .*chat/],
    [
      'negative tokens',
      'openai',
      'chat',
      { usage: { prompt_tokens: -1, completion_tokens: 2 } },
      /prompt_tokens is negative/,
    ],
    [
      'negative details',
      'openai',
      'chat',
      { usage: { prompt_tokens: 1, completion_tokens: 2, prompt_tokens_details: { cached_tokens: -5 } } },
      /cached_tokens is negative/,
    ],
    [
      'fractions of tokens',
      'anthropic',
      'default',
      { usage: { input_tokens: 1.5, output_tokens: 2 } },
      /not a whole number/,
    ],
    [
      'absurd numbers',
      'openai',
      'chat',
      { usage: { prompt_tokens: 1e300, completion_tokens: 2 } },
      /too large/,
    ],
    [
      'strings for numbers',
      'openai',
      'chat',
      { usage: { prompt_tokens: '12', completion_tokens: 2 } },
      /not a number/,
    ],
    ['no usage at all', 'openai', undefined, { model: 'gpt-4o', choices: [] }, /cannot be read/],
    ['usage that is null', 'openai', undefined, { usage: null }, /cannot be read/],
  ] as const)('%s', (_what, from, api, body, message) => {
    expect(read(from, api, body)).toEqual({
      kind: 'error',
      code: 'unreadable_response',
      field: message.source.startsWith('unknown provider_api') ? 'provider_api' : 'provider_response',
      message: expect.stringMatching(message),
    })
  })

  it('names details that are not numbers and reads the rest', () => {
    const body = {
      usage: { prompt_tokens: 9, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 'many' } },
    }
    expect(read('openai', 'chat', body)).toEqual({
      kind: 'extracted',
      usage: { input_tokens: 9, output_tokens: 2 },
      read: [
        { unit: 'input_tokens', path: 'usage.prompt_tokens', quantity: 9 },
        { unit: 'output_tokens', path: 'usage.completion_tokens', quantity: 2 },
      ],
      warnings: ['prompt_tokens_details.cached_tokens is not a number and is not used'],
    })
  })
})

describe('hostile bodies', () => {
  const apis = [
    undefined,
    'chat',
    'responses',
    'default',
    'anthropic',
    'gemini',
    'ai-sdk',
    'realtime',
    'toString',
  ]
  const providers = ['openai', 'anthropic', 'google', 'aws', 'x-ai', 'cohere', 'perplexity'].map((name) =>
    findProvider(name),
  )

  const everyWay = (body: unknown) => {
    for (const from of [undefined, ...providers]) {
      for (const api of apis) {
        const result = extractUsage(from, api, body)
        if (result.kind === 'error') continue
        for (const quantity of Object.values(result.usage)) expect(quantity).toSatisfy(Number.isFinite)
      }
    }
  }

  it('never cause an exception: odd values', () => {
    const deep: Record<string, unknown> = {}
    let inner = deep
    for (let i = 0; i < 5000; i++) {
      const next: Record<string, unknown> = {}
      inner.response = next
      inner = next
    }
    for (const body of [
      null,
      undefined,
      0,
      '',
      'usage',
      [],
      [{ usage: {} }],
      {},
      { usage: [] },
      { usage: 'x' },
      { usage: { prompt_tokens: [] } },
      { usage: { __proto__: { prompt_tokens: 5, completion_tokens: 5 } } },
      JSON.parse('{"usage":{"__proto__":{"prompt_tokens":1},"constructor":{"prompt_tokens":1}}}'),
      { usageMetadata: { promptTokenCount: Number.NaN } },
      {
        usageMetadata: {
          promptTokenCount: 1,
          promptTokensDetails: [{ modality: NOT_PRIMITIVE, tokenCount: 1 }],
        },
      },
      { usage: NOT_PRIMITIVE, model: NOT_PRIMITIVE, service_tier: NOT_PRIMITIVE },
      { usageMetadata: { promptTokensDetails: [null, 1, 'x', { modality: 'TEXT', tokenCount: -1 }] } },
      Object.create(null),
      deep,
    ]) {
      everyWay(body)
    }
    expect(
      read('openai', 'chat', { usage: Object.create({ prompt_tokens: 5, completion_tokens: 5 }) }).kind,
    ).toBe('error')
  })

  it('never cause an exception: any JSON', () => {
    const key = fc.constantFrom(
      'usage',
      'prompt_tokens',
      'input_tokens',
      'completion_tokens',
      'output_tokens',
      'response',
      '__proto__',
      'usageMetadata',
      'promptTokenCount',
      'promptTokensDetails',
      'modality',
      'cost',
      'toString',
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.oneof(
          fc.double(),
          fc.integer(),
          fc.string(),
          fc.constant(null),
          fc.boolean(),
          fc.constant('TEXT'),
        ),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: false }),
      ),
    }))
    fc.assert(fc.property(value, everyWay), { numRuns: 1000 })
  }, 60_000)
})
