import type { Bindings } from '../bindings.ts'
import { MODES } from '../db/schema.ts'
import { notify, revokeLedgerKey } from '../ledger/client/client.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import { forgetCachedKey } from './authentication/lookup.ts'
import { publishKeys } from './publishing.ts'
import { readRevocation, revokeKey } from './rows.ts'

/**
 * Sends the end of a key from D1 to its ledgers, which refuse it from then on even if a cache still admits it, and to
 * KV, which reaches everything else within 90 s. A test key also acts on the live ledger, which keeps burn tables and
 * entitlements. Throws if a part failed; can be repeated.
 */
export async function settleRevocation(env: Bindings, customer_id: string, key_id: string): Promise<void> {
  const key = await readRevocation(env, customer_id, key_id)
  if (!key || key.revoked_at_ms === null) return
  const { mode, revoked_at_ms, key_hash } = key
  forgetCachedKey(key_hash)
  for (const acts_on of mode === 'test' ? MODES : [mode]) {
    requireReached(await revokeLedgerKey(env, { customer_id, mode: acts_on }, key_id, revoked_at_ms))
  }
  // Adds this notification only for a key that ends now. A key that still works is named in the notification of its
  // successor.
  if (revoked_at_ms <= Date.now()) {
    const notice = { type: 'api_key.deleted', data: { key_id } } as const
    requireReached(await notify(env, { customer_id, mode }, { id: `api_key.deleted ${key_id}`, notice }))
  }
  await publishKeys(env, [key_hash])
  // A request in the meantime may have cached the previous record.
  forgetCachedKey(key_hash)
}

/**
 * Ends a customer's key now, in D1 first, because everything else is rebuilt from D1. The caller has checked the
 * permission. Put `also` directly after the change in its batch; it must do nothing if the change affects no row.
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

/** Throws if a ledger refused the update. */
export function requireReached(outcome: { readonly kind: 'done' } | Refused): void {
  if (outcome.kind === 'refused') throw new Error(`the ledger is ${outcome.refusal.code}`)
}
