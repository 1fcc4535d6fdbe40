import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** The addresses that get notifications. */
export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    /** The name of a ledger, or `operator`. */
    owner: text().notNull(),
    webhook_endpoint_id: text().notNull(),
    url: text().notNull(),
    /**
     * The origin of the deployment when the address was checked. The deployment never sends a message to
     * itself.
     */
    own_origin: text().notNull(),
    /** JSON: the types of notifications. */
    types: text().notNull(),
    description: text(),
    enabled: integer().notNull(),
    /** `gone` or `failing`; null while it is enabled, or if a request disabled it. */
    disabled_reason: text(),
    /** The first failed attempt since the last success. */
    failing_since_ms: integer(),
    /** The Ed25519 key that verifies `v1a` signatures; null without them. */
    public_key: text(),
    /** Until this time, a replaced signing key still signs. */
    previous_key_ends_at_ms: integer(),
    created_at_ms: integer().notNull(),
    /** Rises with every change by a request. */
    updated_at_ms: integer().notNull(),
    /** JSON of the signing keys, AES-256-GCM under the data key of the customer or of the operator. */
    sealed: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.owner, table.webhook_endpoint_id] })],
)

/** The outcome of each notification at each endpoint, kept for 30 days. The text of the message is not part of it. */
export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    owner: text().notNull(),
    /** The id begins with the time of the notification. */
    delivery_id: text().notNull(),
    webhook_endpoint_id: text().notNull(),
    notification_id: text().notNull(),
    /** The number of the ledger's notification; 0 for a test message. */
    sequence: integer().notNull(),
    type: text().notNull(),
    at_ms: integer().notNull(),
    status: text().notNull(),
    /** Attempts since the schedule began. */
    made: integer().notNull(),
    /** Is 1 while an attempt runs. */
    in_flight: integer().notNull(),
    /**
     * The time of the next attempt, or the time when the current attempt counts as lost; null unless the
     * delivery is pending.
     */
    due_at_ms: integer(),
    /** JSON: the newest attempts. The last column, because only statements about one delivery read it. */
    attempts: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.owner, table.delivery_id] }),
    // Indexes only pending deliveries. Most deliveries end with their first attempt and never enter the
    // index.
    index('webhook_deliveries_pending')
      .on(table.webhook_endpoint_id, table.in_flight, table.due_at_ms)
      .where(sql`${table.status} = 'pending'`),
  ],
)
