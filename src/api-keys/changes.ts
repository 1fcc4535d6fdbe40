import type { Bindings } from '../bindings.ts'
import { isTaken } from '../db/errors.ts'
import type { Mode } from '../db/schema.ts'
import { openTestLedger, shareWithTestLedger } from '../ledger/client/test-ledger.ts'
import { logError } from '../logging/log.ts'
import {
  admitKeyChange,
  authorityOf,
  type KeyActor,
  type KeyRefused,
  NO_SUCH_KEY,
  refusedBecause,
  refuseEnded,
  refuseExcess,
  refusePastEnd,
  refuseTooMany,
} from './authentication/context.ts'
import { forgetCachedKey, mintApiKey } from './authentication/lookup.ts'
import { type Authority, SCOPES, type Scope } from './authentication/scopes.ts'
import { publishKeys } from './publishing.ts'
import { revokeApiKey } from './revocation.ts'
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
 * Making, replacing and deleting keys. Every change is one batch in D1, where it holds only if what it was decided by
 * still does; then come the ledgers, then KV.
 */

/** What is not given is as with the key that makes it; the operator's keys can do everything, live and for good. */
export interface KeyDraft {
  readonly name: string
  readonly scopes?: readonly Scope[] | undefined
  readonly mode?: Mode | undefined
  readonly expires_at_ms?: number | undefined
}

/** A new key with its text, which is in this answer and nowhere else. */
export interface CreatedKey {
  readonly kind: 'created'
  readonly key: ApiKey
  readonly api_key: string
  /** The key that it replaces, and until when that one works. */
  readonly replaces?: { readonly key_id: string; readonly revoked_at_ms: number }
}

/** Statements for directly behind the one that adds the key: they must do nothing when that adds none (`changes()`). */
export type WithKey = (created: CreatedKey) => D1PreparedStatement[]

/** Whoever is outrun by another change of the same customer decides anew. */
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
      refusePastEnd(wanted, now_ms) ?? refuseExcess(wanted, own, 'make') ?? refuseTooMany(context, max_keys)
    if (refused) return refused
    if (wanted.mode === 'test') {
      // Before the key: a change of the account either finds a test key in D1, and goes to its ledger too, or keeps the
      // key from being written with an account that is not the newest.
      const opened = await openTestLedger(env, actor.customer_id, context)
      if (opened.kind === 'refused') {
        return refusedBecause(opened.refusal.code === 'overloaded' ? 'overloaded' : 'unavailable')
      }
    }
    const made = newKey(draft.name, wanted, now_ms)
    if (!(await write(env, actor, context, made, { max_keys, also }))) continue
    // Once more: what changed while there was no test key went to the live ledger alone.
    if (wanted.mode === 'test') await shareWithTestLedger(env, actor.customer_id)
    return made.created
  }
  return refusedBecause('unavailable')
}

/**
 * Replaces a key by one of the same name, mode, scopes and end. The old one works until the overlap is over, which
 * whoever calls brings to the ledgers and to KV (`settleRevocation`), also when the answer is a replay.
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
    if (!target) return NO_SUCH_KEY
    const { mode, scopes, expires_at_ms } = target
    const wanted: Authority = { mode, scopes, ends_at_ms: expires_at_ms }
    const refused =
      refuseEnded(target, now_ms) ??
      refuseExcess(wanted, authorityOf(context), 'make') ??
      refuseTooMany(context, max_keys)
    if (refused) return refused
    const replaces = { key_id: target.key_id, revoked_at_ms: now_ms + rotation.overlap_ms }
    const made = newKey(target.name, wanted, now_ms, replaces)
    if (await write(env, actor, context, made, { max_keys, also })) return made.created
  }
  return refusedBecause('unavailable')
}

/**
 * Deletes a key at once and for good. Repeated, it does what an attempt before may have left undone; it throws when a
 * part failed.
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
  if (!target) return NO_SUCH_KEY
  const { mode, scopes, expires_at_ms } = target
  const refused = refuseExcess({ mode, scopes, ends_at_ms: expires_at_ms }, authorityOf(context), 'delete')
  if (refused) return refused
  await revokeApiKey(env, actor.customer_id, key_id, now_ms, also(target))
  const revoked_at_ms = Math.min(target.revoked_at_ms ?? now_ms, now_ms)
  return { kind: 'deleted', key: { ...target, revoked_at_ms } }
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

/** False when what the key was decided by no longer held, and nothing was written. */
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
    // D1 may have done it and only its answer is lost. Then this is the only chance to hand the key out.
    if (isTaken(error, 'stored_answers') || !(await isStored(env, key_hash))) throw error
  }
  forgetCachedKey(key_hash)
  await publishNewKey(env, key_hash, key.key_id)
  return true
}

/** D1 has the key already and whoever misses it in KV finds it there, so a failure only costs reads. */
export async function publishNewKey(env: Bindings, key_hash: string, key_id: string): Promise<void> {
  try {
    await publishKeys(env, [key_hash])
  } catch (error) {
    logError('key_record_not_published', error, { key_id })
  }
}
