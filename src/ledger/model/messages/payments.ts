import type { MicroCredits } from '../../../pricing/money.ts'
import type { PauseReason, Payment, ReturnUrls, TopUpRule } from '../payments.ts'
import type { Refused } from '../refusal.ts'
import type { WalletOwner } from '../vocabulary.ts'

/** A request to open a checkout: a payment on a page that Stripe hosts. */
export interface CheckoutMessage {
  readonly owner: WalletOwner
  readonly credits: MicroCredits
  readonly price_cents: number
  readonly product: string
  readonly expires_in_days?: number
  readonly credit_pack_id?: string
  readonly urls: ReturnUrls
  readonly saves_card: boolean
  /** Whether the page must not use the saved Stripe customer of the wallet. */
  readonly as_guest: boolean
}

export interface CheckoutAnswer {
  readonly payment_id: string
  readonly url: string
}

/**
 * A request to check a payment with Stripe. `reference` is needed if Stripe's response was lost, because the ledger
 * then does not know the payment's id at Stripe.
 */
export interface CheckPaymentMessage {
  readonly number: number
  /** The id of a Checkout session or a payment intent whose metadata names the payment. */
  readonly reference?: string
}

/** A request for one payment, or for a page of payments with numbers below `before`, newest first. */
export type PaymentsMessage =
  | { readonly number: number }
  | { readonly before: number | null; readonly limit: number }

/** A payment with its public id, and the id of the transaction that added its credits. */
export interface PaymentAnswer extends Payment {
  readonly payment_id: string
  readonly transaction_id: string | null
}

export interface PaymentsAnswer {
  readonly payments: readonly PaymentAnswer[]
  /** The `before` of the next page; null on the last page. */
  readonly before: number | null
}

/** A request to replace the rule of a wallet's automatic top-up. If `rule` is null, the top-up ends. */
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
