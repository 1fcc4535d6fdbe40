import type { EventFields, Item } from '../ingest.ts'
import { type Attributes, type AttributeValue, hasIds, type Span, USER_ATTRIBUTES } from './span.ts'

/**
 * Decides which spans are model calls, and maps those spans to events. Instrumentations mark their spans in several
 * ways. A span of an agent or a workflow repeats the usage of its calls, so it is never billed.
 */

/** The settings for all spans of a request, from its headers. */
export interface SpanOptions {
  readonly user_attribute: string | undefined
  readonly team_attribute: string | undefined
  readonly feature_id: string | undefined
}

/** Returns an item for each span of a request, in the same order. */
export function itemsOfSpans(spans: readonly Span[], options: SpanOptions): Item[] {
  const kinds = spans.map(kindOf)
  const containing = spansWithCallsInside(spans, kinds)
  return spans.map((span, index): Item => {
    const kind = kinds[index]
    if (kind === 'other') return { kind: 'ignored', reason: 'not_a_model_call' }
    if (kind === 'total') return { kind: 'ignored', reason: 'total_of_others' }
    if (containing.has(span)) return { kind: 'ignored', reason: 'not_a_leaf' }
    return itemOfCall(span, options)
  })
}

type Kind = 'call' | 'total' | 'other'

const CALL_OPERATIONS = new Set([
  ...['chat', 'text_completion', 'completion', 'generate_content', 'embeddings', 'embedding', 'rerank'],
  ...['image_generation', 'speech', 'transcription', 'responses', 'messages', 'summarize'],
])
const CALL_KINDS = new Set(['llm', 'embedding', 'reranker', 'generation', 'chat', 'completion', 'rerank'])
/** The span kinds of OpenInference, OpenLLMetry and Langfuse that may contain model calls. */
const TOTAL_KINDS = new Set(['agent', 'chain', 'workflow', 'task', 'span', 'evaluator', 'graph'])

function kindOf({ attributes }: Span): Kind {
  const marks = marksOf(attributes)
  if (marks.includes('total')) return 'total'
  if (marks.includes('other')) return 'other'
  if (marks.includes('call')) return 'call'
  if (!hasUsage(attributes)) return 'other'
  // Some instrumentations name no operation. The span of an agent's run then has the name of the agent.
  return attributes.has('gen_ai.agent.name') || attributes.has('agent_name') ? 'total' : 'call'
}

function marksOf(attributes: Attributes): Kind[] {
  const marks: Kind[] = []
  const operation = lower(attributes.get('gen_ai.operation.name'))
  if (operation !== undefined) {
    if (CALL_OPERATIONS.has(operation)) marks.push('call')
    else if (/tool|retriev|memory/.test(operation)) marks.push('other')
    else if (/agent|workflow|plan|task/.test(operation)) marks.push('total')
  }
  const ai_sdk = textOf(attributes, 'ai.operationId')
  if (ai_sdk !== undefined) {
    // `ai.generateText` repeats the usage of the `ai.generateText.doGenerate` of each step.
    if (/\.do[A-Z]\w*$/.test(ai_sdk)) marks.push('call')
    else marks.push(ai_sdk === 'ai.toolCall' ? 'other' : 'total')
  }
  for (const key of [
    'openinference.span.kind',
    'traceloop.span.kind',
    'langfuse.observation.type',
    'llm.request.type',
  ]) {
    const kind = lower(attributes.get(key))
    if (kind === undefined) continue
    if (CALL_KINDS.has(kind)) marks.push('call')
    else marks.push(TOTAL_KINDS.has(kind) ? 'total' : 'other')
  }
  return marks
}

/**
 * Finds the spans that contain a call with usage in the same request. If such a span is also a call, its usage
 * includes the usage of the inner call, so it is not billed.
 */
function spansWithCallsInside(spans: readonly Span[], kinds: readonly (Kind | undefined)[]): Set<Span> {
  const by_id = new Map(spans.map((span) => [idOf(span, span.span_id), span]))
  const containing = new Set<Span>()
  for (const [index, span] of spans.entries()) {
    if (kinds[index] !== 'call' || !hasUsage(span.attributes)) continue
    let parent = parentOf(span, by_id)
    // The ancestors of a visited span were visited together with it. This condition also ends a cycle.
    while (parent && !containing.has(parent)) {
      containing.add(parent)
      parent = parentOf(parent, by_id)
    }
  }
  return containing
}

function parentOf(span: Span, by_id: ReadonlyMap<string, Span>): Span | undefined {
  if (span.parent_span_id === undefined || span.parent_span_id === span.span_id) return undefined
  return by_id.get(idOf(span, span.parent_span_id))
}

function idOf({ trace_id }: Span, span_id: string): string {
  return `${trace_id}:${span_id}`
}

