import { divideHalfEven } from '../pricing/money.ts'
import { DAY_MS } from '../time/durations.ts'
import type { CellSums } from '../usage/cells/cells.ts'
import type { RECOMMENDATION_TYPES, RECOMMENDED_ACTIONS, TRENDS } from './schema.ts'

/** The usage sums of each period. The periods and their ends are defined in `burn-rate.ts`. */
export interface Periods {
  readonly last_day: CellSums
  readonly week_before_last_day: CellSums
  readonly last_7_days: CellSums
  readonly the_7_days_before: CellSums
  readonly last_30_days: CellSums
}

export interface Forecast {
  readonly average_7d_micro: bigint
  readonly average_30d_micro: bigint
  readonly trend: (typeof TRENDS)[number]
  /**
   * The time until the credits are used up, in hundredths of a day, rounded down. It is null if nothing was burned in
   * the last 7 days, or if the credits last longer than 100 years.
   */
  readonly centidays_remaining: bigint | null
  readonly run_out_ms: number | null
  readonly recommendations: readonly Recommendation[]
}

export interface Recommendation {
  readonly type: (typeof RECOMMENDATION_TYPES)[number]
  readonly message: string
  readonly action: (typeof RECOMMENDED_ACTIONS)[number]
}

export const ASSUMPTION =
  'Credits continue to burn at the average rate of the last 7 days. No credits are added or expire.'

const CENTIDAYS = 100n
const LONGEST_CENTIDAYS = 36_525n * CENTIDAYS
const CENTIDAY_MS = DAY_MS / 100
/** The limit of a steady trend: the greatest change between two weeks, in percent. */
const TREND_PERCENT = 20n
const SPIKE_FACTOR = 2n

/** Returns the forecast for a balance if credits continue to burn as in the given periods. Has no side effects. */
export function forecast(periods: Periods, balance_micro: bigint, now_ms: number): Forecast {
  const week_micro = periods.last_7_days.credits_micro
  const centidays = centidaysRemaining(balance_micro, week_micro)
  return {
    average_7d_micro: divideHalfEven(week_micro, 7n),
    average_30d_micro: divideHalfEven(periods.last_30_days.credits_micro, 30n),
    trend: trendOf(week_micro, periods.the_7_days_before.credits_micro),
    centidays_remaining: centidays,
    run_out_ms: centidays === null ? null : now_ms + Number(centidays) * CENTIDAY_MS,
    recommendations: recommendationsOf(periods, centidays),
  }
}

function centidaysRemaining(balance_micro: bigint, week_micro: bigint): bigint | null {
  if (week_micro <= 0n) return null
  if (balance_micro <= 0n) return 0n
  const centidays = (balance_micro * 7n * CENTIDAYS) / week_micro
  return centidays > LONGEST_CENTIDAYS ? null : centidays
}

function trendOf(week_micro: bigint, week_before_micro: bigint): Forecast['trend'] {
  if (week_micro * 100n > week_before_micro * (100n + TREND_PERCENT)) return 'rising'
  if (week_micro * 100n < week_before_micro * (100n - TREND_PERCENT)) return 'falling'
  return 'steady'
}

function recommendationsOf(periods: Periods, centidays: bigint | null): Recommendation[] {
  return [runningOut(centidays), spike(periods), soldBelowCost(periods)].filter(
    (recommendation) => recommendation !== null,
  )
}

function runningOut(centidays: bigint | null): Recommendation | null {
  if (centidays === null || centidays >= 14n * CENTIDAYS) return null
  const urgent = centidays < 7n * CENTIDAYS
  return { type: urgent ? 'urgent' : 'warning', message: lastingOf(centidays), action: 'purchase_credits' }
}

function lastingOf(centidays: bigint): string {
  if (centidays === 0n) return 'The credits are used up.'
  const days = centidays / CENTIDAYS
  const left = days === 0n ? 'less than a day' : days === 1n ? '1 more day' : `${days} more days`
  return `The credits last for ${left} at this rate.`
}

/**
 * Returns a recommendation if the last 24 hours burned at least twice the daily average of the 7 days before them;
 * otherwise null.
 */
function spike({ last_day, week_before_last_day }: Periods): Recommendation | null {
  const average = divideHalfEven(week_before_last_day.credits_micro, 7n)
  if (average <= 0n || last_day.credits_micro < SPIKE_FACTOR * average) return null
  const percent = (last_day.credits_micro * 100n) / average
  return {
    type: 'alert',
    message: `The last 24 hours burned ${percent} % of the previous week's daily average.`,
    action: 'review_usage',
  }
}

function soldBelowCost({ last_7_days: { price_pico, cost_pico } }: Periods): Recommendation | null {
  if (price_pico >= cost_pico) return null
  return {
    type: 'alert',
    message: 'In the last 7 days, provider costs exceeded the value of the burned credits.',
    action: 'review_prices',
  }
}
