import type { Config } from '../../config.ts'
import { CUSTOMER_STATUSES, TIERS } from '../../db/schema.ts'
import { PROBLEMS } from '../../http/output/problem-codes.ts'
import { PAYMENT_STATUSES } from '../../ledger/model/payments.ts'
import { formatUsd } from '../../pricing/money.ts'
import { DAY_MS } from '../../time/durations.ts'
import { estimatedCost } from './cost-estimate.ts'
import { activityOf, type Backlog, type Figures, lagSeconds } from './figures.ts'
import { allHours } from './outcome-figures.ts'
import type { Metric, Sample } from './prometheus.ts'

/**
 * Returns the figures of `GET /v1/admin/stats` as Prometheus metrics. Each label has a fixed set of values and never
 * contains a customer, so the number of series does not grow.
 */
export function metricsOf(figures: Figures, now_ms: number, config: Config): Metric[] {
  return [
    ...gauges(figures, now_ms),
    ...counters(figures, now_ms),
    gauge(
      'estimated_cost_usd',
      "An upper estimate of the platform's charges for the current hour and the previous 23 hours.",
      { value: formatUsd(estimatedCost(activityOf(figures, now_ms, config))) },
    ),
    gauge('figures_complete', '1 if the count is complete, 0 if more rows may exist than were counted.', [
      flag('customers', figures.customers.complete),
      flag('ledgers', figures.ledgers.complete),
      flag('dead_letters', figures.dead_letters.complete),
      flag('webhooks', figures.webhooks.complete),
      flag('payments', figures.payments.complete),
    ]),
  ]
}

function gauges(figures: Figures, now_ms: number): Metric[] {
  const { customers, ledgers, flush, rollups, reconcile, dead_letters, webhooks, payments } = figures
  const customerCount = (status: string, tier: string) =>
    customers.counts.find((row) => row.status === status && row.tier === tier)?.count ?? 0
  return [
    gauge(
      'customers',
      'Customers by status and tier.',
      CUSTOMER_STATUSES.flatMap((status) =>
        TIERS.map((tier) => ({ labels: { status, tier }, value: customerCount(status, tier) })),
      ),
    ),
    gauge('ledgers', 'Ledgers.', { value: ledgers.count }),
    ...backlog('flush', 'D1 after a failed flush', flush, now_ms),
    ...backlog('rollups', 'analytics', rollups, now_ms),
    gauge(
      'reconcile_different_ledgers',
      'Ledgers whose last check found differences that could not be repaired.',
      {
        value: reconcile.different,
      },
    ),
    gauge('reconcile_unchecked_ledgers', 'Ledgers that were never checked.', { value: reconcile.unchecked }),
    gauge(
      'reconcile_last_run_timestamp_seconds',
      'Unix time at which any ledger was last checked.',
      reconcile.last_run_at_ms === null ? [] : { value: reconcile.last_run_at_ms / 1_000 },
    ),
    gauge('dead_letters', 'Usage messages that could not be consumed.', { value: dead_letters.count }),
    gauge('webhook_deliveries_pending', 'Pending webhook deliveries.', {
      value: webhooks.pending,
    }),
    gauge('webhook_overdue_seconds', 'Seconds since the oldest pending webhook attempt was due.', {
      value: lagSeconds(webhooks.oldest_due_at_ms, now_ms),
    }),
    gauge('webhook_endpoints_failing', 'Enabled webhook endpoints whose last attempt failed.', {
      value: webhooks.failing_endpoints,
    }),
    gauge('webhook_endpoints_disabled', 'Webhook endpoints that were disabled because of failures.', {
      value: webhooks.disabled_endpoints,
    }),
    gauge(
      'payments',
      'Payments of live ledgers by status.',
      PAYMENT_STATUSES.map((status) => ({ labels: { status }, value: payments[status] })),
    ),
    gauge('payments_oldest_open_seconds', 'Age in seconds of the oldest payment without an outcome.', {
      value: lagSeconds(payments.oldest_open_at_ms, now_ms),
    }),
    gauge(
      'top_ups_paused',
      'Wallets with a Stripe customer that have too few credits and whose automatic top-up is paused.',
      {
        value: payments.top_ups_paused,
      },
    ),
  ]
}

function backlog(name: string, target: string, { ledgers_behind, oldest_at_ms }: Backlog, now_ms: number) {
  return [
    gauge(`${name}_ledgers_behind`, `Ledgers with entries that are missing in ${target}.`, {
      value: ledgers_behind,
    }),
    gauge(`${name}_lag_seconds`, `Age in seconds of the oldest entry that is missing in ${target}.`, {
      value: lagSeconds(oldest_at_ms, now_ms),
    }),
  ]
}

/**
 * Returns the outcomes since midnight UTC as counters. The counters start again at 0 each day. Prometheus treats the
 * fall to 0 like a restart, so `rate` and `increase` stay correct. A sum over the last 24 hours could fall to other
 * values, so it would not be a counter.
 */
function counters({ hours }: Figures, now_ms: number): Metric[] {
  const midnight_ms = Math.floor(now_ms / DAY_MS) * DAY_MS
  const today = allHours(hours.filter(({ hour_ms }) => hour_ms >= midnight_ms))
  return [
    counter(
      'requests',
      'Requests since midnight UTC by status class.',
      (['2xx', '4xx', '5xx'] as const).map((status) => ({
        labels: { status },
        value: today.statuses[status],
      })),
    ),
    counter(
      'problems',
      'Refused and failed requests since midnight UTC by problem code.',
      byCode(today.codes),
    ),
    counter('replayed_requests', 'Requests since midnight UTC that got a stored response.', {
      value: today.replayed,
    }),
    counter(
      'rejected_events',
      'Events since midnight UTC that were rejected although their batch got a 200 response, by problem code.',
      byCode(today.rejected_events),
    ),
    counter('changes', 'Successful write requests since midnight UTC, without replays.', {
      value: today.changes,
    }),
    counter('events', 'Events ingested since midnight UTC, without replays.', { value: today.events }),
  ]
}

/**
 * Returns one sample for each problem code, with 0 for a code that has not occurred. Otherwise, `increase` would miss
 * the first occurrence of a code.
 */
function byCode(counts: Readonly<Record<string, number>>): Sample[] {
  const known = Object.entries(PROBLEMS).map(([code, { status }]) => ({
    labels: { code, status: String(status) },
    value: counts[code] ?? 0,
  }))
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0)
  // The number of problems with unknown codes, which another version of the Worker counted. `outcome-figures.ts` counts
  // them as 4xx.
  const unknown = all - known.reduce((sum, { value }) => sum + value, 0)
  return [...known, { labels: { code: 'other', status: '400' }, value: unknown }]
}

function flag(figure: string, complete: boolean): Sample {
  return { labels: { figure }, value: complete ? 1 : 0 }
}

function gauge(name: string, help: string, samples: Sample | readonly Sample[]): Metric {
  return { name: `openmonetize_${name}`, type: 'gauge', help, samples: [samples].flat() }
}

function counter(name: string, help: string, samples: Sample | readonly Sample[]): Metric {
  return { name: `openmonetize_${name}_total`, type: 'counter', help, samples: [samples].flat() }
}
