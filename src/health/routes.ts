import { createRoute, z } from '@hono/zod-openapi'
import { OPEN } from '../http/middleware/security.ts'
import { jsonResponse } from '../http/output/json.ts'
import { problem } from '../http/output/problem.ts'
import { json, responses } from '../http/output/responses.ts'
import { createRouter } from '../http/router.ts'
import { readinessOf } from './readiness.ts'

const checkSchema = z.object({ ok: z.boolean(), latency_ms: z.number() })
const checksSchema = z.object({ d1: checkSchema, kv: checkSchema, object: checkSchema })

const healthRoute = createRoute({
  method: 'get',
  path: '/health',
  security: OPEN,
  summary: 'Whether the process answers',
  responses: responses({ 200: json('It does.', z.object({ status: z.literal('ok') })) }),
})

const readyRoute = createRoute({
  method: 'get',
  path: '/ready',
  security: OPEN,
  summary: 'Whether everything it depends on answers',
  description: 'Looked at once in 5 seconds. A failure is a problem document with the same `checks`.',
  responses: responses(
    { 200: json('Everything answers.', z.object({ status: z.literal('ready'), checks: checksSchema })) },
    ['unavailable'],
  ),
})

export const healthRoutes = createRouter()

healthRoutes.openapi(healthRoute, (c) => jsonResponse(c, { status: 'ok' }))

healthRoutes.openapi(readyRoute, async (c) => {
  const { checks, failed } = await readinessOf(c.env, Date.now(), (work) => c.executionCtx.waitUntil(work))
  if (failed.length === 0) return jsonResponse(c, { status: 'ready', checks })
  return problem(c, {
    code: 'unavailable',
    detail: `These do not answer: ${failed.join(', ')}.`,
    headers: { 'Retry-After': '5' },
    members: { checks },
  })
})
