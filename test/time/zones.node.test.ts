import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CalendarPeriod } from '../../src/time/windows.ts'
import { offsetText, TimeZone, timeZoneOf } from '../../src/time/zones.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Returns a function that converts a time to the local date in a time zone, with `Intl`. */
function dateIn(zone: string): (at_ms: number) => string {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  })
  return (at_ms) => format.format(at_ms)
}

/** Returns the date of the Monday in the week of a date. Weeks start on Monday. */
function mondayOf(date: string): string {
  const at_ms = Date.parse(date)
  const weekday = (new Date(at_ms).getUTCDay() + 6) % 7
  return new Date(at_ms - weekday * DAY_MS).toISOString().slice(0, 10)
}

// The clocks change after midnight in Berlin, New York and Auckland, at midnight in Cairo, Beirut, Santiago, Havana and
// Sao Paulo, and never in the other zones.
const ZONES: [zone: string, year: number][] = [
  ['Europe/Berlin', 2026],
  ['America/New_York', 2026],
  ['Africa/Cairo', 2026],
  ['Asia/Beirut', 2026],
  ['America/Santiago', 2026],
  ['America/Havana', 2026],
  ['America/Sao_Paulo', 2018],
  ['Pacific/Auckland', 2026],
  ['Pacific/Kiritimati', 2026],
  ['Etc/GMT+12', 2026],
  ['Asia/Tokyo', 2026],
]

describe.each(ZONES)('%s in %i', (name, year) => {
  const from_ms = Date.UTC(year - 1, 11, 1)
  const hours = Array.from({ length: 400 * 24 }, (_, index) => from_ms + index * HOUR_MS)
  const dateOf = dateIn(name)
  const names = {
    day: dateOf,
    week: (at_ms: number) => mondayOf(dateOf(at_ms)),
    month: (at_ms: number) => dateOf(at_ms).slice(0, 7),
  }

  it.each(['day', 'week', 'month'] as const)('each hour is in the %s that local clocks show', (period) => {
    const zone = new TimeZone(name)
    const first = new Map<string, number>()
    for (const hour_ms of hours) {
      const window = names[period](hour_ms)
      if (!first.has(window)) first.set(window, hour_ms)
    }
    const [begun = ''] = first.keys()
    for (const hour_ms of hours) {
      const window = names[period](hour_ms)
      // Skips the first window, which started before the first hour of the test.
      if (window !== begun) expect(zone.startOf(period, hour_ms)).toBe(first.get(window))
    }
  })
})

it('days have 23 and 25 hours when clocks change', () => {
  const zone = new TimeZone('Europe/Berlin')
  const lengths = [Date.UTC(2026, 2, 29, 12), Date.UTC(2026, 9, 25, 12), Date.UTC(2026, 5, 1, 12)].map(
    (noon_ms) => (zone.startOf('day', noon_ms + DAY_MS) - zone.startOf('day', noon_ms)) / HOUR_MS,
  )
  expect(lengths).toEqual([23, 25, 24])
})

/**
 * Returns a function that converts a time to the local time in a time zone, such as `2026-03-29 02:30`, with `Intl`.
 */
function clockIn(zone: string): (at_ms: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  })
  return (at_ms) => format.format(at_ms)
}

/** Functions that return a unique name of the window that contains a local time, by period. */
const NAMES: Readonly<Record<CalendarPeriod, (clock: string) => string>> = {
  HOURLY: (clock) => clock.slice(0, 13),
  DAILY: (clock) => clock.slice(0, 10),
  WEEKLY: (clock) => mondayOf(clock.slice(0, 10)),
  MONTHLY: (clock) => clock.slice(0, 7),
}
const PERIODS = ['HOURLY', 'DAILY', 'WEEKLY', 'MONTHLY'] as const

