import type { Context } from 'hono'
import { auditCreatedKey } from '../customers/audit.ts'
import type { AppEnv } from '../http/env.ts'
import { timeJson, timeOrNull } from '../http/input/times.ts'
import { invalidRequest, problem } from '../http/output/problem.ts'
import type { Answer, KeepAnswer } from '../http/output/stored-answers.ts'
import type { KeyActor, KeyRefused } from './authentication/context.ts'
import type { CreatedKey, WithKey } from './changes.ts'
import type { ApiKey } from './rows.ts'

/** How keys, and what went wrong with them, are answered: to a customer and to the operator. */

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

/** What goes into the batch of a new key, behind it: its record in the audit log, and its answer. */
export function recordedAndKept(c: Context<AppEnv>, actor: KeyActor, keep: KeepAnswer): WithKey {
  return (created) => [
    auditCreatedKey(c, actor, created),
    ...keep({ status: 201, body: createdKeyJson(created) }, { if_changed: true }),
  ]
}

export function createdOrRefused(c: Context<AppEnv>, made: CreatedKey | KeyRefused): Answer | Response {
  return made.kind === 'refused' ? keyRefusal(c, made) : { status: 201, body: createdKeyJson(made) }
}

/** The only answer that holds the key itself. */
function createdKeyJson({ key, api_key, replaces }: CreatedKey): object {
  return {
    ...apiKeyJson(key, key.created_at_ms),
    api_key,
    ...(replaces && {
      replaces: { key_id: replaces.key_id, revoked_at: timeJson(replaces.revoked_at_ms) },
    }),
  }
}

export function keyRefusal(c: Context<AppEnv>, { code, detail, errors = [] }: KeyRefused): Response {
  if (code === 'invalid_request') return invalidRequest(c, detail, errors)
  return problem(c, { code, detail, headers: headersOf(code) })
}

function statusOf(
  { expires_at_ms, revoked_at_ms }: ApiKey,
  now_ms: number,
): 'active' | 'expired' | 'revoked' {
  if (revoked_at_ms !== null && revoked_at_ms <= now_ms) return 'revoked'
  return expires_at_ms !== null && expires_at_ms <= now_ms ? 'expired' : 'active'
}

function headersOf(code: Exclude<KeyRefused['code'], 'invalid_request'>): Readonly<Record<string, string>> {
  switch (code) {
    case 'revoked_api_key':
    case 'expired_api_key':
      return { 'WWW-Authenticate': 'Bearer' }
    case 'overloaded':
    case 'unavailable':
      return { 'Retry-After': '1' }
    case 'not_found':
    case 'conflict':
    case 'insufficient_scope':
    case 'customer_suspended':
      return {}
  }
}
