import type { Bindings } from '../../bindings.ts'
import { logInfo } from '../../logging/log.ts'
import { lagSeconds, readFigures } from './figures.ts'
import { allHours } from './outcome-figures.ts'

/** What `GET /v1/admin/stats` says, in a line of the log, for alerts that look there. The outcomes are of 24 hours. */
export async function logFigures(env: Pick<Bindings, 'DB'>, now_ms: number): Promise<void> {
  const { customers, ledgers, flush, rollups, reconcile, dead_letters, hours } = await readFigures(
    env,
    now_ms,
  )
  const { requests, statuses } = allHours(hours)
  logInfo('figures', {
    customers: customers.counts.reduce((sum, { count }) => sum + count, 0),
    ledgers: ledgers.count,
    flush_ledgers_behind: flush.ledgers_behind,
    flush_lag_seconds: lagSeconds(flush.oldest_at_ms, now_ms),
    rollup_ledgers_behind: rollups.ledgers_behind,
    rollup_lag_seconds: lagSeconds(rollups.oldest_at_ms, now_ms),
    reconcile_different: reconcile.different,
    dead_letters: dead_letters.count,
    requests,
    status_402: statuses['402'],
    status_409: statuses['409'],
    status_429: statuses['429'],
    status_5xx: statuses['5xx'],
  })
}
