import { KEY_SECRET, keyHash, newKeySecret, packHashes } from './idempotency/hash.ts'
import { unpackRow } from './journal/packing.ts'
import { paymentOf } from './model/journal.ts'

/** Runs one statement and returns its rows. */
export type Exec = (query: string, ...bindings: SqlStorageValue[]) => Record<string, SqlStorageValue>[]

/** Upgrades the tables from one version to the next. Runs in the transaction of `migrate`. */
export type Migration = (sql: SqlStorage) => void

/**
 * The migrations of the object's tables: `MIGRATIONS[n - 1]` creates version n. An object is upgraded at its next
 * start, at the cost of the rows that the migration writes. Never edit a deployed migration: append a new one, and
 * update `docs/storage-schema.md`.
 */
export const MIGRATIONS: readonly Migration[] = [
  (sql) => void sql.exec(VERSION_1),
  (sql) => void sql.exec(VERSION_2),
  (sql) => void sql.exec(VERSION_3),
  packKeys,
  recordPayments,
  sealBuckets,
  (sql) => void sql.exec(VERSION_7),
  (sql) => void sql.exec(VERSION_8),
  (sql) => void sql.exec(VERSION_9),
  (sql) => void sql.exec(VERSION_10),
  (sql) => void sql.exec(VERSION_11),
  (sql) => void sql.exec(VERSION_12),
  (sql) => void sql.exec(VERSION_13),
]

const VERSION_1 = `
  CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE journal (
    row_id INTEGER PRIMARY KEY,
    format INTEGER NOT NULL,
    first_entry INTEGER NOT NULL,
    last_entry INTEGER NOT NULL CHECK (last_entry >= first_entry - 1),
    last_lot INTEGER NOT NULL,
    last_wallet INTEGER NOT NULL,
    last_hold INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    limits TEXT,
    body TEXT NOT NULL
  ) STRICT;

  -- WITHOUT ROWID, because a new key then writes one row. In a rowid table with a TEXT primary key, it writes two.
  CREATE TABLE idempotency_keys (
    idempotency_key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    journal_row INTEGER NOT NULL,
    journal_index INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE wallets (
    wallet_key TEXT PRIMARY KEY,
    wallet_number INTEGER NOT NULL,
    balance_micro INTEGER NOT NULL CHECK (balance_micro BETWEEN -8000000000000000 AND 8000000000000000),
    due_at_ms INTEGER,
    state TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE UNIQUE INDEX wallets_number ON wallets (wallet_number);
  CREATE INDEX wallets_due ON wallets (due_at_ms) WHERE due_at_ms IS NOT NULL;

  CREATE TABLE closed_lots (
    lot_number INTEGER PRIMARY KEY,
    lot TEXT NOT NULL
  ) STRICT;

  CREATE TABLE given_back (
    entry INTEGER PRIMARY KEY,
    amount_micro INTEGER NOT NULL CHECK (amount_micro BETWEEN 0 AND 8000000000000000),
    voided INTEGER NOT NULL CHECK (voided IN (0, 1))
  ) STRICT;

  CREATE TABLE revoked_keys (
    key_id TEXT PRIMARY KEY,
    revoked_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE burn_tables (
    version INTEGER PRIMARY KEY CHECK (version > 1),
    table_id TEXT NOT NULL,
    effective_from_ms INTEGER NOT NULL,
    effective_to_ms INTEGER CHECK (effective_to_ms > effective_from_ms),
    began_at_ms INTEGER NOT NULL,
    deactivated_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    definition TEXT NOT NULL
  ) STRICT;

  -- Rows of deleted entitlements are kept: numbers are never reused, and the rows tell the test ledger of deletions.
  CREATE TABLE entitlements (
    number INTEGER PRIMARY KEY,
    entitlement_id TEXT NOT NULL UNIQUE,
    feature_id TEXT NOT NULL,
    level_key TEXT NOT NULL,
    counter INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    deleted INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    entitlement TEXT NOT NULL
  ) STRICT;

  CREATE UNIQUE INDEX entitlements_place ON entitlements (feature_id, level_key) WHERE deleted = 0;
  CREATE INDEX entitlements_level ON entitlements (level_key, number) WHERE deleted = 0;
  CREATE UNIQUE INDEX entitlements_revision ON entitlements (revision);

  -- A count can exceed 2^53, the limit of exact numbers in JavaScript. It is text, and SQL does not compute with it.
  CREATE TABLE limit_counters (
    counter INTEGER PRIMARY KEY,
    window_start_ms INTEGER NOT NULL,
    used TEXT NOT NULL
  ) STRICT;

  -- One row for each event without a final price, deleted when the event is rated or voided. Such events are rare.
  CREATE TABLE unrated_events (
    entry INTEGER PRIMARY KEY,
    wallet_number INTEGER NOT NULL,
    record TEXT NOT NULL,
    charge TEXT
  ) STRICT;

  CREATE INDEX unrated_unpaid ON unrated_events (wallet_number) WHERE charge IS NOT NULL;

  CREATE TABLE amendments (
    entry INTEGER PRIMARY KEY,
    amendment TEXT NOT NULL
  ) STRICT;
`

