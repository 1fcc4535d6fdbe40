import { z } from '@hono/zod-openapi'
import { MODES } from '../../db/schema.ts'
import { chargeableUsd, creditsAmount } from '../../http/input/amounts.ts'
import { customerText } from '../../http/input/identifiers.ts'
import { idPageQuery, pageSchema } from '../../http/input/pagination.ts'
import { CHANGES_SOMETHING } from '../../http/input/validation.ts'

/** The maximum lifetime of bought credits, in days: about 100 years. */
const MAX_DAYS = 36_500

export function daysInput() {
  return z.int().min(1, 'must be at least 1').max(MAX_DAYS, `must be at most ${MAX_DAYS}`)
}

const fields = {
  name: customerText().openapi({
    example: '10,000 credits',
    description: 'The name of the credit pack. It is unique in the ledger. Stripe shows it to the buyer.',
  }),
  credits: creditsAmount().openapi({ example: 10_000 }),
  price_usd: chargeableUsd().openapi({
    example: 25,
    description: 'The price in USD, without fractions of a cent, at least 0.50.',
  }),
}

const days = daysInput().openapi({
  description: 'The lifetime of bought credits, in days. Default: the credits do not expire.',
})

export const packDraftSchema = z
  .strictObject({ ...fields, expires_in_days: days.optional() })
  .openapi('CreditPackDraft')

export const packChangeSchema = z
  .strictObject({
    name: fields.name.optional(),
    credits: fields.credits.optional(),
    price_usd: fields.price_usd.optional(),
    expires_in_days: days.nullable().optional(),
  })
  .refine(...CHANGES_SOMETHING)
  .openapi('CreditPackChange')

export const packPath = z.object({
  id: customerText().openapi({
    param: { name: 'id', in: 'path' },
    example: 'pack_01m82kr9vnj1qk2s67ndqm186w',
  }),
})

export const packsQuery = z.strictObject(idPageQuery('pack'))

export const packSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    credits: z.number(),
    price_usd: z.number(),
    expires_in_days: z.int().nullable(),
    mode: z.enum(MODES),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi('CreditPack')

export const packsSchema = pageSchema(packSchema).openapi('CreditPacksPage')
