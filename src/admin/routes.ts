import { jsonBody } from '../http/body.ts'
import { idempotencyKey } from '../http/idempotency.ts'
import { notFound } from '../http/problem.ts'
import { createRouter } from '../http/router.ts'
import { auditRoutes } from './audit.ts'
import { requireOperator } from './auth.ts'
import { adminCustomersRoutes } from './customers.ts'
import { deadLettersRoutes } from './dead-letters.ts'
import { providerCostsRoutes } from './provider-costs.ts'
import { rebuildRoutes } from './rebuild.ts'
import { reconcileRoutes } from './reconcile.ts'
import { rerateRoutes } from './rerate.ts'
import { statsRoutes } from './stats.ts'

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
