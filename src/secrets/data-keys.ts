import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import type { Bindings } from '../bindings.ts'
import { oncePerBindings } from '../config.ts'
import { logFailure } from '../logging/log.ts'
import { KEY_BYTES, open, seal } from './aes-gcm.ts'
import { usableSecrets } from './usable.ts'

/**
 * Manages the data keys of customers, and reads the master keys that encrypt them. A data key is a random AES key that
 * encrypts the secrets of one customer. For each master key, D1 stores a copy of the data key that is encrypted with
 * the master key. A change of master keys therefore rewrites only data keys.
 */

/**
 * The master keys of a deployment, from the Worker's secrets `ENCRYPTION_KEY` and, during a rotation,
 * `ENCRYPTION_KEY_NEXT`. They encrypt only the data keys of customers.
 */
interface Master {
  /** The id of the master key in the data keys that it encrypts. It reveals nothing about the key. */
  readonly id: string
  readonly key: Uint8Array
}

/** The development value of `ENCRYPTION_KEY`. It is public, so it works only if `ENVIRONMENT` is `development`. */
export const DEVELOPMENT_ENCRYPTION_KEY = 'dev-encryption-key'
const ID_CHARS = 16
const PURPOSE = 'openmonetize master key'

/** Returns the usable master keys; none if the deployment has no encryption key. */
export const mastersOf = oncePerBindings((env): readonly Master[] => {
  const secrets = usableSecrets(env, [env.ENCRYPTION_KEY, env.ENCRYPTION_KEY_NEXT], {
    development_value: DEVELOPMENT_ENCRYPTION_KEY,
    onRefused: (reason) => logFailure('encryption_key_refused', { reason }),
  })
  return secrets.map(masterOf)
})

function masterOf(secret: string): Master {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', PURPOSE, KEY_BYTES))
  return { id: createHash('sha256').update(key).digest('hex').slice(0, ID_CHARS), key }
}

/** A stored copy of a data key, encrypted with one master key. */
export interface DataKeyRow {
  readonly master_id: string
  readonly wrapped: string
}

export type DataKey =
  | { readonly kind: 'key'; readonly key: Uint8Array }
  /** The customer has no data key yet. */
  | { readonly kind: 'none' }
  /** No master key of this deployment can decrypt the data key. `ENCRYPTION_KEY` is missing or wrong. */
  | { readonly kind: 'locked' }

/**
 * The maximum number of copies of a data key that are read. A customer has more than two copies only between a rotation
 * of the encryption keys and the next run of the job `data_keys`.
 */
const MAX_MASTERS = 8

const SELECT = `
  SELECT master_id, wrapped FROM data_keys WHERE customer_id = ?1 LIMIT ${MAX_MASTERS}`

/**
 * Returns the statement that reads the copies of a customer's data key. The result has at most one row for each master
 * key.
 */
export function selectDataKey(db: D1Database, customer_id: string): D1PreparedStatement {
  return db.prepare(SELECT).bind(customer_id)
}

/** Decrypts a data key from one of its copies, with the master key that encrypted the copy. */
export function openDataKey(env: Bindings, customer_id: string, rows: readonly DataKeyRow[]): DataKey {
  if (rows.length === 0) return { kind: 'none' }
  for (const master of mastersOf(env)) {
    const row = rows.find(({ master_id }) => master_id === master.id)
    const key = row && open(row.wrapped, master.key, placeOf(customer_id, master))
    if (key) return { kind: 'key', key }
  }
  return { kind: 'locked' }
}

// Writes 1 row for each master key. If requests are concurrent, only the first one writes.
const INSERT_FIRST = `
  INSERT INTO data_keys (customer_id, master_id, wrapped, created_at_ms)
  SELECT ?1, value ->> 'master_id', value ->> 'wrapped', ?3 FROM json_each(?2)
  WHERE NOT EXISTS (SELECT 1 FROM data_keys WHERE customer_id = ?1)`

/**
 * Returns the customer's data key. Creates a data key if the customer has none. If no master key can decrypt an
 * existing data key, returns `locked` and does not create a second data key. The caller must first check that the
 * deployment has a master key.
 */
