import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/**
 * D1: identity (customers and keys) and the projection of the ledgers. `docs/storage-schema.md` says who writes
 * each table and what a row costs. Times are epoch milliseconds.
 */

export const TIERS = ['STARTER', 'GROWTH', 'ENTERPRISE'] as const
export type Tier = (typeof TIERS)[number]

/** PENDING: a registration that has not given out its first key yet; it can be repeated. */
export const CUSTOMER_STATUSES = ['PENDING', 'ACTIVE', 'SUSPENDED', 'CLOSED'] as const
export type CustomerStatus = (typeof CUSTOMER_STATUSES)[number]

export const MODES = ['live', 'test'] as const
export type Mode = (typeof MODES)[number]

export const SUBJECT_KINDS = ['user', 'team'] as const
export type SubjectKind = (typeof SUBJECT_KINDS)[number]

export const customers = sqliteTable(
  'customers',
  {
    customer_id: text().primaryKey(),
    name: text().notNull(),
    /** As the customer wrote it. */
    email: text().notNull(),
    /** Lower case: what is unique. */
    email_key: text().notNull(),
    tier: text({ enum: TIERS }).notNull(),
    status: text({ enum: CUSTOMER_STATUSES }).notNull(),
    region: text(),
    created_at_ms: integer().notNull(),
    /** Rises with every change of tier and status: the ledger objects take only what is newer than what they have. */
    account_revision: integer().notNull().default(1),
  },
  (table) => [
    uniqueIndex('customers_email_key').on(table.email_key),
    // What an operator counts by.
    index('customers_status_tier').on(table.status, table.tier),
  ],
)

export const apiKeys = sqliteTable(
  'api_keys',
  {
    key_id: text().primaryKey(),
    customer_id: text()
      .notNull()
      .references(() => customers.customer_id),
    mode: text({ enum: MODES }).notNull(),
    name: text().notNull(),
    /** SHA-256 of the whole key, hex. The key itself is stored nowhere. */
    key_hash: text().notNull(),
    /** The scopes, separated by spaces. */
    scopes: text().notNull(),
    created_at_ms: integer().notNull(),
    expires_at_ms: integer(),
    /** From when on the key is refused: ahead of now while a rotated key overlaps with its successor. */
    revoked_at_ms: integer(),
    /** Within an hour: see `src/customers/last-used.ts`. */
    last_used_at_ms: integer(),
  },
  (table) => [
    uniqueIndex('api_keys_key_hash').on(table.key_hash),
    index('api_keys_customer').on(table.customer_id, table.key_id),
  ],
)

/** How far each ledger's journal has come into D1: the guard that makes a flush exactly-once in effect. */
export const ledgers = sqliteTable('ledgers', {
  ledger_id: text().primaryKey(),
  /** The last journal row that D1 has. */
  flushed_row: integer().notNull(),
  /** The last entry that D1 has. */
  flushed_entry: integer().notNull(),
  flushed_at_ms: integer().notNull(),
  /** How many events had no price at the last flush: those to look at when prices come. */
  unrated: integer().notNull().default(0),
})

/**
 * A run of one wallet's entries, as one flush found them. `flush_entry` is the first entry number of the flush, so
 * the pages of a flush stand together and flushes follow each other without a gap.
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
    /** The earliest time by which a list shows one of its entries: an event's own, or when an entry took effect. */
    oldest_ms: integer().notNull(),
    /**
     * What the page's entries add to analytics (`src/projection/usage/delta.ts`), summed: a void counts -1 event. USD are
     * whole 1e-6 USD and a rest in 1e-12 of the same sign. They stand before the body, so that to sum pages reads no body.
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
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.flush_entry, table.wallet_number] }),
    index('ledger_pages_wallet').on(table.ledger_id, table.wallet_number, table.flush_entry),
    // Of pages with something that is older than its commit by an hour: few, and no row for any other page.
    index('ledger_pages_late')
      .on(table.ledger_id, table.flush_entry)
      .where(sql`${table.oldest_ms} < ${table.first_at_ms} - 3600000`),
    check('ledger_pages_entries', sql`${table.first_entry} <= ${table.last_entry}`),
  ],
)

/**
 * A customer's users and teams. Pages name them by number, so erasing a person is blanking this row. The row and its
 * number stay: a number is never given to anybody else.
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

/** Whose wallet a number is. */
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