function itemOfCall(span: Span, options: SpanOptions): Item {
  const { attributes, resource, trace_id, span_id, end_ms } = span
  if (!hasIds(span)) {
    const detail =
      'The span has no trace id of 16 bytes or no span id of 8 bytes. Without both, a retry would be billed twice.'
    return { kind: 'rejected', reason: 'unreadable', detail }
  }
  if (!hasUsage(attributes)) {
    if (span.is_error) return { kind: 'ignored', reason: 'failed_call' }
    const detail = 'The span of a model call has no gen_ai.usage.* attributes, so nothing can be billed.'
    return { kind: 'rejected', reason: 'no_usage', detail }
  }
  const provider = firstText(attributes, PROVIDERS)
  if (provider === undefined) {
    const detail = 'The span has no gen_ai.provider.name, gen_ai.system or llm.provider.'
    return { kind: 'rejected', reason: 'no_provider', detail }
  }
  const model = firstText(attributes, MODELS)
  if (model === undefined) {
    const detail = 'The span has no gen_ai.response.model or gen_ai.request.model.'
    return { kind: 'rejected', reason: 'no_model', detail }
  }
  const either = (keys: readonly (string | undefined)[]) =>
    firstText(attributes, keys) ?? firstText(resource, keys)
  const user_id = either([options.user_attribute, ...USER_ATTRIBUTES])
  const team_id = either([options.team_attribute, 'openmonetize.team_id'])
  const event: EventFields = {
    event_type: 'TOKEN_USAGE',
    feature_id: either(['openmonetize.feature_id']) ?? options.feature_id ?? DEFAULT_FEATURE,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
    provider: PROVIDER_NAMES[provider] ?? provider,
    model,
    provider_response: { attributes: usageAttributes(attributes) },
    idempotency_key: `otlp:${trace_id}:${span_id}`,
    ...(end_ms !== undefined && { timestamp: timestampOf(end_ms) }),
    metadata: { trace_id, span_id },
  }
  return { kind: 'event', event }
}

const DEFAULT_FEATURE = 'otlp'

const PROVIDERS = ['gen_ai.provider.name', 'gen_ai.system', 'ai.model.provider', 'llm.provider', 'llm.system']
const MODELS = [
  'gen_ai.response.model',
  'ai.response.model',
  'gen_ai.request.model',
  'llm.model_name',
  'ai.model.id',
]

/** Providers whose name in instrumentations differs from the catalogue's. */
const PROVIDER_NAMES: Readonly<Record<string, string>> = { gateway: 'vercel-ai-gateway' }

/**
 * Maps earlier names of usage attributes to the names in the current semantic conventions, which the usage reader
 * supports.
 */
const CURRENT_NAMES: Readonly<Record<string, string>> = {
  'ai.usage.tokens': 'gen_ai.usage.input_tokens',
  'ai.usage.promptTokens': 'gen_ai.usage.input_tokens',
  'ai.usage.inputTokens': 'gen_ai.usage.input_tokens',
  'ai.usage.completionTokens': 'gen_ai.usage.output_tokens',
  'ai.usage.outputTokens': 'gen_ai.usage.output_tokens',
  'ai.usage.cachedInputTokens': 'gen_ai.usage.cache_read.input_tokens',
  'ai.usage.reasoningTokens': 'gen_ai.usage.reasoning.output_tokens',
  'llm.usage.prompt_tokens': 'gen_ai.usage.input_tokens',
  'llm.usage.completion_tokens': 'gen_ai.usage.output_tokens',
}

const USAGE = /^(gen_ai\.usage|llm\.usage|llm\.token_count|ai\.usage)\./
/** The names of costs and sums, which are not usage. */
const NO_USAGE = /cost|total|credits/i

/** Returns the usage attributes without costs and sums. The price list determines the cost. */
function usageAttributes(attributes: Attributes): Record<string, AttributeValue> {
  const usage = new Map<string, AttributeValue>()
  for (const [key, value] of attributes) {
    if (typeof value !== 'number' || !USAGE.test(key) || NO_USAGE.test(key)) continue
    const name = CURRENT_NAMES[key]
    if (name === undefined) {
      if (!/^(ai|llm)\.usage\./.test(key)) usage.set(key, value)
    } else if (!attributes.has(name)) usage.set(name, value)
  }
  return Object.fromEntries(usage)
}

function hasUsage(attributes: Attributes): boolean {
  for (const [key, value] of attributes) {
    if (typeof value === 'number' && USAGE.test(key) && !NO_USAGE.test(key)) return true
  }
  return false
}

/**
 * Returns a time as text. A time outside the range of `Date` becomes the text of its number, so that the validation
 * refuses its event.
 */
export function timestampOf(end_ms: number): string {
  const date = new Date(end_ms)
  return Number.isNaN(date.getTime()) ? String(end_ms) : date.toISOString()
}

export function firstText(attributes: Attributes, keys: readonly (string | undefined)[]): string | undefined {
  for (const key of keys) {
    const text = key === undefined ? undefined : textOf(attributes, key)
    if (text !== undefined) return text
  }
  return undefined
}

/** Returns an attribute as text; undefined if it is empty or a boolean. Ids may be numbers. */
function textOf(attributes: Attributes, key: string): string | undefined {
  const value = attributes.get(key)
  if (value === undefined || value === '' || typeof value === 'boolean') return undefined
  return String(value)
}

function lower(value: AttributeValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value.toLowerCase() : undefined
}
