import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** The projection of the ledgers: the data that ledger objects flush to D1. */

export const SUBJECT_KINDS = ['user', 'team'] as const
export type SubjectKind = (typeof SUBJECT_KINDS)[number]

/**
 * The watermark of each ledger: the last journal row that was flushed to D1. The watermark ensures that D1 applies each
 * flush exactly once.
 */
export const ledgers = sqliteTable(
  'ledgers',
  {
    ledger_id: text().primaryKey(),
    /** The number of the last journal row in D1. */
    flushed_row: integer().notNull(),
    /** The number of the last entry in D1. */
    flushed_entry: integer().notNull(),
    flushed_at_ms: integer().notNull(),
    /** The number of events without a final price at the last flush. */
    unrated: integer().notNull().default(0),
    /** The number of the newest entry of an event without a final price at the last flush; 0 if there is none. */
    unrated_entry: integer().notNull().default(0),
    /** The number of the last notification in D1. */
    last_notification: integer().notNull().default(0),
    /**
     * The number of the last notification that the webhook fan-out has processed. When the first webhook endpoint is
     * added, it is set to `last_notification`. Null if the ledger has no webhook endpoints.
     */
    handed_notification: integer(),
    /**
     * `chain_first_entry` is the number of the first entry in the hash chain. `chain_hash` is the hash of
     * `flushed_entry`. Each is null if the ledger has no hash chain yet.
     */
    chain_first_entry: integer(),
    chain_hash: text(),
    /** The hash of the journal row `flushed_row`; null if an earlier version of this software wrote the row. */
    flushed_hash: text(),
    /**
     * The time until which the ledger flushes notifications early, because a client reads the ledger's event stream;
     * null before the first stream.
     */
    streamed_until_ms: integer(),
  },
  (table) => [
    // This index contains only ledgers with unrated events. Late rating finds them without reading the other ledgers.
    index('ledgers_unrated').on(table.ledger_id).where(sql`${table.unrated} > 0`),
    // This index contains only ledgers with notifications that the webhook fan-out has not processed. A scheduled job
    // uses it to find notifications whose queue message was lost.
    index('ledgers_unhanded')
      .on(table.ledger_id)
      .where(sql`${table.handed_notification} < ${table.last_notification}`),
  ],
)

/**
 * The pages. A page has the entries of one wallet in one flush. `flush_entry` is the number of the first entry of the
 * flush, so the primary key orders pages by flush. Each flush begins with the entry after the last entry of the
 * previous flush.
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
     * The earliest time at which lists can show an entry of the page: the time when the entry took effect, or the
     * timestamp of its event.
     */
    oldest_ms: integer().notNull(),
    /**
     * The sums of the usage that the page's entries add to analytics (`src/usage/cells/delta.ts`). A void counts as -1
     * event. An amount of USD has two columns with the same sign: whole units of 1e-6 USD (`_micro`) and the remainder
     * in 1e-12 USD (`_pico`). The sums come before `body`, so that a query that adds pages does not read the body.
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
     * The hashes of the chain before the first entry and after the last entry. Each is null if its entry is older than
     * the chain.
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
 * The subjects of ledgers: users and teams of a customer. Pages refer to a subject by its number, not by its id. An
 * erasure keeps the row, because the number must never be assigned to another subject.
 */
export const subjects = sqliteTable(
  'subjects',
  {
    ledger_id: text().notNull(),
    kind: text({ enum: SUBJECT_KINDS }).notNull(),
    number: integer().notNull(),
    /** The id that the customer uses for the subject. An erasure replaces the id with an alias. */
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
    /**
     * `user_number` is the subject number of the user, and `team_number` is that of the team. Each is null if the hold
     * has no such subject.
     */
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
    /**
     * `user_number` is the subject number of the user in the data, and `team_number` is that of the team. Each is null
     * if the data has no such subject.
     */
    user_number: integer(),
    team_number: integer(),
    /** The data of the notification as JSON, without the ids of the user and the team. */
    data: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.sequence] })],
)
