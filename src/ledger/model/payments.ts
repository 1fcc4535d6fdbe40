import { type MicroCredits, picoUsd, type UsdParts, usdToParts } from '../../pricing/money.ts'
import type { LotPart } from './lots.ts'
import type { WalletOwner } from './vocabulary.ts'

/**
 * Payments through Stripe, and who pays for a wallet. Amounts of money are whole cents of USD, as Stripe charges them.
 */

export const PAYMENT_STATUSES = [
  'pending',
  'succeeded',
  'failed',
  /** The owner of the card must confirm a top-up, at `url`. */
  'action_required',
  'refunded',
  'disputed',
] as const
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number]

export const PAYMENT_TYPES = ['checkout', 'top_up'] as const

/** The pages to which Stripe sends the buyer back. */
export interface ReturnUrls {
  readonly success: string
  readonly cancel: string
}

/** A saved card. The fingerprint is the same for the same card number. */
export interface Card {
  readonly id: string
  readonly fingerprint: string | null
}

export interface PaymentFailure {
  /** Stripe's code (`card_declined`), or one of ours. */
  readonly code: string
  readonly message: string
}

/** A payment. Its row exists before Stripe is called, with the request; the outcome is added later. */
export interface Payment {
  readonly number: number
  readonly created_at_ms: number
  readonly type: (typeof PAYMENT_TYPES)[number]
  readonly owner: WalletOwner
  readonly credits: MicroCredits
  readonly price_cents: number
  /** The lifetime of its lot in days; absent: the lot does not expire. */
  readonly expires_in_days?: number
  readonly credit_pack_id?: string
  /** The name that Stripe shows to the buyer. */
  readonly product: string
  readonly urls: ReturnUrls
  readonly saves_card?: true
  /** Stripe's customer of the wallet, if there was one. */
  readonly customer?: string
  /** The card of a top-up. */
  readonly card?: Card
  readonly status: PaymentStatus
  /** Stripe's Checkout session, and its page while it can be paid. */
  readonly session_id?: string
  readonly url?: string
  /** Stripe's payment intent. */
  readonly intent_id?: string
  /** Whether the owner of the card must confirm and the page for it does not exist yet. */
  readonly needs_action?: true
  readonly receipt_url?: string
  readonly failure?: PaymentFailure
  /** The purchase that it made: the entry is in the same commit as `succeeded`. */
  readonly credited?: Credited
  readonly refunded_cents: number
  readonly disputed_cents: number
  /** The credits that refunds and disputes have claimed so far, and the part that was taken. */
  readonly asked_back: MicroCredits
  readonly taken_back: MicroCredits
  /** The share of the price that belongs to the credits taken from the payment's lot. */
  readonly taken_paid?: UsdParts
  /** The part of `taken_back` that was spent and therefore taken elsewhere in the wallet. */
  readonly spent?: TakenSpent
  /** The number of times that Stripe was asked about the payment and did not report an outcome. */
  readonly asked: number
  /** The next time to ask Stripe; null for never. */
  readonly ask_at_ms: number | null
}

/** Credits that were taken in place of spent ones, by lot, with the overdraft last. */
export interface TakenSpent {
  readonly parts: readonly LotPart[]
  /** The time when the last of them were taken. */
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
  /** Is null for no limit. */
  readonly max_a_day: number | null
  readonly enabled: boolean
}

export const PAUSE_REASONS = ['no_payment_method', 'declined', 'monthly_limit', 'daily_limit'] as const
export type PauseReason = (typeof PAUSE_REASONS)[number]

/** The payer of a wallet: one row for a wallet that has ever started a payment. */
export interface Payer {
  readonly owner: WalletOwner
  /** Checkouts that may still be paid. */
  readonly open: readonly number[]
  /** Stripe's customer, once a card was saved, and the return addresses of that checkout. */
  readonly customer?: string
  readonly urls?: ReturnUrls
  readonly rule?: TopUpRule
  readonly paused?: PauseReason
  /** The top-up that is being charged. There is at most one, even if the rule is replaced. */
  readonly in_flight?: number
  readonly last_top_up?: number
  /** The number of refused charges in a row, and the card of the last charge. */
  readonly declines: number
  readonly declined_card?: string | null
  /**
   * The top-ups of a UTC month and of a UTC day that were charged or may still be charged. The counts are kept when the
   * rule ends.
   */
  readonly month: { readonly start_ms: number; readonly cents: number }
  readonly day: { readonly start_ms: number; readonly count: number }
}

export function newPayer(owner: WalletOwner): Payer {
  return { owner, open: [], declines: 0, month: { start_ms: 0, cents: 0 }, day: { start_ms: 0, count: 0 } }
}

/** Whether a payment's money was received, or may still be: a failed payment counts towards no limit. */
export function mayBePaid({ status }: Payment): boolean {
  return status !== 'failed'
}

/** Whether the outcome of a payment is not known yet. */
export function isUnsettled({ status }: Pick<Payment, 'status'>): boolean {
  return status === 'pending' || status === 'action_required'
}

/** The number of payments by status. Failed ones are counted until they are deleted. */
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
 * The payments of a ledger in figures. The figures are absolute, so a repeated or late report is harmless.
 */
export interface PaymentFigures extends Readonly<PaymentCounts> {
  /** The creation time of the oldest payment without an outcome; null if none is open. */
  readonly oldest_open_at_ms: number | null
  /** The number of wallets whose top-up would charge but is paused. */
  readonly top_ups_paused: number
}

const PICO_PER_CENT = 10_000_000_000n

/** Cents as the price of a lot. */
export function centsToUsd(cents: number): UsdParts {
  return usdToParts(picoUsd(BigInt(cents) * PICO_PER_CENT))
}
