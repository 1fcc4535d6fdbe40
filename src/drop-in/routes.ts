import { type OpenAPIHono, z } from '@hono/zod-openapi'
import { authenticate, scoped } from '../api-keys/authentication/authenticate.ts'
import { configOf } from '../config.ts'
import { ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { inDialect } from '../http/output/dialects.ts'
import { jsonResponse } from '../http/output/json.ts'
import { serviceUnavailable } from '../http/output/problem.ts'
import { createRouter, json, route } from '../http/route.ts'
import { readCounts } from './counts.ts'
import type { Dispatch } from './dispatch.ts'
import { liteLlmRoutes } from './litellm/routes.ts'
import { openMeterRoutes, openMeterSettingsRoutes } from './openmeter/routes.ts'
import { openMonetizeRoutes } from './openmonetize/routes.ts'
import { otlpRoutes, protobufProblems } from './otlp/routes.ts'
import { stripeRoutes } from './stripe/routes.ts'

const endpointSchema = z.object({
  enabled: z.boolean().openapi({ description: 'Whether the endpoint is enabled in this deployment.' }),
  last_received_at: z.string().nullable().openapi({ format: 'date-time' }),
  accepted: z.int(),
  duplicates: z.int(),
  rejected: z.record(z.string(), z.int()).openapi({
    description:
      'The number of items that were not billed because of an error, by reason. A request that is refused as a whole counts as one item.',
  }),
  ignored: z
    .record(z.string(), z.int())
    .openapi({ description: 'The number of items that cost nothing, by reason.' }),
})

const statusRoute = route({
  method: 'get',
  path: '/',
  summary: 'Get the numbers of items that the drop-in endpoints received, by outcome',
  description:
    'Use the counts to find out why no usage arrives. Each count is a total since the first request. The counts are not exact: recent counts can be missing, and some counts can be lost or added twice. `GET /v1/events` is exact.',
  ...scoped('analytics:read'),
  answers: {
    200: json(
      'The counts of each endpoint.',
      z
        .object({
          otlp: endpointSchema,
          openmeter: endpointSchema,
          litellm: endpointSchema,
          openmonetize: endpointSchema,
          stripe: endpointSchema,
        })
        .openapi('DropInStatus'),
    ),
  },
  problems: ['unavailable'],
})

const statusRoutes = createRouter()

statusRoutes.openapi(statusRoute, async (c) => {
  try {
    return jsonResponse(c, await readCounts(c.env, ledgerOf(c), configOf(c.env).drop_in))
  } catch (error) {
    return serviceUnavailable(c, 'drop_in_counts_not_read', error)
  }
})

/** Returns the router of `GET /v1/drop-in` and of the settings of the drop-in endpoints. */
export function dropInStatusRoutes(): OpenAPIHono<AppEnv> {
  const router = createRouter()
  router.route('/', statusRoutes)
  router.route('/openmeter', openMeterSettingsRoutes)
  return router
}

/**
 * Returns the router of the drop-in endpoints. Each protocol has its own base path, such as `/otlp`, and the original
 * paths after it. A client of another system therefore changes only its base URL and its API key.
 */
export function dropInRoutes(dispatch: Dispatch): OpenAPIHono<AppEnv> {
  const router = createRouter()
  router.use('/otlp/*', protobufProblems)
  for (const path of ['/otlp/*', '/openmeter/*', '/litellm/*', '/stripe/*'])
    router.use(path, inDialect, authenticate)
  router.route('/otlp', otlpRoutes)
  router.route('/openmeter', openMeterRoutes(dispatch))
  router.route('/litellm', liteLlmRoutes)
  router.route('/stripe', stripeRoutes)
  router.route('/openmonetize', openMonetizeRoutes(dispatch))
  return router
}
