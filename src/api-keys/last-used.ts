import type { Bindings } from '../bindings.ts'
import { logError } from '../logging/log.ts'
import { ExpiringMap } from './authentication/cache.ts'

/**
 * When a key was last used, at the price of 1 row an hour and key and never of a request: the stored time is at most
 * this much older than the last use.
 */
export const LAST_USED_PRECISION_MS = 3_600_000
/** After a failure: a D1 that is down is not asked at every request. */
const RETRY_MS = 60_000

const noted = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: LAST_USED_PRECISION_MS })
const failed = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: RETRY_MS })

// Every isolate comes with it; only the first of the hour writes.
const NOTE = `
  UPDATE api_keys SET last_used_at_ms = ?2
  WHERE key_id = ?1 AND (last_used_at_ms IS NULL OR last_used_at_ms <= ?2 - ${LAST_USED_PRECISION_MS})`

/** Notes that a key was used now; behind the answer, and only if this isolate has not noted it within the hour. */
export function noteKeyUse(
  env: Pick<Bindings, 'DB'>,
  key_id: string,
  now_ms: number,
  defer: (work: Promise<unknown>) => void,
): void {
  if (noted.get(key_id, now_ms) || failed.get(key_id, now_ms)) return
  noted.set(key_id, true, now_ms)
  defer(writeKeyUse(env, key_id, now_ms))
}

async function writeKeyUse(env: Pick<Bindings, 'DB'>, key_id: string, now_ms: number): Promise<void> {
  try {
    await env.DB.prepare(NOTE).bind(key_id, now_ms).run()
  } catch (error) {
    noted.delete(key_id)
    failed.set(key_id, true, now_ms)
    logError('key_use_not_noted', error, { key_id })
  }
}

/** For tests: as if this isolate had just started. */
export function forgetNotedUses(): void {
  noted.clear()
  failed.clear()
}
