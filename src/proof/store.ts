import type { Bindings } from '../bindings.ts'
import { jsonParameters } from '../db/json-parameters.ts'
import { ledgerDb, ledgerName } from '../db/ledger-db.ts'
import type { SigningKey } from './keys.ts'

export interface Checkpoint {
  readonly entry_number: number
  readonly hash: string
  readonly created_at_ms: number
  readonly key_id: string
  readonly note: string
}

// Writes 1 row for each checkpoint. Writes no row if the ledger already has a checkpoint of the same or a later entry,
// for example from a concurrent request.
const INSERT = `
  INSERT INTO checkpoints (ledger_id, entry_number, hash, created_at_ms, key_id, note)
  SELECT value ->> 'ledger_id', value ->> 'entry_number', value ->> 'hash', value ->> 'created_at_ms',
    value ->> 'key_id', value ->> 'note'
  FROM json_each(?1) AS made
  WHERE NOT EXISTS (
    SELECT 1 FROM checkpoints
    WHERE ledger_id = made.value ->> 'ledger_id' AND entry_number >= made.value ->> 'entry_number')`

// Writes 1 row, or no row if the key is already stored.
const INSERT_KEY = `
  INSERT INTO signing_keys (key_id, public_key, created_at_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`

// Returns the SQL expression for the hash of an entry. An entry belongs to the last flush that does not begin after the
// entry. If the entry is the last entry of a page, the body of the page is not read.
function hashOfEntry(ledger_id: string, entry: string): string {
  const page = `ledger_id = ${ledger_id} AND first_entry <= ${entry} AND last_entry >= ${entry} AND flush_entry =
      (SELECT max(flush_entry) FROM ledger_pages WHERE ledger_id = ${ledger_id} AND flush_entry <= ${entry})`
  return `coalesce(
    (SELECT hash_after FROM ledger_pages WHERE last_entry = ${entry} AND ${page}),
    (SELECT entry.value ->> 'h' FROM ledger_pages, json_each(body) AS entry
      WHERE ${page} AND entry.value -> 'c' ->> 'n' = ${entry}))`
}

/** The end of a ledger's hash chain in D1, and the newest checkpoint of the ledger. */
export interface ChainEnd {
  /** The last entry of the chain in D1; null if the chain has no entry yet. */
  readonly head: { readonly first_entry: number; readonly entry_number: number; readonly hash: string } | null
  /**
   * The newest checkpoint; null if there is none. `found` is the hash of the checkpoint's entry in the chain; null if
   * the chain does not contain the entry.
   */
  readonly newest: (Checkpoint & { readonly found: string | null }) | null
}

interface EndRow extends Checkpoint {
  readonly chain_first_entry: number | null
  readonly flushed_entry: number
  readonly chain_hash: string | null
  readonly found: string | null
}

const NEWEST = `
  LEFT JOIN checkpoints AS c ON c.ledger_id = l.ledger_id AND c.entry_number =
    (SELECT max(entry_number) FROM checkpoints WHERE ledger_id = l.ledger_id)`

const FOUND = `CASE
    WHEN l.flushed_entry = c.entry_number THEN l.chain_hash
    WHEN l.flushed_entry > c.entry_number THEN ${hashOfEntry('l.ledger_id', 'c.entry_number')} END`

const END_COLUMNS = `l.chain_first_entry, l.flushed_entry, l.chain_hash,
    c.entry_number, c.hash, c.created_at_ms, c.key_id, c.note, ${FOUND} AS found`

const END = `SELECT ${END_COLUMNS} FROM ledgers AS l ${NEWEST} WHERE l.ledger_id = ?1`

/** Reads the end of a ledger's hash chain and the newest checkpoint from D1. */
export async function readChainEnd(env: Bindings, ledger_id: string): Promise<ChainEnd> {
  const row = await dbOf(env, ledger_id).prepare(END).bind(ledger_id).first<EndRow>()
  return row ? chainEndOf(row) : { head: null, newest: null }
}

function chainEndOf(row: EndRow): ChainEnd {
  const { chain_first_entry: first_entry, flushed_entry, chain_hash, ...newest } = row
  const has_head = chain_hash !== null && first_entry !== null
  return {
    head: has_head ? { first_entry, entry_number: flushed_entry, hash: chain_hash } : null,
    newest: newest.note === null ? null : newest,
  }
}