const VERSION_2 = `
  CREATE TABLE erasures (
    alias TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    subject_number INTEGER NOT NULL,
    wallet_number INTEGER,
    started_at_ms INTEGER NOT NULL,
    next_row INTEGER NOT NULL,
    until_row INTEGER NOT NULL,
    forgotten INTEGER NOT NULL CHECK (forgotten IN (0, 1)),
    page_entry INTEGER NOT NULL,
    page_wallet INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID
`

// Small columns precede the body, because SQLite reads all overflow pages of the body before it can read a column after
// the body.
const VERSION_3 = `
  CREATE TABLE journal_3 (
    row_id INTEGER PRIMARY KEY,
    format INTEGER NOT NULL,
    first_entry INTEGER NOT NULL,
    last_entry INTEGER NOT NULL CHECK (last_entry >= first_entry - 1),
    last_lot INTEGER NOT NULL,
    last_wallet INTEGER NOT NULL,
    last_hold INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    month_events INTEGER NOT NULL DEFAULT 0 CHECK (month_events >= 0),
    keys_total INTEGER NOT NULL DEFAULT 0 CHECK (keys_total >= 0),
    key_hashes BLOB,
    limits TEXT,
    body TEXT NOT NULL
  ) STRICT;

  INSERT INTO journal_3 (row_id, format, first_entry, last_entry, last_lot, last_wallet, last_hold, at_ms, limits, body)
  SELECT row_id, format, first_entry, last_entry, last_lot, last_wallet, last_hold, at_ms, limits, body FROM journal;

  DROP TABLE journal;
  ALTER TABLE journal_3 RENAME TO journal
`

const VERSION_4 = `
  CREATE TABLE key_runs (
    last_row INTEGER PRIMARY KEY,
    keys_total INTEGER NOT NULL,
    entries BLOB NOT NULL
  ) STRICT;

  CREATE TABLE key_buckets (
    bucket INTEGER PRIMARY KEY,
    entries BLOB NOT NULL
  ) STRICT;

  UPDATE journal SET keys_total = sums.total
  FROM (SELECT row_id, sum(coalesce(length(key_hashes), 0) / 8) OVER (ORDER BY row_id) AS total FROM journal) AS sums
  WHERE journal.row_id = sums.row_id AND sums.total > 0;

  DROP TABLE idempotency_keys
`

const KEYS_BY_ROW = 'SELECT journal_row, idempotency_key FROM idempotency_keys ORDER BY journal_row'

/**
 * Upgrades to version 4: replaces the table of idempotency keys with hashes in the journal rows that contain the
 * keys.
 */
