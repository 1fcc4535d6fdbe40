import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { scopedWith } from '../../api-keys/authentication/authenticate.ts'
import type { AppEnv } from '../../http/env.ts'
import { jsonProblem, parseBody, rawBody } from '../../http/middleware/body.ts'
import { jsonResponse } from '../../http/output/json.ts'
import { invalidRequest, refusalResponse } from '../../http/output/problem.ts'
import { createRouter, json, route } from '../../http/route.ts'
import { currentPrices } from '../../rating/current-prices.ts'
import { whenEnabled } from '../endpoints.ts'
import { countUnreadable, ingestItems } from '../ingest.ts'
import { itemOfPayload } from './payload.ts'

const body = rawBody(/^application\/(json|x-ndjson)\s*(?:;|$)/i, 'application/json')

const payloadSchema = { type: 'object', additionalProperties: true, properties: {} } as const

const eventsRoute = route({
  method: 'post',
  path: '/events',
  summary: "Bill the calls that LiteLLM's generic logger reports",
  description:
    'Accepts one StandardLoggingPayload, a list of payloads, or one payload per line. Failed calls and cache hits cost nothing. The status is 200 even if some calls are rejected, because LiteLLM never repeats a request. Unknown fields of a payload are accepted. Prompts, answers and costs are ignored.',
  ...scopedWith('events:write', body, whenEnabled('litellm'), currentPrices),
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: { oneOf: [payloadSchema, { type: 'array', items: payloadSchema }] },
        },
      },
    },
  },
  answers: {
    200: json(
      'The outcomes of the calls.',
      z.object({
        accepted: z.int(),
        duplicates: z.int(),
        rejected: z.int(),
        ignored: z.int(),
        errors: z.array(z.object({ index: z.int(), code: z.string(), detail: z.string() })),
      }),
    ),
  },
  problems: ['invalid_json', 'invalid_request', 'not_found', 'overloaded'],
})

const DEFAULT_FEATURE = 'litellm'
const MAX_ERRORS = 100

export const liteLlmRoutes = createRouter()

liteLlmRoutes.openapi(eventsRoute, async (c) => {
  const payloads = readPayloads(c)
  if (payloads instanceof Response) {
    countUnreadable(c, 'litellm')
    return payloads
  }
  const header = c.req.header('X-Meter-Feature')
  const feature_id = header === undefined || header === '' ? DEFAULT_FEATURE : header
  const items = payloads.map((payload) => itemOfPayload(payload, feature_id))
  const ingested = await ingestItems(c, 'litellm', items)
  if (ingested.kind === 'refused') return refusalResponse(c, ingested.refusal)
  const { results } = ingested
  const count = (wanted: string) => results.filter(({ status }) => status === wanted).length
  return jsonResponse(c, {
    accepted: count('accepted'),
    duplicates: count('duplicate'),
    rejected: count('rejected'),
    ignored: count('ignored'),
    errors: results
      .flatMap((result, index) =>
        result.status === 'rejected' ? [{ index, code: result.code, detail: result.detail }] : [],
      )
      .slice(0, MAX_ERRORS),
  })
})

/**
 * Reads a body that is one JSON value or has one JSON value per line. LiteLLM sends both formats as `application/json`,
 * so the format is detected from the text.
 */
function readPayloads(c: Context<AppEnv>): readonly unknown[] | Response {
  const bytes = c.get('body_bytes') ?? new Uint8Array()
  const whole = parseBody(bytes)
  const has_lines = whole === 'invalid' && bytes.some((byte) => byte > SPACE)
  const parsed = has_lines ? parseBody(linesAsList(bytes)) : whole
  if (typeof parsed === 'string') return jsonProblem(c, parsed)
  const { value } = parsed
  if (Array.isArray(value)) return value
  if (typeof value === 'object' && value !== null) return [value]
  const message = 'must be one log entry, a list of log entries, or one log entry per line'
  return invalidRequest(c, `The body ${message}.`, [{ path: '', message }])
}

const SPACE = 0x20
const NEWLINE = 0x0a
const COMMA = 0x2c

/**
 * Joins lines of JSON into one JSON list. Works on the bytes, without decoding them to a text. Every line break can be
 * replaced with a comma, because a line break inside a JSON string is always escaped.
 */
function linesAsList(bytes: Uint8Array): Uint8Array {
  const end = bytes.findLastIndex((byte) => byte > SPACE) + 1
  const list = new Uint8Array(end + 2)
  list[0] = 0x5b
  list.set(bytes.subarray(0, end), 1)
  for (let i = 1; i <= end; i++) if (list[i] === NEWLINE) list[i] = COMMA
  list[end + 1] = 0x5d
  return list
}