/**
 * Prices that stand over the catalogue's: the operator's, and each customer's own. A row is never edited, except that
 * its successor closes it. Every row is one change of its scope, so the newest row's `epoch` says which prices an
 * isolate must know, and the primary key lets only one of two concurrent changes be the next.
 */
export const priceOverlays = sqliteTable(
  'price_overlays',
  {
    /** `operator`, or a customer's id. */
    scope: text().notNull(),
    /** 1, 2, 3 … within the scope. */
    epoch: integer().notNull(),
    overlay_id: text().notNull(),
    /** The catalogue's id. */
    provider: text().notNull(),
    /** In lower case; a name, or its beginning and `*`. */
    model: text().notNull(),
    /** The only service tier that it is for; null for all. */
    service_tier: text(),
    /** JSON: `{units: {unit: {amount, per, tiers?}}}` or `{multiplier}`, amounts as decimal strings. */
    prices: text().notNull(),
    effective_from_ms: integer().notNull(),
    /** The first moment at which it no longer holds; null while it has no end. */
    effective_to_ms: integer(),
    created_at_ms: integer().notNull(),
    /** A key's id, or `operator`. */
    created_by: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.epoch] }),
    check('price_overlays_effective', sql`${table.effective_from_ms} < ${table.effective_to_ms}`),
  ],
)

/** What a POST that no ledger answers was answered with, by its idempotency key, so that a repeat gets the same. */
export const storedAnswers = sqliteTable(
  'stored_answers',
  {
    /** Whose key it is: a ledger's name, or `operator`. */
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

/** Holds that are closed. Open ones are only in the ledger object. */
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

/**
 * Who changed what, when and from where. Rows are only ever added: triggers, written by hand in the migration, refuse
 * everything else. A customer's rows stand together, newest last; the index has those of all customers in their order.
 */
export const auditLog = sqliteTable(
  'audit_log',
  {
    /** A customer's id, or `operator` for what is of no customer. */
    scope: text().notNull(),
    /** Sorts by time. */
    audit_id: text().notNull(),
    at_ms: integer().notNull(),
    /** Of the ledger or the key that changed; null where there is none. */
    mode: text({ enum: MODES }),
    /** A key's id, `operator` or `public`. */
    actor: text().notNull(),
    action: text().notNull(),
    /** The id of what was changed. */
    target: text().notNull(),
    ip: text(),
    request_id: text(),
    /** JSON; null where there was, or is, nothing. */
    state_before: text(),
    state_after: text(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.audit_id] }),
    index('audit_log_time').on(table.audit_id),
  ],
)

/** How many requests ended how, by hour: what an operator's alerts look at. Kept for 30 days. */
export const outcomeCounts = sqliteTable(
  'outcome_counts',
  {
    /** When the hour begins, UTC. */
    hour_ms: integer().notNull(),
    /** `ok`, `replayed`, a problem code, or `event:` and the code that an event of a batch was rejected with. */
    outcome: text().notNull(),
    count: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.hour_ms, table.outcome] })],
)

/**
 * Ledgers that could not bring D1 up to date though D1 answered them, as they said themselves. One whose flush succeeded
 * after `failed_at_ms` is cured; the cron removes its row.
 */
export const flushFailures = sqliteTable('flush_failures', {
  ledger_id: text().primaryKey(),
  /** When the oldest commit was made that D1 does not have. */
  unflushed_since_ms: integer().notNull(),
  /** How often in a row the flush has failed. */
  failures: integer().notNull(),
  failed_at_ms: integer().notNull(),
})

/** Where the cron has come to in what it goes round and round over. */
export const sweeps = sqliteTable('sweeps', {
  sweep: text().primaryKey(),
  /** The last customer that it looked at; the next run goes on after it. */
  after_customer_id: text().notNull(),
})

