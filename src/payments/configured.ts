import type { MiddlewareHandler } from 'hono'
import { ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { refusalResponse } from '../http/output/problem.ts'
import { stripeOf } from '../stripe/account.ts'

/** Refuses requests about payments where Stripe is not set up for the mode of the key. */
export const requirePayments: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (!stripeOf(c.env, ledgerOf(c).mode)) return refusalResponse(c, { code: 'payments_not_configured' })
  return next()
}
