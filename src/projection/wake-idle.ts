import type { Bindings } from '../bindings.ts'
import { configOf } from '../config.ts'
import { logError, logInfo } from '../logging/log.ts'

/** A ledger is looked at in this many runs, so that it is not missed when one fails. */
const OVERLAP_MS = 3_600_000
const MAX_LEDGERS = 1_000
const AT_ONCE = 20

// One row read for each ledger that there is, none written: what is idle has nothing else that could wake it.
const GONE_IDLE = `
  SELECT ledger_id FROM ledgers WHERE flushed_at_ms >= ?1 AND flushed_at_ms < ?2 ORDER BY flushed_at_ms LIMIT ?3`

/**
 * Wakes the ledgers whose last commit has just become as old as a key may be. In use, a ledger forgets its old journal
 * rows in the alarms that flush it, and sets no alarm for that alone; one that nobody uses any more would keep its last
 * rows for ever. To wake it is enough: it arms its alarm for what is overdue.
 */
export async function wakeIdleLedgers(env: Bindings, now_ms: number): Promise<void> {
  const before_ms = now_ms - configOf(env).idempotency_window_ms
  const { results } = await env.DB.prepare(GONE_IDLE)
    .bind(before_ms - OVERLAP_MS, before_ms, MAX_LEDGERS)
    .all<{ ledger_id: string }>()
  for (let i = 0; i < results.length; i += AT_ONCE) {
    await Promise.all(results.slice(i, i + AT_ONCE).map(({ ledger_id }) => wake(env, ledger_id)))
  }
  if (results.length > 0) logInfo('idle_ledgers_woken', { ledgers: results.length })
}

async function wake(env: Bindings, ledger_id: string): Promise<void> {
  try {
    await env.LEDGER.getByName(ledger_id).wake()
  } catch (error) {
    logError('idle_ledger_not_woken', error, { ledger: ledger_id })
  }
}
