import type { CellSums } from './cells.ts'
import type { UsageDelta } from './delta.ts'
import { packInteger, recordOf, unpackInteger } from './packed-values.ts'

/** The sums of a whole ledger without its units: the values that reconciliation compares. */
export interface UsageTotals {
  readonly events: bigint
  readonly credits_micro: bigint
  readonly cost_pico: bigint
  readonly price_pico: bigint
  readonly paid_pico: bigint
}

export const NO_USAGE: UsageTotals = {
  events: 0n,
  credits_micro: 0n,
  cost_pico: 0n,
  price_pico: 0n,
  paid_pico: 0n,
}

export function addTotals(a: UsageTotals, b: UsageTotals): UsageTotals {
  return {
    events: a.events + b.events,
    credits_micro: a.credits_micro + b.credits_micro,
    cost_pico: a.cost_pico + b.cost_pico,
    price_pico: a.price_pico + b.price_pico,
    paid_pico: a.paid_pico + b.paid_pico,
  }
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

/** Sums cells, or the deltas of entries. */
export function totalsOf(parts: Iterable<CellSums | UsageDelta>): UsageTotals {
  const sums = { ...NO_USAGE }
  for (const part of parts) {
    sums.events += BigInt(part.events)
    sums.credits_micro += BigInt(part.credits_micro)
    sums.cost_pico += part.cost_pico
    sums.price_pico += part.price_pico
    sums.paid_pico += part.paid_pico
  }
  return sums
}

/** Packs totals as JSON, each sum as `packInteger` writes it. */
export function packTotals(totals: UsageTotals): string {
  return JSON.stringify({
    events: packInteger(totals.events),
    credits_micro: packInteger(totals.credits_micro),
    cost_pico: packInteger(totals.cost_pico),
    price_pico: packInteger(totals.price_pico),
    paid_pico: packInteger(totals.paid_pico),
  })
}

export function unpackTotals(text: string): UsageTotals {
  const packed = recordOf(JSON.parse(text), 'the totals')
  return {
    events: unpackInteger(packed.events, 'events'),
    credits_micro: unpackInteger(packed.credits_micro, 'credits_micro'),
    cost_pico: unpackInteger(packed.cost_pico, 'cost_pico'),
    price_pico: unpackInteger(packed.price_pico, 'price_pico'),
    paid_pico: unpackInteger(packed.paid_pico, 'paid_pico'),
  }
}
