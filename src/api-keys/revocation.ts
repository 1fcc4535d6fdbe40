import type { Bindings } from '../bindings.ts'
import { MODES } from '../db/schema.ts'
import { notify, revokeLedgerKey } from '../ledger/client/client.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import { forgetCachedKey } from './authentication/lookup.ts'
import { publishKeys } from './publishing.ts'
import { readRevocation, revokeKey } from './rows.ts'

/**
 * Reads from D1 when a key stops working, and sends this time to the ledgers and to KV. From this time, the ledgers
 * refuse the key even if a cache still admits it. The rest of the API refuses it within 90 s. The end of a test key is
 * also sent to the live ledger, which stores the burn tables and entitlements of both modes. If the key has stopped
 * working, also adds the notification `api_key.deleted`. Does nothing if the key has no end. Throws if D1, a ledger or
 * KV fails. The call can be repeated. If no caller repeats it, a use of the key repeats it (`last-used.ts`).
 */
export async function settleRevocation(env: Bindings, customer_id: string, key_id: string): Promise<void> {
  const key = await readRevocation(env, customer_id, key_id)
  if (!key || key.revoked_at_ms === null) return
  const { mode, revoked_at_ms, key_hash } = key
  forgetCachedKey(key_hash)
  for (const acts_on of mode === 'test' ? MODES : [mode]) {
    requireReached(await revokeLedgerKey(env, { customer_id, mode: acts_on }, key_id, revoked_at_ms))
  }
  // Notifies only about a key that no longer works. The notification of the new key contains the id of a rotated key
  // that still works.
  if (revoked_at_ms <= Date.now()) {
    const notice = { type: 'api_key.deleted', data: { key_id } } as const
    requireReached(await notify(env, { customer_id, mode }, { id: `api_key.deleted ${key_id}`, notice }))
  }
  await publishKeys(env, [key_hash])
  // A concurrent request might have cached the previous record.
  forgetCachedKey(key_hash)
}

/**
 * Revokes a customer's key immediately. Writes D1 first, because KV and the ledgers are updated from D1. The caller
 * must check the permission first. The statements in `also` run directly after the change, in the same batch. They must
 * write nothing if the change affected no row.
 */
export async function revokeApiKey(
  env: Bindings,
  customer_id: string,
  key_id: string,
  now_ms: number,
  also: readonly D1PreparedStatement[] = [],
): Promise<void> {
  await env.DB.batch([revokeKey(env, customer_id, key_id, now_ms), ...also])
  await settleRevocation(env, customer_id, key_id)
}

/** Throws if a ledger refused an update. */
export function requireReached(outcome: { readonly kind: 'done' } | Refused): void {
  if (outcome.kind === 'refused') throw new Error(`the ledger refused the call: ${outcome.refusal.code}`)
}
