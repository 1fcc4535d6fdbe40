import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** The usage of the ledgers. It is rolled up from the messages of their flushes. */

/**
 * The states of a ledger's rollups. active: read and updated. building: written by a rebuild. retired: replaced by a
 * rebuild.
 */
export const ROLLUP_STATES = ['active', 'building', 'retired'] as const
export type RollupState = (typeof ROLLUP_STATES)[number]

/**
 * The progress of each ledger's rollups, by generation. A rebuild builds a new generation while readers use the
 * active one. `version` guards the rows of a generation: a writer writes only if the version is unchanged since it
 * was read, and increments the version in the same batch.
 */
export const rollupWatermarks = sqliteTable(
  'rollup_watermarks',
  {
    ledger_id: text().notNull(),
    /** The number of the generation, counted from 1. */
    generation: integer().notNull(),
    state: text({ enum: ROLLUP_STATES }).notNull(),
    version: integer().notNull(),
    /** The last entry in the rollups. The usage of this entry and of all earlier entries is included. */
    rolled_entry: integer().notNull(),
    /** The time before which every commit is included in the rollups. */
    as_of_ms: integer().notNull(),
    /** The sums of all usage that was ever rolled up, as JSON. */
    totals: text().notNull(),
    /** The part of `totals` that belongs to deleted days, as JSON. */
    expired: text().notNull(),
    /** The time when the generation entered its state. */
    state_at_ms: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.generation] }),
    // This index contains few rows. Rows that change with every batch of messages are not in it.
    index('rollup_watermarks_unfinished')
      .on(table.state, table.ledger_id)
      .where(sql`${table.state} <> 'active'`),
  ],
)

/**
 * The usage of a ledger and UTC day, packed (`src/usage/cells/pack-cells.ts`). When a row becomes large, it is closed
 * and the next part begins. A cell may therefore be in several parts. Readers add them.
 */
export const rollupDays = sqliteTable(
  'rollup_days',
  {
    ledger_id: text().notNull(),
    generation: integer().notNull(),
    /** The day, in whole days since 1970. */
    day: integer().notNull(),
    part: integer().notNull(),
    /**
     * The cells as JSON: by day, by hour, by hour and team, and by hour and API key. The smallest column is first,
     * because SQLite reads a row only up to the last column of a query.
     */
    by_day: text().notNull(),
    by_hour: text().notNull(),
    /** The cells by hour and team; null if no cell has a team, because the cells then equal `by_hour`. */
    by_team: text(),
    /** The cells by hour and API key; null if no cell has an API key, and in rows of earlier versions. */
    by_key: text(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.generation, table.day, table.part] })],
)

/** The usage of a ledger and UTC day by hour, user and team, packed. */
export const rollupUsers = sqliteTable(
  'rollup_users',
  {
    ledger_id: text().notNull(),
    generation: integer().notNull(),
    day: integer().notNull(),
    /** The user's number divided by 1,024 and rounded down, modulo 32; 0 for cells without a user. */
    bucket: integer().notNull(),
    part: integer().notNull(),
    cells: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.generation, table.day, table.bucket, table.part] }),
  ],
)

/** The messages that could not be consumed. Replayed messages are kept for 30 days. */
export const deadLetters = sqliteTable(
  'dead_letters',
  {
    /** The id of the message, which is the same for each delivery. Ids sort by the time when the message was sent. */
    dead_letter_id: text().primaryKey(),
    state: text({ enum: ['open', 'replayed'] }).notNull(),
    reason: text().notNull(),
    /** The number of attempts, by the queue and by replays. */
    attempts: integer().notNull(),
    sent_at_ms: integer().notNull(),
    failed_at_ms: integer().notNull(),
    replayed_at_ms: integer(),
    /** A flag: 1 if `body` has only the beginning of the message. Such a message cannot be replayed. */
    truncated: integer().notNull(),
    /** The message as JSON. */
    body: text().notNull(),
  },
  (table) => [index('dead_letters_state').on(table.state, table.dead_letter_id)],
)
