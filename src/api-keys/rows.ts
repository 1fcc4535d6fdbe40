import type { Bindings } from '../bindings.ts'
import type { CustomerStatus, Mode, Tier } from '../db/schema.ts'
import type { Account } from '../ledger/model/account.ts'
import { DAY_MS } from '../time/durations.ts'
import type { Scope } from './authentication/scopes.ts'
import { parseScopes } from './publishing.ts'

/** Changes and lists keys in the D1 table `api_keys`. `publishing.ts` reads keys by their hash. */

type Db = Pick<Bindings, 'DB'>

/** The fields of an API key that its customer may read. */
export interface ApiKey {
  readonly key_id: string
  readonly name: string
  readonly mode: Mode
  readonly scopes: readonly Scope[]
  readonly created_at_ms: number
  /** The time when the key expires; null if it does not expire. */
  readonly expires_at_ms: number | null
  /**
   * The time when a deleted or rotated key stops working; null for other keys. The time is in the future while a
   * rotated key overlaps with its successor.
   */
  readonly revoked_at_ms: number | null
  /** The approximate time of the last use, at most one hour too early; null if no use was recorded. */
  readonly last_used_at_ms: number | null
}

/** A key to insert, with the hash by which requests find it. */
export interface NewApiKey extends Omit<ApiKey, 'revoked_at_ms' | 'last_used_at_ms'> {
  readonly key_hash: string
}

interface ApiKeyRow extends Omit<ApiKey, 'scopes'> {
  readonly scopes: string
}

const COLUMNS = 'key_id, name, mode, scopes, created_at_ms, expires_at_ms, revoked_at_ms, last_used_at_ms'

const inForce = (key: string, now: string) => `
  (${key}.expires_at_ms IS NULL OR ${key}.expires_at_ms > ${now})
  AND (${key}.revoked_at_ms IS NULL OR ${key}.revoked_at_ms > ${now})`

/**
 * The maximum number of active keys of a customer. `MAX_KEYS_WITH_OVERLAPS` applies instead if a key is rotated,
 * because the old and the new key overlap, and if the operator issues a key.
 */
export const MAX_KEYS = 100
export const MAX_KEYS_WITH_OVERLAPS = 200

/**
 * The number of rows of a customer in `api_keys` above which the rows of the oldest expired and revoked keys are
 * deleted. The number of rows in a read therefore stays limited. The audit log keeps the records of these keys.
 */
export const MAX_KEY_ROWS = 1_000
/**
 * The minimum time in ms for which the row of an expired or revoked key is kept, so that an interrupted deletion can be
 * repeated. A customer cannot create or rotate a key while `MAX_KEY_ROWS` keys are active or ended within this time.
 * This rule limits the growth of the audit log and of the stored responses.
 */
const ENDED_KEPT_MS = DAY_MS

/** The state from which a key change is decided. It is read from D1, because caches can be 90 s old. */
export interface KeyContext {
  readonly account: Account
  readonly region: string | null
  readonly keys_in_force: number
  /** The number of keys that are active or that ended within the last day. */
  readonly recent_keys: number
  /** The calling key; undefined for the operator. */
  readonly maker: ApiKey | undefined
  /** The key to change; undefined if the customer has no key with the given id. */
  readonly target: ApiKey | undefined
}

interface CustomerRow {
  readonly tier: Tier
  readonly status: CustomerStatus
  readonly account_revision: number
  readonly region: string | null
  readonly keys_in_force: number
  readonly recent_keys: number
}

const SELECT_CUSTOMER = `
  SELECT tier, status, account_revision, region,
    (SELECT count(*) FROM api_keys k WHERE k.customer_id = ?1 AND ${inForce('k', '?2')}) AS keys_in_force,
    (SELECT count(*) FROM api_keys k WHERE k.customer_id = ?1 AND ${inForce('k', '?3')}) AS recent_keys
  FROM customers WHERE customer_id = ?1`

