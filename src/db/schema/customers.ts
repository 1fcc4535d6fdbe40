import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { CUSTOMER_STATUSES, MODES, TIERS } from './kinds.ts'

/** The customers, their keys and their prices. */

export const customers = sqliteTable(
  'customers',
  {
    customer_id: text().primaryKey(),
    name: text().notNull(),
    /** The address, spelled like in the request. */
    email: text().notNull(),
    /** Lower case; unique. */
    email_key: text().notNull(),
    tier: text({ enum: TIERS }).notNull(),
    status: text({ enum: CUSTOMER_STATUSES }).notNull(),
    region: text(),
    created_at_ms: integer().notNull(),
    /** Rises with every change of tier and status: the ledger objects accept only a newer revision. */
    account_revision: integer().notNull().default(1),
  },
  (table) => [
    uniqueIndex('customers_email_key').on(table.email_key),
    // The index for the operator's counts.
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
    /** SHA-256 of the whole key, in hex. The key itself is never stored. */
    key_hash: text().notNull(),
    /** The scopes, separated by spaces. */
    scopes: text().notNull(),
    created_at_ms: integer().notNull(),
    expires_at_ms: integer(),
    /** The time from which the key is refused: in the future while a rotated key overlaps with its successor. */
    revoked_at_ms: integer(),
    /** Precise to an hour: see `src/api-keys/authentication/lookup.ts`. */
    last_used_at_ms: integer(),
  },
  (table) => [
    uniqueIndex('api_keys_key_hash').on(table.key_hash),
    index('api_keys_customer').on(table.customer_id, table.key_id),
  ],
)

/**
 * Prices that override the catalogue's: the operator's, and each customer's own. A row is never edited, except that its
 * successor closes it. Every row is one change of its scope, so the newest row's `epoch` states which prices an isolate
 * must know. The primary key lets only one of two concurrent changes succeed.
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
    /** A name in lower case, or a prefix followed by `*`. */
    model: text().notNull(),
    /** The service tier that the price applies to; null for all. */
    service_tier: text(),
    /** JSON: `{units: {unit: {amount, per, tiers?}}}` or `{multiplier}`, amounts as decimal strings. */
    prices: text().notNull(),
    effective_from_ms: integer().notNull(),
    /** The end of its validity, exclusive; null for no end. */
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

/** The data key of a customer, which encrypts its secrets. Each row has it encrypted under one master key. */
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

/** The keys of AI providers that ledgers use through the gateway. */
export const providerKeys = sqliteTable(
  'provider_keys',
  {
    ledger_id: text().notNull(),
    provider_key_id: text().notNull(),
    /** The catalogue's id. */
    provider: text().notNull(),
    name: text().notNull(),
    /** Is null for the provider's usual address. */
    base_url: text(),
    /** AES-256-GCM under the customer's data key, bound to ledger, provider, id and address. */
    sealed: text().notNull(),
    /** The last characters of the key, at most four, to recognise it. */
    last_four: text().notNull(),
    created_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.provider_key_id] })],
)

/** The fallbacks of calls through the gateway, by API and model. */
export const gatewayRoutes = sqliteTable(
  'gateway_routes',
  {
    ledger_id: text().notNull(),
    gateway_route_id: text().notNull(),
    name: text().notNull(),
    api: text().notNull(),
    /** A name, a prefix followed by `*`, or `*`. */
    model: text().notNull(),
    /** JSON: targets, on_ambiguous and timeouts. */
    settings: text().notNull(),
    enabled: integer().notNull(),
    created_at_ms: integer().notNull(),
    /** Rises with every change. */
    updated_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.gateway_route_id] })],
)

/** The credits that a ledger's customers can buy, and their price. */
export const creditPacks = sqliteTable(
  'credit_packs',
  {
    ledger_id: text().notNull(),
    credit_pack_id: text().notNull(),
    name: text().notNull(),
    credits_micro: integer().notNull(),
    price_cents: integer().notNull(),
    /** The lifetime of bought credits; null for no end. */
    expires_in_days: integer(),
    created_at_ms: integer().notNull(),
    /** Rises with every change. */
    updated_at_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.ledger_id, table.credit_pack_id] })],
)
