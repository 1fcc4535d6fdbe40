import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** The addresses that receive notifications. */
export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    /** The owner of the endpoint: the name of a ledger, or `operator`. */
    owner: text().notNull(),
    webhook_endpoint_id: text().notNull(),
    url: text().notNull(),
    /**
     * The origin of the deployment at the time when the address was checked. The deployment never sends a message to
     * this origin.
     */
    own_origin: text().notNull(),
    /** The types of notifications that the endpoint receives, as JSON. */
    types: text().notNull(),
    description: text(),
    enabled: integer().notNull(),
    /**
     * The reason why the endpoint was disabled: `gone` or `failing`. Null while the endpoint is enabled, and if a
     * request disabled it.
     */
    disabled_reason: text(),
    /** The time of the first failed attempt since the last success. */
    failing_since_ms: integer(),
    /** The Ed25519 public key that verifies `v1a` signatures; null without such signatures. */
    public_key: text(),
    /** The time until which messages are also signed with the replaced signing key. */
    previous_key_ends_at_ms: integer(),
    created_at_ms: integer().notNull(),
    /** The time of the last change by a request. Every such change increases it. */
    updated_at_ms: integer().notNull(),
    /** The signing keys as JSON, encrypted with AES-256-GCM under the data key of the customer or of the operator. */
    sealed: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.owner, table.webhook_endpoint_id] })],
)

/**
 * The outcome of each notification at each endpoint, kept for 30 days. The text of the message is not stored here.
 */
export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    owner: text().notNull(),
    /** The id of the delivery, which begins with the time of the notification. */
    delivery_id: text().notNull(),
    webhook_endpoint_id: text().notNull(),
    notification_id: text().notNull(),
    /** The number of the ledger's notification; 0 for a test message. */
    sequence: integer().notNull(),
    type: text().notNull(),
    at_ms: integer().notNull(),
    status: text().notNull(),
    /** The number of attempts since the schedule began. */
    made: integer().notNull(),
    /** A flag: 1 while an attempt runs. */
    in_flight: integer().notNull(),
    /**
     * The time of the next attempt; while an attempt runs, the time when the attempt counts as lost. Null unless the
     * delivery is pending.
     */
    due_at_ms: integer(),
    /** The newest attempts as JSON. This is the last column, because only statements about one delivery read it. */
    attempts: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.owner, table.delivery_id] }),
    // This index contains only pending deliveries. Most deliveries end with their first attempt and never enter the
    // index.
    index('webhook_deliveries_pending')
      .on(table.webhook_endpoint_id, table.in_flight, table.due_at_ms)
      .where(sql`${table.status} = 'pending'`),
  ],
)