function packKeys(sql: SqlStorage): void {
  const secret = newKeySecret()
  const hash = keyHash(secret)
  sql.exec('INSERT INTO meta (key, value) VALUES (?, ?)', KEY_SECRET, secret)
  let keys: string[] = []
  let row_id = 0
  const write = () => {
    const hashes = packHashes(keys, hash)
    if (hashes) sql.exec('UPDATE journal SET key_hashes = ? WHERE row_id = ?', hashes.buffer, row_id)
  }
  for (const { journal_row, idempotency_key } of sql.exec(KEYS_BY_ROW)) {
    if (journal_row !== row_id) {
      write()
      keys = []
      row_id = Number(journal_row)
    }
    keys.push(String(idempotency_key))
  }
  write()
  sql.exec(VERSION_4)
}

// An added column writes no row: existing rows have its default.
const VERSION_5 = `
  ALTER TABLE limit_counters ADD COLUMN reserved TEXT NOT NULL DEFAULT '0';

  CREATE TABLE payments (
    reference TEXT PRIMARY KEY,
    payment TEXT NOT NULL
  ) STRICT, WITHOUT ROWID
`

const PURCHASE_ROWS = `SELECT format, body FROM journal WHERE instr(body, '"pr":') > 0 ORDER BY row_id`

/**
 * Upgrades to version 5, which records payment references so that a payment is credited only once. Records the
 * payments of all purchases that are still in the journal.
 */
function recordPayments(sql: SqlStorage): void {
  sql.exec(VERSION_5)
  for (const { format, body } of sql.exec(PURCHASE_ROWS)) {
    for (const record of unpackRow(Number(format), String(body))) {
      const payment = record.kind === 'entry' ? paymentOf(record) : undefined
      if (!payment) continue
      const { reference, recorded } = payment
      sql.exec(
        'INSERT OR IGNORE INTO payments (reference, payment) VALUES (?, ?)',
        reference,
        JSON.stringify(recorded),
      )
    }
  }
}

const VERSION_6 = `
  CREATE TABLE key_segments (
    first_bucket INTEGER PRIMARY KEY,
    bits INTEGER NOT NULL CHECK (bits BETWEEN 0 AND 31),
    last_row INTEGER NOT NULL,
    keys_total INTEGER NOT NULL,
    filter BLOB
  ) STRICT;

  INSERT INTO key_segments (first_bucket, bits, last_row, keys_total)
  SELECT DISTINCT 1 << (layout.value ->> 'bits'), layout.value ->> 'bits', buckets.value ->> 'row',
    buckets.value ->> 'keys_total'
  FROM meta AS buckets,
    json_each(json_array(json(buckets.value), json(buckets.value ->> '$.round'))) AS layout
  WHERE buckets.key = 'key_buckets' AND buckets.value ->> 'entries' > 0 AND layout.type = 'object';

  DELETE FROM key_buckets WHERE NOT EXISTS (SELECT 1 FROM key_segments);
  DELETE FROM meta WHERE key = 'key_buckets'
`

/**
 * Upgrades to version 6: turns the existing buckets of keys into a segment without a filter. Rewrites no bucket,
 * because rewriting up to 16,384 buckets would take seconds. In version 5, a round rewrote all buckets. If a round is
 * unfinished, there is a second set of buckets. It becomes a segment with the same last row, because the keys that the
 * round was adding are still in `key_runs`. The buckets of an unfinished first round are deleted, because `key_runs`
 * contains all of their keys.
 */
function sealBuckets(sql: SqlStorage): void {
  sql.exec(VERSION_6)
}

// Late rating finds the events of one model with this index. It costs 1 more written row for each event without a
// price.
const VERSION_7 = `
  CREATE INDEX unrated_models ON unrated_events (
    coalesce(record ->> '$.event.provider', ''), coalesce(record ->> '$.event.model', ''), entry);

  INSERT INTO meta (key, value) SELECT 'unrated_events', count(*) FROM unrated_events HAVING count(*) > 0
`

