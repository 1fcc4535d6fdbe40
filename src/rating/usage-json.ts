import { type ExactNumber, exactNumber } from '../http/output/json.ts'
import { formatDecimal } from '../pricing/money.ts'
import { SECONDS_DECIMALS } from '../pricing/usage.ts'

/** Quantities as plain decimals: a double below 1e-6, which only fractions of seconds are, writes an exponent. */
export function usageJson(usage: Readonly<Record<string, number>>): Record<string, ExactNumber> {
  return Object.fromEntries(Object.entries(usage).map(([unit, quantity]) => [unit, quantityJson(quantity)]))
}

export function quantityJson(quantity: number): ExactNumber {
  if (quantity >= 1e-6 || quantity === 0) return quantity
  return exactNumber(formatDecimal(BigInt(Math.round(quantity * 10 ** SECONDS_DECIMALS)), SECONDS_DECIMALS))
}
