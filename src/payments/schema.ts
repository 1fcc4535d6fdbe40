import { z } from '@hono/zod-openapi'
import { chargeableUsd, creditsAmount, usdCentsLimit } from '../http/input/amounts.ts'
import { customerText, objectId, refuseTwoOwners, subjectFields } from '../http/input/identifiers.ts'
import { pageQuery, pageSchema } from '../http/input/pagination.ts'
import { PAUSE_REASONS, PAYMENT_STATUSES, PAYMENT_TYPES } from '../ledger/model/payments.ts'

const MAX_URL = 2_048
const PLAIN_URL = /^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i

/** Returns the schema of a URL that the buyer's browser opens. The Worker never requests the URL. */
function returnUrl() {
  return z
    .string()
    .max(MAX_URL, `must have at most ${MAX_URL} characters`)
    .refine((text) => {
      const url = PLAIN_URL.test(text) ? URL.parse(text) : null
      return url !== null && url.username === '' && url.password === ''
    }, 'must be an http or https URL without a user name or password')
    .openapi({ format: 'uri', example: 'https://app.example.com/credits' })
}

export const checkoutSchema = z
  .strictObject({
    ...subjectFields,
    credit_pack_id: objectId()
      .optional()
      .openapi({ description: 'The pack to buy, instead of `credits` and `price_usd`.' }),
    credits: creditsAmount().optional(),
    price_usd: chargeableUsd()
      .optional()
      .openapi({ description: 'The price in USD with whole cents, at least 0.50.' }),
    success_url: returnUrl(),
    cancel_url: returnUrl(),
    save_payment_method: z.boolean().default(false).openapi({
      description: 'Saves the card for automatic top-ups of this wallet.',
    }),
  })
  .superRefine(refuseTwoOwners)
  .superRefine(({ credit_pack_id, credits, price_usd }, ctx) => {
    const fields = { credits, price_usd }
    for (const [name, value] of Object.entries(fields)) {
      const is_given = value !== undefined
      if (is_given === (credit_pack_id === undefined)) continue
      const message = is_given
        ? 'cannot be combined with credit_pack_id'
        : 'required unless credit_pack_id is given'
      ctx.addIssue({ code: 'custom', path: [name], message })
    }
  })
  .openapi('Checkout')

export const checkoutAnswerSchema = z
  .object({
    payment_id: z.string(),
    url: z.string().openapi({ description: 'The Stripe page on which the buyer can pay within 24 hours.' }),
  })
  .openapi('OpenedCheckout')

export const paymentPath = z.object({
  id: customerText().openapi({ param: { name: 'id', in: 'path' } }),
})

export const paymentsQuery = z.strictObject(pageQuery)

const usd = (description: string) => z.number().openapi({ description })
const time = z.string().openapi({ format: 'date-time' })

const failureSchema = z.object({
  code: z.string().openapi({ description: "Stripe's code, such as `card_declined`, or a code of this API." }),
  message: z.string(),
})

export const paymentSchema = z
  .object({
    payment_id: z.string(),
    type: z.enum(PAYMENT_TYPES),
    status: z.enum(PAYMENT_STATUSES),
    user_id: z.string().nullable(),
    team_id: z.string().nullable(),
    credits: z.number(),
    price_usd: z.number(),
    credit_pack_id: z.string().optional(),
    transaction_id: z
      .string()
      .optional()
      .openapi({ description: 'The id of the purchase; absent until the credits were added.' }),
    provider_reference: z.string().nullable().openapi({
      description:
        'The id of the payment intent at Stripe. Until the intent exists, this is the id of the Checkout session, or null.',
    }),
    failure: failureSchema.optional(),
    refunded_usd: usd('The amount that was refunded through Stripe.'),
    disputed_usd: usd('The amount in disputes that are open or lost.'),
    credits_taken_back: z.number().openapi({
      description: 'The credits that refunds and disputes removed and that were not returned.',
    }),
    url: z.string().optional().openapi({ description: 'The page on which the buyer can pay now.' }),
    receipt_url: z.string().optional(),
    created_at: time,
  })
  .openapi('Payment')

export const paymentsSchema = pageSchema(paymentSchema).openapi('PaymentsPage')

export const topUpQuery = z.strictObject(subjectFields).superRefine(refuseTwoOwners)

export const topUpDraftSchema = z
  .strictObject({
    below: creditsAmount().openapi({
      description:
        'The card is charged when the available credits fall below this number. Held credits are not available.',
    }),
    credits: creditsAmount().openapi({ description: 'The credits of one top-up.' }),
    price_usd: chargeableUsd().openapi({ description: 'The price of one top-up, in whole cents.' }),
    max_usd_per_month: usdCentsLimit().openapi({
      description:
        'The maximum amount of the top-ups in a calendar month (UTC). Refunds do not reduce the counted amount.',
    }),
    max_per_day: z
      .int()
      .min(1, 'must be at least 1')
      .max(1_000, 'must be at most 1000')
      .optional()
      .openapi({ description: 'The maximum number of top-ups in a day (UTC). Default: no limit.' }),
    enabled: z.boolean().default(true),
  })
  .superRefine(({ price_usd, max_usd_per_month }, ctx) => {
    if (max_usd_per_month >= price_usd) return
    ctx.addIssue({ code: 'custom', path: ['max_usd_per_month'], message: 'must be at least price_usd' })
  })
  .openapi('AutoTopUpDraft')

export const topUpSchema = z
  .object({
    wallet_id: z.string(),
    below: z.number(),
    credits: z.number(),
    price_usd: z.number(),
    max_usd_per_month: z.number(),
    max_per_day: z.int().nullable(),
    enabled: z.boolean(),
    paused_reason: z.enum(PAUSE_REASONS).nullable().openapi({
      description:
        'The reason why nothing is charged: no saved card, three declined charges in a row, or a limit. A pause because of a missing card ends when a card is saved. A pause because of declined charges ends when another card is saved or the top-up is set again.',
    }),
    last_attempt: z
      .object({
        payment_id: z.string(),
        status: z.enum(PAYMENT_STATUSES),
        at: time,
        failure: failureSchema.optional(),
        url: z
          .string()
          .optional()
          .openapi({ description: 'The page on which the card owner confirms the charge.' }),
      })
      .nullable(),
    spent_usd_this_month: usd(
      'The amount of the top-ups in this calendar month (UTC), without failed top-ups.',
    ),
  })
  .openapi('AutoTopUp')
