import type { EventType } from '../ledger/model/vocabulary.ts'
import { DAY_MS, HOUR_MS } from '../time/durations.ts'
import { windowOf } from '../time/windows.ts'
import { offsetText, type TimeZone } from '../time/zones.ts'
import type { Cell } from '../usage/cells/cells.ts'
import type { Kind } from '../usage/cells/pack-cells.ts'

/** The time windows by which usage can be grouped. Weeks begin on Monday. */
export const WINDOWS = ['hour', 'day', 'week', 'month'] as const
export type Window = (typeof WINDOWS)[number]

export const DIMENSIONS = ['feature', 'provider', 'model', 'user', 'team', 'key', 'event_type'] as const

export const GROUPS = [...WINDOWS, ...DIMENSIONS] as const
export type Group = (typeof GROUPS)[number]

/** An analytics query. Times are whole hours, `from_ms` inclusive and `to_ms` exclusive. */
export interface Question {
  readonly from_ms: number
  readonly to_ms: number
  readonly group_by: readonly Group[]
  /** The accepted values of each filtered dimension; an empty set accepts none. */
  readonly filters: Filters
  /**
   * The time zone in which days, weeks and months start; UTC if undefined. If a question groups by a window,
   * `zoneProblem` refuses a zone whose offset from UTC is not a whole number of hours.
   */
  readonly zone?: TimeZone | undefined
}

export interface Filters {
  readonly feature?: ReadonlySet<string>
  readonly provider?: ReadonlySet<string>
  readonly model?: ReadonlySet<string>
  readonly event_type?: ReadonlySet<EventType>
  /** The subject numbers of users. */
  readonly user?: ReadonlySet<number>
  readonly team?: ReadonlySet<number>
  /** The ids of API keys. */
  readonly key?: ReadonlySet<string>
}

export const DEFAULT_RANGE_MS = 30 * DAY_MS
const MAX_DAYS = 366
const MAX_DAYS_BY_HOUR = 31
const MAX_DAYS_BY_USER = 92

/**
 * Returns an error if the time range is empty or too long for the requested groups and filters; otherwise undefined.
 */
export function rangeProblem(question: Question): { field: 'from' | 'to'; message: string } | undefined {
  const { from_ms, to_ms, group_by } = question
  if (from_ms >= to_ms) return { field: 'from', message: 'must be before to' }
  const days = (to_ms - from_ms) / DAY_MS
  const [most, why] = group_by.includes('hour')
    ? [MAX_DAYS_BY_HOUR, ' if grouped by hour']
    : needsUsers(question)
      ? [MAX_DAYS_BY_USER, ' if grouped or filtered by user']
      : [MAX_DAYS, '']
  // Rounding to whole hours can lengthen a range by up to 2 hours.
  return days > most + 1 / 12
    ? { field: 'from', message: `must be at most ${most} days before to${why}` }
    : undefined
}

/**
 * Returns an error if the question groups by a window and the offset of its time zone from UTC is not always a whole
 * number of hours; otherwise undefined. Usage is stored by UTC hour, so it cannot be divided at other times.
 */
export function zoneProblem(question: Question): { field: 'time_zone'; message: string } | undefined {
  const { from_ms, to_ms, group_by, zone } = question
  if (!zone || !group_by.some(isWindow)) return undefined
  const offset_ms = zone.partialHourOffset(from_ms, to_ms)
  if (offset_ms === undefined) return undefined
  return {
    field: 'time_zone',
    message: `is ${offsetText(offset_ms)} from UTC in this range, but must be a whole number of hours from UTC: use another zone, or group without ${WINDOWS.join(', ')}`,
  }
}

/**
 * Reports whether the result needs hourly usage. Hourly usage is necessary for windows of an hour. It is also necessary
 * for all windows in a time zone other than UTC, because a day of that zone does not always start at midnight UTC.
 */
export function needsHours({ group_by, zone }: Question): boolean {
  return group_by.includes('hour') || (zone !== undefined && group_by.some(isWindow))
}

export function needsUsers({ group_by, filters }: Question): boolean {
  return group_by.includes('user') || filters.user !== undefined
}

export function needsTeams({ group_by, filters }: Question): boolean {
  return group_by.includes('team') || filters.team !== undefined
}

export function needsKeys({ group_by, filters }: Question): boolean {
  return group_by.includes('key') || filters.key !== undefined
}

/**
 * Reports whether the filters admit cells of a kind. Does not check the filters by user and team, because a kind has no
 * user and no team: see `admitsSubjects`.
 */
export function admitsKind(
  filters: Filters,
  { feature_id, provider, model, event_type, key }: Kind,
): boolean {
  return (
    admits(filters.feature, feature_id) &&
    admits(filters.provider, provider) &&
    admits(filters.model, model) &&
    admits(filters.event_type, event_type) &&
    admits(filters.key, key)
  )
}

/** Reports whether the filters admit the user and the team of a cell. */
export function admitsSubjects(filters: Filters, { user, team }: Pick<Cell, 'user' | 'team'>): boolean {
  return admits(filters.user, user) && admits(filters.team, team)
}

function admits<T>(values: ReadonlySet<T> | undefined, value: T | null): boolean {
  return values === undefined || (value !== null && values.has(value))
}

/**
 * Returns an error if the question combines API keys with users or teams; otherwise undefined. The rollups store usage
 * by user and team without the API key.
 */
export function keyProblem(question: Question): { field: string; message: string } | undefined {
  if (!needsKeys(question) || !(needsUsers(question) || needsTeams(question))) return undefined
  const field = question.group_by.includes('key') ? 'group_by' : 'key'
  return { field, message: 'key cannot be combined with user or team' }
}

export function floorHour(at_ms: number): number {
  return Math.floor(at_ms / HOUR_MS) * HOUR_MS
}

export function ceilHour(at_ms: number): number {
  return Math.ceil(at_ms / HOUR_MS) * HOUR_MS
}

const PERIODS = { hour: 'HOURLY', day: 'DAILY', week: 'WEEKLY', month: 'MONTHLY' } as const

export function isWindow(group: Group): group is Window {
  return WINDOWS.some((window) => window === group)
}

/**
 * Returns the start of the window that contains an hour, in epoch milliseconds. `hour` is in hours since the epoch.
 */
export function startOf(window: Window, hour: number, zone?: TimeZone): number {
  if (zone && window !== 'hour') return zone.startOf(window, hour * HOUR_MS)
  return windowOf(PERIODS[window], null, hour * HOUR_MS).start_ms
}
