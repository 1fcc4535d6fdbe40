import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMIT_PERIODS, type LimitPeriod, windowOf } from '../../src/time/windows.ts'

/**
 * Returns the start and the end of the window that contains the time `at`, as ISO 8601 texts. The end is null for a
 * window without an end.
 */
function windowAt(period: LimitPeriod, anchor: string | null, at: string) {
  const { start_ms, end_ms } = windowOf(period, anchor === null ? null : Date.parse(anchor), Date.parse(at))
  return [new Date(start_ms).toISOString(), end_ms === null ? null : new Date(end_ms).toISOString()]
}

const DAY = 86_400_000

describe('a window by the calendar', () => {
  it.each<[LimitPeriod, string, string, string]>([
    ['HOURLY', '2026-03-04T10:00:00.000Z', '2026-03-04T10:00:00.000Z', '2026-03-04T11:00:00.000Z'],
    ['HOURLY', '2026-03-04T10:59:59.999Z', '2026-03-04T10:00:00.000Z', '2026-03-04T11:00:00.000Z'],
    ['DAILY', '2026-03-04T23:59:59.999Z', '2026-03-04T00:00:00.000Z', '2026-03-05T00:00:00.000Z'],
    ['DAILY', '2026-03-05T00:00:00.000Z', '2026-03-05T00:00:00.000Z', '2026-03-06T00:00:00.000Z'],
    // 2 March 2026 is a Monday.
    ['WEEKLY', '2026-03-01T23:59:59.999Z', '2026-02-23T00:00:00.000Z', '2026-03-02T00:00:00.000Z'],
    ['WEEKLY', '2026-03-02T00:00:00.000Z', '2026-03-02T00:00:00.000Z', '2026-03-09T00:00:00.000Z'],
    ['WEEKLY', '2026-03-08T12:00:00.000Z', '2026-03-02T00:00:00.000Z', '2026-03-09T00:00:00.000Z'],
    ['MONTHLY', '2026-02-28T23:59:59.999Z', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z'],
    ['MONTHLY', '2028-02-29T12:00:00.000Z', '2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z'],
    ['MONTHLY', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ])('%s at %s', (period, at, start, end) => {
    expect(windowAt(period, null, at)).toEqual([start, end])
  })

  it('of TOTAL never ends', () => {
    expect(windowAt('TOTAL', null, '2026-03-04T10:00:00Z')).toEqual(['1970-01-01T00:00:00.000Z', null])
  })
})

describe('a window from an anchor', () => {
  it.each<[LimitPeriod, string, string, string, string]>([
    // The anchor makes each hour start at a quarter past.
    [
      'HOURLY',
      '2026-01-01T00:15:00Z',
      '2026-03-04T10:14:59.999Z',
      '2026-03-04T09:15:00.000Z',
      '2026-03-04T10:15:00.000Z',
    ],
    // The anchor makes each day start at 06:00. The tested times are before and after the anchor itself.
    [
      'DAILY',
      '2026-03-04T06:00:00Z',
      '2026-03-04T05:59:59.999Z',
      '2026-03-03T06:00:00.000Z',
      '2026-03-04T06:00:00.000Z',
    ],
    [
      'DAILY',
      '2026-03-04T06:00:00Z',
      '2026-06-01T06:00:00.000Z',
      '2026-06-01T06:00:00.000Z',
      '2026-06-02T06:00:00.000Z',
    ],
    // The anchor makes each week start on Wednesday at noon.
    [
      'WEEKLY',
      '2026-03-04T12:00:00Z',
      '2026-03-11T11:59:59.999Z',
      '2026-03-04T12:00:00.000Z',
      '2026-03-11T12:00:00.000Z',
    ],
    [
      'MONTHLY',
      '2026-01-15T08:30:00Z',
      '2026-02-15T08:29:59.999Z',
      '2026-01-15T08:30:00.000Z',
      '2026-02-15T08:30:00.000Z',
    ],
    [
      'MONTHLY',
      '2026-01-15T08:30:00Z',
      '2026-02-15T08:30:00.000Z',
      '2026-02-15T08:30:00.000Z',
      '2026-03-15T08:30:00.000Z',
    ],
    [
      'MONTHLY',
      '2026-12-31T00:00:00Z',
      '2027-01-01T00:00:00.000Z',
      '2026-12-31T00:00:00.000Z',
      '2027-01-31T00:00:00.000Z',
    ],
  ])('%s of %s at %s', (period, anchor, at, start, end) => {
    expect(windowAt(period, anchor, at)).toEqual([start, end])
  })

  it('on the 31st begins on the last day of months without one, and on the 31st again after them', () => {
    const starts = (year: number) =>
      Array.from({ length: 12 }, (_, month) =>
        windowAt(
          'MONTHLY',
          '2025-12-31T10:00:00Z',
          new Date(Date.UTC(year, month + 1, 0, 10)).toISOString(),
        )[0]?.slice(0, 10),
      )
    const others = ['03-31', '04-30', '05-31', '06-30', '07-31', '08-31', '09-30', '10-31', '11-30', '12-31']
    expect(starts(2026)).toEqual(['01-31', '02-28', ...others].map((day) => `2026-${day}`))
    expect(starts(2028)).toEqual(['01-31', '02-29', ...others].map((day) => `2028-${day}`))
    expect(starts(2100)).toEqual(['01-31', '02-28', ...others].map((day) => `2100-${day}`))
  })

  it('on the 29th of February begins on the 28th in other years', () => {
    expect(windowAt('MONTHLY', '2028-02-29T00:00:00Z', '2029-02-28T00:00:00Z')).toEqual([
      '2029-02-28T00:00:00.000Z',
      '2029-03-29T00:00:00.000Z',
    ])
  })

  it('on the 31st ends just before the last day begins', () => {
    expect(windowAt('MONTHLY', '2026-01-31T09:00:00Z', '2026-02-28T08:59:59.999Z')).toEqual([
      '2026-01-31T09:00:00.000Z',
      '2026-02-28T09:00:00.000Z',
    ])
  })
})

it('windows contain their moment and have no gaps, and one of them begins at the anchor', () => {
  const time = fc.integer({ min: 0, max: Date.UTC(2300, 0, 1) })
  fc.assert(
    fc.property(fc.constantFrom(...LIMIT_PERIODS), fc.option(time), time, (period, anchor_ms, at_ms) => {
      const { start_ms, end_ms } = windowOf(period, anchor_ms, at_ms)
      expect(start_ms).toBeLessThanOrEqual(at_ms)
      if (end_ms === null) return
      expect(end_ms).toBeGreaterThan(at_ms)
      expect(windowOf(period, anchor_ms, start_ms)).toEqual({ start_ms, end_ms })
      expect(windowOf(period, anchor_ms, end_ms - 1)).toEqual({ start_ms, end_ms })
      expect(windowOf(period, anchor_ms, end_ms).start_ms).toBe(end_ms)
      expect(end_ms - start_ms).toBeLessThanOrEqual(31 * DAY)
      if (anchor_ms !== null) expect(windowOf(period, anchor_ms, anchor_ms).start_ms).toBe(anchor_ms)
    }),
    { numRuns: 2000 },
  )
})