/** Of the rollups of a ledger: those that are read and kept up to date, those that a rebuild makes, those it replaced. */
export const ROLLUP_STATES = ['active', 'building', 'retired'] as const
export type RollupState = (typeof ROLLUP_STATES)[number]

/**
 * How far the usage of each ledger is rolled up, by generation: a rebuild makes a new one beside that which is read.
 * `version` guards a generation's rows: whoever writes some raises it in the same batch, and writes only if it stands
 * where it was read.
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
    /** Whatever was committed before this is among them. */
    as_of_ms: integer().notNull(),
    /** JSON: the sums of all that was ever rolled up. */
    totals: text().notNull(),
    /** JSON: the part of `totals` that was in days which are deleted since. */
    expired: text().notNull(),
    /** When the generation came to its state. */
    state_at_ms: integer().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.generation] }),
    // Of few rows, and never those that every batch of messages writes.
    index('rollup_watermarks_unfinished')
      .on(table.state, table.ledger_id)
      .where(sql`${table.state} <> 'active'`),
  ],
)

/**
 * The usage of a ledger and UTC day, packed (`src/projection/usage/pack-cells.ts`). A row that has grown large is
 * closed and the next part begun, so a cell may stand in several parts: readers add.
 */
export const rollupDays = sqliteTable(
  'rollup_days',
  {
    ledger_id: text().notNull(),
    generation: integer().notNull(),
    /** Whole days since 1970. */
    day: integer().notNull(),
    part: integer().notNull(),
    /** JSON, smallest first: what is not asked for is not read. By day; by hour; by hour and team. */
    by_day: text().notNull(),
    by_hour: text().notNull(),
    /** Null when no cell has a team: then it is what `by_hour` is. */
    by_team: text(),
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
    /** The user's number by 1,024, whole; 0 also without a user. */
    bucket: integer().notNull(),
    part: integer().notNull(),
    cells: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.ledger_id, table.generation, table.day, table.bucket, table.part] }),
  ],
)

/** CHECKING: not looked at to the end yet. DIFFERENT: what was found could not be mended. */
export const RECONCILIATION_STATUSES = ['OK', 'REPAIRED', 'DIFFERENT', 'CHECKING'] as const
export type ReconciliationStatus = (typeof RECONCILIATION_STATUSES)[number]

/** The last time a ledger's object, pages and rollups were compared, and how far its pages have been looked at. */
export const reconciliations = sqliteTable(
  'reconciliations',
  {
    ledger_id: text().primaryKey(),
    status: text({ enum: RECONCILIATION_STATUSES }).notNull(),
    checked_at_ms: integer().notNull(),
    /** When a check began with the first page. */
    full_at_ms: integer().notNull(),
    /** The pages up to this entry are as they should be, and sum up to `usage`. */
    checked_entry: integer().notNull(),
    /** JSON, as `rollup_watermarks.totals`. */
    usage: text().notNull(),
    /** JSON: what was found, at most 100. */
    differences: text().notNull(),
  },
  (table) => [
    // Few rows, none of them those that are written every day.
    index('reconciliations_different').on(table.ledger_id).where(sql`${table.status} = 'DIFFERENT'`),
  ],
)

/** Messages that could not be consumed. Replayed ones are kept for 30 days. */
export const deadLetters = sqliteTable(
  'dead_letters',
  {
    /** Sorts by the time at which the message was sent, and is the same for each delivery of it. */
    dead_letter_id: text().primaryKey(),
    state: text({ enum: ['open', 'replayed'] }).notNull(),
    reason: text().notNull(),
    /** How often it was tried: by the queue, and by replays. */
    attempts: integer().notNull(),
    sent_at_ms: integer().notNull(),
    failed_at_ms: integer().notNull(),
    replayed_at_ms: integer(),
    /** 1: `body` is only the beginning, and cannot be replayed. */
    truncated: integer().notNull(),
    /** JSON. */
    body: text().notNull(),
  },
  (table) => [index('dead_letters_state').on(table.state, table.dead_letter_id)],
)
