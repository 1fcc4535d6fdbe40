import { z } from '@hono/zod-openapi'
import { ROUNDING_MODES } from '../../pricing/burn-table/definition.ts'

const time = z.string().openapi({ format: 'date-time' })

const layerFields = {
  rule: z
    .object({
      provider: z.string(),
      model: z.string().openapi({
        description: 'The model in the catalogue, or the model or prefix for which the price was set.',
      }),
      matched_by: z.enum(['exact', 'rule', 'dated', 'region', 'price']).openapi({
        description:
          'The way in which the price was found. `exact`: by the name or an alias. `rule`: by a rule of the catalogue. `dated`: by the name without its snapshot date. `region`: in the price list of the region. `price`: the price was set at run time.',
      }),
      name: z.string().optional().openapi({ description: 'The spelling of the model name that matched.' }),
      period: z.string().optional().openapi({
        description: 'The condition under which the price in the catalogue applies, such as a start date.',
      }),
      price_id: z.string().optional(),
    })
    .nullable(),
  source: z.enum(['override', 'operator', 'feed', 'catalogue']).nullable(),
  published_by: z
    .string()
    .optional()
    .openapi({ description: 'The source from which the catalogue took the price.' }),
  effective_from: time.nullable().openapi({
    description: 'The time from which the price applies; null if the catalogue does not state it.',
  }),
  multiplier: z
    .number()
    .optional()
    .openapi({ description: 'The factor that multiplies the prices of the layer below.' }),
}

export const explanationSchema = z
  .object({
    price: z.object({
      ...layerFields,
      tier: z.object({ input_tokens: z.int(), inclusive: z.boolean() }).nullable().openapi({
        description:
          'The context tier whose prices apply, because the total input exceeds `input_tokens`, or reaches it if `inclusive` is true.',
      }),
      modifiers: z.array(
        z.object({
          by: z.enum(['service_tier', 'region', 'image_size', 'image_quality', 'search_context_size']),
          name: z.string(),
          factor: z.string().optional().openapi({
            description: 'The factor that multiplies the prices of `families`, as a decimal or a fraction.',
          }),
          families: z.array(z.string()).optional(),
        }),
      ),
      below: z.array(z.object(layerFields)).optional(),
      other_models: z.array(z.object({ requested: z.string(), ...layerFields })).optional(),
      price_version: z.string(),
      note: z.string().optional(),
    }),
    units: z.array(
      z.object({
        unit: z.string(),
        model: z.string().optional(),
        quantity: z.number().openapi({
          description:
            'The quantity that is billed at this price. It excludes parts of the unit that have their own prices.',
        }),
        reported: z
          .number()
          .nullable()
          .openapi({ description: 'The reported quantity of the unit, including its parts.' }),
        read_from: z.string(),
        price_usd: z.number().nullable(),
        price_fraction: z.string().optional().openapi({
          description: 'The exact price as a fraction, if a decimal needs more than 18 places.',
        }),
        cost_usd: z.number().nullable(),
      }),
    ),
    burn_table: z
      .object({
        version: z.int(),
        id: z.string().nullable(),
        rule: z.record(z.string(), z.unknown()),
        method: z.string(),
        credits_per_usd: z.number(),
        min_charge: z.number(),
        exact_credits: z.string().nullable().openapi({
          description:
            'The credits before rounding, as a decimal or a fraction; null if they depend on amounts that the event does not record.',
        }),
        note: z.string().optional(),
      })
      .nullable(),
    rounding: z.object({
      provider_cost_usd: z.object({ mode: z.literal('half_even'), step: z.number() }),
      credits: z.object({ mode: z.enum(ROUNDING_MODES), step: z.number() }).nullable(),
      customer_price_usd: z.object({ mode: z.literal('half_even'), step: z.number() }),
    }),
    lots: z.array(z.object({ lot_id: z.string().nullable(), amount: z.number() })).openapi({
      description:
        'The lots from which credits were taken; empty for a calculation, because it moves no credits.',
    }),
  })
  .openapi('Explanation')

export const eventExplanationSchema = z
  .object({
    event_id: z.string(),
    status: z.enum(['rated', 'unrated', 'voided', 'partly_given_back']),
    provider_cost_usd: z.number(),
    credits_burned: z.number(),
    credits_given_back: z.number(),
    ...explanationSchema.shape,
  })
  .openapi('EventExplanation')
