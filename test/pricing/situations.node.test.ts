import { describe, expect, it } from 'vitest'
import { findProvider } from '../../src/pricing/catalogue/catalogue.ts'
import { costFrom, NO_OVERLAYS } from '../../src/pricing/cost/price-book.ts'
import { extractUsage } from '../../src/pricing/extract/extract.ts'
import { formatUsd } from '../../src/pricing/money.ts'
import { clampUsage, type Usage } from '../../src/pricing/usage.ts'
import { provider } from './support.ts'

/**
 * Tests the cost of whole responses and of pricing conditions. A comment in each row states the calculation. If the
 * price is not an ordinary price of the catalogue, the row also states its source.
 */

const AT = '2026-09-22T12:00:00Z'

interface Row {
  readonly what: string
  readonly from: string
  readonly model?: string
  readonly at?: string
  readonly body?: object
  readonly usage?: Usage
  readonly conditions?: Readonly<Record<string, string>>
  /** The expected cost in USD, or the reason why the response has no price. */
  readonly cost: string
  readonly warnings?: readonly (string | RegExp)[]
}

function rated({ from, model: named, at = AT, body, usage = {}, conditions = {} }: Row): {
  readonly cost: string
  readonly warnings: readonly string[]
} {
  const read = body === undefined ? undefined : extractUsage(findProvider(from), undefined, body, named)
  if (read?.kind === 'error') return { cost: read.message, warnings: [] }
  const {
    service_tier,
    region,
    image_size,
    image_quality,
    search_context_size,
    parts,
    warnings = [],
  } = read ?? {}
  const model = named ?? read?.model ?? ''
  const result = costFrom(NO_OVERLAYS, {
    provider: provider(from),
    model,
    usage: clampUsage({ ...read?.usage, ...usage }).usage,
    parts,
    at_ms: Date.parse(at),
    ...{ service_tier, region, image_size, image_quality, search_context_size },
    ...conditions,
  })
  if (result.kind === 'unpriced') return { cost: result.reason, warnings }
  return { cost: formatUsd(result.cost), warnings: [...warnings, ...(result.warnings ?? [])] }
}

function check(rows: readonly Row[]): void {
  it.each(rows)('$what', (row) => {
    const { cost, warnings } = rated(row)
    expect({ cost, warnings }).toEqual({
      cost: row.cost,
      warnings: (row.warnings ?? []).map((one) =>
        typeof one === 'string' ? one : expect.stringMatching(one),
      ),
    })
  })
}

const message = (model: string, usage: object) => ({ type: 'message', role: 'assistant', model, usage })

