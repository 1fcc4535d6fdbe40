import type { Context } from 'hono'
import { type AuditAction, type AuditState, OPERATOR_ACTOR } from '../audit/record.ts'
import { auditorOf } from '../http/caller.ts'
import type { AppEnv } from '../http/env.ts'
import { timeJson, timeOrNull } from '../http/input/times.ts'
import { auditStatement } from '../ledger/flush/audit-log.ts'
import type { KeyActor } from './authentication/context.ts'
import type { CreatedKey } from './changes.ts'
import type { ApiKey } from './rows.ts'

/**
 * Builds the statements that write changes of API keys to the audit log. Each statement must directly follow the
 * statement that makes the change. It writes nothing if the change affected no row.
 */

/**
 * Returns the statement that records a new key or a rotation. In the record of a rotation, `before` and `after` differ
 * only in the id of the key and in `replaced_works_until`, which only `after` has. It is the time until which the old
 * key works.
 */
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
  return auditStatement(c.env.DB, { customer_id, mode }, record, Date.now(), { if_changed: true })
}

function keyState({ name, mode, scopes, expires_at_ms }: ApiKey): AuditState {
  return { name, mode, scopes, expires_at: timeOrNull(expires_at_ms) }
}
