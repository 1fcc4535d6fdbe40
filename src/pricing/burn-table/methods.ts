import { createHash } from 'node:crypto'
import { windowOf } from '../../time/windows.ts'
import type { Rational, UnitPrices } from '../catalogue/notation.ts'
import { exactPrice } from '../cost/cost.ts'
import { type PriceList, priceList } from '../cost/price-list.ts'
import { ceilDivide, type PicoUsd } from '../money.ts'
import { isUsageUnit, USAGE_UNITS, type UsageUnit } from '../units.ts'
import { type CompiledMatch, matchText } from './choice.ts'
import {
  AMOUNT_DECIMALS,
  type BurnRule,
  type CostPlus,
  type Flat,
  type Package,
  type Period,
  type PerUnit,
  QUANTITY_DECIMALS,
  readDecimal,
  type Tiered,
} from './definition.ts'
import { compileTiers, TIER_CHARGE_SCALE, tierCharge } from './tiers.ts'
import { QUANTITY_SCALE, quantityOf, type Used } from './units.ts'

/** The charging method of a rule, compiled for arithmetic. `charge` returns the exact charge in credits. */
export type CompiledMethod =
  | {
      readonly needs: 'cost'
      /** Returns `(cost * per_pico_usd + fixed) / denominator`. */
      readonly charge: (cost: PicoUsd) => Rational
      readonly per_pico_usd: bigint
      readonly fixed: bigint
      readonly denominator: bigint
    }
  | {
      readonly needs: 'usage'
      /** Returns whether the rule has a rate for the unit. */
      readonly names: (unit: string) => boolean
      readonly charge: (used: Used) => Rational
    }
  | {
      readonly needs: 'usage_of_period'
      readonly unit: string
      readonly counterAt: (at_ms: number) => Counter
      /** Returns the charge for `quantity` units after `before` units in the same period, both in 1e-9 of the unit. */
      readonly charge: (before: bigint, quantity: bigint) => Rational
    }

/** A counter of the units that a wallet uses under a tiered rule. It restarts at the end of each period. */
export interface Counter {
  readonly key: string
  readonly resets_at_ms: number
}

/** The table and the match of a rule. Together with the unit and the period, they identify the rule's counter. */
export interface RuleName {
  readonly table_id: string
  readonly match: CompiledMatch
}

export function compileMethod(rule: BurnRule, name: RuleName, credits_per_usd: bigint): CompiledMethod {
  switch (rule.method) {
    case 'cost_plus':
      return costPlus(rule, credits_per_usd)
    case 'per_unit':
      return perUnit(rule)
    case 'flat':
      return flat(rule)
    case 'tiered':
      return tiered(rule, name)
    case 'package':
      return packages(rule)
  }
}

const AMOUNT_SCALE = 10n ** BigInt(AMOUNT_DECIMALS)
const USD_SCALE = 10n ** 12n
const HUNDRED_PERCENT = 100n * AMOUNT_SCALE

function costPlus({ markup_percent, fixed }: CostPlus, credits_per_usd: bigint): CompiledMethod {
  const denominator = USD_SCALE * AMOUNT_SCALE * HUNDRED_PERCENT
  const per_pico_usd = credits_per_usd * (HUNDRED_PERCENT + readDecimal(markup_percent, AMOUNT_DECIMALS))
  const fee = readDecimal(fixed ?? '0', AMOUNT_DECIMALS) * USD_SCALE * HUNDRED_PERCENT
  return {
    needs: 'cost',
    charge: (cost) => ({ numerator: cost * per_pico_usd + fee, denominator }),
    ...{ per_pico_usd, fixed: fee, denominator },
  }
}

function flat({ amount, unit }: Flat): CompiledMethod {
  const each = readDecimal(amount, AMOUNT_DECIMALS)
  if (unit === undefined) {
    return {
      needs: 'usage',
      names: () => true,
      charge: () => ({ numerator: each, denominator: AMOUNT_SCALE }),
    }
  }
  const denominator = AMOUNT_SCALE * QUANTITY_SCALE
  return {
    needs: 'usage',
    names: (name) => name === unit,
    charge: (used) => ({ numerator: each * quantityOf(unit, used), denominator }),
  }
}

