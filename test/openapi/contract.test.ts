import { expect, it } from 'vitest'
import { operations } from '../support/documented.ts'

/** Every route of the HTTP contract, written by hand: none may disappear or be renamed. */
const CONTRACT = `
  POST /v1/customers/register
  GET /v1/customers/me
  GET /v1/api-keys
  POST /v1/api-keys
  POST /v1/api-keys/{id}/rotate
  DELETE /v1/api-keys/{id}
  GET /v1/users
  POST /v1/users
  GET /v1/users/{user_id}
  PATCH /v1/users/{user_id}
  DELETE /v1/users/{user_id}
  GET /v1/teams
  POST /v1/teams
  GET /v1/teams/{team_id}
  PATCH /v1/teams/{team_id}
  DELETE /v1/teams/{team_id}
  POST /v1/events/ingest
  GET /v1/events
  GET /v1/events/{id}
  GET /v1/events/{id}/explain
  POST /v1/events/{id}/void
  POST /v1/rating/calculate
  POST /v1/rating/calculate/bulk
  GET /v1/rating/pricing
  GET /v1/rating/price-overrides
  POST /v1/rating/price-overrides
  POST /v1/rating/simulate
  GET /v1/burn-tables
  POST /v1/burn-tables
  GET /v1/burn-tables/active
  GET /v1/burn-tables/{id}
  PATCH /v1/burn-tables/{id}
  DELETE /v1/burn-tables/{id}
  GET /v1/credits/balance
  GET /v1/credits/lots
  POST /v1/credits/lots/{id}/revoke
  GET /v1/credits/transactions
  POST /v1/credits/purchase
  POST /v1/credits/grant
  GET /v1/credits/recurring-grants
  DELETE /v1/credits/recurring-grants/{id}
  POST /v1/credits/refund
  POST /v1/credits/transfer
  POST /v1/credits/adjust
  PATCH /v1/credits/wallets
  POST /v1/holds
  GET /v1/holds
  GET /v1/holds/{id}
  POST /v1/holds/{id}/capture
  POST /v1/holds/{id}/release
  POST /v1/holds/{id}/extend
  POST /v1/entitlements/check
  GET /v1/entitlements
  POST /v1/entitlements
  GET /v1/entitlements/{id}
  PUT /v1/entitlements/{id}
  DELETE /v1/entitlements/{id}
  GET /v1/credit-packs
  POST /v1/credit-packs
  GET /v1/credit-packs/{id}
  PATCH /v1/credit-packs/{id}
  DELETE /v1/credit-packs/{id}
  POST /v1/payments/checkout
  GET /v1/payments
  GET /v1/payments/{id}
  POST /v1/payments/stripe/webhook
  PUT /v1/credits/auto-top-up
  GET /v1/credits/auto-top-up
  DELETE /v1/credits/auto-top-up
  GET /v1/provider-keys
  POST /v1/provider-keys
  DELETE /v1/provider-keys/{id}
  POST /v1/alerts
  GET /v1/alerts
  GET /v1/alerts/{id}
  PATCH /v1/alerts/{id}
  DELETE /v1/alerts/{id}
  GET /v1/stream
  POST /v1/portal-tokens
  GET /v1/gateway-routes
  POST /v1/gateway-routes
  GET /v1/gateway-routes/{id}
  PATCH /v1/gateway-routes/{id}
  DELETE /v1/gateway-routes/{id}
  GET /v1/analytics/usage
  GET /v1/analytics/costs
  GET /v1/analytics/burn-rate
  GET /v1/drop-in
  GET /v1/drop-in/openmeter
  PUT /v1/drop-in/openmeter
  POST /otlp/v1/traces
  POST /openmeter/api/v1/events
  GET /openmeter/api/v1/meters/{meter}/query
  GET /openmeter/api/v1/customers/{customer}/entitlements/{feature}/value
  POST /litellm/events
  POST /openmonetize/v1/events/ingest
  GET /health
  GET /ready
  GET /openapi.json
  GET /docs
  GET /v1/admin/stats
  GET /v1/admin/customers
  GET /v1/admin/customers/{id}
  PATCH /v1/admin/customers/{id}
  POST /v1/admin/customers/{id}/api-keys
  POST /v1/admin/customers/{id}/rebuild
  GET /v1/admin/price-feed
  POST /v1/admin/price-feed/apply
  POST /v1/admin/price-feed/reject
  GET /v1/admin/provider-costs
  POST /v1/admin/provider-costs
  POST /v1/admin/rerate
  GET /v1/admin/dead-letters
  POST /v1/admin/dead-letters/replay
  POST /v1/admin/reconcile
  GET /v1/admin/audit
`

const routes = CONTRACT.trim().split(/\s*\n\s*/)

it.each(routes)('the contract names %s, and the document has it', (route) => {
  expect(operations.map(({ method, path }) => `${method} ${path}`)).toContain(route)
})
