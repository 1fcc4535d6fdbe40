import type { Bindings } from '../bindings.ts'
import { MODES } from '../db/schema.ts'
import { revokeLedgerKey } from '../ledger/client/client.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import { forgetCachedKey } from './authentication/lookup.ts'
import { publishKeys } from './publishing.ts'
import { readRevocation, revokeKey } from './rows.ts'

/**
 * Brings what D1 says of a key's end to the ledgers that it acts on, which refuse it from then on however stale a cache
 * is, and to KV, from where it reaches everything else within 90 s. A test key acts on the live ledger too, where
 * burn tables and entitlements are kept. Throws when a part failed; can be repeated.
 */
export async function settleRevocation(env: Bindings, customer_id: string, key_id: string): Promise<void> {
  const key = await readRevocation(env, customer_id, key_id)
  if (!key || key.revoked_at_ms === null) return
  const { mode, revoked_at_ms, key_hash } = key
  forgetCachedKey(key_hash)
  for (const acts_on of mode === 'test' ? MODES : [mode]) {
    requireReached(await revokeLedgerKey(env, { customer_id, mode: acts_on }, key_id, revoked_at_ms))
  }
  await publishKeys(env, [key_hash])
  // A request that came meanwhile may have read the record that was there before.
  forgetCachedKey(key_hash)
}

/**
 * Ends a customer's key now: D1 first, since it is what everything is rebuilt from. Whether it may be ended by whoever
 * asks was decided before. `also` stands directly behind the change in its batch, and must do nothing when it changes
 * no row.
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

/** A ledger that was told and did not take it is a part that failed. */
export function requireReached(outcome: { readonly kind: 'done' } | Refused): void {
  if (outcome.kind === 'refused') throw new Error(`the ledger is ${outcome.refusal.code}`)
}
