import { type MicroCredits, picoUsd, type UsdParts, usdToParts } from '../../pricing/money.ts'
import type { LotPart } from './lots.ts'
import type { WalletOwner } from './vocabulary.ts'

/**
 * Payments through Stripe, and the payers of wallets. Amounts in fields with `cents` in their names are whole US
 * cents, as Stripe charges them.
 */

export const PAYMENT_STATUSES = [
  'pending',
  'succeeded',
  'failed',
  /** The status of a top-up that the owner of the card must confirm at `url`. */
  'action_required',
  'refunded',
  'disputed',
] as const
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number]

export const PAYMENT_TYPES = ['checkout', 'top_up'] as const

/** The addresses of the pages to which Stripe returns the buyer. */
export interface ReturnUrls {
  readonly success: string
  readonly cancel: string
}

/** A saved card. Cards with the same number have the same fingerprint. */
export interface Card {
  readonly id: string
  readonly fingerprint: string | null
}

export interface PaymentFailure {
  /** A code of Stripe, such as `card_declined`, or of this service. */
  readonly code: string
  readonly message: string
}

/** A payment. Its row is written before Stripe is called, and contains the request. The outcome is added later. */
export interface Payment {
  readonly number: number
  readonly created_at_ms: number
  readonly type: (typeof PAYMENT_TYPES)[number]
  readonly owner: WalletOwner
  readonly credits: MicroCredits
  readonly price_cents: number
  /** The lifetime of the payment's lot in days; absent if the lot does not expire. */
  readonly expires_in_days?: number
  readonly credit_pack_id?: string
  /** The name that Stripe shows to the buyer. */
  readonly product: string
  readonly urls: ReturnUrls
  readonly saves_card?: true
  /**
   * The id of the wallet's customer at Stripe, if the payment uses one. It can be removed after the payment has an
   * outcome.
   */
  readonly customer?: string
  /** The card that a top-up charges. */
  readonly card?: Card
  readonly status: PaymentStatus
  /** The id of the Checkout session at Stripe, and the address of its page while the payment can be made there. */
  readonly session_id?: string
  readonly url?: string
  /** The id of the payment intent at Stripe. */
  readonly intent_id?: string
  /**
   * Whether Stripe required the owner of the card to confirm the charge. The page for the confirmation might not exist
   * yet.
   */
  readonly needs_action?: true
  readonly receipt_url?: string
  readonly failure?: PaymentFailure
  /**
   * The purchase that added the credits of the payment, or an earlier purchase that recorded the same payment intent.
   * Absent until the payment is paid and its credits are added.
   */
  readonly credited?: Credited
  readonly refunded_cents: number
  readonly disputed_cents: number
  /**
   * The credits that refunds and disputes claim now, and the credits that have been taken from the wallet for them and
   * not returned.
   */
  readonly asked_back: MicroCredits
  readonly taken_back: MicroCredits
  /** The share of the price that belongs to the credits that were taken from the payment's lot. */
  readonly taken_paid?: UsdParts
  /**
   * The part of `taken_back` that replaces credits that were not free in the payment's lot, for example spent credits.
   * It was taken from other credits and the overdraft of the wallet.
   */
  readonly spent?: TakenSpent
  /**
   * The number of checks with Stripe, including postponed checks. It restarts when there is an outcome, and when the
   * page for a confirmation is created.
   */
  readonly asked: number
  /**
   * The time of the next check with Stripe; null if none is scheduled. A failed payment is deleted after this check if
   * Stripe reports that it is still unpaid, or, after many checks, if Stripe does not report that it was paid.
   */
  readonly ask_at_ms: number | null
}

/** The credits that were taken in place of credits of the payment's lot, by lot. The overdraft is last. */
export interface TakenSpent {
  readonly parts: readonly LotPart[]
  /** The time at which credits were last taken. */
  readonly at_ms: number
}

export interface Credited {
  readonly entry: number
  readonly at_ms: number
  readonly wallet: number
  readonly lot: number
}

/** A rule that charges the saved card of a wallet when its available credits fall below an amount. */
export interface TopUpRule {
  readonly below: MicroCredits
  readonly credits: MicroCredits
  readonly price_cents: number
  readonly max_cents_a_month: number
  /** The maximum number of top-ups in a UTC day; null for no limit. */
  readonly max_a_day: number | null
  readonly enabled: boolean
}

export const PAUSE_REASONS = ['no_payment_method', 'declined', 'monthly_limit', 'daily_limit'] as const
export type PauseReason = (typeof PAUSE_REASONS)[number]

/** The payer of a wallet. A wallet has one row after its first payment or top-up rule, until its owner is erased. */
export interface Payer {
  readonly owner: WalletOwner
  /** The numbers of the pending checkouts. */
  readonly open: readonly number[]
  /**
   * The id of the customer at Stripe, and the return addresses of the checkout that saved the card. `customer` and
   * `urls` are absent until a card is saved.
   */
  readonly customer?: string
  readonly urls?: ReturnUrls
  readonly rule?: TopUpRule
  readonly paused?: PauseReason
  /** The number of the top-up without an outcome. There is at most one, even if the rule is replaced. */
  readonly in_flight?: number
  readonly last_top_up?: number
  /** The number of consecutive declined charges, and the fingerprint of the last declined card. */
  readonly declines: number
  readonly declined_card?: string | null
  /**
   * The total price of the top-ups in a UTC month, and the number of top-ups on a UTC day. The two values include
   * top-ups that can still be charged, and are kept when the rule ends.
   */
  readonly month: { readonly start_ms: number; readonly cents: number }
  readonly day: { readonly start_ms: number; readonly count: number }
}

export function newPayer(owner: WalletOwner): Payer {
  return { owner, open: [], declines: 0, month: { start_ms: 0, cents: 0 }, day: { start_ms: 0, count: 0 } }
}

/** Reports whether a payment has not failed. A failed payment does not count towards the limits of top-ups. */
export function mayBePaid({ status }: Payment): boolean {
  return status !== 'failed'
}

/** Reports whether a payment has no outcome yet. */
export function isUnsettled({ status }: Pick<Payment, 'status'>): boolean {
  return status === 'pending' || status === 'action_required'
}

/** The number of payments by status. Failed payments are counted until they are deleted. */
export type PaymentCounts = Record<PaymentStatus, number>

export const NO_PAYMENTS: Readonly<PaymentCounts> = Object.freeze({
  pending: 0,
  succeeded: 0,
  failed: 0,
  action_required: 0,
  refunded: 0,
  disputed: 0,
})

/**
 * The counts of a ledger's payments, for operators. They are totals and not differences, so a repeated or late report
 * is harmless.
 */
export interface PaymentFigures extends Readonly<PaymentCounts> {
  /** The creation time of the oldest payment without an outcome; null if none is open. */
  readonly oldest_open_at_ms: number | null
  /**
   * The number of paused top-ups that will be tried again at a known time. Top-ups without a customer at Stripe are not
   * counted, because they have no known time.
   */
  readonly top_ups_paused: number
}

const PICO_PER_CENT = 10_000_000_000n

/** Converts cents to the price of a lot. */
export function centsToUsd(cents: number): UsdParts {
  return usdToParts(picoUsd(BigInt(cents) * PICO_PER_CENT))
}
