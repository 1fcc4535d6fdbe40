import { z } from '@hono/zod-openapi'
import { draftTableSchema } from '../burn-tables/schema.ts'
import { customerText } from '../http/input/identifiers.ts'
import { timeInput } from '../http/input/times.ts'
import { isUsageUnit, MAX_QUANTITY, USAGE_UNITS } from '../pricing/usage.ts'
import { DAY_MS } from '../time/durations.ts'
import { explanationSchema } from './explain/schema.ts'

const NOT_NEGATIVE = 'must not be negative'
const TOO_MANY = 'must be at most 10000000000000'

/** Returns the schema of a count, for example of tokens, images or calls: a whole number from 0 to 1e13. */
export function countInput() {
  return z
    .number('must be a whole number')
    .refine(Number.isInteger, 'must be a whole number')
    .min(0, NOT_NEGATIVE)
    .max(MAX_QUANTITY, TOO_MANY)
    .openapi({ type: 'integer', minimum: 0, maximum: MAX_QUANTITY })
}

/** Returns whether `countInput` accepts a value. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_QUANTITY
}

/**
 * Returns the schema of a quantity of seconds or of a customer's own unit: a number from 0 to 1e13 with at most 6
 * decimals.
 */
export function quantityInput() {
  return z
    .number('must be a number')
    .min(0, NOT_NEGATIVE)
    .max(MAX_QUANTITY, TOO_MANY)
    .refine((value) => SIX_DECIMALS.test(String(value)), 'must have at most 6 decimals')
}

const SIX_DECIMALS = /^\d+(\.\d{1,6})?$/

/** Returns whether `quantityInput` accepts a value. */
export function isQuantity(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_QUANTITY && SIX_DECIMALS.test(String(value))
}

/** The pattern for the names of a customer's own units. Only burn tables have prices for these units. */
const CUSTOM_UNIT = /^[a-z][a-z0-9_]{0,63}$/
export function customUnitInput() {
  return z
    .string()
    .regex(
      CUSTOM_UNIT,
      'must be a lower-case letter followed by up to 63 lower-case letters, digits and underscores',
    )
    .refine((unit) => !isUsageUnit(unit), 'must not be a canonical unit: send canonical units in usage')
}

/** Returns whether `customUnitInput` accepts a value. */
export function isCustomUnit(value: unknown): value is string {
  return typeof value === 'string' && CUSTOM_UNIT.test(value) && !isUsageUnit(value)
}

const MAX_CUSTOM_UNITS = 20

const customUsage = z
  .record(customUnitInput(), quantityInput())
  .refine(
    (custom) => Object.keys(custom).length <= MAX_CUSTOM_UNITS,
    `must have at most ${MAX_CUSTOM_UNITS} units`,
  )

/** The schema of usage: the canonical units, and the customer's own units under `custom`. */
export const usageInput = z
  .strictObject({ ...unitFields(), custom: customUsage.optional() })
  .openapi('Usage', {
    description:
      'The usage by unit. A unit such as `input_tokens` includes its parts, such as `cache_read_tokens`.',
  })

function unitFields(): Record<string, z.ZodOptional<z.ZodNumber>> {
  return Object.fromEntries(
    Object.entries(USAGE_UNITS).map(([unit, { decimals }]) => [
      unit,
      (decimals ? quantityInput() : countInput()).optional(),
    ]),
  )
}

/**
 * The schema of the names in a provider's response. They are validated because events record them, like the names that
 * callers send.
 */
export const responseNames = z.object({
  model: customerText().optional(),
  service_tier: customerText().optional(),
  region: customerText().optional(),
})

/** The fields for usage that events and calculations have in common. */
export const consumptionFields = {
  provider: customerText().optional(),
  model: customerText().optional(),
  input_tokens: countInput().optional(),
  output_tokens: countInput().optional(),
  usage: usageInput.optional(),
  provider_response: z.record(z.string(), z.unknown(), 'must be an object').optional().openapi({
    type: 'object',
    additionalProperties: true,
    description: 'The whole response of the provider, or only its usage part.',
  }),
  provider_api: customerText().optional(),
  image_count: countInput().optional(),
  image_size: customerText().optional(),
  quality: customerText().optional(),
  duration_seconds: quantityInput().optional(),
  service_tier: customerText().optional(),
  region: customerText().optional(),
}

export const calculateSchema = z
  .strictObject({
    ...consumptionFields,
    feature_id: customerText().optional(),
    at: timeInput().optional(),
    explain: z.boolean().optional().openapi({
      description:
        'If true, the response contains `explanation`: the source of every price, and the field from which every quantity was read.',
    }),
  })
  .openapi('Calculation')

export type CalculationInput = z.infer<typeof calculateSchema>

const usd = z.number().openapi({ description: 'USD, with at most 12 decimals.' })