describe('Anthropic', () => {
  check([
    {
      what: 'fast mode of Opus 5.5 doubles the cache too (docs.litellm.ai/blog/claude_opus_5_5)',
      from: 'anthropic',
      // In millionths of a USD: 1000 input × 8 + 10,000 cached × 0.4 + 2000 writes × 10 + 100 output × 40.
      body: message('claude-opus-5-5', {
        input_tokens: 1000,
        cache_read_input_tokens: 10_000,
        cache_creation_input_tokens: 2000,
        output_tokens: 100,
        speed: 'fast',
      }),
      cost: '0.036',
    },
    {
      what: 'fast mode where no price of it is known is list price with a warning',
      from: 'anthropic',
      body: message('claude-sonnet-4-6', { input_tokens: 1000, output_tokens: 0, speed: 'fast' }),
      cost: '0.003',
      warnings: [/service tier "fast"/],
    },
    {
      what: 'fast mode of Opus 4.6 after its end is list price with a warning (claude.com fast-mode)',
      from: 'anthropic',
      at: '2026-07-01T00:00:00Z',
      body: message('claude-opus-4-6', { input_tokens: 1000, output_tokens: 0, speed: 'fast' }),
      cost: '0.005',
      warnings: [/service tier "fast"/],
    },
    {
      what: 'compaction and message are two calls, each with its own context tier',
      from: 'anthropic',
      // In millionths of a USD: (150,000 + 120,000) input × 3 + (100 + 100) output × 15. Neither call has more than
      // 200,000 input tokens, so no long-context price applies.
      body: message('claude-sonnet-4-5-20250929', {
        input_tokens: 120_000,
        output_tokens: 100,
        iterations: [
          { type: 'compaction', input_tokens: 150_000, output_tokens: 100 },
          { type: 'message', input_tokens: 120_000, output_tokens: 100 },
        ],
      }),
      cost: '0.813',
    },
    {
      what: 'iterations with an hour of cache that only their sum reports',
      from: 'anthropic',
      // In millionths of a USD: 1000 one-hour cache writes × 10 + 20 input × 5 + 10 output × 25.
      body: message('claude-opus-4-8', {
        input_tokens: 20,
        cache_creation_input_tokens: 1000,
        cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 1000 },
        output_tokens: 10,
        iterations: [
          { type: 'message', input_tokens: 20, cache_creation_input_tokens: 1000, output_tokens: 10 },
        ],
      }),
      cost: '0.01035',
    },
    {
      what: 'an advisor at a reseller has the reseller’s price',
      from: 'amazon',
      model: 'us.anthropic.claude-sonnet-4-6',
      // In millionths of a USD, at regional prices (1.1 times the standard prices): 100 input × 3.3 + 10 output × 16.5
      // for the message, and 1000 input × 5.5 + 100 output × 27.5 for the advisor.
      body: message('claude-sonnet-4-6', {
        input_tokens: 100,
        output_tokens: 10,
        iterations: [
          { type: 'message', input_tokens: 100, output_tokens: 10 },
          { type: 'advisor_message', model: 'claude-opus-4-7', input_tokens: 1000, output_tokens: 100 },
        ],
      }),
      cost: '0.008745',
    },
    {
      what: 'server tools: searches are billed, fetches are free, others are named',
      from: 'anthropic',
      body: message('claude-sonnet-4-6', {
        input_tokens: 0,
        output_tokens: 0,
        server_tool_use: { web_search_requests: 2, web_fetch_requests: 3, code_execution_requests: 1 },
      }),
      cost: '0.02',
      warnings: [/^unread_usage: usage.server_tool_use.code_execution_requests is 1/],
    },
  ])
})

describe('Gemini', () => {
  const grounded = (model: string, metadata: object, more: object[] = []) => ({
    candidates: [{ groundingMetadata: metadata }, ...more],
    usageMetadata: { promptTokenCount: 0, candidatesTokenCount: 0, totalTokenCount: 0 },
    modelVersion: model,
  })
  const web = [{ web: { uri: 'https://example.com' } }]
  check([
    {
      what: '2.5: a grounded prompt at 35 per 1,000, however many queries (ai.google.dev pricing)',
      from: 'google',
      body: grounded('gemini-2.5-flash', { webSearchQueries: ['a', 'b', 'c'], groundingChunks: web }),
      cost: '0.035',
    },
    {
      what: '3.x: each distinct query of all candidates at 14 per 1,000, empty ones free',
      from: 'google',
      body: grounded('gemini-3.1-pro-preview', { webSearchQueries: ['a', 'b', 'a', ' '] }, [
        { groundingMetadata: { webSearchQueries: ['b', 'c'] } },
      ]),
      cost: '0.042',
    },
    {
      what: 'maps on 2.5 at 25 per 1,000 grounded prompts (ai-sdk-cost-calculator, TokenMeter 0.14)',
      from: 'google',
      body: grounded('gemini-2.5-pro', { groundingChunks: [{ maps: { placeId: 'x' } }] }),
      cost: '0.025',
    },
    {
      what: 'maps on 3.x at 14 per 1,000',
      from: 'google',
      body: grounded('gemini-3-flash-preview', { groundingChunks: [{ maps: { placeId: 'x' } }] }),
      cost: '0.014',
    },
    {
      what: 'grounding through the AI SDK',
      from: 'google',
      model: 'gemini-3-flash-preview',
      body: {
        usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0 },
        providerMetadata: { google: { groundingMetadata: { webSearchQueries: ['a', 'b'] } } },
      },
      cost: '0.028',
    },
    {
      what: 'the OpenAI endpoint with all thoughts in the details and the total',
      from: 'google',
      // In millionths of a USD: 100 input × 0.3 + (20 output + 300 thoughts) × 2.5.
      body: {
        model: 'gemini-2.5-flash',
        usage: {
          prompt_tokens: 100,
          completion_tokens: 20,
          total_tokens: 420,
          completion_tokens_details: { reasoning_tokens: 300 },
        },
      },
      cost: '0.00083',
    },
    {
      what: 'the same through a gateway, recognised by its total',
      from: 'vercel',
      model: 'google/gemini-2.5-flash',
      body: { usage: { inputTokens: 100, outputTokens: 20, reasoningTokens: 300, totalTokens: 420 } },
      cost: '0.00083',
    },
    {
      what: 'reasoning inside the output, recognised by the total',
      from: 'openai',
      model: 'gpt-5-mini',
      body: { usage: { inputTokens: 100, outputTokens: 20, reasoningTokens: 15, totalTokens: 120 } },
      cost: '0.000065',
    },
  ])
})

