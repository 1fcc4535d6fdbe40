import { logFigures } from './admin/stats/figures.ts'
import type { Bindings } from './bindings.ts'
import { configOf } from './config.ts'
import { type Job, runJobs } from './cron/run-jobs.ts'
import { forgetSessions } from './dashboard/sessions.ts'
import { RETENTION_CALLS } from './db/retention.ts'
import { forgetAnswers } from './http/output/stored-answers.ts'
import { forgetFlushFailures } from './ledger/flush/flush-failures.ts'
import { logFailure, logInfo } from './logging/log.ts'
import { forgetOutcomes } from './logging/outcomes.ts'
import { forgetNotifications } from './notifications/store.ts'
import { reconcileDaily } from './projection/reconcile/reconcile-all.ts'
import { sweepLedgers } from './projection/sweep-ledgers.ts'
import { checkpointDaily } from './proof/checkpoint.ts'
import { rerateChanged } from './rating/late/rerate.ts'
import { readPriceFeed } from './rating/price-feed/read.ts'
import { rewrapDataKeys } from './secrets/data-keys.ts'
import { DAY_MS, MINUTE_MS } from './time/durations.ts'
import { forgetReplayed } from './usage/queue/dead-letters.ts'
import { deleteRetired, expireDays, finishRebuilds } from './usage/rollups/upkeep.ts'
import { notifyOperator } from './webhooks/operator-notifications.ts'
import { HAND_ON_CALLS, SWEEP_CALLS, sweepDeliveries, sweepNotifications } from './webhooks/queue/sweep.ts'
import { forgetDeliveries } from './webhooks/records/forget.ts'

/**
 * The jobs that run every 15 minutes (`crons` in `wrangler.toml`). Each run does a limited part of the work of each
 * job.
 */
export const JOBS: readonly Job[] = [
  {
    name: 'late_rating',
    calls: 220,
    run: async ({ env, after, reach }) => {
      const summary = await rerateChanged(env, after, reach)
      if (summary.examined > 0) logInfo('events_rerated', { ...summary })
    },
  },
  { name: 'ledgers', calls: 250, run: ({ env, after, reach }) => sweepLedgers(env, after, reach) },
  {
    name: 'rebuilds',
    calls: 80,
    run: async ({ env, now_ms }) => {
      const rebuilt = await finishRebuilds(env.DB, now_ms)
      if (rebuilt > 0) logInfo('rollups_rebuilt', { rebuilt })
    },
  },
  {
    name: 'retired_rollups',
    calls: 65,
    run: async ({ env, now_ms }) => {
      const deleted_rows = await deleteRetired(env.DB, now_ms)
      if (deleted_rows > 0) logInfo('retired_rollups_deleted', { deleted_rows })
    },
  },
  {
    name: 'rollup_retention',
    calls: 75,
    run: async ({ env, now_ms, after, reach }) => {
      const { rollup_retention_days } = configOf(env)
      const expired_rows = await expireDays(env.DB, rollup_retention_days, now_ms, after, reach)
      if (expired_rows > 0) logInfo('rollup_days_expired', { expired_rows })
    },
  },
  {
    name: 'reconciliation',
    calls: 185,
    run: ({ env, now_ms }) => reconcileDaily(env, now_ms),
  },
  {
    name: 'checkpoints',
    calls: 55,
    run: (run) => checkpointDaily(run),
  },
  {
    name: 'dead_letters',
    calls: 1,
    run: async ({ env, now_ms }) => {
      const forgotten_letters = await forgetReplayed(env.DB, now_ms)
      if (forgotten_letters > 0) logInfo('dead_letters_forgotten', { forgotten_letters })
    },
  },
  {
    name: 'stored_answers',
    calls: 10,
    run: ({ env, now_ms, after, reach }) =>
      forgetAnswers(env, now_ms - configOf(env).idempotency_window_ms, { after, reach, rounds: 5 }),
  },
  {
    name: 'price_feed',
    calls: 25,
    run: async ({ env, now_ms }) => {
      await readPriceFeed(env, now_ms)
    },
  },
  {
    name: 'data_keys',
    calls: 3,
    run: async ({ env, now_ms, after, reach }) => {
      const { written, deleted, locked } = await rewrapDataKeys(env, now_ms, { after, reach })
      if (locked > 0) logFailure('data_keys_locked', { locked })
      if (written + deleted > 0) logInfo('data_keys_rewrapped', { written, deleted })
    },
  },
  {
    name: 'dashboard_sessions',
    calls: 1,
    run: async ({ env, now_ms }) => {
      const deleted = await forgetSessions(env, now_ms)
      if (deleted > 0) logInfo('dashboard_sessions_deleted', { deleted })
    },
  },
  { name: 'outcomes', calls: 1, run: ({ env, now_ms }) => forgetOutcomes(env, now_ms) },
  { name: 'flush_failures', calls: 1, run: ({ env, now_ms }) => forgetFlushFailures(env, now_ms) },
  { name: 'figures', calls: 9, run: ({ env, now_ms }) => logFigures(env, now_ms) },
]

/** The jobs that run every minute. They process notifications and webhooks. */
export const MINUTE_JOBS: readonly Job[] = [
  {
    name: 'webhook_deliveries',
    calls: SWEEP_CALLS,
    run: async (run) => {
      const deliveries = await sweepDeliveries(run)
      if (deliveries > 0) logInfo('webhooks_swept', { deliveries })
    },
  },
  {
    name: 'notification_hints',
    calls: HAND_ON_CALLS,
    run: sweepNotifications,
  },
  {
    name: 'notification_retention',
    calls: RETENTION_CALLS,
    run: async ({ env, now_ms, after, reach }) => {
      const before_ms = now_ms - configOf(env).notification_days * DAY_MS
      const deleted = await forgetNotifications(env, before_ms, { after, reach })
      if (deleted > 0) logInfo('notifications_deleted', { deleted })
    },
  },
  {
    name: 'webhook_log',
    calls: RETENTION_CALLS,
    run: async (run) => {
      const deleted = await forgetDeliveries(run)
      if (deleted > 0) logInfo('webhook_deliveries_deleted', { deleted })
    },
  },
  { name: 'operator_notifications', calls: 12, run: notifyOperator },
]

const EVERY_MINUTE = '* * * * *'
const QUARTER_MS = 15 * MINUTE_MS

/** Runs all jobs of the cron trigger. Consecutive runs begin with different jobs. */
export function runCron({ cron, scheduledTime }: ScheduledController, env: Bindings): Promise<void> {
  const [jobs, every_ms] = cron === EVERY_MINUTE ? [MINUTE_JOBS, MINUTE_MS] : [JOBS, QUARTER_MS]
  return runJobs(env, jobs, Date.now(), Math.floor(scheduledTime / every_ms))
}
