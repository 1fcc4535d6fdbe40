import type { Bindings } from '../bindings.ts'
import { open, seal } from '../secrets/aes-gcm.ts'
import { type DataKeyRow, selectDataKey } from '../secrets/data-keys.ts'

/** Reads and writes provider keys in D1. Each key is encrypted with the data key of its customer. */

export interface ProviderKey {
  readonly provider_key_id: string
  /** The id of the provider in the catalogue. */
  readonly provider: string
  readonly name: string
  /** The base URL of the API; null for the default base URL of the provider. */
  readonly base_url: string | null
  readonly last_four: string
  readonly created_at_ms: number
}

export interface SealedKey extends ProviderKey {
  readonly sealed: string
}

type Db = Pick<Bindings, 'DB'>

/** The maximum number of provider keys of a ledger. It is low because all keys of a ledger are read at once. */
export const MAX_PROVIDER_KEYS = 50

const COLUMNS = 'provider_key_id, provider, name, base_url, last_four, created_at_ms'

// This statement writes 1 row. It writes no row if the ledger has the maximum number of keys, or already has a key with
// the same provider and name. It reads all keys of the ledger.
const INSERT = `
  INSERT INTO provider_keys (ledger_id, ${COLUMNS}, sealed) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
  WHERE (SELECT count(*) FROM provider_keys WHERE ledger_id = ?1) < ${MAX_PROVIDER_KEYS}
    AND NOT EXISTS (SELECT 1 FROM provider_keys WHERE ledger_id = ?1 AND provider = ?3 AND name = ?4)`

/**
 * Returns the statement that adds a key. The statement adds no row if the ledger has the maximum number of keys, or
 * already has a key with the same provider and name.
 */
export function insertProviderKey(env: Db, ledger_id: string, key: SealedKey): D1PreparedStatement {
  return env.DB.prepare(INSERT).bind(
    ledger_id,
    key.provider_key_id,
    key.provider,
    key.name,
    key.base_url,
    key.last_four,
    key.created_at_ms,
    key.sealed,
  )
}

const SELECT_ONE = `SELECT ${COLUMNS} FROM provider_keys WHERE ledger_id = ?1 AND provider_key_id = ?2`

export function findProviderKey(env: Db, ledger_id: string, id: string): Promise<ProviderKey | null> {
  return env.DB.prepare(SELECT_ONE).bind(ledger_id, id).first<ProviderKey>()
}

const SELECT_NAMED = 'SELECT 1 FROM provider_keys WHERE ledger_id = ?1 AND provider = ?2 AND name = ?3'

/** Returns whether the ledger has a key with the given provider and name. */
export async function hasProviderKey(
  env: Db,
  ledger_id: string,
  { provider, name }: Pick<ProviderKey, 'provider' | 'name'>,
): Promise<boolean> {
  return (await env.DB.prepare(SELECT_NAMED).bind(ledger_id, provider, name).first()) !== null
}

const LIST = `
  SELECT ${COLUMNS} FROM provider_keys WHERE ledger_id = ?1 AND provider_key_id < ?2
  ORDER BY provider_key_id DESC LIMIT ?3`

export async function listProviderKeys(
  env: Db,
  ledger_id: string,
  { before_id, limit }: { readonly before_id: string; readonly limit: number },
): Promise<ProviderKey[]> {
  return (await env.DB.prepare(LIST).bind(ledger_id, before_id, limit).all<ProviderKey>()).results
}

const DELETE = 'DELETE FROM provider_keys WHERE ledger_id = ?1 AND provider_key_id = ?2'

export function deleteProviderKey(env: Db, ledger_id: string, id: string): D1PreparedStatement {
  return env.DB.prepare(DELETE).bind(ledger_id, id)
}

const SELECT_SEALED = `
  SELECT ${COLUMNS}, sealed FROM provider_keys WHERE ledger_id = ?1
  ORDER BY provider_key_id DESC LIMIT ${MAX_PROVIDER_KEYS}`

/**
 * Returns all encrypted keys of a ledger, newest first, and the customer's encrypted data key. Makes two concurrent
 * calls to D1.
 */
export async function readSealedKeys(
  env: Db,
  customer_id: string,
  ledger_id: string,
): Promise<{ readonly keys: readonly SealedKey[]; readonly data_key: readonly DataKeyRow[] }> {
  const [keys, data_key] = await Promise.all([
    env.DB.prepare(SELECT_SEALED).bind(ledger_id).all<SealedKey>(),
    selectDataKey(env.DB, customer_id).all<DataKeyRow>(),
  ])
  return { keys: keys.results, data_key: data_key.results }
}

/**
 * The values that an encrypted key is bound to, in addition to the ledger. If the ledger, the id, the provider or the
 * base URL in a row is changed, its key can no longer be decrypted.
 */
type Place = Pick<ProviderKey, 'provider_key_id' | 'provider' | 'base_url'>

export function sealKey(key: string, data_key: Uint8Array, ledger_id: string, place: Place): string {
  return seal(Buffer.from(key), data_key, placeOf(ledger_id, place))
}

/**
 * Decrypts a provider key. Returns undefined if the encrypted key is damaged, was encrypted with another data key, or
 * is bound to other values than those of its row (`Place`).
 */
export function openKey(
  { sealed, ...place }: SealedKey,
  data_key: Uint8Array,
  ledger_id: string,
): string | undefined {
  const bytes = open(sealed, data_key, placeOf(ledger_id, place))
  return bytes && Buffer.from(bytes).toString('utf8')
}

function placeOf(ledger_id: string, { provider_key_id, provider, base_url }: Place): string {
  return JSON.stringify(['provider_key', ledger_id, provider, provider_key_id, base_url])
}
