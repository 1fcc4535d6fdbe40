import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { SUBJECT_KINDS } from './kinds.ts'

/** The projection of the ledgers: the data that their objects flush. */

/** The watermark of each ledger's journal in D1: the guard that makes a flush exactly-once in effect. */
export const ledgers = sqliteTable(
  'ledgers',
  {
    ledger_id: text().primaryKey(),
    /** The last journal row that D1 has. */
    flushed_row: integer().notNull(),
    /** The last entry that D1 has. */
    flushed_entry: integer().notNull(),
    flushed_at_ms: integer().notNull(),
    /** The number of events without a price at the last flush. */
    unrated: integer().notNull().default(0),
    /** The newest entry without a price at the last flush; 0 when there is none. */
    unrated_entry: integer().notNull().default(0),
    /** The last notification that D1 has. */
    last_notification: integer().notNull().default(0),
    /** The last notification that was given to the ledger's webhook endpoints; null when it has none. */
    handed_notification: integer(),
    /** The first entry of the hash chain, and the hash of `flushed_entry`; null before the chain began. */
    chain_first_entry: integer(),
    chain_hash: text(),
    /** The hash of `flushed_row`; null for a row of an earlier version. */
    flushed_hash: text(),
    /** The approximate end of the latest stream of notifications; null if there never was one. */
    streamed_until_ms: integer(),
  },
  (table) => [
    // Indexes only ledgers with unrated events, so that late rating finds them without reading the others.
    index('ledgers_unrated').on(table.ledger_id).where(sql`${table.unrated} > 0`),
    // Indexes only ledgers whose last notifications were not given to their webhook endpoints: the sweep uses
    // it to find lost messages.
    index('ledgers_unhanded')
      .on(table.ledger_id)
      .where(sql`${table.handed_notification} < ${table.last_notification}`),
  ],
)

/**
 * The entries of one wallet in one flush. `flush_entry` is the first entry number of the flush, so the key orders pages
 * by flush, and flushes follow each other without a gap.
 */
export const ledgerPages = sqliteTable(
  'ledger_pages',
  {
    ledger_id: text().notNull(),
    flush_entry: integer().notNull(),
    wallet_number: integer().notNull(),
    format: integer().notNull(),
    first_entry: integer().notNull(),
    last_entry: integer().notNull(),
    entry_count: integer().notNull(),
    first_at_ms: integer().notNull(),
    last_at_ms: integer().notNull(),
    balance_before_micro: integer().notNull(),
    balance_after_micro: integer().notNull(),
    /**
     * The earliest time of its entries as lists show it: an event's own time, or the time when an entry took
     * effect.
     */
    oldest_ms: integer().notNull(),
    /**
     * The usage that the page's entries add to analytics (`src/usage/cells/delta.ts`), summed: a void counts
     * -1 event. USD are stored as whole 1e-6 USD and a remainder in 1e-12 USD of the same sign. These columns
     * precede the body, so that summing pages does not read it.
     */
    events: integer().notNull(),
    burned_micro: integer().notNull(),
    cost_micro: integer().notNull(),
    cost_pico: integer().notNull(),
    price_micro: integer().notNull(),
    price_pico: integer().notNull(),
    paid_micro: integer().notNull(),
    paid_pico: integer().notNull(),
    /** JSON array of packed entries, oldest first. */
    body: text().notNull(),
    /** The hash chain before the first entry and after the last one; null for entries from before the chain. */
    hash_before: text(),
    hash_after: text(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.flush_entry, table.wallet_number] }),
    index('ledger_pages_wallet').on(table.ledger_id, table.wallet_number, table.flush_entry),
    // Indexes only pages with an entry more than an hour older than its commit. There are few of them.
    index('ledger_pages_late')
      .on(table.ledger_id, table.flush_entry)
      .where(sql`${table.oldest_ms} < ${table.first_at_ms} - 3600000`),
    check('ledger_pages_entries', sql`${table.first_entry} <= ${table.last_entry}`),
  ],
)

/**
 * A customer's users and teams. Pages name them by number, so an erasure only has to blank this row. The row and its
 * number stay, because a number is never given to another subject.
 */
export const subjects = sqliteTable(
  'subjects',
  {
    ledger_id: text().notNull(),
    kind: text({ enum: SUBJECT_KINDS }).notNull(),
    number: integer().notNull(),
    /** The customer's own id; once erased, an alias in its place. */
    external_id: text().notNull(),
    email: text(),
    /** JSON. */
    metadata: text(),
    created_at_ms: integer().notNull(),
    erased_at_ms: integer(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.kind, table.number] }),
    uniqueIndex('subjects_external_id').on(table.ledger_id, table.kind, table.external_id),
  ],
)

/** The owner of each wallet number. */
export const wallets = sqliteTable(
  'wallets',
  {
    ledger_id: text().notNull(),
    wallet_number: integer().notNull(),
    wallet_id: text().notNull(),
    owner_kind: text({ enum: ['customer', ...SUBJECT_KINDS] }).notNull(),
    /** The owner's subject number; null for the customer's own wallet. */
    owner_number: integer(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.wallet_number] })],
)

/** Closed holds. Open holds are only in the ledger object. */
export const holds = sqliteTable(
  'holds',
  {
    ledger_id: text().notNull(),
    hold_number: integer().notNull(),
    wallet_number: integer().notNull(),
    status: text({ enum: ['captured', 'released', 'expired'] }).notNull(),
    feature_id: text().notNull(),
    /** Subject numbers; null when the hold named no user or no team. */
    user_number: integer(),
    team_number: integer(),
    credits_micro: integer().notNull(),
    captured_micro: integer().notNull(),
    created_at_ms: integer().notNull(),
    expires_at_ms: integer().notNull(),
    closed_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.hold_number] })],
)

/** The notifications of a ledger, kept for 30 days. */
export const notifications = sqliteTable(
  'notifications',
  {
    ledger_id: text().notNull(),
    sequence: integer().notNull(),
    type: text().notNull(),
    at_ms: integer().notNull(),
    /** The numbers of the user and the team that the data names; null for none. */
    user_number: integer(),
    team_number: integer(),
    /** JSON, without the names of the user and the team. */
    data: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.sequence] })],
)
