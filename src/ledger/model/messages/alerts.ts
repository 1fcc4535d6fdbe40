import type { Alert, AlertRules } from '../alerts.ts'
import type { Answered, Refused } from '../refusal.ts'
import type { Idempotency } from '../vocabulary.ts'

/** A change of an alert. `rules` are complete: a replacement keeps none of the previous rules. */
export type AlertChange =
  | { readonly kind: 'create'; readonly id: string; readonly rules: AlertRules }
  | { readonly kind: 'replace'; readonly id: string; readonly rules: AlertRules }
  | { readonly kind: 'delete'; readonly id: string }

export interface ChangeAlertMessage {
  readonly change: AlertChange
  readonly idempotency?: Idempotency
}

export type AlertResult = Answered<Alert> | Refused

export interface AlertsMessage {
  /** The id of the alert to return; absent for all alerts. */
  readonly id?: string
}

export type AlertsResult = { readonly kind: 'done'; readonly answer: readonly Alert[] } | Refused
