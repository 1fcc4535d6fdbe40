import type { EventType } from '../ledger/model/vocabulary.ts'
import { DAY_MS, HOUR_MS } from '../time/durations.ts'
import { windowOf } from '../time/windows.ts'
import { offsetText, type TimeZone } from '../time/zones.ts'

/** The time windows. A week begins on Monday. */
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
   * The time zone of days, weeks and months; UTC if undefined. If a group is a window, the offsets in the range are
   * whole hours.
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
  /** The ids of keys. */
  readonly key?: ReadonlySet<string>
}

export const DEFAULT_RANGE_MS = 30 * DAY_MS
const MAX_DAYS = 366
const MAX_DAYS_BY_HOUR = 31
const MAX_DAYS_BY_USER = 92

/** Returns the error of an invalid range; undefined if the range is valid. */
export function rangeProblem(question: Question): { field: 'from' | 'to'; message: string } | undefined {
  const { from_ms, to_ms, group_by } = question
  if (from_ms >= to_ms) return { field: 'from', message: 'must be before to' }
  const days = (to_ms - from_ms) / DAY_MS
  const [most, why] = group_by.includes('hour')
    ? [MAX_DAYS_BY_HOUR, ' if grouped by hour']
    : needsUsers(question)
      ? [MAX_DAYS_BY_USER, ' if grouped or filtered by user']
      : [MAX_DAYS, '']
  // Rounding to whole hours may lengthen a range by up to 2 hours.
  return days > most + 1 / 12
    ? { field: 'from', message: `must be at most ${most} days before to${why}` }
    : undefined
}

/**
 * Returns the error of a time zone whose offset from UTC is not a whole number of hours. Usage is stored by the hour
 * of UTC.
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
 * Reports whether the answer needs usage by the hour. Usage by the hour is necessary for windows of an hour, and for
 * windows in a time zone, which may not start at midnight UTC.
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
 * Returns the error of a question that combines keys with users or teams. Usage by user or team is stored without the
 * key.
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
