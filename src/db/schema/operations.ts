import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { MODES } from './kinds.ts'

/** Records of requests, operators and the cron. */

/** The answers to POSTs that no ledger handles, by idempotency key, so that a repeat gets the same answer. */
export const storedAnswers = sqliteTable(
  'stored_answers',
  {
    /** The owner of the key: a ledger's name, or `operator`. */
    owner: text().notNull(),
    idempotency_key: text().notNull(),
    fingerprint: text().notNull(),
    status: integer().notNull(),
    /** The body, byte for byte. */
    body: text().notNull(),
    created_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.owner, table.idempotency_key] })],
)

/**
 * The changes with their author, time and address. Rows can only be added: triggers, written by hand in the migration,
 * refuse everything else. The key orders a customer's rows by time; the index orders those of all customers.
 */
export const auditLog = sqliteTable(
  'audit_log',
  {
    /** A customer's id, or `operator` for changes of no customer. */
    scope: text().notNull(),
    /** Sorts by time. */
    audit_id: text().notNull(),
    at_ms: integer().notNull(),
    /** The mode of the changed ledger or key; null if the change concerns no ledger or key. */
    mode: text({ enum: MODES }),
    /** A key's id, `operator` or `public`. */
    actor: text().notNull(),
    action: text().notNull(),
    /** The id of the changed object. */
    target: text().notNull(),
    ip: text(),
    request_id: text(),
    /** JSON; null if there is no earlier or no later state. */
    state_before: text(),
    state_after: text(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.audit_id] }),
    index('audit_log_time').on(table.audit_id),
  ],
)

/** Sessions of the dashboard, whose tokens are in cookies. They end with their key. */
export const dashboardSessions = sqliteTable(
  'dashboard_sessions',
  {
    /** SHA-256 of the token, hex. */
    session_hash: text().primaryKey(),
    /** A key's id, `operator`, or `access:EMAIL` of an operator whom Cloudflare Access names. */
    owner: text().notNull(),
    /** HMAC-SHA-256 of the operator token, or of the configuration of Access, under the session's token; null for a key. */
    operator_mac: text(),
    created_at_ms: integer().notNull(),
    expires_at_ms: integer().notNull(),
  },
  (table) => [
    index('dashboard_sessions_owner').on(table.owner, table.created_at_ms),
    index('dashboard_sessions_end').on(table.expires_at_ms),
  ],
)

/** The number of requests by hour and outcome, for an operator's alerts. Kept for 30 days. */
export const outcomeCounts = sqliteTable(
  'outcome_counts',
  {
    /** The beginning of the hour, UTC. */
    hour_ms: integer().notNull(),
    /** `ok`, `replayed`, a problem code, or `event:` and the code that an event of a batch was rejected with. */
    outcome: text().notNull(),
    count: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.hour_ms, table.outcome] })],
)

/** The figures of each ledger with payments, for the operator. Only the ledger's object knows them. */
export const paymentFigures = sqliteTable(
  'payment_figures',
  {
    mode: text({ enum: MODES }).notNull(),
    ledger_id: text().notNull(),
    /** The number of payments by status. Failed ones are counted until they are deleted. */
    pending: integer().notNull(),
    succeeded: integer().notNull(),
    failed: integer().notNull(),
    action_required: integer().notNull(),
    refunded: integer().notNull(),
    disputed: integer().notNull(),
    /** The creation time of the oldest payment without an outcome. */
    oldest_open_at_ms: integer(),
    /** The number of wallets whose top-up would charge but is paused. */
    top_ups_paused: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.mode, table.ledger_id] })],
)

/** The outcomes of the drop-in endpoints, by ledger. Bounded: the outcomes are a closed list. */
export const dropInCounts = sqliteTable(
  'drop_in_counts',
  {
    ledger_id: text().notNull(),
    endpoint: text().notNull(),
    /** `received` (requests), `accepted`, `duplicate`, or `rejected:` or `ignored:` and the reason. */
    outcome: text().notNull(),
    count: integer().notNull(),
    last_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.endpoint, table.outcome] })],
)

/** The settings of a drop-in endpoint, by ledger. */
export const dropInSettings = sqliteTable(
  'drop_in_settings',
  {
    ledger_id: text().notNull(),
    endpoint: text().notNull(),
    /** JSON. */
    settings: text().notNull(),
    changed_at_ms: integer().notNull(),
    /**
     * The UTC day of the last change, in days since 1970, and the number of changes on that day, which is
     * limited.
     */
    day: integer().notNull(),
    changes: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.endpoint] })],
)

