import type { CheckAnswer } from '../answers.ts'
import type { Entitlement, EntitlementPlace, EntitlementRules, LimitOwner, Subject } from '../limits.ts'
import type { Answered, Refused } from '../refusal.ts'
import type { Idempotency, PricedEvent } from '../vocabulary.ts'

export type EntitlementChange =
  | {
      readonly kind: 'create'
      readonly id: string
      readonly place: EntitlementPlace
      readonly rules: EntitlementRules
    }
  /** Replaces all rules. The feature and the owner cannot change, so they are optional. */
  | {
      readonly kind: 'replace'
      readonly id: string
      readonly place: { readonly feature_id?: string; readonly owner?: LimitOwner }
      readonly rules: EntitlementRules
    }
  | { readonly kind: 'delete'; readonly id: string }

export interface ChangeEntitlementMessage {
  readonly change: EntitlementChange
  readonly idempotency?: Idempotency
}

export type EntitlementResult = Answered<Entitlement> | Refused

export type EntitlementsQuestion =
  | { readonly kind: 'one'; readonly id: string }
  | {
      readonly kind: 'list'
      readonly feature_id?: string
      readonly owner?: LimitOwner
      readonly before_number: number | null
      readonly limit: number
    }

export interface EntitlementsMessage {
  readonly question: EntitlementsQuestion
}

export interface EntitlementsAnswer {
  /** The entitlements, newest first. */
  readonly entitlements: readonly Entitlement[]
  readonly next_before_number: number | null
}

export type EntitlementsResult = { readonly kind: 'done'; readonly answer: EntitlementsAnswer } | Refused

export interface CheckQuestion {
  readonly subject: Subject
  /** The expected use, as an event; null if the request has no estimate. */
  readonly event: PricedEvent | null
}

export interface CheckMessage {
  readonly question: CheckQuestion
  /** The lifetime of the hold on the estimate; null for no hold. A hold is opened only if the use is allowed. */
  readonly hold_ms: number | null
  /** The idempotency key of a check with a hold. A check without a hold changes nothing, so it needs no key. */
  readonly idempotency?: Idempotency
}

export interface CheckAndHoldMessage extends CheckMessage {
  readonly hold_ms: number
}

export type CheckResult = Answered<CheckAnswer> | Refused