describe('shapes from any provider', () => {
  check([
    {
      what: 'Claude in the Responses shape',
      from: 'anthropic',
      // In millionths of a USD: 200 input × 3 + 700 cached × 0.3 + 100 writes × 3.75 + 10 output × 15.
      body: {
        object: 'response',
        model: 'claude-sonnet-4-6',
        output: [],
        usage: {
          input_tokens: 1000,
          input_tokens_details: { cached_tokens: 700, cache_write_tokens: 100 },
          output_tokens: 10,
          total_tokens: 1010,
        },
      },
      cost: '0.001335',
    },
    {
      what: 'GPT in the shape of Anthropic, whose cache is beside the input',
      from: 'openai',
      // In millionths of a USD: 100 input × 1.25 + 900 cached × 0.125 + 10 output × 10.
      body: message('gpt-5', { input_tokens: 100, cache_read_input_tokens: 900, output_tokens: 10 }),
      cost: '0.0003375',
    },
    {
      what: 'OpenTelemetry’s JSON, with attributes as a list and an hour of no cache',
      from: 'anthropic',
      // In millionths of a USD: 200 input × 3 + 800 cached × 0.3 + 300 output × 15.
      body: {
        attributes: [
          { key: 'gen_ai.response.model', value: { stringValue: 'claude-sonnet-4-5-20250929' } },
          { key: 'gen_ai.usage.input_tokens', value: { intValue: '1000' } },
          { key: 'gen_ai.usage.cache_read_input_tokens', value: { intValue: '800' } },
          { key: 'gen_ai.usage.output_tokens', value: { intValue: 300 } },
          { key: 'gen_ai.request.max_tokens', value: { intValue: 4096 } },
        ],
      },
      cost: '0.00534',
    },
    {
      what: 'OpenInference attributes',
      from: 'openai',
      // In millionths of a USD: 400 input × 2.5 + 600 cached × 1.25 + 50 output × 10.
      body: {
        attributes: {
          'llm.model_name': 'gpt-4o',
          'llm.token_count.prompt': 1000,
          'llm.token_count.prompt_details.cache_read': 600,
          'llm.token_count.completion': 50,
          'llm.token_count.total': 1050,
        },
      },
      cost: '0.00225',
    },
    {
      what: 'AI SDK 4 with what Anthropic cached in its metadata',
      from: 'anthropic',
      model: 'claude-sonnet-4-6',
      // In millionths of a USD: 10 input × 3 + 1000 cached × 0.3 + 200 writes × 3.75 + 20 output × 15.
      body: {
        usage: { promptTokens: 10, completionTokens: 20, totalTokens: 30 },
        providerMetadata: { anthropic: { cacheCreationInputTokens: 200, cacheReadInputTokens: 1000 } },
      },
      cost: '0.00138',
    },
    {
      what: 'AI SDK 4 with what Bedrock cached in its metadata',
      from: 'aws',
      model: 'us.anthropic.claude-sonnet-4-6',
      // In millionths of a USD: 10 input × 3.3 + 1000 cached × 0.33 + 200 writes × 4.125 + 20 output × 16.5.
      body: {
        usage: { promptTokens: 10, completionTokens: 20, totalTokens: 30 },
        providerMetadata: { bedrock: { usage: { cacheReadInputTokens: 1000, cacheWriteInputTokens: 200 } } },
      },
      cost: '0.001518',
    },
    {
      what: 'AI SDK 4 from Bedrock without a cache, whose counts are then no numbers',
      from: 'aws',
      model: 'us.anthropic.claude-sonnet-4-6',
      body: {
        usage: { promptTokens: 10, completionTokens: 20, totalTokens: 30 },
        providerMetadata: { bedrock: { usage: { cacheReadInputTokens: null, cacheWriteInputTokens: null } } },
      },
      cost: '0.000363',
    },
    {
      what: 'AI SDK 5 with what Bedrock cached',
      from: 'aws',
      model: 'us.anthropic.claude-sonnet-4-6',
      body: {
        usage: { inputTokens: 10, cachedInputTokens: 1000, outputTokens: 20, totalTokens: 30 },
        providerMetadata: { bedrock: { usage: { cacheWriteInputTokens: 200 } } },
      },
      cost: '0.001518',
    },
    {
      what: 'AI SDK 6 from Bedrock with an hour of cache in its raw usage',
      from: 'aws',
      model: 'us.anthropic.claude-sonnet-4-6',
      // In millionths of a USD: 100 input × 3.3 + 700 cached × 0.33 + 300 one-hour writes × 6.6 + 20 output × 16.5.
      body: {
        usage: {
          inputTokens: 1100,
          inputTokenDetails: { noCacheTokens: 100, cacheReadTokens: 700, cacheWriteTokens: 300 },
          outputTokens: 20,
          totalTokens: 1120,
          raw: { inputTokens: 100, cacheDetails: [{ ttl: '1h', inputTokens: 300 }] },
        },
      },
      cost: '0.002871',
    },
    {
      what: 'AI SDK 6 with an hour of cache in its raw usage',
      from: 'anthropic',
      model: 'claude-sonnet-4-6',
      // In millionths of a USD: 100 input × 3 + 700 cached × 0.3 + 300 one-hour writes × 6 + 20 output × 15.
      body: {
        usage: {
          inputTokens: 1100,
          inputTokenDetails: { noCacheTokens: 100, cacheReadTokens: 700, cacheWriteTokens: 300 },
          outputTokens: 20,
          totalTokens: 1120,
          raw: { input_tokens: 100, cache_creation: { ephemeral_1h_input_tokens: 300 } },
        },
      },
      cost: '0.00261',
    },
    {
      what: 'a realtime event names its model inside',
      from: 'openai',
      // In millionths of a USD: 100 text input × 4 + 100 audio input × 32 + 20 text output × 16 + 80 audio
      // output × 64.
      body: {
        type: 'response.done',
        response: {
          model: 'gpt-realtime',
          usage: {
            input_tokens: 200,
            output_tokens: 100,
            total_tokens: 300,
            input_token_details: { text_tokens: 100, audio_tokens: 100 },
            output_token_details: { text_tokens: 20, audio_tokens: 80 },
          },
        },
      },
      cost: '0.00904',
    },
    {
      what: 'cached tokens above the input are beside it, with a warning',
      from: 'openai',
      // In millionths of a USD: 100 input × 2.5 + 500 cached × 1.25.
      body: {
        model: 'gpt-4o',
        usage: { prompt_tokens: 100, completion_tokens: 0, prompt_tokens_details: { cached_tokens: 500 } },
      },
      cost: '0.000875',
      warnings: [/500 cached tokens are more than the 100 input tokens/],
    },
    {
      what: 'a total that nothing explains is named',
      from: 'openai',
      body: { model: 'gpt-4o', usage: { prompt_tokens: 100, completion_tokens: 0, total_tokens: 175 } },
      cost: '0.00025',
      warnings: [/^unread_usage: the total exceeds input and output by 75/],
    },
    {
      what: 'a lone total is input, of embeddings',
      from: 'voyageai',
      body: { object: 'list', model: 'voyage-4-lite', usage: { total_tokens: 1000 } },
      cost: '0.00002',
    },
    {
      what: 'zeros cost nothing',
      from: 'anthropic',
      body: message('claude-opus-5', { input_tokens: 0, output_tokens: 0 }),
      cost: '0',
    },
    {
      what: 'OCR: annotated pages beside plain ones (mistral.ai/pricing: 2 and 3 per 1,000)',
      from: 'mistral',
      model: 'mistral-ocr-2512',
      body: { usage_info: { pages_processed: 2, pages_processed_annotation: 1, doc_size_bytes: 5 } },
      cost: '0.007',
    },
    {
      what: 'a batch of OpenAI’s is half price',
      from: 'openai',
      body: {
        object: 'batch',
        model: 'gpt-5',
        usage: { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 },
      },
      cost: '0.001125',
    },
    {
      what: 'a line of a batch is half price, for any tier in its response',
      from: 'openai',
      body: {
        custom_id: 'a',
        response: {
          status_code: 200,
          body: {
            model: 'gpt-5',
            service_tier: 'default',
            usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 },
          },
        },
      },
      cost: '0.001125',
    },
    {
      what: 'tools of the Responses API: searches and file searches billed, containers named',
      from: 'openai',
      body: {
        model: 'gpt-5',
        output: [
          { type: 'web_search_call', action: { type: 'search' } },
          { type: 'web_search_call', action: { type: 'open_page' } },
          { type: 'file_search_call' },
          { type: 'code_interpreter_call', container_id: 'c1' },
          { type: 'code_interpreter_call', container_id: 'c1' },
        ],
        usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
      },
      cost: '0.0125',
      warnings: [/^unread_usage: 1 code interpreter session was used/],
    },
    {
      what: 'images of DALL-E, which has no usage',
      from: 'openai',
      model: 'dall-e-3',
      body: { created: 1, data: [{ url: 'https://example.com/1' }, { url: 'https://example.com/2' }] },
      cost: '0.08',
    },
    {
      what: 'images of Vertex, which have no usage',
      from: 'google',
      model: 'imagen-4.0-generate-001',
      body: { predictions: [{ mimeType: 'image/png', bytesBase64Encoded: 'AA==' }] },
      cost: '0.04',
    },
    {
      what: 'a video job has its seconds as text, and its size',
      from: 'openai',
      body: { object: 'video', model: 'sora-2-pro', seconds: '4', size: '1024x1792', status: 'completed' },
      cost: '2',
    },
  ])
})

