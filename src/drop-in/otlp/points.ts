import { BinaryReader } from '@bufbuild/protobuf/wire'
import { isRecord } from '../../ledger/model/json.ts'
import { attributesOf, integerText, readNumber, records } from './json.ts'
import { eachField, readAttribute } from './protobuf.ts'
import type { Attributes, AttributeValue, Undecodable } from './span.ts'

/** A data point of a metric of the kind `sum`. Metrics of other kinds are skipped during decoding. */
export interface Point {
  readonly metric: string
  readonly attributes: Attributes
  readonly resource: Attributes
  /** The start of the interval in nanoseconds since 1970, as a decimal text. */
  readonly start_ns: string
  readonly time_ns: string
  readonly value: number
  readonly is_delta: boolean
}

/** The maximum number of data points in a request. Exporters send fewer data points in a batch. */
const MAX_POINTS = 20_000
const TOO_MANY = `A request must have at most ${MAX_POINTS} data points.`

/** Accepts every attribute, because any attribute can distinguish one series from another. */
const isWanted = () => true

const DELTA = 1

/** Reads the data points of an `ExportMetricsServiceRequest` in the JSON format of OTLP. */
export function pointsOfJson(body: unknown): Point[] | Undecodable {
  if (!isRecord(body) || !Array.isArray(body.resourceMetrics ?? [])) {
    return { problem: 'The body must be an object with a list of resourceMetrics.' }
  }
  const points: Point[] = []
  for (const group of records(body.resourceMetrics)) {
    const resource = attributesOf(isRecord(group.resource) ? group.resource.attributes : undefined, isWanted)
    for (const scope of records(group.scopeMetrics)) {
      for (const { name, sum } of records(scope.metrics)) {
        if (typeof name !== 'string' || !isRecord(sum)) continue
        const { aggregationTemporality } = sum
        const is_delta =
          aggregationTemporality === DELTA || aggregationTemporality === 'AGGREGATION_TEMPORALITY_DELTA'
        for (const point of records(sum.dataPoints)) {
          if (points.length >= MAX_POINTS) return { problem: TOO_MANY }
          points.push({
            metric: name,
            attributes: attributesOf(point.attributes, isWanted),
            resource,
            start_ns: integerText(point.startTimeUnixNano),
            time_ns: integerText(point.timeUnixNano),
            value: readNumber(point.asInt ?? point.asDouble) ?? Number.NaN,
            is_delta,
          })
        }
      }
    }
  }
  return points
}

/** Reads the data points of an `ExportMetricsServiceRequest` in protobuf. */
export function pointsOfProtobuf(bytes: Uint8Array): Point[] | Undecodable {
  const points: Point[] = []
  try {
    eachField(new BinaryReader(bytes), { 1: (group) => readResourceMetrics(group, points) })
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown'
    if (reason === TOO_MANY) return { problem: TOO_MANY }
    return { problem: `The body is not an ExportMetricsServiceRequest in protobuf: ${reason.slice(0, 100)}.` }
  }
  return points
}

function readResourceMetrics(message: BinaryReader, points: Point[]): void {
  const resource = new Map<string, AttributeValue>()
  const scopes: BinaryReader[] = []
  eachField(message, {
    1: (inner) => eachField(inner, { 1: (attribute) => readAttribute(attribute, isWanted, resource) }),
    2: (inner) => scopes.push(inner),
  })
  for (const scope of scopes) eachField(scope, { 2: (metric) => readMetric(metric, resource, points) })
}

function readMetric(message: BinaryReader, resource: Attributes, points: Point[]): void {
  let metric = ''
  let sum: BinaryReader | undefined
  eachField(message, {
    1: (_, bytes) => {
      metric = new TextDecoder().decode(bytes.subarray(0, 255))
    },
    7: (inner) => {
      sum = inner
    },
  })
  if (!sum) return
  const read: Omit<Point, 'is_delta'>[] = []
  let temporality = 0n
  eachField(
    sum,
    {
      1: (point) => {
        if (points.length + read.length >= MAX_POINTS) throw new RangeError(TOO_MANY)
        read.push({ metric, resource, ...readPoint(point) })
      },
    },
    {
      2: (value) => {
        temporality = value
      },
    },
  )
  const is_delta = temporality === BigInt(DELTA)
  for (const point of read) points.push({ ...point, is_delta })
}

type PointFields = Pick<Point, 'attributes' | 'start_ns' | 'time_ns' | 'value'>

function readPoint(message: BinaryReader): PointFields {
  const attributes = new Map<string, AttributeValue>()
  const numbers = new Map<number, bigint>()
  const keep = (field: number) => (value: bigint) => numbers.set(field, value)
  eachField(
    message,
    { 7: (attribute) => readAttribute(attribute, isWanted, attributes) },
    { 2: keep(2), 3: keep(3), 4: keep(4), 6: keep(6) },
  )
  const double = numbers.get(4)
  return {
    attributes,
    start_ns: String(numbers.get(2) ?? 0n),
    time_ns: String(numbers.get(3) ?? 0n),
    value: double === undefined ? Number(numbers.get(6) ?? 0n) : doubleOf(double),
  }
}

/** Returns the double whose 64 bits are `bits`. */
function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigInt64(0, bits)
  return view.getFloat64(0)
}
