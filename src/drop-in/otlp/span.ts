/** The parts of a span that metering reads. Prompts and answers are skipped while the request is decoded. */
export interface Span {
  /** 32 lower-case hexadecimal digits. */
  readonly trace_id: string
  /** 16 lower-case hexadecimal digits. */
  readonly span_id: string
  readonly parent_span_id: string | undefined
  /** Is undefined if the span has no end. */
  readonly end_ms: number | undefined
  readonly is_error: boolean
  readonly attributes: Attributes
  /** The attributes of the resource that sent it, shared by its spans. */
  readonly resource: Attributes
}

export type AttributeValue = string | number | boolean
export type Attributes = ReadonlyMap<string, AttributeValue>

/** The attributes that a decoder keeps: these, and the ones that the request's headers name. */
const WANTED = [
  /^gen_ai\.(usage\.|operation\.name$|system$|provider\.name$|request\.model$|response\.model$|agent\.name$|agent\.id$)/,
  /^llm\.(usage\.|token_count\.|request\.type$|model_name$|provider$|system$)/,
  /^ai\.(operationId$|model\.provider$|model\.id$|response\.model$|usage\.)/,
  /^(openinference\.span\.kind|traceloop\.span\.kind|langfuse\.observation\.type|agent_name)$/,
  /^openmonetize\.(user_id|team_id|feature_id)$/,
]

/** Sources of the user, in order of preference. */
export const USER_ATTRIBUTES = [
  'openmonetize.user_id',
  'user.id',
  'enduser.id',
  'langfuse.user.id',
  'ai.telemetry.metadata.userId',
  'traceloop.association.properties.user_id',
]

export type IsWanted = (key: string) => boolean

export function wantedAttributes(named: readonly string[]): IsWanted {
  const exact = new Set([...USER_ATTRIBUTES, ...named])
  return (key) => exact.has(key) || (/^[galot]/.test(key) && WANTED.some((pattern) => pattern.test(key)))
}

/** The limit of kept attributes of one span; further ones are left out. */
export const MAX_ATTRIBUTES = 200
/** The maximum length of a text that is read. Ids and names are shorter. */
export const MAX_TEXT = 1_000

/**
 * The maximum number of spans of a request, which is higher than any exporter's batch. An empty span has two bytes, so
 * the maximum size of a body does not limit the number of spans.
 */
export const MAX_SPANS = 20_000
export const TOO_MANY_SPANS = `A request must have at most ${MAX_SPANS} spans.`

/** The reason why a request cannot be decoded, as text for a person. */
export interface Undecodable {
  readonly problem: string
}

const TRACE_ID = /^[0-9a-f]{32}$/
const SPAN_ID = /^[0-9a-f]{16}$/

export function hasIds({ trace_id, span_id }: Pick<Span, 'trace_id' | 'span_id'>): boolean {
  return TRACE_ID.test(trace_id) && SPAN_ID.test(span_id)
}
