import { describe, expect, it } from 'vitest'
import { forecast, type Periods } from '../../src/analytics/forecast.ts'
import { type CellSums, noSums } from '../../src/usage/cells/cells.ts'

const NOW_MS = Date.UTC(2026, 10, 23)
const DAY_MS = 86_400_000
const CREDIT = 1_000_000n

function burned(credits: bigint, more: Partial<CellSums> = {}): CellSums {
  return { ...noSums(), credits_micro: credits * CREDIT, ...more }
}

function periods(more: Partial<Periods>): Periods {
  const nothing = noSums()
  return {
    last_day: nothing,
    week_before_last_day: nothing,
    last_7_days: nothing,
    the_7_days_before: nothing,
    last_30_days: nothing,
    ...more,
  }
}

describe('when credits run out', () => {
  it.each([
    ['700 left at 70 a week', 700n, 70n, 7000n, '2027-02-01T00:00:00.000Z'],
    ['100 left at 300 a week', 100n, 300n, 233n, '2026-11-25T07:55:12.000Z'],
    ['nothing left', 0n, 300n, 0n, '2026-11-23T00:00:00.000Z'],
    ['overdrawn', -5n, 300n, 0n, '2026-11-23T00:00:00.000Z'],
  ])('%s', (_, balance, week, centidays, date) => {
    const { centidays_remaining, run_out_ms } = forecast(
      periods({ last_7_days: burned(week) }),
      balance * CREDIT,
      NOW_MS,
    )
    expect(centidays_remaining).toBe(centidays)
    expect(new Date(run_out_ms ?? 0).toISOString()).toBe(date)
  })

  it.each([
    ['nothing was burned', 0n, 1_000n],
    ['more was given back than burned', -10n, 1_000n],
    ['it would take more than 100 years', 1n, 8_000_000_000n],
  ])('the date is unknown when %s', (_, week, balance) => {
    const told = forecast(periods({ last_7_days: burned(week) }), balance * CREDIT, NOW_MS)
    expect(told).toMatchObject({ centidays_remaining: null, run_out_ms: null, recommendations: [] })
  })

  it('averages are of whole periods, to a millionth of a credit', () => {
    const told = forecast(
      periods({ last_7_days: burned(10n), last_30_days: burned(100n) }),
      1_000n * CREDIT,
      NOW_MS,
    )
    expect(told).toMatchObject({ average_7d_micro: 1_428_571n, average_30d_micro: 3_333_333n })
  })
})

describe('the trend', () => {
  it.each([
    [100n, 100n, 'steady'],
    [120n, 100n, 'steady'],
    [121n, 100n, 'rising'],
    [80n, 100n, 'steady'],
    [79n, 100n, 'falling'],
    [1n, 0n, 'rising'],
    [0n, 0n, 'steady'],
    [0n, 5n, 'falling'],
  ])('%d credits after %d is %s', (week, before, trend) => {
    const told = forecast(
      periods({ last_7_days: burned(week), the_7_days_before: burned(before) }),
      0n,
      NOW_MS,
    )
    expect(told.trend).toBe(trend)
  })
})

describe('recommendations', () => {
  const types = (given: Partial<Periods>, balance: bigint) =>
    forecast(periods(given), balance * CREDIT, NOW_MS).recommendations.map(({ type, action }) => [
      type,
      action,
    ])

  it.each([
    ['13.99 days', 1399n, [['warning', 'purchase_credits']]],
    ['14 days', 1400n, []],
    ['7 days', 700n, [['warning', 'purchase_credits']]],
    ['6.99 days', 699n, [['urgent', 'purchase_credits']]],
    ['none', 0n, [['urgent', 'purchase_credits']]],
  ])('credits for %s', (_, balance, expected) => {
    expect(types({ last_7_days: burned(700n) }, balance)).toEqual(expected)
  })

  it('a spike is a rise: twice the day of the week before, and never a fall', () => {
    const spike = ['alert', 'review_usage']
    const with_day = (day: bigint, week: bigint) =>
      types({ last_day: burned(day), week_before_last_day: burned(week) }, 10n ** 6n)
    expect(with_day(20n, 70n)).toEqual([spike])
    expect(with_day(19n, 70n)).toEqual([])
    expect(with_day(0n, 70n)).toEqual([])
    expect(with_day(1_000n, 0n)).toEqual([])
  })

  it('prices below cost are reported', () => {
    const sold = (price_pico: bigint) =>
      types({ last_7_days: burned(0n, { price_pico, cost_pico: 10n }) }, 1n)
    expect(sold(9n)).toEqual([['alert', 'review_prices']])
    expect(sold(10n)).toEqual([])
  })
})

it('a day of the forecast is 24 hours', () => {
  const { run_out_ms } = forecast(periods({ last_7_days: burned(7n) }), 3n * CREDIT, NOW_MS)
  expect(run_out_ms).toBe(NOW_MS + 3 * DAY_MS)
})
