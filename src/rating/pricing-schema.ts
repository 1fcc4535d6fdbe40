import { z } from '@hono/zod-openapi'
import { customerText } from '../http/input/identifiers.ts'
import { pageQuery, pageSchema } from '../http/input/pagination.ts'
import { timeQuery } from '../http/input/times.ts'

export const pricingQuery = z
  .strictObject({
    ...pageQuery,
    provider: customerText().optional(),
    model: customerText().optional(),
    at: timeQuery().optional().openapi({
      description: 'The time at which the price applies, in the past or in the future. Default: now.',
    }),
  })
  .superRefine(({ provider, model }, ctx) => {
    if (model !== undefined && provider === undefined) {
      ctx.addIssue({ code: 'custom', path: ['provider'], message: 'required with model' })
    }
  })

const usd = z.number().openapi({ description: 'USD for one unit, with at most 18 decimals.' })
const time = z.string().openapi({ format: 'date-time' })

const modelPriceSchema = z
  .object({
    provider: z.string(),
    model: z.string(),
    catalogue_model: z.string().nullable().openapi({
      description: 'The id of the model in the catalogue; null if the catalogue does not have the model.',
    }),
    source: z.enum(['catalogue', 'feed', 'operator', 'override']).openapi({
      description:
        'The source of the price. `catalogue`: the list price. `feed`: the price feed. `operator`: a price that the operator set for all customers. `override`: your own price.',
    }),
    price_version: z.string(),
    effective_from: time.nullable(),
    effective_to: time
      .nullable()
      .openapi({ description: 'The time when the price ends; null if no end is set.' }),
    context_window: z.int().nullable(),
    deprecated: z.boolean(),
    prices: z.array(
      z.object({
        unit: z.string(),
        price_usd: usd,
        tiers: z
          .array(z.object({ threshold: z.int(), inclusive: z.boolean(), price_usd: usd }))
          .optional()
          .openapi({
            description:
              'The prices that replace `price_usd` for the whole request if its total input exceeds `threshold`, or reaches it if `inclusive` is true.',
          }),
        sizes: z
          .array(z.object({ size: z.string(), price_usd: usd }))
          .optional()
          .openapi({
            description:
              'The prices that replace `price_usd` for a size, a quality or a search context size.',
          }),
      }),
    ),
  })
  .openapi('ModelPrice')

const providerSchema = z.object({ provider: z.string(), name: z.string() }).openapi('Provider')

/**
 * The response of `GET /v1/rating/pricing`: the price of one model, a page of a provider's models, or a page of
 * providers.
 */
export const pricingSchema = z.union([
  modelPriceSchema,
  pageSchema(modelPriceSchema),
  pageSchema(providerSchema),
])
