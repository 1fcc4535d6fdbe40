import type { EventFields, Item } from '../ingest.ts'
import { type Attributes, type AttributeValue, hasIds, type Span, USER_ATTRIBUTES } from './span.ts'

/**
 * Detects the spans that are model calls and maps them to events. Instrumentation libraries identify model calls with
 * different attributes. The span of an agent or a workflow repeats the usage of the model calls in it, so it is never
 * billed.
 */

/** The settings for all spans or data points of a request, read from the headers of the request. */
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
/** The span kinds of OpenInference, OpenLLMetry and Langfuse whose spans can contain model calls. */
const TOTAL_KINDS = new Set(['agent', 'chain', 'workflow', 'task', 'span', 'evaluator', 'graph'])

function kindOf({ attributes }: Span): Kind {
  const marks = marksOf(attributes)
  if (marks.includes('total')) return 'total'
  if (marks.includes('other')) return 'other'
  if (marks.includes('call')) return 'call'
  if (!hasUsage(attributes)) return 'other'
  // Some instrumentation libraries set no operation name. A span with the name of an agent is then the run of that
  // agent, and not a model call.
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
    // In the AI SDK, the span `ai.generateText` repeats the usage of its inner spans `ai.generateText.doGenerate`. Each
    // inner span is one model call.
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
 * Returns the spans that contain a model call with usage. Only spans of the same request are known. The usage of a
 * returned span includes the usage of the inner call, so the span is not billed even if it is a model call itself.
 */
function spansWithCallsInside(spans: readonly Span[], kinds: readonly (Kind | undefined)[]): Set<Span> {
  const by_id = new Map(spans.map((span) => [idOf(span, span.span_id), span]))
  const containing = new Set<Span>()
  for (const [index, span] of spans.entries()) {
    if (kinds[index] !== 'call' || !hasUsage(span.attributes)) continue
    let parent = parentOf(span, by_id)
    // If a span was already added, its ancestors were added together with it. The check also stops the loop if the
    // parent ids form a cycle.
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
  const { attributes, trace_id, span_id, end_ms } = span
  if (!hasIds(span)) {
    const detail =
      'The span has no trace id of 16 bytes or no span id of 8 bytes. Both ids are required, because without them a retry would be billed twice.'
    return { kind: 'rejected', reason: 'unreadable', detail }
  }
  if (!hasUsage(attributes)) {
    if (span.is_error) return { kind: 'ignored', reason: 'failed_call' }
    const detail =
      'The span of a model call has no usage attributes, such as gen_ai.usage.input_tokens, so nothing can be billed.'
    return { kind: 'rejected', reason: 'no_usage', detail }
  }
  const provider = firstText(attributes, PROVIDERS)
  if (provider === undefined) {
    const detail = `The span has none of the attributes ${PROVIDERS.join(', ')}.`
    return { kind: 'rejected', reason: 'no_provider', detail }
  }
  const model = firstText(attributes, MODELS)
  if (model === undefined) {
    const detail = `The span has none of the attributes ${MODELS.join(', ')}.`
    return { kind: 'rejected', reason: 'no_model', detail }
  }
  const event: EventFields = {
    event_type: 'TOKEN_USAGE',
    ...attributionOf(span, options, DEFAULT_FEATURE),
    provider: PROVIDER_NAMES[provider] ?? provider,
    model,
    provider_response: { attributes: usageAttributes(attributes) },
    idempotency_key: `otlp:${trace_id}:${span_id}`,
    ...(end_ms !== undefined && { timestamp: timestampOf(end_ms) }),
    metadata: { trace_id, span_id },
  }
  return { kind: 'event', event }
}

/**
 * Returns the feature, the user and the team of a span or data point. The user attribute of the request's header and
 * `openmonetize.user_id` have priority over other user attributes, even if only the resource has them. For example,
 * Claude Code writes the id of its installation to the `user.id` of each data point.
 */
export function attributionOf(
  { attributes, resource }: { readonly attributes: Attributes; readonly resource: Attributes },
  options: SpanOptions,
  default_feature: string,
): { readonly feature_id: string; readonly user_id?: string; readonly team_id?: string } {
  const either = (keys: readonly (string | undefined)[]) =>
    firstText(attributes, keys) ?? firstText(resource, keys)
  const user_id = either([options.user_attribute, 'openmonetize.user_id']) ?? either(USER_ATTRIBUTES)
  const team_id = either([options.team_attribute, 'openmonetize.team_id'])
  return {
    feature_id: either(['openmonetize.feature_id']) ?? options.feature_id ?? default_feature,
    ...(user_id !== undefined && { user_id }),
    ...(team_id !== undefined && { team_id }),
  }
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

/** The providers whose name in span attributes differs from their name in the catalogue. */
const PROVIDER_NAMES: Readonly<Record<string, string>> = { gateway: 'vercel-ai-gateway' }

/**
 * Names of usage attributes that the usage reader does not support, each with its name in the current semantic
 * conventions, which the usage reader supports.
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
/** The pattern of the names of attributes that have a cost or a sum as their value. */
const NO_USAGE = /cost|total|credits/i

/**
 * Returns the usage attributes, with the names in `CURRENT_NAMES` replaced. Leaves out costs and sums, because the cost
 * of a call is computed from its usage. Also leaves out other attributes that begin with `ai.usage.` or `llm.usage.`,
 * because the usage reader does not support them.
 */
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
 * Returns a time as an ISO 8601 text. Returns a time outside the range of `Date` as a decimal number, which the
 * validation of events rejects.
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

/**
 * Returns an attribute as a text; undefined if the attribute is absent, empty or a boolean. A number is converted to a
 * text, because some ids are numbers.
 */
function textOf(attributes: Attributes, key: string): string | undefined {
  const value = attributes.get(key)
  if (value === undefined || value === '' || typeof value === 'boolean') return undefined
  return String(value)
}

function lower(value: AttributeValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value.toLowerCase() : undefined
}
