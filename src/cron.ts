import { logFigures } from './admin/stats/figures.ts'
import type { Bindings } from './bindings.ts'
import { forgetFlushFailures } from './ledger/flush/flush-failures.ts'
import { logError, logInfo } from './logging/log.ts'
import { forgetOutcomes } from './logging/outcomes.ts'
import { reconcileDaily } from './projection/reconcile/reconcile-all.ts'
import { sweepLedgers } from './projection/sweep-ledgers.ts'
import { rerateAll } from './rating/rerate.ts'
import { keepRollups } from './usage/rollups/upkeep.ts'

/** Runs the scheduled jobs (`crons` in wrangler.toml). */
export async function runCron(_controller: ScheduledController, env: Bindings): Promise<void> {
  // Jobs run independently: a failed one does not stop the others.
  const now_ms = Date.now()
  const results = await Promise.allSettled([
    rerateEvents(env),
    sweepLedgers(env),
    keepRollups(env, now_ms),
    reconcileDaily(env, now_ms),
    forgetOutcomes(env, now_ms),
    forgetFlushFailures(env, now_ms),
    logFigures(env, now_ms),
  ])
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  for (const error of failed) logError('cron_failed', error)
  if (failed.length > 0) throw new Error(`${failed.length} of ${results.length} scheduled jobs failed`)
}

async function rerateEvents(env: Bindings): Promise<void> {
  const summary = await rerateAll(env)
  if (summary.examined > 0) logInfo('events_rerated', { ...summary })
}