// The new column contains the earlier parts of rolling windows. An added column writes no row.
const VERSION_8 = 'ALTER TABLE limit_counters ADD COLUMN earlier TEXT'

// The new column contains the sequence number of the last notification up to each row. An added column writes no row.
const VERSION_9 = 'ALTER TABLE journal ADD COLUMN last_notification INTEGER NOT NULL DEFAULT 0'

// The hash chain begins with the next entry, because earlier entries have no salts. Writes 1 row.
const VERSION_10 = `
  INSERT INTO meta (key, value)
  SELECT 'chain_first_entry', coalesce((SELECT last_entry FROM journal ORDER BY row_id DESC LIMIT 1), 0) + 1
`

// The indexes contain only rows with a scheduled time. Most payments that succeeded have no scheduled time, so they are
// not in the index of payments.
const VERSION_11 = `
  CREATE TABLE payment_intents (
    number INTEGER PRIMARY KEY,
    ask_at_ms INTEGER,
    payment TEXT NOT NULL
  ) STRICT;

  CREATE INDEX payment_intents_ask ON payment_intents (ask_at_ms) WHERE ask_at_ms IS NOT NULL;

  CREATE TABLE payers (
    wallet_key TEXT PRIMARY KEY,
    due_at_ms INTEGER,
    payer TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX payers_due ON payers (due_at_ms) WHERE due_at_ms IS NOT NULL
`

const VERSION_12 = `
  CREATE TABLE alerts (
    alert_id TEXT PRIMARY KEY,
    alert TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE limit_marks (
    counter INTEGER PRIMARY KEY,
    reached_ms INTEGER NOT NULL
  ) STRICT
`

// The hash of each row covers its salt and the hash of the previous row. `salt` and `hash` are null in rows of earlier
// versions. Added columns write no row.
const VERSION_13 = `
  ALTER TABLE journal ADD COLUMN salt TEXT;
  ALTER TABLE journal ADD COLUMN hash TEXT
`

const WRITE_META = `
  INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`

/**
 * Upgrades an object's tables to the version of this code in one transaction. Throws if the tables have a later
 * version or no version, because this code cannot interpret them.
 */
export function migrate(storage: DurableObjectStorage, migrations = MIGRATIONS): void {
  const { sql } = storage
  const found = versionOf(sql)
  if (found === migrations.length) return
  if (found > migrations.length) {
    throw new Error(
      `the tables of this ledger have version ${found}, but this deployment supports only versions up to ${migrations.length}: deploy the version that wrote them, or a later one`,
    )
  }
  storage.transactionSync(() => {
    for (const migration of migrations.slice(found)) migration(sql)
    sql.exec(WRITE_META, 'schema_version', String(migrations.length))
  })
}

/** Returns the version of the tables; 0 for an object without tables. Throws if the tables have no valid version. */
function versionOf(sql: SqlStorage): number {
  const tables = sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'")
  if (tables.toArray().length === 0) return 0
  const [row] = sql.exec("SELECT value FROM meta WHERE key = 'schema_version'").toArray()
  const version = Number(row?.value)
  if (Number.isInteger(version) && version > 0) return version
  throw new Error(
    'the tables of this ledger have no version: they were written before the first release. In a local run, delete .wrangler/state',
  )
}

/** The table `meta`, which stores single values of the ledger by key. Writes 1 row for each value that is set. */
export class MetaTable {
  private readonly exec: Exec

  constructor(exec: Exec) {
    this.exec = exec
  }

  get(key: string): string | null {
    const [row] = this.exec('SELECT value FROM meta WHERE key = ?', key)
    return row ? String(row.value) : null
  }

  set(key: string, value: string): void {
    this.exec(WRITE_META, key, value)
  }

  delete(key: string): void {
    this.exec('DELETE FROM meta WHERE key = ?', key)
  }
}
