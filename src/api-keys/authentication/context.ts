import type { Bindings } from '../../bindings.ts'
import { detailOf, type FieldError, invalid, type Refusal } from '../../ledger/model/refusal.ts'
import { settleRevocation } from '../revocation.ts'
import { type ApiKey, type KeyContext, MAX_KEY_ROWS, readKeyContext } from '../rows.ts'
import { type Authority, exceeds, FULL_AUTHORITY } from './scopes.ts'

/** Decides which keys a caller may change. Reads the calling key from D1, because a cached record can be 90 s old. */

/** The caller that changes a key: an API key of the same customer, or the operator. */
export interface KeyActor {
  readonly customer_id: string
  /** The id of the calling key; undefined for the operator. */
  readonly key_id: string | undefined
}

export interface KeyRefused {
  readonly kind: 'refused'
  readonly code:
    | 'invalid_request'
    | 'not_found'
    | 'conflict'
    | 'insufficient_scope'
    | 'customer_suspended'
    | 'revoked_api_key'
    | 'expired_api_key'
    | 'overloaded'
    | 'unavailable'
  readonly detail: string
  /** The invalid fields of the request, if the response is a 400. */
  readonly errors?: readonly FieldError[]
}

export interface AdmittedContext extends KeyContext {
  readonly kind: 'admitted'
}

/**
 * Reads the state that a key change requires from D1. Returns a refusal if the customer does not exist, or if the
 * caller is not allowed to change any key. If the calling key was deleted or replaced, first completes its revocation,
 * and throws if this fails.
 */
export async function admitKeyChange(
  env: Bindings,
  { customer_id, key_id: maker_id }: KeyActor,
  target_id: string | undefined,
  now_ms: number,
): Promise<AdmittedContext | KeyRefused> {
  const context = await readKeyContext(env, customer_id, { maker_id, target_id }, now_ms)
  if (!context) return { kind: 'refused', code: 'not_found', detail: `Customer ${customer_id} not found.` }
  const { maker, account } = context
  if (maker_id === undefined) {
    return account.status === 'PENDING' ? UNFINISHED : { kind: 'admitted', ...context }
  }
  // A key without a row was deleted, expired or rotated earlier: the rows of such keys are eventually removed.
  if (!maker) return refusedBecause('revoked_api_key')
  if (isOver(maker.revoked_at_ms, now_ms)) {
    // A cache still admitted the key. If its deletion was interrupted after the change in D1, this call completes the
    // deletion.
    await settleRevocation(env, customer_id, maker.key_id)
    return refusedBecause('revoked_api_key')
  }
  if (isOver(maker.expires_at_ms, now_ms)) {
    return { kind: 'refused', code: 'expired_api_key', detail: 'This API key has expired. Use another key.' }
  }
  if (account.status !== 'ACTIVE') return refusedBecause('customer_suspended')
  return { kind: 'admitted', ...context }
}

/**
 * Returns the authority that the caller may give to other keys. A rotated key can still create keys during its overlap,
 * but only keys that end no later than the overlap.
 */
export function authorityOf({ maker }: AdmittedContext): Authority {
  if (!maker) return FULL_AUTHORITY
  const { mode, scopes, expires_at_ms, revoked_at_ms } = maker
  return { mode, scopes, ends_at_ms: earlier(expires_at_ms, revoked_at_ms) }
}

export function refuseExcess(
  wanted: Authority,
  own: Authority,
  what: 'create' | 'delete',
): KeyRefused | undefined {
  const detail = exceeds(wanted, own, what)
  return detail === undefined ? undefined : { kind: 'refused', code: 'insufficient_scope', detail }
}

export function refuseTooMany(
  { keys_in_force, recent_keys, maker }: KeyContext,
  max_keys: number,
): KeyRefused | undefined {
  if (maker && recent_keys >= MAX_KEY_ROWS) {
    return conflict(
      `This customer has ${recent_keys} API keys that are active or ended within the last day. The maximum is ${MAX_KEY_ROWS}. Retry tomorrow.`,
    )
  }
  if (keys_in_force < max_keys) return undefined
  const detail = `This customer has ${keys_in_force} active API keys. The maximum is ${max_keys}. Delete an unused key first.`
  return { kind: 'refused', code: 'conflict', detail }
}

/**
 * Refuses an `expires_at` that is not in the future. The schema does not check this, because a replay can arrive after
 * the key has expired.
 */
export function refusePastEnd({ ends_at_ms }: Authority, now_ms: number): KeyRefused | undefined {
  if (!isOver(ends_at_ms, now_ms)) return undefined
  return { kind: 'refused', ...invalid([{ path: '/expires_at', message: 'must be in the future' }], 'body') }
}

/** Refuses to rotate a key that has expired or that was already deleted or rotated; otherwise returns undefined. */
export function refuseEnded(
  { expires_at_ms, revoked_at_ms }: ApiKey,
  now_ms: number,
): KeyRefused | undefined {
  if (isOver(expires_at_ms, now_ms)) return conflict('This API key has expired. Create a new key.')
  if (revoked_at_ms === null) return undefined
  return conflict('This API key is already deleted or rotated. Create a new key.')
}

export function refusedBecause(
  code: Refusal['code'] & ('revoked_api_key' | 'customer_suspended' | 'overloaded' | 'unavailable'),
): KeyRefused {
  return { kind: 'refused', code, detail: detailOf({ code }) }
}

export function noSuchKey(key_id: string): KeyRefused {
  return { kind: 'refused', code: 'not_found', detail: `API key ${key_id} not found.` }
}

const UNFINISHED = conflict(
  "This customer's registration is incomplete. Repeat the registration to get the first key.",
)

function conflict(detail: string): KeyRefused {
  return { kind: 'refused', code: 'conflict', detail }
}

function isOver(at_ms: number | null, now_ms: number): boolean {
  return at_ms !== null && at_ms <= now_ms
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.min(a, b)
}
