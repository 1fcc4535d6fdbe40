import type { Bindings } from '../bindings.ts'
import { logError } from '../logging/log.ts'
import { LATE, withDeadline } from '../time/durations.ts'

const CACHED_FOR_MS = 5_000
const TIMEOUT_MS = 3_000

interface Check {
  readonly ok: boolean
  readonly latency_ms: number
}

export interface Readiness {
  readonly checks: { readonly d1: Check; readonly kv: Check; readonly object: Check }
  /** The names of the dependencies that failed or did not respond in time. */
  readonly failed: readonly string[]
}

interface Look {
  readonly at_ms: number
  readonly readiness: Promise<Readiness>
}

/**
 * The last check of this isolate for each bindings object. The check can still be in progress. Requests share the
 * check, because `/ready` is public and must not overload D1.
 */
const looks = new WeakMap<object, Look>()

/**
 * Checks whether D1, KV and a ledger object respond within 3 seconds. Returns the last check instead if it began less
 * than 5 seconds ago. `keep_alive` lets a shared check continue after the end of the request that started it.
 */
export function readinessOf(
  env: Bindings,
  now_ms: number,
  keep_alive: (work: Promise<unknown>) => void,
): Promise<Readiness> {
  const last = looks.get(env)
  if (last && now_ms - last.at_ms < CACHED_FOR_MS) return last.readiness
  const readiness = look(env)
  looks.set(env, { at_ms: now_ms, readiness })
  keep_alive(readiness)
  return readiness
}

async function look(env: Bindings): Promise<Readiness> {
  const [d1, kv, object] = await Promise.all([
    check('d1', () => env.DB.prepare('SELECT 1').first()),
    check('kv', () => env.API_KEYS.get('ready')),
    check('object', () => env.LEDGER.getByName('health').ping()),
  ])
  const checks = { d1, kv, object }
  const failed = Object.entries(checks).flatMap(([dependency, { ok }]) => (ok ? [] : [dependency]))
  return { checks, failed }
}

async function check(dependency: string, probe: () => Promise<unknown>): Promise<Check> {
  const started_ms = Date.now()
  try {
    if ((await withDeadline(probe(), TIMEOUT_MS)) === LATE)
      throw new Error(`no response within ${TIMEOUT_MS} ms`)
    return { ok: true, latency_ms: Date.now() - started_ms }
  } catch (error) {
    logError('not_ready', error, { dependency })
    return { ok: false, latency_ms: Date.now() - started_ms }
  }
}
