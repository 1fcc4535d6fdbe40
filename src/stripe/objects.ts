import { z } from 'zod'

/** Defines the fields of Stripe objects that payments read. Other fields are ignored. */

/**
 * The maximum length of a URL. URLs are stored in the ledger and sent in notifications, and the size of both is
 * limited.
 */
const MAX_URL = 2_048
const metadata = z.record(z.string(), z.string()).nullish()
const card = z.object({ fingerprint: z.string().nullish() })

export const paymentMethodSchema = z.object({ id: z.string(), card: card.nullish() })

const chargeSchema = z.object({
  id: z.string(),
  amount_refunded: z.int().min(0),
  disputed: z.boolean(),
  receipt_url: z.string().max(MAX_URL).nullish(),
})

export const paymentIntentSchema = z.object({
  id: z.string(),
  object: z.literal('payment_intent'),
  status: z.string(),
  /** The received amount in cents. */
  amount_received: z.int().min(0),
  currency: z.string(),
  livemode: z.boolean(),
  metadata,
  customer: z.string().nullish(),
  payment_method: z.union([z.string(), paymentMethodSchema]).nullish(),
  latest_charge: z.union([z.string(), chargeSchema]).nullish(),
  last_payment_error: z
    .object({
      code: z.string().optional(),
      decline_code: z.string().optional(),
      message: z.string().optional(),
    })
    .nullish(),
})

export const sessionSchema = z.object({
  id: z.string(),
  object: z.literal('checkout.session'),
  status: z.string().nullish(),
  url: z.string().max(MAX_URL).nullish(),
  livemode: z.boolean(),
  metadata,
  /**
   * The payment intent, its id, or null. It is expanded in the result of `session`. A new session has only the id, or
   * null.
   */
  payment_intent: z.union([z.string(), paymentIntentSchema]).nullish(),
})

export const paymentIntentsSchema = z.object({ data: z.array(paymentIntentSchema), has_more: z.boolean() })
export const paymentMethodsSchema = z.object({ data: z.array(paymentMethodSchema) })
export const disputesSchema = z.object({
  data: z.array(z.object({ id: z.string(), status: z.string(), amount: z.int().min(0) })),
})

export type PaymentIntent = z.infer<typeof paymentIntentSchema>
export type Session = z.infer<typeof sessionSchema>
export type Disputes = z.infer<typeof disputesSchema>
