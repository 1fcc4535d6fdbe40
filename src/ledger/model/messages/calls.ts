import type { MicroCredits } from '../../../pricing/money.ts'
import type { Refused } from '../refusal.ts'
import type { Idempotency, PricedEvent, WalletItemRef } from '../vocabulary.ts'

/**
 * A request to open a provider call that the gateway relays. Credits are held before the call. While the call runs,
 * its estimate is noted. At its end, the call is settled.
 */
export interface OpenCallMessage {
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly lifetime_ms: number
  /** The largest expected use. It determines the size of the hold. */
  readonly most: PricedEvent
  /**
   * The smallest expected use: the input, and one output token if the call has output. For a transcription, the
   * likely use. If it is present, the hold may be smaller than `most`, down to `least`, if the wallet or its limits
   * do not allow more.
   */
  readonly least?: PricedEvent
  readonly idempotency?: Idempotency
}

export interface CallAnswer {
  readonly hold: WalletItemRef
  readonly hold_id: string
  readonly credits: MicroCredits
  /** The number of output tokens that the hold covers, at most that of `most`. */
  readonly output_tokens: number
}

export type OpenCallResult = { readonly kind: 'done'; readonly answer: CallAnswer } | Refused

/**
 * A request to note the estimate that is charged if the call's hold expires. It also sets the remaining lifetime of
 * the hold.
 */
export interface NoteCallMessage {
  readonly hold: WalletItemRef
  /** The estimated use so far; null if nothing was delivered since the last note. */
  readonly event: PricedEvent | null
  readonly lifetime_ms: number
}

export type NoteCallResult = { readonly kind: 'done' } | Refused

export interface SettleCallMessage {
  readonly hold: WalletItemRef
  /** The API key of the call. */
  readonly key_id: string
  /** The event to charge. Null releases the hold without a charge. */
  readonly event: PricedEvent | null
  /** Whether the charge is limited to the hold: true for an estimate, false for usage that the provider reported. */
  readonly capped: boolean
  /** The credits of the hold. They limit a capped charge if the hold has expired. */
  readonly held: MicroCredits
}

/** The charge of a call. A repeated settlement returns the same charge. */
export interface SettledCall {
  /** The id of the event; null if nothing was charged or the charge has no event. */
  readonly event_id: string | null
  readonly credits: MicroCredits
  readonly balance_after: MicroCredits
}

export type SettleCallResult = { readonly kind: 'done'; readonly answer: SettledCall } | Refused
