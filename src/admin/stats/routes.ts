import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type Config, configOf } from '../../config.ts'
import { CUSTOMER_STATUSES, TIERS } from '../../db/schema.ts'
import type { AppEnv } from '../../http/env.ts'
import { timeJson, timeOrNull } from '../../http/input/times.ts'
import { jsonResponse, usdJson } from '../../http/output/json.ts'
import { problem } from '../../http/output/problem.ts'
import { createRouter, json, route } from '../../http/route.ts'
import { PAYMENT_STATUSES } from '../../ledger/model/payments.ts'
import { logError } from '../../logging/log.ts'
import { picoUsd } from '../../pricing/money.ts'
import { type Activity, estimatedCost } from './cost-estimate.ts'
import {
  activityOf,
  type Backlog,
  type CustomerCount,
  type Figures,
  lagSeconds,
  readFigures,
} from './figures.ts'
import { metricsOf } from './metrics.ts'
import { allHours, type Outcomes, STATUS_FIGURES } from './outcome-figures.ts'
import { PRICES_AS_OF } from './platform-cost.ts'
import { PROMETHEUS_TYPE, prometheusText } from './prometheus.ts'

const count = z.int().min(0)
const complete = z.boolean().openapi({
  description:
    'Whether the count is complete. False if the count reached its maximum, because the true number might be higher.',
})
const time = z.string().openapi({ format: 'date-time' })

const backlogSchema = z.object({
  ledgers_behind: count,
  oldest_at: time.nullable().openapi({
    description: 'The approximate commit time of the oldest missing entry; null if no entry is missing.',
  }),
  lag_seconds: z
    .number()
    .openapi({ description: 'The age of the oldest missing entry in seconds; 0 if no entry is missing.' }),
})

const outcomesSchema = z.object({
  requests: count,
  by_status: z.object(Object.fromEntries(STATUS_FIGURES.map((figure) => [figure, count]))),
  by_code: z
    .record(z.string(), count)
    .openapi({ description: 'The number of refused and failed requests, by problem code.' }),
  replayed: count,
  rejected_events: z.record(z.string(), count).openapi({
    description:
      'The number of events that were rejected although their batch got a 200 response, by problem code.',
  }),
})

const usd = z.number().min(0)

const costSchema = z
  .object({
    changes: count.openapi({
      description: 'The number of successful write requests, without replays.',
    }),
    events: count.openapi({ description: 'The number of ingested events, without replays.' }),
    estimated_usd: usd,
    per_million_events_usd: usd.nullable().openapi({
      description: 'The estimated cost of a million events; null if there were no events.',
    }),
    prices_as_of: z.string().openapi({ format: 'date' }),
  })
  .openapi({
    description:
      "An upper estimate of the platform's charges for the hours in `outcomes`, at list prices and without storage. It does not subtract the amounts that the platform's plan includes. Only the platform's bill is exact.",
  })

const statsSchema = z
  .object({
    customers: z.object({
      total: count,
      by_status: z.object(Object.fromEntries(CUSTOMER_STATUSES.map((status) => [status, count]))),
      by_tier: z.object(Object.fromEntries(TIERS.map((tier) => [tier, count]))),
      complete,
    }),
    ledgers: z.object({ total: count, complete }),
    flush: backlogSchema.openapi({
      description: 'The ledgers that reported a failed flush to D1 and have not completed a later flush.',
    }),
    rollups: backlogSchema.openapi({
      description: 'The ledgers whose usage is in D1 but not yet in analytics.',
    }),
    reconcile: z.object({
      different: count.openapi({
        description: 'The number of ledgers whose last check found differences that could not be repaired.',
      }),
      unchecked: count.openapi({ description: 'The number of ledgers that were never checked.' }),
      last_run_at: time.nullable(),
    }),
    dead_letters: z.object({ open: count, complete }),
    webhooks: z.object({
      pending: count.openapi({ description: 'The number of pending webhook deliveries.' }),
      overdue_seconds: z.number().openapi({
        description: 'The seconds since the oldest pending attempt was due; 0 if no attempt is due.',
      }),
      failing_endpoints: count.openapi({
        description: 'The number of enabled webhook endpoints whose last attempt failed.',
      }),
      disabled_endpoints: count.openapi({
        description: 'The number of webhook endpoints that were disabled because of failures.',
      }),
      complete,
    }),
    payments: z
      .object({
        by_status: z.object(Object.fromEntries(PAYMENT_STATUSES.map((status) => [status, count]))),
        oldest_open_at: time
          .nullable()
          .openapi({ description: 'The creation time of the oldest payment without an outcome.' }),
        oldest_open_seconds: z.number().openapi({
          description:
            'The age of the oldest payment without an outcome in seconds; 0 if every payment has an outcome.',
        }),
        top_ups_paused: count.openapi({
          description:
            'The number of wallets with a Stripe customer that have too few credits and whose automatic top-up is paused.',
        }),
        complete,
      })
      .openapi({
        description:
          'The payments of live ledgers. The numbers are delayed by about a minute. A failed payment is counted until it is deleted.',
      }),
    outcomes: outcomesSchema
      .extend({ since: time, hours: z.array(outcomesSchema.extend({ hour: time })) })
      .openapi({
        description:
          'The outcomes of requests in the current hour and the previous 23 hours. The numbers are delayed by about a minute.',
      }),
    cost: costSchema,
    as_of: time,
  })
  .openapi('Stats')

