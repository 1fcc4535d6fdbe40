import type { Bindings } from '../../bindings.ts'
import type { Config } from '../../config.ts'
import type { CustomerStatus, Tier } from '../../db/schema.ts'
import { LEDGERS_BEHIND } from '../../ledger/flush/flush-failures.ts'
import { type AllPaymentFigures, readPaymentFigures } from '../../ledger/payments/figures.ts'
import { logInfo } from '../../logging/log.ts'
import { hourOf } from '../../logging/outcomes.ts'
import { HOUR_MS } from '../../time/durations.ts'
import { readWebhookFigures, type WebhookFigures } from '../../webhooks/figures.ts'
import type { Activity } from './cost-estimate.ts'
import { allHours, type HourOfOutcomes, type OutcomeRow, outcomesByHour } from './outcome-figures.ts'

/**
 * The figures for operators and alerts, all from D1. Every SQL statement reads a limited number of rows. `complete` is
 * false if a count reaches the limit, because D1 might contain more rows.
 */
export interface Figures {
  readonly customers: {
    readonly counts: readonly CustomerCount[]
    readonly complete: boolean
  }
  readonly ledgers: { readonly count: number; readonly complete: boolean }
  readonly flush: Backlog
  readonly rollups: Backlog
  readonly reconcile: Reconciled
  readonly dead_letters: { readonly count: number; readonly complete: boolean }
  readonly webhooks: WebhookFigures
  readonly payments: AllPaymentFigures
  /** The start of the first hour in `hours`, which contains the current hour and the previous 23 hours. */
  readonly since_ms: number
  /** The outcomes of each hour with requests, oldest hour first. */
  readonly hours: readonly HourOfOutcomes[]
}

export interface CustomerCount {
  readonly status: CustomerStatus
  readonly tier: Tier
  readonly count: number
}

export interface Backlog {
  readonly ledgers_behind: number
  /**
   * The commit time of the oldest missing entry; null if no entry is missing. For rollups, the time is approximate: it
   * is the last commit time in a page of the flush that contains the entry.
   */
  readonly oldest_at_ms: number | null
}

export interface Reconciled {
  /** The number of ledgers whose last check found differences that could not be repaired. */
  readonly different: number
  /** The time at which any ledger was last checked; null if no ledger was checked yet. */
  readonly last_run_at_ms: number | null
  /** The number of ledgers that were never checked. */
  readonly unchecked: number
}

const MAX_CUSTOMERS = 100_000
const MAX_LEDGERS = 100_000
const MAX_LISTED = 10_000
const HOURS = 24

// Reads only the index: 1 row for each customer.
const COUNT_CUSTOMERS = `
  SELECT status, tier, count(*) AS count FROM (SELECT status, tier FROM customers LIMIT ?1) GROUP BY status, tier`

const COUNT_BEHIND = `
  SELECT count(*) AS ledgers_behind, min(unflushed_since_ms) AS oldest_at_ms
  FROM (${LEDGERS_BEHIND} LIMIT ?1)`

// Reads 3 rows for each ledger. Reads 1 more row, the page of the first missing entry, for each ledger whose usage is
// not in the rollups yet.
const COUNT_LEDGERS = `
  SELECT count(*) AS count, coalesce(sum(rolled_entry < flushed_entry), 0) AS ledgers_behind,
    min(CASE WHEN rolled_entry < flushed_entry THEN (
      SELECT last_at_ms FROM ledger_pages p
      WHERE p.ledger_id = l.ledger_id AND p.flush_entry <= rolled_entry + 1
      ORDER BY p.flush_entry DESC LIMIT 1) END) AS oldest_at_ms,
    max(checked_at_ms) AS last_run_at_ms, coalesce(sum(checked_at_ms IS NULL), 0) AS unchecked
  FROM (
    SELECT l.ledger_id, l.flushed_entry, coalesce(r.rolled_entry, 0) AS rolled_entry, c.checked_at_ms FROM ledgers l
    LEFT JOIN rollup_watermarks r ON r.ledger_id = l.ledger_id AND r.state = 'active'
    LEFT JOIN reconciliations c ON c.ledger_id = l.ledger_id LIMIT ?1) l`

const COUNT_DIFFERENT = `
  SELECT count(*) AS count FROM (SELECT 1 FROM reconciliations WHERE status = 'DIFFERENT' LIMIT ?1)`

