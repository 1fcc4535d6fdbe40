import type { Mode } from '../../db/schema.ts'
import type { MicroCredits, UsdParts } from '../../pricing/money.ts'
import type { Usage } from '../../pricing/usage.ts'
import type { Account } from '../admission/account.ts'
import type { RateCount } from '../admission/rate-limit.ts'
import type { RerateItem } from '../burns/rerate.ts'
import type { PastUsage } from '../burns/reversal.ts'
import type { Amendment } from '../burns/unrated-rows.ts'
import type { Counts } from '../entitlements/limits.ts'
import type { HoldState } from '../holds/end.ts'
import type { RecurringGrant, RecurringPeriod } from '../wallets/recurring.ts'
import type { Entry, EntryType } from './journal.ts'
import type { LotPart } from './lots.ts'
import type { Refusal } from './refusal.ts'

/**
 * What crosses the RPC boundary between the Worker and a ledger object. Everything is plain JSON and travels as one
 * string, which costs a third to a tenth of structured cloning. Amounts of credits are micro-credits, times epoch
 * milliseconds.
 */

/** Which ledger: a customer has one for live keys and one for test keys. */
export interface LedgerName {
  readonly customer_id: string
  readonly mode: Mode
}

/**
 * On whose behalf: the object refuses a key that was revoked, however warm the caches in front of it are. And from
 * where, for the audit log.
 */
export interface Caller {
  readonly key_id: string
  readonly ip?: string
  readonly request_id?: string
  /** Of the key. What live and test keys share is in the live ledger, which counts the requests of the two apart. */
  readonly mode?: Mode
  /**
   * The ledgers that have counted this request, so that none counts it twice however many calls it takes. Absent: the
   * service itself calls, which nobody counts.
   */
  readonly counted_by?: readonly string[]
  /** On the Worker's side, for `client.ts` to note what a ledger has counted. A function does not travel in JSON. */
  readonly onCounted?: (ledger: string, rate: RateCount) => void
}

/** The owner of a wallet, in the customer's own ids. */
export type WalletOwner =
  | { readonly kind: 'customer' }
  | { readonly kind: 'user'; readonly id: string }
  | { readonly kind: 'team'; readonly id: string }

/** A key and what it stands for: SHA-256 of the operation and its body, so that a repeat can be told from a reuse. */
export interface Idempotency {
  readonly key: string
  readonly fingerprint: string
}

export interface OpenMessage {
  readonly ledger: LedgerName
  /** Promo credits to start with, given once however often the ledger is opened. 0: none. */
  readonly signup_grant_micro: number
  /** The customer's, taken over if it is newer than what the ledger has. */
  readonly account: Account
}

