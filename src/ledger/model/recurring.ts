import type { MicroCredits } from '../../pricing/money.ts'
import type { LotKind } from './vocabulary.ts'

/** How much more the lots from before a recurrence may hold after it: at most `rollover_max` together. */
export interface Rollover {
  readonly at_ms: number
  readonly room: MicroCredits
}

export const RECURRING_PERIODS = ['day', 'week', 'month', 'quarter', 'year'] as const

export type RecurringPeriod = (typeof RECURRING_PERIODS)[number]

/** A recurring grant. Its periods start at the time of the first grant. */
export interface RecurringGrant {
  readonly number: number
  readonly every: RecurringPeriod
  readonly amount: MicroCredits
  readonly kind: LotKind
  readonly priority: number
  /** The lifetime of each lot; null: no expiry. */
  readonly lifetime_ms: number | null
  /** The most that may be left of its earlier lots when the next one is granted; null: no limit. */
  readonly rollover_max: MicroCredits | null
  /** A recurrence grants only what its lots have less than this; absent: always `amount`. */
  readonly target?: MicroCredits
  readonly reason?: string
  readonly created_at_ms: number
  next_at_ms: number
}
