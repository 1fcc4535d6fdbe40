import { DAY_MS } from '../../time/durations.ts'
import { readPrices, type UnitPrices, words } from './notation.ts'

/** The prices of a model in one period. */
export interface PricePeriod {
  /**
   * The condition of the period: `@2025-06-10`, `@00:30:00-16:30:00`, `@mon-fri`. Empty for a model's first prices.
   */
  readonly label: string
  readonly prices: UnitPrices
}

/**
 * Reads `prices ; @2025-06-10 prices ; @2026-08-23,mon-fri,01:00:00-04:00:00 prices`. If the conditions of several
 * periods are true at a time, the last of them applies. The first period has no condition. Times are UTC, in epoch
 * milliseconds.
 */
export function readPeriods(text: string): (at_ms: number) => PricePeriod {
  const [first = readPeriod(''), ...others] = text.split(' ; ').map(readPeriod)
  return (at_ms) => others.findLast(({ holds }) => holds(at_ms)) ?? first
}

type Condition = (at_ms: number) => boolean

interface Period extends PricePeriod {
  readonly holds: Condition
}

function readPeriod(text: string): Period {
  const [first = '', ...others] = words(text)
  if (!first.startsWith('@')) return { label: '', prices: readPrices(text), holds: () => true }
  return { label: first, prices: readPrices(others.join(' ')), holds: readConditions(first.slice(1)) }
}

/**
 * Reads conditions separated by commas, which must all be true. `2025-06-10` (or `2026-08-16T16:00`) is true from
 * then on, `..2026-06-29` before then, `01:00:00-04:00:00` in that daily window, `mon-fri` on those weekdays. All
 * times are UTC. A start is inclusive and an end is exclusive. A range of weekdays includes both days.
 */
export function readConditions(text: string): Condition {
  const conditions = text.split(',').map(readCondition)
  return (at_ms) => conditions.every((holds) => holds(at_ms))
}

function readCondition(text: string): Condition {
  const [, until = '', day] = /^(\.\.)?(\d{4}-\d\d-\d\d(?:T\d\d:\d\d)?)$/.exec(text) ?? []
  if (day !== undefined) {
    const limit_ms = Date.parse(day.includes('T') ? `${day}Z` : `${day}T00:00Z`)
    return until === '' ? (at_ms) => at_ms >= limit_ms : (at_ms) => at_ms < limit_ms
  }
  const window = /^(\d\d:\d\d:\d\d)-(\d\d:\d\d:\d\d)$/.exec(text)
  if (window !== null) return dailyWindow(timeOfDay(window[1] ?? ''), timeOfDay(window[2] ?? ''))
  const [first = -1, last = -1] = text.split('-').map((name) => WEEKDAYS.indexOf(name))
  if (first === -1 || last === -1) throw new Error(`invalid condition of a price: ${text}`)
  return (at_ms) => inRange(new Date(at_ms).getUTCDay(), first, last + 1)
}

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

function timeOfDay(time: string): number {
  return Date.parse(`1970-01-01T${time}Z`)
}

function dailyWindow(start_ms: number, end_ms: number): Condition {
  return (at_ms) => inRange(((at_ms % DAY_MS) + DAY_MS) % DAY_MS, start_ms, end_ms)
}

/**
 * Returns whether a value is in a range without its end. A range whose end is before its start wraps around, for
 * example at midnight.
 */
function inRange(value: number, start: number, end: number): boolean {
  return end < start ? value >= start || value < end : value >= start && value < end
}
