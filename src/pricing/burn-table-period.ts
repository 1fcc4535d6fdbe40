import type { Period } from './burn-table-definition.ts'

const DAY_MS = 86_400_000
/** 1970-01-01 was a Thursday: the first Monday is four days later. */
const FIRST_MONDAY_MS = 4 * DAY_MS

/** When the period that holds `at_ms` ends, and the next begins. UTC, where every day has 24 hours. */
export function periodEnd(period: Period, at_ms: number): number {
  switch (period) {
    case 'DAILY':
      return (Math.floor(at_ms / DAY_MS) + 1) * DAY_MS
    case 'WEEKLY':
      return FIRST_MONDAY_MS + (Math.floor((at_ms - FIRST_MONDAY_MS) / (7 * DAY_MS)) + 1) * 7 * DAY_MS
    case 'MONTHLY': {
      const at = new Date(at_ms)
      return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1)
    }
  }
}
