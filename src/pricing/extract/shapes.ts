/**
 * Where responses say what was used: rules as data, in the notation that the catalogue's own rules have.
 *
 * A shape is `root; model; rule; rule …`. A rule `path! > unit` reads a number at the path below the root and
 * adds it to the unit; `!` marks what must be there for a body to be of this shape. Several rules may add to
 * one unit, which is how parts that a provider reports beside a total come into it. Steps of a path are
 * parted by `/`; a path that starts with `/` is from the body itself; `[modality=AUDIO]` picks the first item
 * of a list whose field has the value; `#[type=x]` counts such items; `a or b` takes the first that is there.
 *
 * The catalogue brings the shapes of its providers (from @pydantic/genai-prices). Here are the ones it lacks:
 * richer readings of some, and the bodies of gateways, SDKs and telemetry that belong to no provider.
 */
export interface NamedShape {
  readonly api: string
  readonly shape: string
  /** Only for these providers; for all when not given. Before the catalogue's own shape of the same api. */
  readonly providers?: readonly string[]
  /** Read only when the api is named: its body cannot be told apart from a better reading. */
  readonly explicit?: true
}

const OPENAI_TOOL_CALLS = [
  '/output/#[type=web_search_call;action/type=search] > web_searches',
  '/output/#[type=file_search_call] > storage_searches',
]

const CHAT = [
  'usage or x_groq/usage',
  'model',
  'prompt_tokens! > input_tokens',
  'prompt_tokens_details/cached_tokens or prompt_cache_hit_tokens or cached_tokens > cache_read_tokens',
  'prompt_tokens_details/cache_write_tokens > cache_write_tokens',
  'prompt_tokens_details/audio_tokens > input_audio_tokens',
  'prompt_tokens_details/image_tokens > input_image_tokens',
  'completion_tokens_details/audio_tokens > output_audio_tokens',
  'completion_tokens_details/image_tokens > output_image_tokens',
  'completion_tokens_details/reasoning_tokens > output_reasoning_tokens',
  'completion_tokens! > output_tokens',
].join('; ')

const RESPONSES = [
  'usage',
  'model',
  'input_tokens! > input_tokens',
  'input_tokens_details/cached_tokens > cache_read_tokens',
  'input_tokens_details/cache_write_tokens > cache_write_tokens',
  'output_tokens_details/reasoning_tokens > output_reasoning_tokens',
  'output_tokens! > output_tokens',
  ...OPENAI_TOOL_CALLS,
].join('; ')

/** Cache reads and writes are beside `input_tokens`; the split by lifetime repeats the writes. */
const ANTHROPIC = [
  'usage',
  'model',
  'input_tokens! > input_tokens',
  'cache_creation_input_tokens > input_tokens',
  'cache_read_input_tokens > input_tokens',
  'cache_creation_input_tokens > cache_write_tokens',
  'cache_creation/ephemeral_5m_input_tokens > cache_write_5m_tokens',
  'cache_creation/ephemeral_1h_input_tokens > cache_write_1h_tokens',
  'cache_read_input_tokens > cache_read_tokens',
  'server_tool_use/web_search_requests > web_searches',
  'output_tokens_details/thinking_tokens > output_reasoning_tokens',
  'output_tokens! > output_tokens',
].join('; ')

/** Claude at resellers: five minutes is what a cache write costs anyway, one hour is dearer. */
const RESOLD_ANTHROPIC = [
  'usage',
  'model',
  'input_tokens! > input_tokens',
  'cache_creation_input_tokens > input_tokens',
  'cache_read_input_tokens > input_tokens',
  'cache_creation_input_tokens > cache_write_tokens',
  'cache_creation/ephemeral_1h_input_tokens > cache_write_1h_tokens',
  'cache_read_input_tokens > cache_read_tokens',
  'output_tokens! > output_tokens',
].join('; ')

