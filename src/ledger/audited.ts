import { createHash } from 'node:crypto'
import type { AuditAction, Auditor, AuditState } from '../audit/record.ts'
import type { SubjectKind } from '../db/schema.ts'
import type { BurnDefaults } from '../pricing/burn-table/table.ts'
import { formatCredits, microCredits, ZERO_CREDITS } from '../pricing/money.ts'
import { lastVersion } from './burn-tables/answers.ts'
import { applyBurnTable, type BurnTableOutcome, deactivateBurnTable } from './burn-tables/changes.ts'
import type { BurnTableRows } from './burn-tables/rows.ts'
import type { Draft } from './commit/draft.ts'
import { applyCredit, type CreditOutcome, creditAnswer } from './credits/credit.ts'
import { applyMovement } from './credits/movement.ts'
import { applyEntitlement } from './entitlements/entitlements.ts'
import { quantityText } from './entitlements/limits.ts'
import type { EntitlementRows } from './entitlements/rows.ts'
import type { Caller } from './model/account.ts'
import type { MovementAnswer } from './model/answers.ts'
import type { Entitlement } from './model/entitlements.ts'
import type { LedgerIds } from './model/ledger-ids.ts'
import type {
  BurnTableResult,
  DeactivateBurnTableMessage,
  SaveBurnTableMessage,
} from './model/messages/burn-tables.ts'
import type { CreditMessage, Movement, MovementMessage, MovementResult } from './model/messages/credits.ts'
import type { ChangeEntitlementMessage, EntitlementResult } from './model/messages/entitlements.ts'

/**
 * The changes that the audit log records, each with its record in the same commit: in the same journal row, so that it
 * costs none, and there if and only if the change is. Refused and replayed requests record nothing. What happens by
 * itself (an expiry, a recurrence, the sign-up grant of a ledger that is opened) and usage (events, holds) are in the
 * ledger's entries and not in the audit log.
 */

export function creditAudited(draft: Draft, message: CreditMessage, ids: LedgerIds): CreditOutcome {
  const outcome = applyCredit(draft, message)
  if (outcome.kind !== 'done') return outcome
  const { entry } = outcome
  const { lot_id, recurring_grant_id, ...answer } = creditAnswer(ids, entry)
  record(draft, message.caller, {
    action: message.type === 'GRANT' ? 'credits.grant' : 'credits.purchase',
    target: answer.wallet_id,
    before: balanceState(entry.balance_after - entry.amount),
    after: {
      ...balanceState(answer.balance_after),
      transaction_id: answer.transaction_id,
      lot_id,
      ...(recurring_grant_id !== undefined && { recurring_grant_id }),
    },
  })
  return outcome
}

export function moveAudited(draft: Draft, message: MovementMessage, ids: LedgerIds): MovementResult {
  const before = stateBefore(draft, message.movement, ids)
  const result = applyMovement(draft, message, ids)
  if (result.kind === 'done') {
    record(draft, message.caller, movementRecord(message.movement, result.answer, before, ids))
  }
  return result
}

export function entitlementAudited(
  draft: Draft,
  rows: EntitlementRows,
  message: ChangeEntitlementMessage,
): EntitlementResult {
  const { change, caller } = message
  const before = change.kind === 'create' ? undefined : rows.byId(change.id)
  const result = applyEntitlement(draft, rows, message)
  if (result.kind !== 'done') return result
  record(draft, caller, {
    action: `entitlements.${change.kind}`,
    target: result.answer.id,
    before: before ? entitlementState(before) : null,
    after: change.kind === 'delete' ? null : entitlementState(result.answer),
  })
  return result
}

export function burnTableAudited(
  draft: Draft,
  rows: BurnTableRows,
  { caller, change, idempotency }: SaveBurnTableMessage,
  defaults: BurnDefaults,
): BurnTableOutcome {
  const last = change.kind === 'edit' ? lastVersion(rows, change.id) : undefined
  const outcome = applyBurnTable(draft, rows, change, idempotency, defaults)
  if (outcome.kind !== 'done') return outcome
  record(draft, caller, {
    action: `burn_tables.${change.kind}`,
    target: outcome.row.table_id,
    before: last ? versionState(last) : null,
    after: versionState(outcome.row),
  })
  return outcome
}

