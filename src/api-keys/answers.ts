import type { Context } from 'hono'
import type { AppEnv } from '../http/env.ts'
import { timeJson, timeOrNull } from '../http/input/times.ts'
import { problem } from '../http/output/problem.ts'
import type { Answer, KeepAnswer } from '../http/output/stored-answers.ts'
import { auditCreatedKey } from './audit.ts'
import type { KeyActor, KeyRefused } from './authentication/context.ts'
import type { CreatedKey, WithKey } from './changes.ts'
import type { ApiKey } from './rows.ts'

/** Builds the responses of the API key routes, for customers and for the operator. */

export function apiKeyJson(key: ApiKey, now_ms: number): object {
  const { key_id, name, mode, scopes, created_at_ms, expires_at_ms, revoked_at_ms, last_used_at_ms } = key
  return {
    ...{ key_id, name, mode, scopes },
    status: statusOf(key, now_ms),
    created_at: timeJson(created_at_ms),
    expires_at: timeOrNull(expires_at_ms),
    revoked_at: timeOrNull(revoked_at_ms),
    last_used_at: timeOrNull(last_used_at_ms),
  }
}

/**
 * Returns the statements that write the audit record and the stored response of a new key. They must directly follow
 * the statement that inserts the key, in the same D1 batch.
 */
export function recordedAndKept(c: Context<AppEnv>, actor: KeyActor, keep: KeepAnswer): WithKey {
  return (created) => [
    auditCreatedKey(c, actor, created),
    ...keep({ status: 201, body: createdKeyJson(created) }, { if_changed: true }),
  ]
}

export function createdOrRefused(c: Context<AppEnv>, made: CreatedKey | KeyRefused): Answer | Response {
  return made.kind === 'refused' ? keyRefusal(c, made) : { status: 201, body: createdKeyJson(made) }
}

/** Returns the response to the creation of a key. Only this response and its replays contain the text of the key. */
function createdKeyJson({ key, api_key, replaces }: CreatedKey): object {
  return {
    ...apiKeyJson(key, key.created_at_ms),
    api_key,
    ...(replaces && {
      replaces: { key_id: replaces.key_id, revoked_at: timeJson(replaces.revoked_at_ms) },
    }),
  }
}

export function keyRefusal(c: Context<AppEnv>, { code, detail, errors }: KeyRefused): Response {
  return problem(c, { code, detail, ...(errors && { members: { errors } }) })
}

function statusOf(
  { expires_at_ms, revoked_at_ms }: ApiKey,
  now_ms: number,
): 'active' | 'expired' | 'revoked' {
  if (revoked_at_ms !== null && revoked_at_ms <= now_ms) return 'revoked'
  return expires_at_ms !== null && expires_at_ms <= now_ms ? 'expired' : 'active'
}
