/**
 * The shapes of responses: rules that state where a response contains usage. The catalogue uses the same notation.
 *
 * A shape is `root; model; rule; rule …`. A rule `path! > unit` reads a number at the path below the root and adds it
 * to the unit. `!` marks a number or a root that a body of this shape must have. Several rules can add to one unit, if
 * a provider reports parts separately from a total. A rule `> nothing` reads a number that is part of another number
 * and is not billed separately. `/` separates the steps of a path. A path that starts with `/` begins at the body.
 * `[modality=AUDIO]` selects the first item of a list whose field `modality` is `AUDIO`. `#[type=x]` counts the items
 * whose field `type` is `x`. `a or b` reads the first path that exists. An equal number at the other path counts as a
 * repetition.
 *
 * The catalogue contains the shapes of its providers (from @pydantic/genai-prices). This file contains more detailed
 * shapes of some providers, and the shapes of gateways, SDKs and telemetry, which belong to no provider.
 */
export interface NamedShape {
  readonly api: string
  readonly shape: string
  /**
   * The providers that use the shape; absent if any provider can use it. For these providers, the shape replaces the
   * catalogue's shape with the same `api`.
   */
  readonly providers?: readonly string[]
  /**
   * True if the shape is used only when the caller names its `api`, because another shape reads the same body better.
   */
  readonly explicit?: true
  /** True if the shape is used only for a usage part that has no other token count. */
  readonly alone?: true
}

const CHAT = [
  'usage or x_groq/usage',
  'model',
  'prompt_tokens! > input_tokens',
  'prompt_tokens_details/cached_tokens or prompt_cache_hit_tokens or cached_tokens or cache_read_input_tokens or prompt_tokens_details/cache_read_input_tokens > cache_read_tokens',
  'prompt_tokens_details/cache_write_tokens or prompt_tokens_details/cache_creation_tokens or cache_creation_input_tokens or prompt_tokens_details/cache_creation_input_tokens > cache_write_tokens',
  'cache_creation/ephemeral_1h_input_tokens or prompt_tokens_details/cache_creation_token_details/ephemeral_1h_input_tokens > cache_write_1h_tokens',
  'prompt_tokens_details/cache_creation_token_details/ephemeral_5m_input_tokens > nothing',
  'prompt_tokens_details/audio_tokens > input_audio_tokens',
  'prompt_tokens_details/image_tokens > input_image_tokens',
  'prompt_tokens_details/video_tokens > input_video_tokens',
  'completion_tokens_details/audio_tokens > output_audio_tokens',
  'completion_tokens_details/image_tokens > output_image_tokens',
  'completion_tokens_details/reasoning_tokens or reasoning_tokens > output_reasoning_tokens',
  'server_tool_use/web_search_requests > web_searches',
  'completion_tokens! > output_tokens',
].join('; ')

const RESPONSES = [
  'usage',
  'model',
  'input_tokens! > input_tokens',
  'input_tokens_details/cached_tokens or prompt_tokens_details/cached_tokens > cache_read_tokens',
  'input_tokens_details/cache_write_tokens or input_tokens_details/cache_creation_tokens > cache_write_tokens',
  'input_tokens_details/audio_tokens > input_audio_tokens',
  'input_tokens_details/image_tokens > input_image_tokens',
  'output_tokens_details/reasoning_tokens > output_reasoning_tokens',
  'output_tokens_details/audio_tokens > output_audio_tokens',
  'output_tokens_details/image_tokens > output_image_tokens',
  'output_tokens! > output_tokens',
].join('; ')

/**
 * The shape of Anthropic's API. `input_tokens` does not include cache reads and cache writes. The five-minute and
 * one-hour counts are parts of the cache writes.
 */
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

/**
 * The shape of Claude at resellers. It does not count five-minute cache writes separately, because resellers bill them
 * at their price of a cache write. One-hour writes cost more.
 */
const RESOLD_ANTHROPIC = [
  'usage',
  'model',
  'input_tokens! > input_tokens',
  'cache_creation_input_tokens > input_tokens',
  'cache_read_input_tokens > input_tokens',
  'cache_creation_input_tokens > cache_write_tokens',
  'cache_creation/ephemeral_1h_input_tokens > cache_write_1h_tokens',
  'cache_read_input_tokens > cache_read_tokens',
  'server_tool_use/web_search_requests > web_searches',
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
  // Gemini reads the pages of documents as images.
  ['DOCUMENT', 'image'],
  ['VIDEO', 'video'],
] as const

const byModality = (lists: readonly string[], unit: (modality: string) => string) =>
  MODALITIES.map(([name, modality]) => {
    const paths = lists.map((list) => `${list}/[modality=${name}]/tokenCount`)
    return `${paths.join(' or ')} > ${unit(modality)}`
  })

/**
 * The rules of Gemini. The count of the candidates does not include thoughts, and the count of the prompt does not
 * include tool results.
 */
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

/** The shape of Gemini with the snake_case names of Google's Python SDK. */
const GEMINI_SNAKE = ['usage_metadata', 'model_version', ...GEMINI_RULES]
  .map((rule) => rule.replace(/[a-z][A-Z]/g, (pair) => `${pair[0]}_${pair[1]?.toLowerCase()}`))
  .join('; ')