const BEDROCK = [
  'usage',
  'model or modelId',
  'inputTokens! > input_tokens',
  'cacheReadInputTokens or cacheReadInputTokenCount > input_tokens',
  'cacheWriteInputTokens or cacheWriteInputTokenCount > input_tokens',
  'cacheReadInputTokens or cacheReadInputTokenCount > cache_read_tokens',
  'cacheWriteInputTokens or cacheWriteInputTokenCount > cache_write_tokens',
  'cacheDetails/[ttl=5m]/inputTokens > cache_write_5m_tokens',
  'cacheDetails/[ttl=1h]/inputTokens > cache_write_1h_tokens',
  'outputTokens! > output_tokens',
].join('; ')

const BEDROCK_INVOCATION = [
  'amazon-bedrock-invocationMetrics',
  'model or modelId',
  'inputTokenCount! > input_tokens',
  'cacheReadInputTokenCount > input_tokens',
  'cacheWriteInputTokenCount > input_tokens',
  'cacheReadInputTokenCount > cache_read_tokens',
  'cacheWriteInputTokenCount > cache_write_tokens',
  'outputTokenCount! > output_tokens',
].join('; ')

const MODALITIES = [
  ['TEXT', 'text'],
  ['AUDIO', 'audio'],
  ['IMAGE', 'image'],
  // Pages are read as images.
  ['DOCUMENT', 'image'],
  ['VIDEO', 'video'],
] as const

const byModality = (lists: readonly string[], unit: (modality: string) => string) =>
  MODALITIES.map(([name, modality]) => {
    const paths = lists.map((list) => `${list}/[modality=${name}]/tokenCount`)
    return `${paths.join(' or ')} > ${unit(modality)}`
  })

/** Thoughts are beside the candidates, and what tools fetched is beside the prompt. */
const GEMINI_RULES = [
  'promptTokenCount > input_tokens',
  'cachedContentTokenCount > cache_read_tokens',
  ...byModality(['cacheTokensDetails'], (modality) => `cache_${modality}_read_tokens`),
  ...byModality(['promptTokensDetails'], (modality) => `input_${modality}_tokens`),
  ...byModality(
    ['candidatesTokensDetails', 'responseTokensDetails'],
    (modality) => `output_${modality}_tokens`,
  ),
  'candidatesTokenCount or responseTokenCount > output_tokens',
  'thoughtsTokenCount > output_tokens',
  'thoughtsTokenCount > output_reasoning_tokens',
  'toolUsePromptTokenCount > input_tokens',
  'toolUsePromptTokenCount > input_tool_tokens',
  ...byModality(['toolUsePromptTokensDetails'], (modality) => `input_${modality}_tokens`),
  ...byModality(['toolUsePromptTokensDetails'], (modality) => `input_${modality}_tool_tokens`),
]

const GEMINI = ['usageMetadata', 'modelVersion', ...GEMINI_RULES].join('; ')

/** The Python SDK's spelling of the same. */
const GEMINI_SNAKE = ['usage_metadata', 'model_version', ...GEMINI_RULES]
  .map((rule) => rule.replace(/[a-z][A-Z]/g, (pair) => `${pair[0]}_${pair[1]?.toLowerCase()}`))
  .join('; ')

/** Vercel AI SDK: 4; 5, with lone totals; 6 and 7, with details; and the provider-level form of 6 and 7. */
const AI_SDK_4 = 'usage; model or modelId; promptTokens! > input_tokens; completionTokens! > output_tokens'
const AI_SDK_5 = [
  'totalUsage or usage',
  'model or modelId or response/modelId',
  'inputTokens! > input_tokens',
  'cachedInputTokens > cache_read_tokens',
  'reasoningTokens > output_reasoning_tokens',
  'outputTokens! > output_tokens',
].join('; ')
/** Version 5 hands on what these providers call input, which leaves the cache out. */
const AI_SDK_5_BESIDE = AI_SDK_5.replace(
  'inputTokens! > input_tokens;',
  'inputTokens! > input_tokens; cachedInputTokens > input_tokens;',
)
const AI_SDK_6 = [
  'totalUsage or usage',
  'model or modelId or response/modelId',
  'inputTokens! > input_tokens',
  'inputTokenDetails/cacheReadTokens > cache_read_tokens',
  'inputTokenDetails/cacheWriteTokens > cache_write_tokens',
  'inputTokenDetails/noCacheTokens! > nothing',
  'outputTokenDetails/reasoningTokens > output_reasoning_tokens',
  'outputTokens! > output_tokens',
].join('; ')
const AI_SDK_MODEL = [
  'usage',
  'model or modelId or response/modelId',
  'inputTokens/total! > input_tokens',
  'inputTokens/cacheRead > cache_read_tokens',
  'inputTokens/cacheWrite > cache_write_tokens',
  'outputTokens/reasoning > output_reasoning_tokens',
  'outputTokens/total! > output_tokens',
].join('; ')

