import type { UsageDelta } from './delta.ts'
import { NO_USAGE, type UsageTotals } from './totals.ts'

/** The sums of deltas, units apart. */
export function totalsOfDeltas(deltas: readonly UsageDelta[]): UsageTotals {
  const sums = { ...NO_USAGE }
  for (const delta of deltas) {
    sums.events += BigInt(delta.events)
    sums.credits_micro += BigInt(delta.credits_micro)
    sums.cost_pico += delta.cost_pico
    sums.price_pico += delta.price_pico
    sums.paid_pico += delta.paid_pico
  }
  return sums
}

export function subtractTotals(a: UsageTotals, b: UsageTotals): UsageTotals {
  return {
    events: a.events - b.events,
    credits_micro: a.credits_micro - b.credits_micro,
    cost_pico: a.cost_pico - b.cost_pico,
    price_pico: a.price_pico - b.price_pico,
    paid_pico: a.paid_pico - b.paid_pico,
  }
}
