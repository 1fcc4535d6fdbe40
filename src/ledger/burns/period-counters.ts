import { QUANTITY_DECIMALS } from '../../pricing/burn-table/definition.ts'
import type { Counter } from '../../pricing/burn-table/methods.ts'
import { formatDecimal, parseDecimal } from '../../pricing/money.ts'
import type { PeriodCounters } from '../model/limits.ts'

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
