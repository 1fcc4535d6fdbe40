import type { z } from '@hono/zod-openapi'
import type { WalletOwner } from '../../ledger/model/vocabulary.ts'
import { customerText } from './identifiers.ts'

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
