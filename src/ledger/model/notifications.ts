import { CREDIT_DECIMALS, formatCredits, formatDecimal, microCredits } from '../../pricing/money.ts'
import type { WalletOwner } from './vocabulary.ts'

/**
 * Defines the notifications with which a ledger reports events to its customer. Each ledger numbers them 1, 2, 3 …
 * without gaps. A notification is part of the commit that causes it, so it exists if and only if the change was
 * committed.
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
 * The `data` of a notification, as clients receive it. Amounts of credits are numbers, and ids are public ids. Users
 * and teams must appear only in `user_id` and `team_id` at the top level, because the flush replaces ids with numbers
 * only in these two fields. In other fields, an erased id would remain in D1. Free text of the customer is not
 * included.
 */
export interface NotificationData {
  readonly user_id?: string
  readonly team_id?: string
  readonly [name: string]: JsonValue | undefined
}

/**
 * Converts micro-credits to a number of credits for the data of a notification. JSON shows the exact amount, because
 * doubles up to 8e9 are less than 1e-6 apart.
 */
export function creditsOf(amount_micro: number): number {
  return Number(formatCredits(microCredits(amount_micro)))
}

/**
 * Converts the sum of amounts of micro-credits to a number of credits. The sum can exceed the largest balance: if no
 * request or alarm reaches a wallet for a month, it settles a month of daily grants in one commit. Above 8e9 credits,
 * the number is the double that is nearest to the sum.
 */
export function creditsOfSum(amounts_micro: readonly number[]): number {
  const sum = amounts_micro.reduce((total, amount) => total + BigInt(amount), 0n)
  return Number(formatDecimal(sum, CREDIT_DECIMALS))
}

/** Returns the field that names the owner of a wallet. Returns no field for the customer. */
export function ownerFields(owner: WalletOwner): Pick<NotificationData, 'user_id' | 'team_id'> {
  if (owner.kind === 'customer') return {}
  return owner.kind === 'user' ? { user_id: owner.id } : { team_id: owner.id }
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
