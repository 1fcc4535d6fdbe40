/** Cells count time in whole hours since 1970, rollups stand by whole days: both UTC. */
export const HOURS_A_DAY = 24

export function dayOf(hour: number): number {
  return Math.floor(hour / HOURS_A_DAY)
}

/** The first hour of the hour's day. */
export function startOfDay(hour: number): number {
  return dayOf(hour) * HOURS_A_DAY
}
