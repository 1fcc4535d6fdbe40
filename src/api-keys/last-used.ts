import type { Bindings } from '../bindings.ts'
import { logError } from '../logging/log.ts'
import { ExpiringMap } from './authentication/cache.ts'

/**
 * Records when a key was last used, at 1 row per hour and key and without delaying requests: the stored time is at
 * most this much older than the last use.
 */
export const LAST_USED_PRECISION_MS = 3_600_000
/** The pause after a failure, so that an unavailable D1 is not called by every request. */
const RETRY_MS = 60_000

const noted = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: LAST_USED_PRECISION_MS })
const failed = new ExpiringMap<true>({ capacity: 10_000, ttl_ms: RETRY_MS })

// Every isolate sends this; only the first of the hour writes.
const NOTE = `
  UPDATE api_keys SET last_used_at_ms = ?2
  WHERE key_id = ?1 AND (last_used_at_ms IS NULL OR last_used_at_ms <= ?2 - ${LAST_USED_PRECISION_MS})`

/** Records a use after the response, unless this isolate did so within the hour. */
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

/** For tests: resets the state to that of a new isolate. */
export function forgetNotedUses(): void {
  noted.clear()
  failed.clear()
}
