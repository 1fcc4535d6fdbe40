/** The fields of a span that are needed for billing. Prompts and answers are skipped during decoding. */
export interface Span {
  /** The trace id as 32 lower-case hexadecimal digits. Other texts are possible: see `hasIds`. */
  readonly trace_id: string
  /** The span id as 16 lower-case hexadecimal digits. Other texts are possible: see `hasIds`. */
  readonly span_id: string
  readonly parent_span_id: string | undefined
  /** The end time of the span; undefined if the span has no end time. */
  readonly end_ms: number | undefined
  readonly is_error: boolean
  readonly attributes: Attributes
  /** The attributes of the resource that produced the span, such as a service. All spans of the resource share them. */
  readonly resource: Attributes
}

export type AttributeValue = string | number | boolean
export type Attributes = ReadonlyMap<string, AttributeValue>

/**
 * The patterns of the attributes that the decoders of spans keep. The decoders also keep `USER_ATTRIBUTES` and the
 * attributes that are named in the headers of the request.
 */
const WANTED = [
  /^gen_ai\.(usage\.|operation\.name$|system$|provider\.name$|request\.model$|response\.model$|agent\.name$|agent\.id$)/,
  /^llm\.(usage\.|token_count\.|request\.type$|model_name$|provider$|system$)/,
  /^ai\.(operationId$|model\.provider$|model\.id$|response\.model$|usage\.)/,
  /^(openinference\.span\.kind|traceloop\.span\.kind|langfuse\.observation\.type|agent_name)$/,
  /^openmonetize\.(user_id|team_id|feature_id)$/,
]

/** The attributes that can contain the user id. The first attribute that is set is used. */
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
 * The maximum number of attributes of a span, a resource or a data point that are read. Further attributes are ignored.
 */
export const MAX_ATTRIBUTES = 200
/** The maximum length of an attribute value that is read. Longer values are ignored: ids and names are shorter. */
export const MAX_TEXT = 1_000

/**
 * The maximum number of spans in a request. Exporters send fewer spans in a batch. The maximum body size alone would
 * allow millions of spans, because an empty span has only two bytes.
 */
export const MAX_SPANS = 20_000
export const TOO_MANY_SPANS = `A request must have at most ${MAX_SPANS} spans.`

/** The result for a request that cannot be decoded. `problem` is the error text. */
export interface Undecodable {
  readonly problem: string
}

const TRACE_ID = /^[0-9a-f]{32}$/
const SPAN_ID = /^[0-9a-f]{16}$/

export function hasIds({ trace_id, span_id }: Pick<Span, 'trace_id' | 'span_id'>): boolean {
  return TRACE_ID.test(trace_id) && SPAN_ID.test(span_id)
}