/** A ledger that the daily checkpoint job examines. */
export interface Examined {
  readonly ledger_id: string
  /**
   * The end of the ledger's chain, if a checkpoint is due; otherwise null. A checkpoint is due if the chain has new
   * entries and the newest checkpoint is old enough.
   */
  readonly due: ChainEnd | null
  /** Whether a webhook endpoint receives the ledger's notifications. */
  readonly has_endpoint: boolean
}

// Selects the next ledgers in the order of their ids. Reads a few rows for each ledger. If a checkpoint of a ledger is
// due, also reads the page that contains the entry of the newest checkpoint.
const EXAMINE = `
  WITH examined AS (
    SELECT l.ledger_id, l.handed_notification, l.chain_hash IS NOT NULL AND l.flushed_entry > coalesce(c.entry_number, 0)
      AND coalesce(c.created_at_ms, 0) < ?2 AS is_due
    FROM ledgers AS l ${NEWEST}
    WHERE l.ledger_id > ?1 ORDER BY l.ledger_id LIMIT ?3)
  SELECT examined.ledger_id, examined.handed_notification IS NOT NULL AS has_endpoint, is_due, ${END_COLUMNS}
  FROM examined
  LEFT JOIN ledgers AS l ON is_due AND l.ledger_id = examined.ledger_id ${NEWEST}
  ORDER BY examined.ledger_id`

/**
 * Reads up to `limit` ledgers whose ids are above `after`, in the order of their ids. Makes 1 D1 call. A checkpoint is
 * due if the chain has new entries and no checkpoint was made at `made_before_ms` or later.
 */
export async function examineLedgers(
  db: D1Database,
  {
    after,
    made_before_ms,
    limit,
  }: { readonly after: string; readonly made_before_ms: number; readonly limit: number },
): Promise<readonly Examined[]> {
  const { results } = await db
    .prepare(EXAMINE)
    .bind(after, made_before_ms, limit)
    .all<EndRow & { ledger_id: string; is_due: number; has_endpoint: number }>()
  return results.map(({ ledger_id, is_due, has_endpoint, ...row }) => ({
    ledger_id,
    due: is_due === 1 ? chainEndOf(row) : null,
    has_endpoint: has_endpoint === 1,
  }))
}

/** A new checkpoint with the id of its ledger. */
export interface MadeCheckpoint extends Checkpoint {
  readonly ledger_id: string
}

/**
 * Stores a checkpoint and the public key that verifies it. Returns the newest checkpoint of the ledger. It is another
 * checkpoint if a concurrent request stored one first.
 */
export async function keepCheckpoint(
  env: Bindings,
  key: SigningKey,
  made: MadeCheckpoint,
): Promise<Checkpoint> {
  const db = dbOf(env, made.ledger_id)
  await keepCheckpoints(db, key, [made])
  const { newest } = await readChainEnd(env, made.ledger_id)
  if (!newest) throw new Error(`the checkpoint of ${made.ledger_id} was not stored`)
  return newest
}

/**
 * Stores checkpoints and the public key that verifies them. Uses as few statements as the size of the checkpoints
 * allows.
 */
export async function keepCheckpoints(
  db: D1Database,
  { key_id, public_key }: SigningKey,
  made: readonly MadeCheckpoint[],
): Promise<void> {
  const [first] = made
  if (!first) return
  await db.batch([
    db.prepare(INSERT_KEY).bind(key_id, public_key, first.created_at_ms),
    ...jsonParameters(made.map((one) => JSON.stringify(one))).map((list) => db.prepare(INSERT).bind(list)),
  ])
}

const HASH_OF_ENTRY = `SELECT ${hashOfEntry('?1', '?2')} AS hash`

/** Returns the hash of an entry from the pages in D1. Returns null if D1 has no hash for the entry. */
export function readHash(env: Bindings, ledger_id: string, entry_number: number): Promise<string | null> {
  return dbOf(env, ledger_id).prepare(HASH_OF_ENTRY).bind(ledger_id, entry_number).first<string>('hash')
}

const CHECKPOINTS_FROM = `
  SELECT entry_number, hash, created_at_ms, key_id, note FROM checkpoints
  WHERE ledger_id = ?1 AND entry_number >= ?2 ORDER BY entry_number LIMIT ?3`

/** Returns the checkpoints of `entry_number` and of later entries, in the order of the entries, at most `limit`. */
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