/**
 * The shape of Google's Interactions API. The total output does not include thoughts, and the total input does not
 * include tool results.
 */
const INTERACTIONS = [
  'usage',
  'model',
  'total_input_tokens! > input_tokens',
  'total_cached_tokens > cache_read_tokens',
  'total_tool_use_tokens > input_tokens',
  'total_tool_use_tokens > input_tool_tokens',
  'total_thought_tokens or total_reasoning_tokens > output_tokens',
  'total_thought_tokens or total_reasoning_tokens > output_reasoning_tokens',
  'total_output_tokens! > output_tokens',
].join('; ')

/**
 * The shape of version 4 of the Vercel AI SDK. `AI_SDK_5` is the shape of version 5, which has no objects with details.
 * `AI_SDK_6` is the shape of versions 6 and 7, which have such objects. `AI_SDK_MODEL` is the shape of the provider
 * interface of versions 6 and 7.
 */
const AI_SDK_4 = [
  'usage',
  'model or modelId or response/modelId',
  'promptTokens! > input_tokens',
  '/providerMetadata/openai/cachedPromptTokens > cache_read_tokens',
  '/providerMetadata/openai/reasoningTokens > output_reasoning_tokens',
  'completionTokens! > output_tokens',
].join('; ')
/**
 * The rule for one-hour cache writes of Anthropic and Amazon Bedrock. The AI SDK reports them only in the provider's
 * own usage object.
 */
const HOUR_WRITES = `${[
  'raw/cache_creation/ephemeral_1h_input_tokens',
  '/providerMetadata/anthropic/usage/cache_creation/ephemeral_1h_input_tokens',
  'raw/cacheDetails/[ttl=1h]/inputTokens',
  '/providerMetadata/bedrock/usage/cacheDetails/[ttl=1h]/inputTokens',
].join(' or ')} > cache_write_1h_tokens`
/** The places of a count in the metadata of the providers Anthropic and Amazon Bedrock. */
const metadata = (anthropic: string, bedrock: string) =>
  `/providerMetadata/anthropic/${anthropic} or /providerMetadata/bedrock/usage/${bedrock}`
const CACHE_WRITES = metadata('cacheCreationInputTokens', 'cacheWriteInputTokens')
const CACHE_READS = metadata('cacheReadInputTokens', 'cacheReadInputTokens')
const WRITES_BESIDE = [HOUR_WRITES, `${CACHE_WRITES} > input_tokens`, `${CACHE_WRITES} > cache_write_tokens`]
/**
 * The shape of version 4 of the Vercel AI SDK for Anthropic and Amazon Bedrock. Versions 4 and 5 report cache writes
 * only in the provider's metadata. Version 4 also reports the cache reads only in this metadata.
 */
