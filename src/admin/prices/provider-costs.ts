import { createRouter, json, jsonRequest, route } from '../../http/route.ts'
import { getOverlays, OPERATOR_SCOPE, postOverlay } from '../../rating/price-overrides/handlers.ts'
import {
  overlayAnswerSchema,
  overlaySchema,
  overlaysPageSchema,
  overlaysQuery,
} from '../../rating/price-overrides/schema.ts'

const postRoute = route({
  method: 'post',
  path: '/',
  summary: "Set a provider's price for every customer: a new model, or a price that the catalogue has wrong",
  description:
    'Holds from `effective_from` on and reaches every rating within 90 s. The price that it replaces ends there and is ' +
    'kept; nothing is edited. A price of a model that had none may begin up to 35 days back, so that its events can be rated.',
  request: { body: jsonRequest(overlaySchema) },
  answers: { 201: json('The price.', overlayAnswerSchema) },
  problems: ['conflict', 'unknown_provider', 'idempotency_mismatch'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: "The operator's prices, newest first: those that ended and those to come too",
  request: { query: overlaysQuery },
  answers: { 200: json('A page of prices.', overlaysPageSchema) },
})

export const providerCostsRoutes = createRouter()

providerCostsRoutes.openapi(postRoute, (c) =>
  postOverlay(c, OPERATOR_SCOPE, 'POST /v1/admin/provider-costs', c.req.valid('json')),
)

providerCostsRoutes.openapi(listRoute, (c) => getOverlays(c, OPERATOR_SCOPE.scope, c.req.valid('query')))
