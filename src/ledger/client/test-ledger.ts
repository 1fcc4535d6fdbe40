import type { Bindings } from '../../bindings.ts'
import { configOf } from '../../config.ts'
import { logError } from '../../logging/log.ts'
import type { Account } from '../model/account.ts'
import type { Refused } from '../model/refusal.ts'
import { openLedger, shareBurnTables, shareEntitlements } from './client.ts'

/**
 * The regions in which a customer's ledgers can be opened, as Cloudflare location hints. A ledger stays in the region
 * in which it was first opened.
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
 * Opens the customer's test ledger with the deployment's sign-up grant if it is not open. Copies the burn tables and
 * the entitlements of the live ledger, and throws if they cannot be copied. Returns a refusal if the ledger cannot be
 * opened. Call this before the customer's first test key is created. Can be repeated.
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
 * the test ledger might not be open yet, and a call would decide its location. A failure is only logged, because the
 * change itself is committed. The next change, or a repeat of this change, copies what is missing.
 */
export async function shareWithTestLedger(env: Bindings, customer_id: string): Promise<void> {
  try {
    if (!(await hasTestKeys(env, customer_id))) return
    await Promise.all([shareBurnTables(env, customer_id), shareEntitlements(env, customer_id)])
  } catch (error) {
    logError('definitions_not_shared', error, { customer_id })
  }
}

/**
 * Deletes the entitlements of an erased user or team in the customer's test ledger, if the customer has test keys. The
 * live ledger calls this before an erasure is complete, and repeats it after a failure. Throws on any failure.
 */
export async function shareErasure(env: Bindings, customer_id: string): Promise<void> {
  if (await hasTestKeys(env, customer_id)) await shareEntitlements(env, customer_id)
}

async function hasTestKeys(env: Bindings, customer_id: string): Promise<boolean> {
  return (await env.DB.prepare(HAS_TEST_KEYS).bind(customer_id).first()) !== null
}