const SELECT_KEYS = `
  SELECT ${COLUMNS} FROM api_keys WHERE customer_id = ?1 AND key_id IN (SELECT value FROM json_each(?2))`

/** Reads the state from which a key change is decided. Returns undefined if the customer does not exist. */
export async function readKeyContext(
  env: Db,
  customer_id: string,
  ids: { readonly maker_id?: string | undefined; readonly target_id?: string | undefined },
  now_ms: number,
): Promise<KeyContext | undefined> {
  const key_ids = JSON.stringify([ids.maker_id ?? '', ids.target_id ?? ''])
  const [customer, keys] = await Promise.all([
    env.DB.prepare(SELECT_CUSTOMER)
      .bind(customer_id, now_ms, now_ms - ENDED_KEPT_MS)
      .first<CustomerRow>(),
    env.DB.prepare(SELECT_KEYS).bind(customer_id, key_ids).all<ApiKeyRow>(),
  ])
  if (!customer) return undefined
  const found = keys.results.map(apiKey)
  const { tier, status, account_revision: revision, region, keys_in_force, recent_keys } = customer
  return {
    account: { tier, status, revision },
    region,
    keys_in_force,
    recent_keys,
    maker: found.find((key) => key.key_id === ids.maker_id),
    target: found.find((key) => key.key_id === ids.target_id),
  }
}

/** The conditions that must hold when the batch writes a new key. */
export interface KeyGuard {
  /** The account revision that was read before the key change was decided. */
  readonly account_revision: number
  readonly maker_id: string | undefined
  readonly max_keys: number
  /**
   * The id of the key to replace; undefined if no key is replaced. The new key is not added if a concurrent request
   * has deleted or replaced this key.
   */
  readonly replaces: string | undefined
}

// Writes 4 rows: the table row and the entries of three indexes (primary key, hash, and list of the customer's keys).
// To check the limit, reads the rows of the customer's keys.
const INSERT = `
  INSERT INTO api_keys (key_id, customer_id, mode, name, key_hash, scopes, created_at_ms, expires_at_ms)
  SELECT ?1, customer_id, ?3, ?4, ?5, ?6, ?7, ?8 FROM customers
  WHERE customer_id = ?2 AND account_revision = ?9
    AND (SELECT count(*) FROM api_keys k WHERE k.customer_id = ?2 AND ${inForce('k', '?7')}) < ?10
    AND (?11 IS NULL OR EXISTS (
      SELECT 1 FROM api_keys m WHERE m.key_id = ?11 AND m.customer_id = ?2 AND ${inForce('m', '?7')}))
    AND (?12 IS NULL OR EXISTS (
      SELECT 1 FROM api_keys t WHERE t.key_id = ?12 AND t.customer_id = ?2 AND t.revoked_at_ms IS NULL
        AND ${inForce('t', '?7')}))`

/**
 * Returns the statement that adds a key. The statement adds one row if the conditions in `guard` hold, otherwise no
 * row.
 */
export function insertKey(
  env: Db,
  customer_id: string,
  key: NewApiKey,
  guard: KeyGuard,
): D1PreparedStatement {
  return env.DB.prepare(INSERT).bind(
    key.key_id,
    customer_id,
    key.mode,
    key.name,
    key.key_hash,
    key.scopes.join(' '),
    key.created_at_ms,
    key.expires_at_ms,
    guard.account_revision,
    guard.max_keys,
    guard.maker_id ?? null,
    guard.replaces ?? null,
  )
}

const REPLACE = `
  UPDATE api_keys SET revoked_at_ms = ?3
  WHERE key_id = ?1 AND customer_id = ?2 AND revoked_at_ms IS NULL AND EXISTS (SELECT 1 FROM api_keys WHERE key_id = ?4)`

