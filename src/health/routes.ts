import { z } from '@hono/zod-openapi'
import { jsonResponse } from '../http/output/json.ts'
import { problem } from '../http/output/problem.ts'
import { createRouter, json, OPEN, route } from '../http/route.ts'
import { readinessOf } from './readiness.ts'

const checkSchema = z.object({ ok: z.boolean(), latency_ms: z.number() })
const checksSchema = z.object({ d1: checkSchema, kv: checkSchema, object: checkSchema })

const healthRoute = route({
  method: 'get',
  path: '/health',
  security: OPEN,
  summary: 'Check that the Worker is running',
  answers: { 200: json('The Worker is running.', z.object({ status: z.literal('ok') })) },
})

const readyRoute = route({
  method: 'get',
  path: '/ready',
  security: OPEN,
  summary: 'Check that D1, KV and ledger objects respond',
  description:
    'The result is cached for 5 seconds. If a dependency does not respond, the response is a problem document that also contains `checks`.',
  answers: {
    200: json('All dependencies respond.', z.object({ status: z.literal('ready'), checks: checksSchema })),
  },
  problems: ['unavailable'],
})

export const healthRoutes = createRouter()

healthRoutes.openapi(healthRoute, (c) => jsonResponse(c, { status: 'ok' }))

healthRoutes.openapi(readyRoute, async (c) => {
  const { checks, failed } = await readinessOf(c.env, Date.now(), (work) => c.executionCtx.waitUntil(work))
  if (failed.length === 0) return jsonResponse(c, { status: 'ready', checks })
  return problem(c, {
    code: 'unavailable',
    detail: `These dependencies do not respond: ${failed.join(', ')}.`,
    headers: { 'Retry-After': '5' },
    members: { checks },
  })
})
