import { isRecord } from '../../ledger/model/json.ts'
import { type EventFields, type Item, keyOf } from '../ingest.ts'

/**
 * The `StandardLoggingPayload` of LiteLLM's generic logger. Its usage is compatible with OpenAI's API, regardless of
 * the provider. Its cost, prompts and answers are ignored.
 */
type Json = Readonly<Record<string, unknown>>

export function itemOfPayload(payload: unknown, feature_id: string): Item {
  if (!isRecord(payload)) return rejected('unreadable', 'A log entry must be an object.')
  const { status, cache_hit, call_type } = payload
  if (status === 'failure') return { kind: 'ignored', reason: 'failed_call' }
  // In the old payload format (`generic_api_use_v1`), every value is a string in Python notation, such as 'True'.
  if (cache_hit === true || cache_hit === 'True') return { kind: 'ignored', reason: 'cache_hit' }
  const id = textOf(payload.id) ?? textOf(payload.litellm_call_id)
  if (id === undefined)
    return rejected(
      'unreadable',
      'The log entry has neither an id nor a litellm_call_id as a text. Without an id, a retry would be billed twice.',
    )
  const named = textOf(payload.custom_llm_provider)
  const full_model = textOf(payload.model)
  const [prefix, ...rest] = (full_model ?? '').split('/')
  const provider = named ?? (rest.length > 0 ? prefix : undefined)
  if (provider === undefined) return rejected('no_provider', 'The log entry has no custom_llm_provider.')
  if (full_model === undefined) return rejected('no_model', 'The log entry has no model.')
  const model = prefix === provider && rest.length > 0 ? rest.join('/') : full_model
  const consumed = consumedIn(payload, provider)
  if (!consumed) {
    const kind = textOf(call_type)?.slice(0, 40) ?? 'call'
    return rejected('no_usage', `The log entry (${kind}) has no usage.`)
  }
  const metadata = isRecord(payload.metadata) ? payload.metadata : {}
  const user_id =
    textOf(payload.end_user) ??
    textOf(metadata.user_api_key_end_user_id) ??
    textOf(metadata.user_api_key_user_id)
  const team_id = textOf(metadata.user_api_key_team_id)
  const key = textOf(metadata.user_api_key_alias) ?? textOf(metadata.user_api_key_hash)
  const timestamp = timeOf(payload.endTime)
  const event: EventFields = {
    ...consumed,
    feature_id,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
    provider: PROVIDERS[provider] ?? provider,
    model,
    ...(timestamp !== undefined && { timestamp }),
    idempotency_key: keyOf('litellm', id),
    metadata: { litellm_id: id, ...(key !== undefined && { litellm_key: key }) },
  }
  return { kind: 'event', event }
}

/** The providers whose name in LiteLLM differs from their name in the catalogue. */
const PROVIDERS: Readonly<Record<string, string>> = {
  azure_text: 'azure',
  'text-completion-openai': 'openai',
  'text-completion-codestral': 'mistral',
  codestral: 'mistral',
  cohere_chat: 'cohere',
  vertex_ai_beta: 'google',
  gemini: 'google',
  bedrock_converse: 'aws',
  bedrock_mantle: 'aws',
  sagemaker: 'aws',
  dashscope: 'alibaba',
  moonshot: 'moonshotai',
  meta_llama: 'meta',
  voyage: 'voyageai',
}

function consumedIn(payload: Json, provider: string): object | undefined {
  const response = isRecord(payload.response) ? payload.response : {}
  const metadata = isRecord(payload.metadata) ? payload.metadata : {}
  const usage = [metadata.usage_object, response.usage, countsOf(payload)].find(isRecord)
  const service_tier = textOf(response.service_tier)
  const { tool_usage } = response
  const images = Array.isArray(response.data) ? response.data.length : 0
  if (!usage || !Object.values(usage).some((value) => typeof value === 'number' && value > 0)) {
    const is_image = /image/.test(textOf(payload.call_type) ?? '')
    return is_image && images > 0 ? { event_type: 'IMAGE_GENERATION', image_count: images } : undefined
  }
  return {
    event_type: 'TOKEN_USAGE',
    provider_response: {
      usage: withoutRepeatedReasoning(withoutNulls(usage), provider),
      ...(service_tier !== undefined && { service_tier }),
      ...(isRecord(tool_usage) && { tool_usage, tools: imageTools(response.tools) }),
    },
  }
}

/** Returns the image tools of a response. Their model determines the price of the images. */
function imageTools(tools: unknown): Json[] {
  return Array.isArray(tools) ? tools.filter(isRecord).filter(({ type }) => type === 'image_generation') : []
}

/**
 * Returns the two token counts of a payload; undefined if one of them is not a number. They are used if the payload has
 * no detailed usage.
 */
function countsOf({ prompt_tokens, completion_tokens }: Json): Json | undefined {
  if (typeof prompt_tokens !== 'number' || typeof completion_tokens !== 'number') return undefined
  return { prompt_tokens, completion_tokens }
}

/**
 * Removes the details of the completion tokens, including the reasoning tokens, from the usage of xAI if the total
 * shows that LiteLLM has added the reasoning tokens to the completion tokens. xAI does not count reasoning tokens as
 * completion tokens, so the usage reader adds them and would count them twice. Reasoning tokens and other completion
 * tokens have the same price.
 */
function withoutRepeatedReasoning(usage: Json, provider: string): Json {
  const { prompt_tokens, completion_tokens, total_tokens, completion_tokens_details, ...rest } = usage
  if (provider !== 'xai' || typeof prompt_tokens !== 'number' || typeof completion_tokens !== 'number')
    return usage
  if (prompt_tokens + completion_tokens !== total_tokens) return usage
  return { ...rest, prompt_tokens, completion_tokens, total_tokens }
}

/** Removes the fields that are null. LiteLLM sends null for every detail that a provider does not report. */
function withoutNulls(usage: Json): Json {
  return Object.fromEntries(
    Object.entries(usage).flatMap(([key, value]) =>
      value === null ? [] : [[key, isRecord(value) ? withoutNulls(value) : value]],
    ),
  )
}

/**
 * Returns a time as a text; undefined if there is none. The payload has either a number of seconds since 1970 or a
 * text.
 */
function timeOf(value: unknown): string | undefined {
  if (typeof value === 'number' && value > 0) {
    const date = new Date(Math.round(value * 1000))
    return Number.isNaN(date.getTime()) ? String(value) : date.toISOString()
  }
  return textOf(value)
}

function rejected(reason: 'unreadable' | 'no_usage' | 'no_model' | 'no_provider', detail: string): Item {
  return { kind: 'rejected', reason, detail }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