/**
 * Ledgers that reported a failed flush although D1 answered. The cron removes the row of a ledger that flushed after
 * `failed_at_ms`.
 */
export const flushFailures = sqliteTable('flush_failures', {
  ledger_id: text().primaryKey(),
  /** The time of the oldest commit that D1 does not have. */
  unflushed_since_ms: integer().notNull(),
  /** The number of consecutive failures of the flush. */
  failures: integer().notNull(),
  failed_at_ms: integer().notNull(),
})

/** The place where each scheduled job stopped. The next run continues there. */
export const sweeps = sqliteTable('sweeps', {
  /** The name of the job. */
  sweep: text().primaryKey(),
  /** The last customer or ledger that the job handled; empty to begin with the first. */
  after_customer_id: text().notNull(),
})

/**
 * The progress of late rating, by ledger: the last complete pass over the unrated events, and the pass under way, which
 * continues below `before_entry`.
 */
export const lateRatings = sqliteTable('late_ratings', {
  ledger_id: text().primaryKey(),
  /** `catalogue/operator epoch/customer epoch`: the prices of the last complete pass; empty before the first. */
  prices: text().notNull(),
  /** The pass examined every unrated event up to here. */
  entry: integer().notNull(),
  /** The number of events that it could not charge, for lack of credits. */
  unpaid: integer().notNull(),
  /** `ledgers.flushed_entry` when it began: credits that arrived since have a later entry. */
  flushed_entry: integer().notNull(),
  /** Is null when no pass is under way. */
  before_entry: integer(),
  /** JSON: the values of the four columns once the current pass is complete; null when no pass runs. */
  pass: text(),
})

/** CHECKING: the check continues at its next run. DIFFERENT: the differences could not be repaired. */
export const RECONCILIATION_STATUSES = ['OK', 'REPAIRED', 'DIFFERENT', 'CHECKING'] as const
export type ReconciliationStatus = (typeof RECONCILIATION_STATUSES)[number]

/** The last comparison of a ledger's object, pages and rollups, and the progress through its pages. */
export const reconciliations = sqliteTable(
  'reconciliations',
  {
    ledger_id: text().primaryKey(),
    status: text({ enum: RECONCILIATION_STATUSES }).notNull(),
    checked_at_ms: integer().notNull(),
    /** The time when a check began with the first page. */
    full_at_ms: integer().notNull(),
    /** The pages up to this entry are correct, and their sum is `usage`. */
    checked_entry: integer().notNull(),
    /** JSON, as `rollup_watermarks.totals`. */
    usage: text().notNull(),
    /** JSON: the differences found, at most 100. */
    differences: text().notNull(),
  },
  (table) => [
    // Indexes few rows. No indexed row is written every day.
    index('reconciliations_different').on(table.ledger_id).where(sql`${table.status} = 'DIFFERENT'`),
  ],
)

/**
 * WAITING: needs the operator's approval. REFUSED: cannot be applied. APPLIED and REJECTED are final, as is REPLACED: a
 * newer feed was applied.
 */
export const PRICE_FEED_STATUSES = ['APPLIED', 'WAITING', 'REFUSED', 'REJECTED', 'REPLACED'] as const
export type PriceFeedStatus = (typeof PRICE_FEED_STATUSES)[number]

/** Price feeds that differ from their predecessors, at most 100, each with the decision and its reason. */
export const priceFeeds = sqliteTable(
  'price_feeds',
  {
    feed_id: text().primaryKey(),
    /** SHA-256 of the bytes, or of the reason why no bytes exist. A repetition is counted in the same row. */
    content_hash: text().notNull(),
    status: text({ enum: PRICE_FEED_STATUSES }).notNull(),
    /** Is null for a feed that cannot be read. */
    version: integer(),
    /** JSON: why it was refused or waits, at most 100 texts. */
    reasons: text().notNull(),
    /** JSON: the prices to set and to end. */
    changes: text().notNull(),
    first_read_at_ms: integer().notNull(),
    last_read_at_ms: integer().notNull(),
  },
  (table) => [uniqueIndex('price_feeds_content').on(table.content_hash)],
)
