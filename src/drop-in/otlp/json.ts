import { InexactNumber } from '../../http/input/exact-json.ts'
import { isRecord } from '../../ledger/model/json.ts'
import {
  type Attributes,
  type AttributeValue,
  type IsWanted,
  MAX_ATTRIBUTES,
  MAX_SPANS,
  MAX_TEXT,
  type Span,
  TOO_MANY_SPANS,
  type Undecodable,
} from './span.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * Reads an `ExportTraceServiceRequest` in the JSON format of OTLP. In this format, ids are hexadecimal texts, and
 * 64-bit integers can be texts or numbers.
 */
export function spansOfJson(body: unknown, isWanted: IsWanted): Span[] | Undecodable {
  if (!isRecord(body)) return { problem: 'The body must be an object with a list of resourceSpans.' }
  const { resourceSpans = [] } = body
  if (!Array.isArray(resourceSpans)) return { problem: 'resourceSpans must be a list.' }
  const spans: Span[] = []
  for (const group of records(resourceSpans)) {
    const resource = attributesOf(isRecord(group.resource) ? group.resource.attributes : undefined, isWanted)
    // Exporters older than OTLP 0.15 name the field `instrumentationLibrarySpans`.
    for (const scope of records(group.scopeSpans ?? group.instrumentationLibrarySpans)) {
      for (const span of records(scope.spans)) {
        if (spans.length >= MAX_SPANS) return { problem: TOO_MANY_SPANS }
        spans.push(spanOf(span, resource, isWanted))
      }
    }
  }
  return spans
}

function spanOf(span: Json, resource: Attributes, isWanted: IsWanted): Span {
  const parent = idOf(span.parentSpanId)
  const { code } = isRecord(span.status) ? span.status : {}
  return {
    trace_id: idOf(span.traceId),
    span_id: idOf(span.spanId),
    parent_span_id: parent === '' ? undefined : parent,
    end_ms: millisecondsOf(span.endTimeUnixNano),
    is_error: code === 2 || code === 'STATUS_CODE_ERROR',
    attributes: attributesOf(span.attributes, isWanted),
    resource,
  }
}

export function attributesOf(list: unknown, isWanted: IsWanted): Attributes {
  const attributes = new Map<string, AttributeValue>()
  for (const { key, value } of records(list)) {
    if (attributes.size >= MAX_ATTRIBUTES) break
    if (typeof key !== 'string' || !isWanted(key) || !isRecord(value)) continue
    const read = readValue(value)
    if (read !== undefined) attributes.set(key, read)
  }
  return attributes
}

function readValue({ stringValue, intValue, doubleValue, boolValue }: Json): AttributeValue | undefined {
  if (typeof stringValue === 'string') return stringValue.length <= MAX_TEXT ? stringValue : undefined
  if (typeof boolValue === 'boolean') return boolValue
  return readNumber(intValue ?? doubleValue)
}

/**
 * Returns a number; undefined if the value is not one. A text that contains an integer is also a number, because OTLP
 * sends 64-bit integers as texts.
 */
export function readNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  return typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? Number(value) : undefined
}

function idOf(value: unknown): string {
  return typeof value === 'string' ? value.toLowerCase() : ''
}

function millisecondsOf(nanoseconds: unknown): number | undefined {
  const text = integerText(nanoseconds)
  const ms = /^\d{1,20}$/.test(text) ? Number(BigInt(text) / 1_000_000n) : 0
  return ms === 0 ? undefined : ms
}

/**
 * Returns a 64-bit integer as a text. The value can be a text or a number, because exporters send both. Does not check
 * whether a text contains an integer. Returns an empty text for other values.
 */
export function integerText(value: unknown): string {
  if (value instanceof InexactNumber) return value.source
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

export function records(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}
