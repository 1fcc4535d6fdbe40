import type { AuditRecord } from '../../audit/record.ts'
import type { MicroCredits, UsdParts } from '../../pricing/money.ts'
import type { Usage } from '../../pricing/usage.ts'
import type { Alert } from './alerts.ts'
import type { BatchAnswer, CaptureAnswer, CheckAnswer, HoldAnswer, MovementAnswer } from './answers.ts'
import type { JsonText } from './json.ts'
import type { Counted, Entitlement } from './limits.ts'
import type { LotPart } from './lots.ts'
import type { Notification } from './notifications.ts'
import type { EventType, Idempotency, LotKind, RatedFields, WalletOwner } from './vocabulary.ts'
import type { HoldState } from './wallet.ts'

/**
 * The journal is the ledger's record of commits, and also the outbox to D1. This file defines the records as the code
 * uses them. `packing.ts` and `packed-entry.ts` define their stored form.
 */

export const ENTRY_TYPES = [
  'PURCHASE',
  'GRANT',
  'BURN',
  'REFUND',
  'VOID',
  'EXPIRATION',
  'TRANSFER',
  'ADJUSTMENT',
] as const
export type EntryType = (typeof ENTRY_TYPES)[number]

/** An entry of the ledger. Entries are numbered 1, 2, 3 … across all wallets of a ledger. */
export interface Entry {
  readonly kind: 'entry'
  readonly number: number
  readonly type: EntryType
  readonly wallet: number
  /** The owner of the wallet. Present only on the wallet's first entry. */
  readonly owner?: WalletOwner
  /** The commit time. It is never earlier than the commit time of the previous entry. */
  readonly at_ms: number
  /**
   * The time at which the entry took effect, if it is earlier than the commit time. For example, an expiration can be
   * applied late.
   */
  readonly effective_at_ms?: number
  readonly amount: MicroCredits
  readonly balance_after: MicroCredits
  readonly lots: readonly LotPart[]
  /**
   * The lots that the entry created. A purchase or a grant creates one lot. The receiving entry of a transfer creates
   * one or more lots. Other entries create at most one lot.
   */
  readonly new_lots?: readonly NewLot[]
  readonly event?: EventRecord
  /** The usage of a burn that captured an amount of credits from a hold, without an event. */
  readonly captured?: CapturedUse
  /** The part of a burn's usage that a void or a refund reversed. */
  readonly reverses?: Reversal
  /** The quantities that limits counted for the entry. A void subtracts them again. */
  readonly counted?: readonly Counted[]
  readonly description?: string
  readonly payment_reference?: string
  readonly metadata?: JsonText
  readonly idempotency?: Idempotency
  /** The salt of the commitment to the entry's personal data. It is deleted when any of the personal data is erased. */
  readonly salt?: string
  /** The commitment to the personal data. Present only after the salt was deleted. */
  readonly commitment?: string
}

export interface NewLot {
  readonly number: number
  readonly kind: LotKind
  readonly priority: number
  readonly expires_at_ms: number | null
  readonly price?: UsdParts
  /** The number of the recurring grant that created the lot. */
  readonly recurring?: number
  /** The time at which the lot begins, if it begins after its creation. */
  readonly starts_at_ms?: number
}

/** The dimensions by which analytics sum usage. */
export interface UsageCell {
  readonly timestamp_ms: number
  /** The type of the event; absent for a hold that was captured by credits, without an event. */
  readonly event_type?: EventType
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly key_id?: string
  readonly provider?: string
  readonly model?: string
}

export interface UsageQuantities {
  readonly usage?: Usage
  /** The quantities in the customer's own units. */
  readonly custom?: Readonly<Record<string, number>>
}

/** The usage of a burn without an event. Its time is the time of the entry. */
export interface CapturedUse {
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly key_id?: string
  /** The value of the credits in USD, calculated with the `credits_per_usd` of the burn table that applied. */
  readonly price: UsdParts
}

/**
 * The part of a burn's usage that a void or a refund reverses. The amount of the entry is the number of returned
 * credits.
 */
