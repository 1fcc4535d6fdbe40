import { QUANTITY_DECIMALS } from '../../pricing/burn-table/definition.ts'
import type { Counter } from '../../pricing/burn-table/methods.ts'
import { formatDecimal, parseDecimal } from '../../pricing/money.ts'

/**
 * How much of a unit a wallet has used in the current period of each burn table's rule that asks: part of the wallet's
 * state, so that they move with its balance or not at all, and cost no row.
 */
export type PeriodCounters = Readonly<Record<string, PeriodCounter>>

interface PeriodCounter {
  readonly resets_at_ms: number
  /** A plain decimal: sums of many quantities pass what a double holds. */
  readonly quantity: string
}

/** In 1e-9 of the unit; 0 at the beginning of a period. */
export function usedInPeriod(counters: PeriodCounters | undefined, { key, resets_at_ms }: Counter): bigint {
  const counter = counters?.[key]
  if (counter?.resets_at_ms !== resets_at_ms) return 0n
  const quantity = parseDecimal(counter.quantity, QUANTITY_DECIMALS)
  if (typeof quantity !== 'bigint') throw new Error(`a counter holds ${counter.quantity}`)
  return quantity
}

export function advanced(
  counters: PeriodCounters | undefined,
  { key, resets_at_ms }: Counter,
  quantity: bigint,
): PeriodCounters {
  return { ...counters, [key]: { resets_at_ms, quantity: formatDecimal(quantity, QUANTITY_DECIMALS) } }
}

/** Without those of periods that are over. */
export function currentCounters(counters: PeriodCounters, at_ms: number): PeriodCounters {
  const all = Object.entries(counters)
  const current = all.filter(([, { resets_at_ms }]) => resets_at_ms > at_ms)
  return current.length === all.length ? counters : Object.fromEntries(current)
}
