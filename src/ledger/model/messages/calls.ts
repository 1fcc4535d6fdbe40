import type { MicroCredits } from '../../../pricing/money.ts'
import type { Refused } from '../refusal.ts'
import type { Idempotency, PricedEvent, WalletItemRef } from '../vocabulary.ts'

/**
 * A request to open a provider call that the gateway relays. A hold reserves credits before the call. While the call
 * runs, the estimate of its use can be stored. When the call ends, it is charged or its hold is released.
 */
export interface OpenCallMessage {
  readonly feature_id: string
  readonly user_id?: string
  readonly team_id?: string
  readonly lifetime_ms: number
  /** The largest expected use. The hold covers it if the wallet and its limits allow it. */
  readonly most: PricedEvent
  /**
   * The smallest expected use: the input, and one output token if the call has output. For a transcription, it is the
   * likely use. If it is present, and the wallet or its limits do not allow `most`, the hold covers a smaller use, but
   * at least `least`.
   */
  readonly least?: PricedEvent
  /** The hold of an earlier attempt of the call. It is released when the new hold is opened or refused. */
  readonly replaces?: WalletItemRef
  readonly idempotency?: Idempotency
  /** The random id of this message. A repeated message with the id returns the hold of the first one. */
  readonly id?: string
}

export interface CallAnswer {
  readonly hold: WalletItemRef
  readonly hold_id: string
  readonly credits: MicroCredits
  /** The number of output tokens that the hold covers, at most the number in `most`. */
  readonly output_tokens: number
  /** Whether neither a price nor a rule of the burn table applies to the call. */
  readonly unrated: boolean
}

export type OpenCallResult = { readonly kind: 'done'; readonly answer: CallAnswer } | Refused

/** The warning in the estimated event of a running call. */
export const RUNNING = 'running'

/**
 * A request to set the remaining lifetime of a call's hold. It can also store the estimate that is charged if the hold
 * expires.
 */
export interface NoteCallMessage {
  readonly hold: WalletItemRef
  /**
   * The estimated use so far; null to keep the stored estimate. Its `timestamp_ms` must be the time of the estimate,
   * because an older estimate does not replace a newer one. Its warnings must contain `RUNNING`, so that the rest can
   * be charged if the call ends after the estimate was charged.
   */
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
  /** Whether the charge is limited to the hold: true for an estimate, false for reported usage and exact prices. */
  readonly capped: boolean
  /** The credits of the hold. They limit a capped charge if the hold is no longer open. */
  readonly held: MicroCredits
}

/**
 * The charge of a call. A repeated settlement returns the same charge. If the call was charged its stored estimate
 * first and the rest later, the credits are the sum of both.
 */
export interface SettledCall {
  /** The id of the event; null if nothing was charged or the charge has no event. */
  readonly event_id: string | null
  readonly credits: MicroCredits
  readonly balance_after: MicroCredits
}

export type SettleCallResult = { readonly kind: 'done'; readonly answer: SettledCall } | Refused
