import { parseDecimal } from '../money.ts'

/**
 * A burn table as written by the customer and as stored, in plain JSON. Numbers are plain decimals in strings.
 * Amounts are in credits. `checkBurnTable` finds errors. `compileBurnTable` prepares a definition for use.
 */
export interface BurnTableDefinition {
  readonly name: string
  /** The number of credits for one USD; above 0. */
  readonly credits_per_usd: string
  readonly rounding: Rounding
  /** The minimum charge of an event with a charge above 0. */
  readonly min_charge: string
  /** The treatment of an event if its charge depends on the provider's cost and the cost is unknown. */
  readonly on_unpriced: OnUnpriced
  readonly rules: readonly BurnRule[]
}

export interface Rounding {
  readonly mode: RoundingMode
  /** The rounding step in credits. Every charge is a multiple of the step or the minimum charge. */
  readonly step: string
}

export const ROUNDING_MODES = ['half_even', 'ceil', 'floor'] as const
export type RoundingMode = (typeof ROUNDING_MODES)[number]

export const ON_UNPRICED = ['flag', 'reject', 'ceiling'] as const
export type OnUnpriced = (typeof ON_UNPRICED)[number]

export type BurnRule = { readonly match: RuleMatch } & BurnMethod

/**
 * The conditions of a rule. Each condition is a name, a prefix followed by `*`, or `*` alone. A missing condition
 * matches every event.
 */
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

/**
 * A rate per unit. Parts of canonical units are billed at their own rate and not again as part of the containing
 * unit.
 */
export interface PerUnit {
  readonly method: 'per_unit'
  readonly rates: Readonly<Record<string, Rate>>
}

/** A rate: `amount` credits for each `per` of the unit. */
export interface Rate {
  readonly amount: string
  readonly per: string
}

/** A fixed amount for every event. With `unit`, the amount is multiplied by the quantity of the unit. */
export interface Flat {
  readonly method: 'flat'
  readonly amount: string
  readonly unit?: string | undefined
}

/** A price that depends on the quantity of the unit that the wallet has used in the period. */
export interface Tiered {
  readonly method: 'tiered'
  /**
   * The mode. graduated: each unit has the price of its tier. volume: all units of an event have the price of the
   * tier of the new total.
   */
  readonly mode: TierMode
  readonly unit: string
  /** The number of free units in a period. Tiers begin after the free units. */
  readonly free?: string | undefined
  readonly period: Period
  readonly tiers: readonly Tier[]
}

export interface Tier {
  /** The last unit of the tier, counted after the free units of the period; null in the last tier. */
  readonly up_to: string | null
  readonly unit_amount: string
  /** An amount that is charged once per period, with the first event that enters the tier. */
  readonly flat_amount?: string | undefined
}

export const TIER_MODES = ['graduated', 'volume'] as const
export type TierMode = (typeof TIER_MODES)[number]

export const PERIODS = ['DAILY', 'WEEKLY', 'MONTHLY'] as const
/** A period of the UTC calendar. Weeks begin on Monday. */
export type Period = (typeof PERIODS)[number]

/** A price of `amount` for every started `size` of the unit. */
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
/** The maximum number of decimals of a quantity. Seconds are exact to the nanosecond. */
export const QUANTITY_DECIMALS = 9

/**
 * Reads an amount of a stored definition. Throws if the text is not a decimal, is negative or has more than
 * `decimals` decimals.
 */
export function readDecimal(text: string, decimals: number): bigint {
  const value = parseDecimal(text, decimals)
  if (typeof value !== 'bigint' || value < 0n) throw new Error(`invalid amount in a burn table: ${text}`)
  return value
}
