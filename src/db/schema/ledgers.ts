import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { SUBJECT_KINDS } from './kinds.ts'

/** The projection of the ledgers: the data that their objects flush. */

/** The watermark of each ledger's journal in D1. It guards the flush: D1 applies each flush exactly once. */
export const ledgers = sqliteTable(
  'ledgers',
  {
    ledger_id: text().primaryKey(),
    /** The number of the last journal row in D1. */
    flushed_row: integer().notNull(),
    /** The number of the last entry in D1. */
    flushed_entry: integer().notNull(),
    flushed_at_ms: integer().notNull(),
    /** The number of events without a price at the last flush. */
    unrated: integer().notNull().default(0),
    /** The number of the newest entry without a price at the last flush; 0 if all have prices. */
    unrated_entry: integer().notNull().default(0),
    /** The number of the last notification in D1. */
    last_notification: integer().notNull().default(0),
    /**
     * The number of the last notification that was passed to the ledger's webhook endpoints; null if the ledger has
     * no endpoints.
     */
    handed_notification: integer(),
    /**
     * The number of the first entry of the hash chain, and the hash of `flushed_entry`; null before the chain began.
     */
    chain_first_entry: integer(),
    chain_hash: text(),
    /** The hash of `flushed_row`; null for a row of an earlier version. */
    flushed_hash: text(),
    /** The time until which the ledger flushes notifications early for a stream; null before the first stream. */
    streamed_until_ms: integer(),
  },
  (table) => [
    // This index contains only ledgers with unrated events. Late rating finds them without reading the other ledgers.
    index('ledgers_unrated').on(table.ledger_id).where(sql`${table.unrated} > 0`),
    // This index contains only ledgers with notifications that were not passed to their webhook endpoints. The sweep
    // uses it to find lost messages.
    index('ledgers_unhanded')
      .on(table.ledger_id)
      .where(sql`${table.handed_notification} < ${table.last_notification}`),
  ],
)

/**
 * The entries of one wallet in one flush. `flush_entry` is the number of the first entry of the flush, so the key
 * orders pages by flush. There is no gap between flushes.
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
     * The earliest time of the page's entries, as lists show it: the time of an event, or the time when another entry
     * took effect.
     */
    oldest_ms: integer().notNull(),
    /**
     * The sum of the usage that the page's entries add to analytics (`src/usage/cells/delta.ts`). A void counts as -1
     * event. USD are stored as whole 1e-6 USD and a remainder in 1e-12 USD of the same sign. These columns come
     * before the body: a query that sums pages does not read the body.
     */
    events: integer().notNull(),
    burned_micro: integer().notNull(),
    cost_micro: integer().notNull(),
    cost_pico: integer().notNull(),
    price_micro: integer().notNull(),
    price_pico: integer().notNull(),
    paid_micro: integer().notNull(),
    paid_pico: integer().notNull(),
    /** The packed entries as a JSON array, oldest first. */
    body: text().notNull(),
    /**
     * The hash of the chain before the first entry and after the last entry; null for entries from before the chain.
     */
    hash_before: text(),
    hash_after: text(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.flush_entry, table.wallet_number] }),
    index('ledger_pages_wallet').on(table.ledger_id, table.wallet_number, table.flush_entry),
    // This index contains only pages whose oldest entry is more than an hour older than the page's first commit.
    // There are few such pages.
    index('ledger_pages_late')
      .on(table.ledger_id, table.flush_entry)
      .where(sql`${table.oldest_ms} < ${table.first_at_ms} - 3600000`),
    check('ledger_pages_entries', sql`${table.first_entry} <= ${table.last_entry}`),
  ],
)

/**
 * The users and teams of a customer. Pages refer to a subject by its number, so the erasure of its id changes no
 * page. The row stays, because its number is never assigned to another subject.
 */
export const subjects = sqliteTable(
  'subjects',
  {
    ledger_id: text().notNull(),
    kind: text({ enum: SUBJECT_KINDS }).notNull(),
    number: integer().notNull(),
    /** The customer's own id of the subject. An erasure replaces it with an alias. */
    external_id: text().notNull(),
    email: text(),
    /** The metadata as JSON. */
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

/** The closed holds. Open holds are stored only in the ledger object. */
export const holds = sqliteTable(
  'holds',
  {
    ledger_id: text().notNull(),
    hold_number: integer().notNull(),
    wallet_number: integer().notNull(),
    status: text({ enum: ['captured', 'released', 'expired'] }).notNull(),
    feature_id: text().notNull(),
    /** The subject numbers of the user and the team; null if the hold named no user or no team. */
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

/** The notifications of a ledger, kept for `NOTIFICATION_DAYS`. */
export const notifications = sqliteTable(
  'notifications',
  {
    ledger_id: text().notNull(),
    sequence: integer().notNull(),
    type: text().notNull(),
    at_ms: integer().notNull(),
    /** The subject numbers of the user and the team in the data; null without a user or a team. */
    user_number: integer(),
    team_number: integer(),
    /** The data as JSON, without the ids of the user and the team. */
    data: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.sequence] })],
)