// The zones cover different offsets: whole hours, half hours, three quarters of an hour, and a daylight saving time of
// only half an hour.
describe.each([
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Africa/Cairo',
  'America/Havana',
  'Pacific/Auckland',
])('windows of %s', (name) => {
  const zone = new TimeZone(name)
  const clock = clockIn(name)
  const minutes = fc.integer({ min: Date.UTC(2024, 0, 1) / 60_000, max: Date.UTC(2028, 0, 1) / 60_000 })

  it.each(PERIODS)('%s contain the times that clocks show in them, and no others', (period) => {
    const nameOf = (at_ms: number) => NAMES[period](clock(at_ms))
    fc.assert(
      fc.property(minutes, (minute) => {
        const at_ms = minute * 60_000
        const { start_ms, end_ms } = zone.windowOf(period, null, at_ms)
        expect([nameOf(start_ms), nameOf(end_ms - 1)]).toEqual([nameOf(at_ms), nameOf(at_ms)])
        expect(nameOf(start_ms - 1)).not.toBe(nameOf(at_ms))
        expect(nameOf(end_ms)).not.toBe(nameOf(at_ms))
      }),
      { numRuns: 300 },
    )
  })

  it.each(PERIODS)('%s follow each other from any anchor, and begin at the local time of it', (period) => {
    fc.assert(
      fc.property(minutes, minutes, fc.integer({ min: 0, max: 59_999 }), (minute, anchor, ms) => {
        const anchor_ms = anchor * 60_000
        const at_ms = minute * 60_000 + ms
        const window = zone.windowOf(period, anchor_ms, at_ms)
        const { start_ms, end_ms } = window
        expect(start_ms <= at_ms && at_ms < end_ms).toBe(true)
        expect(zone.windowOf(period, anchor_ms, start_ms)).toEqual(window)
        expect(zone.windowOf(period, anchor_ms, end_ms).start_ms).toBe(end_ms)
        expect(zone.windowOf(period, anchor_ms, start_ms - 1).end_ms).toBe(start_ms)
        // Does not compare a local time that the clock skips, because the window then starts later.
        const from = period === 'HOURLY' ? 14 : 11
        const [shown, begun] = [clock(start_ms), clock(anchor_ms)].map((text) => text.slice(from))
        const isSkipped = zone.offsetAt(start_ms) !== zone.offsetAt(start_ms - 2 * HOUR_MS)
        if (!isSkipped) expect(shown).toBe(begun)
      }),
      { numRuns: 300 },
    )
  })
})

it('a local hour that occurs twice is one window, and a skipped one has no window', () => {
  const berlin = new TimeZone('Europe/Berlin')
  const window = (at: string) => {
    const { start_ms, end_ms } = berlin.windowOf('HOURLY', null, Date.parse(at))
    return [new Date(start_ms).toISOString(), new Date(end_ms).toISOString()]
  }
  const twice = ['2026-10-25T00:00:00.000Z', '2026-10-25T02:00:00.000Z']
  expect([window('2026-10-25T00:30:00Z'), window('2026-10-25T01:30:00Z')]).toEqual([twice, twice])
  expect(window('2026-03-29T00:59:00Z')[1]).toBe('2026-03-29T01:00:00.000Z')
  expect(window('2026-03-29T01:00:00Z')[1]).toBe('2026-03-29T02:00:00.000Z')
})

it('finds the offsets of a range that are not whole hours', () => {
  const of = (name: string, from: string, to: string) =>
    new TimeZone(name).partialHourOffset(Date.parse(from), Date.parse(to))
  const text = (offset_ms: number | undefined) => offset_ms !== undefined && offsetText(offset_ms)
  expect(text(of('Asia/Kolkata', '2026-01-01', '2026-01-02'))).toBe('+05:30')
  expect(text(of('America/St_Johns', '2026-01-01', '2026-01-02'))).toBe('-03:30')
  expect(text(of('Asia/Kathmandu', '2026-01-01', '2026-01-02'))).toBe('+05:45')
  // Daylight saving time on Lord Howe Island is half an hour, so its offset is a whole number of hours in only one half
  // of the year.
  expect(text(of('Australia/Lord_Howe', '2026-01-01', '2026-03-01'))).toBe(false)
  expect(text(of('Australia/Lord_Howe', '2026-03-01', '2026-05-01'))).toBe('+10:30')
  expect(text(of('Europe/Berlin', '2026-01-01', '2027-01-01'))).toBe(false)
})

it.each([
  '',
  'Berlin',
  'Europe/Nowhere',
  '+02:00',
  'UTC+2',
  '../UTC',
  'Europe/Berlin ',
  'x'.repeat(65),
  '__proto__',
])('%s is no zone', (name) => {
  expect(timeZoneOf(name)).toBeUndefined()
})
