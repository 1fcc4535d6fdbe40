import { z } from '@hono/zod-openapi'
import { decimalText } from '../../http/input/amounts.ts'
import { customerText } from '../../http/input/identifiers.ts'
import { pageQuery, pageSchema } from '../../http/input/pagination.ts'
import { timeInput } from '../../http/input/times.ts'
import { isStandardTier } from '../../pricing/catalogue/catalogue.ts'
import { plainName } from '../../pricing/catalogue/modifiers.ts'
import { nearest } from '../../pricing/catalogue/nearest.ts'
import type { OverlayPrice, OverlayPrices } from '../../pricing/catalogue/overlay.ts'
import { OVERLAY_DECIMALS } from '../../pricing/catalogue/overlay-prices.ts'
import { isUsageUnit, MAX_QUANTITY, USAGE_UNITS, type UsageUnit } from '../../pricing/usage.ts'

const MAX_UNITS = 50
const MAX_TIERS = 10
const MAX_AMOUNT_USD = 8_000_000_000
const MAX_MULTIPLIER = 1_000
const MAX_PER = 1_000_000_000_000

const amountText = () => decimalText(OVERLAY_DECIMALS, MAX_AMOUNT_USD)

/**
 * Returns a zod option that sets the error message of a field: `required` if the field is missing, otherwise `message`.
 */
function orRequired(message: string) {
  return { error: ({ input }: { readonly input?: unknown }) => (input === undefined ? 'required' : message) }
}

function wholeNumber(maximum: number) {
  return z
    .int(orRequired('must be a whole number'))
    .min(1, 'must be at least 1')
    .max(maximum, `must be at most ${maximum}`)
}

export const overlayUnitPriceSchema = z
  .strictObject({
    amount: amountText().openapi({
      description: 'The price of `per` units in USD, with at most 18 decimals.',
    }),
    // `per` has no default. Otherwise, a caller who omits it could set a price of 2.5 USD for one token and not for a
    // million tokens.
    per: wholeNumber(MAX_PER).openapi({
      description:
        'The number of units to which `amount` refers. For a price per million tokens, use 1000000.',
    }),
    tiers: z
      .array(
        z.strictObject({
          threshold: wholeNumber(MAX_QUANTITY),
          inclusive: z.boolean().default(false),
          amount: amountText(),
        }),
      )
      .max(MAX_TIERS)
      .refine(
        (tiers) => new Set(tiers.map(({ threshold }) => threshold)).size === tiers.length,
        'must not have the same threshold twice',
      )
      .optional()
      .openapi({
        description:
          'The tiers whose amounts replace `amount` for the whole request if its total input exceeds the threshold, or reaches it if `inclusive` is true.',
      }),
  })
  .openapi('OverlayUnitPrice')

const unitPrices = z
  .record(z.string(), overlayUnitPriceSchema, orRequired('must be an object'))
  .superRefine((prices, ctx) => {
    const units = Object.keys(prices)
    if (units.length === 0) ctx.addIssue({ code: 'custom', message: 'must contain a unit or a multiplier' })
    if (units.length > MAX_UNITS)
      ctx.addIssue({ code: 'custom', message: `must have at most ${MAX_UNITS} units` })
    for (const unit of units.slice(0, MAX_UNITS)) {
      if (!isUsageUnit(unit)) ctx.addIssue({ code: 'custom', path: [unit], message: unknownUnit(unit) })
    }
  })
  .transform((prices): OverlayPrices => {
    const units: { [U in UsageUnit]?: OverlayPrice } = {}
    for (const [unit, { amount, per, tiers }] of Object.entries(prices)) {
      if (isUsageUnit(unit)) units[unit] = { amount, per, ...(tiers?.length && { tiers }) }
    }
    return { units }
  })

const multiplier = z.strictObject({
  multiplier: decimalText(OVERLAY_DECIMALS, MAX_MULTIPLIER).openapi({
    description:
      'The factor that multiplies the price that would otherwise apply. For example, `"0.85"` is a discount of 15 %.',
  }),
})

