import type { Bindings } from '../bindings.ts'
import type { CustomerStatus, Mode, Tier } from '../db/schema.ts'
import { OPERATOR, type PriceEpochs } from '../rating/price-epochs.ts'
import { SCOPES, type Scope } from './authentication/scopes.ts'
import type { KeyRecord } from './record.ts'

/** Reads keys from D1 and publishes them to KV. */

/** A key from D1. Only `record` is copied to KV, because the price epochs change independently of the key. */
export interface SelectedKey {
  readonly key_hash: string
  readonly record: KeyRecord
  readonly price_epochs: PriceEpochs
}

interface KeyRow {
  readonly key_hash: string
  readonly key_id: string
  readonly customer_id: string
  readonly mode: Mode
  readonly scopes: string
  readonly expires_at_ms: number | null
  readonly revoked_at_ms: number | null
  readonly tier: Tier
  readonly status: CustomerStatus
  readonly operator_epoch: number
  readonly customer_epoch: number
}

// Each subquery of an epoch reads 1 row: the last row of its scope in the primary key.
const SELECT_BY_HASH = `
  SELECT k.key_hash, k.key_id, k.customer_id, k.mode, k.scopes, k.expires_at_ms, k.revoked_at_ms, c.tier, c.status,
    coalesce((SELECT max(epoch) FROM price_overlays WHERE scope = '${OPERATOR}'), 0) AS operator_epoch,
    coalesce((SELECT max(epoch) FROM price_overlays WHERE scope = k.customer_id), 0) AS customer_epoch
  FROM api_keys k JOIN customers c ON c.customer_id = k.customer_id
  WHERE k.key_hash IN (SELECT value FROM json_each(?1))`

export async function selectKey(
  env: Pick<Bindings, 'DB'>,
  key_hash: string,
): Promise<SelectedKey | undefined> {
  const [selected] = await selectKeys(env, [key_hash])
  return selected
}

async function selectKeys(env: Pick<Bindings, 'DB'>, key_hashes: readonly string[]): Promise<SelectedKey[]> {
  const { results } = await env.DB.prepare(SELECT_BY_HASH).bind(JSON.stringify(key_hashes)).all<KeyRow>()
  return results.map((row) => ({
    key_hash: row.key_hash,
    record: {
      v: 3,
      key_id: row.key_id,
      customer_id: row.customer_id,
      mode: row.mode,
      scopes: parseScopes(row.scopes),
      tier: row.tier,
      customer_status: row.status,
      expires_at_ms: row.expires_at_ms,
      revoked_at_ms: row.revoked_at_ms,
    },
    price_epochs: { operator: row.operator_epoch, customer: row.customer_epoch },
  }))
}

/** Returns the scopes of a row in `api_keys`, in the order of `SCOPES`. Ignores unknown scopes. */
export function parseScopes(text: string): Scope[] {
  const granted = new Set(text.split(' '))
  return SCOPES.filter((scope) => granted.has(scope))
}

/** The pause in ms between two writes of the same KV key. KV refuses a second write within one second. */
export const KV_WRITE_SPACING_MS = 1_100
const MAX_ROUNDS = 5
const MAX_FAILED_ROUNDS = 2

/**
 * Writes the records of keys from D1 to KV, and repeats this until KV agrees with D1. If changes of a key are
 * concurrent, the last write to KV therefore contains all changes. Throws if D1 fails, if KV fails twice, or if the
 * keys change faster than KV accepts writes. The call can be repeated.
 */
export async function publishKeys(
  env: Pick<Bindings, 'DB' | 'API_KEYS'>,
  key_hashes: readonly string[],
): Promise<void> {
  const written = new Map<string, string>()
  let failed_rounds = 0
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const stale = (await selectKeys(env, key_hashes)).flatMap(({ key_hash, record }) => {
      const text = JSON.stringify(record)
      return written.get(key_hash) === text ? [] : [{ key_hash, text }]
    })
    if (stale.length === 0) return
    if (round > 1) await scheduler.wait(KV_WRITE_SPACING_MS)
    const puts = stale.map(async ({ key_hash, text }) => {
      await env.API_KEYS.put(key_hash, text)
      written.set(key_hash, text)
    })
    const failed = (await Promise.allSettled(puts)).find((put) => put.status === 'rejected')
    if (failed && ++failed_rounds === MAX_FAILED_ROUNDS) throw failed.reason
  }
  throw new Error('the keys change faster than KV accepts writes')
}
