/**
 * A burn table as its customer writes it and as it is stored: plain JSON. Amounts are plain decimals in strings, in
 * credits unless their name says USD; `checkBurnTable` says what is wrong with one, `compileBurnTable` makes it ready.
 */
export interface BurnTableDefinition {
  readonly name: string
  /** Above 0. */
  readonly credits_per_usd: string
  readonly rounding: Rounding
  /** What an event that costs anything costs at least. */
  readonly min_charge: string
  /** What becomes of an event whose charge needs a provider's cost that nobody knows. */
  readonly on_unpriced: OnUnpriced
  readonly rules: readonly BurnRule[]
}

export interface Rounding {
  readonly mode: RoundingMode
  /** Charges are multiples of this many credits. */
  readonly step: string
}

export const ROUNDING_MODES = ['half_even', 'ceil', 'floor'] as const
export type RoundingMode = (typeof ROUNDING_MODES)[number]

export const ON_UNPRICED = ['flag', 'reject', 'ceiling'] as const
export type OnUnpriced = (typeof ON_UNPRICED)[number]

export type BurnRule = { readonly match: RuleMatch } & BurnMethod

/** Each a name, the beginning of names and `*`, or `*` alone for any, which is also what a missing one means. */
export interface RuleMatch {
  readonly feature?: string | undefined
  readonly provider?: string | undefined
  readonly model?: string | undefined
}

export type BurnMethod = CostPlus | PerUnit | Flat | Tiered | Package

/** The provider's cost and a markup, and a fixed fee an event. */
export interface CostPlus {
  readonly method: 'cost_plus'
  readonly markup_percent: string
  readonly fixed?: string | undefined
}

/** A rate for each unit; of canonical units the parts are billed at their own rate and not again in their whole. */
export interface PerUnit {
  readonly method: 'per_unit'
  readonly rates: Readonly<Record<string, Rate>>
}

/** `amount` credits for each `per` of the unit. */
export interface Rate {
  readonly amount: string
  readonly per: string
}

/** The same for every event, or for each one of a unit. */
export interface Flat {
  readonly method: 'flat'
  readonly amount: string
  readonly unit?: string | undefined
}

/** By how much of the unit the wallet has used in the period. */
export interface Tiered {
  readonly method: 'tiered'
  /** graduated: each unit at the price of its tier; volume: all units of an event at the tier the total has come to. */
  readonly mode: TierMode
  readonly unit: string
  /** Units of a period that cost nothing; tiers count after them. */
  readonly free?: string | undefined
  readonly period: Period
  readonly tiers: readonly Tier[]
}

export interface Tier {
  /** The last unit of the tier, counted from the beginning of the period; null in the last tier. */
  readonly up_to: string | null
  readonly unit_amount: string
  /** Charged once a period, with the first event that enters the tier. */
  readonly flat_amount?: string | undefined
}

export const TIER_MODES = ['graduated', 'volume'] as const
export type TierMode = (typeof TIER_MODES)[number]

export const PERIODS = ['DAILY', 'WEEKLY', 'MONTHLY'] as const
/** Of the UTC calendar; weeks begin on Monday. */
export type Period = (typeof PERIODS)[number]

/** `amount` for every begun `size` of the unit. */
export interface Package {
  readonly method: 'package'
  readonly unit: string
  readonly size: string
  readonly amount: string
}

export const MAX_RULES = 200
export const MAX_RATES = 50
export const MAX_TIERS = 50

/** Amounts have at most this many decimals. */
export const AMOUNT_DECIMALS = 12
/** Quantities of a unit have at most this many: seconds are exact to the nanosecond. */
export const QUANTITY_DECIMALS = 9
