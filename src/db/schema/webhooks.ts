import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** The webhook endpoints: the addresses that receive notifications. */
export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    /** The owner of the endpoint: the name of a ledger, or `operator`. */
    owner: text().notNull(),
    webhook_endpoint_id: text().notNull(),
    url: text().notNull(),
    /** The origin of this deployment in the last request that set `url`. No message is sent to this origin. */
    own_origin: text().notNull(),
    /** The types of notifications that the endpoint receives, as JSON. */
    types: text().notNull(),
    description: text(),
    enabled: integer().notNull(),
    /**
     * The reason why the system disabled the endpoint: `gone` or `failing`. Null if the endpoint is enabled or was
     * disabled by a request.
     */
    disabled_reason: text(),
    /**
     * The time of the first failed attempt since the last successful one, or since the endpoint was enabled; null if no
     * attempt has failed since then.
     */
    failing_since_ms: integer(),
    /**
     * The Ed25519 public key that verifies `v1a` signatures; null if the endpoint's messages have no `v1a` signature.
     */
    public_key: text(),
    /** The time until which messages are also signed with the previous signing key. */
    previous_key_ends_at_ms: integer(),
    created_at_ms: integer().notNull(),
    /**
     * The time of the last change by a request, or of the last time when the system disabled the endpoint. Each of
     * these changes increases it.
     */
    updated_at_ms: integer().notNull(),
    /** The signing keys as JSON, encrypted with AES-256-GCM under the data key of the customer or of the operator. */
    sealed: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.owner, table.webhook_endpoint_id] })],
)

/**
 * The webhook deliveries: one row for each notification and endpoint, kept for 30 days. A pending delivery is kept
 * until it ends. The text of the message is not stored in this table.
 */
export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    owner: text().notNull(),
    /** The id of the delivery, which begins with the time of the notification. */
    delivery_id: text().notNull(),
    webhook_endpoint_id: text().notNull(),
    notification_id: text().notNull(),
    /** The sequence number of the notification in its ledger; 0 for a test message. */
    sequence: integer().notNull(),
    type: text().notNull(),
    at_ms: integer().notNull(),
    status: text().notNull(),
    /** The number of attempts since the retry schedule began. A replay of the delivery starts a new schedule. */
    made: integer().notNull(),
    /** A flag: 1 while an attempt runs. */
    in_flight: integer().notNull(),
    /**
     * The time of the next attempt. While an attempt runs, it is the time after which the attempt is considered lost.
     * Null if the delivery is not pending.
     */
    due_at_ms: integer(),
    /**
     * The newest attempts, as JSON. The column is the last one, so that SQLite does not read it for statements that do
     * not need it.
     */
    attempts: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.owner, table.delivery_id] }),
    // This index contains only pending deliveries. Most deliveries are complete after their first attempt and are never
    // added to the index.
    index('webhook_deliveries_pending')
      .on(table.webhook_endpoint_id, table.in_flight, table.due_at_ms)
      .where(sql`${table.status} = 'pending'`),
  ],
)
