import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/**
 * The rollups: sums of the usage of ledgers. They are computed from the queue messages that flushes send. A rebuild
 * computes them from the pages.
 */

/**
 * The states of a generation of rollups. active: queries read it, and new usage is added to it. building: a rebuild
 * writes it. retired: a rebuild has replaced it.
 */
export const ROLLUP_STATES = ['active', 'building', 'retired'] as const
export type RollupState = (typeof ROLLUP_STATES)[number]

/**
 * The progress of each ledger's rollups, by generation. A rebuild writes a new generation while queries read the active
 * one. `version` prevents lost updates: a writer reads it first, writes only if it is still the same, and increments it
 * in the same batch.
 */
export const rollupWatermarks = sqliteTable(
  'rollup_watermarks',
  {
    ledger_id: text().notNull(),
    /** The number of the generation, counted from 1. */
    generation: integer().notNull(),
    state: text({ enum: ROLLUP_STATES }).notNull(),
    version: integer().notNull(),
    /** The number of the last entry in the rollups. The usage of this entry and of all earlier entries is included. */
    rolled_entry: integer().notNull(),
    /** The time up to which the rollups are complete: they include every earlier commit. */
    as_of_ms: integer().notNull(),
    /** The sums of all usage that was ever added to the rollups, as JSON. */
    totals: text().notNull(),
    /** The part of `totals` that belongs to deleted days, as JSON. */
    expired: text().notNull(),
    /** The time when the generation entered its state. */
    state_at_ms: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.generation] }),
    // This index contains only generations that are not active, which are few. A batch of messages updates only active
    // generations and therefore does not write to the index.
    index('rollup_watermarks_unfinished')
      .on(table.state, table.ledger_id)
      .where(sql`${table.state} <> 'active'`),
  ],
)

/**
 * The usage of a ledger on one UTC day, in packed cells (`src/usage/cells/pack-cells.ts`). When a row becomes large,
 * later usage goes to a new row with the next `part`. A cell can therefore be in several parts. Readers add the parts.
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
     * The cells as JSON. `by_day` has the sums of the whole day, and `by_hour` has the sums of each hour. The columns
     * are in the order of their size, because SQLite reads a row only up to the last column that a query needs.
     */
    by_day: text().notNull(),
    by_hour: text().notNull(),
    /** The cells by hour and team; null if no cell has a team. `by_hour` is then sufficient. */
    by_team: text(),
    /**
     * The cells by hour and API key; null if no cell has an API key, or if an earlier version of this software wrote
     * the row.
     */
    by_key: text(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.generation, table.day, table.part] })],
)

/** The usage of a ledger on one UTC day by hour, user and team, in packed cells. */
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

/** The dead letters: queue messages that could not be processed. Replayed dead letters are kept for 30 days. */
export const deadLetters = sqliteTable(
  'dead_letters',
  {
    /**
     * The id of the message. It stays the same when the queue delivers the message again. The order of the ids is the
     * order in which the messages were sent.
     */
    dead_letter_id: text().primaryKey(),
    state: text({ enum: ['open', 'replayed'] }).notNull(),
    reason: text().notNull(),
    /** The number of attempts to process the message, both by the queue and by replays. */
    attempts: integer().notNull(),
    sent_at_ms: integer().notNull(),
    failed_at_ms: integer().notNull(),
    replayed_at_ms: integer(),
    /** A flag: 1 if `body` contains only the beginning of the message. A truncated message cannot be replayed. */
    truncated: integer().notNull(),
    /** The message as JSON. */
    body: text().notNull(),
  },
  (table) => [index('dead_letters_state').on(table.state, table.dead_letter_id)],
)
