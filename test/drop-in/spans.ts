import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { z } from 'zod'
import type { Json } from '../support/client.ts'

/** Creates OTLP exports for tests, in JSON and in protobuf. */

export type Attributes = Readonly<Record<string, string | number | boolean>>

export interface TestSpan {
  readonly trace: string
  readonly id: string
  readonly parent?: string
  readonly error?: boolean
  readonly end_ms?: number
  readonly attributes: Attributes
}

let spans = 0

/** Returns a span with the given attributes. It belongs to a new trace unless `fields` has a trace. */
export function span(attributes: Attributes, fields: Partial<TestSpan> = {}): TestSpan {
  spans += 1
  const id = spans.toString(16).padStart(16, '0')
  const trace = crypto.randomUUID().replaceAll('-', '')
  return { trace, id, attributes, ...fields }
}

/** The attributes of a model call that costs 15 credits with the default burn table. */
export const CHAT: Attributes = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-4o',
  'gen_ai.usage.input_tokens': 1000,
  'gen_ai.usage.output_tokens': 500,
}

export function exportOf(all: readonly TestSpan[], resource: Attributes = {}): Json {
  return {
    resourceSpans: [
      { resource: { attributes: keyValues(resource) }, scopeSpans: [{ spans: all.map(jsonOfSpan) }] },
    ],
  }
}

function jsonOfSpan({ trace, id, parent, error, end_ms = Date.now(), attributes }: TestSpan): object {
  return {
    traceId: trace,
    spanId: id,
    ...(parent !== undefined && { parentSpanId: parent }),
    name: 'chat gpt-4o',
    endTimeUnixNano: `${end_ms}000000`,
    attributes: keyValues(attributes),
    ...(error && { status: { code: 2 } }),
  }
}

export function keyValues(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === 'string'
        ? { stringValue: value }
        : typeof value === 'boolean'
          ? { boolValue: value }
          : Number.isInteger(value)
            ? { intValue: String(value) }
            : { doubleValue: value },
  }))
}

export function protobufOf(all: readonly TestSpan[]): Uint8Array<ArrayBuffer> {
  const request = new BinaryWriter()
  request.tag(1, WireType.LengthDelimited).fork()
  request.tag(2, WireType.LengthDelimited).fork()
  for (const one of all) writeSpan(request, one)
  return new Uint8Array(request.join().join().finish())
}

function writeSpan(
  writer: BinaryWriter,
  { trace, id, parent, end_ms = Date.now(), attributes }: TestSpan,
): void {
  writer.tag(2, WireType.LengthDelimited).fork()
  writer.tag(1, WireType.LengthDelimited).bytes(bytesOf(trace))
  writer.tag(2, WireType.LengthDelimited).bytes(bytesOf(id))
  if (parent !== undefined) writer.tag(4, WireType.LengthDelimited).bytes(bytesOf(parent))
  writer.tag(8, WireType.Bit64).fixed64(BigInt(end_ms) * 1_000_000n)
  for (const [key, value] of Object.entries(attributes)) {
    writer.tag(9, WireType.LengthDelimited).fork()
    writer.tag(1, WireType.LengthDelimited).string(key)
    writer.tag(2, WireType.LengthDelimited).fork()
    if (typeof value === 'string') writer.tag(1, WireType.LengthDelimited).string(value)
    else if (typeof value === 'boolean') writer.tag(2, WireType.Varint).bool(value)
    else writer.tag(3, WireType.Varint).int64(value)
    writer.join().join()
  }
  writer.join()
}

const metricsSchema = z.object({
  resourceMetrics: z.array(
    z.object({
      scopeMetrics: z.array(
        z.object({
          metrics: z.array(
            z.object({
              name: z.string(),
              sum: z.object({
                aggregationTemporality: z.number(),
                dataPoints: z.array(
                  z.object({
                    attributes: z.array(
                      z.object({ key: z.string(), value: z.object({ stringValue: z.string() }) }),
                    ),
                    startTimeUnixNano: z.string(),
                    timeUnixNano: z.string(),
                    asDouble: z.number(),
                  }),
                ),
              }),
            }),
          ),
        }),
      ),
    }),
  ),
})

/** Converts a metrics export from JSON to protobuf. */
export function metricsProtobuf(body: Json): Uint8Array<ArrayBuffer> {
  const request = new BinaryWriter()
  for (const { scopeMetrics } of metricsSchema.parse(body).resourceMetrics) {
    request.tag(1, WireType.LengthDelimited).fork()
    for (const { metrics } of scopeMetrics) {
      request.tag(2, WireType.LengthDelimited).fork()
      for (const { name, sum } of metrics) {
        request.tag(2, WireType.LengthDelimited).fork()
        request.tag(1, WireType.LengthDelimited).string(name)
        request.tag(7, WireType.LengthDelimited).fork()
        for (const point of sum.dataPoints) {
          request.tag(1, WireType.LengthDelimited).fork()
          for (const { key, value } of point.attributes) {
            request.tag(7, WireType.LengthDelimited).fork()
            request.tag(1, WireType.LengthDelimited).string(key)
            request.tag(2, WireType.LengthDelimited).fork()
            request.tag(1, WireType.LengthDelimited).string(value.stringValue).join().join()
          }
          request.tag(2, WireType.Bit64).fixed64(BigInt(point.startTimeUnixNano))
          request.tag(3, WireType.Bit64).fixed64(BigInt(point.timeUnixNano))
          request.tag(4, WireType.Bit64).double(point.asDouble).join()
        }
        request.tag(2, WireType.Varint).int32(sum.aggregationTemporality).join().join()
      }
      request.join()
    }
    request.join()
  }
  return new Uint8Array(request.finish())
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(hex.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [])
}
