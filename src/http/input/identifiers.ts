import { z } from '@hono/zod-openapi'
import type { WalletOwner } from '../../ledger/model/vocabulary.ts'

const MAX_CHARACTERS = 255
// Cc: C0, DEL and C1. Cs: a surrogate without its other half, which has no UTF-8.
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u

/** An id or a name that the customer chose: 1 to 255 characters (code points), none of them a control character. */
export function customerText() {
  return z
    .string()
    .superRefine((text, ctx) => {
      // A code point is one or two UTF-16 units: only between the two is counting them worth it.
      const too_long =
        text.length > 2 * MAX_CHARACTERS ||
        (text.length > MAX_CHARACTERS && [...text].length > MAX_CHARACTERS)
      if (text === '' || too_long) {
        ctx.addIssue({ code: 'custom', message: `must have 1 to ${MAX_CHARACTERS} characters` })
      } else if (UNPRINTABLE.test(text)) {
        ctx.addIssue({ code: 'custom', message: 'must not have control characters or lone surrogates' })
      }
    })
    .openapi({ minLength: 1, maxLength: MAX_CHARACTERS })
}

/** The fields that pick a wallet: a user's, a team's, or with neither the customer's. */
export const subjectFields = {
  user_id: customerText().optional(),
  team_id: customerText().optional(),
}

interface Subject {
  readonly user_id?: string | undefined
  readonly team_id?: string | undefined
}

/** Outside events a wallet is one user's or one team's: both together name none. */
export function refuseTwoOwners(subject: Subject, ctx: z.RefinementCtx): void {
  if (subject.user_id === undefined || subject.team_id === undefined) return
  ctx.addIssue({ code: 'custom', path: ['team_id'], message: 'give user_id or team_id, not both' })
}

export function ownerOf({ user_id, team_id }: Subject): WalletOwner {
  if (team_id !== undefined) return { kind: 'team', id: team_id }
  if (user_id !== undefined) return { kind: 'user', id: user_id }
  return { kind: 'customer' }
}
