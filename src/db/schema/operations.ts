import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { MODES } from './customers.ts'

/** The tables for requests, operators and scheduled jobs. */

/**
 * The stored responses to POST requests, by idempotency key. A repeated request gets the stored response. If a ledger
 * object receives the idempotency key of a request, the object stores the response, and this table does not contain it.
 */
export const storedAnswers = sqliteTable(
  'stored_answers',
  {
    /** The owner of the idempotency key: a ledger's name, or `operator`. */
    owner: text().notNull(),
    idempotency_key: text().notNull(),
    fingerprint: text().notNull(),
    status: integer().notNull(),
    /** The exact bytes of the response body. A body that contains a secret is encrypted. */
    body: text().notNull(),
    created_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.owner, table.idempotency_key] })],
)

/**
 * The audit log: the changes that `AUDIT_ACTIONS` lists, each with its author, its time and, if known, the IP address.
 * Rows can only be added: triggers in the migration, which are written by hand, reject updates and deletions. The
 * primary key orders the rows of one customer by time. The index orders the rows of all customers by time.
 */
export const auditLog = sqliteTable(
  'audit_log',
  {
    /** A customer's id, or `operator` for a change that concerns no customer. */
    scope: text().notNull(),
    /** The id of the record. The order of the ids is the order of the records' times. */
    audit_id: text().notNull(),
    at_ms: integer().notNull(),
    /** The mode of the changed ledger or API key; null if the change concerns neither a ledger nor an API key. */
    mode: text({ enum: MODES }),
    /** The author of the change: a key's id, `operator`, `operator:EMAIL` (with Cloudflare Access) or `public`. */
    actor: text().notNull(),
    action: text().notNull(),
    /** The id of the changed object. */
    target: text().notNull(),
    ip: text(),
    request_id: text(),
    /** The recorded state of the changed object before and after the change, as JSON; null if no state is recorded. */
    state_before: text(),
    state_after: text(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.audit_id] }),
    index('audit_log_time').on(table.audit_id),
  ],
)

/**
 * The sessions of the dashboard. The browser stores the token of a session in a cookie. A session ends when it expires
 * or its row is deleted, when its API key or operator token becomes invalid, or when the configuration of Cloudflare
 * Access changes.
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
     * The HMAC-SHA-256 of the operator token, or of the configuration of Cloudflare Access. The HMAC key is the token
     * of the session. Null for the session of an API key.
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
 * The number of requests and events by hour and outcome. Alerts and cost estimates for operators use these numbers.
 * Rows are kept for 30 days.
 */
export const outcomeCounts = sqliteTable(
  'outcome_counts',
  {
    /** The beginning of the hour, UTC. */
    hour_ms: integer().notNull(),
    /**
     * The counted outcome. For a request, it is `ok`, `replayed` or a problem code. For a rejected event of a batch or
     * of a drop-in request, it is `event:` followed by the reason. The row `work:changes` counts successful requests
     * whose method can make changes. The row `work:events` counts the events that `POST /v1/events/ingest` accepted.
     */
    outcome: text().notNull(),
    count: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.hour_ms, table.outcome] })],
)

/**
 * The payment figures of each ledger that has payments. The statistics for operators add them up. Each ledger object
 * reports its own figures.
 */
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
    /** The creation time of the oldest payment without an outcome; null if every payment has one. */
    oldest_open_at_ms: integer(),
    /** The number of paused automatic top-ups that will be tried again at a known time. */
    top_ups_paused: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.mode, table.ledger_id] })],
)

/**
 * The number of requests and items of the drop-in endpoints, by ledger, endpoint and outcome. The number of rows of a
 * ledger is limited, because the set of outcomes is fixed.
 */
export const dropInCounts = sqliteTable(
  'drop_in_counts',
  {
    ledger_id: text().notNull(),
    endpoint: text().notNull(),
    /**
     * The counted outcome: `received` for a request. For an item of a request, it is `accepted`, `duplicate`, or
     * `rejected:` or `ignored:` followed by the reason.
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
     * `day` is the UTC day of the last change, in days since 1970. `changes` is the number of changes on this day,
     * which is limited.
     */
    day: integer().notNull(),
    changes: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.endpoint] })],
)

/**
 * The ledgers that reported a failed flush while D1 was reachable. The row of a ledger is deleted after its next
 * successful flush, or after a day.
 */
export const flushFailures = sqliteTable('flush_failures', {
  ledger_id: text().primaryKey(),
  /** The time of the oldest commit that is not in D1. */
  unflushed_since_ms: integer().notNull(),
  /** The number of consecutive failed flushes. */
  failures: integer().notNull(),
  failed_at_ms: integer().notNull(),
})

