import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { authenticate, bearerToken, sessionOf } from '../api-keys/authentication/authenticate.ts'
import { isWellFormed } from '../api-keys/authentication/format.ts'
import { isOperatorToken } from '../api-keys/authentication/operator.ts'
import { dashboardRequestOf } from '../dashboard/access.ts'
import { idempotencyKey } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { jsonBody } from '../http/middleware/body.ts'
import { unauthorized } from '../http/middleware/platform-limits.ts'
import { notFound, problem } from '../http/output/problem.ts'
import { createRouter } from '../http/route.ts'
import { isPortalToken } from '../portal-tokens/token.ts'
import { operatorWebhookDeliveriesRoutes } from '../webhooks/delivery-routes.ts'
import { operatorWebhookEndpointsRoutes } from '../webhooks/endpoint-routes.ts'
import { auditRoutes } from './audit.ts'
import { adminCustomersRoutes } from './customers/routes.ts'
import { deadLettersRoutes } from './ledgers/dead-letters.ts'
import { rebuildRoutes } from './ledgers/rebuild.ts'
import { reconcileRoutes } from './ledgers/reconcile.ts'
import { rerateRoutes } from './ledgers/rerate.ts'
import { unratedRoutes } from './ledgers/unrated.ts'
import { priceFeedRoutes } from './prices/price-feed.ts'
import { providerCostsRoutes } from './prices/provider-costs.ts'
import { metricsRoutes, statsRoutes } from './stats/routes.ts'

/**
 * Admits only the operator. Runs before the request body is read. Returns 403 if the credential is a customer's valid
 * key, portal token or session, and 401 if the credential is missing or invalid.
 */
const requireOperator = createMiddleware<AppEnv>(async (c, next) => {
  if (dashboardRequestOf(c)) {
    const session = await sessionOf(c)
    if (session instanceof Response) return session
    if (session.kind !== 'operator') return operatorOnly(c)
    if (session.email !== null) c.set('operator_email', session.email)
    return next()
  }
  const token = bearerToken(c.req.header('Authorization'))
  if (token !== undefined && isOperatorToken(c.env, token)) return next()
  const key = token ?? c.req.header('X-API-Key')
  if (key === undefined || key === '') {
    return unauthorized(c, 'missing_api_key', 'Send the operator token as Authorization: Bearer TOKEN.')
  }
  if (!isWellFormed(key) && !isPortalToken(key)) {
    const detail = isOperatorToken(c.env, key)
      ? 'The operator token must be sent as Authorization: Bearer TOKEN, not as X-API-Key.'
      : 'The token is not the operator token. Check that it was copied completely.'
    return unauthorized(c, 'invalid_api_key', detail)
  }
  let is_customer = false
  const refused = await authenticate(c, async () => {
    is_customer = true
  })
  return is_customer ? operatorOnly(c) : refused
})

function operatorOnly(c: Context<AppEnv>): Response {
  return problem(c, {
    code: 'insufficient_scope',
    detail: 'This endpoint requires the operator token; customer API keys are not accepted.',
  })
}

/** The operator's routes. They must be mounted before `authenticate`, which refuses the operator token. */
export const adminRoutes = createRouter()

adminRoutes.use('/*', requireOperator, jsonBody, idempotencyKey)
adminRoutes.route('/audit', auditRoutes)
adminRoutes.route('/customers', adminCustomersRoutes)
adminRoutes.route('/customers', rebuildRoutes)
adminRoutes.route('/dead-letters', deadLettersRoutes)
adminRoutes.route('/metrics', metricsRoutes)
adminRoutes.route('/price-feed', priceFeedRoutes)
adminRoutes.route('/provider-costs', providerCostsRoutes)
adminRoutes.route('/reconcile', reconcileRoutes)
adminRoutes.route('/rerate', rerateRoutes)
adminRoutes.route('/stats', statsRoutes)
adminRoutes.route('/unrated', unratedRoutes)
adminRoutes.route('/webhook-endpoints', operatorWebhookEndpointsRoutes)
adminRoutes.route('/webhook-deliveries', operatorWebhookDeliveriesRoutes)
// Returns 404 for unknown paths below `/v1/admin`. They would otherwise reach `authenticate`, which returns 401 for the
// operator token.
adminRoutes.all('/*', notFound)
