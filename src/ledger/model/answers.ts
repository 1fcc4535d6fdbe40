import type { MicroCredits, UsdParts } from '../../pricing/money.ts'
import type { EntitlementPeriod, Level, LimitUnit, OffReason, RollingLength } from './limits.ts'
import type { ListedLotPlace } from './lots.ts'
import type { Refusal } from './refusal.ts'
import type { LotKind, WalletOwner } from './vocabulary.ts'
import type { HoldState, RecurringGrant } from './wallet.ts'

/** The complete result of one event. It is derived from the stored entry, so a replay returns the same result. */
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

export interface BurnedItem {
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

/** The result of opening, releasing or extending a hold. Also a hold in a list. */
export interface HoldAnswer {
  readonly hold: HoldState
  readonly hold_id: string
  readonly wallet_id: string
  readonly available: MicroCredits
}

export interface CaptureAnswer {
  readonly hold_id: string
  readonly captured: MicroCredits
  /**
   * The requested credits that could not be captured, as a decimal string, because they can exceed the largest balance.
   */
  readonly shortfall: string
  readonly remaining: MicroCredits
  readonly balance_after: MicroCredits
  readonly transaction_id: string
  readonly event_id?: string
  readonly output_rate?: MicroCredits
  /** The part of the hold's input credits that no capture has used yet. */
  readonly input_left?: MicroCredits
}

export interface CreditAnswer {
  readonly transaction_id: string
  readonly wallet_id: string
  readonly lot_id: string
  readonly recurring_grant_id?: string
  /** The time at which the lot begins, if it begins after its creation. */
  readonly starts_at_ms?: number
  readonly amount: MicroCredits
  readonly balance_after: MicroCredits
  /**
   * Set if the payment reference was used before. The result then describes the first purchase, and no credits were
   * added.
   */
  readonly already_recorded?: true
}

export interface MovementAnswer {
  /** The id of the entry. For a transfer, the id of the sender's entry. Null if the movement creates no entry. */
  readonly transaction_id: string | null
  readonly wallet_id: string
  readonly amount: MicroCredits
  readonly balance_after: MicroCredits
  /**
   * The returned credits that expired at once, because their lot had expired or they exceed the limit of a rollover.
   */
  readonly returned_expired?: MicroCredits
  readonly overdraft_limit?: MicroCredits
  /** The wallet that received the credits of a transfer. */
  readonly to?: {
    readonly transaction_id: string
    readonly wallet_id: string
    readonly balance_after: MicroCredits
  }
}

export interface BalanceAnswer {
  readonly wallet_id: string
  readonly balance: MicroCredits
  readonly reserved: MicroCredits
  readonly available: MicroCredits
  /** The part of the balance in lots that begin later. */
  readonly pending: MicroCredits
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
  readonly starts_at_ms: number | null
  readonly expires_at_ms: number | null
  readonly created_at_ms: number
}

/** A page of lots. */
export interface LotsAnswer {
  readonly lots: readonly LotAnswer[]
  /** The position of the page's last lot. The next page begins after it. Null on the last page. */
  readonly next: ListedLotPlace | null
}

/** A page of recurring grants. */
export interface RecurringPageAnswer {
  readonly grants: readonly RecurringAnswer[]
  /** The number of the page's last grant. The next page begins after it. Null on the last page. */
  readonly next: number | null
}

/** A recurring grant in a result. */
export interface RecurringAnswer {
  readonly recurring_grant_id: string
  readonly wallet_id: string
  readonly owner: WalletOwner
  readonly grant: RecurringGrant
}

/**
 * The reason why a use is not allowed, or a warning about an allowed use: it exceeds a soft limit, or few credits
 * remain.
 */
export type CheckReason =
  | OffReason
  | 'limit_reached'
  | 'insufficient_credits'
  | 'soft_limit_reached'
  | 'low_credits'

/** The state of a limit before the checked use. Quantities are decimal strings in the limit's unit. */
export interface LimitAnswer {
  readonly entitlement_id: string
  readonly level: Level
  /** The API key of the limit, if `level` is `key`. */
  readonly key_id?: string
  readonly model?: string
  readonly unit: LimitUnit
  readonly value: string
  readonly used: string
  readonly remaining: string
  readonly period: EntitlementPeriod
  /** The length of the window, if `period` is `ROLLING`. */
  readonly rolling?: RollingLength
  readonly resets_at_ms: number | null
}

export interface CheckAnswer {
  readonly allowed: boolean
  readonly reason: CheckReason | null
  /** The estimate in micro-credits and in pico-USD, as integers in text, because it can exceed the largest balance. */
  readonly credits_micro: string
  readonly price_pico: string
  readonly balance: MicroCredits
  readonly limit: LimitAnswer | null
  /** The id of the hold on the estimate, if a hold was requested, the use is allowed and the estimate is above 0. */
  readonly hold_id?: string
}