/**
 * The schema of prices: a price for each unit, or one multiplier. It first determines which form the caller uses, so
 * that errors refer to this form.
 */
const prices = z
  .unknown()
  .transform((given, ctx): OverlayPrices => {
    const schema = isMultiplier(given) ? multiplier : unitPrices
    const read = schema.safeParse(given)
    if (read.success) return read.data
    for (const issue of read.error.issues) {
      const unknown = issue.code === 'unrecognized_keys' ? issue.keys : undefined
      const message = unknown ? 'unknown field' : issue.message
      const paths = unknown ? unknown.map((key) => [...issue.path, key]) : [issue.path]
      for (const path of paths) ctx.addIssue({ code: 'custom', path, message })
    }
    return z.NEVER
  })
  .openapi({
    oneOf: [
      { type: 'object', additionalProperties: { $ref: '#/components/schemas/OverlayUnitPrice' } },
      {
        type: 'object',
        required: ['multiplier'],
        properties: { multiplier: { type: ['number', 'string'] } },
        additionalProperties: false,
      },
    ],
    example: { input_tokens: { amount: '2.5', per: 1000000 }, output_tokens: { amount: '10', per: 1000000 } },
  })

function isMultiplier(given: unknown): boolean {
  return typeof given === 'object' && given !== null && Object.hasOwn(given, 'multiplier')
}

function unknownUnit(unit: string): string {
  const [closest] = nearest(unit, Object.keys(USAGE_UNITS), 1)
  return closest === undefined
    ? 'is not a known unit of usage'
    : `is not a known unit of usage. Did you mean ${closest}?`
}

const modelPattern = customerText()
  .transform((model) => model.trim().toLowerCase())
  .refine((model) => model !== '', 'must not be blank')
  .refine((model) => !model.slice(0, -1).includes('*'), 'may have * only at its end')
  .openapi({
    description: "A model's name, or a prefix followed by `*`. An exact name takes precedence over prefixes.",
  })

const serviceTier = customerText()
  .refine((tier) => plainName(tier) !== '', 'must have a letter or a digit')
  .refine(
    (tier) => !isStandardTier(tier),
    'must not be the standard tier: leave out service_tier to set a price for all tiers',
  )

export const overlaySchema = z
  .strictObject({
    provider: customerText(),
    model: modelPattern,
    service_tier: serviceTier.optional().openapi({
      description:
        'The service tier to which the price applies. If it is absent, the price applies to all tiers: unit prices are the same in each tier, and a multiplier multiplies the price of the tier.',
    }),
    prices,
    effective_from: timeInput().optional().openapi({
      description:
        'The time from which the price applies. Default: now. A time in the past, at most 35 days, is accepted only for unit prices of an exact model that has had no price since that time.',
    }),
    effective_to: timeInput().optional().openapi({
      description: 'The time when the price ends. Default: the time when another price replaces this price.',
    }),
  })
  .openapi('PriceOverlayInput')

export type OverlayInput = z.infer<typeof overlaySchema>

export const overlaysQuery = z.strictObject({
  ...pageQuery,
  provider: customerText().optional(),
  model: customerText().optional().openapi({
    description: 'The model or prefix for which the price was set, including the `*` of a prefix.',
  }),
})

export type OverlaysQuery = z.infer<typeof overlaysQuery>

const time = z.string().openapi({ format: 'date-time' })

export const overlayAnswerSchema = z
  .object({
    id: z.string(),
    provider: z.string(),
    model: z.string(),
    service_tier: z.string().nullable(),
    prices: z.record(z.string(), z.unknown()),
    effective_from: time,
    effective_to: time.nullable(),
    created_at: time,
    created_by: z
      .string()
      .openapi({ description: 'The id of the API key that set the price, or `operator`.' }),
  })
  .openapi('PriceOverlay')

export const overlaysPageSchema = pageSchema(overlayAnswerSchema)
