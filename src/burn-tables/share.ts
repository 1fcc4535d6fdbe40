import type { Bindings } from '../bindings.ts'
import { shareBurnTables, shareEntitlements } from '../ledger/client/client.ts'
import { logError } from '../logging/log.ts'

const HAS_TEST_KEYS = "SELECT 1 FROM api_keys WHERE customer_id = ? AND mode = 'test' LIMIT 1"

/**
 * Brings a change of burn tables or entitlements to the customer's test ledger, if it has one: to touch an object that nobody opened would decide
 * where it lives. The change stands already, so a failure is logged and not answered: the next change carries
 * everything, and so does a repeat of this one.
 */
export async function shareWithTestLedger(env: Bindings, customer_id: string): Promise<void> {
  try {
    const test_key = await env.DB.prepare(HAS_TEST_KEYS).bind(customer_id).first()
    if (test_key) await Promise.all([shareBurnTables(env, customer_id), shareEntitlements(env, customer_id)])
  } catch (error) {
    logError('definitions_not_shared', error, { customer_id })
  }
}
