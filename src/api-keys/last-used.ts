import type { Bindings } from '../bindings.ts'
import { logError } from '../logging/log.ts'
import { ExpiringMap, forgetCachedKey } from './authentication/lookup.ts'
import type { FoundKey } from './record.ts'
import { settleRevocation } from './revocation.ts'

/**
 * Records the uses of keys in D1, about once an hour per key. The same query reads whether the key is revoked in D1. If
 * the record of the request differs, this repairs a revocation that did not reach KV or a ledger.
 */

/** The fields of an admitted key that are compared with D1. */
type UsedKey = Pick<FoundKey, 'key_id' | 'key_hash' | 'customer_id' | 'revoked_at_ms'>

/**
 * The maximum time in ms between the stored last use of a key and its actual last use. The Worker therefore writes at
 * most 1 row per hour and key. It writes the row after the response, so it does not delay requests.
 */
const LAST_USED_PRECISION_MS = 3_600_000
/** The pause in ms after a failed write. Without the pause, every request would call D1 while D1 is unavailable. */
const RETRY_MS = 60_000

const noted = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: LAST_USED_PRECISION_MS })
const failed = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: RETRY_MS })

interface NotedRow {
  readonly last_used_at_ms: number | null
  readonly revoked_at_ms: number | null
}

// Each isolate runs this statement about once an hour per key. Only the first of these runs writes a row. The other
// isolates then read the row.
const NOTE = `
  UPDATE api_keys SET last_used_at_ms = ?2
  WHERE key_id = ?1 AND (last_used_at_ms IS NULL OR last_used_at_ms <= ?2 - ${LAST_USED_PRECISION_MS})
  RETURNING last_used_at_ms, revoked_at_ms`
const NOTED = 'SELECT last_used_at_ms, revoked_at_ms FROM api_keys WHERE key_id = ?1'

/**
 * Records a use of a key after the response, and repairs a lost revocation. Does nothing if this isolate knows that the
 * stored last use is less than an hour old, or if it failed within the last minute.
 */
export function noteKeyUse(
  env: Bindings,
  key: UsedKey,
  now_ms: number,
  defer: (work: Promise<unknown>) => void,
): void {
  const { key_id } = key
  if (noted.get(key_id, now_ms) || failed.get(key_id, now_ms)) return
  noted.set(key_id, true, now_ms)
  defer(writeKeyUse(env, key, now_ms))
}

async function writeKeyUse(env: Bindings, key: UsedKey, now_ms: number): Promise<void> {
  const { key_id } = key
  try {
    const { results } = await env.DB.prepare(NOTE).bind(key_id, now_ms).run<NotedRow>()
    const row = results[0] ?? (await env.DB.prepare(NOTED).bind(key_id).first<NotedRow>())
    await repairRevocation(env, key, row)
    // The pause begins at the time that another isolate has stored, and not at this use. Otherwise, the stored time
    // could be almost two hours older than a use at the end of the pause.
    noted.set(key_id, true, row?.last_used_at_ms ?? now_ms)
  } catch (error) {
    noted.delete(key_id)
    failed.set(key_id, true, now_ms)
    logError('key_use_not_noted', error, { key_id })
  }
}

/**
 * Repairs the record of a key in KV if it differs from the row in D1, which is null if the row was deleted. Without
 * this repair, a revoked key would keep working on the routes that do not call a ledger if both attempts to write its
 * revocation to KV had failed.
 */
async function repairRevocation(env: Bindings, key: UsedKey, row: NotedRow | null): Promise<void> {
  if (!row) {
    await env.API_KEYS.delete(key.key_hash)
    forgetCachedKey(key.key_hash)
  } else if (row.revoked_at_ms !== key.revoked_at_ms) {
    await settleRevocation(env, key.customer_id, key.key_id)
  }
}

/** Removes all recorded uses and failures, for tests. */
export function forgetNotedUses(): void {
  noted.clear()
  failed.clear()
}
