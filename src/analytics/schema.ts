import { z } from '@hono/zod-openapi'
import { customerText } from '../http/input/identifiers.ts'
import { timeQuery, timeZoneInput } from '../http/input/times.ts'
import { keysOnly } from '../http/output/keys-only.ts'
import { EVENT_TYPES } from '../ledger/model/vocabulary.ts'
import { UTC } from '../time/zones.ts'
import { DIMENSIONS, GROUPS, isWindow, WINDOWS } from './question.ts'

const MAX_GROUPS_BY = 3
/** The maximum number of values of one filter. */
const MAX_VALUES = 100

/**
 * Returns the schema of a filter parameter. The parameter can be repeated, with one value each time. A list with a
 * separator is not possible, because names can contain any printable character.
 */
function filter<T extends string>(value: z.ZodType<T>) {
  return z
    .union([value, z.array(value).max(MAX_VALUES, `must have at most ${MAX_VALUES} values`)], {
      error: `must be 1 to ${MAX_VALUES} valid values`,
    })
    .transform((given): readonly T[] => (Array.isArray(given) ? given : [given]))
    .optional()
    .openapi({ type: 'array', items: { type: 'string' } })
}

const groupBy = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => (Array.isArray(given) ? given : [given]).flatMap((list) => list.split(',')))
  .pipe(
    z
      .array(z.enum(GROUPS, `must be one of ${GROUPS.join(', ')}`))
      .max(MAX_GROUPS_BY, `must have at most ${MAX_GROUPS_BY} groups`)
      .refine((groups) => new Set(groups).size === groups.length, 'must not name a group twice')
      .refine(
        (groups) => groups.filter(isWindow).length <= 1,
        `must have at most one of ${WINDOWS.join(', ')}`,
      ),
  )
  .optional()
  .openapi({
    type: 'string',
    description: `The groups: up to ${MAX_GROUPS_BY} of ${GROUPS.join(', ')}, separated by commas.`,
    example: 'day,feature',
  })

const timeZone = timeZoneInput()
  .transform((zone) => (zone.name === UTC ? undefined : zone))
  .optional()
  .openapi({
    type: 'string',
    description:
      'The IANA time zone in which `day`, `week` and `month` start, including daylight saving time. Default: UTC. If `group_by` contains a time window, the offset of the zone from UTC must be a whole number of hours.',
    example: 'Europe/Berlin',
  })

/** The query parameters of `GET /v1/analytics/usage` and `GET /v1/analytics/costs`. */
export const analyticsQuery = z.strictObject({
  from: timeQuery().optional().openapi({
    description:
      'The start of the range, inclusive, rounded down to a whole hour. Default: 30 days before `to`.',
  }),
  to: timeQuery()
    .optional()
    .openapi({ description: 'The end of the range, exclusive, rounded up to a whole hour. Default: now.' }),
  group_by: groupBy,
  time_zone: timeZone,
  feature: filter(customerText()),
  provider: filter(customerText()),
  model: filter(customerText()),
  user: filter(customerText()),
  team: filter(customerText()),
  key: filter(customerText()),
  key_id: filter(customerText()).openapi({
    description: 'An alias of `key`. The values of `key` and `key_id` are combined.',
  }),
  event_type: filter(z.enum(EVENT_TYPES)),
})

export type AnalyticsQuery = z.output<typeof analyticsQuery>

export const burnRateQuery = z
  .strictObject({ user: customerText().optional(), team: customerText().optional() })
  .superRefine(({ user, team }, ctx) => {
    if (user !== undefined && team !== undefined) {
      ctx.addIssue({ code: 'custom', path: ['team'], message: 'must be omitted if user is present' })
    }
  })

const time = z.string().openapi({ format: 'date-time' })
const usdSum = z.number().openapi({ description: 'USD, with at most 6 decimals.' })
const credits = z.number().openapi({ description: 'Credits, with at most 6 decimals.' })

const group = z
  .object({
    ...Object.fromEntries(WINDOWS.map((window) => [window, time.optional()])),
    ...Object.fromEntries(DIMENSIONS.map((dimension) => [dimension, z.string().nullable().optional()])),
  })
  .openapi({
    description:
      'The value of each group in `group_by`. The value of a time window is its start time. Null means that the usage has no value for the group.',
  })

const usageSums = {
  events: z.int(),
  units: z.record(z.string(), z.number()),
  credits,
  provider_cost_usd: keysOnly(usdSum),
}

const costSums = {
  provider_cost_usd: usdSum,
  revenue_usd: usdSum.openapi({
    description: 'The sum of `customer_price_usd`. It includes the value of burned promotional credits.',
  }),
  paid_revenue_usd: usdSum.openapi({ description: 'The price paid for the burned credits.' }),
  margin_usd: usdSum,
  margin_percent: z
    .number()
    .nullable()
    .openapi({ description: 'The margin as a percentage of the revenue; null if there is no revenue.' }),
}

function answerSchema(sums: z.ZodRawShape) {
  return z.object({
    data: z.array(z.object({ group, ...sums })),
    totals: z.object(sums),
    from: time,
    to: time,
    time_zone: z.string().openapi({ description: 'The time zone of the windows.' }),
    as_of: time.openapi({ description: 'The time before which every acknowledged change is counted.' }),
  })
}

export const usageSchema = answerSchema(usageSums).openapi('UsageAnalytics')
export const costsSchema = answerSchema(costSums).openapi('CostAnalytics')

export const TRENDS = ['rising', 'steady', 'falling'] as const
export const RECOMMENDATION_TYPES = ['urgent', 'warning', 'alert'] as const
export const RECOMMENDED_ACTIONS = ['purchase_credits', 'review_usage', 'review_prices'] as const

export const burnRateSchema = z
  .object({
    balance: credits,
    average_per_day_7d: credits,
    average_per_day_30d: credits,
    trend: z.enum(TRENDS).openapi({
      description:
        'The last 7 days compared with the 7 days before. `rising` and `falling` mean a change of more than 20 %.',
    }),
    days_remaining: z.number().nullable().openapi({
      description:
        'The number of days until the credits run out; null if nothing was burned in the last 7 days, or if the credits last longer than 100 years.',
    }),
    run_out_date: time.nullable(),
    assumption: z.string().openapi({ description: 'The assumption on which the run-out date is based.' }),
    recommendations: z.array(
      z.object({
        type: z.enum(RECOMMENDATION_TYPES),
        message: z.string(),
        action: z.enum(RECOMMENDED_ACTIONS),
      }),
    ),
    as_of: time,
  })
  .openapi('BurnRate')
