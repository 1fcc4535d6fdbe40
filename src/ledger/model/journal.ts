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
 * The journal: the ledger's append-only record of commits, and at the same time the outbox to D1. These are
 * its records as the code sees them; `packing.ts` defines their stored form.
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

/** One line of the ledger. Entries are numbered 1, 2, 3 … over all wallets of a ledger. */
export interface Entry {
  readonly kind: 'entry'
  readonly number: number
  readonly type: EntryType
  readonly wallet: number
  /** The owner of the wallet, on the wallet's first entry. */
  readonly owner?: WalletOwner
  /** The commit time; never earlier than the entry before it. */
  readonly at_ms: number
  /** The time when it took effect, if earlier: an expiration that was applied late. */
  readonly effective_at_ms?: number
  readonly amount: MicroCredits
  readonly balance_after: MicroCredits
  readonly lots: readonly LotPart[]
  /** The new lots: one for a purchase or a grant, one or more for a transfer. */
  readonly new_lots?: readonly NewLot[]
  readonly event?: EventRecord
  /** The usage of a burn that captured a hold by credits. */
  readonly captured?: CapturedUse
  /** The part of a burn's usage that a void or a refund reversed. */
  readonly reverses?: Reversal
  /** The quantities that limits counted: a void gives them back. */
  readonly counted?: readonly Counted[]
  readonly description?: string
  readonly payment_reference?: string
  readonly metadata?: JsonText
  readonly idempotency?: Idempotency
  /** The salt of the commitment to the entry's personal data, from its commit to an erasure of any of these data. */
  readonly salt?: string
  /** The commitment itself, once the salt is destroyed. */
  readonly commitment?: string
}

export interface NewLot {
  readonly number: number
  readonly kind: LotKind
  readonly priority: number
  readonly expires_at_ms: number | null
  readonly price?: UsdParts
  /** The recurring grant that created it. */
  readonly recurring?: number
  /** The time when the lot begins, if that is later. */
  readonly starts_at_ms?: number
}

/** The cell in which usage is summed: its feature, model, subjects and time. */
export interface UsageCell {
  readonly timestamp_ms: number
  /** Is absent for a hold that is captured by credits, without an event. */
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
  /** The customer's own units. */
  readonly custom?: Readonly<Record<string, number>>
}

/** Usage without an event, at the time of its entry. */
export interface CapturedUse {
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly key_id?: string
  /** The value of the credits, by the credits per USD of the burn table in force. */
  readonly price: UsdParts
}

/** The part of a burn's usage that a void or a refund takes back. Its credits are the entry's amount. */
export interface Reversal extends UsageCell {
  readonly price: UsdParts
  /** The cost and the usage of a voided event. A refund does not change them. */
  readonly voided?: UsageQuantities & { readonly cost: UsdParts }
}

/** The usage event behind a burn. */
export interface EventRecord extends RatedFields {
  /** The entry of an event that was recorded unrated, if this entry rates that event. */
  readonly rerates?: Rerated
}

export interface Rerated {
  readonly entry: number
  readonly at_ms: number
  /** The cost recorded before. */
  readonly cost_before: UsdParts
  /** The price of the event less the refunds, before and after the rating. */
  readonly price_before: UsdParts
  readonly price_after: UsdParts
}

/** The stored answer to a keyed request that no single entry can answer, for its replay. */
export interface AnswerRecord {
  readonly kind: 'answer'
  readonly at_ms: number
  readonly answer: StoredAnswer
  readonly idempotency: Idempotency
}

/** The purchase that a payment reference was first used for. */
export interface RecordedPayment {
  readonly entry: number
  readonly at_ms: number
  readonly wallet: number
  readonly lot: number
  readonly amount: MicroCredits
  readonly price: UsdParts
  readonly balance_after: MicroCredits
}

/** The payment that a purchase recorded; undefined for an entry that names none. */
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
  /** A purchase whose payment was recorded before. */
  | { readonly of: 'payment'; readonly payment: RecordedPayment }
  | { readonly of: 'entitlement'; readonly entitlement: Entitlement }
  | { readonly of: 'alert'; readonly alert: Alert }
  | { readonly of: 'check'; readonly check: CheckAnswer }
  | ({ readonly of: 'hold' } & HoldAnswer)
  | ({ readonly of: 'capture' } & CaptureAnswer)
  /** A version never changes, so its number identifies the answer. */
  | { readonly of: 'burn_table'; readonly version: number }

/** The end of a hold. */
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

/** A notification of the same commit. Its key, if any, is the ledger's own: see `applyNotice`. */
export interface NotificationRecord extends Notification {
  readonly kind: 'notification'
  readonly idempotency?: Idempotency
}

export type JournalRecord = Entry | AnswerRecord | HoldRecord | AuditedRecord | NotificationRecord

/** The usage that a burn counted, for a void or a refund to take back. */
export interface PastUsage extends UsageCell, UsageQuantities {
  readonly cost: UsdParts
  readonly price: UsdParts
}

export type NewEntry = Omit<Entry, 'kind' | 'number' | 'at_ms' | 'wallet' | 'owner' | 'balance_after'>
