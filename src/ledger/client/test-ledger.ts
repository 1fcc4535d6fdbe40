import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { logError } from '../../logging/log.ts'
import type { Account } from '../model/account.ts'
import type { Refused } from '../model/refusal.ts'
import { openLedger, shareBurnTables, shareEntitlements } from './client.ts'

/**
 * The regions for a customer's ledgers, as location hints of Cloudflare. A ledger stays where it was first opened.
 */
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
 * Opens the customer's test ledger if it is not open, with the deployment's sign-up grant. Copies the burn tables and
 * the entitlements of the live ledger, and throws if the copying fails. Call this before the first test key exists.
 * Can be repeated.
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
 * Copies burn tables and entitlements to the customer's test ledger if the customer has test keys. Without test keys,
 * the test ledger may never have been opened, and a call would decide its location. A failure is only logged, because
 * the change itself is committed. The next change, or a repeat of this change, copies everything.
 */
export async function shareWithTestLedger(env: Bindings, customer_id: string): Promise<void> {
  try {
    const test_key = await env.DB.prepare(HAS_TEST_KEYS).bind(customer_id).first()
    if (test_key) await Promise.all([shareBurnTables(env, customer_id), shareEntitlements(env, customer_id)])
  } catch (error) {
    logError('definitions_not_shared', error, { customer_id })
  }
}
