import type { CalendarPeriod } from '../../time/windows.ts'
import type { WalletOwner } from './vocabulary.ts'

export const ALERT_TYPES = [
  'balance_below',
  'spend_above',
  'limit_used',
  'lot_expiring',
  'runway_below',
] as const
export type AlertType = (typeof ALERT_TYPES)[number]

export const THRESHOLD_UNITS = ['credits', 'percent', 'days'] as const
export type ThresholdUnit = (typeof THRESHOLD_UNITS)[number]

/**
 * The number of decimal places of each unit. Thresholds and values are stored as integers without a decimal point: for
 * example, 1 credit as 1,000,000.
 */
export const THRESHOLD_DECIMALS: Readonly<Record<ThresholdUnit, number>> = { credits: 6, percent: 4, days: 4 }

/** The units that each type of alert accepts. */
export const UNITS_OF: Readonly<Record<AlertType, readonly ThresholdUnit[]>> = {
  balance_below: ['credits', 'percent'],
  spend_above: ['credits'],
  limit_used: ['percent'],
  lot_expiring: ['days'],
  runway_below: ['days'],
}

export const ALERT_PERIODS = [
  'HOURLY',
  'DAILY',
  'WEEKLY',
  'MONTHLY',
] as const satisfies readonly CalendarPeriod[]
export type AlertPeriod = (typeof ALERT_PERIODS)[number]

/** The rules of an alert on one wallet or one limit. The alert fires when its value passes the threshold. */
export interface AlertRules {
  readonly type: AlertType
  readonly unit: ThresholdUnit
  readonly threshold: number
  /** The value that a fired alert must pass in the opposite direction to arm again within a window. */
  readonly rearm_at: number
  /** The owner of the wallet or of the limit. */
  readonly owner: WalletOwner
  /** The feature of the limit. For spending, the only feature that is counted; absent if all features are counted. */
  readonly feature_id?: string
  /** The period in which spending is summed. */
  readonly period?: AlertPeriod
  readonly cooldown_ms: number
  readonly enabled: boolean
}

export interface RunwayState {
  readonly checked_at_ms: number
  /**
   * The runway at `checked_at_ms`, in 1/10,000 of a day. Null at the first check, within an hour after the oldest check
   * in `spent`, or if the wallet has spent nothing since that check.
   */
  readonly value: number | null
  /** The total spending of the wallet at some of the checks, in micro-credits, oldest first. */
  readonly spent: readonly (readonly [at_ms: number, micro: string])[]
}

/**
 * The state of an alert. It changes only if the alert fires, arms again or gets new rules, or if the alarm checks the
 * alert.
 */
export interface AlertState {
  /**
   * Whether the alert has fired and has not armed again. Also true if the value was past the threshold when the rules
   * were set.
   */
  readonly fired: boolean
  readonly fired_at_ms: number | null
  /**
   * The start of the window to which `fired` belongs, for an alert on spending or on a limit. The alert is armed in a
   * new window. Absent for a rolling window.
   */
  readonly window_start_ms?: number
  /**
   * The numbers of the lots about which an alert on expiring lots has notified the customer. Closed lots are removed
   * when the alert fires again.
   */
  readonly lots?: readonly number[]
  /** The last check of a runway. */
  readonly runway?: RunwayState
}

export interface Alert extends AlertRules {
  readonly id: string
  readonly created_at_ms: number
  readonly updated_at_ms: number
  readonly state: AlertState
}

/**
 * The maximum number of alerts in a ledger, of alerts of one owner, and of timed alerts. They are limited because each
 * commit evaluates the alerts on the wallets and limits that it changes, and the alarm evaluates the timed alerts.
 */
export const MAX_ALERTS = 1_000
export const MAX_ALERTS_A_WALLET = 50
export const MAX_TIMED_ALERTS = 100

export function isTimed({ type }: Pick<AlertRules, 'type'>): boolean {
  return type === 'lot_expiring' || type === 'runway_below'
}
