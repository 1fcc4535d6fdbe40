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
  summary: "Set a provider's price for all customers, to add a model or to correct the catalogue",
  description:
    'The price takes effect at `effective_from`. All ratings use it within 90 s. The replaced price ends at that time and is ' +
    'kept. Prices are never edited. The first price of a model may start up to 35 days in the past, so that earlier events ' +
    'can be rated.',
  request: { body: jsonRequest(overlaySchema) },
  answers: { 201: json('The price.', overlayAnswerSchema) },
  problems: ['conflict', 'unknown_provider', 'idempotency_mismatch'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: "List the operator's prices, newest first, including ended and future ones",
  request: { query: overlaysQuery },
  answers: { 200: json('A page of prices.', overlaysPageSchema) },
})

export const providerCostsRoutes = createRouter()

providerCostsRoutes.openapi(postRoute, (c) =>
  postOverlay(c, OPERATOR_SCOPE, 'POST /v1/admin/provider-costs', c.req.valid('json')),
)

providerCostsRoutes.openapi(listRoute, (c) => getOverlays(c, OPERATOR_SCOPE.scope, c.req.valid('query')))
