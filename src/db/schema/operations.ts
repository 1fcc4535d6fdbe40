import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { MODES } from './kinds.ts'

/** The records of requests, operators and the cron. */

/**
 * The stored answers to POST requests that no ledger handles, by idempotency key. A repeated request gets the same
 * answer.
 */
export const storedAnswers = sqliteTable(
  'stored_answers',
  {
    /** The owner of the key: a ledger's name, or `operator`. */
    owner: text().notNull(),
    idempotency_key: text().notNull(),
    fingerprint: text().notNull(),
    status: integer().notNull(),
    /** The exact body of the answer. An answer with a secret is encrypted. */
    body: text().notNull(),
    created_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.owner, table.idempotency_key] })],
)

/**
 * The changes with their author, time and IP address. Rows can only be added: hand-written triggers in the migration
 * reject updates and deletions. The key orders the rows of a customer by time; the index orders the rows of all
 * customers by time.
 */
export const auditLog = sqliteTable(
  'audit_log',
  {
    /** A customer's id, or `operator` for a change that concerns no customer. */
    scope: text().notNull(),
    /** The id of the record. Ids sort by time. */
    audit_id: text().notNull(),
    at_ms: integer().notNull(),
    /** The mode of the changed ledger or key; null if the change concerns no ledger or key. */
    mode: text({ enum: MODES }),
    /** The author of the change: a key's id, `operator`, `operator:EMAIL` (with Cloudflare Access) or `public`. */
    actor: text().notNull(),
    action: text().notNull(),
    /** The id of the changed object. */
    target: text().notNull(),
    ip: text(),
    request_id: text(),
    /** The states before and after the change, as JSON; null if no such state exists. */
    state_before: text(),
    state_after: text(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.audit_id] }),
    index('audit_log_time').on(table.audit_id),
  ],
)

/**
 * The sessions of the dashboard. Their tokens are in cookies. A session ends at its expiry, or earlier with its key.
 */
export const dashboardSessions = sqliteTable(
  'dashboard_sessions',
  {
    /** The SHA-256 hash of the token, in hex. */
    session_hash: text().primaryKey(),
    /**
     * The owner of the session: a key's id, `operator`, or `access:EMAIL` for an operator whom Cloudflare Access
     * authenticated.
     */
    owner: text().notNull(),
    /**
     * The HMAC-SHA-256 of the operator token, or of the configuration of Access, with the session's token as the key;
     * null for the session of an API key.
     */
    operator_mac: text(),
    created_at_ms: integer().notNull(),
    expires_at_ms: integer().notNull(),
  },
  (table) => [
    index('dashboard_sessions_owner').on(table.owner, table.created_at_ms),
    index('dashboard_sessions_end').on(table.expires_at_ms),
  ],
)

/**
 * The number of requests and events by hour and outcome, for the operator's alerts and cost estimates. Rows are kept
 * for 30 days.
 */
export const outcomeCounts = sqliteTable(
  'outcome_counts',
  {
    /** The beginning of the hour, UTC. */
    hour_ms: integer().notNull(),
    /**
     * The outcome: `ok`, `replayed` or a problem code. For a rejected event of a batch, it is `event:` followed by
     * the event's problem code. `work:changes` and `work:events` count successful changes and ingested events.
     */
    outcome: text().notNull(),
    count: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.hour_ms, table.outcome] })],
)

/** The payment figures of each ledger with payments, for the operator. Each ledger's object reports its figures. */
export const paymentFigures = sqliteTable(
  'payment_figures',
  {
    mode: text({ enum: MODES }).notNull(),
    ledger_id: text().notNull(),
    /** The number of payments by status. Failed payments are counted until they are deleted. */
    pending: integer().notNull(),
    succeeded: integer().notNull(),
    failed: integer().notNull(),
    action_required: integer().notNull(),
    refunded: integer().notNull(),
    disputed: integer().notNull(),
    /** The creation time of the oldest payment without a final outcome. */
    oldest_open_at_ms: integer(),
    /** The number of wallets with a paused top-up that would otherwise charge. */
    top_ups_paused: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.mode, table.ledger_id] })],
)

/**
 * The number of outcomes of the drop-in endpoints, by ledger. The set of outcomes is fixed, so the number of rows is
 * limited.
 */
export const dropInCounts = sqliteTable(
  'drop_in_counts',
  {
    ledger_id: text().notNull(),
    endpoint: text().notNull(),
    /**
     * The outcome: `received` (requests), `accepted` or `duplicate`, or `rejected:` or `ignored:` followed by the
     * reason.
     */
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
    /** The settings as JSON. */
    settings: text().notNull(),
    changed_at_ms: integer().notNull(),
    /**
     * The UTC day of the last change, in days since 1970, and the number of changes on that day. The number is
     * limited.
     */
    day: integer().notNull(),
    changes: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.endpoint] })],
)

