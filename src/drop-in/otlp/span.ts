/** The parts of a span that metering reads. Prompts and answers are skipped during decoding. */
export interface Span {
  /** The id as 32 lower-case hexadecimal digits. */
  readonly trace_id: string
  /** The id as 16 lower-case hexadecimal digits. */
  readonly span_id: string
  readonly parent_span_id: string | undefined
  /** The end of the span; undefined if it has none. */
  readonly end_ms: number | undefined
  readonly is_error: boolean
  readonly attributes: Attributes
  /** The attributes of the resource that sent the span. All spans of a resource share them. */
  readonly resource: Attributes
}

export type AttributeValue = string | number | boolean
export type Attributes = ReadonlyMap<string, AttributeValue>

/**
 * The attributes that a decoder keeps. It also keeps `USER_ATTRIBUTES` and the attributes that the headers of the
 * request name.
 */
const WANTED = [
  /^gen_ai\.(usage\.|operation\.name$|system$|provider\.name$|request\.model$|response\.model$|agent\.name$|agent\.id$)/,
  /^llm\.(usage\.|token_count\.|request\.type$|model_name$|provider$|system$)/,
  /^ai\.(operationId$|model\.provider$|model\.id$|response\.model$|usage\.)/,
  /^(openinference\.span\.kind|traceloop\.span\.kind|langfuse\.observation\.type|agent_name)$/,
  /^openmonetize\.(user_id|team_id|feature_id)$/,
]

/** The attributes that may contain the user, in order of preference. */
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

/**
 * The maximum number of attributes that are kept of a span, a resource or a data point. Further attributes are left
 * out.
 */
export const MAX_ATTRIBUTES = 200
/** The maximum length of a text that is read. Ids and names are shorter. */
export const MAX_TEXT = 1_000

/**
 * The maximum number of spans of a request. The batches of exporters are smaller. The maximum size of a body is not a
 * sufficient limit, because an empty span has only two bytes.
 */
export const MAX_SPANS = 20_000
export const TOO_MANY_SPANS = `A request must have at most ${MAX_SPANS} spans.`

/** The reason why a request cannot be decoded, as an error text. */
export interface Undecodable {
  readonly problem: string
}

const TRACE_ID = /^[0-9a-f]{32}$/
const SPAN_ID = /^[0-9a-f]{16}$/

export function hasIds({ trace_id, span_id }: Pick<Span, 'trace_id' | 'span_id'>): boolean {
  return TRACE_ID.test(trace_id) && SPAN_ID.test(span_id)
}
