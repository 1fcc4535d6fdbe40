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
  summary: 'Set a price of your own: a negotiated rate',
  description:
    'Holds from `effective_from` on, in place of the list prices or times them, and reaches every rating within 90 s. ' +
    'The price that it replaces ends there and is kept; nothing is edited. Live and test keys share prices.',
  ...scoped('pricing:write'),
  request: { body: jsonRequest(overlaySchema) },
  answers: { 201: json('The price.', overlayAnswerSchema) },
  problems: ['conflict', 'unknown_provider', 'idempotency_mismatch'],
})

const listRoute = route({
  method: 'get',
  path: '/',
  summary: 'Your own prices, newest first: those that ended and those to come too',
  ...scoped('pricing:read'),
  request: { query: overlaysQuery },
  answers: { 200: json('A page of prices.', overlaysPageSchema) },
})

export const priceOverridesRoutes = createRouter()

// What `PriceOverlayInput` refers to: zod validates it in a transform, where the document does not look.
priceOverridesRoutes.openAPIRegistry.register('OverlayUnitPrice', overlayUnitPriceSchema)

priceOverridesRoutes.openapi(postRoute, (c) => {
  const ledger = ledgerOf(c)
  const by = { scope: ledger.customer_id, owner: ledgerKey(ledger), created_by: callerOf(c).key_id }
  return postOverlay(c, by, 'POST /v1/rating/price-overrides', c.req.valid('json'))
})

priceOverridesRoutes.openapi(listRoute, (c) => getOverlays(c, c.get('key').customer_id, c.req.valid('query')))