/** Returns the statement that ends a key at `revoked_at_ms`, if the same batch added its successor. */
export function replaceKey(
  env: Db,
  customer_id: string,
  key_id: string,
  successor_id: string,
  revoked_at_ms: number,
): D1PreparedStatement {
  return env.DB.prepare(REPLACE).bind(key_id, customer_id, revoked_at_ms, successor_id)
}

const REVOKE = `
  UPDATE api_keys SET revoked_at_ms = ?3
  WHERE key_id = ?1 AND customer_id = ?2 AND (revoked_at_ms IS NULL OR revoked_at_ms > ?3)`

/**
 * Returns the statement that revokes a key immediately. It changes no row if the key was already deleted, or if its
 * overlap has ended.
 */
export function revokeKey(env: Db, customer_id: string, key_id: string, now_ms: number): D1PreparedStatement {
  return env.DB.prepare(REVOKE).bind(key_id, customer_id, now_ms)
}

const FORGET_ENDED = `
  DELETE FROM api_keys WHERE key_id IN (
    SELECT key_id FROM api_keys WHERE customer_id = ?1 AND (expires_at_ms < ?2 OR revoked_at_ms < ?2)
    ORDER BY key_id
    LIMIT max(0, (SELECT count(*) FROM api_keys WHERE customer_id = ?1) - ${MAX_KEY_ROWS}))`

/**
 * Returns the statement that deletes the rows of a customer's oldest keys that ended more than a day ago, until
 * `MAX_KEY_ROWS` rows remain. The statement writes 1 row for each deleted key.
 */
export function forgetEndedKeys(env: Db, customer_id: string, now_ms: number): D1PreparedStatement {
  return env.DB.prepare(FORGET_ENDED).bind(customer_id, now_ms - ENDED_KEPT_MS)
}

export interface KeyRevocation {
  readonly key_hash: string
  readonly mode: Mode
  readonly revoked_at_ms: number | null
}

const SELECT_REVOCATION =
  'SELECT key_hash, mode, revoked_at_ms FROM api_keys WHERE key_id = ?1 AND customer_id = ?2'

export function readRevocation(env: Db, customer_id: string, key_id: string): Promise<KeyRevocation | null> {
  return env.DB.prepare(SELECT_REVOCATION).bind(key_id, customer_id).first<KeyRevocation>()
}

export async function isStored(env: Db, key_hash: string): Promise<boolean> {
  const row = await env.DB.prepare('SELECT 1 AS stored FROM api_keys WHERE key_hash = ?1')
    .bind(key_hash)
    .first()
  return row !== null
}

const LIST = `
  SELECT ${COLUMNS} FROM api_keys
  WHERE customer_id = ?1 AND key_id < ?2 AND (?3 IS NULL OR mode = ?3)
  ORDER BY key_id DESC LIMIT ?4`

/**
 * Lists the customer's keys whose ids are below `before_id`, newest first. If `mode` is null, lists the keys of both
 * modes.
 */
export async function listKeys(
  env: Db,
  customer_id: string,
  page: { readonly before_id: string; readonly mode: Mode | null; readonly limit: number },
): Promise<ApiKey[]> {
  const { results } = await env.DB.prepare(LIST)
    .bind(customer_id, page.before_id, page.mode, page.limit)
    .all<ApiKeyRow>()
  return results.map(apiKey)
}

const SELECT_HASHES = `
  SELECT k.key_hash FROM api_keys k WHERE k.customer_id = ?1 AND ${inForce('k', '?2')}`

/** Returns the hashes of the customer's active keys. There are at most `MAX_KEYS_WITH_OVERLAPS` of them. */
export async function hashesInForce(env: Db, customer_id: string, now_ms: number): Promise<string[]> {
  const { results } = await env.DB.prepare(SELECT_HASHES)
    .bind(customer_id, now_ms)
    .all<{ readonly key_hash: string }>()
  return results.map(({ key_hash }) => key_hash)
}

function apiKey({ scopes, ...row }: ApiKeyRow): ApiKey {
  return { ...row, scopes: parseScopes(scopes) }
}
