import type { Mode } from '../db/schema.ts'

/** What the audit log records: every change of keys, customers, credits, pricing and entitlements that was accepted. */
export const AUDIT_ACTIONS = [
  'credits.grant',
  'credits.purchase',
  'credits.refund',
  'credits.void',
  'credits.transfer',
  'credits.adjust',
  'credits.set_overdraft',
  'credits.stop_recurring',
  'entitlements.create',
  'entitlements.replace',
  'entitlements.delete',
  'burn_tables.create',
  'burn_tables.edit',
  'burn_tables.delete',
  'users.erase',
  'teams.erase',
  'price_overrides.create',
  'provider_costs.create',
  'customers.register',
  'customers.change',
  'api_keys.create',
  'api_keys.rotate',
  'api_keys.delete',
  'admin.rerate',
  'admin.rebuild',
  'admin.reconcile',
  'admin.replay_dead_letters',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/** The operator in `actor`; a customer's key is named by its id. */
export const OPERATOR_ACTOR = 'operator'
/** Whoever registers where registration is open. */
export const PUBLIC_ACTOR = 'public'

/** Who did it, and from where. */
export interface Auditor {
  /** A key's id, `operator` or `public`. */
  readonly actor: string
  /** As Cloudflare saw it; undefined where it did not say. */
  readonly ip?: string
  readonly request_id?: string
}

/**
 * What changed, as far as it changed: small and flat. Never a secret, and nothing that is a person's: no email, no id
 * of a user or team, no metadata. The log cannot be edited, so what is not in it need never be erased from it.
 */
export interface AuditState {
  readonly [field: string]: AuditValue
}
export type AuditValue = string | number | boolean | null | readonly string[] | AuditState

export interface AuditRecord extends Auditor {
  readonly action: AuditAction
  /** The id of what was changed: a wallet, an entitlement, a burn table, a key, a customer, a price … */
  readonly target: string
  /** null: it was not there. */
  readonly before: AuditState | null
  /** null: it is gone, or the action has no state of its own. */
  readonly after: AuditState | null
}

/** Where a record belongs: a customer, and the ledger if it is of one; the operator's own otherwise. */
export interface AuditPlace {
  readonly customer_id: string | null
  readonly mode: Mode | null
}

/** A state is at most this long as JSON. What can be long (a name, scopes) has limits far below. */
export const MAX_STATE_LENGTH = 4_000

/**
 * A state as it is stored. One that is too long is replaced by its length: no change may fail, and no row may be
 * lost, for the sake of a detail.
 */
export function stateText(state: AuditState | null): string | null {
  if (state === null) return null
  const text = JSON.stringify(state)
  return text.length <= MAX_STATE_LENGTH ? text : JSON.stringify({ too_long: text.length })
}
