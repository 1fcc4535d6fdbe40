import { join } from 'node:path'
import Fraction from 'fraction.js'
import { findProvider, type ProviderRef } from '../../src/pricing/catalogue/catalogue.ts'
import {
  type BreakdownLine,
  type CostRequest,
  type CostResult,
  providerCost,
} from '../../src/pricing/cost/cost.ts'
import { formatUsd } from '../../src/pricing/money.ts'

/**
 * The folder of the acceptance data. `SHARED_DATA` names it; by default, it is `shared/data` next to the repository.
 */
export const sharedData = process.env.SHARED_DATA ?? join(import.meta.dirname, '../../../shared/data')

const PICO = 1_000_000_000_000n

/**
 * Returns an amount in USD as an exact fraction. A string is a decimal in USD, with or without an exponent. A bigint is
 * an amount in pico-USD.
 */
export function exactUsd(amount: string | bigint): Fraction {
  if (typeof amount === 'bigint') return new Fraction(amount, PICO)
  const [mantissa = '', exponent = '0'] = amount.toLowerCase().split('e')
  return new Fraction(mantissa).mul(new Fraction(10).pow(Number(exponent)) ?? 0)
}

export function provider(name: string): ProviderRef {
  const found = findProvider(name)
  if (found === undefined) throw new Error(`no provider ${name}`)
  return found
}

/** A time at which no model in the tests has a special price, for example for peak hours. */
export const SOME_DAY_MS = Date.parse('2026-11-22T12:00:00Z')

type Conditions = Omit<Partial<CostRequest>, 'provider' | 'model' | 'usage'> & { readonly at?: string }

export function price(
  name: string,
  model: string,
  usage: CostRequest['usage'],
  conditions: Conditions = {},
): CostResult {
  const { at, ...others } = conditions
  const at_ms = at === undefined ? SOME_DAY_MS : Date.parse(at)
  return providerCost({ provider: provider(name), model, usage, at_ms, ...others })
}

/** Returns the cost as a decimal text in USD, or the reason why the cost is unknown. */
export function usd(...args: Parameters<typeof price>): string {
  const result = price(...args)
  return result.kind === 'priced' ? formatUsd(result.cost) : result.reason
}

export function linesOf(result: CostResult): readonly BreakdownLine[] {
  if (result.kind === 'unpriced') throw new Error(`unpriced: ${result.reason}`)
  return result.breakdown()
}
