import type { Mode } from '../db/schema.ts'

/** The actions in the audit log: accepted changes, and the operator's bulk actions. */
export const AUDIT_ACTIONS = [
  'credits.grant',
  'credits.purchase',
  'credits.refund',
  'credits.void',
  'credits.transfer',
  'credits.adjust',
  'credits.revoke',
  'credits.set_overdraft',
  'credits.stop_recurring',
  'credits.set_auto_top_up',
  'credits.delete_auto_top_up',
  'entitlements.create',
  'entitlements.replace',
  'entitlements.delete',
  'burn_tables.create',
  'burn_tables.edit',
  'burn_tables.delete',
  'users.erase',
  'teams.erase',
  'drop_in.set_mappings',
  'price_overrides.create',
  'provider_costs.create',
  'customers.register',
  'customers.change',
  'api_keys.create',
  'api_keys.rotate',
  'api_keys.delete',
  'provider_keys.create',
  'provider_keys.delete',
  'gateway_routes.create',
  'gateway_routes.change',
  'gateway_routes.delete',
  'credit_packs.create',
  'credit_packs.change',
  'credit_packs.delete',
  'webhook_endpoints.create',
  'webhook_endpoints.change',
  'webhook_endpoints.rotate_secret',
  'webhook_endpoints.delete',
  'admin.rerate',
  'admin.rebuild',
  'admin.reconcile',
  'admin.replay_dead_letters',
  'admin.apply_price_feed',
  'admin.reject_price_feed',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/**
 * The `actor` of a change by the operator. If the operator signed in with Cloudflare Access, `auditorOf` appends the
 * email. The `actor` of a change by a customer is the id of an API key.
 */
export const OPERATOR_ACTOR = 'operator'
/** The `actor` of a registration without the operator token. */
export const PUBLIC_ACTOR = 'public'

/** The author of a change, and the request that made the change. */
export interface Auditor {
  /** The author: the id of an API key, `operator`, `operator:EMAIL` or `public`. */
  readonly actor: string
  /** The IP address of the caller; undefined if Cloudflare does not report it. */
  readonly ip?: string
  readonly request_id?: string
}

/**
 * The changed fields of an object. They must not contain secrets. They must also not contain personal data such as
 * emails, user ids, team ids and metadata: an audit record cannot be edited, and personal data might have to be erased.
 */
export interface AuditState {
  readonly [field: string]: AuditValue
}
export type AuditValue = string | number | boolean | null | readonly string[] | AuditState

export interface AuditRecord extends Auditor {
  readonly action: AuditAction
  /** The id of the changed object, for example of a wallet, a burn table, a key, a customer or a price. */
  readonly target: string
  /** The state before the change; null if the object did not exist, or if the action does not record this state. */
  readonly before: AuditState | null
  /** The state after the change; null if the object was deleted, or if the action does not record this state. */
  readonly after: AuditState | null
}

/**
 * The customer that a record concerns, and the mode if the record concerns one ledger. Both fields are null if the
 * action does not concern exactly one customer.
 */
export interface AuditPlace {
  readonly customer_id: string | null
  readonly mode: Mode | null
}

/** The maximum length of a state as JSON, in characters. Most states are much shorter. */
export const MAX_STATE_LENGTH = 4_000

/**
 * Converts a state to its stored text; null for no state. If the text is too long, returns only its length: a change
 * must not fail because its audit record is too long.
 */
export function stateText(state: AuditState | null): string | null {
  if (state === null) return null
  const text = JSON.stringify(state)
  return text.length <= MAX_STATE_LENGTH ? text : JSON.stringify({ too_long: text.length })
}
