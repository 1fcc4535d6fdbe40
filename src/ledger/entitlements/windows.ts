import { type Window, windowOf } from '../../time/windows.ts'
import { timeZoneOf, UTC } from '../../time/zones.ts'
import type { EntitlementRules } from '../model/limits.ts'

/** The window of a limit that contains a moment; undefined if it counts nothing. */
export function limitWindow(
  { period, anchor_ms, time_zone = UTC }: EntitlementRules,
  at_ms: number,
): Window | undefined {
  if (period === null) return undefined
  const zone = time_zone === UTC || period === 'TOTAL' ? undefined : timeZoneOf(time_zone)
  return zone && period !== 'TOTAL'
    ? zone.windowOf(period, anchor_ms, at_ms)
    : windowOf(period, anchor_ms, at_ms)
}