const COUNT_DEAD_LETTERS = `SELECT count(*) AS count FROM (SELECT 1 FROM dead_letters WHERE state = 'open' LIMIT ?1)`

const SELECT_OUTCOMES = `
  SELECT hour_ms, outcome, count FROM outcome_counts WHERE hour_ms >= ?1 ORDER BY hour_ms, outcome LIMIT ?2`

/** Reads the figures from D1. Throws if D1 fails. */
export async function readFigures(env: Pick<Bindings, 'DB'>, now_ms: number): Promise<Figures> {
  const { DB } = env
  const since_ms = hourOf(now_ms) - (HOURS - 1) * HOUR_MS
  const [customers, flush, ledgers, different, dead_letters, outcomes, webhooks, payments] =
    await Promise.all([
      DB.prepare(COUNT_CUSTOMERS).bind(MAX_CUSTOMERS).all<CustomerCount>(),
      DB.prepare(COUNT_BEHIND).bind(MAX_LISTED).first<Backlog>(),
      DB.prepare(COUNT_LEDGERS)
        .bind(MAX_LEDGERS)
        .first<Backlog & Omit<Reconciled, 'different'> & { readonly count: number }>(),
      DB.prepare(COUNT_DIFFERENT).bind(MAX_LISTED).first<{ readonly count: number }>(),
      DB.prepare(COUNT_DEAD_LETTERS).bind(MAX_LISTED).first<{ readonly count: number }>(),
      DB.prepare(SELECT_OUTCOMES).bind(since_ms, MAX_LISTED).all<OutcomeRow>(),
      readWebhookFigures(env),
      readPaymentFigures(env),
    ])
  if (!flush || !ledgers || !different || !dead_letters) throw new Error('D1 returned no row for a count')
  const counted = customers.results.reduce((sum, { count }) => sum + count, 0)
  return {
    customers: { counts: customers.results, complete: counted < MAX_CUSTOMERS },
    ledgers: { count: ledgers.count, complete: ledgers.count < MAX_LEDGERS },
    flush,
    rollups: { ledgers_behind: ledgers.ledgers_behind, oldest_at_ms: ledgers.oldest_at_ms },
    reconcile: {
      different: different.count,
      last_run_at_ms: ledgers.last_run_at_ms,
      unchecked: ledgers.unchecked,
    },
    dead_letters: { count: dead_letters.count, complete: dead_letters.count < MAX_LISTED },
    webhooks,
    payments,
    since_ms,
    hours: outcomesByHour(outcomes.results),
  }
}

/**
 * Returns the time since `oldest_at_ms` in whole seconds. Returns 0 if `oldest_at_ms` is null, or if it is in the
 * future because clocks differ.
 */
export function lagSeconds(oldest_at_ms: number | null, now_ms: number): number {
  return oldest_at_ms === null ? 0 : Math.max(0, Math.round((now_ms - oldest_at_ms) / 1_000))
}

/** Returns the activity in the current and the previous 23 hours, from which the cost is estimated. */
export function activityOf(figures: Figures, now_ms: number, { flush_delay_ms }: Config): Activity {
  const { requests, changes, events } = allHours(figures.hours)
  return {
    requests,
    changes,
    events,
    ledgers: figures.ledgers.count,
    period_ms: now_ms - figures.since_ms,
    flush_delay_ms,
  }
}

/**
 * Logs the main figures of `GET /v1/admin/stats` as one line, for alerts on logs. The outcomes cover the current hour
 * and the previous 23 hours.
 */
export async function logFigures(env: Pick<Bindings, 'DB'>, now_ms: number): Promise<void> {
  const figures = await readFigures(env, now_ms)
  const { customers, ledgers, flush, rollups, reconcile, dead_letters, webhooks, payments, hours } = figures
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
    webhooks_pending: webhooks.pending,
    webhooks_overdue_seconds: lagSeconds(webhooks.oldest_due_at_ms, now_ms),
    webhook_endpoints_failing: webhooks.failing_endpoints,
    webhook_endpoints_disabled: webhooks.disabled_endpoints,
    payments_pending: payments.pending,
    payments_oldest_open_seconds: lagSeconds(payments.oldest_open_at_ms, now_ms),
    payments_disputed: payments.disputed,
    top_ups_paused: payments.top_ups_paused,
    requests,
    status_402: statuses['402'],
    status_409: statuses['409'],
    status_429: statuses['429'],
    status_5xx: statuses['5xx'],
  })
}