export interface Reversal extends UsageCell {
  readonly price: UsdParts
  /** The cost and the usage of a voided event. Absent in a refund, because a refund does not change them. */
  readonly voided?: UsageQuantities & { readonly cost: UsdParts }
}

/** The usage event that a burn charges, or that an entry rates late. */
export interface EventRecord extends RatedFields {
  /** The entry of the event that this entry rates late; absent in the event's own entry. */
  readonly rerates?: Rerated
}

export interface Rerated {
  readonly entry: number
  readonly at_ms: number
  /** The cost that was recorded before this rating. */
  readonly cost_before: UsdParts
  /** The price of the event minus the refunds, before and after this rating. */
  readonly price_before: UsdParts
  readonly price_after: UsdParts
}

/**
 * The stored result of a request with an idempotency key, for replays, if a single entry does not contain the whole
 * result.
 */
export interface AnswerRecord {
  readonly kind: 'answer'
  readonly at_ms: number
  readonly answer: StoredAnswer
  readonly idempotency: Idempotency
}

/** The purchase for which a payment reference was first used. */
export interface RecordedPayment {
  readonly entry: number
  readonly at_ms: number
  readonly wallet: number
  readonly lot: number
  readonly amount: MicroCredits
  readonly price: UsdParts
  readonly balance_after: MicroCredits
}

/** Returns the payment that a purchase recorded; undefined for an entry without a payment. */
export function paymentOf(
  entry: Entry,
): { readonly reference: string; readonly recorded: RecordedPayment } | undefined {
  const { payment_reference: reference, type, number, at_ms, wallet, amount, balance_after } = entry
  const [lot] = entry.new_lots ?? []
  if (type !== 'PURCHASE' || reference === undefined || !lot?.price) return undefined
  const recorded = { entry: number, at_ms, wallet, lot: lot.number, amount, price: lot.price, balance_after }
  return { reference, recorded }
}

export type StoredAnswer =
  | ({ readonly of: 'batch' } & BatchAnswer)
  | ({ readonly of: 'movement' } & MovementAnswer)
  /** The result of a purchase whose payment was recorded before. */
  | { readonly of: 'payment'; readonly payment: RecordedPayment }
  | { readonly of: 'entitlement'; readonly entitlement: Entitlement }
  | { readonly of: 'alert'; readonly alert: Alert }
  | { readonly of: 'check'; readonly check: CheckAnswer }
  /**
   * `call` is true for the hold of a provider call. It is absent for other holds, and in records of earlier versions.
   */
  | ({ readonly of: 'hold'; readonly call?: true } & HoldAnswer)
  | ({ readonly of: 'capture' } & CaptureAnswer)
  /**
   * The result of a change of a burn table. The number of the version is enough to build the result again. Only a
   * deactivation changes a version, and the result does not contain the deactivation.
   */
  | { readonly of: 'burn_table'; readonly version: number }

/** The final state of a hold that has ended. */
export interface HoldRecord {
  readonly kind: 'hold'
  readonly at_ms: number
  readonly hold: HoldState
  readonly idempotency?: undefined
}

/** The audit record of a change in the same commit. */
export interface AuditedRecord {
  readonly kind: 'audit'
  readonly at_ms: number
  readonly audit: AuditRecord
  readonly idempotency?: undefined
}

/**
 * A notification that the commit adds. If it has an idempotency key, the ledger has created the key: see `applyNotice`.
 */
export interface NotificationRecord extends Notification {
  readonly kind: 'notification'
  readonly idempotency?: Idempotency
}

export type JournalRecord = Entry | AnswerRecord | HoldRecord | AuditedRecord | NotificationRecord

/** The usage that a burn counted. A void reverses it, and a refund reverses a part of its price. */
export interface PastUsage extends UsageCell, UsageQuantities {
  readonly cost: UsdParts
  readonly price: UsdParts
}

export type NewEntry = Omit<Entry, 'kind' | 'number' | 'at_ms' | 'wallet' | 'owner' | 'balance_after'>