export function deactivationAudited(
  draft: Draft,
  rows: BurnTableRows,
  { caller, id }: DeactivateBurnTableMessage,
): BurnTableResult {
  const last = lastVersion(rows, id)
  const result = deactivateBurnTable(draft, rows, id)
  if (result.kind === 'done' && last?.deactivated_at_ms === null) {
    record(draft, caller, {
      action: 'burn_tables.delete',
      target: id,
      before: versionState(last),
      after: null,
    })
  }
  return result
}

/** The alias stands for whoever was erased. */
export function erasureAudited(draft: Draft, caller: Caller, kind: SubjectKind, alias: string): void {
  record(draft, caller, { action: `${kind}s.erase`, target: alias, before: null, after: null })
}

/** Who acts, as the audit log names it. */
export function auditorOf({ key_id, ip, request_id }: Caller): Auditor {
  return { actor: key_id, ...(ip !== undefined && { ip }), ...(request_id !== undefined && { request_id }) }
}

interface Change {
  readonly action: AuditAction
  readonly target: string
  readonly before: AuditState | null
  readonly after: AuditState | null
}

function record(draft: Draft, caller: Caller, change: Change): void {
  draft.record({ kind: 'audit', at_ms: draft.at_ms, audit: { ...auditorOf(caller), ...change } })
}

/** What the answer does not tell of how it was before; null where that tells all. */
function stateBefore(draft: Draft, movement: Movement, ids: LedgerIds): AuditState | null {
  switch (movement.type) {
    case 'OVERDRAFT': {
      const limit = draft.wallet(movement.owner)?.overdraft_limit ?? ZERO_CREDITS
      return { overdraft_limit: exact(formatCredits(limit)) }
    }
    case 'STOP_RECURRING': {
      const { number, wallet } = movement.grant
      const grant = draft.walletByNumber(wallet)?.recurring.find((one) => one.number === number)
      if (!grant) return null
      return { wallet_id: ids.wallet(wallet), every: grant.every, amount: exact(formatCredits(grant.amount)) }
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
  STOP_RECURRING: 'credits.stop_recurring',
  OVERDRAFT: 'credits.set_overdraft',
} as const satisfies Record<Movement['type'], AuditAction>

function movementRecord(
  movement: Movement,
  answer: MovementAnswer,
  before: AuditState | null,
  ids: LedgerIds,
): Change {
  const action = MOVEMENT_ACTIONS[movement.type]
  const { wallet_id, amount, balance_after, transaction_id, returned_expired = ZERO_CREDITS, to } = answer
  if (movement.type === 'STOP_RECURRING') {
    return { action, target: ids.recurringGrant(movement.grant), before, after: null }
  }
  if (movement.type === 'OVERDRAFT') {
    return {
      action,
      target: wallet_id,
      before,
      after: { overdraft_limit: exact(formatCredits(movement.limit)) },
    }
  }
  // A transfer answers what it moved; its first wallet gave it.
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
  return { balance: exact(formatCredits(microCredits(balance_micro))) }
}

/**
 * Its rules. Whose it is, as far as that is a person or a team, is with the entitlement alone, and so are metadata: they
 * can be erased there. A static `value` may hold anything, so of that there is a digest, which tells one from another.
 */
function entitlementState(entitlement: Entitlement): AuditState {
  const { feature_id, owner, limit_type, limit, unit, period, anchor_ms, enabled, value } = entitlement
  return {
    feature_id,
    level: owner.kind,
    limit_type,
    limit_value: limit === null ? null : exact(quantityText(unit, BigInt(limit))),
    unit,
    period,
    anchor: anchor_ms === null ? null : new Date(anchor_ms).toISOString(),
    enabled,
    ...(value !== undefined && { value_sha256: digest(value) }),
  }
}

/** A version says all of a table, and is never edited. */
function versionState(version: {
  readonly version: number
  readonly effective_from_ms: number
  readonly effective_to_ms: number | null
}): AuditState {
  const { effective_from_ms, effective_to_ms } = version
  return {
    version: version.version,
    effective_from: new Date(effective_from_ms).toISOString(),
    effective_to: effective_to_ms === null ? null : new Date(effective_to_ms).toISOString(),
  }
}

/** A decimal as a number where a double writes the very same, and else as the text it is. */
function exact(decimal: string): number | string {
  const number = Number(decimal)
  return String(number) === decimal ? number : decimal
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}
