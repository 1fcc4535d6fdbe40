import { timeJson } from '../../http/input/times.ts'
import { jsonResponse } from '../../http/output/json.ts'
import { isRecord } from '../../ledger/model/json.ts'
import { DAY_MS, HOUR_MS } from '../../time/durations.ts'
import { type Asked, type Fields, number, rows, sumOf, type Translation, text } from './translation.ts'

/**
 * The translations of the routes for usage and costs. In the original service, the server and the types of its SDK
 * differ in some field names. Responses from this API contain the fields under both names.
 */

const RANGE = ['start_date', 'end_date', 'startDate', 'endDate', 'customerId', 'user_id', 'userId']

/**
 * Returns the range and the user of the query. The default range is the last 30 days, as in the original service. The
 * original service includes the end of the range; this API excludes it.
 */
function rangeOf({ params }: Asked): Readonly<Record<string, string | undefined>> {
  return {
    from: params.start_date ?? params.startDate,
    to: params.end_date ?? params.endDate,
    user: params.user_id ?? params.userId,
  }
}

async function analyticsBy(asked: Asked, what: 'usage' | 'costs', group_by: string): Promise<Fields> {
  const query = { ...rangeOf(asked), ...(group_by !== '' && { group_by }) }
  return asked.send({ method: 'GET', path: `/v1/analytics/${what}`, query })
}

/** The name of a group, with its credits and its cost in USD. */
interface Share {
  readonly name: string
  readonly credits: number
  readonly cost: number
}

function sharesOf({ data }: Fields, group: string): Share[] {
  return rows(data).map((row) => ({
    name: (isRecord(row.group) ? text(row.group[group]) : undefined) ?? 'unknown',
    credits: number(row.credits),
    cost: number(row.provider_cost_usd),
  }))
}

function byName(shares: readonly Share[], total: number): object {
  return Object.fromEntries(
    shares.map(({ name, credits, cost }) => [
      name,
      { credits, costUsd: cost, percentage: total === 0 ? 0 : Math.round((cost / total) * 10_000) / 100 },
    ]),
  )
}

const groupOf = (row: Fields, name: string) =>
  (isRecord(row.group) ? row.group[name] : undefined) ?? 'unknown'
const unitsOf = (row: Fields, name: string) => number(isRecord(row.units) ? row.units[name] : 0)

async function usage(asked: Asked): Promise<Response> {
  const feature = await analyticsBy(asked, 'usage', 'feature')
  const model = await analyticsBy(asked, 'usage', 'provider,model')
  const type = await analyticsBy(asked, 'usage', 'event_type')
  const day = await analyticsBy(asked, 'usage', 'day')
  const totals = isRecord(feature.totals) ? feature.totals : {}
  const cost = number(totals.provider_cost_usd)
  const figures = (row: Fields) => ({
    eventCount: number(row.events),
    creditsBurned: String(number(row.credits)),
    costUsd: String(number(row.provider_cost_usd)),
  })
  return jsonResponse(asked.c, {
    data: {
      summary: {
        totalEvents: number(totals.events),
        totalInputTokens: String(unitsOf(totals, 'input_tokens')),
        totalOutputTokens: String(unitsOf(totals, 'output_tokens')),
        totalCreditsBurned: String(number(totals.credits)),
        totalCostUsd: String(cost),
      },
      byFeature: rows(feature.data).map((row) => ({ featureId: groupOf(row, 'feature'), ...figures(row) })),
      byProvider: rows(model.data).map((row) => ({
        provider: groupOf(row, 'provider'),
        model: groupOf(row, 'model'),
        eventCount: number(row.events),
        inputTokens: String(unitsOf(row, 'input_tokens')),
        outputTokens: String(unitsOf(row, 'output_tokens')),
      })),
      byEventType: rows(type.data).map((row) => ({ eventType: groupOf(row, 'event_type'), ...figures(row) })),
      timeline: rows(day.data).map((row) => ({
        date: String(groupOf(row, 'day')).slice(0, 10),
        events: number(row.events),
        creditsBurned: String(number(row.credits)),
      })),
    },
    totalCredits: number(totals.credits),
    totalCostUsd: cost,
    byProvider: byName(merged(sharesOf(model, 'provider')), cost),
    byModel: byName(merged(sharesOf(model, 'model')), cost),
    byFeature: byName(sharesOf(feature, 'feature'), cost),
  })
}