describe('a model never gets the price of another one', () => {
  check(
    [
      ['openai', 'gpt-5-mini-turbo'],
      ['openai', 'gpt-4o-2031-01-01'],
      ['anthropic', 'claude-sonnet-5-6'],
      ['anthropic', 'claude-opus-4-6-lite'],
      ['google', 'gemini-2.5-pro-cyber'],
      ['google', 'gemini-3.8-flash-image'],
      ['amazon', 'sa.amazon.nova-lite-v1:0'],
      ['amazon', 'us.anthropic.claude-sonnet-5-6'],
      ['deepseek', 'deepseek-v4-pro-max'],
      ['moonshotai', 'kimi-k2.6-ultra'],
    ].map(([from = '', model = '']) => ({
      what: `${from} ${model} is unpriced`,
      from,
      model,
      usage: { input_tokens: 1 },
      cost: 'unknown_model',
    })),
  )
  check([
    {
      what: 'a dated name',
      from: 'anthropic',
      model: 'claude-sonnet-5-20260630',
      usage: { input_tokens: 1000 },
      cost: '0.002',
    },
    {
      what: 'a Vertex date',
      from: 'google',
      model: 'claude-opus-4-8@20260528',
      usage: { input_tokens: 1000 },
      cost: '0.005',
    },
    {
      what: '-latest',
      from: 'anthropic',
      model: 'claude-opus-4-8-latest',
      usage: { input_tokens: 1000 },
      cost: '0.005',
    },
    {
      what: 'a new snapshot',
      from: 'openai',
      model: 'o3-mini-2026-01-31',
      usage: { input_tokens: 1000 },
      cost: '0.0011',
    },
  ])
})

