import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { logError } from '../../logging/log.ts'
import type { Account } from '../model/account.ts'
import type { Refused } from '../model/refusal.ts'
import { openLedger, shareBurnTables, shareEntitlements } from './client.ts'

/** Regions for a customer's ledgers: Cloudflare's location hints. A ledger stays where it was first opened. */
export const REGIONS = [
  'wnam',
  'enam',
  'sam',
  'weur',
  'eeur',
  'apac',
  'oc',
  'afr',
  'me',
] as const satisfies readonly DurableObjectLocationHint[]

/**
 * Opens the customer's test ledger if it is not open, with the deployment's sign-up grant and the shared definitions.
 * Call it before the first test key exists. Throws when a part failed; can be repeated.
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

const HAS_TEST_KEYS = "SELECT 1 FROM api_keys WHERE customer_id = ? AND mode = 'test' LIMIT 1"

/**
 * Copies burn tables and entitlements to the customer's test ledger, if it has test keys: calling an object that was
 * never opened would decide its location. The change itself is committed, so a failure is only logged: the next change
 * copies everything, and so does a repeat of this one.
 */
export async function shareWithTestLedger(env: Bindings, customer_id: string): Promise<void> {
  try {
    const test_key = await env.DB.prepare(HAS_TEST_KEYS).bind(customer_id).first()
    if (test_key) await Promise.all([shareBurnTables(env, customer_id), shareEntitlements(env, customer_id)])
  } catch (error) {
    logError('definitions_not_shared', error, { customer_id })
  }
}
