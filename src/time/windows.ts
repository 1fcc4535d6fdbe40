import { DAY_MS, HOUR_MS, WEEK_MS } from './durations.ts'

/** The periods of a limit whose windows begin at fixed times. */
export const LIMIT_PERIODS = ['HOURLY', 'DAILY', 'WEEKLY', 'MONTHLY', 'TOTAL'] as const
export type LimitPeriod = (typeof LIMIT_PERIODS)[number]

/** The periods whose windows end. Their windows depend on the time zone. */
export type CalendarPeriod = Exclude<LimitPeriod, 'TOTAL'>

/** A time window from `start_ms` (inclusive) to `end_ms` (exclusive). `end_ms` is null if the window never ends. */
export interface Window {
  readonly start_ms: number
  readonly end_ms: number | null
}

/** A window with an end. The windows of all periods except TOTAL have an end. */
export interface BoundedWindow extends Window {
  readonly end_ms: number
}

/** The first Monday after the epoch (1 January 1970), which was a Thursday. */
const MONDAY_MS = 4 * DAY_MS

/**
 * Returns the window of a period that contains a time. Computes in UTC, so that all hours, days and weeks have the same
 * length. `TimeZone.windowOf` returns windows in other time zones. `anchor_ms` is a time at which a window begins. If
 * it is null, windows begin on the hour, at midnight, on Monday, or on the first day of the month. If a month does not
 * have the day of the anchor, its window begins on the last day of the month. This does not change later windows: with
 * an anchor on the 31st, windows begin on the last day of February and then on 31 March.
 */
export function windowOf(period: CalendarPeriod, anchor_ms: number | null, at_ms: number): BoundedWindow
export function windowOf(period: LimitPeriod, anchor_ms: number | null, at_ms: number): Window
export function windowOf(period: LimitPeriod, anchor_ms: number | null, at_ms: number): Window {
  switch (period) {
    case 'HOURLY':
      return evenWindow(HOUR_MS, anchor_ms ?? 0, at_ms)
    case 'DAILY':
      return evenWindow(DAY_MS, anchor_ms ?? 0, at_ms)
    case 'WEEKLY':
      return evenWindow(WEEK_MS, anchor_ms ?? MONDAY_MS, at_ms)
    case 'MONTHLY':
      return monthWindow(new Date(anchor_ms ?? 0), at_ms)
    case 'TOTAL':
      return { start_ms: 0, end_ms: null }
  }
}

/**
 * Returns the first time after `at_ms` that is a multiple of `months` months after the anchor. Like `windowOf`, uses
 * the last day of a month that does not have the day of the anchor. `at_ms` must not be before the anchor.
 */
export function nextAfterMonths(months: number, anchor_ms: number, at_ms: number): number {
  const anchor = new Date(anchor_ms)
  const from = monthOf(anchor)
  const passed = Math.floor((monthOf(new Date(at_ms)) - from) / months) * months
  const next_ms = monthStart(anchor, from + passed)
  return next_ms > at_ms ? next_ms : monthStart(anchor, from + passed + months)
}

function evenWindow(length_ms: number, anchor_ms: number, at_ms: number): BoundedWindow {
  const start_ms = anchor_ms + Math.floor((at_ms - anchor_ms) / length_ms) * length_ms
  return { start_ms, end_ms: start_ms + length_ms }
}

function monthWindow(anchor: Date, at_ms: number): BoundedWindow {
  const month = monthOf(new Date(at_ms))
  const start_ms = monthStart(anchor, month)
  return start_ms <= at_ms
    ? { start_ms, end_ms: monthStart(anchor, month + 1) }
    : { start_ms: monthStart(anchor, month - 1), end_ms: start_ms }
}

/** Returns the number of the calendar month that contains a time, counted from the year 0. */
function monthOf(time: Date): number {
  return time.getUTCFullYear() * 12 + time.getUTCMonth()
}

/**
 * Returns the time at which a monthly window with this anchor begins in a calendar month. `month` is the number of the
 * calendar month, as `monthOf` returns it.
 */
function monthStart(anchor: Date, month: number): number {
  const year = Math.floor(month / 12)
  const lastDay = new Date(Date.UTC(year, (month % 12) + 1, 0)).getUTCDate()
  const day = Math.min(anchor.getUTCDate(), lastDay)
  return Date.UTC(year, month % 12, day) + (anchor.getTime() - startOfDay(anchor))
}

function startOfDay(time: Date): number {
  return Math.floor(time.getTime() / DAY_MS) * DAY_MS
}
