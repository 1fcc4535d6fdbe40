import type { Notice, Notification } from '../notifications.ts'
import type { Refused } from '../refusal.ts'

export interface NotifyMessage {
  /** The id of the event outside the ledger. A repetition with the same id adds no notification. */
  readonly id: string
  readonly notice: Notice
}

export interface NotificationsMessage {
  /** The sequence number after which notifications are returned. */
  readonly after_sequence: number
  readonly limit: number
}

export interface NotificationsAnswer {
  /** The notifications that might be missing from D1, oldest first and without gaps. */
  readonly notifications: readonly Notification[]
  /** A sequence number. D1 has all notifications after `after_sequence` up to this number that are still kept. */
  readonly flushed_sequence: number
}

export type NotificationsResult = { readonly kind: 'done'; readonly answer: NotificationsAnswer } | Refused
