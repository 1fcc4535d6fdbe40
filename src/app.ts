import type { OpenAPIHono } from '@hono/zod-openapi'
import { adminRoutes } from './admin/routes.ts'
import { alertsRoutes } from './alerts/routes.ts'
import { analyticsRoutes } from './analytics/routes.ts'
import { authenticate } from './api-keys/authentication/authenticate.ts'
import { apiKeysRoutes } from './api-keys/routes.ts'
import { burnTablesRoutes } from './burn-tables/routes.ts'
import { movementRoutes, voidRoutes } from './credits/movement-routes.ts'
import { creditsRoutes } from './credits/routes.ts'
import { customersRoutes } from './customers/routes.ts'
import { forwardToApi } from './dashboard/access.ts'
import { dashboardRoutes } from './dashboard/routes.ts'
import { createDispatch } from './drop-in/dispatch.ts'
import { dropInRoutes, dropInStatusRoutes } from './drop-in/routes.ts'
import { entitlementsRoutes } from './entitlements/routes.ts'
import { eventsRoutes } from './events/routes.ts'
import { gatewayRoutes } from './gateway/routes.ts'
import { gatewayRoutesRoutes } from './gateway-routes/routes.ts'
import { healthRoutes } from './health/routes.ts'
import { holdsRoutes } from './holds/routes.ts'
import type { AppEnv } from './http/env.ts'
import { allowedMethods, cors, requestId, responseHeaders } from './http/middleware/headers.ts'
import { requestLog } from './http/middleware/request-log.ts'
import { notFound, onError } from './http/output/problem.ts'
import { createRouter } from './http/route.ts'
import { documentationRoutes } from './openapi/routes.ts'
import { autoTopUpRoutes } from './payments/auto-top-up.ts'
import { creditPacksRoutes } from './payments/packs/routes.ts'
import { paymentsRoutes } from './payments/routes.ts'
import { stripeWebhookRoutes } from './payments/webhook.ts'
import { portalPreflight } from './portal-tokens/access.ts'
import { portalTokensRoutes } from './portal-tokens/routes.ts'
import { keysRoutes, ledgerRoutes, receiptRoutes } from './proof/routes.ts'
import { providerKeysRoutes } from './provider-keys/routes.ts'
import { priceOverridesRoutes } from './rating/price-overrides/routes.ts'
import { pricingRoutes } from './rating/pricing-routes.ts'
import { ratingRoutes } from './rating/routes.ts'
import { streamRoutes } from './stream/routes.ts'
import { teamsRoutes, usersRoutes } from './subjects/routes.ts'
import { webhookDeliveriesRoutes } from './webhooks/delivery-routes.ts'
import { webhookEndpointsRoutes } from './webhooks/endpoint-routes.ts'

/** Creates the API. Middleware runs in the order in which it is registered. */
export function createApp(): OpenAPIHono<AppEnv> {
  const app = createRouter()
  app.onError(onError)
  app.notFound(notFound)

  app.use(forwardToApi((request, env, context) => app.fetch(request, env, context)))
  app.use(requestId)
  app.use(requestLog)
  app.use(responseHeaders)
  app.use(portalPreflight)
  app.use(cors)
  app.use(allowedMethods(app))
  app.route('/', healthRoutes)
  app.route('/', documentationRoutes(app))
  app.route('/', keysRoutes)
  app.get('/dashboard', (c) => c.redirect('/dashboard/', 308))
  app.route('/dashboard/api', dashboardRoutes)
  app.route('/v1/customers', customersRoutes)
  app.route('/v1/admin', adminRoutes)
  app.route('/', dropInRoutes(createDispatch(mountAll)))

  app.route('/gateway/openai', gatewayRoutes('openai'))
  app.route('/gateway/anthropic', gatewayRoutes('anthropic'))
  app.route('/gateway/google', gatewayRoutes('google'))

  app.route('/v1/payments/stripe', stripeWebhookRoutes)
  app.use('/v1/*', authenticate)
  mountResources(app)
  app.route('/v1/drop-in', dropInStatusRoutes())
  return app
}

/** Mounts the routes that require `authenticate`. */
function mountResources(app: OpenAPIHono<AppEnv>): void {
  app.route('/v1/api-keys', apiKeysRoutes)
  app.route('/v1/events', eventsRoutes)
  app.route('/v1/events', voidRoutes)
  app.route('/v1/events', receiptRoutes)
  app.route('/v1/ledger', ledgerRoutes)
  app.route('/v1/rating', ratingRoutes)
  app.route('/v1/rating/pricing', pricingRoutes)
  app.route('/v1/rating/price-overrides', priceOverridesRoutes)
  app.route('/v1/burn-tables', burnTablesRoutes)
  app.route('/v1/credits', creditsRoutes)
  app.route('/v1/credits', movementRoutes)
  app.route('/v1/credits/auto-top-up', autoTopUpRoutes)
  app.route('/v1/credit-packs', creditPacksRoutes)
  app.route('/v1/payments', paymentsRoutes)
  app.route('/v1/holds', holdsRoutes)
  app.route('/v1/entitlements', entitlementsRoutes)
  app.route('/v1/analytics', analyticsRoutes)
  app.route('/v1/provider-keys', providerKeysRoutes)
  app.route('/v1/gateway-routes', gatewayRoutesRoutes)
  app.route('/v1/alerts', alertsRoutes)
  app.route('/v1/stream', streamRoutes)
  app.route('/v1/portal-tokens', portalTokensRoutes)
  app.route('/v1/webhook-endpoints', webhookEndpointsRoutes)
  app.route('/v1/webhook-deliveries', webhookDeliveriesRoutes)
  app.route('/v1/users', usersRoutes)
  app.route('/v1/teams', teamsRoutes)
}

/** Mounts the routes to which a drop-in endpoint can translate a request. */
function mountAll(app: OpenAPIHono<AppEnv>): void {
  app.onError(onError)
  app.notFound(notFound)
  app.route('/v1/customers', customersRoutes)
  mountResources(app)
}