export const calculatedSchema = z
  .object({
    provider_cost_usd: usd,
    credits: z.number(),
    customer_price_usd: usd,
    margin_percent: z.number().nullable().openapi({
      description: 'The margin as a percentage of `customer_price_usd`; null if `customer_price_usd` is 0.',
    }),
    optimization: z
      .object({
        kind: z.enum(['batch', 'flex', 'cache', 'model']),
        suggested_model: z.string(),
        suggested_service_tier: z.string().optional(),
        savings_percent: z.int(),
        provider_cost_usd: usd,
        assumptions: z.array(z.string()),
      })
      .nullable()
      .openapi({
        description:
          'A cheaper alternative to the request, according to list prices. It does not consider the quality of the result.',
      }),
    optimization_note: z
      .string()
      .optional()
      .openapi({ description: 'The reason why `optimization` is null.' }),
    usage: z.record(z.string(), z.number()),
    breakdown: z.array(
      z.object({
        unit: z.string(),
        model: z.string().optional().openapi({
          description: 'The model that processed this usage; absent if it is the model of the request.',
        }),
        quantity: z.number(),
        price_usd: usd,
        cost_usd: usd,
        without_own_price: z
          .array(z.object({ unit: z.string(), quantity: z.number() }))
          .optional()
          .openapi({
            description:
              'The reported parts of the unit that have no price of their own. They are billed at this price.',
          }),
      }),
    ),
    pricing_source: z.string(),
    burn_table_version: z.int(),
    price_version: z.string(),
    explanation: explanationSchema.optional(),
    warnings: z.array(z.string()).optional(),
  })
  .openapi('Calculated')

export const MAX_CALCULATIONS = 100

/**
 * The request body of a bulk calculation. `costEach` validates each calculation separately, so that an invalid
 * calculation does not affect the others.
 */
export const bulkSchema = z
  .strictObject({
    calculations: z
      .array(z.unknown(), 'must be an array of calculations')
      .min(1, 'must have at least one calculation')
      .max(MAX_CALCULATIONS, `must have at most ${MAX_CALCULATIONS} calculations`)
      .openapi({ items: { $ref: '#/components/schemas/Calculation' } }),
  })
  .openapi('BulkCalculation')

export const calculatedBulkSchema = z
  .object({
    results: z.array(
      z.union([
        z.object({ index: z.int(), ...calculatedSchema.shape }),
        z.object({ index: z.int(), error: z.object({ code: z.string(), detail: z.string() }) }),
      ]),
    ),
    totals: z.object({ provider_cost_usd: usd, credits: z.number(), customer_price_usd: usd }),
  })
  .openapi('BulkCalculated')

const MAX_SIMULATED_DAYS = 31

export const simulateSchema = z
  .strictObject({
    burn_table: draftTableSchema,
    from: timeInput().openapi({ description: 'The start of the range of event times, inclusive.' }),
    to: timeInput().openapi({
      description: 'The end of the range of event times, exclusive; at most 31 days after `from`.',
    }),
  })
  .superRefine(({ from, to }, ctx) => {
    const message =
      to <= from
        ? 'must be after from'
        : to - from > MAX_SIMULATED_DAYS * DAY_MS
          ? `must be at most ${MAX_SIMULATED_DAYS} days after from`
          : undefined
    if (message !== undefined) ctx.addIssue({ code: 'custom', path: ['to'], message })
  })
  .openapi('Simulation')

const simulatedSums = {
  events: z.int(),
  credits_recorded: z.number().openapi({ description: 'The credits that the events burned.' }),
  credits_simulated: z
    .number()
    .openapi({ description: 'The credits that the events would burn with the given burn table.' }),
  difference: z.number().openapi({ description: 'The simulated credits minus the recorded credits.' }),
  provider_cost_usd: usd,
  customer_price_recorded_usd: usd.openapi({ description: 'The recorded customer price of the events.' }),
  customer_price_usd: usd.openapi({
    description:
      'The simulated customer price: the simulated credits, converted with `credits_per_usd` of the given burn table.',
  }),
  customer_price_difference_usd: usd.openapi({
    description: '`customer_price_usd` minus `customer_price_recorded_usd`.',
  }),
  margin_percent: z.number().nullable(),
}

const otherSums = z.object(simulatedSums).nullable()

export const simulatedSchema = z
  .object({
    ...simulatedSums,
    unrated_events: z.int().openapi({
      description: 'The number of events that still have no price. No sum includes them.',
    }),
    by_feature: z
      .array(z.object({ feature_id: z.string(), ...simulatedSums }))
      .openapi({ description: 'The 100 features that burn the most simulated credits.' }),
    other_features: otherSums.openapi({
      description: 'The sum of all other features; null if there are none.',
    }),
    by_model: z
      .array(z.object({ provider: z.string().nullable(), model: z.string().nullable(), ...simulatedSums }))
      .openapi({
        description:
          'The 100 models that burn the most simulated credits. `model` is null for events without a model.',
      }),
    other_models: otherSums.openapi({ description: 'The sum of all other models; null if there are none.' }),
  })
  .openapi('Simulated')
