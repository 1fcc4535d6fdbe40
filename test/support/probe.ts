import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { z } from '@hono/zod-openapi'
import { authenticate, scoped } from '../../src/api-keys/authentication/authenticate.ts'
import type { Bindings } from '../../src/bindings.ts'
import { idempotencyKey } from '../../src/http/caller.ts'
import { creditsAmount, usdAmount } from '../../src/http/input/amounts.ts'
import { fingerprintOf } from '../../src/http/input/fingerprint.ts'
import { customerText } from '../../src/http/input/identifiers.ts'
import { metadataInput } from '../../src/http/input/metadata.ts'
import { timeInput } from '../../src/http/input/times.ts'
import { jsonBody } from '../../src/http/middleware/body.ts'
import { requestId, responseHeaders } from '../../src/http/middleware/headers.ts'
import { jsonResponse } from '../../src/http/output/json.ts'
import { notFound, onError } from '../../src/http/output/problem.ts'
import { createRouter, json, jsonRequest, route } from '../../src/http/route.ts'

/**
 * Provides a small app for tests of the code that all routes share. The app has the middleware of the Worker in the
 * same order, and routes that only return their input.
 */

const fields = z.strictObject({
  user_id: customerText().optional(),
  amount: creditsAmount().optional(),
  price_usd: usdAmount().optional(),
  at: timeInput().optional(),
  metadata: metadataInput().optional(),
  'a/b~c': z.string().optional(),
  items: z.array(z.strictObject({ count: z.number().int() })).optional(),
})

const answers = { 200: json('What arrived.', z.unknown()) }

const openRoute = route({
  method: 'post',
  path: '/open',
  middleware: [jsonBody, idempotencyKey],
  request: { body: jsonRequest(fields) },
  answers,
})
const needsBodyRoute = route({
  method: 'post',
  path: '/needs-body',
  middleware: [jsonBody, idempotencyKey],
  request: { body: jsonRequest(z.strictObject({ feature_id: customerText() })) },
  answers,
})
const readRoute = route({
  method: 'get',
  path: '/v1/read',
  ...scoped('credits:read'),
  answers,
})
const writeRoute = route({
  method: 'post',
  path: '/v1/write',
  ...scoped('credits:write'),
  request: { body: jsonRequest(fields) },
  answers,
})

function probeApp() {
  const app = createRouter()
  app.onError(onError)
  app.notFound(notFound)
  app.use(requestId, responseHeaders)
  app.use('/v1/*', authenticate)
  app.get('/throws', () => {
    throw new Error('SELECT secret FROM somewhere')
  })
  app.openapi(needsBodyRoute, (c) => jsonResponse(c, { arrived: c.req.valid('json') }))
  app.openapi(openRoute, async (c) => {
    const body: unknown = await c.req.json()
    const fingerprint = fingerprintOf('POST /open', body)
    return jsonResponse(c, {
      arrived: c.req.valid('json'),
      fingerprint,
      idempotency_key: c.get('idempotency_key'),
    })
  })
  app.openapi(readRoute, (c) => jsonResponse(c, c.get('key')))
  app.openapi(writeRoute, (c) => jsonResponse(c, c.get('key')))
  return app
}

const app = probeApp()

/** Sends a request to the probe app. `bindings` replaces bindings of the Worker. */
export async function probe(
  path: string,
  init: RequestInit = {},
  bindings: Partial<Bindings> = {},
): Promise<Response> {
  const ctx = createExecutionContext()
  const response = await app.fetch(
    new Request(`https://probe.test${path}`, init),
    { ...env, ...bindings },
    ctx,
  )
  await waitOnExecutionContext(ctx)
  return response
}

export function probeJson(body: unknown, path = '/open'): Promise<Response> {
  return probe(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}
