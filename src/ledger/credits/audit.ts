import type { AuditAction, AuditState } from '../../audit/record.ts'
import { formatCredits, microCredits, ZERO_CREDITS } from '../../pricing/money.ts'
import type { BurnContext } from '../burns/rate.ts'
import { type AuditChange, type Audited, exactNumber } from '../commit/audit.ts'
import type { Draft } from '../commit/draft.ts'
import type { MovementAnswer } from '../model/answers.ts'
import type { Entry } from '../model/journal.ts'
import type { LedgerIds } from '../model/ledger-ids.ts'
import type { CreditMessage, Movement, MovementMessage, MovementResult } from '../model/messages/credits.ts'
import { applyCredit, type CreditOutcome, creditAnswer } from './credit.ts'
import { applyMovement } from './movement.ts'

/** Applies grants, purchases and movements, and describes their changes for the audit log. */

export function auditedCredit(
  draft: Draft,
  message: CreditMessage,
  { ids, quotas }: BurnContext,
): Audited<CreditOutcome> {
  const outcome = applyCredit(draft, message, quotas)
  return outcome.kind === 'done' && outcome.entry
    ? { outcome, change: creditChange(message, outcome.entry, ids) }
    : { outcome }
}

export function auditedMovement(
  draft: Draft,
  message: MovementMessage,
  { ids, quotas }: BurnContext,
): Audited<MovementResult> {
  const before = stateBefore(draft, message.movement, ids)
  const outcome = applyMovement(draft, message, ids, quotas)
  return outcome.kind === 'done'
    ? { outcome, change: movementChange(message.movement, outcome.answer, before, ids) }
    : { outcome }
}

function creditChange({ type }: CreditMessage, entry: Entry, ids: LedgerIds): AuditChange {
  const { wallet_id, balance_after, transaction_id, lot_id, recurring_grant_id } = creditAnswer(ids, entry)
  return {
    action: type === 'GRANT' ? 'credits.grant' : 'credits.purchase',
    target: wallet_id,
    before: balanceState(balance_after - entry.amount),
    after: {
      ...balanceState(balance_after),
      transaction_id,
      lot_id,
      ...(recurring_grant_id !== undefined && { recurring_grant_id }),
    },
  }
}

/**
 * Returns the state before a movement if it cannot be computed from the movement's result; null for other movements and
 * for an unknown recurring grant.
 */
function stateBefore(draft: Draft, movement: Movement, ids: LedgerIds): AuditState | null {
  switch (movement.type) {
    case 'OVERDRAFT': {
      const limit = draft.wallet(movement.owner)?.overdraft_limit ?? ZERO_CREDITS
      return { overdraft_limit: exactNumber(formatCredits(limit)) }
    }
    case 'STOP_RECURRING': {
      const { number, wallet } = movement.grant
      const grant = draft.walletByNumber(wallet)?.recurring.find((one) => one.number === number)
      if (!grant) return null
      const { every, amount, target } = grant
      return {
        wallet_id: ids.wallet(wallet),
        every,
        amount: exactNumber(formatCredits(amount)),
        ...(target !== undefined && { target_balance: exactNumber(formatCredits(target)) }),
      }
    }
    default:
      return null
  }
}

const MOVEMENT_ACTIONS = {
  VOID: 'credits.void',
  REFUND: 'credits.refund',
  TRANSFER: 'credits.transfer',
  ADJUSTMENT: 'credits.adjust',
  REVOKE: 'credits.revoke',
  STOP_RECURRING: 'credits.stop_recurring',
  OVERDRAFT: 'credits.set_overdraft',
} as const satisfies Record<Movement['type'], AuditAction>

function movementChange(
  movement: Movement,
  answer: MovementAnswer,
  before: AuditState | null,
  ids: LedgerIds,
): AuditChange {
  const action = MOVEMENT_ACTIONS[movement.type]
  const { wallet_id, amount, balance_after, transaction_id, returned_expired = ZERO_CREDITS, to } = answer
  if (movement.type === 'STOP_RECURRING') {
    return { action, target: ids.recurringGrant(movement.grant), before, after: null }
  }
  if (movement.type === 'OVERDRAFT') {
    const after = { overdraft_limit: exactNumber(formatCredits(movement.limit)) }
    return { action, target: wallet_id, before, after }
  }
  // The amount in the result of a transfer is positive, but it was deducted from the first wallet.
  const moved = movement.type === 'TRANSFER' ? -amount : amount - returned_expired
  return {
    action,
    target: wallet_id,
    before: balanceState(balance_after - moved),
    after: {
      ...balanceState(balance_after),
      transaction_id,
      ...(to && {
        to: {
          wallet_id: to.wallet_id,
          transaction_id: to.transaction_id,
          ...balanceState(to.balance_after),
        },
      }),
    },
  }
}

function balanceState(balance_micro: number): AuditState {
  return { balance: exactNumber(formatCredits(microCredits(balance_micro))) }
}
