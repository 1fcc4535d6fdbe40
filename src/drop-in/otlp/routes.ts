import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { scopedWith } from '../../api-keys/authentication/authenticate.ts'
import type { AppEnv } from '../../http/env.ts'
import { jsonProblem, LIMITS, parseBody, rawBody } from '../../http/middleware/body.ts'
import { isProblem } from '../../http/output/dialects.ts'
import { jsonResponse } from '../../http/output/json.ts'
import { invalidRequest, refusalResponse } from '../../http/output/problem.ts'
import { createRouter, route } from '../../http/route.ts'
import { currentPrices } from '../../rating/current-prices.ts'
import { whenEnabled } from '../endpoints.ts'
import { countUnreadable, describeRejected, type Item, ingestItems } from '../ingest.ts'
import { spansOfJson } from './json.ts'
import { itemsOfSpans, type SpanOptions } from './model-calls.ts'
import { pointsOfJson, pointsOfProtobuf } from './points.ts'
import { responseProtobuf, spansOfProtobuf, statusProtobuf } from './protobuf.ts'
import { type Undecodable, wantedAttributes } from './span.ts'
import { itemsOfPoints } from './token-metrics.ts'

const PROTOBUF = 'application/x-protobuf'
const IS_PROTOBUF = /^application\/(x-)?protobuf\s*(?:;|$)/i
const body = rawBody(/^application\/(json|(x-)?protobuf)\s*(?:;|$)/i, `application/json or ${PROTOBUF}`)

/**
 * The limits of a JSON body. By default, a batch of an exporter has at most 512 spans. A span has about 30 attributes,
 * and each attribute has five JSON values. Such a batch has about 77,000 values.
 */
const JSON_LIMITS = { ...LIMITS, values: 400_000 }

const anything = { type: 'object', additionalProperties: true } as const

/** An item, and the number of spans or data points that it was read from. */
interface Counted {
  readonly item: Item
  readonly count: number
}

/** A signal of OTLP: traces or metrics. The fields are the differences between the signals. */
interface Signal {
  readonly path: string
  readonly summary: string
  readonly description: string
  /**
   * `list` is the field of the request that contains the items. `rejected` is the field of the response for the number
   * of rejected items.
   */
  readonly list: string
  readonly rejected: string
  /** The name of an item in error texts. */
  readonly what: string
  readonly items: (request: ExportRequest, options: SpanOptions) => readonly Counted[] | Undecodable
}

type ExportRequest =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'protobuf'; readonly bytes: Uint8Array }

const PROTOCOL = 'The body is OTLP/HTTP as JSON or protobuf. Every field of the protocol is accepted.'

const TRACES: Signal = {
  path: '/v1/traces',
  summary: 'Bill the model calls among the spans of an OpenTelemetry trace export',
  description: `Bills the innermost spans of model calls, once per trace id and span id. \`partialSuccess\` has the number of rejected spans and up to five reasons. Content and cost attributes are ignored. ${PROTOCOL}`,
  list: 'resourceSpans',
  rejected: 'rejectedSpans',
  what: 'span',
  items(request, options) {
    const named = [options.user_attribute, options.team_attribute].filter((name) => name !== undefined)
    const isWanted = wantedAttributes(named)
    const spans =
      request.kind === 'json'
        ? spansOfJson(request.value, isWanted)
        : spansOfProtobuf(request.bytes, isWanted)
    if (!Array.isArray(spans)) return spans
    return itemsOfSpans(spans, options).map((item) => ({ item, count: 1 }))
  },
}

const METRICS: Signal = {
  path: '/v1/metrics',
  summary: 'Bill the token counters of coding agents in an OpenTelemetry metrics export',
  description: `Bills \`claude_code.token.usage\`, once per series and interval. Other metrics are ignored. ${PROTOCOL}`,
  list: 'resourceMetrics',
  rejected: 'rejectedDataPoints',
  what: 'data point',
  items(request, options) {
    const points = request.kind === 'json' ? pointsOfJson(request.value) : pointsOfProtobuf(request.bytes)
    return Array.isArray(points) ? itemsOfPoints(points, options) : points
  },
}

