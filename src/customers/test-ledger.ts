import type { Bindings } from '../bindings.ts'
import { configOf } from '../config.ts'
import { openLedger, shareBurnTables, shareEntitlements } from '../ledger/client/client.ts'
import type { Account } from '../ledger/model/account.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import { REGIONS } from './schema.ts'

/**
 * Opens the customer's test ledger as far as it is not, with the sign-up grant of this deployment and what both ledgers
 * share, before there is a test key that could miss it. Throws when that could not be brought there; can be repeated.
 */
export async function openTestLedger(
  env: Bindings,
  customer_id: string,
  { account, region }: { readonly account: Account; readonly region: string | null },
): Promise<{ readonly kind: 'opened' } | Refused> {
  const location_hint = REGIONS.find((hint) => hint === region)
  const opened = await openLedger(
    env,
    {
      ledger: { customer_id, mode: 'test' },
      signup_grant_micro: configOf(env).signup_grant_micro,
      account,
    },
    location_hint ? { location_hint } : {},
  )
  if (opened.kind === 'opened') {
    await Promise.all([shareBurnTables(env, customer_id), shareEntitlements(env, customer_id)])
  }
  return opened
}