/** Merges shares that have the same name. */
function merged(shares: readonly Share[]): Share[] {
  return [...Map.groupBy(shares, ({ name }) => name)].map(([name, same]) => ({
    name,
    credits: sumOf(same.map(({ credits }) => credits)),
    cost: sumOf(same.map(({ cost }) => cost)),
  }))
}

async function costBreakdown(asked: Asked): Promise<Response> {
  const answer = await analyticsBy(asked, 'usage', 'provider,model')
  const total = isRecord(answer.totals) ? number(answer.totals.provider_cost_usd) : 0
  const { from, to } = answer
  return jsonResponse(asked.c, {
    totalCostUsd: total,
    byProvider: byName(merged(sharesOf(answer, 'provider')), total),
    byModel: byName(merged(sharesOf(answer, 'model')), total),
    data: rows(answer.data).map((row) => ({
      provider: groupOf(row, 'provider'),
      model: groupOf(row, 'model'),
      eventCount: number(row.events),
      totalCredits: number(row.credits),
      totalCostUsd: number(row.provider_cost_usd),
    })),
    totals: { totalCostUsd: total },
    period: { startDate: from, endDate: to },
  })
}

async function costs(asked: Asked): Promise<Response> {
  const answer = await analyticsBy(asked, 'costs', 'provider,model')
  const totals = isRecord(answer.totals) ? answer.totals : {}
  return jsonResponse(asked.c, {
    data: {
      summary: {
        totalRevenue: String(number(totals.revenue_usd)),
        totalProviderCost: String(number(totals.provider_cost_usd)),
        totalMargin: String(number(totals.margin_usd)),
        marginPercent: number(totals.margin_percent),
      },
      byProvider: rows(answer.data).map((row) => ({
        provider: groupOf(row, 'provider'),
        model: groupOf(row, 'model'),
        providerCost: String(number(row.provider_cost_usd)),
        revenue: String(number(row.revenue_usd)),
        margin: String(number(row.margin_usd)),
      })),
    },
  })
}

async function burnRate(asked: Asked): Promise<Response> {
  const user = asked.params.user_id ?? asked.params.userId
  const rate = await asked.send({ method: 'GET', path: '/v1/analytics/burn-rate', query: { user } })
  // The range ends at the end of the current hour, because usage is stored by the hour.
  const end_ms = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS
  const days = async (count: number, average: unknown) => {
    const query = { from: timeJson(end_ms - count * DAY_MS), to: timeJson(end_ms), user }
    const { totals } = await asked.send({ method: 'GET', path: '/v1/analytics/usage', query })
    return {
      // The sum is read separately, because it cannot be computed from the rounded average.
      creditsBurned: String(isRecord(totals) ? number(totals.credits) : 0),
      averagePerDay: number(average).toFixed(2),
    }
  }
  return jsonResponse(asked.c, {
    data: {
      currentBalance: String(number(rate.balance)),
      last7Days: await days(7, rate.average_per_day_7d),
      last30Days: await days(30, rate.average_per_day_30d),
      projectedRunout: { daysRemaining: rate.days_remaining, estimatedRunoutDate: rate.run_out_date },
      recommendations: rate.recommendations,
    },
  })
}

const read = { method: 'get', scope: 'analytics:read', status: 200, query: RANGE } as const

export const analyticsTranslations: readonly Translation[] = [
  {
    ...read,
    path: '/v1/analytics/usage',
    summary: 'Get usage by feature, provider, model, event type and day',
    run: usage,
  },
  {
    ...read,
    path: '/v1/analytics/cost-breakdown',
    summary: 'Get costs by provider and model',
    run: costBreakdown,
  },
  { ...read, path: '/v1/analytics/costs', summary: 'Get costs and margins', run: costs },
  { ...read, path: '/v1/analytics/burn-rate', summary: 'Get the burn rate', run: burnRate },
]
