import { parseDecimal } from '../money.ts'

/**
 * The definition of a burn table, in the JSON form in which it is stored. Numbers are decimal strings. Amounts are in
 * credits. `checkBurnTable` finds errors in a definition. `compileBurnTable` prepares a definition for use.
 */
export interface BurnTableDefinition {
  readonly name: string
  /** The number of credits for one USD; above 0. */
  readonly credits_per_usd: string
  readonly rounding: Rounding
  /** The minimum charge in credits of an event whose exact charge is above 0. */
  readonly min_charge: string
  /** The treatment of an event whose charge depends on the provider's cost, if the cost is unknown. */
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
 * A rate per unit. Some canonical units are part of another unit: cached tokens are part of the input tokens. A part
 * with its own rate is not billed again at the rate of the other unit.
 */
export interface PerUnit {
  readonly method: 'per_unit'
  readonly rates: Readonly<Record<string, Rate>>
}

/** A rate: `amount` credits for every `per` units. */
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

/** A price that depends on how much of the unit the wallet has already used in the period. */
export interface Tiered {
  readonly method: 'tiered'
  /**
   * The tier mode. With `graduated`, each unit has the price of its own tier. With `volume`, all units of an event have
   * the price of the tier that the usage reaches with the event.
   */
  readonly mode: TierMode
  readonly unit: string
  /** The number of free units in a period. Tiers begin after the free units. */
  readonly free?: string | undefined
  readonly period: Period
  readonly tiers: readonly Tier[]
}

export interface Tier {
  /** The usage at which the tier ends, inclusive, without the free units; null in the last tier. */
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

/** A price per package: `amount` credits for every started package of `size` units. */
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
 * Reads an amount or a quantity of a stored definition. Returns it in units of 10^-`decimals`. Throws if the text is
 * not a decimal, is negative or has more than `decimals` decimals.
 */
export function readDecimal(text: string, decimals: number): bigint {
  const value = parseDecimal(text, decimals)
  if (typeof value !== 'bigint' || value < 0n) throw new Error(`invalid amount in a burn table: ${text}`)
  return value
}
