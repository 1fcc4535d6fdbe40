import { parseDecimal } from '../money.ts'

/**
 * A burn table as written by the customer and as stored: plain JSON. Amounts are plain decimals in strings, in
 * credits unless their name has USD. `checkBurnTable` finds errors; `compileBurnTable` prepares it for use.
 */
export interface BurnTableDefinition {
  readonly name: string
  /** Above 0. */
  readonly credits_per_usd: string
  readonly rounding: Rounding
  /** The minimum charge of an event that is not free. */
  readonly min_charge: string
  /** The treatment of an event whose charge needs an unknown provider cost. */
  readonly on_unpriced: OnUnpriced
  readonly rules: readonly BurnRule[]
}

export interface Rounding {
  readonly mode: RoundingMode
  /** The number of credits of which every charge is a multiple. */
  readonly step: string
}

export const ROUNDING_MODES = ['half_even', 'ceil', 'floor'] as const
export type RoundingMode = (typeof ROUNDING_MODES)[number]

export const ON_UNPRICED = ['flag', 'reject', 'ceiling'] as const
export type OnUnpriced = (typeof ON_UNPRICED)[number]

export type BurnRule = { readonly match: RuleMatch } & BurnMethod

/** Each is a name, a prefix followed by `*`, or `*` alone; a missing one matches anything. */
export interface RuleMatch {
  readonly feature?: string | undefined
  readonly provider?: string | undefined
  readonly model?: string | undefined
}

export type BurnMethod = CostPlus | PerUnit | Flat | Tiered | Package

/** The provider's cost with a markup, and a fixed fee per event. */
export interface CostPlus {
  readonly method: 'cost_plus'
  readonly markup_percent: string
  readonly fixed?: string | undefined
}

/** A rate per unit; parts of canonical units are billed at their own rate and not again within their whole. */
export interface PerUnit {
  readonly method: 'per_unit'
  readonly rates: Readonly<Record<string, Rate>>
}

/** `amount` credits for each `per` of the unit. */
export interface Rate {
  readonly amount: string
  readonly per: string
}

/** The same amount for every event, or, with `unit`, for each `1` of the unit's quantity. */
export interface Flat {
  readonly method: 'flat'
  readonly amount: string
  readonly unit?: string | undefined
}

/** Priced by the quantity of the unit that the wallet has used in the period. */
export interface Tiered {
  readonly method: 'tiered'
  /** graduated: each unit at the price of its tier; volume: all units of an event at the tier of the new total. */
  readonly mode: TierMode
  readonly unit: string
  /** The free units of a period. Tiers begin after them. */
  readonly free?: string | undefined
  readonly period: Period
  readonly tiers: readonly Tier[]
}

export interface Tier {
  /** The last unit of the tier, counted from the beginning of the period; null in the last tier. */
  readonly up_to: string | null
  readonly unit_amount: string
  /** Charged once per period, with the first event that enters the tier. */
  readonly flat_amount?: string | undefined
}

export const TIER_MODES = ['graduated', 'volume'] as const
export type TierMode = (typeof TIER_MODES)[number]

export const PERIODS = ['DAILY', 'WEEKLY', 'MONTHLY'] as const
/** Periods of the UTC calendar; weeks begin on Monday. */
export type Period = (typeof PERIODS)[number]

/** `amount` for every started `size` of the unit. */
export interface Package {
  readonly method: 'package'
  readonly unit: string
  readonly size: string
  readonly amount: string
}

export const MAX_RULES = 200
export const MAX_RATES = 50
export const MAX_TIERS = 50

/** The maximum number of decimals of an amount. */
export const AMOUNT_DECIMALS = 12
/** The maximum number of decimals of a quantity: seconds are exact to the nanosecond. */
export const QUANTITY_DECIMALS = 9

/** Reads an amount of a stored definition. Throws on text that `checkBurnTable` does not accept. */
export function readDecimal(text: string, decimals: number): bigint {
  const value = parseDecimal(text, decimals)
  if (typeof value !== 'bigint' || value < 0n) throw new Error(`not an amount of a burn table: ${text}`)
  return value
}
