import type { Context } from 'hono'
import type { KeyActor } from '../api-keys/authentication/context.ts'
import type { CreatedKey } from '../api-keys/changes.ts'
import type { ApiKey } from '../api-keys/rows.ts'
import { type AuditAction, type AuditState, OPERATOR_ACTOR } from '../audit/record.ts'
import { auditorOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { timeJson, timeOrNull } from '../http/input/times.ts'
import { auditStatement } from '../ledger/flush/audit-log.ts'
import type { Customer } from './accounts.ts'

/**
 * The audit log's records of changes of keys and customers. Each stands directly behind the statement that makes the
 * change, and records nothing when that changed no row.
 */

const IF_CHANGED = { if_changed: true } as const

/** Of a key that is made, or that takes the place of another, which is the same but for its end. */
export function auditCreatedKey(
  c: Context<AppEnv>,
  actor: KeyActor,
  { key, replaces }: CreatedKey,
): D1PreparedStatement {
  const made = keyState(key)
  return keyRecord(c, actor, key, {
    action: replaces ? 'api_keys.rotate' : 'api_keys.create',
    target: replaces?.key_id ?? key.key_id,
    before: replaces ? { ...made, key_id: replaces.key_id } : null,
    after: replaces
      ? { ...made, key_id: key.key_id, replaced_works_until: timeJson(replaces.revoked_at_ms) }
      : made,
  })
}

export function auditDeletedKey(c: Context<AppEnv>, actor: KeyActor, key: ApiKey): D1PreparedStatement {
  const record = {
    action: 'api_keys.delete',
    target: key.key_id,
    before: keyState(key),
    after: null,
  } as const
  return keyRecord(c, actor, key, record)
}

export function auditChangedAccount(
  c: Context<AppEnv>,
  before: Customer,
  after: Customer,
): D1PreparedStatement {
  const { customer_id } = before
  const record = {
    ...auditorOf(c, OPERATOR_ACTOR),
    action: 'customers.change',
    target: customer_id,
    before: { tier: before.tier, status: before.status },
    after: { tier: after.tier, status: after.status },
  } as const
  return auditStatement(c.env.DB, { customer_id, mode: null }, record, Date.now(), IF_CHANGED)
}

interface KeyChange {
  readonly action: AuditAction
  readonly target: string
  readonly before: AuditState | null
  readonly after: AuditState | null
}

function keyRecord(
  c: Context<AppEnv>,
  { customer_id, key_id: actor = OPERATOR_ACTOR }: KeyActor,
  { mode }: ApiKey,
  change: KeyChange,
): D1PreparedStatement {
  const record = { ...auditorOf(c, actor), ...change }
  return auditStatement(c.env.DB, { customer_id, mode }, record, Date.now(), IF_CHANGED)
}

function keyState({ name, mode, scopes, expires_at_ms }: ApiKey): AuditState {
  return { name, mode, scopes, expires_at: timeOrNull(expires_at_ms) }
}