describe('every unit has its own price', () => {
  const hour = { input_tokens: 1000, cache_write_tokens: 1000, cache_write_1h_tokens: 1000 }
  check([
    // A one-hour cache write costs twice the input price (platform.claude.com/docs/en/about-claude/pricing).
    {
      what: 'an hour of Claude at Vertex',
      from: 'google',
      model: 'claude-opus-5',
      usage: hour,
      cost: '0.01',
    },
    { what: 'an hour of Claude at Azure', from: 'azure', model: 'claude-opus-5', usage: hour, cost: '0.01' },
    {
      what: 'an hour of Claude at OpenRouter',
      from: 'openrouter',
      model: 'anthropic/claude-opus-5',
      usage: hour,
      cost: '0.01',
    },
    {
      what: 'an hour of Claude at Bedrock, regional',
      from: 'amazon',
      model: 'eu.anthropic.claude-opus-5',
      usage: hour,
      cost: '0.011',
    },
    {
      what: 'audio of gpt-4o-mini-audio-preview (10 and 20)',
      from: 'openai',
      model: 'gpt-4o-mini-audio-preview-2024-12-17',
      usage: { input_tokens: 1000, input_audio_tokens: 1000, output_tokens: 1000, output_audio_tokens: 1000 },
      cost: '0.03',
    },
    // Cached tokens cost half of the input price of fine-tuned gpt-4o, and a quarter of the input price of fine-tuned
    // gpt-4.1 (openai.com/api/pricing).
    {
      what: 'cached input of a fine-tuned gpt-4o',
      from: 'openai',
      model: 'ft:gpt-4o-2024-08-06:acme::x',
      usage: { input_tokens: 1000, cache_read_tokens: 1000 },
      cost: '0.001875',
    },
    {
      what: 'cached input of a fine-tuned gpt-4.1',
      from: 'openai',
      model: 'ft:gpt-4.1-2025-04-14:acme:a:x',
      usage: { input_tokens: 1000, cache_read_tokens: 1000 },
      cost: '0.00075',
    },
    {
      what: 'text of an image model, where it is reported',
      from: 'openai',
      model: 'gpt-image-1.5',
      usage: { output_tokens: 1000, output_text_tokens: 1000 },
      cost: '0.01',
    },
    {
      what: 'rerank searches',
      from: 'cohere',
      model: 'rerank-multilingual-v3.0',
      usage: { rerank_searches: 500 },
      cost: '1',
    },
    {
      what: 'Voyage rerank by token',
      from: 'voyageai',
      model: 'rerank-2.5-lite',
      usage: { input_tokens: 1_000_000 },
      cost: '0.02',
    },
  ])
})