function packages({ unit, size, amount }: Package): CompiledMethod {
  const of = readDecimal(size, QUANTITY_DECIMALS)
  const each = readDecimal(amount, AMOUNT_DECIMALS)
  return {
    needs: 'usage',
    names: (name) => name === unit,
    charge: (used) => ({
      numerator: ceilDivide(quantityOf(unit, used), of) * each,
      denominator: AMOUNT_SCALE,
    }),
  }
}

function tiered(rule: Tiered, name: RuleName): CompiledMethod {
  const { unit, period } = rule
  const compiled = compileTiers(rule)
  const key = counterKey(name, unit, period)
  return {
    needs: 'usage_of_period',
    unit,
    counterAt: (at_ms) => ({ key, resets_at_ms: windowOf(period, null, at_ms).end_ms }),
    charge: (before, quantity) => ({
      numerator: tierCharge(compiled, before, quantity),
      denominator: TIER_CHARGE_SCALE,
    }),
  }
}

/**
 * Returns the key of a rule's counter. It depends only on the table, the unit, the period and the match of the rule. A
 * new version of the table that changes only prices therefore continues the count. The key has only 16 characters of
 * base64url (96 bits), because a wallet stores the counters of all rules.
 */
function counterKey({ table_id, match }: RuleName, unit: string, period: Period): string {
  return createHash('sha256')
    .update(JSON.stringify([table_id, unit, period, matchText(match)]))
    .digest('base64url')
    .slice(0, 16)
}

/**
 * Compiles a rule with rates per unit. Charges canonical units by the same arithmetic as the cost of a provider, and
 * adds the charges of the customer's own units.
 */
function perUnit({ rates }: PerUnit): CompiledMethod {
  const list = canonicalRates(rates)
  const custom = customRates(rates)
  const denominator = list.denominator * USD_SCALE * custom.denominator
  return {
    needs: 'usage',
    names: (unit) => Object.hasOwn(rates, unit),
    charge: (used) => {
      let ofCustom = 0n
      for (const { unit, weight } of custom.weights) ofCustom += quantityOf(unit, used) * weight
      const { numerator } = exactPrice(list, used.usage)
      return {
        numerator: numerator * custom.denominator + ofCustom * list.denominator * USD_SCALE,
        denominator,
      }
    },
  }
}

/**
 * Converts the rates of canonical units to a price list in credits. The price list of a provider does not bill images
 * and video if the usage has output tokens. This list bills all of them if the rule has rates for them.
 */
function canonicalRates(rates: PerUnit['rates']): PriceList {
  const prices = new Map<UsageUnit, { base: Rational; tiers: []; sizes: Map<string, Rational> }>()
  for (const [unit, { amount, per }] of Object.entries(rates)) {
    if (!isUsageUnit(unit)) continue
    const numerator = readDecimal(amount, AMOUNT_DECIMALS) * QUANTITY_SCALE * BigInt(USAGE_UNITS[unit].per)
    const denominator = readDecimal(per, QUANTITY_DECIMALS) * AMOUNT_SCALE
    prices.set(unit, { base: { numerator, denominator }, tiers: [], sizes: new Map() })
  }
  const quoted: UnitPrices = prices
  const list = priceList(quoted, { version: 'burn table' })
  return { ...list, standIns: [], entries: list.entries.map((entry) => ({ ...entry, unless: undefined })) }
}

interface CustomRates {
  /**
   * The weight of each unit. The charge in credits is the sum of all quantities (in 1e-9 of the unit) multiplied by
   * their weights, divided by `denominator`.
   */
  readonly weights: readonly { readonly unit: string; readonly weight: bigint }[]
  readonly denominator: bigint
}

function customRates(rates: PerUnit['rates']): CustomRates {
  const custom = Object.entries(rates).flatMap(([unit, { amount, per }]) =>
    isUsageUnit(unit)
      ? []
      : [
          {
            unit,
            amount: readDecimal(amount, AMOUNT_DECIMALS),
            per: readDecimal(per, QUANTITY_DECIMALS),
          },
        ],
  )
  const common = custom.reduce((multiple, { per }) => leastCommonMultiple(multiple, per), 1n)
  return {
    weights: custom.map(({ unit, amount, per }) => ({ unit, weight: amount * (common / per) })),
    denominator: common * AMOUNT_SCALE,
  }
}

function leastCommonMultiple(a: bigint, b: bigint): bigint {
  return (a / greatestCommonDivisor(a, b)) * b
}

export function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b)
}