/** OpenTelemetry: `gen_ai.usage.input_tokens` includes what was cached. Keys with dots are single keys. */
const OPEN_TELEMETRY = [
  'attributes',
  'gen_ai.response.model or gen_ai.request.model',
  'gen_ai.usage.input_tokens or gen_ai.usage.prompt_tokens! > input_tokens',
  'gen_ai.usage.cache_read.input_tokens > cache_read_tokens',
  'gen_ai.usage.cache_creation.input_tokens > cache_write_tokens',
  'gen_ai.usage.reasoning.output_tokens or gen_ai.usage.reasoning_tokens > output_reasoning_tokens',
  'gen_ai.usage.output_tokens or gen_ai.usage.completion_tokens > output_tokens',
].join('; ')

const REALTIME_DETAILS = [
  'input_token_details/text_tokens > input_text_tokens',
  'input_token_details/audio_tokens > input_audio_tokens',
  'input_token_details/image_tokens > input_image_tokens',
  'input_token_details/cached_tokens > cache_read_tokens',
  'input_token_details/cached_tokens_details/text_tokens > cache_text_read_tokens',
  'input_token_details/cached_tokens_details/audio_tokens > cache_audio_read_tokens',
  'input_token_details/cached_tokens_details/image_tokens > cache_image_read_tokens',
  'output_token_details/text_tokens > output_text_tokens',
  'output_token_details/audio_tokens > output_audio_tokens',
]

const REALTIME = [
  'response/usage or usage',
  'response/model or model',
  'input_tokens! > input_tokens',
  ...REALTIME_DETAILS,
  'output_tokens! > output_tokens',
].join('; ')

const IMAGES = [
  'usage',
  'model',
  'input_tokens! > input_tokens',
  'input_tokens_details/text_tokens! > input_text_tokens',
  'input_tokens_details/image_tokens! > input_image_tokens',
  'input_tokens_details/cached_tokens > cache_read_tokens',
  'output_tokens! > output_tokens',
  'output_tokens_details/text_tokens > output_text_tokens',
  'output_tokens_details/image_tokens > output_image_tokens',
].join('; ')

const XAI_SERVER_TOOLS = [
  'server_side_tool_usage_details/web_search_calls > web_searches',
  'server_side_tool_usage_details/x_search_calls > social_searches',
  'server_side_tool_usage_details/code_interpreter_calls > code_executions',
  'server_side_tool_usage_details/file_search_calls or server_side_tool_usage_details/document_search_calls > storage_searches',
]

const XAI_CHAT = [
  'usage',
  'model',
  'prompt_tokens! > input_tokens',
  'prompt_tokens_details/cached_tokens > cache_read_tokens',
  'completion_tokens_details/audio_tokens > output_audio_tokens',
  'completion_tokens_details/reasoning_tokens > output_tokens',
  'completion_tokens_details/reasoning_tokens > output_reasoning_tokens',
  'completion_tokens! > output_tokens',
  ...XAI_SERVER_TOOLS,
].join('; ')

