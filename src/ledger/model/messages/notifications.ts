import type { Notice, Notification } from '../notifications.ts'
import type { Refused } from '../refusal.ts'

export interface NotifyMessage {
  /** Identifies the event outside of the ledger: a repeat with the same id adds nothing. */
  readonly id: string
  readonly notice: Notice
}

export interface NotificationsMessage {
  /** The returned notifications have higher sequences than this one. */
  readonly after_sequence: number
  readonly limit: number
}

export interface NotificationsAnswer {
  /** The notifications that D1 may not have, oldest first and without a gap. */
  readonly notifications: readonly Notification[]
  /** D1 has every notification up to this one that is not too old. */
  readonly flushed_sequence: number
}

export type NotificationsResult = { readonly kind: 'done'; readonly answer: NotificationsAnswer } | Refused
