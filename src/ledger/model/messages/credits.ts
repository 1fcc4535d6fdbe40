import type { MicroCredits, UsdParts } from '../../../pricing/money.ts'
import type { CreditAnswer, MovementAnswer } from '../answers.ts'
import type { EntryType, PastUsage } from '../journal.ts'
import type { JsonText } from '../json.ts'
import type { Counts } from '../limits.ts'
import type { ListedLotPlace, LotPart } from '../lots.ts'
import type { Answered, Refused } from '../refusal.ts'
import type { Idempotency, LotKind, WalletItemRef, WalletOwner } from '../vocabulary.ts'
import type { RecurringPeriod } from '../wallet.ts'

/** A request to add a grant or a purchase as a new lot. A wallet is created if the owner has none. */
export interface CreditMessage {
  readonly type: 'GRANT' | 'PURCHASE'
  readonly owner: WalletOwner
  readonly amount: MicroCredits
  readonly lot_kind: LotKind
  readonly priority: number
  readonly expires_at_ms: number | null
  /** The time at which the lot begins, if it is in the future. It cannot be combined with `recurring`. */
  readonly starts_at_ms?: number
  /** The rule of a recurring grant. */
  readonly recurring?: {
    readonly every: RecurringPeriod
    readonly rollover_max: MicroCredits | null
    readonly target?: MicroCredits
  }
  /** The price that was paid for the lot. Absent for a grant. */
  readonly price?: UsdParts
  readonly payment_reference?: string
  readonly reason?: string
  readonly metadata?: JsonText
  readonly idempotency?: Idempotency
}

export type CreditResult = Answered<CreditAnswer> | Refused

/** The earlier entry that a movement reverses. The Worker has read it from the journal or from D1. */
export interface PastEntry extends Counts {
  readonly number: number
  readonly type: EntryType
  readonly wallet: number
  readonly at_ms: number
  readonly amount: MicroCredits
  readonly lots: readonly LotPart[]
  /** Set if the entry rates an event that was recorded without a price. */
  readonly rerates?: true
  /** The usage that the entry counted, if it is a burn. */
  readonly used?: PastUsage
}

/** A change of a wallet other than an event, a hold, a grant or a purchase. */
export type Movement =
  | { readonly type: 'VOID'; readonly past: PastEntry }
  | {
      readonly type: 'REFUND'
      readonly past: PastEntry
      /** The amount to refund; null for the whole amount that can still be refunded. */
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
      /** The amount: positive to add credits, negative to remove credits, never 0. */
      readonly amount: MicroCredits
      readonly reason: string
    }
  | {
      readonly type: 'REVOKE'
      /** The number of the lot. */
      readonly lot: number
      /** The amount to revoke; null for all remaining credits that no hold reserves. */
      readonly amount: MicroCredits | null
      readonly reason: string
    }
  /** Cancels a recurring grant. Lots that were already granted are kept. */
  | { readonly type: 'STOP_RECURRING'; readonly grant: WalletItemRef }
  | { readonly type: 'OVERDRAFT'; readonly owner: WalletOwner; readonly limit: MicroCredits }

export interface MovementMessage {
  readonly movement: Movement
  readonly idempotency?: Idempotency
}

export type MovementResult = Answered<MovementAnswer> | Refused

/** A request to read one wallet. */
export interface WalletMessage {
  readonly owner: WalletOwner
}

/** A request for a page of a wallet's lots. */
export interface LotsMessage extends WalletMessage, Page<ListedLotPlace> {}

/** A request for a page of the recurring grants of one wallet, or of all wallets if `owner` is null. */
export interface RecurringMessage extends Page<number> {
  readonly owner: WalletOwner | null
}

interface Page<Place> {
  readonly limit: number
  /** The position of the last item on the previous page; null for the first page. */
  readonly after: Place | null
}

export type WalletResult<T> = { readonly kind: 'done'; readonly answer: T } | Refused
