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
import { countUnreadable, describeRejected, ingestItems } from '../ingest.ts'
import { spansOfJson } from './json.ts'
import { itemsOfSpans, type SpanOptions } from './model-calls.ts'
import { responseProtobuf, spansOfProtobuf, statusProtobuf } from './protobuf.ts'
import { type Span, type Undecodable, wantedAttributes } from './span.ts'

const PROTOBUF = 'application/x-protobuf'
const IS_PROTOBUF = /^application\/(x-)?protobuf\s*(?:;|$)/i
const body = rawBody(/^application\/(json|(x-)?protobuf)\s*(?:;|$)/i, `application/json or ${PROTOBUF}`)

/** A span has about 30 attributes, each of five values, and a batch of an exporter has 512 spans. */
const JSON_LIMITS = { ...LIMITS, values: 400_000 }

const anything = { type: 'object', additionalProperties: true } as const

const tracesRoute = route({
  method: 'post',
  path: '/v1/traces',
  summary: 'Bill the model calls among the spans of an OpenTelemetry trace export',
  description:
    'OTLP/HTTP as JSON or protobuf. Bills the innermost spans of model calls, once per trace id and span id; `partialSuccess` says how many were rejected, and why. Content and cost attributes are not read. Every field of the protocol is accepted.',
  ...scopedWith('events:write', body, whenEnabled('otlp'), currentPrices),
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: {
            ...anything,
            properties: { resourceSpans: { type: 'array', items: anything } },
          },
        },
        [PROTOBUF]: { schema: { type: 'string', description: 'ExportTraceServiceRequest' } },
      },
    },
  },
  answers: {
    200: {
      description: 'Received. `partialSuccess` is absent if every model call was billed.',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            properties: {
              partialSuccess: {
                type: 'object',
                properties: { rejectedSpans: { type: 'integer' }, errorMessage: { type: 'string' } },
                required: ['rejectedSpans', 'errorMessage'],
              },
            },
          },
        },
        [PROTOBUF]: { schema: { type: 'string', description: 'ExportTraceServiceResponse' } },
      },
    },
  },
  problems: ['invalid_json', 'invalid_request', 'not_found', 'overloaded'],
})

export const otlpRoutes = createRouter()

otlpRoutes.openapi(tracesRoute, async (c) => {
  const options = optionsOf(c)
  const spans = readSpans(c, options)
  if (spans instanceof Response) {
    countUnreadable(c, 'otlp')
    return spans
  }
  const ingested = await ingestItems(c, 'otlp', itemsOfSpans(spans, options))
  if (ingested.kind === 'refused') return refusalResponse(c, ingested.refusal)
  const rejected = ingested.results.filter(({ status }) => status === 'rejected').length
  const message = describeRejected(ingested.results, 'span')
  if (isProtobuf(c)) return c.body(responseProtobuf(rejected, message), 200, { 'Content-Type': PROTOBUF })
  return jsonResponse(
    c,
    rejected === 0 ? {} : { partialSuccess: { rejectedSpans: rejected, errorMessage: message } },
  )
})

function readSpans(c: Context<AppEnv>, options: SpanOptions): Span[] | Response {
  const bytes = c.get('body_bytes') ?? new Uint8Array()
  const named = [options.user_attribute, options.team_attribute].filter((name) => name !== undefined)
  const isWanted = wantedAttributes(named)
  if (isProtobuf(c)) return spansOrProblem(c, spansOfProtobuf(bytes, isWanted))
  const parsed = parseBody(bytes, JSON_LIMITS)
  if (typeof parsed === 'string') return jsonProblem(c, parsed, JSON_LIMITS)
  return spansOrProblem(c, spansOfJson(parsed.value, isWanted))
}

function spansOrProblem(c: Context<AppEnv>, spans: Span[] | Undecodable): Span[] | Response {
  if (Array.isArray(spans)) return spans
  return invalidRequest(c, spans.problem, [{ path: '', message: 'is not an ExportTraceServiceRequest' }])
}

/** Exporters send the same headers with every request: `OTEL_EXPORTER_OTLP_HEADERS`. */
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

/** Answers problems of protobuf requests as google.rpc.Status in protobuf. Runs around `inDialect`. */
export const protobufProblems = createMiddleware<AppEnv>(async (c, next) => {
  await next()
  if (!isProtobuf(c) || !isProblem(c)) return
  const { detail } = await c.res.json<{ readonly detail: string }>()
  const headers = new Headers(c.res.headers)
  headers.set('Content-Type', PROTOBUF)
  c.res = new Response(statusProtobuf(c.res.status, detail), { status: c.res.status, headers })
})
