import type { Notice, Notification } from '../notifications.ts'
import type { Refused } from '../refusal.ts'

export interface NotifyMessage {
  /** The id of the event outside the ledger. A repetition within the idempotency window adds no notification. */
  readonly id: string
  readonly notice: Notice
}

export interface NotificationsMessage {
  /** The sequence number after which notifications are returned. */
  readonly after_sequence: number
  readonly limit: number
}

export interface NotificationsAnswer {
  /** The unflushed notifications, oldest first and without gaps. */
  readonly notifications: readonly Notification[]
  /**
   * The sequence number up to which D1 has the notifications after `after_sequence`, except deleted ones.
   */
  readonly flushed_sequence: number
}

export type NotificationsResult = { readonly kind: 'done'; readonly answer: NotificationsAnswer } | Refused
