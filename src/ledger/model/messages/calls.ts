import type { MicroCredits } from '../../../pricing/money.ts'
import type { Refused } from '../refusal.ts'
import type { Idempotency, PricedEvent, WalletItemRef } from '../vocabulary.ts'

/** A call of a provider that the gateway relays: held before it is made, noted while it runs, settled at its end. */
export interface OpenCallMessage {
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly lifetime_ms: number
  /** The largest expected use, which is held. */
  readonly most: PricedEvent
  /**
   * The smallest expected use: the input, and one output token if there is output. With it the hold may be smaller than
   * `most`, as large as the wallet and its limits allow.
   */
  readonly least?: PricedEvent
  readonly idempotency?: Idempotency
}

export interface CallAnswer {
  readonly hold: WalletItemRef
  readonly hold_id: string
  readonly credits: MicroCredits
  /** The output tokens that the hold covers, at most those of `most`. */
  readonly output_tokens: number
}

export type OpenCallResult = { readonly kind: 'done'; readonly answer: CallAnswer } | Refused

/** The estimate that is charged if the call's hold expires, and the lifetime of the hold from now on. */
export interface NoteCallMessage {
  readonly hold: WalletItemRef
  /** The estimate; null if nothing was delivered after the last note. */
  readonly event: PricedEvent | null
  readonly lifetime_ms: number
}

export type NoteCallResult = { readonly kind: 'done' } | Refused

export interface SettleCallMessage {
  readonly hold: WalletItemRef
  /** The API key of the call. */
  readonly key_id: string
  /** The event to charge; null releases the hold without a charge. */
  readonly event: PricedEvent | null
  /** Whether the charge is limited to the hold. An estimate is; the usage that a provider reports is not. */
  readonly capped: boolean
  /** The credits of the hold: the limit of a capped charge whose hold has expired. */
  readonly held: MicroCredits
}

/** The charge of a call. A repeat returns the same. */
export interface SettledCall {
  /** Is null if the call was released, or its charge has no event. */
  readonly event_id: string | null
  readonly credits: MicroCredits
  readonly balance_after: MicroCredits
}

export type SettleCallResult = { readonly kind: 'done'; readonly answer: SettledCall } | Refused
