import type { MicroCredits } from '../../../pricing/money.ts'
import type { PauseReason, Payment, ReturnUrls, TopUpRule } from '../payments.ts'
import type { Refused } from '../refusal.ts'
import type { WalletOwner } from '../vocabulary.ts'

/** A payment on Stripe's own page. */
export interface CheckoutMessage {
  readonly owner: WalletOwner
  readonly credits: MicroCredits
  readonly price_cents: number
  readonly product: string
  readonly expires_in_days?: number
  readonly credit_pack_id?: string
  readonly urls: ReturnUrls
  readonly saves_card: boolean
  /** Whether Stripe's page is one of an unknown payer, although the wallet's payer is known. */
  readonly as_guest: boolean
}

export interface CheckoutAnswer {
  readonly payment_id: string
  readonly url: string
}

/**
 * News of a payment. The reference finds a payment whose session the ledger does not know because Stripe's
 * answer was lost.
 */
export interface CheckPaymentMessage {
  readonly number: number
  /** The id of a Checkout session or a payment intent that names the payment. */
  readonly reference?: string
}

/** One payment, or payments below a number, newest first. */
export type PaymentsMessage =
  | { readonly number: number }
  | { readonly before: number | null; readonly limit: number }

/** A payment with the ids that name it and what it made. */
export interface PaymentAnswer extends Payment {
  readonly payment_id: string
  readonly transaction_id: string | null
}

export interface PaymentsAnswer {
  readonly payments: readonly PaymentAnswer[]
  /** The number before which the next page begins; null after the last page. */
  readonly before: number | null
}

/** The new rule, which replaces the earlier one; null ends the automatic top-up. */
export interface SetTopUpMessage {
  readonly owner: WalletOwner
  readonly rule: TopUpRule | null
}

export interface TopUpAnswer {
  readonly wallet_id: string
  readonly rule: TopUpRule
  readonly paused: PauseReason | null
  readonly last_attempt: PaymentAnswer | null
  readonly spent_cents_this_month: number
}

export type PaymentsResult<T> = { readonly kind: 'done'; readonly answer: T } | Refused
