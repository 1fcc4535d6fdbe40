import type { Card } from '../model/payments.ts'

/**
 * The state of a payment at Stripe. The values are totals and not differences, so a repeated report has no effect, and
 * a late report includes all earlier changes.
 */
export type Report =
  | Paid
  /** The payment is not paid yet. The report contains the ids that are known so far. */
  | {
      readonly kind: 'open'
      readonly session_id?: string
      readonly url?: string
      readonly intent_id?: string
    }
  /** The card's owner must confirm the charge, but has no page for the confirmation yet. */
  | { readonly kind: 'needs_action'; readonly intent_id: string }
  | { readonly kind: 'action_required'; readonly session_id: string; readonly url: string }
  | {
      readonly kind: 'failed'
      readonly code: string
      readonly message: string
      /** Whether the failure counts towards the pause of the top-up. */
      readonly declined: boolean
      readonly intent_id?: string
    }
  /** A payment was made, but not as requested. The operator must decide what to do. */
  | { readonly kind: 'not_accepted'; readonly intent_id: string; readonly is_refunded: boolean }
  | { readonly kind: 'unknown'; readonly reason: string; readonly retry_after_ms?: number }

export interface Paid {
  readonly kind: 'paid'
  readonly intent_id: string
  readonly customer?: string
  readonly card?: Card
  readonly receipt_url?: string
  readonly refunded_cents: number
  /** The total amount of the disputes for which Stripe has taken money and not returned it. */
  readonly disputed_cents: number
}
