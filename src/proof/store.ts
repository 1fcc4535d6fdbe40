import type { Bindings } from '../bindings.ts'
import { ledgerDb, ledgerName } from '../db/ledger-db.ts'
import type { SigningKey } from './keys.ts'

export interface Checkpoint {
  readonly entry_number: number
  readonly hash: string
  readonly created_at_ms: number
  readonly key_id: string
  readonly note: string
}

const NEWEST = `
  SELECT entry_number, hash, created_at_ms, key_id, note FROM checkpoints
  WHERE ledger_id = ?1 ORDER BY entry_number DESC LIMIT 1`

// 1 row written. Of two checkpoints that are made at once, the later one is not written when it is behind.
const INSERT = `
  INSERT INTO checkpoints (ledger_id, entry_number, hash, created_at_ms, key_id, note)
  SELECT ?1, ?2, ?3, ?4, ?5, ?6
  WHERE NOT EXISTS (SELECT 1 FROM checkpoints WHERE ledger_id = ?1 AND entry_number >= ?2)`

// 1 row written, once for each key.
const INSERT_KEY = `
  INSERT INTO signing_keys (key_id, public_key, created_at_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`

const HEAD = 'SELECT chain_first_entry, flushed_entry, chain_hash FROM ledgers WHERE ledger_id = ?1'

/** The end of a ledger's chain in D1, and its newest checkpoint. */
export interface ChainEnd {
  /** Null before the chain began. */
  readonly head: { readonly first_entry: number; readonly entry_number: number; readonly hash: string } | null
  readonly newest: Checkpoint | null
}

interface HeadRow {
  readonly chain_first_entry: number | null
  readonly flushed_entry: number
  readonly chain_hash: string | null
}

export async function readChainEnd(env: Bindings, ledger_id: string): Promise<ChainEnd> {
  const db = dbOf(env, ledger_id)
  const [head, newest] = await db.batch<HeadRow & Checkpoint>([
    db.prepare(HEAD).bind(ledger_id),
    db.prepare(NEWEST).bind(ledger_id),
  ])
  const row = head?.results[0]
  return {
    head:
      row?.chain_hash && row.chain_first_entry !== null
        ? { first_entry: row.chain_first_entry, entry_number: row.flushed_entry, hash: row.chain_hash }
        : null,
    newest: newest?.results[0] ?? null,
  }
}

/** Keeps a checkpoint and the public key that signed it; returns the newest checkpoint, which may be another one. */
export async function keepCheckpoint(
  env: Bindings,
  ledger_id: string,
  key: SigningKey,
  { entry_number, hash, created_at_ms, key_id, note }: Checkpoint,
): Promise<Checkpoint> {
  const db = dbOf(env, ledger_id)
  const results = await db.batch<Checkpoint>([
    insertKey(db, key, created_at_ms),
    db.prepare(INSERT).bind(ledger_id, entry_number, hash, created_at_ms, key_id, note),
    db.prepare(NEWEST).bind(ledger_id),
  ])
  const newest = results.at(-1)?.results[0]
  if (!newest) throw new Error(`the checkpoint of ${ledger_id} was not kept`)
  return newest
}

function insertKey(db: D1Database, { key_id, public_key }: SigningKey, now_ms: number): D1PreparedStatement {
  return db.prepare(INSERT_KEY).bind(key_id, public_key, now_ms)
}

// The flush of an entry is the last one that does not begin after it. The last entry of a page needs no body.
const HASH_OF_ENTRY = `
  WITH page AS (
    SELECT last_entry, hash_after, body FROM ledger_pages
    WHERE ledger_id = ?1 AND first_entry <= ?2 AND last_entry >= ?2 AND flush_entry =
      (SELECT max(flush_entry) FROM ledger_pages WHERE ledger_id = ?1 AND flush_entry <= ?2))
  SELECT coalesce(
    (SELECT hash_after FROM page WHERE last_entry = ?2),
    (SELECT entry.value ->> 'h' FROM page, json_each(page.body) AS entry
      WHERE entry.value -> 'c' ->> 'n' = ?2)) AS hash`

/** The hash that D1's pages have for an entry; null when they have none. */
export function readHash(env: Bindings, ledger_id: string, entry_number: number): Promise<string | null> {
  return dbOf(env, ledger_id).prepare(HASH_OF_ENTRY).bind(ledger_id, entry_number).first<string>('hash')
}

const CHECKPOINTS_FROM = `
  SELECT entry_number, hash, created_at_ms, key_id, note FROM checkpoints
  WHERE ledger_id = ?1 AND entry_number >= ?2 ORDER BY entry_number LIMIT ?3`

/** Checkpoints of an entry and later ones, in their order. */
export async function checkpointsFrom(
  env: Bindings,
  ledger_id: string,
  entry_number: number,
  limit: number,
): Promise<readonly Checkpoint[]> {
  const statement = dbOf(env, ledger_id).prepare(CHECKPOINTS_FROM).bind(ledger_id, entry_number, limit)
  return (await statement.all<Checkpoint>()).results
}

export interface PublicKey {
  readonly key_id: string
  readonly public_key: string
}

const KEYS = 'SELECT key_id, public_key FROM signing_keys ORDER BY created_at_ms DESC, key_id LIMIT 1000'

export async function publicKeys(env: Bindings): Promise<readonly PublicKey[]> {
  return (await env.DB.prepare(KEYS).all<PublicKey>()).results
}

function dbOf(env: Bindings, ledger_id: string): D1Database {
  return ledgerDb(env, ledgerName(ledger_id).customer_id)
}
