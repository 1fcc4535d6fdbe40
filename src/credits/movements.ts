import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { callerOf, idempotencyOf, ledgerOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { creditsAmount, creditsLimit, signedCreditsAmount } from '../http/input/amounts.ts'
import { customerText, objectId, refuseTwoOwners, subjectFields } from '../http/input/identifiers.ts'
import { creditsJson } from '../http/output/json.ts'
import { answerResult } from '../http/output/problem.ts'
import { moveCredits } from '../ledger/client/client.ts'
import type { MovementAnswer } from '../ledger/model/answers.ts'
import type { Movement } from '../ledger/model/messages/credits.ts'

/**
 * Defines the schemas and responses of movements. A movement is a refund, a transfer, an adjustment, the revocation of
 * a lot, the void of an event, the cancellation of a recurring grant, or a change of an overdraft limit.
 */

export const refundSchema = z
  .strictObject({
    transaction_id: objectId(),
    amount: creditsAmount().optional().openapi({
      description: 'The credits to refund. Default: all credits of the transaction that can be refunded.',
    }),
    reason: customerText().optional(),
  })
  .openapi('Refund')

const walletRef = z.strictObject(subjectFields).superRefine(refuseTwoOwners)

export const transferSchema = z
  .strictObject({ from: walletRef, to: walletRef, amount: creditsAmount() })
  .openapi('Transfer', { description: "An empty object is the customer's own wallet." })

export const adjustSchema = z
  .strictObject({ ...subjectFields, amount: signedCreditsAmount(), reason: customerText() })
  .superRefine(refuseTwoOwners)
  .openapi('Adjustment')

export const lotPath = z.object({ id: z.string().max(64) })

export const revokeSchema = z
  .strictObject({
    amount: creditsAmount().optional().openapi({
      description: 'The credits to remove. Default: all credits of the lot that no hold reserves.',
    }),
    reason: customerText(),
  })
  .openapi('Revocation')

export const walletChangeSchema = z
  .strictObject({ ...subjectFields, overdraft_limit: creditsLimit() })
  .superRefine(refuseTwoOwners)
  .openapi('WalletChange')

const amount = z.number().openapi({ description: 'Credits, with at most 6 decimals.' })

export const movementSchema = z
  .object({
    transaction_id: z.string(),
    wallet_id: z.string(),
    amount,
    balance_after: amount,
    returned_expired: amount.optional().openapi({
      description:
        'The part of the returned credits that would have expired if they had not been burned. This part expires immediately.',
    }),
    to: z.object({ transaction_id: z.string(), wallet_id: z.string(), balance_after: amount }).optional(),
  })
  .openapi('Movement')

export const walletSchema = z
  .object({ wallet_id: z.string(), balance: amount, overdraft_limit: amount })
  .openapi('Wallet')

/** Applies the movement in the ledger and responds to the request. */
export async function answerMovement(
  c: Context<AppEnv>,
  operation: string,
  movement: Movement,
): Promise<Response> {
  const idempotency = await idempotencyOf(c, operation)
  const message = { caller: callerOf(c), movement, ...(idempotency && { idempotency }) }
  const result = await moveCredits(c.env, ledgerOf(c), message)
  return answerResult(c, result, renderMovement)
}

/**
 * Renders the result of a movement as JSON in format 1. A replay must return the same JSON, so a change of the JSON
 * requires a new format number.
 */
function renderMovement(answer: MovementAnswer): object {
  if (answer.overdraft_limit !== undefined) {
    return {
      wallet_id: answer.wallet_id,
      balance: creditsJson(answer.balance_after),
      overdraft_limit: creditsJson(answer.overdraft_limit),
    }
  }
  const { to } = answer
  return {
    transaction_id: answer.transaction_id,
    wallet_id: answer.wallet_id,
    amount: creditsJson(answer.amount),
    balance_after: creditsJson(answer.balance_after),
    ...(answer.returned_expired !== undefined && { returned_expired: creditsJson(answer.returned_expired) }),
    ...(to && { to: { ...to, balance_after: creditsJson(to.balance_after) } }),
  }
}
