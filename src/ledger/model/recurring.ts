import type { MicroCredits } from '../../pricing/money.ts'
import type { LotKind } from './vocabulary.ts'

/** How much more the lots from before a recurrence may hold after it: at most `rollover_max` together. */
export interface Rollover {
  readonly at_ms: number
  readonly room: MicroCredits
}

export const RECURRING_PERIODS = ['day', 'week', 'month'] as const

export type RecurringPeriod = (typeof RECURRING_PERIODS)[number]

/** A grant that comes again at every period, counted from the moment of the first. */
export interface RecurringGrant {
  readonly number: number
  readonly every: RecurringPeriod
  readonly amount: MicroCredits
  readonly kind: LotKind
  readonly priority: number
  /** How long each lot lives; null: for ever. */
  readonly lifetime_ms: number | null
  /** How much of the lots before may be left when the next comes; null: all of it. */
  readonly rollover_max: MicroCredits | null
  readonly reason?: string
  readonly created_at_ms: number
  next_at_ms: number
}