export const EVENT_TYPES = [
  'TOKEN_USAGE',
  'API_CALL',
  'FEATURE_ACCESS',
  'IMAGE_GENERATION',
  'VIDEO_GENERATION',
  'AUDIO_PROCESSING',
  'CUSTOM',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** What the provider charges for an event: a cost, or no price found (`unpriced`), or nothing to price (`none`). */
export type ProviderCharge =
  | { readonly kind: 'priced'; readonly cost: UsdParts; readonly price_version: string }
  | {
      readonly kind: 'unpriced'
      readonly price_version: string
      /** What the provider's dearest current model would charge; null or absent when that is not known. */
      readonly ceiling_cost?: UsdParts | null
    }
  | { readonly kind: 'none'; readonly price_version: string }

/** An event's time may be this much ahead of its arrival, for clocks that are; never more. */
export const MAX_EVENT_AHEAD_MS = 5 * 60_000

/** What, beside provider, model and usage, picks the price: kept, so that an event can be priced again. */
export interface PriceModifiers {
  readonly service_tier?: string
  readonly region?: string
  readonly image_size?: string
  readonly image_quality?: string
  readonly search_context_size?: string
}

/** What an event says of itself, from its request to its record: what is priced is what is recorded. */
export interface EventFields {
  readonly timestamp_ms: number
  readonly event_type: EventType
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly provider?: string
  readonly model?: string
  readonly usage?: Usage
  readonly modifiers?: PriceModifiers
  /** The customer's own units, priced by burn tables only. */
  readonly custom?: Readonly<Record<string, number>>
  readonly warnings?: readonly string[]
}

/** An event that was validated and priced; the ledger turns its cost into credits and burns them. */
export interface PricedEvent extends EventFields {
  /** The hold that the event settles. */
  readonly hold?: WalletItemRef
  readonly charge: ProviderCharge
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** One event of a request. A refused one travels too: if its key was used before, the answer is a replay. */
export interface IngestItem {
  readonly idempotency?: Idempotency
  readonly event: PricedEvent | null
  readonly refusal: Refusal | null
}

export type IngestMessage =
  | { readonly caller: Caller; readonly shape: 'single'; readonly item: IngestItem }
  | {
      readonly caller: Caller
      readonly shape: 'batch'
      readonly batch_id: string
      readonly idempotency?: Idempotency
      readonly items: readonly IngestItem[]
    }

/** Everything that the answer to one event says; stored, so that a replay says the same. */
export interface EventAnswer {
  readonly id: string
  readonly credits: MicroCredits
  readonly balance_after: MicroCredits
  readonly timestamp_ms: number
  readonly cost: UsdParts
  readonly wallet_id: string
  readonly burn_table_version: number
  readonly price_version: string
  readonly unrated: boolean
  readonly warnings: readonly string[]
}

interface BurnedItem {
  readonly id: string
  readonly credits: MicroCredits
  readonly balance_after: MicroCredits
}

export type BatchItemAnswer =
  | ({ readonly status: 'accepted' } & BurnedItem)
  | ({ readonly status: 'duplicate' } & BurnedItem)
  | { readonly status: 'rejected'; readonly code: Refusal['code']; readonly detail: string }

export interface BatchAnswer {
  readonly batch_id: string
  readonly results: readonly BatchItemAnswer[]
}

export type Refused = { readonly kind: 'refused'; readonly refusal: Refusal }
export type Answered<T> = { readonly kind: 'done' | 'replayed'; readonly format: number; readonly answer: T }

export type IngestResult =
  | ({ readonly shape: 'single' } & Answered<EventAnswer>)
  | ({ readonly shape: 'batch' } & Answered<BatchAnswer>)
  | Refused

/** A hold or a recurring grant: the numbers in its id. */
export interface WalletItemRef {
  readonly number: number
  readonly wallet: number
  readonly created_at_ms: number
}

/** What a hold is to reserve: an amount, or what an event would cost at worst. */
export type HoldSize =
  | { readonly kind: 'credits'; readonly credits: MicroCredits }
  | {
      readonly kind: 'event'
      readonly event: PricedEvent
      /** A million output tokens of the same model: the price at which a capture says how many more there are. */
      readonly million_output_tokens?: PricedEvent
    }

export type HoldRequest =
  | {
      readonly op: 'open'
      readonly feature_id: string
      readonly user_id?: string
      readonly team_id?: string
      readonly lifetime_ms: number
      readonly size: HoldSize
    }
  | {
      readonly op: 'capture'
      readonly hold: WalletItemRef
      readonly final: boolean
      readonly what:
        | { readonly kind: 'credits'; readonly credits: MicroCredits }
        | { readonly kind: 'event'; readonly event: PricedEvent }
    }
  | { readonly op: 'release'; readonly hold: WalletItemRef }
  | { readonly op: 'extend'; readonly hold: WalletItemRef; readonly lifetime_ms: number }

export interface HoldMessage {
  readonly caller: Caller
  readonly request: HoldRequest
  readonly idempotency?: Idempotency
}

/** A hold as it is answered. */
export interface HoldAnswer {
  readonly hold: HoldState
  readonly hold_id: string
  readonly wallet_id: string
  readonly available: MicroCredits
}

export interface CaptureAnswer {
  readonly hold_id: string
  readonly captured: MicroCredits
  /** A decimal string of credits: what was asked for may be more than any wallet can hold. */
  readonly shortfall: string
  readonly remaining: MicroCredits
  readonly balance_after: MicroCredits
  readonly transaction_id: string
  readonly event_id?: string
  readonly output_rate?: MicroCredits
}

export type HoldResult =
  | ({ readonly of: 'hold' } & Answered<HoldAnswer>)
  | ({ readonly of: 'capture' } & Answered<CaptureAnswer>)
  | Refused

export const LOT_KINDS = ['promo', 'paid'] as const
export type LotKind = (typeof LOT_KINDS)[number]

/** A grant or a purchase: a new lot in a wallet, which is made if the owner has none. */
export interface CreditMessage {
  readonly caller: Caller
  readonly type: 'GRANT' | 'PURCHASE'
  readonly owner: WalletOwner
  readonly amount: MicroCredits
  readonly lot_kind: LotKind
  readonly priority: number
  readonly expires_at_ms: number | null
  /** Of a grant that comes again. */
  readonly recurring?: { readonly every: RecurringPeriod; readonly rollover_max: MicroCredits | null }
  /** Of a purchase: what was paid for the lot, its cost basis. */
  readonly price?: UsdParts
  readonly payment_reference?: string
  readonly reason?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly idempotency?: Idempotency
}

export interface CreditAnswer {
  readonly transaction_id: string
  readonly wallet_id: string
  readonly lot_id: string
  readonly recurring_grant_id?: string
  readonly amount: MicroCredits
  readonly balance_after: MicroCredits
}

export type CreditResult = Answered<CreditAnswer> | Refused

export interface RerateMessage {
  readonly caller: Caller
  readonly items: readonly RerateItem[]
}

export type RerateResult =
  | { readonly kind: 'done'; readonly answer: { readonly rated: number; readonly unpaid: number } }
  | Refused

/** Events without a price, newest first; and how those among `amended` were rated in the end. */
export interface UnratedMessage {
  readonly caller: Caller
  readonly before_entry: number | null
  readonly limit: number
  readonly amended: readonly number[]
}

export interface UnratedAnswer {
  readonly events: readonly Entry[]
  readonly amendments: readonly (readonly [entry: number, Amendment])[]
  readonly opened_at_ms: number
}

export type UnratedResult = { readonly kind: 'done'; readonly answer: UnratedAnswer } | Refused

/** An entry that a later movement looks back at, as the Worker found it in the journal or in D1. */
export interface PastEntry extends Counts {
  readonly number: number
  readonly type: EntryType
  readonly wallet: number
  readonly at_ms: number
  readonly amount: MicroCredits
  readonly lots: readonly LotPart[]
  /** It is not of an event of its own, but rates one that was recorded unrated. */
  readonly rerates?: true
  /** Of a burn: what it counted. */
  readonly used?: PastUsage
}

/** What moves credits beside events, grants and purchases. */
export type Movement =
  | { readonly type: 'VOID'; readonly past: PastEntry }
  | {
      readonly type: 'REFUND'
      readonly past: PastEntry
      /** null: all that can be refunded. */
      readonly amount: MicroCredits | null
      readonly reason?: string
    }
  | {
      readonly type: 'TRANSFER'
      readonly from: WalletOwner
      readonly to: WalletOwner
      readonly amount: MicroCredits
    }
  | {
      readonly type: 'ADJUSTMENT'
      readonly owner: WalletOwner
      /** Positive into the wallet, negative out of it, never 0. */
      readonly amount: MicroCredits
      readonly reason: string
    }
  /** The grant comes no more; the lots that it made stay. */
  | { readonly type: 'STOP_RECURRING'; readonly grant: WalletItemRef }
  | { readonly type: 'OVERDRAFT'; readonly owner: WalletOwner; readonly limit: MicroCredits }

export interface MovementMessage {
  readonly caller: Caller
  readonly movement: Movement
  readonly idempotency?: Idempotency
}

export interface MovementAnswer {
  /** The id of the entry; of the one in the wallet that gave, when two wallets are involved; null when none moved. */
  readonly transaction_id: string | null
  readonly wallet_id: string
  readonly amount: MicroCredits
  readonly balance_after: MicroCredits
  /** What came back to lots that have expired, and expired again. */
  readonly returned_expired?: MicroCredits
  readonly overdraft_limit?: MicroCredits
  /** Of a transfer: the wallet that got the credits. */
  readonly to?: {
    readonly transaction_id: string
    readonly wallet_id: string
    readonly balance_after: MicroCredits
  }
}

export type MovementResult = Answered<MovementAnswer> | Refused

/** A question about one wallet. */
export interface WalletMessage {
  readonly caller: Caller
  readonly owner: WalletOwner
}

export interface BalanceAnswer {
  readonly wallet_id: string
  readonly balance: MicroCredits
  readonly reserved: MicroCredits
  readonly available: MicroCredits
  readonly overdraft_limit: MicroCredits
  readonly expiring_next: { readonly amount: MicroCredits; readonly at_ms: number } | null
}

export interface LotAnswer {
  readonly lot_id: string
  readonly kind: LotKind
  readonly amount: MicroCredits
  readonly left: MicroCredits
  readonly reserved: MicroCredits
  readonly priority: number
  readonly expires_at_ms: number | null
  readonly created_at_ms: number
}

/** A question about the recurring grants of one wallet, or of all. */
export interface RecurringMessage {
  readonly caller: Caller
  readonly owner: WalletOwner | null
}

/** A grant that comes again, as it is answered. */
export interface RecurringAnswer {
  readonly recurring_grant_id: string
  readonly wallet_id: string
  readonly owner: WalletOwner
  readonly grant: RecurringGrant
}

export type WalletResult<T> = { readonly kind: 'done'; readonly answer: T } | Refused
