import { z } from '@hono/zod-openapi'
import { timeZoneOf } from '../../time/zones.ts'

// The pattern of `date-time` in RFC 3339, section 5.6, with at most 12 digits in the fraction of a second. T and Z can
// be in lower case.
const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,12}))?(?:Z|([+-])(\d{2}):(\d{2}))$/i
const EARLIEST_MS = 0
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/**
 * Converts an RFC 3339 time with any offset to epoch milliseconds. Returns an error text if the time is invalid or not
 * between the years 1970 and 9999. Truncates fractions of a millisecond. Refuses leap seconds (:60), because epoch time
 * cannot represent them.
 */
export function parseTime(text: string): number | string {
  const match = DATE_TIME.exec(text)
  if (!match) return 'must be an RFC 3339 time, such as 2026-01-31T09:30:00Z'
  const [
    ,
    year = '',
    month = '',
    day = '',
    hour = '',
    minute = '',
    second = '',
    fraction = '',
    sign,
    hours = '0',
    minutes = '0',
  ] = match
  const local = Date.UTC(
    +year,
    +month - 1,
    +day,
    +hour,
    +minute,
    +second,
    +fraction.padEnd(3, '0').slice(0, 3),
  )
  const real =
    +hour < 24 &&
    +minute < 60 &&
    +second < 60 &&
    +hours < 24 &&
    +minutes < 60 &&
    isCalendarDate(+year, +month, +day)
  if (!real) return 'must be a time that exists in the calendar and is not a leap second'
  const offset_ms = (+hours * 60 + +minutes) * 60_000 * (sign === '-' ? -1 : 1)
  const at_ms = local - offset_ms
  // `Date.UTC` interprets the years 0 to 99 as 1900 to 1999, so these years are refused explicitly.
  if (+year < 100 || at_ms < EARLIEST_MS || at_ms > LATEST_MS)
    return 'must be between the years 1970 and 9999'
  return at_ms
}

/**
 * Returns the schema for an RFC 3339 time. The output is in epoch milliseconds. `unescaped` converts the input before
 * it is parsed.
 */
export function timeInput(unescaped = (text: string): string => text) {
  return z
    .string()
    .transform((text, ctx): number => {
      const at_ms = parseTime(unescaped(text))
      if (typeof at_ms === 'number') return at_ms
      ctx.addIssue({ code: 'custom', message: at_ms })
      return z.NEVER
    })
    .openapi({ type: 'string', format: 'date-time', example: '2026-01-31T09:30:00Z' })
}

/**
 * Returns the schema for a time in a query. Accepts a space instead of the `+` of an offset, because a `+` that the
 * client does not escape arrives as a space.
 */
export function timeQuery() {
  return timeInput((text) => text.replace(/ (?=\d\d:\d\d$)/, '+'))
}

/** Returns the schema for the name of an IANA time zone. */
export function timeZoneInput() {
  return z.string().transform((name, ctx) => {
    const zone = timeZoneOf(name)
    if (zone) return zone
    ctx.addIssue({ code: 'custom', message: 'must be an IANA time zone, such as Europe/Berlin' })
    return z.NEVER
  })
}

/** Formats a time as RFC 3339 text in UTC with milliseconds. */
export function timeJson(at_ms: number): string {
  return new Date(at_ms).toISOString()
}

export function timeOrNull(at_ms: number | null): string | null {
  return at_ms === null ? null : timeJson(at_ms)
}

function isCalendarDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const days =
    month === 2 ? (leap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
  return day <= days
}