describe('prices that depend on more', () => {
  const million: Usage = { input_tokens: 1_000_000 }
  const v4 = (at: string, cost: string): Row => ({
    what: `DeepSeek V4 Pro at ${at}`,
    from: 'deepseek',
    model: 'deepseek-v4-pro',
    at,
    usage: million,
    cost,
  })
  check([
    // Peak prices apply every day until 2026-08-23, and later only from Monday to Friday
    // (nesquikm/mcp-rubber-duck#148).
    v4('2026-08-16T15:59:59Z', '0.435'),
    v4('2026-08-22T02:00:00Z', '1.32'),
    v4('2026-08-29T02:00:00Z', '0.66'),
    v4('2026-08-31T00:59:59Z', '0.66'),
    v4('2026-08-31T01:00:00Z', '1.32'),
    v4('2026-08-31T04:00:00Z', '0.66'),
    v4('2026-09-04T09:59:59Z', '1.32'),
    // The prices of Veo 3.1 are from ai.google.dev/gemini-api/docs/pricing.
    {
      what: 'Veo at 1080p',
      from: 'google',
      model: 'veo-3.1-fast-generate-preview',
      usage: { video_seconds: 10 },
      conditions: { image_size: '1080p' },
      cost: '1.2',
    },
    {
      what: 'Veo at 3840x2160',
      from: 'google',
      model: 'veo-3.1-generate-001',
      usage: { video_seconds: 10 },
      conditions: { image_size: '3840x2160' },
      cost: '6',
    },
    {
      what: 'Veo at a size without a price',
      from: 'google',
      model: 'veo-3.0-generate-001',
      usage: { video_seconds: 10 },
      conditions: { image_size: '4k' },
      cost: '4',
      warnings: [/no price for size 4k/],
    },
    // 1,000 requests to Sonar Pro cost 6, 10 or 14 USD, by search context size
    // (docs.perplexity.ai/getting-started/pricing).
    {
      what: 'Sonar Pro, medium',
      from: 'perplexity',
      model: 'sonar-pro',
      usage: { input_tokens: 0 },
      conditions: { search_context_size: 'medium' },
      cost: '0.01',
    },
    {
      what: 'Sonar Pro without a size',
      from: 'perplexity',
      model: 'sonar-pro',
      usage: { input_tokens: 0 },
      cost: '0.014',
    },
    // The prices of Nova by region are from models.dev, which has them from the price list of AWS.
    {
      what: 'Nova by profile',
      from: 'amazon',
      model: 'eu.amazon.nova-pro-v1:0',
      usage: million,
      cost: '0.92',
    },
    {
      what: 'Nova by region',
      from: 'amazon',
      model: 'amazon.nova-pro-v1:0',
      usage: million,
      conditions: { region: 'eu-central-1' },
      cost: '0.92',
    },
    {
      what: 'Nova at home',
      from: 'amazon',
      model: 'amazon.nova-pro-v1:0',
      usage: million,
      conditions: { region: 'us-east-1' },
      cost: '0.8',
    },
    {
      what: 'Nova where no list is known',
      from: 'amazon',
      model: 'amazon.nova-pro-v1:0',
      usage: million,
      conditions: { region: 'sa-east-1' },
      cost: '0.8',
      warnings: [/no price for region "sa-east-1"/],
    },
    {
      what: 'Claude in any region has the regional list',
      from: 'amazon',
      model: 'anthropic.claude-opus-5',
      usage: million,
      conditions: { region: 'eu-west-1' },
      cost: '5.5',
    },
    {
      what: 'a batch of pages',
      from: 'mistral',
      model: 'mistral-ocr-2512',
      usage: { input_document_pages: 1000 },
      conditions: { service_tier: 'batch' },
      cost: '1',
    },
    {
      what: 'a batch of images by piece',
      from: 'google',
      model: 'gemini-2.5-flash-image',
      usage: { output_images: 2 },
      conditions: { service_tier: 'batch' },
      cost: '0.039',
    },
  ])
})

