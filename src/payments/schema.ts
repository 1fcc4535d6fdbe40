import { z } from '@hono/zod-openapi'
import { chargeableUsd, creditsAmount, usdCentsLimit } from '../http/input/amounts.ts'
import { customerText, objectId, refuseTwoOwners, subjectFields } from '../http/input/identifiers.ts'
import { pageQuery, pageSchema } from '../http/input/pagination.ts'
import { PAUSE_REASONS, PAYMENT_STATUSES, PAYMENT_TYPES } from '../ledger/model/payments.ts'

const MAX_URL = 2_048
const PLAIN_URL = /^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i

/**
 * Returns the schema of a URL that the buyer's browser opens after the checkout. The Worker never requests this URL.
 */
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
    credit_pack_id: objectId().optional().openapi({
      description:
        'The id of the credit pack to buy. Omit it if the request contains `credits` and `price_usd`.',
    }),
    credits: creditsAmount().optional(),
    price_usd: chargeableUsd()
      .optional()
      .openapi({ description: 'The price in USD, without fractions of a cent, at least 0.50.' }),
    success_url: returnUrl(),
    cancel_url: returnUrl(),
    save_payment_method: z.boolean().default(false).openapi({
      description: 'Whether to save the card for automatic top-ups of the wallet.',
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
    url: z.string().openapi({
      description: 'The URL of the Stripe page on which the buyer can pay. It is valid for 24 hours.',
    }),
  })
  .openapi('OpenedCheckout')

export const paymentPath = z.object({
  id: customerText().openapi({ param: { name: 'id', in: 'path' } }),
})

export const paymentsQuery = z.strictObject(pageQuery)

const usd = (description: string) => z.number().openapi({ description })
const time = z.string().openapi({ format: 'date-time' })

const failureSchema = z.object({
  code: z.string().openapi({
    description: 'The error code of Stripe, such as `card_declined`, or an error code of this API.',
  }),
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
    transaction_id: z.string().optional().openapi({
      description: 'The id of the ledger entry that added the credits; absent before the credits are added.',
    }),
    provider_reference: z.string().nullable().openapi({
      description:
        'The id of the payment intent in Stripe. Before the payment intent exists, it is the id of the Checkout session, or null.',
    }),
    failure: failureSchema.optional(),
    refunded_usd: usd('The amount in USD that was refunded through Stripe.'),
    disputed_usd: usd('The amount in USD of the disputes that are open or lost.'),
    credits_taken_back: z.number().openapi({
      description:
        'The credits that refunds and disputes have removed, minus the credits that were returned.',
    }),
    url: z.string().optional().openapi({
      description:
        'The URL of the page on which the buyer can pay. Absent if the payment needs no action by the buyer.',
    }),
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
        'The threshold in credits. The card is charged when the available credits fall below it. Credits that a hold reserves are not available.',
    }),
    credits: creditsAmount().openapi({ description: 'The credits that one top-up adds.' }),
    price_usd: chargeableUsd().openapi({
      description: 'The price of one top-up in USD, without fractions of a cent.',
    }),
    max_usd_per_month: usdCentsLimit().openapi({
      description:
        'The maximum amount in USD of all top-ups in a calendar month (UTC). Refunded top-ups also count.',
    }),
    max_per_day: z
      .int()
      .min(1, 'must be at least 1')
      .max(1_000, 'must be at most 1000')
      .optional()
      .openapi({ description: 'The maximum number of top-ups on a UTC day. Default: no limit.' }),
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
        'The reason why the automatic top-up is paused: no saved card, three declined charges in a row, or a reached limit. Null if it is not paused. A pause because of a missing card ends when a card is saved. A pause because of declined charges ends when another card is saved, or when the rule is set again.',
    }),
    last_attempt: z
      .object({
        payment_id: z.string(),
        status: z.enum(PAYMENT_STATUSES),
        at: time,
        failure: failureSchema.optional(),
        url: z.string().optional().openapi({
          description:
            'The URL of the page on which the card owner can confirm the charge. Absent if no confirmation is required.',
        }),
      })
      .nullable(),
    spent_usd_this_month: usd(
      'The amount in USD of the top-ups in the current calendar month (UTC). Failed top-ups do not count.',
    ),
  })
  .openapi('AutoTopUp')
