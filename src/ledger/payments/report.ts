import type { Card } from '../model/payments.ts'

/** The state of a payment at Stripe. The values are absolute, so repeated and late reports have the same effect. */
export type Report =
  | Paid
  /** The payment is not paid yet. The report has the ids that are known now. */
  | {
      readonly kind: 'open'
      readonly session_id?: string
      readonly url?: string
      readonly intent_id?: string
    }
  /** The card's owner must confirm the charge, and has no page for it yet. */
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
  /** Paid, but not as it was requested: a person decides. */
  | { readonly kind: 'not_accepted'; readonly intent_id: string; readonly is_refunded: boolean }
  | { readonly kind: 'unknown'; readonly reason: string; readonly retry_after_ms?: number }

export interface Paid {
  readonly kind: 'paid'
  readonly intent_id: string
  readonly customer?: string
  readonly card?: Card
  readonly receipt_url?: string
  readonly refunded_cents: number
  /** The amount of open and lost disputes. */
  readonly disputed_cents: number
}