/**
 * The ledgers that reported a failed flush although D1 was reachable. The cron removes the row of a ledger that
 * flushed after `failed_at_ms`, and rows older than a day.
 */
export const flushFailures = sqliteTable('flush_failures', {
  ledger_id: text().primaryKey(),
  /** The time of the oldest commit that is not in D1. */
  unflushed_since_ms: integer().notNull(),
  /** The number of consecutive failures of the flush. */
  failures: integer().notNull(),
  failed_at_ms: integer().notNull(),
})

/** The place where each scheduled job stopped. The next run of the job continues there. */
export const sweeps = sqliteTable('sweeps', {
  /** The name of the job. */
  sweep: text().primaryKey(),
  /** The last customer or ledger that the job handled; empty if the next run begins with the first one. */
  after_customer_id: text().notNull(),
})

/**
 * The progress of late rating, by ledger. It contains the last complete pass over the unrated events and the current
 * pass. The current pass continues below `before_entry`.
 */
export const lateRatings = sqliteTable('late_ratings', {
  ledger_id: text().primaryKey(),
  /**
   * The prices of the last complete pass, as `catalogue/operator epoch/customer epoch`; empty before the first pass.
   */
  prices: text().notNull(),
  /** The newest unrated entry when the last complete pass began. */
  entry: integer().notNull(),
  /** The number of events that the pass could not charge because the credits were insufficient. */
  unpaid: integer().notNull(),
  /**
   * The value of `ledgers.flushed_entry` when the pass began. Credits that arrived later have a higher entry number.
   */
  flushed_entry: integer().notNull(),
  /** The current pass continues below this entry; null if no pass runs. */
  before_entry: integer(),
  /**
   * The state of the current pass, as JSON; null if no pass runs. It contains the values that `prices`, `entry`,
   * `unpaid` and `flushed_entry` get when the pass is complete.
   */
  pass: text(),
})

/**
 * The results of a reconciliation. CHECKING: the check continues at its next run. DIFFERENT: the differences could
 * not be repaired.
 */
export const RECONCILIATION_STATUSES = ['OK', 'REPAIRED', 'DIFFERENT', 'CHECKING'] as const
export type ReconciliationStatus = (typeof RECONCILIATION_STATUSES)[number]

/** The last comparison of each ledger's object, pages and rollups, and the check's progress through the pages. */
export const reconciliations = sqliteTable(
  'reconciliations',
  {
    ledger_id: text().primaryKey(),
    status: text({ enum: RECONCILIATION_STATUSES }).notNull(),
    checked_at_ms: integer().notNull(),
    /** The time when a check last began with the first page. */
    full_at_ms: integer().notNull(),
    /** The last checked entry. The pages up to this entry are correct, and `usage` is their sum. */
    checked_entry: integer().notNull(),
    /** The sum of the checked pages, as JSON in the form of `rollup_watermarks.totals`. */
    usage: text().notNull(),
    /** The differences that were found, at most 100, as JSON. */
    differences: text().notNull(),
  },
  (table) => [
    // This index contains few rows. Rows that change every day are not in it.
    index('reconciliations_different').on(table.ledger_id).where(sql`${table.status} = 'DIFFERENT'`),
  ],
)

/**
 * The states of a price feed. WAITING: the operator must approve it. REFUSED: it cannot be applied. REPLACED: a newer
 * feed was applied. REJECTED and REPLACED are final.
 */
export const PRICE_FEED_STATUSES = ['APPLIED', 'WAITING', 'REFUSED', 'REJECTED', 'REPLACED'] as const
export type PriceFeedStatus = (typeof PRICE_FEED_STATUSES)[number]

/**
 * The last 100 price feeds that differ from their predecessors, and the applied feed. Each has the decision and its
 * reason.
 */
export const priceFeeds = sqliteTable(
  'price_feeds',
  {
    feed_id: text().primaryKey(),
    /**
     * The SHA-256 hash of the bytes and the signature, or of the error text if no bytes were received. A repeated
     * feed updates the same row.
     */
    content_hash: text().notNull(),
    status: text({ enum: PRICE_FEED_STATUSES }).notNull(),
    /** The version of the feed; null if the feed could not be read. */
    version: integer(),
    /** The reasons why the feed was refused or is waiting, at most 100 texts, as JSON. */
    reasons: text().notNull(),
    /** The prices to set and to end, as JSON. */
    changes: text().notNull(),
    first_read_at_ms: integer().notNull(),
    last_read_at_ms: integer().notNull(),
  },
  (table) => [uniqueIndex('price_feeds_content').on(table.content_hash)],
)
