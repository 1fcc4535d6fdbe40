import type { Alert, AlertRules } from '../alerts.ts'
import type { Answered, Refused } from '../refusal.ts'
import type { Idempotency } from '../vocabulary.ts'

/** The rules of an alert that a change may leave out or replace. */
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
  /** Only this one. */
  readonly id?: string
}

export type AlertsResult = { readonly kind: 'done'; readonly answer: readonly Alert[] } | Refused
