import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
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

/**
 * Reads the spans of an `ExportTraceServiceRequest` in protobuf (opentelemetry-proto 1.x). Only the fields that are
 * needed for billing are read, by their field numbers. All other fields are skipped. The value of an attribute is
 * decoded only if `isWanted` accepts its key.
 */
export function spansOfProtobuf(bytes: Uint8Array, isWanted: IsWanted): Span[] | Undecodable {
  const spans: Span[] = []
  try {
    // Field 1 of `ExportTraceServiceRequest` is `resource_spans`.
    eachField(new BinaryReader(bytes), { 1: (group) => readResourceSpans(group, isWanted, spans) })
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown'
    if (reason === TOO_MANY_SPANS) return { problem: TOO_MANY_SPANS }
    return { problem: `The body is not an ExportTraceServiceRequest in protobuf: ${reason.slice(0, 100)}.` }
  }
  return spans
}

/** The functions that read a message, a text or bytes, by field number. */
type Fields = Readonly<Record<number, (value: BinaryReader, bytes: Uint8Array) => void>>
type Numbers = Readonly<Record<number, (value: bigint) => void>>

/**
 * Reads a message once and calls a function for each of its fields. `fields` has the functions for length-delimited
 * fields, and `numbers` has those for varint and 64-bit fields. A field without a function is skipped.
 */
export function eachField(reader: BinaryReader, fields: Fields, numbers: Numbers = {}): void {
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (type === WireType.LengthDelimited) {
      const read = fields[field]
      const bytes = reader.bytes()
      if (read) read(new BinaryReader(bytes), bytes)
    } else if (numbers[field] && type === WireType.Varint) numbers[field](BigInt(reader.int64()))
    else if (numbers[field] && type === WireType.Bit64) numbers[field](BigInt(reader.sfixed64()))
    else reader.skip(type, field)
  }
}

function readResourceSpans(message: BinaryReader, isWanted: IsWanted, spans: Span[]): void {
  const resource = new Map<string, AttributeValue>()
  const scopes: BinaryReader[] = []
  eachField(message, {
    1: (inner) => eachField(inner, { 1: (attribute) => readAttribute(attribute, isWanted, resource) }),
    2: (inner) => scopes.push(inner),
  })
  const readOne = (span: BinaryReader) => {
    if (spans.length >= MAX_SPANS) throw new RangeError(TOO_MANY_SPANS)
    spans.push(readSpan(span, resource, isWanted))
  }
  for (const scope of scopes) eachField(scope, { 2: readOne })
}

function readSpan(message: BinaryReader, resource: Attributes, isWanted: IsWanted): Span {
  const attributes = new Map<string, AttributeValue>()
  let trace_id = ''
  let span_id = ''
  let parent_span_id = ''
  let end_ns = 0n
  let is_error = false
  eachField(
    message,
    {
      1: (_, bytes) => {
        trace_id = hexOf(bytes)
      },
      2: (_, bytes) => {
        span_id = hexOf(bytes)
      },
      4: (_, bytes) => {
        parent_span_id = hexOf(bytes)
      },
      9: (attribute) => readAttribute(attribute, isWanted, attributes),
      // Field 15 of a span is its status. The status code 2 means an error.
      15: (status) =>
        eachField(
          status,
          {},
          {
            3: (code) => {
              is_error = code === 2n
            },
          },
        ),
    },
    {
      8: (nanoseconds) => {
        end_ns = nanoseconds
      },
    },
  )
  const end_ms = Number(end_ns / 1_000_000n)
  return {
    trace_id,
    span_id,
    parent_span_id: parent_span_id === '' ? undefined : parent_span_id,
    end_ms: end_ms === 0 ? undefined : end_ms,
    is_error,
    attributes,
    resource,
  }
}

/**
 * Reads a `KeyValue` message and adds it to `attributes`. Ignores it if `isWanted` rejects its key, if its value is not
 * a text, a number or a boolean, if a text is too long, or if `attributes` is full.
 */
export function readAttribute(
  message: BinaryReader,
  isWanted: IsWanted,
  attributes: Map<string, AttributeValue>,
): void {
  if (attributes.size >= MAX_ATTRIBUTES) return
  let key = ''
  let value: BinaryReader | undefined
  eachField(message, {
    1: (_, bytes) => {
      key = bytes.length <= MAX_TEXT ? textOf(bytes) : ''
    },
    2: (inner) => {
      value = inner
    },
  })
  if (!value || !isWanted(key)) return
  const read = readValue(value)
  if (read !== undefined) attributes.set(key, read)
}

function readValue(message: BinaryReader): AttributeValue | undefined {
  let value: AttributeValue | undefined
  while (message.pos < message.len) {
    const [field, type] = message.tag()
    if (field === 1 && type === WireType.LengthDelimited) {
      const bytes = message.bytes()
      value = bytes.length <= MAX_TEXT ? textOf(bytes) : undefined
    } else if (field === 2 && type === WireType.Varint) value = message.bool()
    else if (field === 3 && type === WireType.Varint) value = Number(message.int64())
    else if (field === 4 && type === WireType.Bit64) value = message.double()
    else message.skip(type, field)
  }
  return value
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes UTF-8. Throws if the bytes are invalid, because replacement characters could make different ids equal. */
function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes)
}

function hexOf(bytes: Uint8Array): string {
  // A valid id has at most 16 bytes. A 17th byte shows that the id is too long, so further bytes are not needed.
  return Array.from(bytes.subarray(0, 17), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * Returns the response to an OTLP export in protobuf. The response is empty if nothing was rejected. Traces and metrics
 * have the same response format.
 */
export function responseProtobuf(rejected: number, message: string): Uint8Array<ArrayBuffer> {
  const response = new BinaryWriter()
  if (rejected > 0) {
    response.tag(1, WireType.LengthDelimited).fork()
    response.tag(1, WireType.Varint).int64(rejected)
    response.tag(2, WireType.LengthDelimited).string(message).join()
  }
  return new Uint8Array(response.finish())
}

/** The code in `google.rpc.Status` for each HTTP status. Other statuses have `INVALID_ARGUMENT`. */
const RPC_CODES: Readonly<Record<number, number>> = {
  401: 16,
  403: 7,
  404: 5,
  413: 8,
  429: 8,
  500: 13,
  503: 14,
}
const INVALID_ARGUMENT = 3

/** Returns a `google.rpc.Status` message in protobuf. */
export function statusProtobuf(status: number, message: string): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter().tag(1, WireType.Varint).int32(RPC_CODES[status] ?? INVALID_ARGUMENT)
  return new Uint8Array(writer.tag(2, WireType.LengthDelimited).string(message).finish())
}
