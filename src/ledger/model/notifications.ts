/**
 * Notifications: events of a ledger for its customer, numbered 1, 2, 3 … per ledger without gaps. A notification
 * is a record of the commit that causes it, so it exists exactly if the change does.
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
 * The `data` of a notification, as clients get it: amounts are numbers in credits, ids are public ids. A user or a team may
 * be named only by `user_id` and `team_id` at the top, where an erasure finds them, and a text of the customer is not
 * part of it.
 */
export interface NotificationData {
  readonly user_id?: string
  readonly team_id?: string
  readonly [name: string]: JsonValue | undefined
}

/** A notification without its number and time. */
export interface Notice {
  readonly type: NotificationType
  readonly data: NotificationData
}

/** A notification of a ledger. */
export interface Notification extends Notice {
  readonly sequence: number
  readonly at_ms: number
}

/** The limit of the data of one notification, in characters of JSON. */
export const MAX_NOTIFICATION_LENGTH = 4_096
