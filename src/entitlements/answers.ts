import { z } from '@hono/zod-openapi'
import { pageSchema } from '../http/input/pagination.ts'
import { RESETS_AT } from '../http/output/problem-schemas.ts'
import { ENTITLEMENT_PERIODS, LIMIT_TYPES, LIMIT_UNITS } from '../ledger/model/limits.ts'

/** Defines the schemas of the responses to entitlement requests. */

const time = z.string().openapi({ format: 'date-time' })

/** The fields that identify the API key or the model to which a limit applies. */
const namedSubject = { key_id: z.string().optional(), model: z.string().optional() }

const rollingSchema = z
  .union([z.object({ hours: z.int() }), z.object({ days: z.int() })])
  .optional()
  .openapi({ description: 'The length of the window, if the period is ROLLING.' })

export const entitlementAnswerSchema = z
  .object({
    id: z.string(),
    feature_id: z
      .string()
      .nullable()
      .openapi({ description: 'The id of the feature; null if the entitlement covers all features.' }),
    user_id: z.string().nullable(),
    team_id: z.string().nullable(),
    ...namedSubject,
    limit_type: z.enum(LIMIT_TYPES),
    limit_value: z.number().nullable(),
    unit: z.enum(LIMIT_UNITS),
    period: z.enum(ENTITLEMENT_PERIODS).nullable(),
    rolling: rollingSchema,
    anchor: time.nullable(),
    time_zone: z.string(),
    value: z.unknown(),
    enabled: z.boolean(),
    metadata: z.record(z.string(), z.unknown()),
    created_at: time,
    updated_at: time,
  })
  .openapi('EntitlementRecord')

export const entitlementsSchema = pageSchema(entitlementAnswerSchema)

export const checkAnswerSchema = z
  .object({
    allowed: z.boolean(),
    reason: z
      .enum([
        'feature_not_enabled',
        'feature_disabled',
        'limit_reached',
        'soft_limit_reached',
        'insufficient_credits',
        'low_credits',
      ])
      .nullable(),
    message: z.string(),
    estimated_cost_credits: z.number(),
    estimated_cost_usd: z
      .number()
      .openapi({ description: 'The estimated price for the customer in USD (`customer_price_usd`).' }),
    current_balance: z.number(),
    limit: z
      .object({
        level: z.enum(['user', 'team', 'key', 'model', 'customer']),
        ...namedSubject,
        value: z.number(),
        used: z.number(),
        remaining: z.number(),
        period: z.enum(ENTITLEMENT_PERIODS),
        rolling: rollingSchema,
        resets_at: time.nullable().openapi({ description: RESETS_AT }),
        unit: z.enum(LIMIT_UNITS),
      })
      .nullable(),
    hold_id: z.string().optional(),
    actions: z.array(
      z.object({
        type: z.enum(['upgrade', 'purchase', 'increase_limit']),
        label: z.string(),
        url: z.string(),
      }),
    ),
  })
  .openapi('EntitlementChecked')
