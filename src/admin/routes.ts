import { jsonBody } from '../http/middleware/body.ts'
import { idempotencyKey } from '../http/middleware/idempotency-key.ts'
import { notFound } from '../http/output/problem.ts'
import { createRouter } from '../http/router.ts'
import { auditRoutes } from './audit.ts'
import { requireOperator } from './auth.ts'
import { adminCustomersRoutes } from './customers/routes.ts'
import { deadLettersRoutes } from './ledgers/dead-letters.ts'
import { rebuildRoutes } from './ledgers/rebuild.ts'
import { reconcileRoutes } from './ledgers/reconcile.ts'
import { rerateRoutes } from './ledgers/rerate.ts'
import { providerCostsRoutes } from './prices/provider-costs.ts'
import { statsRoutes } from './stats/routes.ts'

/** The operator's routes, mounted before `authenticate`: their token is no customer's key. */
export const adminRoutes = createRouter()

adminRoutes.use('/*', requireOperator, jsonBody, idempotencyKey)
adminRoutes.route('/audit', auditRoutes)
adminRoutes.route('/customers', adminCustomersRoutes)
adminRoutes.route('/customers', rebuildRoutes)
adminRoutes.route('/dead-letters', deadLettersRoutes)
adminRoutes.route('/provider-costs', providerCostsRoutes)
adminRoutes.route('/reconcile', reconcileRoutes)
adminRoutes.route('/rerate', rerateRoutes)
adminRoutes.route('/stats', statsRoutes)
// Nothing below `/v1/admin` goes on to the customers' routes, where an operator's token would be an unknown key.
adminRoutes.all('/*', notFound)