/** The saved positions of scheduled jobs. The next run of a job continues at its position. */
export const sweeps = sqliteTable('sweeps', {
  /** The name of the job. */
  sweep: text().primaryKey(),
  /**
   * The saved position, for example the last customer or ledger that the job handled; empty if the next run begins at
   * the start.
   */
  after_customer_id: text().notNull(),
})

/**
 * The progress of late rating, by ledger. A pass goes through the unrated events of a ledger, newest first. Each row
 * describes the last complete pass and the current pass.
 */
export const lateRatings = sqliteTable('late_ratings', {
  ledger_id: text().primaryKey(),
  /**
   * The version of the prices in the last complete pass, as `catalogue version/operator epoch/customer epoch`; empty if
   * no pass is complete yet.
   */
  prices: text().notNull(),
  /** The number of the newest unrated entry when the last complete pass began. */
  entry: integer().notNull(),
  /** The number of events that the last complete pass could not charge, for example because of insufficient credits. */
  unpaid: integer().notNull(),
  /**
   * The value of `ledgers.flushed_entry` when the last complete pass began. Credits that were granted later have a
   * higher entry number.
   */
  flushed_entry: integer().notNull(),
  /** The number of the entry below which the current pass continues; null if no pass runs. */
  before_entry: integer(),
  /**
   * The state of the current pass, as JSON; null if no pass runs. When the pass is complete, its values are written to
   * `prices`, `entry`, `unpaid` and `flushed_entry`.
   */
  pass: text(),
})

/**
 * The results of a reconciliation. CHECKING: the next run continues the check. DIFFERENT: some differences could not be
 * repaired.
 */
export const RECONCILIATION_STATUSES = ['OK', 'REPAIRED', 'DIFFERENT', 'CHECKING'] as const
export type ReconciliationStatus = (typeof RECONCILIATION_STATUSES)[number]

/**
 * The reconciliation of each ledger, which compares the ledger object, the pages and the rollups. Each row has the
 * result of the last check and the last checked entry.
 */
export const reconciliations = sqliteTable(
  'reconciliations',
  {
    ledger_id: text().primaryKey(),
    status: text({ enum: RECONCILIATION_STATUSES }).notNull(),
    checked_at_ms: integer().notNull(),
    /** The time of the last call that was part of a check of all pages. */
    full_at_ms: integer().notNull(),
    /** The number of the last checked entry. The pages up to this entry are correct, and `usage` is their sum. */
    checked_entry: integer().notNull(),
    /** The sum of the usage in the checked pages, as JSON in the format of `rollup_watermarks.totals`. */
    usage: text().notNull(),
    /** The differences that were found, at most 100, as JSON. */
    differences: text().notNull(),
  },
  (table) => [
    // This index contains only ledgers with differences, which are few. The daily updates of all other rows do not
    // write to the index.
    index('reconciliations_different').on(table.ledger_id).where(sql`${table.status} = 'DIFFERENT'`),
  ],
)

/**
 * The states of a price feed. WAITING: an operator must approve the feed. REFUSED: the feed cannot be applied.
 * REJECTED: an operator rejected the feed. REPLACED: a newer feed was applied. REJECTED and REPLACED are final.
 */
export const PRICE_FEED_STATUSES = ['APPLIED', 'WAITING', 'REFUSED', 'REJECTED', 'REPLACED'] as const
export type PriceFeedStatus = (typeof PRICE_FEED_STATUSES)[number]

/**
 * The applied price feed and the last 100 price feeds. Each row has the decision about the feed and its reasons. A feed
 * that was received again has no second row.
 */
export const priceFeeds = sqliteTable(
  'price_feeds',
  {
    feed_id: text().primaryKey(),
    /**
     * The SHA-256 hash of the feed's bytes and signature, or of the error text if no bytes were received. If the same
     * feed is received again, its row is updated, or replaced if the feed was refused and the decision has changed.
     */
    content_hash: text().notNull(),
    status: text({ enum: PRICE_FEED_STATUSES }).notNull(),
    /** The version number in the feed; null if the feed could not be read. */
    version: integer(),
    /** The reasons why the feed was refused or is waiting, at most 100 texts, as JSON. */
    reasons: text().notNull(),
    /** The prices that the feed sets and the prices that it ends, as JSON. */
    changes: text().notNull(),
    first_read_at_ms: integer().notNull(),
    last_read_at_ms: integer().notNull(),
  },
  (table) => [uniqueIndex('price_feeds_content').on(table.content_hash)],
)
