import { CREDIT_DECIMALS, USD_DECIMALS } from '../../pricing/money.ts'

export const LIMIT_UNITS = ['credits', 'events', 'tokens', 'usd'] as const

export type LimitUnit = (typeof LIMIT_UNITS)[number]

/** Decimals of a unit: its quantities are integers of the last of them (micro-credits, pico-USD). */
export const UNIT_DECIMALS: Readonly<Record<LimitUnit, number>> = {
  credits: CREDIT_DECIMALS,
  events: 0,
  tokens: 0,
  usd: USD_DECIMALS,
}

export type Level = 'user' | 'team' | 'customer'

/** Whether a feature without any row may be used. */
export type DefaultEntitlement = 'allow' | 'deny'

/** A feature and its user. */
export interface Subject {
  readonly feature_id: string
  readonly user_id?: string | undefined
  readonly team_id?: string | undefined
}

/** How much of each unit is used. */
export type Quantities = Readonly<Record<LimitUnit, bigint>>

/** A limit's count. Reservations of open holds count in every window until they end; uses count in their own window. */
export interface LimitCounter {
  /** Of the latest window in which something was counted. */
  readonly window_start_ms: number
  readonly used: bigint
  /** Absent when no open hold reserves anything. */
  readonly reserved?: bigint
}

/** The part of a counter that a hold reserves, plain JSON: a quantity above 2^53 is text. */
export type ReservedQuantity = readonly [counter: number, quantity: number | string]

/** A counted quantity and its counter, plain JSON: a quantity above 2^53 is text. Stored with each use that can be given back. */
export type Counted = readonly [counter: number, window_start_ms: number, quantity: number | string]

/** The field of an entry with its counted quantities; absent when nothing was counted. */
export interface Counts {
  readonly counted?: readonly Counted[]
}

/** Why a feature is off: its row disables it, or it has no row and the default is to deny. */
export type OffReason = 'feature_disabled' | 'feature_not_enabled'

/**
 * How much of a unit a wallet has used in the current period of each burn table's rule that asks: part of the wallet's
 * state, so that they move with its balance or not at all, and cost no row.
 */
export type PeriodCounters = Readonly<Record<string, PeriodCounter>>

export interface PeriodCounter {
  readonly resets_at_ms: number
  /** A plain decimal: sums of many quantities pass what a double holds. */
  readonly quantity: string
}

/** Returns the counters without those of past periods. */
export function currentCounters(counters: PeriodCounters, at_ms: number): PeriodCounters {
  const all = Object.entries(counters)
  const current = all.filter(([, { resets_at_ms }]) => resets_at_ms > at_ms)
  return current.length === all.length ? counters : Object.fromEntries(current)
}