export async function requireDataKey(env: Bindings, customer_id: string, now_ms: number): Promise<DataKey> {
  const existing = await readDataKey(env, customer_id)
  if (existing.kind !== 'none') return existing
  const rows = wrap(mastersOf(env), customer_id, randomBytes(KEY_BYTES))
  await env.DB.prepare(INSERT_FIRST).bind(customer_id, JSON.stringify(rows), now_ms).run()
  return readDataKey(env, customer_id)
}

async function readDataKey(env: Bindings, customer_id: string): Promise<DataKey> {
  const { results } = await selectDataKey(env.DB, customer_id).all<DataKeyRow>()
  return openDataKey(env, customer_id, results)
}

function wrap(masters: readonly Master[], customer_id: string, key: Uint8Array): DataKeyRow[] {
  return masters.map((master) => ({
    master_id: master.id,
    wrapped: seal(key, master.key, placeOf(customer_id, master)),
  }))
}

function placeOf(customer_id: string, { id }: Master): string {
  return JSON.stringify(['data_key', customer_id, id])
}

const CUSTOMERS_A_RUN = 1_000

const CUSTOMERS = `
  SELECT customer_id, json_group_array(json_object('master_id', master_id, 'wrapped', wrapped)) AS keys
  FROM data_keys WHERE customer_id > ?1 GROUP BY customer_id ORDER BY customer_id LIMIT ${CUSTOMERS_A_RUN}`

// Writes 1 row for each missing copy of a data key. Skips a copy that a concurrent run has written.
const INSERT_MISSING = `
  INSERT INTO data_keys (customer_id, master_id, wrapped, created_at_ms)
  SELECT value ->> 'customer_id', value ->> 'master_id', value ->> 'wrapped', ?2 FROM json_each(?1) WHERE true
  ON CONFLICT (customer_id, master_id) DO NOTHING`

// Writes 1 row for each deleted copy of a data key. Keeps the copies if the customer has no copy for a current master
// key.
const DELETE_OLD = `
  DELETE FROM data_keys
  WHERE customer_id > ?1 AND customer_id <= ?2 AND master_id NOT IN (SELECT value FROM json_each(?3))
    AND EXISTS (SELECT 1 FROM data_keys AS other WHERE other.customer_id = data_keys.customer_id
      AND other.master_id IN (SELECT value FROM json_each(?3)))`

interface CustomerKeys {
  readonly customer_id: string
  readonly keys: string
}

export interface Rewrapped {
  readonly written: number
  readonly deleted: number
  /** The number of data keys that no current master key can decrypt. */
  readonly locked: number
}

/**
 * Updates the stored data keys after a change of master keys. Adds the missing copies for a new master key, and deletes
 * the copies for a removed master key. A run processes up to 1,000 customers in the order of their ids, starting after
 * `after`. After the last customer, the next run starts again with the first customer.
 */
export async function rewrapDataKeys(
  env: Bindings,
  now_ms: number,
  { after, reach }: { readonly after: string; readonly reach: (place: string) => void },
): Promise<Rewrapped> {
  const masters = mastersOf(env)
  const total = { written: 0, deleted: 0, locked: 0 }
  if (masters.length === 0) return total
  const ids = JSON.stringify(masters.map(({ id }) => id))
  const { results } = await env.DB.prepare(CUSTOMERS).bind(after).all<CustomerKeys>()
  const missing = results.flatMap(({ customer_id, keys }) => {
    const rows: DataKeyRow[] = JSON.parse(keys)
    const data_key = openDataKey(env, customer_id, rows)
    if (data_key.kind !== 'key') {
      total.locked += 1
      return []
    }
    const lacking = masters.filter(({ id }) => !rows.some(({ master_id }) => master_id === id))
    return wrap(lacking, customer_id, data_key.key).map((row) => ({ customer_id, ...row }))
  })
  if (missing.length > 0) {
    await env.DB.prepare(INSERT_MISSING).bind(JSON.stringify(missing), now_ms).run()
    total.written = missing.length
  }
  const last = results.at(-1)?.customer_id
  if (last !== undefined) {
    const { meta } = await env.DB.prepare(DELETE_OLD).bind(after, last, ids).run()
    total.deleted = meta.changes
  }
  reach(results.length < CUSTOMERS_A_RUN || last === undefined ? '' : last)
  return total
}
