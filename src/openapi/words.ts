/** The texts of the OpenAPI document that belong to no single route. */

/** The version in package.json, repeated because the Worker does not ship that file; a test compares the two. */
export const VERSION = '0.1.0'

export const INFO = {
  title: 'OpenMonetize Edge',
  version: VERSION,
  summary: 'Rate, burn and answer with the new balance in one request.',
  description: [
    'The smart meter for AI products. `POST /v1/events/ingest` rates a usage event from the price list of its provider, burns the credits from a prepaid wallet atomically and exactly once, and answers with the new balance.',
    'Amounts are JSON numbers, written exactly: credits with at most 6 decimals, USD with at most 12. Requests may also send amounts as decimal strings. Times are RFC 3339; responses use UTC.',
    'Errors are RFC 9457 problem documents: `code` is stable and for programs, `type` links to the solution. A refused request changes nothing, and its idempotency key can be used again.',
    'Unknown fields of a body and unknown query parameters are refused by name. In a body, `null` for an optional field is the same as leaving it out, unless the field documents a meaning for null. Bodies may be compressed with gzip or deflate. A known path answers other methods with 405 and `Allow`. Lists are paginated with `limit` and `cursor`, which is the `next_cursor` of the previous page; a page may have fewer than `limit` rows although more follow.',
  ].join('\n\n'),
  contact: { name: 'OpenMonetize', url: 'https://github.com/openmonetize/openmonetize-edge' },
  license: { name: 'MIT', identifier: 'MIT' },
}

/** By path prefix; the first match applies. */
const TAGS: readonly (readonly [prefix: string, name: string, description: string])[] = [
  ['/v1/events', 'Events', 'Usage: rated, burned and answered in one request.'],
  ['/v1/credits', 'Credits', 'Wallets, their lots, and every ledger entry.'],
  ['/v1/holds', 'Holds', 'Credits that are reserved before a call and spent after it.'],
  ['/v1/entitlements', 'Entitlements', 'What a feature allows: on or off, and how much of it.'],
  ['/v1/rating', 'Rating', 'What usage costs, and the price lists behind it.'],
  ['/v1/burn-tables', 'Burn tables', 'How usage becomes credits.'],
  ['/v1/analytics', 'Analytics', 'Usage, cost and revenue.'],
  ['/v1/users', 'Users', 'The users of a customer.'],
  ['/v1/teams', 'Teams', 'The teams of a customer.'],
  ['/v1/customers', 'Customers', 'Registration, and the owner of an API key.'],
  ['/v1/api-keys', 'API keys', 'The API keys of a customer.'],
  ['/v1/provider-keys', 'Provider keys', 'The keys of AI providers that the gateway uses.'],
  [
    '/v1/gateway-routes',
    'Gateway routes',
    'Further attempts after a provider has refused a call through the gateway.',
  ],
  ['/v1/admin', 'Operator', 'Operations on the deployment, with the operator token.'],
  ['/v1/drop-in', 'Drop-in', "What the endpoints of other systems' clients received, and their settings."],
  ['/otlp', 'OpenTelemetry', 'Drop-in: OTLP/HTTP traces.'],
  ['/openmeter', 'OpenMeter', 'Drop-in: CloudEvents, meters and entitlements.'],
  ['/litellm', 'LiteLLM', 'Drop-in: its generic logger.'],
  ['/stripe', 'Stripe', 'Drop-in: meter events.'],
  ['/openmonetize', 'OpenMonetize', 'Drop-in: the routes of the original, as its SDK calls them.'],
  ['/', 'Platform', 'Health and documentation.'],
]

export const ALL_TAGS = TAGS.map(([, name, description]) => ({ name, description }))

export function tagOf(path: string): string {
  const found = TAGS.find(([prefix]) => path.startsWith(prefix))
  if (!found) throw new Error(`no tag for ${path}`)
  return found[1]
}