const AI_SDK_4_BESIDE = [
  AI_SDK_4,
  ...WRITES_BESIDE,
  `${CACHE_READS} > input_tokens`,
  `${CACHE_READS} > cache_read_tokens`,
].join('; ')
const AI_SDK_5 = [
  'totalUsage or usage',
  'model or modelId or response/modelId',
  'inputTokens! > input_tokens',
  'cachedInputTokens > cache_read_tokens',
  'reasoningTokens > output_reasoning_tokens',
  'outputTokens! > output_tokens',
].join('; ')
/** The shape of version 5 of the Vercel AI SDK for providers whose input count excludes cached tokens. */
const AI_SDK_5_BESIDE = [
  AI_SDK_5.replace(
    'inputTokens! > input_tokens;',
    'inputTokens! > input_tokens; cachedInputTokens > input_tokens;',
  ),
  ...WRITES_BESIDE,
].join('; ')
const AI_SDK_6 = [
  'totalUsage or usage',
  'model or modelId or response/modelId',
  'inputTokens! > input_tokens',
  'inputTokenDetails/cacheReadTokens or cachedInputTokens > cache_read_tokens',
  'inputTokenDetails/cacheWriteTokens > cache_write_tokens',
  'inputTokenDetails/noCacheTokens! > nothing',
  HOUR_WRITES,
  'outputTokenDetails/reasoningTokens or reasoningTokens > output_reasoning_tokens',
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

/**
 * Returns the alternative keys of an OpenTelemetry attribute, joined by `or`. Instrumentations write the names of
 * counts with dots, with underscores, or under `details`. A key with dots is a single key, not a path.
 * `gen_ai.usage.input_tokens` includes cached tokens.
 */
const telemetry = (prefix: string, names: readonly string[]) =>
  names.flatMap((name) => [`${prefix}${name}`, `${prefix}details.${name}`]).join(' or ')
const telemetryRules = (prefix: string) => [
  `${prefix}input_tokens or ${prefix}prompt_tokens! > input_tokens`,
  `${telemetry(prefix, ['cache_read.input_tokens', 'cache_read_input_tokens', 'cache_read_tokens', 'cached_tokens', 'cached_input_tokens'])} or ${prefix}input_tokens.cached > cache_read_tokens`,
  `${telemetry(prefix, ['cache_creation.input_tokens', 'cache_creation_input_tokens', 'cache_creation_tokens', 'cache_write_tokens', 'cache_write_input_tokens'])} > cache_write_tokens`,
  `${telemetry(prefix, ['reasoning.output_tokens', 'reasoning_tokens', 'thoughts_tokens'])} or ${prefix}output_tokens.reasoning > output_reasoning_tokens`,
  `${telemetry(prefix, ['input_audio_tokens'])} > input_audio_tokens`,
  `${telemetry(prefix, ['output_audio_tokens'])} > output_audio_tokens`,
  `${telemetry(prefix, ['cache_audio_read_tokens'])} > cache_audio_read_tokens`,
  `${prefix}output_tokens or ${prefix}completion_tokens > output_tokens`,
]
const OPEN_TELEMETRY = [
  'attributes',
  'gen_ai.response.model or gen_ai.request.model',
  ...telemetryRules('gen_ai.usage.'),
].join('; ')
/** The shape of OpenTelemetry attributes that are nested objects and do not have keys with dots. */
const NESTED_TELEMETRY = [
  'attributes/gen_ai/usage or gen_ai/usage!',
  '/attributes/gen_ai/response/model or /attributes/gen_ai/request/model or /gen_ai/response/model or /gen_ai/request/model',
  ...telemetryRules('').map((rule) => rule.replace(/\b\.\b/g, '/')),
].join('; ')
/** The shape of OpenInference attributes, which Arize and other tools record. */
const OPEN_INFERENCE = [
  'attributes',
  'llm.model_name',
  'llm.token_count.prompt! > input_tokens',
  'llm.token_count.prompt_details.cache_read > cache_read_tokens',
  'llm.token_count.prompt_details.cache_write > cache_write_tokens',
  'llm.token_count.prompt_details.audio > input_audio_tokens',
  'llm.token_count.completion_details.reasoning > output_reasoning_tokens',
  'llm.token_count.completion_details.audio > output_audio_tokens',
  'llm.token_count.completion > output_tokens',
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

/**
 * The shape of the tokens that the image tool of the Responses API used. The response names the image model only in the
 * list of its tools.
 */
export const IMAGE_TOOL = [
  'tool_usage/image_gen!',
  '/tools/[type=image_generation]/model',
  ...IMAGES.replaceAll('! >', ' >').split('; ').slice(2),
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
  'images > input_images',
]

/**
 * The shape of Mistral's OCR API, which reports annotated pages separately from other pages. Older responses do not
 * distinguish annotated pages. For such a response, the caller must name the api `ocr_annotated` if all pages are
 * annotated.
 */
const OCR = [
  'usage_info',
  'model',
  'pages_processed > input_document_pages',
  'pages_processed_annotation > input_document_pages',
  'pages_processed_annotation > input_annotated_document_pages',
].join('; ')

export const SHAPES: readonly NamedShape[] = [
  { api: 'responses', shape: RESPONSES, providers: ['openai', 'azure'] },
  { api: 'chat', shape: CHAT, providers: ['openai', 'azure'] },
  { api: 'images', shape: IMAGES, providers: ['openai', 'azure'] },
  { api: 'chat', shape: CHAT, providers: ['deepseek', 'moonshotai'] },
  { api: 'chat', shape: XAI_CHAT, providers: ['x-ai'] },
  { api: 'responses', shape: XAI_RESPONSES, providers: ['x-ai'] },
  { api: 'anthropic', shape: RESOLD_ANTHROPIC, providers: ['aws', 'azure', 'google'] },
  { api: 'default', shape: BEDROCK, providers: ['aws'] },
  { api: 'default', shape: GEMINI, providers: ['google'] },
  { api: 'interactions', shape: INTERACTIONS, providers: ['google'] },
  { api: 'ocr', shape: OCR, providers: ['mistral'] },
  {
    api: 'embeddings',
    shape: 'usage; model; text_tokens! > input_tokens; image_pixels > input_pixels',
    providers: ['voyageai'],
  },
  ...[AI_SDK_6, AI_SDK_MODEL, AI_SDK_5_BESIDE, AI_SDK_4_BESIDE].map((shape) => ({
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
  { api: 'opentelemetry', shape: NESTED_TELEMETRY },
  { api: 'openinference', shape: OPEN_INFERENCE },
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
  { api: 'embeddings', shape: 'usage; model; total_tokens! > input_tokens', alone: true },
  {
    api: 'billed_units',
    shape: ['usage/billed_units or meta/billed_units', 'model', ...COHERE_UNITS].join('; '),
  },
  {
    api: 'workers-ai',
    shape: ['result/usage', 'result/model or model', ...CHAT.split('; ').slice(2)].join('; '),
  },
]

/**
 * The APIs of each provider whose shapes in the catalogue are used only if the caller names the API, because other
 * shapes read the same body better.
 */
export const EXPLICIT_APIS: Readonly<Record<string, readonly string[]>> = {
  cohere: ['tokens'],
  mistral: ['ocr_annotated'],
}
