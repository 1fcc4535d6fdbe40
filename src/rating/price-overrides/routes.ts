import { scoped } from '../../api-keys/authentication/authenticate.ts'
import { ledgerKey } from '../../db/ledger-db.ts'
import { callerOf, ledgerOf } from '../../http/caller.ts'
import { createRouter, json, jsonRequest, route } from '../../http/route.ts'
import { getOverlays, postOverlay } from './handlers.ts'
import {
  overlayAnswerSchema,
  overlaySchema,
  overlaysPageSchema,
  overlaysQuery,
  overlayUnitPriceSchema,
} from './schema.ts'

const postRoute = route({
  method: 'post',
  path: '/',
  summary: 'Set your own price, such as a negotiated rate',
  description:
    'From `effective_from` on, the price replaces or multiplies the prices that would otherwise apply. All ratings use it within 90 s. ' +
    'The price that it replaces ends at `effective_from` and remains in the list. Prices are never edited. Live and test mode share prices.',
  ...scoped('pricing:write'),
  request: { body: jsonRequest(overlaySchema) },
  answers: { 201: json('The price.', overlayAnswerSchema) },
  problems: ['conflict', 'unknown_provider', 'idempotency_mismatch'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'List your own prices, newest first, including past and future prices',
  ...scoped('pricing:read'),
  request: { query: overlaysQuery },
  answers: { 200: json('A page of prices.', overlaysPageSchema) },
})

export const priceOverridesRoutes = createRouter()

// Registers a schema that `PriceOverlayInput` refers to. The generator of the OpenAPI document cannot find it, because
// zod uses it only in a transform.
priceOverridesRoutes.openAPIRegistry.register('OverlayUnitPrice', overlayUnitPriceSchema)

priceOverridesRoutes.openapi(postRoute, (c) => {
  const ledger = ledgerOf(c)
  const by = { scope: ledger.customer_id, owner: ledgerKey(ledger), created_by: callerOf(c).key_id }
  return postOverlay(c, by, 'POST /v1/rating/price-overrides', c.req.valid('json'))
})

priceOverridesRoutes.openapi(listRoute, (c) => getOverlays(c, c.get('key').customer_id, c.req.valid('query')))