describe('model families of 2026, from the lists of 2026-11-20', () => {
  const at = '2026-11-25T05:00:00Z'
  // Each row has 100,000 input tokens, of which 50,000 are cached, and 10,000 output tokens. No long-context price
  // applies to this size.
  const row = (from: string, model: string, tenth: Usage, cost: string): Row => ({
    what: `${from} ${model}`,
    from,
    model,
    at,
    usage: tenth,
    cost,
  })
  const small: Usage = { input_tokens: 100_000, cache_read_tokens: 50_000, output_tokens: 10_000 }
  check([
    row('openai', 'gpt-6-sol', small, '0.21'),
    row('openai', 'gpt-6.2-astra', small, '0.82'),
    row('anthropic', 'claude-sonnet-5-5', small, '0.205'),
    row('anthropic', 'claude-opus-5-5', small, '0.41'),
    row('anthropic', 'claude-haiku-5-5', small, '0.0105'),
    row('anthropic', 'claude-fable-5-2', small, '0.81'),
    row('google', 'gemini-4-argon', small, '0.205'),
    row('x-ai', 'grok-4.7', small, '0.185'),
    row('deepseek', 'deepseek-flash', small, '0.01365'),
    row('mistral', 'mistral-large-4', small, '0.0595'),
    row('mistral', 'mistral-small-latest', small, '0.01425'),
    row('zai', 'glm-5.3', small, '0.127'),
    row('moonshotai', 'kimi-k3', small, '0.315'),
    row('meta', 'muse-spark-1.3', small, '0.1125'),
    row('xiaomi', 'mimo-v2.6-pro', small, '0.03063'),
  ])
})
