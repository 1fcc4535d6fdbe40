import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/**
 * The customers, with their API keys, data keys, provider keys, gateway routes and credit packs, and the prices that
 * override the catalogue.
 */

export const TIERS = ['STARTER', 'GROWTH', 'ENTERPRISE'] as const
export type Tier = (typeof TIERS)[number]

/** The states of a customer. PENDING: the registration has not issued its first key yet and can be repeated. */
export const CUSTOMER_STATUSES = ['PENDING', 'ACTIVE', 'SUSPENDED', 'CLOSED'] as const
export type CustomerStatus = (typeof CUSTOMER_STATUSES)[number]

export const MODES = ['live', 'test'] as const
export type Mode = (typeof MODES)[number]

export const customers = sqliteTable(
  'customers',
  {
    customer_id: text().primaryKey(),
    name: text().notNull(),
    /** The email address, with the same upper-case and lower-case letters as in the request. */
    email: text().notNull(),
    /** The email address in lower case; unique. */
    email_key: text().notNull(),
    tier: text({ enum: TIERS }).notNull(),
    status: text({ enum: CUSTOMER_STATUSES }).notNull(),
    region: text(),
    created_at_ms: integer().notNull(),
    /**
     * The revision of the tier and the status. Every change of either increases it, except the change from PENDING to
     * ACTIVE. Ledger objects accept only a newer revision.
     */
    account_revision: integer().notNull().default(1),
  },
  (table) => [
    uniqueIndex('customers_email_key').on(table.email_key),
    // The statistics for operators use this index to count customers.
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
    /** The SHA-256 hash of the whole key, in hex. The table never contains the key itself. */
    key_hash: text().notNull(),
    /** The scopes, separated by spaces. */
    scopes: text().notNull(),
    created_at_ms: integer().notNull(),
    expires_at_ms: integer(),
    /**
     * The time from which the key is rejected; null if the key was neither deleted nor rotated. It is in the future
     * while a rotated key and its successor are both valid.
     */
    revoked_at_ms: integer(),
    /** The time of the last use, precise to an hour: see `src/api-keys/authentication/lookup.ts`. */
    last_used_at_ms: integer(),
  },
  (table) => [
    uniqueIndex('api_keys_key_hash').on(table.key_hash),
    index('api_keys_customer').on(table.customer_id, table.key_id),
  ],
)

/**
 * The prices that override the catalogue's prices. The operator, the operator's price feed and each customer can set
 * them. Every row is one change of the prices of its scope. A row is never edited, except that a later change sets its
 * end. The `epoch` of the newest row identifies the current prices. Isolates compare it with the epoch of the prices in
 * memory. The primary key rejects a row whose epoch is already used. The request then loads the prices again and
 * retries.
 */
export const priceOverlays = sqliteTable(
  'price_overlays',
  {
    /** The scope of the prices: `operator`, or a customer's id. */
    scope: text().notNull(),
    /** The number of the change within the scope, counted from 1. */
    epoch: integer().notNull(),
    overlay_id: text().notNull(),
    /** The provider's id in the catalogue. */
    provider: text().notNull(),
    /** The model's name in lower case, or a prefix followed by `*`. */
    model: text().notNull(),
    /** The service tier that the price applies to; null for all tiers. */
    service_tier: text(),
    /**
     * The prices as JSON: `{units: {unit: {amount, per, tiers?}}}` or `{multiplier}`, and `{list}` for a price from the
     * operator's price feed. Amounts are decimal strings.
     */
    prices: text().notNull(),
    effective_from_ms: integer().notNull(),
    /** The end of the prices' validity, exclusive; null for no end. */
    effective_to_ms: integer(),
    created_at_ms: integer().notNull(),
    /** The author of the change: a key's id, `operator` or `feed`. */
    created_by: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.epoch] }),
    check('price_overlays_effective', sql`${table.effective_from_ms} < ${table.effective_to_ms}`),
  ],
)

/**
 * The data keys of customers and of the operator. A data key encrypts the secrets of one customer or of the operator.
 * Each row contains one data key, encrypted with one master key.
 */
export const dataKeys = sqliteTable(
  'data_keys',
  {
    customer_id: text().notNull(),
    /** An identifier of the master key that does not reveal the key. */
    master_id: text().notNull(),
    wrapped: text().notNull(),
    created_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.customer_id, table.master_id] })],
)

/** The provider keys, which the gateway sends to AI providers on behalf of a ledger. */
export const providerKeys = sqliteTable(
  'provider_keys',
  {
    ledger_id: text().notNull(),
    provider_key_id: text().notNull(),
    /** The provider's id in the catalogue. */
    provider: text().notNull(),
    name: text().notNull(),
    /** The base URL of the provider's API; null for the provider's default URL. */
    base_url: text(),
    /**
     * The provider key, encrypted with AES-256-GCM and the customer's data key. It can be decrypted only with the same
     * ledger, provider, id and base URL.
     */
    sealed: text().notNull(),
    /** The last characters of the key, at most four. A person can recognize the key by them. */
    last_four: text().notNull(),
    created_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.provider_key_id] })],
)

/**
 * The gateway routes of ledgers. A gateway route sets the fallback targets and timeouts of gateway calls to one API,
 * for one model, for all models with a prefix, or for all models.
 */
export const gatewayRoutes = sqliteTable(
  'gateway_routes',
  {
    ledger_id: text().notNull(),
    gateway_route_id: text().notNull(),
    name: text().notNull(),
    api: text().notNull(),
    /** The model's name, a prefix followed by `*`, or `*`. */
    model: text().notNull(),
    /** The settings as JSON: `targets`, `on_ambiguous` and the timeouts. */
    settings: text().notNull(),
    enabled: integer().notNull(),
    created_at_ms: integer().notNull(),
    /** The time of the last change. Every change increases it. */
    updated_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.gateway_route_id] })],
)

/** The credit packs that the end users of a ledger can buy, with their prices. */
export const creditPacks = sqliteTable(
  'credit_packs',
  {
    ledger_id: text().notNull(),
    credit_pack_id: text().notNull(),
    name: text().notNull(),
    credits_micro: integer().notNull(),
    price_cents: integer().notNull(),
    /** The number of days until the bought credits expire; null if they never expire. */
    expires_in_days: integer(),
    created_at_ms: integer().notNull(),
    /** The time of the last change. Every change increases it. */
    updated_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.credit_pack_id] })],
)
