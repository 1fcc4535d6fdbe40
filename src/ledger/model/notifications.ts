/**
 * Notifications: events that a ledger reports to its customer. Each ledger numbers them 1, 2, 3 … without gaps. A
 * notification is part of the commit that causes it, so it exists if and only if the change was committed.
 */

export const NOTIFICATION_TYPES = [
  'credits.granted',
  'credits.purchased',
  'credits.refunded',
  'credits.expired',
  'credits.lot_expiring',
  'credits.low',
  'credits.exhausted',
  'limit.threshold',
  'limit.reached',
  'hold.expired',
  'event.unrated',
  'event.rated',
  'spend.above',
  'runway.below',
  'top_up.succeeded',
  'top_up.failed',
  'top_up.action_required',
  'top_up.paused',
  'payment.refunded',
  'payment.disputed',
  'api_key.created',
  'api_key.deleted',
  'customer.suspended',
  'ledger.checkpoint',
  'webhook_endpoint.disabled',
] as const
export type NotificationType = (typeof NOTIFICATION_TYPES)[number]

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue }

/**
 * The `data` of a notification, as clients receive it. Amounts are numbers in credits, and ids are public ids. Users
 * and teams may appear only in `user_id` and `team_id` at the top level, because an erasure searches only there. Free
 * text of the customer is not included.
 */
export interface NotificationData {
  readonly user_id?: string
  readonly team_id?: string
  readonly [name: string]: JsonValue | undefined
}

/** A notification without its sequence number and time. */
export interface Notice {
  readonly type: NotificationType
  readonly data: NotificationData
}

/** A notification of a ledger. */
export interface Notification extends Notice {
  readonly sequence: number
  readonly at_ms: number
}

/** The maximum length of the data of one notification, in characters of JSON. */
export const MAX_NOTIFICATION_LENGTH = 4_096
