import type { Bindings } from '../bindings.ts'
import { MODES } from '../db/schema.ts'
import { notify, revokeLedgerKey } from '../ledger/client/client.ts'
import type { Refused } from '../ledger/model/refusal.ts'
import { forgetCachedKey } from './authentication/lookup.ts'
import { publishKeys } from './publishing.ts'
import { readRevocation, revokeKey } from './rows.ts'

/**
 * Sends the end of a key from D1 to its ledgers and to KV. From the end on, the ledgers refuse the key even if a
 * cache still admits it. Everything else refuses it within 90 s. A test key also acts on the live ledger, which keeps
 * burn tables and entitlements. Throws if a part failed. The call can be repeated.
 */
export async function settleRevocation(env: Bindings, customer_id: string, key_id: string): Promise<void> {
  const key = await readRevocation(env, customer_id, key_id)
  if (!key || key.revoked_at_ms === null) return
  const { mode, revoked_at_ms, key_hash } = key
  forgetCachedKey(key_hash)
  for (const acts_on of mode === 'test' ? MODES : [mode]) {
    requireReached(await revokeLedgerKey(env, { customer_id, mode: acts_on }, key_id, revoked_at_ms))
  }
  // Adds this notification only for a key that has ended. A key that still works is named in the notification of its
  // successor.
  if (revoked_at_ms <= Date.now()) {
    const notice = { type: 'api_key.deleted', data: { key_id } } as const
    requireReached(await notify(env, { customer_id, mode }, { id: `api_key.deleted ${key_id}`, notice }))
  }
  await publishKeys(env, [key_hash])
  // A concurrent request may have cached the previous record.
  forgetCachedKey(key_hash)
}

/**
 * Ends a customer's key now. Writes D1 first, because everything else is rebuilt from D1. The caller must have
 * checked the permission. `also` runs directly after the change in the same batch. It must write nothing if the
 * change affects no row.
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

/** Checks the outcome of an update of a ledger. Throws if the ledger refused it. */
export function requireReached(outcome: { readonly kind: 'done' } | Refused): void {
  if (outcome.kind === 'refused') throw new Error(`the ledger is ${outcome.refusal.code}`)
}
