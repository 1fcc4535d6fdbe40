import type { Bindings } from '../bindings.ts'
import { isTaken } from '../db/errors.ts'
import type { Mode } from '../db/schema.ts'
import { notify } from '../ledger/client/client.ts'
import { openTestLedger, shareWithTestLedger } from '../ledger/client/test-ledger.ts'
import { logError } from '../logging/log.ts'
import {
  admitKeyChange,
  authorityOf,
  type KeyActor,
  type KeyRefused,
  noSuchKey,
  refusedBecause,
  refuseEnded,
  refuseExcess,
  refusePastEnd,
  refuseTooMany,
} from './authentication/context.ts'
import { forgetCachedKey, mintApiKey } from './authentication/lookup.ts'
import { type Authority, SCOPES, type Scope } from './authentication/scopes.ts'
import { publishKeys } from './publishing.ts'
import { requireReached, revokeApiKey } from './revocation.ts'
import {
  type ApiKey,
  forgetEndedKeys,
  insertKey,
  isStored,
  type KeyContext,
  MAX_KEYS,
  MAX_KEYS_WITH_OVERLAPS,
  replaceKey,
} from './rows.ts'

/**
 * Creates, rotates and deletes API keys. Each change is one D1 batch. The batch writes a new key only if the state from
 * which the change was decided is unchanged. After the batch, the change is sent to KV and the ledgers.
 */

/**
 * The fields of a new key. An omitted field has the value of the calling key. If the operator creates the key, the
 * defaults are all scopes, live mode and no expiry.
 */
export interface KeyDraft {
  readonly name: string
  readonly scopes?: readonly Scope[] | undefined
  readonly mode?: Mode | undefined
  readonly expires_at_ms?: number | undefined
}

/** A new key. Only the response to its creation contains its text, `api_key`. */
export interface CreatedKey {
  readonly kind: 'created'
  readonly key: ApiKey
  readonly api_key: string
  /** The id of the replaced key, and the end of the overlap during which both keys work. */
  readonly replaces?: { readonly key_id: string; readonly revoked_at_ms: number }
}

/**
 * Returns the statements that run directly after the statement that adds the key. They must write nothing if
 * `changes()` is 0, which means that no key was added.
 */
export type WithKey = (created: CreatedKey) => D1PreparedStatement[]

/**
 * The maximum number of attempts to write a change. An attempt fails if the conditions of `KeyGuard` no longer hold,
 * for example because a concurrent change of the same customer was written first.
 */
const ATTEMPTS = 3

export async function createApiKey(
  env: Bindings,
  actor: KeyActor,
  draft: KeyDraft,
  now_ms: number,
  also: WithKey,
): Promise<CreatedKey | KeyRefused> {
  const max_keys = actor.key_id === undefined ? MAX_KEYS_WITH_OVERLAPS : MAX_KEYS
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const context = await admitKeyChange(env, actor, undefined, now_ms)
    if (context.kind === 'refused') return context
    const own = authorityOf(context)
    const wanted: Authority = {
      mode: draft.mode ?? own.mode,
      scopes: draft.scopes ?? own.scopes,
      ends_at_ms: draft.expires_at_ms ?? own.ends_at_ms,
    }
    const refused =
      refusePastEnd(wanted, now_ms) ?? refuseExcess(wanted, own, 'create') ?? refuseTooMany(context, max_keys)
    if (refused) return refused
    if (wanted.mode === 'test') {
      // Opens the test ledger before the test key is written. A concurrent change of the customer's account has one of
      // two effects. If it finds the test key in D1, it also updates the test ledger. If it comes before the key, the
      // account revision differs, so the key is not written.
      const opened = await openTestLedger(env, actor.customer_id, context)
      if (opened.kind === 'refused') {
        return refusedBecause(opened.refusal.code === 'overloaded' ? 'overloaded' : 'unavailable')
      }
    }
    const made = newKey(draft.name, wanted, now_ms)
    if (!(await write(env, actor, context, made, { max_keys, also }))) continue
    await announceKey(env, actor.customer_id, made.created)
    // Copies the changes that reached only the live ledger because they were made before the test key existed.
    if (wanted.mode === 'test') await shareWithTestLedger(env, actor.customer_id)
    return made.created
  }
  return refusedBecause('unavailable')
}

/**
 * Replaces a key with a new key that has the same name, mode, scopes and expiry. The old key works until the overlap
 * ends. The caller must then call `settleRevocation`, which sends the end of the overlap to the ledgers and KV. This is
 * also required after a replay. Returns a refusal if the key does not exist or has ended, if the actor may not create
 * the new key, if there are too many keys, or if all attempts fail.
 */
