import { z } from '@hono/zod-openapi'
import { creditsAmount } from '../http/input/amounts.ts'
import { customerId, customerText, refuseTwoOwners, subjectFields } from '../http/input/identifiers.ts'
import { pageQuery, pageSchema } from '../http/input/pagination.ts'
import { HOLD_STATUSES } from '../ledger/model/wallet.ts'
import { eventSchema } from '../rating/event.ts'
import { countInput, usageInput } from '../rating/schema.ts'

const DEFAULT_SECONDS = 600
const MAX_SECONDS = 86_400

const lifetime = z
  .number('must be a whole number of seconds')
  .refine(Number.isInteger, 'must be a whole number of seconds')
  .min(1, 'must be at least 1')
  .max(MAX_SECONDS, `must be at most ${MAX_SECONDS} (1 day)`)

export const openHoldSchema = z
  .strictObject({
    feature_id: customerId(),
    ...subjectFields,
    expires_in_seconds: lifetime.default(DEFAULT_SECONDS),
    credits: creditsAmount().optional(),
    provider: customerText().optional(),
    model: customerText().optional(),
    usage: usageInput.optional(),
    max_output_tokens: countInput().optional(),
    service_tier: customerText().optional(),
    region: customerText().optional(),
  })
  .superRefine((hold, ctx) => {
    const by_model = hold.provider !== undefined || hold.model !== undefined || hold.usage !== undefined
    if (hold.credits === undefined && !by_model) {
      ctx.addIssue({
        code: 'custom',
        path: ['credits'],
        message: 'required unless provider, model and usage are given',
      })
    }
    if (hold.credits !== undefined && (by_model || hold.max_output_tokens !== undefined)) {
      ctx.addIssue({
        code: 'custom',
        path: ['credits'],
        message: 'cannot be combined with provider, model, usage or max_output_tokens',
      })
    }
    if (hold.credits === undefined && by_model) {
      for (const field of ['provider', 'model', 'usage'] as const) {
        if (hold[field] === undefined) ctx.addIssue({ code: 'custom', path: [field], message: 'required' })
      }
    }
  })
  .openapi('OpenHold')

export type OpenHoldInput = z.infer<typeof openHoldSchema>

export const captureSchema = z
  .strictObject({
    credits: creditsAmount().optional(),
    event: eventSchema.optional(),
    final: z.boolean().default(false),
  })
  .superRefine((capture, ctx) => {
    if ((capture.credits === undefined) === (capture.event === undefined)) {
      ctx.addIssue({
        code: 'custom',
        path: ['credits'],
        message: 'must be present if event is absent, and absent if event is present',
      })
    }
    for (const field of ['idempotency_key', 'hold_id'] as const) {
      if (capture.event?.[field] !== undefined) {
        ctx.addIssue({
          code: 'custom',
          path: ['event', field],
          message: 'is not allowed in an event inside a capture',
        })
      }
    }
  })
  .openapi('CaptureHold')

export const extendSchema = z.strictObject({ expires_in_seconds: lifetime }).openapi('ExtendHold')

export const holdPath = z.object({ id: z.string().max(64) })

export const holdsQuery = z.strictObject({ ...pageQuery, ...subjectFields }).superRefine(refuseTwoOwners)

const credits = z.number().openapi({ description: 'Credits, with at most 6 decimals.' })
const time = z.string().openapi({ format: 'date-time' })

export const holdSchema = z
  .object({
    hold_id: z.string(),
    status: z.enum(HOLD_STATUSES),
    feature_id: z.string(),
    user_id: z.string().nullable(),
    team_id: z.string().nullable(),
    wallet_id: z.string(),
    credits: credits.openapi({ description: 'The credits that the hold reserved when it was opened.' }),
    captured: credits,
    remaining: credits,
    available_balance: credits.openapi({
      description:
        'The balance of the wallet minus the credits that holds reserve, and minus the credits of lots that begin later.',
    }),
    max_output_tokens: z.int().optional().openapi({
      description:
        'The number of output tokens that the hold can still pay for, after the cost of the input that was not captured yet.',
    }),
    expires_at: time,
    created_at: time,
  })
  .openapi('Hold')

export const capturedSchema = z
  .object({
    hold_id: z.string(),
    captured: credits,
    shortfall: credits.openapi({
      description: 'The part of the captured cost that the wallet could not pay.',
    }),
    remaining: credits,
    balance_after: credits,
    max_output_tokens: z.int().optional(),
    transaction_id: z.string(),
    event_id: z.string().optional(),
  })
  .openapi('Captured')

export const holdsSchema = pageSchema(holdSchema)