const statsRoute = route({
  method: 'get',
  path: '/',
  summary: 'Get the figures for monitoring and alerts',
  answers: { 200: json('The figures.', statsSchema) },
})

const metricsRoute = route({
  method: 'get',
  path: '/',
  summary: 'Get the figures as Prometheus metrics',
  description:
    'Returns the figures of `GET /v1/admin/stats` in the Prometheus text format 0.0.4. Counters (`…_total`) start again at 0 at midnight UTC. They are delayed by about a minute.',
  answers: {
    200: { description: 'The metrics.', content: { 'text/plain': { schema: z.string() } } },
  },
})

export const statsRoutes = createRouter()

statsRoutes.openapi(statsRoute, (c) =>
  answerFigures(c, (figures, now_ms) => jsonResponse(c, renderStats(figures, now_ms, configOf(c.env)))),
)

export const metricsRoutes = createRouter()

metricsRoutes.openapi(metricsRoute, (c) =>
  answerFigures(c, (figures, now_ms) =>
    c.body(prometheusText(metricsOf(figures, now_ms, configOf(c.env))), 200, {
      'Content-Type': PROMETHEUS_TYPE,
    }),
  ),
)

async function answerFigures(
  c: Context<AppEnv>,
  render: (figures: Figures, now_ms: number) => Response,
): Promise<Response> {
  const now_ms = Date.now()
  try {
    return render(await readFigures(c.env, now_ms), now_ms)
  } catch (error) {
    logError('stats_not_read', error, { request_id: c.get('request_id') })
    return problem(c, {
      code: 'unavailable',
      detail: 'The figures could not be read. Retry in a few seconds.',
      headers: { 'Retry-After': '5' },
    })
  }
}

function renderWebhooks({ webhooks }: Figures, now_ms: number): object {
  const { oldest_due_at_ms, ...counts } = webhooks
  return { ...counts, overdue_seconds: lagSeconds(oldest_due_at_ms, now_ms) }
}

function renderPayments({ payments }: Figures, now_ms: number): object {
  const { oldest_open_at_ms, top_ups_paused, complete, ...by_status } = payments
  return {
    by_status,
    oldest_open_at: timeOrNull(oldest_open_at_ms),
    oldest_open_seconds: lagSeconds(oldest_open_at_ms, now_ms),
    top_ups_paused,
    complete,
  }
}

function renderStats(figures: Figures, now_ms: number, config: Config): object {
  const { counts, complete } = figures.customers
  const { hours } = figures
  const outcomes = allHours(hours)
  return {
    customers: {
      total: total(counts, () => true),
      by_status: tally(CUSTOMER_STATUSES, (status) => total(counts, (row) => row.status === status)),
      by_tier: tally(TIERS, (tier) => total(counts, (row) => row.tier === tier)),
      complete,
    },
    ledgers: { total: figures.ledgers.count, complete: figures.ledgers.complete },
    flush: renderBacklog(figures.flush, now_ms),
    rollups: renderBacklog(figures.rollups, now_ms),
    reconcile: {
      different: figures.reconcile.different,
      unchecked: figures.reconcile.unchecked,
      last_run_at: timeOrNull(figures.reconcile.last_run_at_ms),
    },
    dead_letters: { open: figures.dead_letters.count, complete: figures.dead_letters.complete },
    webhooks: renderWebhooks(figures, now_ms),
    payments: renderPayments(figures, now_ms),
    outcomes: {
      since: timeJson(figures.since_ms),
      ...renderOutcomes(outcomes),
      hours: hours.map((hour) => ({ hour: timeJson(hour.hour_ms), ...renderOutcomes(hour) })),
    },
    cost: renderCost(activityOf(figures, now_ms, config)),
    as_of: timeJson(now_ms),
  }
}

function renderCost(activity: Activity): object {
  const { changes, events } = activity
  const cost = estimatedCost(activity)
  return {
    changes,
    events,
    estimated_usd: usdJson(cost),
    per_million_events_usd: events === 0 ? null : usdJson(picoUsd((cost * 1_000_000n) / BigInt(events))),
    prices_as_of: PRICES_AS_OF,
  }
}

function renderBacklog({ ledgers_behind, oldest_at_ms }: Backlog, now_ms: number): object {
  return {
    ledgers_behind,
    oldest_at: timeOrNull(oldest_at_ms),
    lag_seconds: lagSeconds(oldest_at_ms, now_ms),
  }
}

function renderOutcomes({ requests, statuses, codes, replayed, rejected_events }: Outcomes): object {
  return { requests, by_status: statuses, by_code: codes, replayed, rejected_events }
}

function total(counts: readonly CustomerCount[], matches: (row: CustomerCount) => boolean): number {
  return counts.reduce((sum, row) => (matches(row) ? sum + row.count : sum), 0)
}

function tally<K extends string>(keys: readonly K[], countOf: (key: K) => number): object {
  return Object.fromEntries(keys.map((key) => [key, countOf(key)]))
}
