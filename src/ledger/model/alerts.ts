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

/** The decimals of each unit: thresholds and values are integers in its smallest decimal. */
export const THRESHOLD_DECIMALS: Readonly<Record<ThresholdUnit, number>> = { credits: 6, percent: 4, days: 4 }

/** The units that each type of alert takes. */
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

/** A watch on one wallet, or on one limit: it fires when its value passes the threshold. */
export interface AlertRules {
  readonly type: AlertType
  readonly unit: ThresholdUnit
  readonly threshold: number
  /** The value beyond which the alert arms again. */
  readonly rearm_at: number
  /** The owner of the wallet or of the limit. */
  readonly owner: WalletOwner
  /** The feature of a limit, or, for spending, the only feature that counts, if there is one. */
  readonly feature_id?: string
  /** The period of spending. */
  readonly period?: AlertPeriod
  readonly cooldown_ms: number
  readonly enabled: boolean
}

export interface RunwayState {
  readonly checked_at_ms: number
  /** The runway at `checked_at_ms`, in the unit's smallest part; null for no end. */
  readonly value: number | null
  /** The total spending of the wallet at earlier checks, in micro-credits, oldest first. */
  readonly spent: readonly (readonly [at_ms: number, micro: string])[]
}

/** Changes only in commits in which the alert fires or arms again, and at the checks of the alarm. */
export interface AlertState {
  /** Whether it has fired and is not armed again. */
  readonly fired: boolean
  readonly fired_at_ms: number | null
  /**
   * The start of the window in which an alert of spending or of a limit fired. The alert can fire again in a new
   * window.
   */
  readonly window_start_ms?: number
  /** The open lots of which an alert of expiring lots notified the customer. */
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

/** The limits of alerts: a commit decides the alerts of the wallets that it changes, an alarm the timed ones. */
export const MAX_ALERTS = 1_000
export const MAX_ALERTS_A_WALLET = 50
export const MAX_TIMED_ALERTS = 100

export function isTimed({ type }: Pick<AlertRules, 'type'>): boolean {
  return type === 'lot_expiring' || type === 'runway_below'
}