export async function rotateApiKey(
  env: Bindings,
  actor: KeyActor,
  rotation: { readonly key_id: string; readonly overlap_ms: number },
  now_ms: number,
  also: WithKey,
): Promise<CreatedKey | KeyRefused> {
  const max_keys = MAX_KEYS_WITH_OVERLAPS
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const context = await admitKeyChange(env, actor, rotation.key_id, now_ms)
    if (context.kind === 'refused') return context
    const { target } = context
    if (!target) return noSuchKey(rotation.key_id)
    const { mode, scopes, expires_at_ms } = target
    const wanted: Authority = { mode, scopes, ends_at_ms: expires_at_ms }
    const refused =
      refuseEnded(target, now_ms) ??
      refuseExcess(wanted, authorityOf(context), 'create') ??
      refuseTooMany(context, max_keys)
    if (refused) return refused
    const replaces = { key_id: target.key_id, revoked_at_ms: now_ms + rotation.overlap_ms }
    const made = newKey(target.name, wanted, now_ms, replaces)
    if (!(await write(env, actor, context, made, { max_keys, also }))) continue
    await announceKey(env, actor.customer_id, made.created)
    return made.created
  }
  return refusedBecause('unavailable')
}

/**
 * Deletes a key immediately and permanently. Returns a refusal if the key does not exist, or if the actor may not
 * delete it. Throws if D1, a ledger or KV fails. A repeated call completes an interrupted deletion.
 */
export async function deleteApiKey(
  env: Bindings,
  actor: KeyActor,
  key_id: string,
  now_ms: number,
  also: (key: ApiKey) => D1PreparedStatement[],
): Promise<{ readonly kind: 'deleted'; readonly key: ApiKey } | KeyRefused> {
  const context = await admitKeyChange(env, actor, key_id, now_ms)
  if (context.kind === 'refused') return context
  const { target } = context
  if (!target) return noSuchKey(key_id)
  const { mode, scopes, expires_at_ms } = target
  const refused = refuseExcess({ mode, scopes, ends_at_ms: expires_at_ms }, authorityOf(context), 'delete')
  if (refused) return refused
  await revokeApiKey(env, actor.customer_id, key_id, now_ms, also(target))
  const revoked_at_ms = Math.min(target.revoked_at_ms ?? now_ms, now_ms)
  return { kind: 'deleted', key: { ...target, revoked_at_ms } }
}

/**
 * Adds the notification of a new key to the customer's ledger of the same mode. A failure is only logged, because the
 * key already exists.
 */
async function announceKey(env: Bindings, customer_id: string, { key, replaces }: CreatedKey): Promise<void> {
  const { key_id, mode, scopes, expires_at_ms } = key
  const data = {
    key_id,
    scopes,
    expires_at: expires_at_ms === null ? null : new Date(expires_at_ms).toISOString(),
    ...(replaces && { replaces: replaces.key_id }),
  }
  const notice = { type: 'api_key.created', data } as const
  try {
    requireReached(await notify(env, { customer_id, mode }, { id: `api_key.created ${key_id}`, notice }))
  } catch (error) {
    logError('notification_not_added', error, { customer_id, type: notice.type })
  }
}

interface NewKey {
  readonly created: CreatedKey
  readonly key_hash: string
}

function newKey(
  name: string,
  { mode, scopes, ends_at_ms }: Authority,
  now_ms: number,
  replaces?: CreatedKey['replaces'],
): NewKey {
  const { key_id, api_key, key_hash } = mintApiKey(mode)
  const key: ApiKey = {
    key_id,
    name,
    mode,
    scopes: SCOPES.filter((scope) => scopes.includes(scope)),
    created_at_ms: now_ms,
    expires_at_ms: ends_at_ms,
    revoked_at_ms: null,
    last_used_at_ms: null,
  }
  return { key_hash, created: { kind: 'created', key, api_key, ...(replaces && { replaces }) } }
}

/** Writes a new key. Returns false and adds no key if the conditions of `KeyGuard` do not hold. */
async function write(
  env: Bindings,
  actor: KeyActor,
  { account }: KeyContext,
  { created, key_hash }: NewKey,
  { max_keys, also }: { readonly max_keys: number; readonly also: WithKey },
): Promise<boolean> {
  const { key, replaces } = created
  const guard = {
    account_revision: account.revision,
    maker_id: actor.key_id,
    max_keys,
    replaces: replaces?.key_id,
  }
  const statements = [
    insertKey(env, actor.customer_id, { ...key, key_hash }, guard),
    ...also(created),
    ...(replaces
      ? [replaceKey(env, actor.customer_id, replaces.key_id, key.key_id, replaces.revoked_at_ms)]
      : []),
    forgetEndedKeys(env, actor.customer_id, key.created_at_ms),
  ]
  try {
    const [inserted] = await env.DB.batch(statements)
    if (inserted?.meta.changes !== 1) return false
  } catch (error) {
    // D1 might have written the key although the result of the write was lost. In this case, the function
    // continues: without an idempotency key, only this response can contain the text of the key.
    if (isTaken(error, 'stored_answers') || !(await isStored(env, key_hash))) throw error
  }
  forgetCachedKey(key_hash)
  await publishNewKey(env, key_hash, key.key_id)
  return true
}

/** Publishes a new key to KV. A failure is only logged, because lookups find a key in D1 if it is missing in KV. */
export async function publishNewKey(env: Bindings, key_hash: string, key_id: string): Promise<void> {
  try {
    await publishKeys(env, [key_hash])
  } catch (error) {
    logError('key_record_not_published', error, { key_id })
  }
}