function routeOf({ path, summary, description, list, rejected }: Signal) {
  return route({
    method: 'post',
    path,
    summary,
    description,
    ...scopedWith('events:write', body, whenEnabled('otlp'), currentPrices),
    request: {
      body: {
        required: true,
        content: {
          'application/json': {
            schema: { ...anything, properties: { [list]: { type: 'array', items: anything } } },
          },
          [PROTOBUF]: { schema: { type: 'string', description: 'The export request.' } },
        },
      },
    },
    answers: {
      200: {
        description: 'The request was received. `partialSuccess` is absent if nothing was rejected.',
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: {
                partialSuccess: {
                  type: 'object',
                  properties: { [rejected]: { type: 'integer' }, errorMessage: { type: 'string' } },
                  required: [rejected, 'errorMessage'],
                },
              },
            },
          },
          [PROTOBUF]: { schema: { type: 'string', description: 'The export response.' } },
        },
      },
    },
    problems: ['invalid_json', 'invalid_request', 'not_found', 'overloaded'],
  })
}

export const otlpRoutes = createRouter()

for (const signal of [TRACES, METRICS]) otlpRoutes.openapi(routeOf(signal), (c) => receive(c, signal))

async function receive(c: Context<AppEnv>, signal: Signal): Promise<Response> {
  const counted = readItems(c, signal)
  if (counted instanceof Response) {
    countUnreadable(c, 'otlp')
    return counted
  }
  const ingested = await ingestItems(
    c,
    'otlp',
    counted.map(({ item }) => item),
  )
  if (ingested.kind === 'refused') return refusalResponse(c, ingested.refusal)
  const { results } = ingested
  const rejected = counted.reduce(
    (sum, { count }, index) => (results[index]?.status === 'rejected' ? sum + count : sum),
    0,
  )
  const message = describeRejected(results, signal.what)
  if (isProtobuf(c)) return c.body(responseProtobuf(rejected, message), 200, { 'Content-Type': PROTOBUF })
  if (rejected === 0) return jsonResponse(c, {})
  return jsonResponse(c, { partialSuccess: { [signal.rejected]: rejected, errorMessage: message } })
}

function readItems(c: Context<AppEnv>, signal: Signal): readonly Counted[] | Response {
  const request = readRequest(c)
  if (request instanceof Response) return request
  const items = signal.items(request, optionsOf(c))
  if (!('problem' in items)) return items
  return invalidRequest(c, items.problem, [{ path: '', message: 'must be an export request of OTLP' }])
}

function readRequest(c: Context<AppEnv>): ExportRequest | Response {
  const bytes = c.get('body_bytes') ?? new Uint8Array()
  if (isProtobuf(c)) return { kind: 'protobuf', bytes }
  const parsed = parseBody(bytes, JSON_LIMITS)
  if (typeof parsed === 'string') return jsonProblem(c, parsed, JSON_LIMITS)
  return { kind: 'json', value: parsed.value }
}

/**
 * Reads the settings from the headers of the request. An exporter sends the headers in its setting
 * `OTEL_EXPORTER_OTLP_HEADERS` with every request.
 */
function optionsOf(c: Context<AppEnv>): SpanOptions {
  const header = (name: string) => {
    const value = c.req.header(name)
    return value === '' ? undefined : value
  }
  return {
    user_attribute: header('X-Meter-User-Attribute'),
    team_attribute: header('X-Meter-Team-Attribute'),
    feature_id: header('X-Meter-Feature'),
  }
}

function isProtobuf(c: Context<AppEnv>): boolean {
  return IS_PROTOBUF.test(c.req.header('Content-Type') ?? '')
}

/**
 * Middleware that converts the problem response to a protobuf request into a `google.rpc.Status` in protobuf. It must
 * be registered before `inDialect`.
 */
export const protobufProblems = createMiddleware<AppEnv>(async (c, next) => {
  await next()
  if (!isProtobuf(c) || !isProblem(c)) return
  const { detail } = await c.res.json<{ readonly detail: string }>()
  const headers = new Headers(c.res.headers)
  headers.set('Content-Type', PROTOBUF)
  c.res = new Response(statusProtobuf(c.res.status, detail), { status: c.res.status, headers })
})
