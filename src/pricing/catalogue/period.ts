import { DAY_MS } from '../../time/durations.ts'
import { readPrices, type UnitPrices, words } from './notation.ts'

/** Prices of a model, and the time in which they hold. */
export interface PricePeriod {
  /** `''` for a model's first prices, else the condition: `@2025-06-10`, `@00:30:00-16:30:00`. */
  readonly label: string
  readonly prices: UnitPrices
}

/**
 * Reads `prices ; @2025-06-10 prices ; @00:30:00-16:30:00 prices`. Of the periods that hold at a time, the last
 * in the list applies; the first has no condition. Times are UTC, in epoch milliseconds.
 */
export function readPeriods(text: string): (at_ms: number) => PricePeriod {
  const [first = readPeriod(''), ...others] = text.split(' ; ').map(readPeriod)
  return (at_ms) => others.findLast(({ holds }) => holds(at_ms)) ?? first
}

interface Period extends PricePeriod {
  readonly holds: (at_ms: number) => boolean
}

function readPeriod(text: string): Period {
  const [first = '', ...others] = words(text)
  if (!first.startsWith('@')) return { label: '', prices: readPrices(text), holds: () => true }
  const prices = readPrices(others.join(' '))
  const window = /^@(\d\d:\d\d:\d\d)-(\d\d:\d\d:\d\d)$/.exec(first)
  if (window === null) {
    const start_ms = Date.parse(`${first.slice(1)}T00:00:00Z`)
    return { label: first, prices, holds: (at_ms) => at_ms >= start_ms }
  }
  const start_ms = Date.parse(`1970-01-01T${window[1]}Z`)
  const end_ms = Date.parse(`1970-01-01T${window[2]}Z`)
  return {
    label: first,
    prices,
    holds: (at_ms) => {
      const time_ms = ((at_ms % DAY_MS) + DAY_MS) % DAY_MS
      // A window that ends before it starts spans midnight. The start is inclusive, the end exclusive.
      return end_ms < start_ms
        ? time_ms >= start_ms || time_ms < end_ms
        : time_ms >= start_ms && time_ms < end_ms
    },
  }
}
