import {
  divideHalfEven,
  formatDecimal,
  formatUsd,
  type PicoUsd,
  parseDecimal,
  USD_DECIMALS,
} from '../money.ts'

/** A gateway's figure that differs from ours by more than this is worth a look. */
const TOLERANCE_PER_CENT = 1n

/**
 * What to say when a gateway's own cost (OpenRouter's `usage.cost` and the like) is more than 1 % away from
 * the price list's. Ours stands: the reported one may contain credits, rounding, or nothing at all.
 */
export function reportedCostWarning(cost: PicoUsd, reported_cost_usd: string): string | undefined {
  const reported = parseDecimal(cut(reported_cost_usd), USD_DECIMALS)
  if (typeof reported === 'string') return undefined
  const difference = reported > cost ? reported - cost : cost - reported
  if (difference * 100n <= cost * TOLERANCE_PER_CENT) return undefined
  const share = cost === 0n ? 'all' : `${formatDecimal(divideHalfEven(difference * 1000n, cost), 1)} %`
  return `the response reports ${formatDecimal(reported, USD_DECIMALS)} USD, the price list says ${formatUsd(cost)} (${share} apart)`
}

function cut(decimal: string): string {
  const point = decimal.indexOf('.')
  return point === -1 ? decimal : decimal.slice(0, point + 1 + USD_DECIMALS)
}
