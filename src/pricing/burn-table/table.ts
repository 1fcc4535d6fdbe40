import {
  CREDIT_DECIMALS,
  divideHalfEven,
  formatDecimal,
  type PicoUsd,
  picoUsd,
  USD_DECIMALS,
  ZERO_USD,
} from '../money.ts'
import {
  type CompiledMatch,
  compareSpecificity,
  compileMatch,
  type Described,
  matchesSubject,
  subjectOf,
} from './choice.ts'
import {
  AMOUNT_DECIMALS,
  type BurnRule,
  type BurnTableDefinition,
  type OnUnpriced,
  type RoundingMode,
  readDecimal,
} from './definition.ts'
import { type CompiledMethod, compileMethod } from './methods.ts'

/**
 * A compiled definition, which converts usage and its provider cost to credits. The charging method of a rule is
 * compiled on the first match of the rule, because most rules never match.
 */
export interface BurnTable {
  /** The table's id; null for the deployment's default table. */
  readonly id: string | null
  /**
   * The version number that ledger entries record. It is never reused for another version. The default table has
   * version 1. The versions of a customer's tables begin at 2.
   */
  readonly version: number
  readonly on_unpriced: OnUnpriced
  /** The number of credits for one USD, in units of 1e-12 credits. */
  readonly credits_per_usd: bigint
  readonly rounding: { readonly mode: RoundingMode; readonly step_micro: bigint }
  readonly min_charge_micro: bigint
  /** Returns the charging method of the most specific rule that matches an event. */
  readonly methodFor: (event: Described) => CompiledMethod
}

/** The version that a ledger entry records if the default table rated the event. */
export const DEFAULT_VERSION = 1

/** The deployment's default number of credits per USD and default markup in percent, both in units of 1e-6. */
export interface BurnDefaults {
  readonly credits_per_usd_micro: bigint
  readonly markup_percent_micro: bigint
}

/**
 * Returns the default table, which applies when no table of the customer is in force. It has the deployment's credits
 * per USD and markup.
 */
export function defaultBurnTable(defaults: BurnDefaults): BurnTable {
  return compileBurnTable(defaultDefinition(defaults), { id: null, version: DEFAULT_VERSION }, defaults)
}

export function defaultDefinition({ credits_per_usd_micro }: BurnDefaults): BurnTableDefinition {
  return {
    name: 'Default',
    credits_per_usd: formatDecimal(credits_per_usd_micro, 6),
    rounding: { mode: 'half_even', step: '0.000001' },
    min_charge: '0',
    on_unpriced: 'flag',
    rules: [],
  }
}

/** Compiles a definition. `checkBurnTable` must have accepted the definition. */
export function compileBurnTable(
  definition: BurnTableDefinition,
  { id, version }: { readonly id: string | null; readonly version: number },
  defaults: BurnDefaults,
): BurnTable {
  const credits_per_usd = readDecimal(definition.credits_per_usd, AMOUNT_DECIMALS)
  return {
    id,
    version,
    on_unpriced: definition.on_unpriced,
    credits_per_usd,
    rounding: {
      mode: definition.rounding.mode,
      step_micro: readDecimal(definition.rounding.step, CREDIT_DECIMALS),
    },
    min_charge_micro: readDecimal(definition.min_charge, CREDIT_DECIMALS),
    methodFor: ruleChooser(definition.rules, id ?? 'default', credits_per_usd, defaults),
  }
}

interface CompiledRule {
  readonly rule: BurnRule
  readonly match: CompiledMatch
  method: CompiledMethod | undefined
}

function ruleChooser(
  rules: readonly BurnRule[],
  table_id: string,
  credits_per_usd: bigint,
  defaults: BurnDefaults,
): BurnTable['methodFor'] {
  const compile = (rule: BurnRule, match: CompiledMatch) =>
    compileMethod(rule, { table_id, match }, credits_per_usd)
  const markup_percent = formatDecimal(defaults.markup_percent_micro, 6)
  const defaultRule = compile({ match: {}, method: 'cost_plus', markup_percent }, compileMatch({}))
  const sorted = rules
    .map((rule): CompiledRule => ({ rule, match: compileMatch(rule.match), method: undefined }))
    .sort((a, b) => compareSpecificity(a.match, b.match))
  if (sorted.length === 0) return () => defaultRule
  return (event) => {
    const subject = subjectOf(event)
    const found = sorted.find(({ match }) => matchesSubject(match, subject))
    if (!found) return defaultRule
    found.method ??= compile(found.rule, found.match)
    return found.method
  }
}

/**
 * Returns the most specific rule of a definition that matches an event. If no rule matches, returns a rule with the
 * deployment's default markup.
 */
export function ruleFor({ rules }: BurnTableDefinition, defaults: BurnDefaults, event: Described): BurnRule {
  const subject = subjectOf(event)
  const found = rules
    .map((rule) => ({ rule, match: compileMatch(rule.match) }))
    .sort((a, b) => compareSpecificity(a.match, b.match))
    .find(({ match }) => matchesSubject(match, subject))
  const markup_percent = formatDecimal(defaults.markup_percent_micro, 6)
  return found?.rule ?? { match: {}, method: 'cost_plus', markup_percent }
}

/**
 * The factor that converts micro-credits to pico-USD: pico-USD = micro-credits * `PRICE_SCALE` / `credits_per_usd`,
 * with `credits_per_usd` in units of 1e-12 credits.
 */
export const PRICE_SCALE = 10n ** BigInt(AMOUNT_DECIMALS - CREDIT_DECIMALS + USD_DECIMALS)

/** Returns the value of `credits_micro` in USD, rounded half-even to 1e-12. */
export function priceOf(table: BurnTable, credits_micro: bigint): PicoUsd {
  return credits_micro === 0n
    ? ZERO_USD
    : picoUsd(divideHalfEven(credits_micro * PRICE_SCALE, table.credits_per_usd))
}

/**
 * Returns the margin as a percentage of the price, in units of 1e-4 percent, rounded half-even; null if the price is 0.
 */
export function marginOf(price: PicoUsd, cost: PicoUsd): bigint | null {
  return price === 0n ? null : divideHalfEven((price - cost) * 1_000_000n, price)
}
