import type { MicroCredits, UsdParts } from '../../pricing/money.ts'
import type { EntitlementPeriod, Level, LimitUnit, OffReason, RollingLength } from './limits.ts'
import type { ListedLotPlace } from './lots.ts'
import type { Refusal } from './refusal.ts'
import type { LotKind, WalletOwner } from './vocabulary.ts'
import type { HoldState, RecurringGrant } from './wallet.ts'

/** The whole answer to one event; stored, so that a replay returns the same. */
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

/** A hold in an answer. */
export interface HoldAnswer {
  readonly hold: HoldState
  readonly hold_id: string
  readonly wallet_id: string
  readonly available: MicroCredits
}

export interface CaptureAnswer {
  readonly hold_id: string
  readonly captured: MicroCredits
  /** A decimal string of credits: the requested amount may exceed the largest balance. */
  readonly shortfall: string
  readonly remaining: MicroCredits
  readonly balance_after: MicroCredits
  readonly transaction_id: string
  readonly event_id?: string
  readonly output_rate?: MicroCredits
  /** The part of the remaining credits that pays for the input. */
  readonly input_left?: MicroCredits
}

export interface CreditAnswer {
  readonly transaction_id: string
  readonly wallet_id: string
  readonly lot_id: string
  readonly recurring_grant_id?: string
  /** The time when the lot begins, if that is after its creation. */
  readonly starts_at_ms?: number
  readonly amount: MicroCredits
  readonly balance_after: MicroCredits
  /** The payment reference was used before: this is the first purchase, and nothing was added. */
  readonly already_recorded?: true
}

export interface MovementAnswer {
  /**
   * The id of the entry; of the giving wallet's entry if two wallets are involved; null if no credits moved.
   */
  readonly transaction_id: string | null
  readonly wallet_id: string
  readonly amount: MicroCredits
  readonly balance_after: MicroCredits
  /** The credits that were returned to expired lots, and expired again. */
  readonly returned_expired?: MicroCredits
  readonly overdraft_limit?: MicroCredits
  /** The wallet that got the credits of a transfer. */
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
  /** The place of this page's last lot, where the next page continues; null on the last page. */
  readonly next: ListedLotPlace | null
}

/** A page of recurring grants. */
export interface RecurringPageAnswer {
  readonly grants: readonly RecurringAnswer[]
  /** The number of this page's last grant, where the next page continues; null on the last page. */
  readonly next: number | null
}

/** A recurring grant in an answer. */
export interface RecurringAnswer {
  readonly recurring_grant_id: string
  readonly wallet_id: string
  readonly owner: WalletOwner
  readonly grant: RecurringGrant
}

/** The reason for a refusal; when allowed, the limit that will be reached soon. */
export type CheckReason =
  | OffReason
  | 'limit_reached'
  | 'insufficient_credits'
  | 'soft_limit_reached'
  | 'low_credits'

/** A limit before the action. Quantities are decimal strings of the unit. */
export interface LimitAnswer {
  readonly entitlement_id: string
  readonly level: Level
  /** The key of the limit, if the limit is of a key or a model. */
  readonly key_id?: string
  readonly model?: string
  readonly unit: LimitUnit
  readonly value: string
  readonly used: string
  readonly remaining: string
  readonly period: EntitlementPeriod
  /** The length of a `ROLLING` window. */
  readonly rolling?: RollingLength
  readonly resets_at_ms: number | null
}

export interface CheckAnswer {
  readonly allowed: boolean
  readonly reason: CheckReason | null
  /** The estimate, which may exceed the largest balance: integers as text, of micro-credits and pico-USD. */
  readonly credits_micro: string
  readonly price_pico: string
  readonly balance: MicroCredits
  readonly limit: LimitAnswer | null
  /** The hold on the estimate, if one was requested and the estimate is above 0. */
  readonly hold_id?: string
}
