import type { Mode } from '../db/schema.ts'

/**
 * The actions in the audit log: accepted changes of customers, their keys, credits, prices, entitlements and
 * settings, and the bulk actions of the operator.
 */
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
 * The `actor` of an operator's change. If the operator signed in with Cloudflare Access, `auditorOf` adds the email.
 * The `actor` of a customer's change is the id of an API key.
 */
export const OPERATOR_ACTOR = 'operator'
/** The `actor` of an open registration. */
export const PUBLIC_ACTOR = 'public'

/** The author of a change and its origin. */
export interface Auditor {
  /** A key id, `operator`, `operator:EMAIL` or `public`. */
  readonly actor: string
  /** The IP address of the caller; undefined if Cloudflare does not report it. */
  readonly ip?: string
  readonly request_id?: string
}

/**
 * The changed fields of an object. They never contain secrets or personal data, such as emails, user ids, team ids or
 * metadata. Records cannot be edited, so they must not contain data that may have to be erased.
 */
export interface AuditState {
  readonly [field: string]: AuditValue
}
export type AuditValue = string | number | boolean | null | readonly string[] | AuditState

export interface AuditRecord extends Auditor {
  readonly action: AuditAction
  /** The id of the changed object, for example of a wallet, a burn table, a key, a customer or a price. */
  readonly target: string
  /** The state before the change; null if the object did not exist, or if the action has no state. */
  readonly before: AuditState | null
  /** The state after the change; null if the object was deleted, or if the action has no state. */
  readonly after: AuditState | null
}

/**
 * The customer of a record, and the mode if the record concerns one ledger. Both are null for actions that concern no
 * single customer.
 */
export interface AuditPlace {
  readonly customer_id: string | null
  readonly mode: Mode | null
}

/**
 * The maximum length of a state as JSON, in characters. Variable parts, such as names and scopes, have much smaller
 * limits.
 */
export const MAX_STATE_LENGTH = 4_000

/**
 * Converts a state to its stored text. A text that is too long is replaced by its length, because a change must not
 * fail because of its record.
 */
export function stateText(state: AuditState | null): string | null {
  if (state === null) return null
  const text = JSON.stringify(state)
  return text.length <= MAX_STATE_LENGTH ? text : JSON.stringify({ too_long: text.length })
}
