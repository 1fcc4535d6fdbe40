import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/**
 * The public keys of all keys that have signed a checkpoint. Signatures can still be verified after their key was
 * replaced.
 */
export const signingKeys = sqliteTable('signing_keys', {
  /** The JWK thumbprint (RFC 7638). */
  key_id: text().primaryKey(),
  /** The Ed25519 public key in base64url. */
  public_key: text().notNull(),
  created_at_ms: integer().notNull(),
})

/** The signed hashes of ledgers' entries. Rows are never changed or deleted. */
export const checkpoints = sqliteTable(
  'checkpoints',
  {
    ledger_id: text().notNull(),
    entry_number: integer().notNull(),
    hash: text().notNull(),
    created_at_ms: integer().notNull(),
    key_id: text().notNull(),
    /** The signed note. */
    note: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.entry_number] })],
)
