import type { MicroCredits } from '../../../pricing/money.ts'
import type { CaptureAnswer, HoldAnswer } from '../answers.ts'
import type { Answered, Refused } from '../refusal.ts'
import type { Idempotency, PricedEvent, WalletItemRef, WalletOwner } from '../vocabulary.ts'

/** The size of a hold: an amount of credits, or an event whose price in credits is reserved. */
export type HoldSize =
  | { readonly kind: 'credits'; readonly credits: MicroCredits }
  | {
      readonly kind: 'event'
      readonly event: PricedEvent
      /**
       * An event with a million output tokens of the same model. Its price determines how many output tokens the rest
       * of the hold covers after a capture.
       */
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
  readonly request: HoldRequest
  readonly idempotency?: Idempotency
}

export type HoldResult =
  | ({ readonly of: 'hold' } & Answered<HoldAnswer>)
  | ({ readonly of: 'capture' } & Answered<CaptureAnswer>)
  | Refused

export interface HoldsMessage {
  /** The owner whose open holds are returned, or the only hold to return; null for all open holds of the ledger. */
  readonly of: { readonly owner: WalletOwner } | { readonly hold: WalletItemRef } | null
  /** The number below which holds are returned; null begins at the newest hold. */
  readonly before_number: number | null
  readonly limit: number
}

export interface HoldsAnswer {
  /** The holds, newest first. */
  readonly holds: readonly HoldAnswer[]
  /** The `before_number` of the next page; null if this page is the last one. */
  readonly next_before_number: number | null
  /** The time at which the ledger was opened. The ids of its wallets contain this time. */
  readonly opened_at_ms: number
  readonly available: MicroCredits
}

export type HoldsResult = { readonly kind: 'done'; readonly answer: HoldsAnswer } | Refused
