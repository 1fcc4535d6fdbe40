import { ledgerOf } from '../http/caller.ts'
import { guard } from '../http/middleware/guard.ts'
import { refusalResponse } from '../http/output/problem.ts'
import { stripeOf } from '../stripe/account.ts'

/** Refuses requests about payments if Stripe is not set up for the mode of the key. */
export const requirePayments = guard((c) =>
  stripeOf(c.env, ledgerOf(c).mode) ? undefined : refusalResponse(c, { code: 'payments_not_configured' }),
)