/** Operation ids, which generated clients use as names: add to them, never change one. */
const OPERATION_IDS: Readonly<Record<string, string>> = {
  'GET /health': 'getHealth',
  'GET /ready': 'getReadiness',
  'GET /openapi.json': 'getOpenApiDocument',
  'GET /': 'getRoot',
  'GET /docs': 'getDocumentation',
  'GET /docs/errors': 'getErrorReference',
  'GET /docs/{file}': 'getDocumentationAsset',
  'POST /v1/customers/register': 'registerCustomer',
  'GET /v1/customers/me': 'getCurrentCustomer',
  'POST /v1/events/ingest': 'ingestEvents',
  'GET /v1/events': 'listEvents',
  'GET /v1/events/{id}': 'getEvent',
  'GET /v1/events/{id}/explain': 'explainEvent',
  'POST /v1/events/{id}/void': 'voidEvent',
  'POST /v1/rating/calculate': 'calculatePrice',
  'POST /v1/rating/calculate/bulk': 'calculatePrices',
  'POST /v1/rating/simulate': 'simulateBurnTable',
  'GET /v1/rating/pricing': 'listProviderPrices',
  'GET /v1/rating/price-overrides': 'listPriceOverrides',
  'POST /v1/rating/price-overrides': 'createPriceOverride',
  'POST /v1/burn-tables': 'createBurnTable',
  'GET /v1/burn-tables': 'listBurnTables',
  'GET /v1/burn-tables/active': 'getActiveBurnTable',
  'GET /v1/burn-tables/{id}': 'getBurnTable',
  'PATCH /v1/burn-tables/{id}': 'updateBurnTable',
  'DELETE /v1/burn-tables/{id}': 'deactivateBurnTable',
  'POST /v1/credits/grant': 'grantCredits',
  'POST /v1/credits/purchase': 'purchaseCredits',
  'POST /v1/credits/refund': 'refundTransaction',
  'POST /v1/credits/transfer': 'transferCredits',
  'POST /v1/credits/adjust': 'adjustCredits',
  'GET /v1/credits/balance': 'getBalance',
  'GET /v1/credits/lots': 'listLots',
  'POST /v1/credits/lots/{id}/revoke': 'revokeLot',
  'GET /v1/credits/transactions': 'listTransactions',
  'GET /v1/credits/recurring-grants': 'listRecurringGrants',
  'DELETE /v1/credits/recurring-grants/{id}': 'stopRecurringGrant',
  'PATCH /v1/credits/wallets': 'updateWallet',
  'POST /v1/holds': 'createHold',
  'GET /v1/holds': 'listHolds',
  'GET /v1/holds/{id}': 'getHold',
  'POST /v1/holds/{id}/capture': 'captureHold',
  'POST /v1/holds/{id}/release': 'releaseHold',
  'POST /v1/holds/{id}/extend': 'extendHold',
  'POST /v1/entitlements': 'createEntitlement',
  'GET /v1/entitlements': 'listEntitlements',
  'GET /v1/entitlements/{id}': 'getEntitlement',
  'PUT /v1/entitlements/{id}': 'replaceEntitlement',
  'DELETE /v1/entitlements/{id}': 'deleteEntitlement',
  'POST /v1/entitlements/check': 'checkEntitlement',
  'GET /v1/users': 'listUsers',
  'POST /v1/users': 'createUser',
  'GET /v1/users/{user_id}': 'getUser',
  'PATCH /v1/users/{user_id}': 'updateUser',
  'DELETE /v1/users/{user_id}': 'eraseUser',
  'GET /v1/teams': 'listTeams',
  'POST /v1/teams': 'createTeam',
  'GET /v1/teams/{team_id}': 'getTeam',
  'PATCH /v1/teams/{team_id}': 'updateTeam',
  'DELETE /v1/teams/{team_id}': 'eraseTeam',
  'GET /v1/api-keys': 'listApiKeys',
  'POST /v1/api-keys': 'createApiKey',
  'POST /v1/api-keys/{id}/rotate': 'rotateApiKey',
  'DELETE /v1/api-keys/{id}': 'deleteApiKey',
  'GET /v1/provider-keys': 'listProviderKeys',
  'POST /v1/provider-keys': 'createProviderKey',
  'DELETE /v1/provider-keys/{id}': 'deleteProviderKey',
  'GET /v1/gateway-routes': 'listGatewayRoutes',
  'POST /v1/gateway-routes': 'createGatewayRoute',
  'GET /v1/gateway-routes/{id}': 'getGatewayRoute',
  'PATCH /v1/gateway-routes/{id}': 'updateGatewayRoute',
  'DELETE /v1/gateway-routes/{id}': 'deleteGatewayRoute',
  'GET /v1/analytics/usage': 'getUsage',
  'GET /v1/analytics/costs': 'getCosts',
  'GET /v1/analytics/burn-rate': 'getBurnRate',
  'GET /v1/drop-in': 'getDropInStatus',
  'GET /v1/drop-in/openmeter': 'getOpenMeterMappings',
  'PUT /v1/drop-in/openmeter': 'setOpenMeterMappings',
  'GET /v1/admin/stats': 'getStats',
  'GET /v1/admin/customers': 'listCustomers',
  'GET /v1/admin/customers/{id}': 'getCustomer',
  'PATCH /v1/admin/customers/{id}': 'updateCustomer',
  'POST /v1/admin/customers/{id}/api-keys': 'createCustomerApiKey',
  'POST /v1/admin/customers/{id}/rebuild': 'rebuildCustomer',
  'GET /v1/admin/price-feed': 'listPriceFeeds',
  'POST /v1/admin/price-feed/apply': 'applyPriceFeed',
  'POST /v1/admin/price-feed/reject': 'rejectPriceFeed',
  'GET /v1/admin/provider-costs': 'listProviderCosts',
  'POST /v1/admin/provider-costs': 'createProviderCost',
  'POST /v1/admin/rerate': 'rerateEvents',
  'GET /v1/admin/dead-letters': 'listDeadLetters',
  'POST /v1/admin/dead-letters/replay': 'replayDeadLetters',
  'POST /v1/admin/reconcile': 'reconcile',
  'GET /v1/admin/audit': 'listAuditLog',
}

/** An id made from method and path, for routes without an entry above. */
export function operationIdOf(method: string, path: string): string {
  const named = OPERATION_IDS[`${method.toUpperCase()} ${path}`]
  if (named !== undefined) return named
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '' && word !== 'v1')
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}
