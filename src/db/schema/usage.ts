import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** The usage of the ledgers, rolled up from the messages of their flushes. */

/** The states of a ledger's rollups: read and kept up to date, built by a rebuild, or replaced by one. */
export const ROLLUP_STATES = ['active', 'building', 'retired'] as const
export type RollupState = (typeof ROLLUP_STATES)[number]

/**
 * The progress of each ledger's rollups, by generation: a rebuild builds a new one beside the one that is read.
 * `version` guards a generation's rows: a writer raises it in the same batch, and writes only if it is unchanged since
 * it was read.
 */
export const rollupWatermarks = sqliteTable(
  'rollup_watermarks',
  {
    ledger_id: text().notNull(),
    /** 1, 2, 3 … */
    generation: integer().notNull(),
    state: text({ enum: ROLLUP_STATES }).notNull(),
    version: integer().notNull(),
    /** The usage of all entries up to here is in the rollups. */
    rolled_entry: integer().notNull(),
    /** Everything committed before this time is included. */
    as_of_ms: integer().notNull(),
    /** JSON: the sums of all usage that was ever rolled up. */
    totals: text().notNull(),
    /** JSON: the part of `totals` that belongs to deleted days. */
    expired: text().notNull(),
    /** The time when the generation entered its state. */
    state_at_ms: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.generation] }),
    // Indexes few rows. No indexed row is written with every batch of messages.
    index('rollup_watermarks_unfinished')
      .on(table.state, table.ledger_id)
      .where(sql`${table.state} <> 'active'`),
  ],
)

/**
 * The usage of a ledger and UTC day, packed (`src/usage/cells/pack-cells.ts`). A row that has grown large is
 * closed and the next part begun, so a cell may be in several parts: readers add them.
 */
export const rollupDays = sqliteTable(
  'rollup_days',
  {
    ledger_id: text().notNull(),
    generation: integer().notNull(),
    /** Whole days since 1970. */
    day: integer().notNull(),
    part: integer().notNull(),
    /**
     * JSON by day, by hour, by hour and team, and by hour and API key. The smallest is first, because SQLite reads a row
     * only up to the last column of a query.
     */
    by_day: text().notNull(),
    by_hour: text().notNull(),
    /** Is null when no cell has a team: its content is then that of `by_hour`. */
    by_team: text(),
    /** The same for API keys; rows of earlier versions have none. */
    by_key: text(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.generation, table.day, table.part] })],
)

/** The same by hour, user and team. */
export const rollupUsers = sqliteTable(
  'rollup_users',
  {
    ledger_id: text().notNull(),
    generation: integer().notNull(),
    day: integer().notNull(),
    /** The user's number divided by 1,024, rounded down; also 0 without a user. */
    bucket: integer().notNull(),
    part: integer().notNull(),
    cells: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.generation, table.day, table.bucket, table.part] }),
  ],
)

/** Messages that could not be consumed. Replayed ones are kept for 30 days. */
export const deadLetters = sqliteTable(
  'dead_letters',
  {
    /**
     * The id of the message, which is the same for each delivery. Ids sort by the time at which the message was sent.
     */
    dead_letter_id: text().primaryKey(),
    state: text({ enum: ['open', 'replayed'] }).notNull(),
    reason: text().notNull(),
    /** The number of attempts: by the queue, and by replays. */
    attempts: integer().notNull(),
    sent_at_ms: integer().notNull(),
    failed_at_ms: integer().notNull(),
    replayed_at_ms: integer(),
    /** Is 1 if `body` has only the beginning of the message. Such a message cannot be replayed. */
    truncated: integer().notNull(),
    /** JSON. */
    body: text().notNull(),
  },
  (table) => [index('dead_letters_state').on(table.state, table.dead_letter_id)],
)
