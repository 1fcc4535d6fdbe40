import { DAY_MS } from '../../time/durations.ts'
import { readPrices, type UnitPrices, words } from './notation.ts'

/** The prices of a model while the condition of the period is true. */
export interface PricePeriod {
  /**
   * The condition of the period, for example `@2025-06-10`, `@00:30:00-16:30:00` or `@mon-fri`. It is empty for the
   * first prices of a model, which have no condition.
   */
  readonly label: string
  readonly prices: UnitPrices
}

/**
 * Reads the periods of a model from a text such as `prices ; @2025-06-10 prices ; @2026-08-23,mon-fri,01:00:00-04:00:00
 * prices`. The first period has no condition. If the conditions of several periods are true at a time, the last of
 * these periods applies. Times in conditions are in UTC. The returned function takes epoch milliseconds.
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
 * Reads conditions that are separated by commas and must all be true. `2025-06-10` or `2026-08-16T16:00` is true from
 * this time on. `..2026-06-29` is true before this time. `01:00:00-04:00:00` is true every day between these times.
 * `mon-fri` is true on these weekdays, including Monday and Friday. All times are in UTC. A start is inclusive and an
 * end is exclusive.
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
 * Returns whether a value is in a range. The start is inclusive and the end is exclusive. A range whose end is before
 * its start continues after the highest value, for example over midnight.
 */
function inRange(value: number, start: number, end: number): boolean {
  return end < start ? value >= start || value < end : value >= start && value < end
}