const XAI_RESPONSES = [
  'usage',
  'model',
  'input_tokens! > input_tokens',
  'input_tokens_details/cached_tokens > cache_read_tokens',
  'output_tokens_details/reasoning_tokens > output_reasoning_tokens',
  'output_tokens! > output_tokens',
  ...XAI_SERVER_TOOLS,
].join('; ')

const COHERE_UNITS = [
  'input_tokens > input_tokens',
  'output_tokens > output_tokens',
  'search_units > rerank_searches',
]

/** Azure reports cache writes as OpenAI does and bills them as any input. */
const withoutCacheWrites = (shape: string) =>
  shape
    .split('; ')
    .filter((rule) => !rule.endsWith('> cache_write_tokens'))
    .join('; ')

export const SHAPES: readonly NamedShape[] = [
  { api: 'responses', shape: RESPONSES, providers: ['openai'] },
  { api: 'responses', shape: withoutCacheWrites(RESPONSES), providers: ['azure'] },
  { api: 'chat', shape: withoutCacheWrites(CHAT), providers: ['azure'] },
  { api: 'images', shape: IMAGES, providers: ['openai', 'azure'] },
  { api: 'chat', shape: CHAT, providers: ['deepseek', 'moonshotai'] },
  { api: 'chat', shape: XAI_CHAT, providers: ['x-ai'] },
  { api: 'responses', shape: XAI_RESPONSES, providers: ['x-ai'] },
  { api: 'anthropic', shape: RESOLD_ANTHROPIC, providers: ['aws', 'azure', 'google'] },
  { api: 'default', shape: BEDROCK, providers: ['aws'] },
  { api: 'default', shape: GEMINI, providers: ['google'] },
  ...[AI_SDK_6, AI_SDK_MODEL, AI_SDK_5_BESIDE, AI_SDK_4].map((shape) => ({
    api: 'ai-sdk',
    shape,
    providers: ['anthropic', 'aws'],
  })),
  {
    api: 'rerank',
    shape: ['meta/billed_units', 'model', 'search_units! > rerank_searches'].join('; '),
    providers: ['cohere'],
  },

  { api: 'ai-sdk', shape: AI_SDK_6 },
  { api: 'ai-sdk', shape: AI_SDK_MODEL },
  { api: 'ai-sdk', shape: AI_SDK_5 },
  { api: 'ai-sdk', shape: AI_SDK_4 },
  { api: 'ai-sdk', shape: 'usage; model; tokens! > input_tokens' },
  { api: 'opentelemetry', shape: OPEN_TELEMETRY },
  { api: 'chat', shape: CHAT },
  { api: 'responses', shape: RESPONSES },
  { api: 'anthropic', shape: ANTHROPIC },
  { api: 'gemini', shape: GEMINI },
  { api: 'gemini', shape: GEMINI_SNAKE },
  { api: 'converse', shape: BEDROCK },
  { api: 'invocation', shape: BEDROCK_INVOCATION },
  { api: 'realtime', shape: REALTIME },
  { api: 'images', shape: IMAGES },
  {
    api: 'audio',
    shape: [
      'usage',
      'model',
      'input_tokens! > input_tokens',
      ...REALTIME_DETAILS,
      'output_tokens > output_tokens',
    ].join('; '),
    explicit: true,
  },
  { api: 'audio', shape: 'usage; model; seconds! > audio_seconds' },
  { api: 'audio', shape: '; model; duration! > audio_seconds' },
  { api: 'embeddings', shape: 'usage; model; prompt_tokens! > input_tokens' },
  {
    api: 'billed_units',
    shape: ['usage/billed_units or meta/billed_units', 'model', ...COHERE_UNITS].join('; '),
  },
  {
    api: 'workers-ai',
    shape: ['result/usage', 'result/model or model', ...CHAT.split('; ').slice(2)].join('; '),
  },
]

/** The catalogue's shapes that are read only when asked for: others read the same body better. */
export const EXPLICIT_APIS: Readonly<Record<string, readonly string[]>> = {
  cohere: ['tokens'],
  mistral: ['ocr_annotated'],
}
